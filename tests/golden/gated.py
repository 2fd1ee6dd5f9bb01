"""Writes gated.safetensors: torch 2.15's LSTM, GRU and their cells on the CPU, and the gradients of everything.

Run as generate.py, whose scheme of seeds and cases it follows; running it twice writes the same bytes. It checks what
it writes against the formulas in the next higher precision, forwards and back, sequence by sequence.

The metadata is one key, JSON text, an object of three lists of cases. A case's `kind` is lstm or gru; an LSTM projects
if its `proj_size` is not 0.

networks    {i} counts the cases of `networks`, which cover every triple of values of the options. Stored are
            networks.{i}.output, .h_n and, of an LSTM, .c_n
            networks.{i}.input, .parameters    the gradients; those of all parameters are flat, one after another
            networks.{i}.h_0, and .c_0         the gradients; of the first state only if the case has one
            Arguments are not stored. All of them are drawn in the case's dtype from manual_seed(seed), in this order:
            the module; uniform in (-1, 1) the input, with `state` h_0 and c_0, the cotangent of the output, with
            `d_state` those of h_n and c_n. The generator is then seeded anew, with `dropout_seed`, right before the
            forward pass, which is one of training.
            `form` says what the network reads: a sequence alone (batch is null), a batch, a batch packed with
            enforce_sorted (sorted) or without (unsorted), or a padded batch with lengths (padded; torch packs that
            one too). Of the last three output and input are padded again, to all of seq_len.
cells       {i} counts the cases of `cells`. Stored are cells.{i}.h, .c, and the gradients as above. Drawn are the
            cell, the input, with `state` h_0 and c_0, the cotangents of h and c. batch is null for one row.
parameters  Each case has the names of all parameters, and the FNV-1a hash of their little-endian bytes, as drawn from
            `seed`, a decimal string. So does each case of the other lists, without names. `cell` says of which sort.
"""

import math
import os
import warnings
from itertools import combinations, cycle, product
from random import Random

# oneDNN, which runs torch's LSTMs in f32, reads this when it first runs.
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"

# Imported first, since it fixes torch's code path before torch is loaded.
import generate as base
from gradients import dropout_factors, draw_lengths, relative

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FLAGS = (False, True)
FORMS = ("sequence", "batch", "sorted", "unsorted", "padded")
OPTIONS = {
    "kind": ("lstm", "projected", "gru"),
    "num_layers": (1, 2, 3),
    "bias": FLAGS,
    "batch_first": FLAGS,
    "dropout": (0.0, 0.5, 1.0),
    "bidirectional": FLAGS,
    "dtype": ("f64", "f32"),
    "form": FORMS,
    "state": FLAGS,
    "d_state": FLAGS,
    "input_size": (1, 2, 5),
    "hidden_size": (1, 2, 3, 5),  # 2 for 1 with a projection
    "batch": (1, 2, 4),
}
NETWORKS = 360
# One layer of more units than a vector holds: kind, dtype, bidirectional, form, input_size, hidden_size, proj_size.
WIDE = (
    ("lstm", "f32", False, "batch", 3, 17, 0),
    ("lstm", "f32", True, "padded", 9, 16, 0),
    ("lstm", "f64", False, "unsorted", 17, 9, 0),
    ("lstm", "f64", True, "sequence", 1, 8, 0),
    ("lstm", "f32", False, "sequence", 33, 15, 0),
    ("lstm", "f32", False, "unsorted", 8, 17, 9),
    ("lstm", "f32", True, "batch", 2, 16, 15),
    ("lstm", "f64", False, "padded", 4, 9, 8),
    ("lstm", "f64", False, "sequence", 5, 17, 1),
    ("lstm", "f32", False, "batch", 1, 33, 2),
    ("gru", "f32", False, "batch", 3, 17, 0),
    ("gru", "f32", True, "padded", 9, 16, 0),
    ("gru", "f64", False, "unsorted", 17, 9, 0),
    ("gru", "f64", True, "sequence", 1, 8, 0),
    ("gru", "f32", False, "sequence", 33, 15, 0),
    ("gru", "f64", False, "batch", 2, 17, 0),
)
FORWARD = {"f32": 1e-6, "f64": 1e-13}  # absolute
BACKWARD = {"f32": 1e-5, "f64": 1e-12}  # relative to the largest value of a tensor


# Cases


def tuples(options, count):
    return set(combinations(options.items(), count))


def choose(rng):
    """Options of which every three values of three options meet, each the best of some drawn."""
    missing = set()
    for names in combinations(OPTIONS, 3):
        missing |= {tuple(zip(names, values)) for values in product(*(OPTIONS[name] for name in names))}
    for _ in range(NETWORKS):
        drawn = [{name: rng.choice(values) for name, values in OPTIONS.items()} for _ in range(40)]
        best = max(drawn, key=lambda options: len(missing & tuples(options, 3)))
        missing -= tuples(best, 3)
        yield best
    assert not missing, missing


def network_case(rng, options):
    """The case of some options, without its seed."""
    case = dict(options)
    kind, form = case.pop("kind"), case.pop("form")
    proj_size = case.pop("proj_size", None)
    if proj_size is None:
        projected = kind == "projected"
        case["hidden_size"] += projected and case["hidden_size"] == 1
        proj_size = rng.randrange(1, case["hidden_size"]) if projected else 0
    seq_len = rng.randrange(1, 6)
    lengths = draw_lengths(rng, seq_len, case["batch"]) if form in FORMS[2:] else None
    if form == "sorted":
        lengths.sort(reverse=True)
    case |= {"kind": "gru" if kind == "gru" else "lstm", "form": form, "seq_len": seq_len, "lengths": lengths}
    case |= {"batch": None if form == "sequence" else case["batch"], "proj_size": proj_size}
    return case


def wide_options():
    names = ("kind", "dtype", "bidirectional", "form", "input_size", "hidden_size", "proj_size")
    for i, values in enumerate(WIDE):
        options = dict(zip(names, values, strict=True))
        flags = {"bias": i % 3 > 0, "batch_first": i % 4 > 1, "state": i % 5 > 1, "d_state": i % 2 > 0}
        yield {**options, **flags, "num_layers": 1, "dropout": 0.0, "batch": 1 + i % 5}


# What torch computes


def module(case):
    """The network or cell of a case, drawn from the generator as it is."""
    sizes, bias = (case["input_size"], case["hidden_size"]), case["bias"]
    dtype = base.TORCH[case["dtype"]]
    if case["cell"]:
        make = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[case["kind"]]
        return make(*sizes, bias=bias, dtype=dtype)
    names = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
    options = {name: case[name] for name in names if name in case}
    if case["kind"] == "gru":
        return torch.nn.GRU(*sizes, **options, dtype=dtype)
    return torch.nn.LSTM(*sizes, **options, proj_size=case["proj_size"], dtype=dtype)


def planes(case):
    """The widths of h and, if there is one, c."""
    hidden = case["hidden_size"]
    return {"h": case["proj_size"] or hidden} | ({"c": hidden} if case["kind"] == "lstm" else {})


def shapes(case):
    """The shapes of the input, the output, and the planes of a state."""
    if case["cell"]:
        leading = state = () if case["batch"] is None else (case["batch"],)
    else:
        batch = () if case["batch"] is None else (case["batch"],)
        leading = (case["seq_len"], *batch)
        leading = leading[::-1] if case["batch_first"] else leading
        state = (case["num_layers"] * (1 + case["bidirectional"]), *batch)
    states = {name: (*state, width) for name, width in planes(case).items()}
    directions = 1 if case["cell"] else 1 + case["bidirectional"]
    return (*leading, case["input_size"]), (*leading, directions * planes(case)["h"]), states


def draw_arguments(case):
    """The module; input, state, and the cotangents of the output and the final state."""
    torch.manual_seed(case["seed"])
    made = module(case)
    input_shape, output_shape, states = shapes(case)
    draw = lambda shape: base.uniform_input(shape, case["dtype"])
    x = draw(input_shape)
    state = {name: draw(shape) for name, shape in states.items()} if case["state"] else None
    d_output = None if case["cell"] else draw(output_shape)
    d_state = {name: draw(shape) for name, shape in states.items()} if case["d_state"] else None
    return made, x, state, d_output, d_state


def passed(state):
    """The state as torch takes it."""
    return state if state is None else tuple(state.values()) if len(state) > 1 else state["h"]


def named(case, state):
    """What torch returns as a state, by plane."""
    return dict(zip(planes(case), state if isinstance(state, tuple) else (state,), strict=True))


def forward(case, made, x, state):
    if case["cell"]:
        return None, named(case, made(x, passed(state)))
    if case["lengths"] is None:
        output, final = made(x, passed(state))
        return output, named(case, final)
    batch_first, ordered = case["batch_first"], case["form"] == "sorted"
    packed = pack_padded_sequence(x, torch.tensor(case["lengths"]), batch_first, enforce_sorted=ordered)
    output, final = made(packed, passed(state))
    output, _ = pad_packed_sequence(output, batch_first, total_length=case["seq_len"])
    return output, named(case, final)


def run(case):
    """The results, the gradients, and the arguments."""
    made, x, state, d_output, d_state = arguments = draw_arguments(case)
    for leaf in (x, *(state or {}).values()):
        leaf.requires_grad_()
    if not case["cell"]:
        torch.manual_seed(case["dropout_seed"])
    output, final = forward(case, made, x, state)
    results = ({} if output is None else {"output": output}) | final
    cotangents = [] if output is None else [d_output]
    cotangents += [torch.zeros_like(plane) if d_state is None else d_state[name] for name, plane in final.items()]
    torch.autograd.backward(list(results.values()), cotangents)
    gradients = {"input": x.grad}
    gradients |= {f"{name}_0": plane.grad for name, plane in (state or {}).items()}
    gradients["parameters"] = torch.cat([p.grad.flatten() for p in made.parameters()])
    return {name: result.detach() for name, result in results.items()}, gradients, arguments


# The same by the formulas, in a higher precision


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(weights, x, h, c):
    """The next h and c, and a function from their gradients to those of everything."""
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = weights
    i, f, g, o = np.split(weight_ih @ x + bias_ih + weight_hh @ h + bias_hh, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    carried = f * c + i * g
    t = np.tanh(carried)
    m = o * t

    def back(d_h, d_c):
        d_m = d_h if weight_hr is None else weight_hr.T @ d_h
        d_carried = d_c + d_m * o * (1 - t**2)
        gates = (d_carried * g * i * (1 - i), d_carried * c * f * (1 - f), d_carried * i * (1 - g**2))
        d_sum = np.concatenate((*gates, d_m * t * o * (1 - o)))
        d_hr = None if weight_hr is None else np.outer(d_h, m)
        terms = (np.outer(d_sum, x), np.outer(d_sum, h), d_sum, d_sum, d_hr)
        return weight_ih.T @ d_sum, weight_hh.T @ d_sum, d_carried * f, terms

    return m if weight_hr is None else weight_hr @ m, carried, back


def gru_step(weights, x, h, c):
    """The same; there is no c."""
    weight_ih, weight_hh, bias_ih, bias_hh, _ = weights
    of_input, of_state = np.split(weight_ih @ x + bias_ih, 3), np.split(weight_hh @ h + bias_hh, 3)
    r, z = sigmoid(of_input[0] + of_state[0]), sigmoid(of_input[1] + of_state[1])
    n = np.tanh(of_input[2] + r * of_state[2])

    def back(d_h, d_c):
        d_n = d_h * (1 - z) * (1 - n**2)
        both = (d_n * of_state[2] * r * (1 - r), d_h * (h - n) * z * (1 - z))
        d_ih, d_hh = np.concatenate((*both, d_n)), np.concatenate((*both, d_n * r))
        terms = (np.outer(d_ih, x), np.outer(d_hh, h), d_ih, d_hh, None)
        return weight_ih.T @ d_ih, d_h * z + weight_hh.T @ d_hh, d_c, terms

    return (1 - z) * n + z * h, c, back


def run_direction(step, weights, xs, h, c, reverse):
    """One direction of one layer over one sequence, and the function back."""
    times = range(len(xs))[:: -1 if reverse else 1]
    outputs, backs = {}, {}
    for t in times:
        h, c, backs[t] = step(weights, xs[t], h, c)
        outputs[t] = h

    def back(d_outputs, d_h, d_c):
        d_xs, d_weights = np.zeros_like(xs), [None if w is None else np.zeros_like(w) for w in weights]
        for t in reversed(times):
            d_xs[t], d_h, d_c, terms = backs[t](d_h + d_outputs[t], d_c)
            d_weights = [None if d is None else d + term for d, term in zip(d_weights, terms, strict=True)]
        return d_xs, d_h, d_c, d_weights

    return np.stack([outputs[t] for t in range(len(xs))]), h, c, back


def sequence_by_formula(case, weights, x, state, d_output, d_state, factors):
    """One sequence through all layers and back. Returns output, final state, gradients of x, state and weights."""
    step = {"lstm": lstm_step, "gru": gru_step}[case["kind"]]
    directions, width = d_output.shape[1] // planes(case)["h"], planes(case)["h"]
    final = {name: np.zeros_like(plane) for name, plane in state.items()}
    backs = []
    for i, of_direction in enumerate(weights):
        if i % directions == 0:
            below = x if i == 0 else np.concatenate(outputs, axis=1) * factors[i // directions - 1]
            outputs = []
        c = state["c"][i] if "c" in state else np.zeros(())
        output, final["h"][i], c, back = run_direction(step, of_direction, below, state["h"][i], c, i % directions)
        if "c" in state:
            final["c"][i] = c
        outputs.append(output)
        backs.append(back)
    output = np.concatenate(outputs, axis=1)
    d_first, d_weights = {name: np.zeros_like(plane) for name, plane in state.items()}, [None] * len(weights)
    for i in reversed(range(len(weights))):
        k, d = divmod(i, directions)
        d_c = d_state["c"][i] if "c" in state else np.zeros(())
        columns = d_output[:, d * width : (d + 1) * width]
        d_x, d_first["h"][i], d_c, d_weights[i] = backs[i](columns, d_state["h"][i], d_c)
        if "c" in state:
            d_first["c"][i] = d_c
        d_below = d_x + (d_below if d < directions - 1 else 0)
        if d == 0:
            d_output = d_below * factors[k - 1] if k > 0 else d_below
    return output, final, d_output, d_first, d_weights


def by_formula(case, precision, made, x, state, d_output, d_state):
    """What `run` returns: results, and gradients with the parameters' flat."""
    higher = lambda tensor, shape: tensor.detach().numpy().astype(precision).reshape(shape)
    batch = case["batch"] or 1
    of_state = {name: (-1, batch, width) for name, width in planes(case).items()}
    rows = 1 if case["cell"] else case["num_layers"] * (1 + case["bidirectional"])
    zeros = {name: torch.zeros(rows, *shape[1:]) for name, shape in of_state.items()}
    lift = lambda state: {name: higher(plane, of_state[name]) for name, plane in (state or zeros).items()}
    state, d_state = lift(state), lift(d_state)
    x = time_major(case, x, precision)
    no_output = np.zeros((*x.shape[:2], planes(case)["h"]), precision)
    d_output = no_output if case["cell"] else time_major(case, d_output, precision)
    groups = {}
    for name, p in made.named_parameters():
        part, _, direction = name.partition("_l") if not case["cell"] else (name, "", "")
        groups.setdefault(direction, {})[part] = higher(p, p.shape)
    blocks = {"lstm": 4, "gru": 3}[case["kind"]]
    no_bias = np.zeros(blocks * case["hidden_size"], precision)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    weights = [[group.get(name, None if name == "weight_hr" else no_bias) for name in names] for group in groups.values()]
    factors = [] if case["cell"] else list(dropout_factors({**case, "hidden_size": planes(case)["h"]}))
    output, d_x = np.zeros_like(d_output), np.zeros_like(x)
    final, d_first = ({name: np.zeros_like(plane) for name, plane in state.items()} for _ in range(2))
    d_weights = 0
    for n, length in enumerate(case.get("lengths") or [len(x)] * batch):
        of = lambda planes: {name: plane[:, n] for name, plane in planes.items()}
        arguments = (x[:length, n], of(state), d_output[:length, n], of(d_state))
        results = sequence_by_formula(case, weights, *arguments, [f[:length, n].astype(precision) for f in factors])
        output[:length, n], of_final, d_x[:length, n], of_first, terms = results
        for name in state:
            final[name][:, n], d_first[name][:, n] = of_final[name], of_first[name]
        kept = [[t for name, t in zip(names, ts) if name in group] for ts, group in zip(terms, groups.values())]
        d_weights = d_weights + np.concatenate([t.ravel() for ts in kept for t in ts])
    results = ({} if case["cell"] else {"output": output}) | final
    gradients = {"input": d_x, "parameters": d_weights} | {f"{name}_0": plane for name, plane in d_first.items()}
    return results, gradients


def time_major(case, tensor, precision):
    """(L, N, features) in some precision."""
    array = tensor.detach().numpy().astype(precision)
    if case["batch"] is None:
        array = array[None] if case["cell"] else array[:, None]
    if case["cell"]:
        return array[None]
    return array.swapaxes(0, 1) if case["batch_first"] and case["batch"] is not None else array


def like(case, name, array):
    """A tensor of `run` in the shape that the formula has."""
    if name in ("input", "output"):
        return time_major(case, array, base.NUMPY[case["dtype"]])
    return array.numpy() if name == "parameters" else array.numpy().reshape(-1, case["batch"] or 1, array.shape[-1])


def by_parameter(made, flat):
    ends = np.cumsum([p.numel() for p in made.parameters()])
    return np.split(flat, ends[:-1])


def differences(case, made, tensors, others):
    """The largest difference of results, and of gradients each relative to its own largest value."""
    (results, gradients), (expected, expected_gradients) = tensors, others
    forwards = max(float(abs(like(case, n, t) - expected[n]).max()) for n, t in results.items())
    flat = (gradients["parameters"].numpy(), expected_gradients["parameters"])
    pairs = list(zip(*(by_parameter(made, parameters) for parameters in flat), strict=True))
    pairs += [(like(case, n, t), expected_gradients[n]) for n, t in gradients.items() if n != "parameters"]
    return forwards, max(relative(*pair) for pair in pairs)


def tame(case, index):
    """The case with a seed for which rounding, torch's and another, takes up a quarter of the tolerances at most."""
    dtype = case["dtype"]
    for attempt in range(100):
        case["seed"] = index + 1000 * attempt
        *tensors, arguments = run(case)
        found = [
            differences(case, arguments[0], tensors, by_formula(case, precision, *arguments))
            for precision in (base.HIGHER[dtype], base.NUMPY[dtype])
        ]
        if all(f <= FORWARD[dtype] / 4 and b <= BACKWARD[dtype] / 4 for f, b in found):
            results, gradients = tensors
            final = {name if case["cell"] or name == "output" else f"{name}_n": t for name, t in results.items()}
            case["fnv1a64"] = parameters_hash(arguments[0])
            return case, final | gradients, found[0]
    raise AssertionError(f"no fit seed: {case}")


# Parameters


def parameters_hash(made):
    return base.fnv1a64(b"".join(p.detach().numpy().tobytes() for p in made.parameters()))


# kind, cell, input_size, hidden_size, proj_size, num_layers, bidirectional, bias
SMALL = (
    ("lstm", False, 4, 3, 0, 1, False, True),
    ("gru", False, 4, 3, 0, 2, True, True),
    ("lstm", True, 3, 5, 0, 1, False, True),
    ("gru", True, 3, 5, 0, 1, False, True),
    ("lstm", False, 2, 4, 3, 2, True, True),
    ("lstm", False, 5, 2, 1, 3, False, False),
    ("gru", False, 1, 1, 0, 3, False, False),
    ("lstm", True, 1, 1, 0, 1, False, False),
    ("gru", True, 7, 2, 0, 1, False, False),
)
LARGE = (
    ("f32", 0, ("lstm", False, 64, 96, 0, 2, True, True)),
    ("f64", 1, ("lstm", False, 65, 65, 33, 3, True, True)),
    ("f32", -1, ("gru", False, 100, 128, 0, 2, True, True)),
    ("f64", 2**63 - 1, ("gru", False, 30, 111, 0, 3, False, False)),
    ("f32", 42, ("lstm", False, 11, 150, 149, 1, True, False)),
)


def parameters_case(dtype, seed, sizes):
    keys = ("kind", "cell", "input_size", "hidden_size", "proj_size", "num_layers", "bidirectional", "bias")
    return dict(zip(keys, sizes, strict=True)) | {"dtype": dtype, "seed": str(seed)}


def parameters_cases():
    pairs = zip(product(base.TORCH, base.SEEDS), cycle(SMALL))
    cases = [parameters_case(dtype, seed, sizes) for (dtype, seed), sizes in pairs]
    cases += [parameters_case(*large) for large in LARGE]
    for case in cases:
        torch.manual_seed(int(case["seed"]))
        made = module({"batch_first": False, "dropout": 0.0, **case})
        if case["hidden_size"] < 10:
            generator, bound = base.Generator(int(case["seed"])), 1 / math.sqrt(case["hidden_size"])
            for parameter in made.parameters():
                kind = base.NUMPY[case["dtype"]]
                base.agreed(parameter, generator.uniform(parameter.numel(), -bound, bound, kind))
        yield case | {"names": [name for name, _ in made.named_parameters()], "fnv1a64": parameters_hash(made)}


def network_cases():
    rng = Random(0)
    for i, options in enumerate((*choose(rng), *wide_options())):
        yield network_case(rng, options) | {"cell": False, "dropout_seed": 100 + i}


def cell_cases():
    rng = Random(1)
    flags = product(("lstm", "gru"), FLAGS, FLAGS, FLAGS, base.TORCH)
    for kind, bias, state, batched, dtype in flags:
        sizes = {"input_size": rng.randrange(1, 10), "hidden_size": rng.randrange(1, 19), "proj_size": 0}
        case = {"kind": kind, "cell": True, "bias": bias, "state": state, "d_state": True, "dtype": dtype}
        yield case | sizes | {"batch": rng.randrange(1, 6) if batched else None}


def main():
    base.prepare()
    torch.set_grad_enabled(True)
    # Of dropout with one layer, and of projections, which oneDNN does not have.
    warnings.simplefilter("ignore")
    groups, tensors = {}, {}
    for group, cases in (("networks", network_cases()), ("cells", cell_cases())):
        groups[group], largest = [], {}
        for i, options in enumerate(cases):
            case, of_case, (forwards, backwards) = tame(options, i)
            groups[group].append(case)
            tensors |= {f"{group}.{i}.{name}": tensor for name, tensor in of_case.items()}
            worst = largest.get(case["dtype"], (0, 0))
            largest[case["dtype"]] = (max(worst[0], forwards), max(worst[1], backwards))
        print(f"{len(groups[group])} {group}; largest difference from the higher precision:", largest)
    groups["parameters"] = list(parameters_cases())
    base.save("gated.safetensors", tensors, cases=groups)


if __name__ == "__main__":
    main()
