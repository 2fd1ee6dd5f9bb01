"""Writes simple_rnn.safetensors: outputs, states and gradients of Keras 3.15's SimpleRNN on TensorFlow.

Run from the root of the repository:

    python -m venv .venv-keras && .venv-keras/bin/pip install -r tests/golden/requirements-keras.txt
    .venv-keras/bin/python tests/golden/simple_rnn.py

Running it twice writes the same bytes. The metadata's one key, `cases`, is a list; for every i of it the tensor {i} holds
the results of case i, as keras_layers.py runs it.
"""

from itertools import product

from keras_fixtures import save
from keras_layers import FLAGS, MASKS, run

ACTIVATIONS = (
    "tanh", "relu", "sigmoid", "linear", "hard_sigmoid", "elu", "selu", "softsign", "softplus", "gelu", "silu",
)  # fmt: skip


def layers():
    """Every combination of the options; zero_output_for_mask only where there is a mask."""
    combinations = product(ACTIVATIONS, FLAGS, FLAGS, MASKS, FLAGS, FLAGS)
    for i, (activation, bias, backwards, mask, zero, initial) in enumerate(combinations):
        if mask == "none" and zero:
            continue
        yield {
            "kind": "layer", "activation": activation, "use_bias": bias, "go_backwards": backwards, "mask": mask,
            "zero_output_for_mask": zero, "initial_state": initial, "return_sequences": (i // 2 + i // 7) % 2 == 0,
            "dtype": "f64" if i % 3 == 0 else "f32", "dropout": 0.0, "recurrent_dropout": 0.0,
            "batch": 4, "len": 5, "input_dim": 3, "units": 2,
        }  # fmt: skip


def dropped():
    for activation, rates, mask, dtype in product(
        ("tanh", "gelu"), ((0.5, 0.0), (0.0, 0.3), (0.25, 0.6), (1.0, 0.5), (0.4, 1.0)), MASKS, ("f32", "f64")
    ):
        yield {
            "kind": "layer", "activation": activation, "use_bias": True, "go_backwards": mask == "leading",
            "mask": mask, "zero_output_for_mask": False, "initial_state": mask != "holes",
            "return_sequences": rates[0] != 0.5, "dtype": dtype, "dropout": rates[0],
            "recurrent_dropout": rates[1], "batch": 4, "len": 5, "input_dim": 6, "units": 7,
        }  # fmt: skip


def larger():
    """Sizes on both sides of what vectors and tiles hold."""
    for i, (input_dim, units) in enumerate(((17, 33), (8, 64), (40, 16), (5, 130))):
        yield {
            "kind": "layer", "activation": ACTIVATIONS[i * 3], "use_bias": True, "go_backwards": i % 2 == 1,
            "mask": MASKS[i % 3], "zero_output_for_mask": False, "initial_state": i > 1, "return_sequences": i == 2,
            "dtype": "f32", "dropout": 0.0, "recurrent_dropout": 0.0,
            "batch": 4, "len": 3, "input_dim": input_dim, "units": units,
        }  # fmt: skip


def stateful():
    for backwards, mask, initial, dtype in product(FLAGS, MASKS, FLAGS, ("f32", "f64")):
        yield {
            "kind": "stateful", "activation": "tanh", "use_bias": True, "go_backwards": backwards, "mask": mask,
            "zero_output_for_mask": False, "initial_state": initial, "return_sequences": mask != "holes",
            "dtype": dtype, "batch": 4, "len": 5, "input_dim": 3, "units": 2,
        }  # fmt: skip


def bidirectional():
    for merge, sequences, mask, initial, dtype in product(
        ("concat", "sum", "mul", "ave", None), FLAGS, MASKS, FLAGS, ("f32", "f64")
    ):
        yield {
            "kind": "bidirectional", "activation": "tanh", "use_bias": True, "merge_mode": merge, "mask": mask,
            "zero_output_for_mask": mask == "leading", "initial_state": initial, "return_sequences": sequences,
            "dtype": dtype, "batch": 4, "len": 5, "input_dim": 3, "units": 2,
        }  # fmt: skip


STACK = (
    {"units": 5, "activation": "relu"},
    {"units": 3, "activation": "tanh", "directions": 2},
    {"units": 2, "activation": "sigmoid"},
)


def stacked():
    for sequences, mask, dtype in product(FLAGS, MASKS, ("f32", "f64")):
        yield {
            "kind": "stacked", "mask": mask, "return_sequences": sequences, "dtype": dtype,
            "batch": 4, "len": 5, "input_dim": 3,
        }  # fmt: skip


def main():
    cases = [*layers(), *dropped(), *larger(), *stateful(), *bidirectional(), *stacked()]
    save("simple_rnn.safetensors", run(cases, STACK), cases)


if __name__ == "__main__":
    main()
