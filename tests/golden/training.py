"""Writes training.safetensors: what torch 2.15 computes on the CPU when it trains.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/training.py

Running it twice writes the same bytes. What goes in is not stored: everything is drawn in the case's dtype from
manual_seed(case["seed"]), in the order given here, uniform in (-1, 1) unless said otherwise.
The metadata's one key, `cases`, has a list for each group; tensor names count within their group.

linear.{i}.{output, input, weight, bias}
        Linear(in, out, bias); then the input, of `leading` axes and the features, and d_output. The last three
        are gradients.
embedding.{i}.{table, output, weight}
        Embedding(10, 3, padding_idx), its table, the vectors of INDICES and, for a drawn d_output, the gradient.
loss.{i}.{value, gradient}
        The input in (-scale, scale), the target, and for reduction "none" the cotangent of the losses. Targets:
        of cross_entropy and nll uniform f64 numbers in (0, 1) times the classes, rounded down; of
        bce_with_logits in (0, 1); of others in (-scale, scale). With `grid` the input is (-4, ..., 4) / 2 and the
        target 0; bce_with_logits has none. nll takes log_softmax of the drawn input, in f64, as its input.
optimizer.{i}.{step}
        All parameters of Linear(5, 3), flat, after steps 1, 2, 10 and 50; at each step a gradient is drawn for the
        weight, then for the bias.
schedule.{name}
        The learning rates of the epochs 0 to 40, f64.
clip.{i}.{total_norm, gradients}
        The gradients of Linear(5, 3), drawn after it, are clipped: all of them, flat, and their norm.
"""

import math
from itertools import product

from generate import TORCH, save

import torch
import torch.nn.functional as F

STEPS = (1, 2, 10, 50)
INDICES = ((4, 2, 4), (0, 9, 2))


def uniform(shape, dtype, low=-1, high=1):
    return torch.empty(shape, dtype=TORCH[dtype]).uniform_(low, high)


def flat(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


# Modules

LINEAR_SIZES = (((), 7, 5), ((5,), 7, 5), ((3, 4), 2, 6), ((2, 20), 33, 17))


def linear_cases():
    for seed, ((leading, inputs, outputs), bias, dtype) in enumerate(product(LINEAR_SIZES, (True, False), TORCH)):
        yield {"leading": leading, "in": inputs, "out": outputs, "bias": bias, "dtype": dtype, "seed": seed}


def run_linear(case):
    linear = torch.nn.Linear(case["in"], case["out"], case["bias"], dtype=TORCH[case["dtype"]])
    x = uniform((*case["leading"], case["in"]), case["dtype"]).requires_grad_()
    output = linear(x)
    output.backward(uniform(output.shape, case["dtype"]))
    gradients = {name: parameter.grad for name, parameter in linear.named_parameters()}
    return {"output": output, "input": x.grad, **gradients}


def embedding_cases():
    for seed, (padding_idx, dtype) in enumerate(product((None, 2), TORCH)):
        yield {"padding_idx": padding_idx, "dtype": dtype, "seed": seed}


def run_embedding(case):
    embedding = torch.nn.Embedding(10, 3, padding_idx=case["padding_idx"], dtype=TORCH[case["dtype"]])
    output = embedding(torch.tensor(INDICES))
    output.backward(uniform(output.shape, case["dtype"]))
    return {"table": embedding.weight, "output": output, "weight": embedding.weight.grad}


# Losses

WEIGHT = (0.25, 1.5, 1.0)
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


def pointwise_options():
    for name, options in POINTWISE:
        yield name, (2, 5), options
    for pos_weight in (None, (2.5,), WEIGHT):
        yield "bce_with_logits", (4, 3), {"pos_weight": pos_weight}


def all_loss_cases():
    for (name, shape, options), reduction, dtype in product(
        (*class_options(), *pointwise_options()), REDUCTIONS, TORCH
    ):
        yield {"loss": name, "shape": shape, **options, "reduction": reduction, "dtype": dtype, "scale": 3}
    for (name, options), dtype in product(POINTWISE, TORCH):
        yield {"loss": name, "shape": (9,), **options, "reduction": "sum", "dtype": dtype, "grid": True}
    # Exponentials that overflow if they are computed naively.
    for dtype in TORCH:
        wide = {"reduction": "mean", "dtype": dtype, "scale": 800}
        yield {"loss": "cross_entropy", "shape": (4, 3), **wide}
        yield {"loss": "bce_with_logits", "shape": (4, 3), **wide}


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
        return (uniform(shape, "f64", 0, 1) * case["shape"][axis]).long()
    low = 0 if case["loss"] == "bce_with_logits" else -case["scale"]
    return uniform(case["shape"], case["dtype"], low, case.get("scale") if low else 1)


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
    value.backward(uniform(value.shape, case["dtype"]) if case["reduction"] == "none" else None)
    return {"value": value, "gradient": x.grad}


def loss_cases():
    return [case | {"seed": seed} for seed, case in enumerate(all_loss_cases())]


# Optimisers

OPTIMIZERS = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW, "RMSprop": torch.optim.RMSprop}


def optimizer_options():
    yield "SGD", {}
    yield "SGD", {"lr": 0.1}
    yield "SGD", {"lr": 0.1, "weight_decay": 0.01, "maximize": True}
    for decay, dampening in product((0.0, 0.01), (0.0, 0.3)):
        yield "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": dampening, "weight_decay": decay}
    for decay in (0.0, 0.01):
        yield "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": decay}
    for name in ("Adam", "AdamW"):
        yield name, {}
        for amsgrad, decay in product((False, True), (0.0, 0.05)):
            yield name, {"lr": 0.1, "amsgrad": amsgrad, "weight_decay": decay}
        yield name, {"lr": 0.03, "betas": (0.4, 0.7), "eps": 1e-3, "maximize": True}
    yield "RMSprop", {}
    for momentum, centered, decay in product((0.0, 0.9), (False, True), (0.0, 0.05)):
        yield "RMSprop", {"lr": 0.02, "momentum": momentum, "centered": centered, "weight_decay": decay}
    yield "RMSprop", {"lr": 0.02, "alpha": 0.4, "eps": 1e-3, "centered": True, "maximize": True}


def optimizer_cases():
    for seed, ((name, options), dtype) in enumerate(product(optimizer_options(), TORCH)):
        yield {"optimizer": name, "options": options, "dtype": dtype, "seed": seed}


def draw_gradients(linear, dtype):
    for parameter in linear.parameters():
        parameter.grad = uniform(parameter.shape, dtype)


def run_optimizer(case):
    linear = torch.nn.Linear(5, 3, dtype=TORCH[case["dtype"]])
    optimizer = OPTIMIZERS[case["optimizer"]](linear.parameters(), **case["options"])
    results = {}
    for step in range(1, STEPS[-1] + 1):
        draw_gradients(linear, case["dtype"])
        optimizer.step()
        if step in STEPS:
            results[str(step)] = flat(linear.parameters())
    return results


def schedule_tensors():
    """torch's closed forms, after checking that its step-by-step rates are the same but for rounding."""
    schedulers = torch.optim.lr_scheduler
    kinds = {
        "StepLR": (schedulers.StepLR, {"step_size": 7, "gamma": 0.5}),
        "ExponentialLR": (schedulers.ExponentialLR, {"gamma": 0.9}),
        "CosineAnnealingLR": (schedulers.CosineAnnealingLR, {"T_max": 11, "eta_min": 0.001}),
    }
    for name, (kind, options) in kinds.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler = kind(optimizer, **options)
        rates = []
        for _ in range(41):
            rates += scheduler._get_closed_form_lr()
            assert math.isclose(rates[-1], optimizer.param_groups[0]["lr"], rel_tol=1e-12), name
            optimizer.step()
            scheduler.step()
        yield f"schedule.{name}", torch.tensor(rates, dtype=torch.float64)


def clip_cases():
    options = [
        {"max_norm": max_norm, "norm_type": norm_type}
        for max_norm, norm_type in product((0.5, 100.0), (2.0, 1.0, 3.0, "inf"))
    ]
    for seed, (option, dtype) in enumerate(product((*options, {"clip_value": 0.3}), TORCH)):
        yield option | {"dtype": dtype, "seed": seed}


def run_clip(case):
    linear = torch.nn.Linear(5, 3, dtype=TORCH[case["dtype"]])
    draw_gradients(linear, case["dtype"])
    results = {}
    if "clip_value" in case:
        torch.nn.utils.clip_grad_value_(linear.parameters(), case["clip_value"])
    else:
        norm = torch.nn.utils.clip_grad_norm_(linear.parameters(), case["max_norm"], float(case["norm_type"]))
        results["total_norm"] = norm
    return results | {"gradients": flat(parameter.grad for parameter in linear.parameters())}


GROUPS = {
    "linear": (linear_cases, run_linear),
    "embedding": (embedding_cases, run_embedding),
    "loss": (loss_cases, run_loss),
    "optimizer": (optimizer_cases, run_optimizer),
    "clip": (clip_cases, run_clip),
}


def main():
    assert torch.__version__.startswith("2.15."), torch.__version__
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    torch.set_num_threads(1)
    tensors, cases = dict(schedule_tensors()), {}
    for group, (make_cases, run) in GROUPS.items():
        cases[group] = list(make_cases())
        for i, case in enumerate(cases[group]):
            torch.manual_seed(case["seed"])
            results = run(case)
            tensors |= {f"{group}.{i}.{name}": tensor.detach() for name, tensor in results.items()}
    save("training.safetensors", tensors, cases=cases)


if __name__ == "__main__":
    main()
