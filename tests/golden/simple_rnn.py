"""Writes simple_rnn.safetensors: outputs, states and gradients of Keras 3.15's SimpleRNN on TensorFlow.

Run from the root of the repository:

    python -m venv .venv-keras && .venv-keras/bin/pip install -r tests/golden/requirements-keras.txt
    .venv-keras/bin/python tests/golden/simple_rnn.py

Running it twice writes the same bytes. The metadata's one key, `cases`, is a list; for every i of it the tensor {i}
holds, flat and one after another, of a layer
    output, state, and the gradients of kernel, recurrent kernel, bias (if any), input, initial state (if any),
of a stateful layer (`kind` "stateful") the output and state of each batch, of a Bidirectional
    output (both if not merged), two states, and the gradients of the weights and of the input,
of `stacked` layers (STACK) the output, and the gradients of the weights and of the input.

Arguments are not stored. All are `Numbers(i, dtype)` (keras_fixtures.py), in this order: weights; input (N, T, I);
initial states if there are any; the cotangents of the output (both) and of the states. The mask of a batch is
`mask_of`. A layer with dropout has the case's number as its seed and is run twice; the results of the second call are
stored.
"""

from itertools import product

from keras_fixtures import Numbers, flat, save

import keras
import numpy as np
import tensorflow as tf

ACTIVATIONS = (
    "tanh", "relu", "sigmoid", "linear", "hard_sigmoid", "elu", "selu", "softsign", "softplus", "gelu", "silu",
)  # fmt: skip
FLAGS = (False, True)
MASKS = ("none", "holes", "leading")


def mask_of(kind, batch, length):
    """holes: steps are masked here and there, and all steps of one sequence. leading: sequence n begins at step n + 1."""
    n, t = np.meshgrid(np.arange(batch), np.arange(length), indexing="ij")
    if kind == "none":
        return None
    return t > n if kind == "leading" else ((n * 5 + t * 3) % 4 != 1) & (n != 2)


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


STACK = ((5, "relu"), (3, "tanh"), (2, "sigmoid"))  # units and activation; the second in both directions


def stacked():
    for sequences, mask, dtype in product(FLAGS, MASKS, ("f32", "f64")):
        yield {
            "kind": "stacked", "mask": mask, "return_sequences": sequences, "dtype": dtype,
            "batch": 4, "len": 5, "input_dim": 3,
        }  # fmt: skip


def simple_rnn(case, **more):
    options = ("activation", "use_bias", "return_sequences", "zero_output_for_mask", "go_backwards")
    options = {name: case[name] for name in options if name in case}
    dtype = "float32" if case["dtype"] == "f32" else "float64"
    return keras.layers.SimpleRNN(case["units"], return_state=True, dtype=dtype, **options, **more)


def sizes(case):
    return case["batch"], case["len"], case["input_dim"], case["units"]


def run_layer(i, case):
    batch, length, input_dim, units = sizes(case)
    numbers = Numbers(i, case["dtype"])
    rates = {"dropout": case["dropout"], "recurrent_dropout": case["recurrent_dropout"]}
    layer = simple_rnn(case, seed=i, **rates)
    layer.build((batch, length, input_dim))
    layer.set_weights(numbers.weights(input_dim, units, case["use_bias"]))
    x = tf.constant(numbers.draw(batch, length, input_dim))
    first = tf.constant(numbers.draw(batch, units)) if case["initial_state"] else None
    options = {"mask": mask_of(case["mask"], batch, length), "training": any(rates.values())}
    call = lambda: layer(x, initial_state=first, **options)
    if any(rates.values()):
        call()
    watched = [x] + ([] if first is None else [first])
    with tf.GradientTape() as tape:
        tape.watch(watched)
        output, state = call()
        cotangents = [numbers.draw(*output.shape), numbers.draw(*state.shape)]
        loss = tf.reduce_sum(output * cotangents[0]) + tf.reduce_sum(state * cotangents[1])
    variables = [weight.value for weight in layer.trainable_weights]
    gradients = tape.gradient(loss, variables + watched, unconnected_gradients="zero")
    return flat([output, state, *gradients])


def run_stateful(i, case):
    """Three batches, a reset, and a fourth batch. The first begins with the initial state if there is one."""
    batch, length, input_dim, units = sizes(case)
    numbers = Numbers(i, case["dtype"])
    layer = simple_rnn(case, stateful=True)
    layer.build((batch, length, input_dim))
    layer.set_weights(numbers.weights(input_dim, units, True))
    batches = [numbers.draw(batch, length, input_dim) for _ in range(4)]
    first = tf.constant(numbers.draw(batch, units)) if case["initial_state"] else None
    results, mask = [], mask_of(case["mask"], batch, length)
    for k, x in enumerate(batches):
        if k == 3:
            layer.reset_state()
        results += layer(tf.constant(x), initial_state=first if k == 0 else None, mask=mask)
    return flat(results)


def run_bidirectional(i, case):
    batch, length, input_dim, units = sizes(case)
    numbers = Numbers(i, case["dtype"])
    dtype = "float32" if case["dtype"] == "f32" else "float64"
    layer = keras.layers.Bidirectional(simple_rnn(case), merge_mode=case["merge_mode"], dtype=dtype)
    layer.build((batch, length, input_dim))
    layer.set_weights(numbers.weights(input_dim, units, True) + numbers.weights(input_dim, units, True))
    x = tf.constant(numbers.draw(batch, length, input_dim))
    states = [tf.constant(numbers.draw(batch, units)) for _ in range(2)] if case["initial_state"] else None
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = layer(x, initial_state=states, mask=mask_of(case["mask"], batch, length), training=False)
        # Without a merge the outputs come as a pair of their own.
        results = tf.nest.flatten(results)
        loss = sum(tf.reduce_sum(y * numbers.draw(*y.shape)) for y in results)
    variables = [weight.value for weight in layer.trainable_weights]
    return flat([*results, *tape.gradient(loss, variables + [x], unconnected_gradients="zero")])


def run_stacked(i, case):
    batch, length, input_dim = case["batch"], case["len"], case["input_dim"]
    numbers = Numbers(i, case["dtype"])
    dtype = "float32" if case["dtype"] == "f32" else "float64"
    made = [
        keras.layers.SimpleRNN(
            units, activation=activation, dtype=dtype, return_sequences=k < 2 or case["return_sequences"]
        )
        for k, (units, activation) in enumerate(STACK)
    ]
    made[1] = keras.layers.Bidirectional(made[1], dtype=dtype)
    model = keras.Sequential([keras.Input((length, input_dim), dtype=dtype), *made])
    sizes = ((input_dim, 5), (5, 3), (5, 3), (6, 2))
    model.set_weights([weight for size in sizes for weight in numbers.weights(*size, True)])
    x = tf.constant(numbers.draw(batch, length, input_dim))
    mask = mask_of(case["mask"], batch, length)
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = model(x, mask=None if mask is None else tf.constant(mask))
        loss = tf.reduce_sum(output * numbers.draw(*output.shape))
    variables = [weight.value for weight in model.trainable_weights]
    return flat([output, *tape.gradient(loss, variables + [x], unconnected_gradients="zero")])


def main():
    run = {"layer": run_layer, "stateful": run_stateful, "bidirectional": run_bidirectional, "stacked": run_stacked}
    cases = [*layers(), *dropped(), *larger(), *stateful(), *bidirectional(), *stacked()]
    tensors = {str(i): run[case["kind"]](i, case) for i, case in enumerate(cases)}
    save("simple_rnn.safetensors", tensors, cases)


if __name__ == "__main__":
    main()
