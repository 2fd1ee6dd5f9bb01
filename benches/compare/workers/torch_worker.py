"""torch's eager nn.RNN, nn.LSTM and nn.GRU on the CPU, as users run them."""

import torch
from protocol import THREADS, Job, Unsupported, serve

KINDS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
DTYPES = {"f32": torch.float32, "f64": torch.float64}


def network(case, arrays):
    rnn = getattr(torch.nn, KINDS[case["kind"]])(
        case["input"],
        case["hidden"],
        num_layers=case["layers"],
        bidirectional=case["bidirectional"],
        dtype=DTYPES[case["dtype"]],
    )
    rnn.load_state_dict({name: torch.from_numpy(arrays[name].copy()) for name, _ in rnn.named_parameters()})
    return rnn, torch.from_numpy(arrays["input"].copy())


def named(output, state):
    """An output and the planes of a final state, by name."""
    planes = state if isinstance(state, tuple) else (state,)
    return {"output": output, **dict(zip(("h_n", "c_n"), planes))}


def zeros(case, x, *shape):
    """A first state: an LSTM's is a pair."""
    h = torch.zeros(*shape, case["batch"], case["hidden"], dtype=x.dtype)
    return (h, h.clone()) if case["kind"] == "lstm" else h


def forward(case, arrays):
    rnn, x = network(case, arrays)

    def results():
        return named(*rnn(x))

    return Job(lambda: rnn(x), results, torch.inference_mode)


def backward(case, arrays):
    rnn, x = network(case, arrays)
    x.requires_grad_()

    def call():
        rnn.zero_grad()
        x.grad = None
        output, state = rnn(x)
        output.sum().backward()
        return output, state

    def results():
        gradients = named(*call())
        gradients = {name: value.detach() for name, value in gradients.items()}
        return gradients | {f"grad.{name}": value.grad for name, value in [*rnn.named_parameters(), ("input", x)]}

    return Job(call, results)


class Training:
    """A whole training step, as in ../training.rs."""

    def __init__(self, case, arrays):
        self.rnn, self.x = network(case, arrays)
        classes, width = arrays["weight_fc"].shape
        self.fc = torch.nn.Linear(width, classes, dtype=self.x.dtype)
        self.fc.load_state_dict({name: torch.from_numpy(arrays[f"{name}_fc"].copy()) for name in ("weight", "bias")})
        places = torch.arange(case["len"])[:, None] + torch.arange(case["batch"])
        self.classes = (places % classes).flatten()
        self.parameters = [*self.rnn.parameters(), *self.fc.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters)

    def __call__(self):
        self.optimizer.zero_grad()
        logits = self.fc(self.rnn(self.x)[0])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), self.classes)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return loss.detach(), norm


def training(case, arrays):
    def results():
        net = Training(case, arrays)
        losses, norms = zip(*(net() for _ in arrays["losses"]))
        return {"losses": torch.stack(losses), "norms": torch.stack(norms)}

    return Job(Training(case, arrays), results)


def step(case, arrays):
    rnn, x = network(case, arrays)
    first, state = x[:1], zeros(case, x, 1)

    def call():
        nonlocal state
        _, state = rnn(first, state)

    def results():
        outputs, last = [], zeros(case, x, 1)
        for t in range(case["len"]):
            output, last = rnn(x[t : t + 1], last)
            outputs.append(output)
        return named(torch.cat(outputs), last)

    return Job(call, results, torch.inference_mode)


def cell(case, arrays):
    rnn, x = network(case, arrays)
    cell = getattr(torch.nn, KINDS[case["kind"]] + "Cell")(case["input"], case["hidden"], dtype=x.dtype)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in rnn.state_dict().items()})
    first, state = x[0], zeros(case, x)

    def call():
        nonlocal state
        state = cell(first, state)

    def results():
        outputs, last = [], zeros(case, x)
        for row in x:
            last = cell(row, last)
            outputs.append(last[0] if isinstance(last, tuple) else last)
        return {"output": torch.stack(outputs)}

    return Job(call, results, torch.inference_mode)


def ragged(case, arrays):
    """Packs a padded batch in any order, runs it, and pads the result."""
    rnn, x = network(case, arrays)
    lengths = torch.tensor(case["lengths"])

    def call():
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, state = rnn(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(output)[0], state

    return Job(call, lambda: named(*call()), torch.inference_mode)


MODES = {
    "forward": forward,
    "backward": backward,
    "training": training,
    "step": step,
    "cell": cell,
    "ragged": ragged,
}


def build(case, arrays):
    if case["mode"] not in MODES:
        raise Unsupported(case["mode"])
    return MODES[case["mode"]](case, arrays)


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    torch.set_num_interop_threads(1)
    serve(build, f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
