"""What the scripts that write fixtures of Keras's recurrent layers share: how a case is run.

Not run by itself. A case is a dictionary: `kind` says which function runs it, `class` which layer (SimpleRNN if there is
none), the rest are its options and sizes. All arguments are `Numbers(i, dtype)` (keras_fixtures.py) of the case's number i, in
this order: weights; input (N, T, I); initial states if there are any; the cotangents of the output (both) and of the states.
The mask of a batch is `mask_of`. A layer with dropout has the case's number as its seed and is run twice; the results of the
second call are stored, flat and one after another:
    layer          output, states, and the gradients of kernel, recurrent kernel, bias (if any), input, initial states (if any)
    stateful       the output and states of each batch
    bidirectional  output (both if not merged), all states, and the gradients of the weights and of the input
    stacked        the output, and the gradients of the weights and of the input
"""

from keras_fixtures import Numbers, flat

import keras
import numpy as np
import tensorflow as tf

DTYPES = {"f32": "float32", "f64": "float64"}
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
FLAGS = (False, True)
MASKS = ("none", "holes", "leading")


def mask_of(kind, batch, length):
    """holes: steps are masked here and there, and all steps of one sequence. leading: sequence n begins at step n + 1."""
    n, t = np.meshgrid(np.arange(batch), np.arange(length), indexing="ij")
    if kind == "none":
        return None
    return t > n if kind == "leading" else ((n * 5 + t * 3) % 4 != 1) & (n != 2)


OPTIONS = (
    "activation", "recurrent_activation", "use_bias", "return_sequences", "zero_output_for_mask", "go_backwards",
    "reset_after", "dropout", "recurrent_dropout",
)  # fmt: skip


def made(case, **more):
    """The layer of a case, with other options in place of the case's."""
    options = {name: case[name] for name in OPTIONS if name in case}
    name, dtype = case.get("class", "SimpleRNN"), DTYPES[case["dtype"]]
    options = {"return_state": True, **options, **more}
    return getattr(keras.layers, name)(case["units"], dtype=dtype, **options)


def weights(case, numbers):
    """Kernel, recurrent kernel, bias of a layer."""
    name = case.get("class", "SimpleRNN")
    rows = 2 if name == "GRU" and case.get("reset_after", True) else 1
    return numbers.weights(case["input_dim"], case["units"], case.get("use_bias", True), GATES[name], rows)


def arguments(case, numbers, directions):
    """Input, mask and the initial states of all directions, None if the case has none."""
    batch, length, input_dim, units = (case[name] for name in ("batch", "len", "input_dim", "units"))
    x = tf.constant(numbers.draw(batch, length, input_dim))
    planes = directions * (2 if case.get("class") == "LSTM" else 1)
    first = [tf.constant(numbers.draw(batch, units)) for _ in range(planes)] if case["initial_state"] else None
    return x, mask_of(case["mask"], batch, length), first


def has_dropout(case):
    return case.get("dropout", 0.0) > 0 or case.get("recurrent_dropout", 0.0) > 0


def differentiated(call, variables, watched, numbers):
    """Outputs and states of a call, and the gradients of their products with numbers."""
    with tf.GradientTape() as tape:
        tape.watch(watched)
        # Without a merge the outputs come as a pair of their own.
        results = tf.nest.flatten(call())
        loss = sum(tf.reduce_sum(y * numbers.draw(*y.shape)) for y in results)
    variables = [weight.value for weight in variables]
    return flat([*results, *tape.gradient(loss, variables + watched, unconnected_gradients="zero")])


def run_layer(i, case):
    numbers = Numbers(i, case["dtype"])
    layer = made(case, seed=i)
    layer.build((case["batch"], case["len"], case["input_dim"]))
    layer.set_weights(weights(case, numbers))
    x, mask, first = arguments(case, numbers, 1)
    call = lambda: layer(x, initial_state=first, mask=mask, training=has_dropout(case))
    if has_dropout(case):
        call()
    return differentiated(call, layer.trainable_weights, [x, *(first or [])], numbers)


def run_stateful(i, case):
    """Three batches, a reset, and a fourth batch. The first begins with the initial state if there is one."""
    batch, length, input_dim, units = (case[name] for name in ("batch", "len", "input_dim", "units"))
    numbers = Numbers(i, case["dtype"])
    layer = made(case, stateful=True)
    layer.build((batch, length, input_dim))
    layer.set_weights(weights(case, numbers))
    batches = [numbers.draw(batch, length, input_dim) for _ in range(4)]
    planes = 2 if case.get("class") == "LSTM" else 1
    first = [tf.constant(numbers.draw(batch, units)) for _ in range(planes)] if case["initial_state"] else None
    results, mask = [], mask_of(case["mask"], batch, length)
    for k, x in enumerate(batches):
        if k == 3:
            layer.reset_state()
        results += layer(tf.constant(x), initial_state=first if k == 0 else None, mask=mask)
    return flat(results)


def run_bidirectional(i, case):
    numbers = Numbers(i, case["dtype"])
    wrapped = made(case, seed=i)
    layer = keras.layers.Bidirectional(wrapped, merge_mode=case["merge_mode"], dtype=DTYPES[case["dtype"]])
    layer.build((case["batch"], case["len"], case["input_dim"]))
    layer.set_weights(weights(case, numbers) + weights(case, numbers))
    x, mask, first = arguments(case, numbers, 2)
    call = lambda: layer(x, initial_state=first, mask=mask, training=has_dropout(case))
    if has_dropout(case):
        call()
    return differentiated(call, layer.trainable_weights, [x], numbers)


def run_stacked(i, case, stack):
    """Of a stack of layers, each described by a case's keys; a `directions` of 2 is a Bidirectional."""
    numbers, dtype, batch, length = Numbers(i, case["dtype"]), case["dtype"], case["batch"], case["len"]
    layers, arrays, width = [keras.Input((length, case["input_dim"]), dtype=DTYPES[dtype])], [], case["input_dim"]
    for k, described in enumerate(stack):
        described = {**described, "input_dim": width, "dtype": dtype}
        every = k + 1 < len(stack) or case["return_sequences"]
        layer = made(described, return_sequences=every, return_state=False)
        directions = described.get("directions", 1)
        layers.append(layer if directions == 1 else keras.layers.Bidirectional(layer, dtype=DTYPES[dtype]))
        arrays += [array for _ in range(directions) for array in weights(described, numbers)]
        width = directions * described["units"]
    model = keras.Sequential(layers)
    model.set_weights(arrays)
    x = tf.constant(numbers.draw(batch, length, case["input_dim"]))
    mask = mask_of(case["mask"], batch, length)
    call = lambda: model(x, mask=None if mask is None else tf.constant(mask))
    return differentiated(call, model.trainable_weights, [x], numbers)


def run(cases, stack):
    """Every case's numbers, by its number."""
    kinds = {"layer": run_layer, "stateful": run_stateful, "bidirectional": run_bidirectional}
    kinds["stacked"] = lambda i, case: run_stacked(i, case, stack)
    return {str(i): kinds[case["kind"]](i, case) for i, case in enumerate(cases)}
