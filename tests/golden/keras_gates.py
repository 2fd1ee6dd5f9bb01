"""Writes keras_gates.safetensors: outputs, states and gradients of Keras 3.15's LSTM and GRU on TensorFlow.

Run from the root of the repository, in the environment of simple_rnn.py:

    .venv-keras/bin/python tests/golden/keras_gates.py

Running it twice writes the same bytes. The metadata's one key, `cases`, is a list; for every i of it the tensor {i} holds
the results of case i, as keras_layers.py runs it.
"""

from itertools import combinations, product

from keras_fixtures import save
from keras_layers import FLAGS, MASKS, run
from simple_rnn import ACTIVATIONS

KINDS = ({"class": "LSTM"}, {"class": "GRU", "reset_after": True}, {"class": "GRU", "reset_after": False})
RATES = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.3), (0.25, 0.6), (1.0, 0.5), (0.4, 1.0), (1.0, 0.0))
SIZES = {"batch": 4, "len": 5, "input_dim": 3, "units": 2}

# The options of a layer; every pair of values of two of them is in some case of each kind.
OPTIONS = {
    "activation": ACTIVATIONS, "recurrent_activation": ACTIVATIONS, "rates": RATES, "mask": MASKS,
    "use_bias": FLAGS, "go_backwards": FLAGS, "zero_output_for_mask": FLAGS, "initial_state": FLAGS,
    "return_sequences": FLAGS, "dtype": ("f32", "f64"),
}  # fmt: skip


def pairwise():
    """Rows that hold every pair: a row for each pair of activations, whose other values cover the most pairs that are left."""
    names = list(OPTIONS)
    left = {
        frozenset([(a, x), (b, y)]) for a, b in combinations(names, 2) for x, y in product(OPTIONS[a], OPTIONS[b])
    }
    left.discard(frozenset([("mask", "none"), ("zero_output_for_mask", True)]))
    for i, (first, second) in enumerate(product(ACTIVATIONS, ACTIVATIONS)):
        row = {"activation": first, "recurrent_activation": second}
        for name in names[2:]:
            values = OPTIONS[name][i % len(OPTIONS[name]) :] + OPTIONS[name][: i % len(OPTIONS[name])]
            if name == "zero_output_for_mask" and row["mask"] == "none":
                values = (False,)
            new = lambda value: sum(frozenset([(name, value), pair]) in left for pair in row.items())
            row[name] = max(values, key=new)
        left -= {frozenset(pair) for pair in combinations(row.items(), 2)}
        yield row
    assert not left, left


def layers():
    for kind, row in product(KINDS, pairwise()):
        row = dict(row)
        row["dropout"], row["recurrent_dropout"] = row.pop("rates")
        yield {"kind": "layer", **kind, **row, **SIZES}


def larger():
    """Sizes on both sides of what vectors hold."""
    for i, (kind, (input_dim, units)) in enumerate(product(KINDS, ((9, 17), (18, 7)))):
        yield {
            "kind": "layer", **kind, "mask": MASKS[i % 3], "initial_state": i % 2 == 0, "return_sequences": i > 2,
            "dtype": "f32", "dropout": 0.25, "recurrent_dropout": 0.5 * (i % 2), "batch": 4, "len": 3,
            "input_dim": input_dim, "units": units,
        }  # fmt: skip


def stateful():
    for i, (kind, mask, initial) in enumerate(product(KINDS, MASKS, FLAGS)):
        yield {
            "kind": "stateful", **kind, "go_backwards": i % 2 == 0, "mask": mask, "initial_state": initial,
            "return_sequences": mask != "holes", "dtype": ("f32", "f64")[i // 2 % 2], **SIZES,
        }  # fmt: skip


def bidirectional():
    """The dropout of both layers draws from one seed: Keras's description of an LSTM or GRU holds it."""
    merges = ("concat", "sum", "mul", "ave", None)
    for i, (kind, merge, sequences, mask) in enumerate(product(KINDS, merges, FLAGS, MASKS)):
        rates = RATES[i % 4]
        yield {
            "kind": "bidirectional", **kind, "merge_mode": merge, "mask": mask, "initial_state": i % 5 < 2,
            "zero_output_for_mask": mask == "leading", "return_sequences": sequences, "dropout": rates[0],
            "recurrent_dropout": rates[1], "dtype": ("f32", "f64")[i % 2], **SIZES,
        }  # fmt: skip


STACK = (
    {"class": "LSTM", "units": 5},
    {"class": "GRU", "units": 3, "directions": 2},
    {"class": "SimpleRNN", "units": 4},
    {"class": "GRU", "units": 2, "reset_after": False},
)


def stacked():
    for sequences, mask, dtype in product(FLAGS, MASKS, ("f32", "f64")):
        yield {
            "kind": "stacked", "mask": mask, "return_sequences": sequences, "dtype": dtype,
            "batch": 4, "len": 5, "input_dim": 3,
        }  # fmt: skip


def main():
    cases = [*layers(), *larger(), *stateful(), *bidirectional(), *stacked()]
    save("keras_gates.safetensors", run(cases, STACK), cases)


if __name__ == "__main__":
    main()
