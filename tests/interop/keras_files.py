"""Writes the fixtures that Keras makes, into fixtures/keras, and what Keras makes of our files.

    python tests/interop/keras_files.py        # in an environment with keras and tensorflow

model.{keras,h5}, model.weights.h5   a Sequential model of named layers, trained one step so that the first two hold an
                                     optimizer too: "first" SimpleRNN, "both" Bidirectional, "last" SimpleRNN, a Dense
nested.{keras,weights.h5}            a functional model with unnamed layers, one in a model of its own, and an LSTM
dtypes.weights.h5                    layers of float64, float16 and bfloat16
old.h5                               model.h5's first two layers as Keras 2 names their weights (kernel:0)
bomb.h5                              a list of names that are all one long text, to be refused
ours.weights.h5                      what the crate wrote; this script loads it into a model
special.{keras,h5}                   layers that the crate reads among layers and options that it does not: NaN in the
                                     configuration, custom layers, activations and wrappers of every form
gates.{keras,h5,weights.h5}          LSTM and GRU layers with every option, as cells, stacked, wrapped and nested
classifier.{keras,npz}               a small classifier of texts, and what it predicts; examples/load_keras.rs runs it
subclassed.weights.h5                the weights of a model that is a class of its own, frozen in part
expected.json                        weights, an input, and every layer's output for it, by Keras; of ours.weights.h5 too
"""

import json
import os
import pathlib
import struct
import subprocess

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import h5py
import keras
import numpy as np
from keras import layers

HERE = pathlib.Path(__file__).parent / "fixtures/keras"
OURS = pathlib.Path(__file__).parents[2] / "target/interop/keras/ours.weights.h5"


def uniform(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def listed(array):
    """Shape and elements; a double holds every element exactly."""
    array = np.asarray(array)
    return {"shape": list(array.shape), "values": [float(x) for x in array.flatten()]}


def described(layer, x, **call):
    return {"x": listed(x), "output": listed(layer(x, **call)), "weights": [listed(w) for w in layer.get_weights()]}


def randomise(model, seed):
    """Biases that are not zero."""
    model.set_weights([uniform(seed + i, *w.shape) for i, w in enumerate(model.get_weights())])


def sequential():
    model = keras.Sequential([
        keras.Input((None, 4)),
        layers.SimpleRNN(3, return_sequences=True, name="first"),
        layers.Bidirectional(
            layers.SimpleRNN(2, activation="relu", return_sequences=True), merge_mode="sum", name="both"
        ),
        layers.SimpleRNN(2, activation="sigmoid", use_bias=False, go_backwards=True, dropout=0.25, name="last"),
        layers.Dense(1),
    ])
    randomise(model, 0)
    model.compile("adam", "mse")
    model.fit(uniform(100, 2, 5, 4), uniform(101, 2, 1), verbose=0)
    model.save(HERE / "model.keras")
    model.save(HERE / "model.h5")
    model.save_weights(HERE / "model.weights.h5")
    xs = {"first": uniform(102, 2, 5, 4), "both": uniform(103, 2, 5, 3), "last": uniform(104, 2, 5, 2)}
    return {name: described(model.get_layer(name), x) for name, x in xs.items()}, model


def nested():
    inner = keras.Sequential([keras.Input((None, 3)), layers.SimpleRNN(2, return_sequences=True)])
    x = inputs = keras.Input((None, 4))
    x = layers.SimpleRNN(3, return_sequences=True)(x)
    x = inner(x)
    x = layers.LSTM(2, return_sequences=True)(x)
    outputs = layers.SimpleRNN(3)(x)
    model = keras.Model(inputs, outputs)
    randomise(model, 200)
    model.save(HERE / "nested.keras")
    model.save_weights(HERE / "nested.weights.h5")
    outer = [layer for layer in model.layers if isinstance(layer, layers.SimpleRNN)]
    found = [outer[0], inner.layers[0], outer[1]]
    return [described(layer, uniform(210 + i, 2, 5, [4, 3, 2][i])) for i, layer in enumerate(found)]


def dtypes():
    names = ["float64", "float16", "bfloat16"]
    model = keras.Sequential([keras.Input((None, 4))] + [
        layers.SimpleRNN(4, recurrent_initializer="zeros", return_sequences=True, dtype=name, name=name)
        for name in names
    ])
    randomise(model, 300)
    model.save_weights(HERE / "dtypes.weights.h5")
    return {name: [listed(w.astype(np.float64)) for w in model.get_layer(name).get_weights()] for name in names}


def old(model):
    with h5py.File(HERE / "old.h5", "w") as file:
        file.attrs["layer_names"] = [b"first", b"both"]
        for name in ("first", "both"):
            layer, group = model.get_layer(name), file.create_group(name)
            names = [f"{w.path}:0".encode() for w in layer.weights]
            group.attrs["weight_names"] = names
            for path, value in zip(names, layer.get_weights()):
                group.create_dataset(path.decode(), data=value)


def bomb():
    """A list whose items are all one text, which a file of Keras never has."""
    path, text, items = HERE / "bomb.h5", "x" * (1 << 14), 3000
    with h5py.File(path, "w") as file:
        file.attrs.create("layer_names", [text] + ["y"] * items, dtype=h5py.string_dtype())
    content = bytearray(path.read_bytes())
    # An item is its length, the place of a heap, and its number there; the first is the long one.
    length = struct.pack("<I", len(text))
    at = next(i for i in range(len(content)) if content[i:i + 4] == length and content[i + 16:i + 20] == b"\1\0\0\0")
    content[at:at + 16 * (items + 1)] = bytes(content[at:at + 16]) * (items + 1)
    path.write_bytes(content)


@keras.saving.register_keras_serializable("mine")
def relu(x):
    """A custom function of a known name."""
    return x + 100.0


@keras.saving.register_keras_serializable("mine")
class SimpleRNN(layers.Dense):
    """A custom layer of a known name."""


@keras.saving.register_keras_serializable("mine")
class Odd(layers.Layer):
    """Entries that mean something else than in a recurrent layer."""

    def call(self, x):
        return x

    def get_config(self):
        return super().get_config() | {
            "units": [3, 3], "dropout": None, "layers": [1, 2, {"class_name": 3}], "activation": 7, "layer": "text",
            "use_bias": "yes", "merge_mode": 2, "go_backwards": {}, "cell": [], "seed": 0.5,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config):
        return cls(name=config["name"])


def special():
    many = {"return_sequences": True}
    x = inputs = keras.Input((4, 3))
    x = layers.Masking(mask_value=float("nan"))(x)
    x = layers.GaussianNoise(0.0, name='a "NaN" and -Infinity')(x)
    x = layers.SimpleRNN(3, activation=relu, name="custom", **many)(x)
    x = Odd(name="odd")(x)
    x = SimpleRNN(3, name="namesake")(x)
    x = layers.SimpleRNN(3, activation=layers.ReLU(), name="object", **many)(x)
    x = layers.SimpleRNN(3, activation=layers.LeakyReLU(), name="leaky", **many)(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.SimpleRNN(2, dropout=0.25, stateful=False, name="plain", **many)(x)
    pair = layers.Bidirectional(layers.SimpleRNN(2, name="way", **many), merge_mode=None, name="pair")
    x = layers.Concatenate()(pair(x))
    x = layers.RNN(layers.SimpleRNNCell(2, activation="relu"), go_backwards=True, name="general", **many)(x)
    back = layers.SimpleRNN(2, activation="relu", go_backwards=True, name="back", **many)
    x = layers.Bidirectional(layers.SimpleRNN(2, **many), backward_layer=back, name="both")(x)
    x = layers.Dense(3, activation=layers.LeakyReLU(), name="odd_dense")(x)
    x = layers.Dense(3, name="dense", use_bias=False)(x)
    x = layers.Reshape((2, 2, 3))(x)
    x = layers.TimeDistributed(layers.SimpleRNN(2, name="inside"), name="each")(x)
    outputs = layers.Dense(2, activation="log_softmax", name="head")(x)
    model = keras.Model(inputs, outputs)
    for name in ("general", "each"):
        model.get_layer(name).trainable = False
    pair.forward_layer.trainable = False
    randomise(model, 500)
    model.save(HERE / "special.keras")
    model.save(HERE / "special.h5")
    expected = {}
    for i, name in enumerate(["object", "plain", "pair", "general", "both", "dense", "head"]):
        layer = model.get_layer(name)
        x = uniform(600 + i, 2, 4, layer.input.shape[-1])
        outputs = layer(x)
        expected[name] = {"x": listed(x), "output": [listed(y) for y in keras.tree.flatten(outputs)]}
    inside, x = model.get_layer("each").layer, uniform(620, 2, 4, 3)
    expected["inside"] = {"x": listed(x), "output": [listed(inside(x))]}
    return expected


def gates():
    """Layers with gates; expected are a forward layer and its outputs, by path."""
    many = {"return_sequences": True}
    x = inputs = keras.Input((4, 3))
    x = layers.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid", unit_forget_bias=False, name="lstm", **many)(x)
    x = layers.LSTM(2, use_bias=False, go_backwards=True, dropout=0.25, recurrent_dropout=0.5, name="bare", **many)(x)
    x = layers.GRU(3, activation="softsign", recurrent_activation="hard_sigmoid", name="gru", **many)(x)
    x = layers.GRU(2, reset_after=False, go_backwards=True, name="before", **many)(x)
    x = layers.Bidirectional(layers.LSTM(2, **many), merge_mode="mul", name="both_lstm")(x)
    back = layers.GRU(2, reset_after=False, go_backwards=True, name="back", **many)
    x = layers.Bidirectional(layers.GRU(2, **many), backward_layer=back, name="both_gru")(x)
    x = layers.RNN(layers.LSTMCell(2, recurrent_activation="elu"), name="lstm_cell", **many)(x)
    x = layers.RNN(layers.GRUCell(3, reset_after=False), go_backwards=True, name="gru_cell", **many)(x)
    cells = [layers.GRUCell(2), layers.LSTMCell(3, activation="relu"), layers.SimpleRNNCell(2), layers.GRUCell(3, use_bias=False)]
    x = layers.RNN(cells, name="stacked", **many)(x)
    x = layers.RNN([layers.LSTMCell(2), layers.LSTMCell(3)], name="deep", **many)(x)
    inner = keras.Sequential([keras.Input((4, 3)), layers.GRU(2, name="gru", **many), layers.LSTM(3, name="second", **many)],
                             name="inner")  # fmt: skip
    x = inner(x)
    pair = layers.Bidirectional(layers.GRU(2, name="way", **many), merge_mode=None, name="pair")
    x = layers.Concatenate()(pair(x))
    x = layers.Reshape((2, 2, 4))(x)
    x = layers.TimeDistributed(layers.LSTM(2, name="inside", **many), name="each")(x)
    model = keras.Model(inputs, x)
    for layer in (model.get_layer("lstm"), model.get_layer("both_lstm").forward_layer):
        layer.trainable = False
    randomise(model, 800)
    model.save(HERE / "gates.keras")
    model.save(HERE / "gates.h5")
    model.save_weights(HERE / "gates.weights.h5")
    names = ["lstm", "bare", "gru", "before", "both_lstm", "both_gru", "lstm_cell", "gru_cell", "stacked", "deep", "pair"]
    found = {name: model.get_layer(name) for name in names}
    found |= {f"inner/{layer.name}": layer for layer in inner.layers} | {"each/inside": model.get_layer("each").layer}
    expected = {}
    for i, (name, layer) in enumerate(found.items()):
        width = {"inner/gru": 3, "inner/second": 2, "each/inside": 4}.get(name) or layer.input.shape[-1]
        x = uniform(900 + i, 2, 4, width)
        expected[name] = {"x": listed(x), "output": [listed(y) for y in keras.tree.flatten(layer(x))]}
    return expected


def classifier():
    keras.backend.clear_session()  # names without numbers
    model = keras.Sequential([
        keras.Input((None,), dtype="int32"),
        layers.Embedding(12, 5),
        layers.LSTM(6, return_sequences=True),
        layers.Bidirectional(layers.GRU(4)),
        layers.Dense(3, activation="softmax"),
    ])
    randomise(model, 1000)
    model.save(HERE / "classifier.keras")
    x = np.random.default_rng(1100).integers(0, 12, (4, 7))
    np.savez(HERE / "classifier.npz", x=x.astype(np.float32), predicted=model.predict(x, verbose=0))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(5, 3)
        self.encoder = layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True))
        self.stack = [layers.SimpleRNN(2, return_sequences=True), layers.LSTM(2)]
        self.head = layers.Dense(2)
        self.encoder.forward_layer.trainable = False

    def call(self, x):
        x = self.encoder(self.embed(x))
        for layer in self.stack:
            x = layer(x)
        return self.head(x)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 3), np.int32))
    randomise(model, 700)
    model.save_weights(HERE / "subclassed.weights.h5")
    found = {"embed": model.embed, "encoder": model.encoder, "simple_rnn": model.stack[0], "lstm": model.stack[1],
             "head": model.head}  # fmt: skip
    return {name: [listed(np.asarray(v)) for v in parts(layer)] for name, layer in found.items()}


def parts(layer):
    """Weights in the order of their making; Keras's own lists those last that are frozen."""
    both = isinstance(layer, layers.Bidirectional)
    return sum((parts(way) for way in (layer.forward_layer, layer.backward_layer)), []) if both else layer.weights


def ours():
    """The model that tests/keras_files writes."""
    cells = [layers.LSTMCell(3), layers.GRUCell(2, use_bias=False), layers.SimpleRNNCell(3), layers.LSTMCell(2)]
    model = keras.Sequential([
        keras.Input((None,), dtype="int32"),
        layers.Embedding(6, 4),
        layers.SimpleRNN(3, return_sequences=True),
        layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True)),
        layers.LSTM(3, return_sequences=True),
        layers.GRU(2, return_sequences=True),
        layers.GRU(3, reset_after=False, return_sequences=True),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
        layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="sum"),
        layers.RNN(cells, return_sequences=True),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode="ave"),
        layers.GRU(2, go_backwards=True, return_sequences=True),
        layers.SimpleRNN(2, use_bias=False, activation="relu"),
        layers.Dense(3),
    ])
    model.load_weights(OURS)
    (HERE / OURS.name).write_bytes(OURS.read_bytes())
    x = np.random.default_rng(400).integers(0, 6, (2, 5))
    return {"x": listed(x), "output": listed(model(x))}


def main():
    command = ["cargo", "test", "--quiet", "--test", "keras_files", "--", "--ignored"]
    subprocess.run(command, cwd=OURS.parents[3], check=True)
    keras.utils.set_random_seed(0)
    HERE.mkdir(parents=True, exist_ok=True)
    expected = {"keras": keras.__version__}
    expected["model"], model = sequential()
    expected |= {"nested": nested(), "dtypes": dtypes()}
    old(model)
    bomb()
    expected |= {"ours": ours(), "special": special(), "subclassed": subclassed(), "gates": gates()}
    classifier()
    (HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    print({path.name: path.stat().st_size for path in sorted(HERE.iterdir())})


if __name__ == "__main__":
    main()
