"""Writes gradients.safetensors: torch 2.15's gradients of torch.nn.RNN on the CPU.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/gradients.py

Running it twice writes the same bytes. The script also checks what it writes against backpropagation
through time in the next higher precision, `gradients_by_formula` below.

The metadata's one key, `cases`, is a list. For every i of it:

{i}.input, {i}.h_0        the gradients; of h_0 only if the case has one
{i}.parameters            those of all parameters, flat, one after another in torch's order
{i}.output, {i}.h_n       the results, with dropout only

Arguments are not stored. All of them are drawn in the case's dtype from manual_seed(seed), in this order: the
module; uniform in (-1, 1) the input, h_0 if `h_0`, the cotangent of the output, that of h_n if `d_h_n`.
With dropout the generator is then seeded anew, with `dropout_seed`, right before the forward pass; dropout 1 is
checked to draw nothing from it.
Where there are `lengths` the input is packed, enforce_sorted=False, and the output padded to all of
seq_len again. batch is null for one sequence alone.
"""

from itertools import product
from random import Random

from generate import HIGHER, TORCH, rnn_shapes, save, uniform_input

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FLAGS = (False, True)
DTYPES = ("f64", "f32")
MAGNITUDE = 64.0  # of gradients, sums of up to 280 terms; values stay of order one
TOLERANCE = {"f32": 1e-5, "f64": 1e-12}  # relative to the largest value of a tensor


# Cases


def case(dtype, options, sizes, **more):
    """A case without its seed; `options` and `sizes` in the order of the tuples below."""
    layers, bidirectional, nonlinearity, bias, batch_first, h_0, d_h_n, batched = options
    inputs, hidden, seq_len, batch = sizes
    return {
        "input_size": inputs,
        "hidden_size": hidden,
        "num_layers": layers,
        "nonlinearity": nonlinearity,
        "bias": bias,
        "batch_first": batch_first,
        "bidirectional": bidirectional,
        "dtype": dtype,
        "h_0": h_0,
        "d_h_n": d_h_n,
        "seq_len": seq_len,
        "batch": batch if batched else None,
        "lengths": None,
        "dropout": 0.0,
        **more,
    }


def draw_sizes(rng, layers):
    """Small sizes, smaller where there are more layers."""
    largest = (5, 6 - layers, 7, 4)
    return tuple(1 + int(rng.random() * size) for size in largest)


def draw_lengths(rng, seq_len, batch):
    return [1 + int(rng.random() * seq_len) for _ in range(batch)]


def plain_cases(rng):
    """Every combination of the options. Every other case has a gradient of h_n."""
    combinations = product((1, 2, 3), FLAGS, ("tanh", "relu"), *(FLAGS,) * 4)
    for i, (*options, batched) in enumerate(combinations):
        for dtype in DTYPES:
            # The parity of the bits decides, so that it comes with and without every option.
            yield case(dtype, (*options, i.bit_count() % 2 == 1, batched), draw_sizes(rng, options[0]))


LARGE = (
    ("f64", (1, False, "tanh", True, False, True, True, True), (9, 40, 50, 3)),
    ("f64", (2, True, "tanh", True, True, True, False, True), (5, 18, 40, 7)),
    ("f64", (3, False, "relu", True, False, False, True, False), (33, 17, 30, None)),
    ("f32", (1, False, "tanh", True, False, True, True, True), (33, 65, 20, 7)),
    ("f32", (2, True, "relu", False, True, False, True, True), (16, 32, 12, 5)),
)


def packed_cases(rng):
    combinations = product((1, 2), FLAGS, ("tanh", "relu"), FLAGS, FLAGS)
    for i, (layers, bidirectional, nonlinearity, batch_first, h_0) in enumerate(combinations):
        flags = (i % 3 > 0, batch_first, h_0, i.bit_count() % 2 == 1, True)
        options = (layers, bidirectional, nonlinearity, *flags)
        inputs, hidden, seq_len, batch = draw_sizes(rng, layers)
        sizes = (inputs, hidden, seq_len + 2, batch + 2)
        for dtype in DTYPES:
            yield case(dtype, options, sizes, lengths=draw_lengths(rng, *sizes[2:]))


def dropout_cases(rng):
    combinations = product((2, 3), FLAGS, ("tanh", "relu"), (0.3, 0.5, 1.0), ("sequence", "batch", "packed"))
    for i, (layers, bidirectional, nonlinearity, dropout, kind) in enumerate(combinations):
        flags = (i % 3 > 0, i % 4 > 1, i % 5 > 1, i % 7 > 3, kind != "sequence")
        options = (layers, bidirectional, nonlinearity, *flags)
        inputs, hidden, seq_len, batch = draw_sizes(rng, layers)
        sizes = (inputs, hidden, seq_len + 1, batch + 1)
        lengths = draw_lengths(rng, *sizes[2:]) if kind == "packed" else None
        for dtype in DTYPES:
            yield case(dtype, options, sizes, lengths=lengths, dropout=dropout, dropout_seed=100 + i)


def all_cases():
    rng = Random(0)
    yield from plain_cases(rng)
    yield from (case(*large) for large in LARGE)
    yield from packed_cases(rng)
    yield from dropout_cases(rng)


# What torch computes


def output_shape(case):
    width = case["hidden_size"] * (1 + case["bidirectional"])
    return (*rnn_shapes(case)[0][:-1], width)


def draw_arguments(case):
    """The module, and input, h_0 and the cotangents; None for what the case does not have."""
    torch.manual_seed(case["seed"])
    names = ("num_layers", "nonlinearity", "bias", "batch_first", "dropout", "bidirectional")
    options = {name: case[name] for name in names}
    rnn = torch.nn.RNN(case["input_size"], case["hidden_size"], **options, dtype=TORCH[case["dtype"]])
    input_shape, state_shape = rnn_shapes(case)
    shapes = (
        input_shape,
        state_shape if case["h_0"] else None,
        output_shape(case),
        state_shape if case["d_h_n"] else None,
    )
    return rnn, *(shape and uniform_input(shape, case["dtype"]) for shape in shapes)


def forward(case, rnn, x, h_0):
    if case["lengths"] is None:
        return rnn(x, h_0)
    batch_first = case["batch_first"]
    packed = pack_padded_sequence(x, torch.tensor(case["lengths"]), batch_first, enforce_sorted=False)
    output, h_n = rnn(packed, h_0)
    output, _ = pad_packed_sequence(output, batch_first, total_length=case["seq_len"])
    return output, h_n


def run(case):
    """The tensors to be stored, and what they follow from."""
    rnn, x, h_0, d_output, d_h_n = arguments = draw_arguments(case)
    leaves = {"input": x} | ({} if h_0 is None else {"h_0": h_0})
    for leaf in leaves.values():
        leaf.requires_grad_()
    if case["dropout"]:
        torch.manual_seed(case["dropout_seed"])
    before = torch.get_rng_state()
    output, h_n = forward(case, rnn, x, h_0)
    assert torch.equal(before, torch.get_rng_state()) == (case["dropout"] in (0.0, 1.0))
    torch.autograd.backward((output, h_n), (d_output, torch.zeros_like(h_n) if d_h_n is None else d_h_n))
    tensors = {name: leaf.grad for name, leaf in leaves.items()}
    tensors["parameters"] = torch.cat([p.grad.flatten() for p in rnn.parameters()])
    results = {"output": output.detach(), "h_n": h_n.detach()}
    return tensors, results, arguments


# The same in a higher precision


def time_major(case, tensor):
    """(L, N, features) in the higher precision."""
    array = tensor.detach().numpy().astype(HIGHER[case["dtype"]])
    if case["batch"] is None:
        return array[:, None]
    return array.swapaxes(0, 1) if case["batch_first"] else array


def state_array(case, state):
    rows = case["num_layers"] * (1 + case["bidirectional"])
    shape = (rows, case["batch"] or 1, case["hidden_size"])
    if state is None:
        return np.zeros(shape, HIGHER[case["dtype"]])
    return state.detach().numpy().astype(HIGHER[case["dtype"]]).reshape(shape)


def dropout_factors(case):
    """What dropout multiplies the outputs of each layer but the last with, (L, N, features)."""
    batch, width = case["batch"] or 1, output_shape(case)[-1]
    lengths = case["lengths"] or [case["seq_len"]] * batch
    order = sorted(range(batch), key=lambda n: -lengths[n])
    places = [(t, n) for t in range(case["seq_len"]) for n in order if t < lengths[n]]
    if case["dropout"]:
        torch.manual_seed(case["dropout_seed"])
    for _ in range(case["num_layers"] - 1):
        factors = np.zeros((case["seq_len"], batch, width), HIGHER[case["dtype"]])
        ones = torch.ones(len(places), width, dtype=TORCH[case["dtype"]])
        for (t, n), row in zip(places, F.dropout(ones, case["dropout"]), strict=True):
            factors[t, n] = row.numpy()
        yield factors


def direction_back(weights, nonlinearity, xs, h, d_outputs, d_h, reverse):
    """One direction over one sequence: its outputs or, given the outputs' gradients, the gradients of all its arguments."""
    weight_ih, weight_hh, *biases = weights
    times = range(len(xs))[:: -1 if reverse else 1]
    states = {}
    for t in times:
        total = weight_ih @ xs[t] + weight_hh @ h + sum(biases)
        before, h = h, np.tanh(total) if nonlinearity == "tanh" else np.maximum(total, 0)
        states[t] = before, h
    outputs = np.stack([states[t][1] for t in range(len(xs))])
    if d_outputs is None:
        return outputs
    d_xs, d_weights = np.zeros_like(xs), [np.zeros_like(w) for w in weights]
    for t in reversed(times):
        before, after = states[t]
        d_sum = (d_h + d_outputs[t]) * (1 - after**2 if nonlinearity == "tanh" else after > 0)
        terms = (np.outer(d_sum, xs[t]), np.outer(d_sum, before), d_sum, d_sum)
        for d_weight, term in zip(d_weights, terms):
            d_weight += term
        d_xs[t], d_h = weight_ih.T @ d_sum, weight_hh.T @ d_sum
    return d_xs, d_h, d_weights


def sequence_by_formula(case, weights, x, h_0, d_output, d_h_n, factors):
    """One sequence through all layers and back: gradients of input, h_0 and the list of weights."""
    directions, hidden = 1 + case["bidirectional"], case["hidden_size"]
    layers = [list(range(i, i + directions)) for i in range(0, len(weights), directions)]
    xs = [x]
    for layer in layers[:-1]:
        outputs = [
            direction_back(weights[i], case["nonlinearity"], xs[-1], h_0[i], None, None, i % directions)
            for i in layer
        ]
        xs.append(np.concatenate(outputs, axis=-1) * factors[len(xs) - 1])
    d_h_0, d_weights = [None] * len(weights), [None] * len(weights)
    for k in reversed(range(len(layers))):
        d_x = 0
        for d, i in enumerate(layers[k]):
            columns = d_output[:, d * hidden : (d + 1) * hidden]
            more, d_h_0[i], d_weights[i] = direction_back(
                weights[i], case["nonlinearity"], xs[k], h_0[i], columns, d_h_n[i], d == 1
            )
            d_x = d_x + more
        d_output = d_x * factors[k - 1] if k > 0 else d_x
    return d_x, np.stack(d_h_0), [d for group in d_weights for d in group]


def gradients_by_formula(case, rnn, x, h_0, d_output, d_h_n):
    """The gradients of input (L, N, features), h_0 and all parameters, sequence by sequence."""
    x, d_output = (time_major(case, tensor) for tensor in (x, d_output))
    h_0, d_h_n = (state_array(case, state) for state in (h_0, d_h_n))
    weights = [[p.detach().numpy().astype(x.dtype) for p in group] for group in rnn.all_weights]
    factors = list(dropout_factors(case))
    d_x, d_h_0, d_weights = np.zeros_like(x), np.zeros_like(h_0), 0
    for n, length in enumerate(case["lengths"] or [len(x)] * x.shape[1]):
        sequence = (x[:length, n], h_0[:, n], d_output[:length, n], d_h_n[:, n])
        kept = [f[:length, n] for f in factors]
        d_x[:length, n], d_h_0[:, n], terms = sequence_by_formula(case, weights, *sequence, kept)
        d_weights = d_weights + np.concatenate([term.ravel() for term in terms])
    return {"input": d_x, "h_0": d_h_0, "parameters": d_weights}


def by_parameter(rnn, flat):
    ends = np.cumsum([p.numel() for p in rnn.parameters()])
    return np.split(flat, ends[:-1])


def relative(actual, expected):
    return float(abs(actual - expected).max()) / max(float(abs(expected).max()), 1e-300)


def difference(case, tensors, arguments):
    """The largest difference from the formula, each tensor's relative to its own largest value."""
    expected = gradients_by_formula(case, *arguments)
    pairs = [(time_major(case, tensors["input"]), expected["input"])]
    if "h_0" in tensors:
        pairs.append((state_array(case, tensors["h_0"]), expected["h_0"]))
    rnn = arguments[0]
    pairs += zip(by_parameter(rnn, tensors["parameters"].numpy()), by_parameter(rnn, expected["parameters"]))
    return max(relative(actual, value) for actual, value in pairs)


def tame(case, index):
    """The case with a seed for which values stay of order one and torch's own rounding is small."""
    for attempt in range(100):
        case["seed"] = index + 1000 * attempt
        tensors, results, arguments = run(case)
        distance = difference(case, tensors, arguments)
        magnitude = max(float(t.abs().max()) for t in (*tensors.values(), *results.values()))
        if magnitude <= MAGNITUDE and distance <= TOLERANCE[case["dtype"]] / 2:
            return case, tensors | (results if case["dropout"] else {}), distance
    raise AssertionError(f"no fit seed: {case}")


def main():
    assert torch.__version__.startswith("2.15."), torch.__version__
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    torch.set_num_threads(1)
    stored, cases, differences = {}, [], {}
    for i, options in enumerate(all_cases()):
        case, tensors, distance = tame(options, i)
        cases.append(case)
        stored |= {f"{i}.{name}": tensor for name, tensor in tensors.items()}
        dtype = case["dtype"]
        differences[dtype] = max(differences.get(dtype, 0.0), distance)
    save("gradients.safetensors", stored, cases=cases)
    print(f"  {len(cases)} cases; largest difference from the higher precision:", differences)
    print("  largest value:", max(float(t.abs().max()) for t in stored.values()))


if __name__ == "__main__":
    main()
