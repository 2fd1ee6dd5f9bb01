"""Writes losses.safetensors: torch 2.15's losses and their gradients on the CPU.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/losses.py

Running it twice writes the same bytes. Arguments are not stored: they are drawn in the case's dtype from
manual_seed(case["seed"]), in the order given here, uniform in (-1, 1) unless said otherwise.
The metadata's one key, `cases`, has the list `loss`. For every i of it:

loss.{i}.{value, gradient}
        The input in (-scale, scale), the target, and for reduction "none" the cotangent of the losses. Targets:
        of cross_entropy and nll uniform f64 numbers in (0, 1) times the classes, rounded down; of
        bce_with_logits in (0, 1); of others in (-scale, scale). With `grid` the input is (-4, ..., 4) / 2 and the
        target 0; bce_with_logits has none. nll takes log_softmax of the drawn input, in f64, as its input.
        With `target` every target then becomes that one; with `cotangent` the cotangents of ignored targets become
        that number, or with `everywhere` all.
"""

from itertools import product

from generate import TORCH
from training import uniform, write

import torch
import torch.nn.functional as F

WEIGHT = (0.25, 1.5, 1.0)
ZEROS = (0.0, 1.5, 0.0)
SHAPES = ((3,), (4, 3), (2, 3, 2))
SMOOTHINGS = (*(("cross_entropy", {"label_smoothing": s}) for s in (0.0, 0.1)), ("nll", {}))
REDUCTIONS = ("mean", "sum", "none")
CLASS_LOSSES = ("cross_entropy", "nll")
POINTWISE = (
    ("mse", {}),
    ("l1", {}),
    *(("smooth_l1", {"beta": beta}) for beta in (1.0, 0.5, 0.0)),
    *(("huber", {"delta": delta}) for delta in (1.0, 0.5)),
)


def class_options():
    """Shape and options: all combinations for a batch, fewer for one row and for more axes."""
    for weight, ignored, smoothing in product((None, WEIGHT), (None, 1), (0.0, 0.1, 1.0)):
        yield "cross_entropy", (4, 3), {"weight": weight, "ignore_index": ignored, "label_smoothing": smoothing}
    for shape, weight, smoothing in product(((3,), (2, 3, 2)), (None, WEIGHT), (0.0, 0.1)):
        yield "cross_entropy", shape, {"weight": weight, "ignore_index": None, "label_smoothing": smoothing}
    for shape, weight, ignored in product(((3,), (4, 3), (2, 3, 2)), (None, WEIGHT), (None, 1)):
        yield "nll", shape, {"weight": weight, "ignore_index": ignored}


def ignoring_options():
    """Ignored targets, among others and alone, and weights that sum to 0 over the targets that count."""
    for shape, weight, smoothing in product(((3,), (2, 3, 2), (2, 3, 2, 2)), (None, WEIGHT), (0.0, 0.1)):
        yield "cross_entropy", shape, {"weight": weight, "ignore_index": 1, "label_smoothing": smoothing}
    for weight, ignored in product((None, WEIGHT), (None, 1)):
        yield "nll", (2, 3, 2, 2), {"weight": weight, "ignore_index": ignored}
    for (loss, options), shape in product(SMOOTHINGS, SHAPES):
        for weight in (None, WEIGHT):
            yield loss, shape, {"weight": weight, "ignore_index": 1, "target": 1, **options}
        yield loss, shape, {"weight": ZEROS, "ignore_index": 1, **options}
        yield loss, shape, {"weight": ZEROS, "target": 0, **options}


def cotangent_options():
    """Cotangents that are not finite, where torch's gradient of cross_entropy is no difference of infinities."""
    for (loss, options), shape, cotangent in product(SMOOTHINGS, SHAPES, ("inf", "nan")):
        options = {"weight": WEIGHT, "ignore_index": 1, "cotangent": cotangent, **options}
        yield loss, shape, options
        if loss == "nll":
            yield loss, shape, options | {"everywhere": True}


def pointwise_options():
    for name, options in POINTWISE:
        yield name, (2, 5), options
    for pos_weight in (None, (2.5,), WEIGHT):
        yield "bce_with_logits", (4, 3), {"pos_weight": pos_weight}


def reduced(all_options, reductions=REDUCTIONS):
    for (name, shape, options), reduction, dtype in product(all_options, reductions, TORCH):
        yield {"loss": name, "shape": shape, **options, "reduction": reduction, "dtype": dtype, "scale": 3}


def all_loss_cases():
    yield from reduced((*class_options(), *pointwise_options()))
    for (name, options), dtype in product(POINTWISE, TORCH):
        yield {"loss": name, "shape": (9,), **options, "reduction": "sum", "dtype": dtype, "grid": True}
    # Exponentials that overflow if they are computed naively.
    for dtype in TORCH:
        wide = {"reduction": "mean", "dtype": dtype, "scale": 800}
        yield {"loss": "cross_entropy", "shape": (4, 3), **wide}
        yield {"loss": "bce_with_logits", "shape": (4, 3), **wide}
    yield from reduced(ignoring_options())
    yield from reduced(cotangent_options(), ("none",))
    empty = [(name, (0, 3), options) for name, _, options in pointwise_options()]
    yield from reduced((*empty, *((name, (0, 3), {}) for name in CLASS_LOSSES)))


def draw_loss_input(case):
    if case.get("grid"):
        return torch.arange(-4, 5, dtype=TORCH[case["dtype"]]) / 2
    drawn = uniform(case["shape"], case["dtype"], -case["scale"], case["scale"])
    if case["loss"] != "nll":
        return drawn
    return drawn.double().log_softmax(0 if drawn.dim() == 1 else 1).to(drawn.dtype)


def draw_loss_target(case):
    if case.get("grid"):
        return torch.zeros(9, dtype=TORCH[case["dtype"]])
    if case["loss"] in CLASS_LOSSES:
        axis = min(1, len(case["shape"]) - 1)
        shape = case["shape"][:axis] + case["shape"][axis + 1 :]
        target = (uniform(shape, "f64", 0, 1) * case["shape"][axis]).long()
        return target.fill_(case["target"]) if "target" in case else target
    low = 0 if case["loss"] == "bce_with_logits" else -case["scale"]
    return uniform(case["shape"], case["dtype"], low, case.get("scale") if low else 1)


def draw_cotangent(case, target):
    cotangent = uniform(target.shape, case["dtype"])
    if "cotangent" in case:
        spoilt = torch.tensor(True) if case.get("everywhere") else target == case["ignore_index"]
        cotangent[spoilt.expand(target.shape)] = float(case["cotangent"])
    return cotangent


def loss_function(case):
    dtype = TORCH[case["dtype"]]
    options = {key: case[key] for key in ("label_smoothing", "beta", "delta") if key in case}
    for key in ("weight", "pos_weight"):
        if case.get(key) is not None:
            options[key] = torch.tensor(case[key], dtype=dtype)
    if case.get("ignore_index") is not None:
        options["ignore_index"] = case["ignore_index"]
    functions = {
        "cross_entropy": F.cross_entropy,
        "nll": F.nll_loss,
        "mse": F.mse_loss,
        "l1": F.l1_loss,
        "smooth_l1": F.smooth_l1_loss,
        "huber": F.huber_loss,
        "bce_with_logits": F.binary_cross_entropy_with_logits,
    }
    function = functions[case["loss"]]
    return lambda x, target: function(x, target, reduction=case["reduction"], **options)


def run_loss(case):
    x = draw_loss_input(case).requires_grad_()
    target = draw_loss_target(case)
    value = loss_function(case)(x, target)
    value.backward(draw_cotangent(case, target) if case["reduction"] == "none" else None)
    return {"value": value, "gradient": x.grad}


def loss_cases():
    return [case | {"seed": seed} for seed, case in enumerate(all_loss_cases())]


if __name__ == "__main__":
    write("losses.safetensors", {"loss": (loss_cases, run_loss)})
