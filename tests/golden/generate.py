"""Writes the golden fixtures: what torch 2.15 computes and draws on the CPU.

Run from the root of the repository (x86-64 with AVX2, Python 3.11 or newer):

    python -m venv .venv && .venv/bin/pip install -r tests/golden/requirements.txt && .venv/bin/python tests/golden/generate.py

Running it twice writes the same bytes. The script also checks what it writes: outputs against
the recurrence in the next higher precision, random numbers against `Generator` below.

`T` stands for f32 or f64. Where a file has metadata it is one key, JSON text.

notebook.txt            what the notebook prints: blocks of `name [shape]` and the numbers as JSON.
                        Not written here, only checked.
notebook.safetensors    input, outputs, state and the four parameters, f32.

rnn.safetensors         {i}.output, {i}.h_n for every i of the metadata's `cases`. Parameters and
                        inputs are not stored; they follow from the seed, all in the case's dtype:
                        manual_seed(seed), the module, the input uniform in (-1, 1), then h_0
                        likewise if the case has one. batch is null for one sequence alone.
cell.safetensors        {i}.h, likewise, for RNNCell.

parameters.safetensors  {i}.{parameter} of RNN for every i of `cases`; a case with an `fnv1a64`
                        stores only that hash (hex) of all its parameters' little-endian bytes.
                        Seeds are decimal strings. Besides, drawn from seed 3:
                        linear.T.weight, linear.T.bias         Linear(7, 5)
                        xavier_uniform.T.RxC, xavier_normal.T.RxC

random.safetensors      each tensor from a fresh manual_seed(seed):
                        {seed}/uniform/T/{low}/{high}          40 values
                        {seed}/normal/T/{mean}/{std}/{n}
                        {seed}/bernoulli/T/{p}                 50 values, 0 or 1
                        {seed}/dropout/T/{p}                   of ones of shape (6, 5)
                        {seed}/randperm/{n}                    i64
                        {seed}/sequence/{name}/{step}          standard draws one after another from
                        one seed; the metadata's `sequences` lists each name's steps.
"""

import json
import math
import os
from fractions import Fraction
from itertools import cycle, product
from pathlib import Path
from random import Random

# These choose the same code path on every Intel machine. torch, MKL and its vector functions read them when they are loaded.
os.environ.update(ATEN_CPU_CAPABILITY="avx2", MKL_CBWR="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2")

import numpy as np
import torch
from safetensors.numpy import save as to_safetensors

HERE = Path(__file__).parent
TORCH = {"f32": torch.float32, "f64": torch.float64}
NUMPY = {"f32": np.float32, "f64": np.float64}
HIGHER = {"f32": np.float64, "f64": np.longdouble}


def save(file, tensors, **metadata):
    """Writes tensors or arrays. There is one metadata key at most, since several would have no fixed order."""
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    text = {key: json.dumps(value, separators=(",", ":")) for key, value in metadata.items()}
    data = to_safetensors(arrays, metadata=text or None)
    (HERE / file).write_bytes(data)
    print(f"{file}: {len(arrays)} tensors, {len(data)} bytes")


# Recurrent layers

LARGEST = {"input_size": 65, "hidden_size": 65, "seq_len": 40, "batch": 7}
EDGES = {
    "input_size": (1, 16, 64, 65),
    "hidden_size": (1, 15, 16, 17, 64, 65),
    "seq_len": (1, 40),
    "batch": (1, 7),
}
MAGNITUDE = 4.0  # the tolerances are absolute, so values stay of order one
TOLERANCE = {"f32": 1e-6, "f64": 1e-13}


def rnn_options():
    """Every combination of the options."""
    flags = (False, True)
    combinations = product(
        (1, 2, 3), flags, ("tanh", "relu"), flags, flags, flags, flags, TORCH
    )
    for layers, bidirectional, nonlinearity, bias, batch_first, h_0, batched, dtype in combinations:
        yield {
            "num_layers": layers,
            "nonlinearity": nonlinearity,
            "bias": bias,
            "batch_first": batch_first,
            "bidirectional": bidirectional,
            "dtype": dtype,
            "h_0": h_0,
            "batched": batched,
        }


def draw_size(rng, name):
    """A size from 1 to the largest, with both ends more often."""
    if rng.random() < 0.15:
        return EDGES[name][int(rng.random() * len(EDGES[name]))]
    return 1 + int(rng.random() * LARGEST[name])


def result_bytes(options, size):
    """The bytes of output and h_n."""
    batch = size["batch"] if options["batched"] else 1
    rows = batch * (1 + options["bidirectional"]) * (size["seq_len"] + options["num_layers"])
    return rows * size["hidden_size"] * NUMPY[options["dtype"]]().itemsize


def draw_case(rng, options, seed):
    """Adds sizes whose output and h_n fit a share of the file: small, now and then 64 or 65 wide."""
    size = {name: draw_size(rng, name) for name in LARGEST}
    share, changeable = 2500, ("seq_len", "batch", "hidden_size")
    if rng.random() < 0.1:
        size["hidden_size"] = 64 + int(2 * rng.random())
        share, changeable = 14000, ("seq_len", "batch")
    while result_bytes(options, size) > share:
        name = changeable[int(rng.random() * len(changeable))]
        size[name] = draw_size(rng, name)
    case = {
        "input_size": size["input_size"],
        "hidden_size": size["hidden_size"],
        **options,
        "seed": seed,
        "seq_len": size["seq_len"],
        "batch": size["batch"] if options["batched"] else None,
    }
    del case["batched"]
    return case


def uniform_input(shape, dtype):
    return torch.empty(shape, dtype=TORCH[dtype]).uniform_(-1, 1)


def rnn_module(case):
    return torch.nn.RNN(
        case["input_size"],
        case["hidden_size"],
        num_layers=case["num_layers"],
        nonlinearity=case["nonlinearity"],
        bias=case["bias"],
        batch_first=case["batch_first"],
        bidirectional=case["bidirectional"],
        dtype=TORCH[case["dtype"]],
    )


def rnn_shapes(case):
    """The shapes of input and h_0 as the module takes them."""
    rows = case["num_layers"] * (1 + case["bidirectional"])
    if case["batch"] is None:
        return (case["seq_len"], case["input_size"]), (rows, case["hidden_size"])
    leading = (case["seq_len"], case["batch"])
    if case["batch_first"]:
        leading = leading[::-1]
    return (*leading, case["input_size"]), (rows, case["batch"], case["hidden_size"])


def run_rnn(case):
    """The module, its input and h_0 from the seed, and its output and h_n."""
    torch.manual_seed(case["seed"])
    rnn = rnn_module(case)
    input_shape, h_0_shape = rnn_shapes(case)
    x = uniform_input(input_shape, case["dtype"])
    h_0 = uniform_input(h_0_shape, case["dtype"]) if case["h_0"] else None
    output, h_n = rnn(x, h_0)
    return rnn, x, h_0, output, h_n


def step(x, h, weights, nonlinearity):
    """act(x W_ih' + b_ih + h W_hh' + b_hh)"""
    weight_ih, weight_hh, *biases = weights
    total = x @ weight_ih.T + h @ weight_hh.T + sum(biases)
    return np.tanh(total) if nonlinearity == "tanh" else np.maximum(total, 0)


def direction_by_formula(x, h, weights, nonlinearity, reverse):
    """One direction of one layer over (L, N, features), and its final state."""
    output = [None] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        h = output[t] = step(x[t], h, weights, nonlinearity)
    return np.stack(output), h


def rnn_by_formula(case, rnn, x, h_0):
    """What the module computes, in the next higher precision."""
    higher = HIGHER[case["dtype"]]
    batched, swapped = x.dim() == 3, x.dim() == 3 and case["batch_first"]
    x = x.numpy().astype(higher)
    x = x.swapaxes(0, 1) if swapped else x if batched else x[:, None]
    weights = [[p.numpy().astype(higher) for p in group] for group in rnn.all_weights]
    states = np.zeros((len(weights), x.shape[1], case["hidden_size"]), higher)
    if h_0 is not None:
        states[:] = h_0.numpy().reshape(states.shape)
    directions = 1 + case["bidirectional"]
    h_n = []
    for layer in range(case["num_layers"]):
        outputs = []
        for reverse in range(directions):
            i = layer * directions + reverse
            output, final = direction_by_formula(x, states[i], weights[i], case["nonlinearity"], reverse)
            outputs.append(output)
            h_n.append(final)
        x = np.concatenate(outputs, axis=-1)
    h_n = np.stack(h_n)
    return (x.swapaxes(0, 1) if swapped else x if batched else x[:, 0]), (h_n if batched else h_n[:, 0])


def largest_difference(tensors, expected):
    return max(float(abs(a.numpy() - b).max()) for a, b in zip(tensors, expected, strict=True))


def tame_case(rng, options, index):
    """A case fit for absolute tolerances.

    relu may let values grow, or torch's own rounding take up the tolerance: then other sizes and
    another seed are tried.
    """
    for attempt in range(100):
        case = draw_case(rng, options, index + 1000 * attempt)
        rnn, x, h_0, *results = run_rnn(case)
        difference = largest_difference(results, rnn_by_formula(case, rnn, x, h_0))
        magnitude = max(float(r.abs().max()) for r in results)
        if magnitude <= MAGNITUDE and difference <= TOLERANCE[case["dtype"]] / 2:
            return case, results, difference
    raise AssertionError(f"no fit sizes: {options}")


def note_difference(differences, case, difference):
    """Keeps the largest difference by nonlinearity and type."""
    key = f"{case['nonlinearity']} {case['dtype']}"
    differences[key] = max(differences.get(key, 0.0), difference)


def write_rnn():
    rng = Random(0)
    tensors, cases, differences = {}, [], {}
    for i, options in enumerate(rnn_options()):
        case, (output, h_n), difference = tame_case(rng, options, i)
        note_difference(differences, case, difference)
        cases.append(case)
        tensors |= {f"{i}.output": output, f"{i}.h_n": h_n}
    save("rnn.safetensors", tensors, cases=cases)
    print("  largest difference from the higher precision:", differences)
    print("  largest value:", max(float(t.abs().max()) for t in tensors.values()))


def cell_cases():
    rng = Random(0)
    flags = (False, True)
    combinations = product(("tanh", "relu"), flags, flags, flags, TORCH)
    for seed, (nonlinearity, bias, h_0, batched, dtype) in enumerate(combinations):
        size = {name: draw_size(rng, name) for name in LARGEST}
        yield {
            "input_size": size["input_size"],
            "hidden_size": size["hidden_size"],
            "nonlinearity": nonlinearity,
            "bias": bias,
            "dtype": dtype,
            "h_0": h_0,
            "seed": seed,
            "batch": size["batch"] if batched else None,
        }


def run_cell(case):
    """The next state, and its difference from the formula."""
    dtype, hidden = case["dtype"], case["hidden_size"]
    torch.manual_seed(case["seed"])
    cell = torch.nn.RNNCell(
        case["input_size"], hidden, case["bias"], case["nonlinearity"], dtype=TORCH[dtype]
    )
    batch = () if case["batch"] is None else (case["batch"],)
    x = uniform_input((*batch, case["input_size"]), dtype)
    h_0 = uniform_input((*batch, hidden), dtype) if case["h_0"] else torch.zeros(hidden)
    h = cell(x, h_0 if case["h_0"] else None)
    x, h_0, *weights = (t.numpy().astype(HIGHER[dtype]) for t in (x, h_0, *cell.parameters()))
    return h, largest_difference([h], [step(x, h_0, weights, case["nonlinearity"])])


def write_cell():
    tensors, cases, differences = {}, [], {}
    for i, case in enumerate(cell_cases()):
        tensors[f"{i}.h"], difference = run_cell(case)
        assert difference <= TOLERANCE[case["dtype"]] / 2, case
        note_difference(differences, case, difference)
        cases.append(case)
    save("cell.safetensors", tensors, cases=cases)
    print("  largest difference from the higher precision:", differences)


# The notebook


def read_notebook():
    """The printed tensors by name."""
    printed = {}
    for block in (HERE / "notebook.txt").read_text().split("\n\n"):
        title, numbers = block.split("\n", 1)
        name, shape = title.split(" ", 1)
        printed[name] = torch.tensor(json.loads(numbers), dtype=torch.float64)
        assert list(printed[name].shape) == json.loads(shape)
    return printed


def write_notebook():
    h, e, l, o = torch.eye(4)
    x = torch.stack([torch.stack(word) for word in ((h, e, l, l, o), (e, o, l, l, l), (l, l, e, e, l))])
    torch.manual_seed(0)
    rnn = torch.nn.RNN(4, 2)
    outputs, state = rnn(x)
    tensors = {"input": x, "outputs": outputs, "state": state, **rnn.state_dict()}
    for name, printed in read_notebook().items():
        assert torch.equal(tensors[name].double().round(decimals=4), printed), name
    save("notebook.safetensors", tensors)


# Random numbers


def fused_multiply_add(a, b, c, dtype):
    """a * b + c, rounded once."""
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    nearest = dtype(float(exact))
    candidates = (nearest, np.nextafter(nearest, dtype(-np.inf)), np.nextafter(nearest, dtype(np.inf)))
    return min(candidates, key=lambda value: abs(Fraction(float(value)) - exact))


class Generator:
    """torch's CPU generator and distributions, from the words of MT19937."""

    def __init__(self, seed):
        self.words = np.random.RandomState(seed & 0xFFFFFFFF)
        self.cached_normal = None

    def r32(self):
        return int(self.words.randint(0, 1 << 32, dtype=np.uint32))

    def r64(self):
        high = self.r32()
        return high << 32 | self.r32()

    def unit(self, dtype=np.float64):
        """Uniform in [0, 1) with all the bits of the type's significand."""
        if dtype == np.float32:
            return dtype((self.r32() & (1 << 24) - 1) * 2.0**-24)
        return dtype((self.r64() & (1 << 53) - 1) * 2.0**-53)

    def uniform(self, n, low, high, dtype):
        low, high = dtype(low), dtype(high)
        values = [fused_multiply_add(self.unit(dtype), high - low, low, dtype) for _ in range(n)]
        return np.array(values, dtype)

    def normal(self, n, mean, std, dtype):
        if n >= 16:
            return self.normal_blocks(n, mean, std, dtype)
        values = [self.standard_normal() for _ in range(n)]
        return np.array([fused_multiply_add(v, std, mean, np.float64) for v in values]).astype(dtype)

    def standard_normal(self):
        """Box-Muller in f64; the second of each pair is kept for the next draw of either type."""
        if self.cached_normal is not None:
            value, self.cached_normal = self.cached_normal, None
            return value
        theta, radius = 2 * math.pi * self.unit(), math.sqrt(-2 * math.log1p(-self.unit()))
        self.cached_normal = radius * math.sin(theta)
        return radius * math.cos(theta)

    def normal_blocks(self, n, mean, std, dtype):
        """Sixteen uniform values become sixteen normal ones, every step in the type. If values are left, the last sixteen are drawn again."""
        values = np.array([self.unit(dtype) for _ in range(n)], dtype)
        for start in range(0, n - 15, 16):
            self.box_muller(values[start : start + 16], mean, std, dtype)
        if n % 16 != 0:
            values[-16:] = [self.unit(dtype) for _ in range(16)]
            self.box_muller(values[-16:], mean, std, dtype)
        return values

    @staticmethod
    def box_muller(block, mean, std, dtype):
        radius = np.sqrt(dtype(-2) * np.log(dtype(1) - block[:8]))
        theta = dtype(2 * math.pi) * block[8:]
        normals = np.concatenate([radius * np.cos(theta), radius * np.sin(theta)])
        block[:] = [fused_multiply_add(v, dtype(std), dtype(mean), dtype) for v in normals]

    def bernoulli(self, n, p, dtype):
        return np.array([self.unit() < p for _ in range(n)]).astype(dtype)

    def dropout_of_ones(self, n, p, dtype):
        return self.bernoulli(n, 1 - p, dtype) * (dtype(1) / dtype(1 - p))

    def randperm(self, n):
        values = list(range(n))
        for i in range(n - 1):
            j = i + self.r32() % (n - i)
            values[i], values[j] = values[j], values[i]
        return np.array(values)


def agreed(drawn, expected, tolerance=0.0):
    """What torch drew, after checking it against the recipe."""
    drawn = drawn.detach().numpy()
    assert drawn.size == expected.size and abs(drawn.ravel() - expected).max() <= tolerance
    return drawn


# torch's logarithm, sine and cosine differ from numpy's.
NORMAL_TOLERANCE = {"f32": 1e-6, "f64": 2e-15}


def uniform(generator, dtype, n, low=0.0, high=1.0):
    drawn = torch.empty(n, dtype=TORCH[dtype]).uniform_(low, high)
    return agreed(drawn, generator.uniform(n, low, high, NUMPY[dtype]))


def normal(generator, dtype, n, mean=0.0, std=1.0):
    drawn = torch.empty(n, dtype=TORCH[dtype]).normal_(mean, std)
    return agreed(drawn, generator.normal(n, mean, std, NUMPY[dtype]), NORMAL_TOLERANCE[dtype])


def bernoulli(generator, dtype, n, p):
    drawn = torch.empty(n, dtype=TORCH[dtype]).bernoulli_(p)
    return agreed(drawn, generator.bernoulli(n, p, NUMPY[dtype]))


def dropout(generator, dtype, p):
    ones = torch.ones(6, 5, dtype=TORCH[dtype])
    drawn = torch.nn.functional.dropout(ones, p, training=True)
    return agreed(drawn, generator.dropout_of_ones(ones.numel(), p, NUMPY[dtype]))


def fresh(seed):
    """Seeds torch and the generator that checks it."""
    torch.manual_seed(seed)
    return Generator(seed)


UNIFORM_BOUNDS = ((-1, 1), (0, 1), (-0.3, 2.5))
NORMAL_SIZES = (1, 2, 5, 15, 16, 17, 31, 32, 40)
NORMAL_MOMENTS = ((0, 1), (1.5, 0.25), (-0.2, 0.3))  # only the last shows whether the product is fused
SEQUENCES = {
    "cached_f32": (("normal", "f32", 3), ("normal", "f32", 3), ("uniform", "f32", 4), ("normal", "f32", 2)),
    "cached_f64": (("normal", "f64", 3), ("normal", "f64", 3), ("uniform", "f64", 4), ("normal", "f64", 2)),
    "kept_f32": (("normal", "f32", 3), ("normal", "f32", 17), ("uniform", "f32", 4), ("normal", "f32", 2)),
    "kept_f64": (("normal", "f64", 3), ("normal", "f64", 17), ("uniform", "f64", 4), ("normal", "f64", 2)),
    "shared": (("normal", "f32", 1), ("normal", "f64", 3), ("uniform", "f64", 1), ("normal", "f32", 2)),
}


def random_tensors(seed):
    for dtype in TORCH:
        for low, high in UNIFORM_BOUNDS:
            yield f"uniform/{dtype}/{low}/{high}", uniform(fresh(seed), dtype, 40, low, high)
        for (mean, std), n in product(NORMAL_MOMENTS, NORMAL_SIZES):
            yield f"normal/{dtype}/{mean}/{std}/{n}", normal(fresh(seed), dtype, n, mean, std)
        for p in (0.5, 0.25, 0.3):
            yield f"dropout/{dtype}/{p}", dropout(fresh(seed), dtype, p)
    yield "bernoulli/f32/0.3", bernoulli(fresh(seed), "f32", 50, 0.3)
    for n in (1, 2, 10, 100):
        generator = fresh(seed)
        yield f"randperm/{n}", agreed(torch.randperm(n), generator.randperm(n))
    yield from sequence_tensors(seed)


def sequence_tensors(seed):
    draws = {"normal": normal, "uniform": uniform}
    for name, steps in SEQUENCES.items():
        generator = fresh(seed)
        for i, (draw, dtype, n) in enumerate(steps):
            yield f"sequence/{name}/{i}", draws[draw](generator, dtype, n)


def write_random():
    tensors = {f"{seed}/{name}": t for seed in (0, 7, -1) for name, t in random_tensors(seed)}
    steps = {
        name: [{"draw": draw, "dtype": dtype, "n": n} for draw, dtype, n in sequence]
        for name, sequence in SEQUENCES.items()
    }
    save("random.safetensors", tensors, sequences=steps)


# Parameters

SEEDS = (
    *(0, 1, 42, 123456789, 2**31, 2**32 - 1, 2**32, 2**32 + 5),
    *(2**63 - 1, 2**64 - 1, -1, -7, -(2**63)),
)
# input_size, hidden_size, num_layers, bidirectional, bias
SMALL = (
    (4, 2, 1, False, True),
    (1, 1, 1, False, True),
    (3, 5, 2, False, True),
    (2, 3, 1, True, True),
    (5, 4, 1, False, False),
    (2, 3, 2, True, False),
    (7, 3, 3, False, True),
    (3, 2, 3, True, True),
    (9, 8, 1, False, True),
    (65, 2, 1, False, False),
    (6, 7, 1, True, False),
)
LARGE = (
    ("f32", 0, (64, 128, 1, False, True)),
    ("f64", 1, (65, 65, 3, True, True)),
    ("f32", -1, (128, 256, 2, True, False)),
    ("f64", 2**63 - 1, (100, 300, 3, False, True)),
    ("f32", 42, (300, 512, 3, True, True)),
    ("f64", 2**32 + 5, (1, 511, 2, False, True)),
)


def parameters_case(dtype, seed, sizes):
    names = ("input_size", "hidden_size", "num_layers", "bidirectional", "bias")
    return dict(zip(names, sizes, strict=True)) | {"dtype": dtype, "seed": str(seed)}


def draw_parameters(case):
    """The named parameters of the case's module."""
    torch.manual_seed(int(case["seed"]))
    return dict(rnn_module({"nonlinearity": "tanh", "batch_first": False, **case}).named_parameters())


def agreed_parameters(case):
    generator = Generator(int(case["seed"]))
    bound = 1 / math.sqrt(case["hidden_size"])
    return {
        name: agreed(p, generator.uniform(p.numel(), -bound, bound, NUMPY[case["dtype"]]))
        for name, p in draw_parameters(case).items()
    }


def fnv1a64(data):
    """The 64-bit FNV-1a hash, in hexadecimal."""
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"


def hashed_case(case):
    data = b"".join(p.numpy().tobytes() for p in draw_parameters(case).values())
    return case | {"fnv1a64": fnv1a64(data)}


def linear_tensors(dtype):
    generator, kind = fresh(3), NUMPY[dtype]
    linear = torch.nn.Linear(7, 5, dtype=TORCH[dtype])
    bound = math.sqrt(3) * (math.sqrt(2 / (1 + 5)) / math.sqrt(7))
    yield f"linear.{dtype}.weight", agreed(linear.weight, generator.uniform(35, -bound, bound, kind))
    bound = 1 / math.sqrt(7)
    yield f"linear.{dtype}.bias", agreed(linear.bias, generator.uniform(5, -bound, bound, kind))


def xavier_tensors(dtype, rows, columns):
    n, std = rows * columns, math.sqrt(2 / (rows + columns))
    weight = torch.empty(rows, columns, dtype=TORCH[dtype])
    generator, bound = fresh(3), math.sqrt(3) * std
    drawn = torch.nn.init.xavier_uniform_(weight.clone())
    expected = generator.uniform(n, -bound, bound, NUMPY[dtype])
    yield f"xavier_uniform.{dtype}.{rows}x{columns}", agreed(drawn, expected)
    generator = fresh(3)
    drawn = torch.nn.init.xavier_normal_(weight.clone())
    expected = generator.normal(n, 0.0, std, NUMPY[dtype])
    yield f"xavier_normal.{dtype}.{rows}x{columns}", agreed(drawn, expected, NORMAL_TOLERANCE[dtype])


def write_parameters():
    pairs = zip(product(TORCH, SEEDS), cycle(SMALL))
    cases = [parameters_case(dtype, seed, sizes) for (dtype, seed), sizes in pairs]
    tensors = {
        f"{i}.{name}": parameter
        for i, case in enumerate(cases)
        for name, parameter in agreed_parameters(case).items()
    }
    cases += [hashed_case(parameters_case(*large)) for large in LARGE]
    for dtype in TORCH:
        tensors |= linear_tensors(dtype)
        for rows, columns in ((5, 7), (3, 3)):
            tensors |= xavier_tensors(dtype, rows, columns)
    save("parameters.safetensors", tensors, cases=cases)


def prepare():
    """Settings that give the same results everywhere."""
    assert torch.__version__.startswith("2.15."), torch.__version__
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)


def main():
    prepare()
    write_notebook()
    write_rnn()
    write_cell()
    write_parameters()
    write_random()


if __name__ == "__main__":
    main()
