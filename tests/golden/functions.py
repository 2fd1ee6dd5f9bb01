"""Writes functions.safetensors: small functions of torch 2.15 on the CPU, draws from weights, dropout, embeddings with norms.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/functions.py

Running it twice writes the same bytes. Arguments are not stored: they are drawn in the case's dtype from
manual_seed(case["seed"]), in the order given here, uniform in (-1, 1) unless said otherwise.
The metadata's one key, `cases`, has a list for each group; tensor names count within their group.

softmax.{i}.{softmax, log_softmax, argmax, relu, relu_backward}
        Of an input in (-scale, scale), along `axis`; the output's gradient for relu_backward is drawn after it.
multinomial.{i}.{indices, next}
        torch.multinomial of `weights`: drawn in (0, 1), to the power of 8, those below 1e-6 set to 0, then drawn from once.
        With `temperature` the drawn input in (-4, 4) is logits, divided by the temperature, of whose softmax
        indices are drawn. `next` is torch.rand(1, dtype=f64) after it.
dropout.{i}.{output, gradient, next}
        Of an input with p and, for a drawn gradient of the output, that of the input; `next` as above.
renorm.{i}.{output, table, weight}
        Embedding(10, 3, padding_idx=0, max_norm, norm_type): the vectors of INDICES, the table after it, and for a drawn
        d_output the gradient.
probabilities.{i}.{value, gradient}
        Cross entropy of an input in (-3, 3) and target probabilities, the softmax in f64 of a drawn array, times 3; for
        reduction "none" the cotangent of the losses.
"""

from itertools import product

from generate import TORCH
from losses import WEIGHT
from training import INDICES, uniform, write

import torch
import torch.nn.functional as F


def softmax_cases():
    shapes = (((5,), 0), ((4, 3), 1), ((4, 3), 0), ((2, 3, 4), 1))
    for seed, ((shape, axis), scale, dtype) in enumerate(product(shapes, (3, 800), TORCH)):
        yield {"shape": shape, "axis": axis, "scale": scale, "dtype": dtype, "seed": seed}


def run_softmax(case):
    x = uniform(case["shape"], case["dtype"], -case["scale"], case["scale"]).requires_grad_()
    axis = case["axis"]
    relu = F.relu(x)
    relu.backward(uniform(case["shape"], case["dtype"]))
    return {"softmax": x.softmax(axis), "log_softmax": x.log_softmax(axis), "argmax": x.argmax(axis),
            "relu": relu, "relu_backward": x.grad}


def multinomial_cases():
    kinds = product(((7,), (300, 5), (40, 80)), (None, 0.5, 1.0, 1.5), TORCH)
    for seed, (shape, temperature, dtype) in enumerate(kinds):
        yield {"shape": shape, "temperature": temperature, "dtype": dtype, "seed": seed}


def run_multinomial(case):
    if case["temperature"]:
        logits = uniform(case["shape"], case["dtype"], -4, 4)
        weights = (logits / case["temperature"]).softmax(-1)
    else:
        drawn = uniform(case["shape"], "f64", 0, 1) ** 8
        weights = torch.where(drawn < 1e-6, 0, drawn).to(TORCH[case["dtype"]])
    indices = weights.multinomial(1).squeeze(-1)
    return {"indices": indices, "next": torch.rand(1, dtype=torch.float64)}


def dropout_cases():
    for seed, (shape, p, dtype) in enumerate(product(((3,), (4, 5, 6)), (0.0, 0.3, 0.5, 1.0), TORCH)):
        yield {"shape": shape, "p": p, "dtype": dtype, "seed": seed}


def run_dropout(case):
    x = uniform(case["shape"], case["dtype"]).requires_grad_()
    output = torch.nn.Dropout(case["p"])(x)
    output.backward(uniform(case["shape"], case["dtype"]))
    return {"output": output, "gradient": x.grad, "next": torch.rand(1, dtype=torch.float64)}


def renorm_cases():
    options = product((0.0, 0.5, 2.0), (1.0, 2.0, 3.0, "inf"), TORCH)
    for seed, (max_norm, norm_type, dtype) in enumerate(options):
        yield {"max_norm": max_norm, "norm_type": norm_type, "dtype": dtype, "seed": seed}


def run_renorm(case):
    options = {"max_norm": case["max_norm"], "norm_type": float(case["norm_type"])}
    embedding = torch.nn.Embedding(10, 3, 0, dtype=TORCH[case["dtype"]], **options)
    output = embedding(torch.tensor(INDICES))
    output.backward(uniform(output.shape, case["dtype"]))
    return {"output": output, "table": embedding.weight, "weight": embedding.weight.grad}


def probability_cases():
    options = product(((3,), (4, 3), (2, 3, 2), (0, 3)), (None, WEIGHT), (0.0, 0.1), ("mean", "sum", "none"), TORCH)
    for seed, (shape, weight, smoothing, reduction, dtype) in enumerate(options):
        yield {"shape": shape, "weight": weight, "label_smoothing": smoothing, "reduction": reduction, "dtype": dtype,
               "seed": seed}


def run_probabilities(case):
    dtype = case["dtype"]
    x = uniform(case["shape"], dtype, -3, 3).requires_grad_()
    axis = min(1, len(case["shape"]) - 1)
    target = (3 * uniform(case["shape"], "f64").softmax(axis)).to(TORCH[dtype])
    weight = None if case["weight"] is None else torch.tensor(case["weight"], dtype=TORCH[dtype])
    options = {"reduction": case["reduction"], "label_smoothing": case["label_smoothing"]}
    value = F.cross_entropy(x, target, weight, **options)
    value.backward(uniform(value.shape, dtype) if case["reduction"] == "none" else None)
    return {"value": value, "gradient": x.grad}


GROUPS = {
    "softmax": (softmax_cases, run_softmax),
    "multinomial": (multinomial_cases, run_multinomial),
    "dropout": (dropout_cases, run_dropout),
    "renorm": (renorm_cases, run_renorm),
    "probabilities": (probability_cases, run_probabilities),
}


if __name__ == "__main__":
    write("functions.safetensors", GROUPS)
