"""Writes packed.safetensors: how torch 2.15 packs and pads, and what its RNN makes of packed batches.

Run as generate.py, whose scheme of seeds and cases it follows; running it twice writes the same
bytes. It checks what it writes: packings against their definition, outputs against each sequence
run alone in the next higher precision.

The metadata is one key, JSON text, an object of two lists of cases.

packing     {i} counts the cases of `packing`. Stored are
            packing.{i}.input             padded on the right; NaN wherever the padding is
            packing.{i}.data, packing.{i}.batch_sizes, and but for enforce_sorted
            packing.{i}.sorted_indices, packing.{i}.unsorted_indices
            packing.{i}.padded            with the case's padding_value, padding_side and
                                          total_length (null: the greatest length)
            batch_first speaks of input and padded alike. The input may be longer than the longest
            sequence. Case by case the packing comes of pack_padded_sequence or pack_sequence,
            which agree; left padding comes of pad_sequence.

rnn         {i} counts the cases of `rnn`. Stored are
            rnn.{i}.data                  the packed output's data
            rnn.{i}.h_n                   in the caller's order
            All else follows from the seed, in the case's dtype: manual_seed(seed), the module, the
            padded input (greatest length, N, input_size) uniform in (-1, 1), then h_0 likewise, in
            the caller's order, if the case has one. Packed with the case's lengths and
            enforce_sorted.
"""

from itertools import product
from random import Random

# Imported first, since it fixes torch's code path before torch is loaded.
import generate as base
import torch
from torch.nn.utils import rnn as utils

INDICES = ("batch_sizes", "sorted_indices", "unsorted_indices")


def draw_lengths(rng, batch, longest, ties, ordered):
    """Lengths up to the longest, which one sequence has. Without ties they differ, with ties two agree."""
    while True:
        lengths = [1 + int(rng.random() * longest) for _ in range(batch)]
        lengths[int(rng.random() * batch)] = longest
        if ordered:
            lengths.sort(reverse=True)
        unsorted = batch == 1 or lengths != sorted(lengths, reverse=True)
        if (ordered or unsorted) and (len(set(lengths)) < batch) == ties:
            return lengths


def check_packing(packed, lengths):
    """Up to 16 sequences torch's sort is stable; order.py has more."""
    order = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    if packed.sorted_indices is not None:
        assert packed.sorted_indices.tolist() == order
        assert packed.unsorted_indices.tolist() == [order.index(n) for n in range(len(lengths))]
    sizes = [sum(length > t for length in lengths) for t in range(max(lengths))]
    assert packed.batch_sizes.tolist() == sizes


# Packing and padding


def packing_options():
    """Kinds of lengths, each padded four ways."""
    kinds = {
        "sorted": [5, 3, 2, 1],
        "unsorted": [2, 5, 1, 3],
        "ties": [2, 4, 2, 1, 4, 2],
        "sorted ties": [4, 4, 2, 2, 2, 1],
        "ascending": [1, 2, 3],
        "equal": [3, 3, 3],
        "single": [4],
        "single step": [1, 1],
        "sixteen": [3, 1, 4, 1, 5, 2, 6, 5, 3, 5, 2, 1, 6, 3, 2, 3],
    }
    paddings = (
        {"batch_first": False, "padding_side": "right", "total_length": None, "padding_value": 0.0},
        {"batch_first": True, "padding_side": "right", "total_length": 7, "padding_value": -1.5},
        {"batch_first": False, "padding_side": "left", "total_length": None, "padding_value": 2.25},
        {"batch_first": True, "padding_side": "left", "total_length": None, "padding_value": 0.0},
    )
    flags = (False, True)
    for (kind, lengths), padding, enforce_sorted in product(kinds.items(), paddings, flags):
        if not enforce_sorted or lengths == sorted(lengths, reverse=True):
            yield {"kind": kind, "lengths": lengths, "enforce_sorted": enforce_sorted, **padding}


def padded_input(case, longer):
    """Values from the generator, with NaN after each sequence and for some steps more."""
    lengths, batch_first = case["lengths"], case["batch_first"]
    shape = (max(lengths) + longer, len(lengths), case["features"])
    x = base.uniform_input(shape, case["dtype"])
    for n, length in enumerate(lengths):
        x[length:, n] = torch.nan
    return x.transpose(0, 1).contiguous() if batch_first else x


def pack(case, x):
    lengths, ordered = case["lengths"], case["enforce_sorted"]
    packed = utils.pack_padded_sequence(x, torch.tensor(lengths), case["batch_first"], ordered)
    # A copy: unpad_sequence modifies what it is given.
    sequences = utils.unpad_sequence(x.clone(), torch.tensor(lengths), case["batch_first"])
    alike = utils.pack_sequence(sequences, ordered)
    for a, b in zip(packed, alike, strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    return packed


def pad(case, packed):
    value, batch_first = case["padding_value"], case["batch_first"]
    if case["padding_side"] == "left":
        return utils.pad_sequence(utils.unpack_sequence(packed), batch_first, value, "left")
    total_length = case["total_length"]
    padded, lengths = utils.pad_packed_sequence(packed, batch_first, value, total_length)
    assert lengths.tolist() == case["lengths"]
    return padded


def packing_tensors():
    """Every case with its tensors."""
    for i, options in enumerate(packing_options()):
        dtype = ("f32", "f64")[(i + i // 2) % 2]
        case = {"dtype": dtype, "features": i % 3 + 1, **options}
        torch.manual_seed(i)
        x = padded_input(case, longer=i % 4 // 2)
        packed = pack(case, x)
        check_packing(packed, case["lengths"])
        tensors = {"input": x, "data": packed.data, "padded": pad(case, packed)}
        indices = {name: getattr(packed, name) for name in INDICES}
        yield case, tensors | {name: t for name, t in indices.items() if t is not None}


# The RNN

SIZES = {"input_size": 9, "hidden_size": 9, "batch": 6, "longest": 8}


def rnn_options():
    """Every combination of the options."""
    flags = (False, True)
    combinations = product((1, 2, 3), flags, ("tanh", "relu"), flags, flags, flags, base.TORCH)
    for layers, bidirectional, nonlinearity, h_0, ordered, ties, dtype in combinations:
        yield {
            "num_layers": layers,
            "nonlinearity": nonlinearity,
            "bidirectional": bidirectional,
            "dtype": dtype,
            "h_0": h_0,
            "enforce_sorted": ordered,
        }, ties


def draw_case(rng, options, ties, seed):
    """Adds sizes, now and then wider than a vector, whose results fit a share of the file."""
    while True:
        size = {name: 1 + int(rng.random() * largest) for name, largest in SIZES.items()}
        if rng.random() < 0.1:
            size["hidden_size"] = 15 + int(3 * rng.random())
        batch, longest = size.pop("batch"), size.pop("longest")
        # As many different lengths as there are sequences, or two equal ones and another order.
        if not (3 <= batch if ties else 2 <= batch <= longest) or longest < 2:
            continue
        lengths = draw_lengths(rng, batch, longest, ties, options["enforce_sorted"])
        width = (1 + options["bidirectional"]) * size["hidden_size"]
        rows = sum(lengths) + options["num_layers"] * batch
        if rows * width * base.NUMPY[options["dtype"]]().itemsize <= 950:
            bias = rng.random() < 0.8
            return {**size, **options, "bias": bias, "seed": seed, "lengths": lengths}


def run_rnn(case):
    """The module, its padded input and h_0 from the seed, and its packed output and h_n."""
    torch.manual_seed(case["seed"])
    lengths, batch = case["lengths"], len(case["lengths"])
    module = base.rnn_module({"batch_first": False, **case})
    x = base.uniform_input((max(lengths), batch, case["input_size"]), case["dtype"])
    states = case["num_layers"] * (1 + case["bidirectional"])
    shape = (states, batch, case["hidden_size"])
    h_0 = base.uniform_input(shape, case["dtype"]) if case["h_0"] else None
    packed = utils.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=case["enforce_sorted"])
    check_packing(packed, lengths)
    output, h_n = module(packed, h_0)
    return module, x, h_0, output, h_n


def difference_alone(case, module, x, h_0, output, h_n):
    """The largest difference from each sequence run alone in the next higher precision."""
    worst = 0.0
    case = {"batch_first": False, **case}
    for n, sequence in enumerate(utils.unpack_sequence(output)):
        first = None if h_0 is None else h_0[:, n]
        alone = base.rnn_by_formula(case, module, x[: case["lengths"][n], n], first)
        worst = max(worst, base.largest_difference((sequence, h_n[:, n]), alone))
    return worst


def tame_case(rng, options, ties, index):
    """As generate.py's: other sizes and another seed where relu grows or torch rounds too much."""
    for attempt in range(100):
        case = draw_case(rng, options, ties, index + 1000 * attempt)
        module, x, h_0, output, h_n = run_rnn(case)
        difference = difference_alone(case, module, x, h_0, output, h_n)
        magnitude = max(float(t.abs().max()) for t in (output.data, h_n))
        if magnitude <= base.MAGNITUDE and difference <= base.TOLERANCE[case["dtype"]] / 2:
            return case, {"data": output.data, "h_n": h_n}, difference
    raise AssertionError(f"no fit sizes: {options}")


def rnn_tensors(differences):
    """Every case with its tensors."""
    rng = Random(0)
    for i, (options, ties) in enumerate(rnn_options()):
        case, tensors, difference = tame_case(rng, options, ties, i)
        base.note_difference(differences, case, difference)
        yield case, tensors


def main():
    base.prepare()
    differences = {}
    groups = {"packing": list(packing_tensors()), "rnn": list(rnn_tensors(differences))}
    tensors = {
        f"{group}.{i}.{name}": tensor
        for group, cases in groups.items()
        for i, (_, of_case) in enumerate(cases)
        for name, tensor in of_case.items()
    }
    cases = {group: [case for case, _ in cases] for group, cases in groups.items()}
    base.save("packed.safetensors", tensors, cases=cases)
    print({group: len(cases) for group, cases in cases.items()}, "cases")
    print("  largest difference from the higher precision:", differences)


if __name__ == "__main__":
    main()
