"""Writes keras_seeds.safetensors: what Keras 3.15 on TensorFlow draws from seeds.

Run from the root of the repository, in the environment of simple_rnn.py:

    .venv-keras/bin/python tests/golden/keras_seeds.py

Running it twice writes the same bytes. The metadata's one key, `cases`, is a list; for every i of it the tensor {i} holds the
numbers, flat and one after another:
    kind "layer"          set_random_seed(seed), then kernel and recurrent kernel of each of the `layers`, pairs of input_dim and
                          units, built in this order after all were made
    kind "bidirectional"  the same of one Bidirectional, forward then backward
    kind "initializer"    keras.initializers.{name}(seed=seed) of a shape
    kind "draw"           keras.random.{name} of a shape from a SeedGenerator(seed), after `skip` draws
    kind "gated"          as "layer", of a `class` with a `bias_initializer`: all weights; or of one Bidirectional, whose layer has
                          the `seed_of_dropout`. `dropout_seeds` are what the layers' dropout draws from
"""

from itertools import product

from keras_fixtures import flat, save

import keras

NAMES = {"f32": "float32", "f64": "float64"}
SHAPES = ((1, 1), (4, 2), (3, 7), (8, 8), (33, 17))
INITIALIZERS = (
    "RandomUniform", "RandomNormal", "TruncatedNormal", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal",
    "LecunUniform", "LecunNormal", "Orthogonal", "Identity",
)  # fmt: skip
SEEDS = (0, 1, 42, 123456789, 2**31 - 2, 2**31 - 1, 2**31 + 5, 2**32 - 1)
RATES = (0.1, 0.25, 0.3, 0.5, 0.9)


def cases():
    for seed, dtype in product(SEEDS, NAMES):
        yield {"kind": "layer", "seed": seed, "dtype": dtype, "layers": [[4, 2], [2, 5], [5, 3]]}
    for seed in SEEDS[:3]:
        yield {"kind": "bidirectional", "seed": seed, "dtype": "f32", "layers": [[4, 3]]}
    for name, shape, dtype in product(INITIALIZERS, SHAPES, NAMES):
        yield {"kind": "initializer", "name": name, "seed": 7, "dtype": dtype, "shape": shape}
    for seed in SEEDS[:7]:
        yield {"kind": "initializer", "name": "GlorotUniform", "seed": seed, "dtype": "f32", "shape": (4, 2)}
    for name, skip, dtype in product(("uniform", "normal", "truncated_normal"), (0, 1, 5), NAMES):
        yield {"kind": "draw", "name": name, "seed": 3, "skip": skip, "dtype": dtype, "shape": (23, 19)}
    for rate, dtype in product(RATES, NAMES):
        yield {"kind": "draw", "name": "dropout", "seed": 4, "skip": 2, "dtype": dtype, "shape": (9, 31), "rate": rate}


    kinds = (("LSTM", {"unit_forget_bias": True}), ("LSTM", {"unit_forget_bias": False}), ("GRU", {}), ("GRU", {"reset_after": False}))
    for (name, options), bias, dtype in product(kinds, ("zeros", "glorot_uniform", "random_normal"), NAMES):
        more = {"bias_initializer": bias, **options}
        yield {"kind": "gated", "class": name, "seed": 5, "dtype": dtype, "layers": [[4, 2], [2, 5]], "options": more}
    for seed, name in product(SEEDS, ("LSTM", "GRU")):
        yield {"kind": "gated", "class": name, "seed": seed, "dtype": "f32", "layers": [[3, 4]], "options": {}}
    # Of two rows a bias is a matrix, which can be orthogonal.
    more = {"bias_initializer": "orthogonal"}
    yield {"kind": "gated", "class": "GRU", "seed": 6, "dtype": "f32", "layers": [[3, 4]], "options": more}
    for name, seed in product(("LSTM", "GRU", "SimpleRNN"), (None, 7)):
        more = {} if seed is None else {"seed": seed}
        yield {
            "kind": "gated", "class": name, "seed": 8, "dtype": "f32", "layers": [[4, 3]], "options": more,
            "bidirectional": True,
        }  # fmt: skip


def gated(case):
    keras.utils.set_random_seed(case["seed"])
    made = getattr(keras.layers, case["class"])
    layers = [made(units, dtype=NAMES[case["dtype"]], **case["options"]) for _, units in case["layers"]]
    single = layers
    if case.get("bidirectional"):
        layers = [keras.layers.Bidirectional(layers[0])]
        single = [layers[0].forward_layer, layers[0].backward_layer]
    for layer, (input_dim, _) in zip(layers, case["layers"]):
        layer.build((None, 5, input_dim))
    case["dropout_seeds"] = [int(layer.cell.seed_generator.state.numpy()[0]) for layer in single]
    return flat([weight for layer in layers for weight in layer.get_weights()])


def weights(case):
    keras.utils.set_random_seed(case["seed"])
    layers = [keras.layers.SimpleRNN(units, dtype=NAMES[case["dtype"]]) for _, units in case["layers"]]
    if case["kind"] == "bidirectional":
        layers = [keras.layers.Bidirectional(layers[0])]
    for layer, (input_dim, _) in zip(layers, case["layers"]):
        layer.build((None, 5, input_dim))
    return flat([weight for layer in layers for weight in layer.get_weights() if weight.ndim == 2])


def initialized(case):
    # Identity draws nothing.
    seed = {} if case["name"] == "Identity" else {"seed": case["seed"]}
    made = getattr(keras.initializers, case["name"])(**seed)
    return flat([made(case["shape"], dtype=NAMES[case["dtype"]])])


def drawn(case):
    seeds = keras.random.SeedGenerator(case["seed"])
    for _ in range(case["skip"]):
        seeds.next()
    shape, dtype = case["shape"], NAMES[case["dtype"]]
    if case["name"] == "dropout":
        return flat([keras.random.dropout(keras.ops.ones(shape, dtype), case["rate"], seed=seeds)])
    return flat([getattr(keras.random, case["name"])(shape, dtype=dtype, seed=seeds)])


def main():
    run = {"layer": weights, "bidirectional": weights, "initializer": initialized, "draw": drawn, "gated": gated}
    listed = list(cases())
    save("keras_seeds.safetensors", {str(i): run[case["kind"]](case) for i, case in enumerate(listed)}, listed)


if __name__ == "__main__":
    main()
