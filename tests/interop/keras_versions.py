"""Writes the fixtures of one version of Keras, into fixtures/keras: a model of many classes of layers.

    python tests/interop/keras_versions.py        # once in an environment of each version

| Keras  | environment                                            | file               |
|--------|--------------------------------------------------------|--------------------|
| 1.2.2  | Python 3.6, keras, tensorflow 1.4.0, h5py 2.10.0       | keras-1.2.2.h5     |
| 2.1.6  | Python 3.6, keras, tensorflow 1.8.0, h5py 2.10.0       | keras-2.1.6.h5     |
| 2.6.0  | Python 3.8, keras, tensorflow 2.6.5, protobuf 3.19     | keras-2.6.0.h5     |
| 2.12.0 | Python 3.10, tensorflow-cpu 2.12.0                     | keras-2.12.0.keras |
| 3.8.0  | Python 3.11, keras, tensorflow 2.18.0                  | keras-3.8.0.keras  |
| 3.15.1 | as keras_files.py                                      | keras-3.15.1.h5    |

Versions 1.2.2 and 2.1.6 write a second file, NAME-gates.h5, of gated layers whose weights lie in another way: Keras 1's with
`consume_less="gpu"`, which have one array for all gates; and `CuDNNLSTM` and `CuDNNGRU`. The latter run on Nvidia's processors
only, so it is Keras's own LSTM and GRU that compute the expected outputs, after Keras has converted the weights of the file.

Beside each file is VERSION.json: for every layer of the outermost model its output, of the model's input. Versions 1 and 2
compute hard_sigmoid as 0.2 x + 0.5. Two layers are frozen, whose weights the `.h5` format lists last, and the name "first"
is that of a layer of the model and of one in the model within it. Before 2.2.3 the configuration of a Sequential is a list.
"""

import json
import os
import pathlib

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import keras
import numpy as np
from keras import layers

HERE = pathlib.Path(__file__).parent / "fixtures/keras"
VERSION = keras.__version__
OLDEST = VERSION.startswith("1.")


def model():
    many = {"return_sequences": True}
    inner = keras.models.Sequential(name="inner")
    # Built before the layer of the same name around it.
    inner.add(layers.SimpleRNN(2, activation="relu", input_shape=(5, 3), name="first", **many))
    inner.add(layers.SimpleRNN(3, name="second", **many))
    inner.layers[0].trainable = False
    both = layers.Bidirectional(layers.SimpleRNN(2, activation="relu", name="way", **many), merge_mode="sum", name="both")
    both.forward_layer.trainable = False
    outer = keras.models.Sequential(name="outer")
    outer.add(layers.Embedding(7, 4, input_length=5, name="embedding"))
    outer.add(layers.SimpleRNN(3, activation="hard_sigmoid", name="first", **many))
    outer.add(both)
    outer.add(layers.GRU(3, name="gru", **many))
    outer.add(inner)
    if not OLDEST:
        outer.add(layers.RNN(layers.SimpleRNNCell(2, name="cell"), name="general", **many))
        cells = [layers.SimpleRNNCell(2, name="lower"), layers.SimpleRNNCell(3, name="upper")]
        outer.add(layers.RNN(cells, name="stacked", **many))
    outer.add(layers.LSTM(2, name="lstm"))
    outer.add(layers.Dense(3, activation="softmax", name="dense"))
    if VERSION >= "3":
        outer.build((None, 5))
    random = np.random.RandomState(0)
    outer.set_weights([random.uniform(-1, 1, w.shape).astype(np.float32) for w in outer.get_weights()])
    return outer


def listed(array):
    """Shape and elements; a double holds every element exactly."""
    return {"shape": list(array.shape), "values": [float(x) for x in array.flatten()]}


def gates(lstm, gru, seed=None, **options):
    many = {"return_sequences": True}
    model = keras.models.Sequential(name="gates")
    model.add(lstm(3, input_shape=(5, 4), name="lstm", **dict(many, **options)))
    model.add(gru(3, name="gru", **dict(many, **options)))
    model.add(lstm(2, name="back", go_backwards=True, **dict(many, **options)))
    model.add(layers.Bidirectional(lstm(2, name="way", **dict(many, **options)), name="both_lstm"))
    model.add(layers.Bidirectional(gru(2, name="way_too", **dict(many, **options)), merge_mode="sum", name="both_gru"))
    if seed is not None:
        random = np.random.RandomState(seed)
        model.set_weights([random.uniform(-1, 1, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def second_file():
    name, path = VERSION + "-gates", str(HERE / ("keras-" + VERSION + "-gates.h5"))
    if OLDEST:
        computes = gates(layers.LSTM, layers.GRU, seed=1, consume_less="gpu")
        computes.save(path)
    else:
        for layer in (layers.CuDNNLSTM, layers.CuDNNGRU):
            # TensorFlow refuses a graph of cuDNN's operations on this processor, even if they do not run.
            layer._process_batch = lambda self, x, state: (keras.backend.dot(x, self.kernel[:, : self.units]), state)
        gates(layers.CuDNNLSTM, layers.CuDNNGRU, seed=1).save(path)
        computes = gates(layers.LSTM, lambda *a, **k: layers.GRU(*a, reset_after=True, **k), recurrent_activation="sigmoid")
        computes.load_weights(path)
    write(name, path, computes, np.random.RandomState(2).uniform(-1, 1, (2, 5, 4)).astype(np.float32))


def write(name, path, model, x):
    outputs = {}
    for layer in model.layers:
        of = (model.inputs, layer.get_output_at(-1) if VERSION < "3" else layer.output)
        part = keras.models.Model(*of)
        outputs[layer.name] = listed(np.asarray(part.predict(x)))
    expected = {"file": pathlib.Path(path).name, "x": x.tolist(), "outputs": outputs}
    (HERE / (name + ".json")).write_text(json.dumps(expected, separators=(",", ":")) + "\n")


def main():
    outer = model()
    x = np.array([[1, 2, 3, 4, 5], [6, 0, 6, 2, 1]])
    zipped = VERSION in ("2.12.0", "3.8.0")
    name = "keras-" + VERSION + (".keras" if zipped else ".h5")
    outer.save(str(HERE / name), **({"save_format": "keras_v3"} if VERSION == "2.12.0" else {}))
    write(VERSION, name, outer, x)
    if VERSION < "2.2":
        second_file()
    print(name, (HERE / name).stat().st_size)


if __name__ == "__main__":
    main()
