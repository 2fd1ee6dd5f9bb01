"""torch's eager nn.RNN on the CPU, as users run it."""

import torch
from protocol import THREADS, Job, Unsupported, serve

DTYPES = {"f32": torch.float32, "f64": torch.float64}


def network(case, arrays):
    rnn = torch.nn.RNN(
        case["input"],
        case["hidden"],
        num_layers=case["layers"],
        bidirectional=case["bidirectional"],
        dtype=DTYPES[case["dtype"]],
    )
    rnn.load_state_dict({name: torch.from_numpy(arrays[name].copy()) for name, _ in rnn.named_parameters()})
    return rnn, torch.from_numpy(arrays["input"].copy())


def forward(case, arrays):
    rnn, x = network(case, arrays)

    def results():
        output, h_n = rnn(x)
        return {"output": output, "h_n": h_n}

    return Job(lambda: rnn(x), results, torch.inference_mode)


def backward(case, arrays):
    rnn, x = network(case, arrays)
    x.requires_grad_()

    def call():
        rnn.zero_grad()
        x.grad = None
        output, h_n = rnn(x)
        output.sum().backward()
        return output, h_n

    def results():
        output, h_n = call()
        gradients = {f"grad.{name}": value.grad for name, value in [*rnn.named_parameters(), ("input", x)]}
        return {"output": output.detach(), "h_n": h_n.detach(), **gradients}

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
    first, state = x[:1], torch.zeros(1, case["batch"], case["hidden"], dtype=x.dtype)

    def call():
        nonlocal state
        _, state = rnn(first, state)

    def results():
        outputs, h = [], torch.zeros_like(state)
        for t in range(case["len"]):
            output, h = rnn(x[t : t + 1], h)
            outputs.append(output)
        return {"output": torch.cat(outputs), "h_n": h}

    return Job(call, results, torch.inference_mode)


def cell(case, arrays):
    rnn, x = network(case, arrays)
    cell = torch.nn.RNNCell(case["input"], case["hidden"], dtype=x.dtype)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in rnn.state_dict().items()})
    first, state = x[0], torch.zeros(case["batch"], case["hidden"], dtype=x.dtype)

    def call():
        nonlocal state
        state = cell(first, state)

    def results():
        outputs, h = [], torch.zeros_like(state)
        for row in x:
            h = cell(row, h)
            outputs.append(h)
        return {"output": torch.stack(outputs), "h_n": h[None]}

    return Job(call, results, torch.inference_mode)


def ragged(case, arrays):
    """Packs a padded batch in any order, runs it, and pads the result."""
    rnn, x = network(case, arrays)
    lengths = torch.tensor(case["lengths"])

    def call():
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, h_n = rnn(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(output)[0], h_n

    return Job(call, lambda: {"output": call()[0], "h_n": call()[1]}, torch.inference_mode)


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
