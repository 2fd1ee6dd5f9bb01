"""Keras's SimpleRNN, LSTM and GRU on TensorFlow: `predict_on_batch`, or with the argument `function` a compiled tf.function."""

import os
import sys

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import keras
import numpy as np
import tensorflow as tf
from protocol import NUMPY, THREADS, Job, Unsupported, directions, serve

KINDS = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
# Which of torch's blocks each of Keras's is.
ORDER = {"rnn": [0], "lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}
COMPILED = "function" in sys.argv[1:]


def layer(case):
    """The layer of one direction, or a layer of both directions side by side."""
    dtype = np.dtype(NUMPY[case["dtype"]]).name
    sequences = case["mode"] != "keras-last"
    made = getattr(keras.layers, KINDS[case["kind"]])(case["hidden"], return_sequences=sequences, dtype=dtype)
    return keras.layers.Bidirectional(made, dtype=dtype) if case["bidirectional"] else made


def weights(kind, suffix, arrays):
    """Keras's kernel, recurrent kernel and bias, a GRU's two and else one, from torch's four arrays."""

    def ordered(name):
        blocks = np.split(arrays[f"{name}_{suffix}"], len(ORDER[kind]))
        return np.concatenate([blocks[k] for k in ORDER[kind]])

    biases = [ordered("bias_ih"), ordered("bias_hh")]
    bias = np.stack(biases) if kind == "gru" else sum(biases)
    return [ordered("weight_ih").T, ordered("weight_hh").T, bias]


def build(case, arrays):
    if case["mode"] not in ("forward", "keras", "keras-last"):
        raise Unsupported(case["mode"])
    last = case["mode"] == "keras-last"
    dtype = np.dtype(NUMPY[case["dtype"]]).name
    x = np.ascontiguousarray(arrays["input"].swapaxes(0, 1))
    inputs = keras.Input(batch_shape=x.shape, dtype=dtype)
    model = keras.Sequential([inputs, *(layer(case) for _ in range(case["layers"]))])
    suffixes = [suffix for layer in directions(case) for suffix in layer]
    model.set_weights([array for suffix in suffixes for array in weights(case["kind"], suffix, arrays)])
    if COMPILED:
        tensor, function = tf.constant(x), tf.function(lambda x: model(x, training=False))
        return Job(lambda: function(tensor), lambda: results(function(tensor).numpy(), last))
    return Job(lambda: model.predict_on_batch(x), lambda: results(model.predict_on_batch(x), last))


def results(output, last):
    return {"output": output if last else output.swapaxes(0, 1)}


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    how = "tf.function" if COMPILED else "predict_on_batch"
    serve(build, f"keras {keras.__version__} on tensorflow {tf.__version__}, {how}")
