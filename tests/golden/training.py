"""Writes training.safetensors: what torch 2.15 computes on the CPU when it trains.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/training.py

Running it twice writes the same bytes. Arguments are not stored: they are drawn in the case's dtype from
manual_seed(case["seed"]), in the order given here, uniform in (-1, 1) unless said otherwise.
The metadata's one key, `cases`, has a list for each group; tensor names count within their group.

linear.{i}.{output, input, weight, bias}
        Linear(in, out, bias); then the input, of `leading` axes and the features, and d_output. The last three
        are gradients.
embedding.{i}.{table, output, weight}
        Embedding(10, 3, padding_idx), its table, the vectors of INDICES and, for a drawn d_output, the gradient.
optimizer.{i}.parameters
        All parameters of Linear(5, 3), flat, after each of 50 steps, a row each; at each step a gradient is drawn for
        the weight, then for the bias.
schedule.{i}.rates
        The learning rates of the epochs 0 to 40.
scheduled.{i}.parameters
        As optimizer, 20 steps, after each of which the scheduler steps, too.
clip.{i}.{total_norm, gradients}
        The gradients of Linear(5, 3), drawn after it, are clipped: all of them, flat, and their norm.
"""

import math
from itertools import product

from generate import TORCH, save

import torch

STEPS = 50
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
    scheduler = make_scheduler(case, optimizer) if "scheduler" in case else None
    rows = []
    for _ in range(case.get("steps", STEPS)):
        draw_gradients(linear, case["dtype"])
        optimizer.step()
        rows.append(flat(linear.parameters()))
        if scheduler:
            scheduler.step()
    return {"parameters": torch.stack(rows)}


# Schedules


def schedules():
    """Names and options. There is a cosine that reaches its end exactly, one that turns, and one that rises from the start."""
    for step_size, gamma in ((7, 0.5), (1, 0.9), (3, 0.0), (2, 1.5), (50, 0.1)):
        yield "StepLR", {"step_size": step_size, "gamma": gamma}
    for gamma in (0.9, 0.0, 1.0, 1.1):
        yield "ExponentialLR", {"gamma": gamma}
    for t_max, eta_min in ((11, 0.001), (11, 0.2), (1, 0.0), (16, 0.0), (100, 0.1)):
        yield "CosineAnnealingLR", {"T_max": t_max, "eta_min": eta_min}


def make_scheduler(case, optimizer):
    return getattr(torch.optim.lr_scheduler, case["scheduler"])(optimizer, **case["schedule"])


def schedule_cases():
    for scheduler, schedule in schedules():
        yield {"scheduler": scheduler, "schedule": schedule, "lr": 0.1, "dtype": "f64", "seed": 0}


def run_schedule(case):
    """The rates by torch's closed forms, after a check that its step-by-step rates differ by rounding only."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=case["lr"])
    scheduler = make_scheduler(case, optimizer)
    rates = []
    for _ in range(41):
        rates += scheduler._get_closed_form_lr()
        assert math.isclose(rates[-1], optimizer.param_groups[0]["lr"], rel_tol=1e-12, abs_tol=1e-15), case
        optimizer.step()
        scheduler.step()
    return {"rates": torch.tensor(rates, dtype=torch.float64)}


def scheduled_cases():
    pairs = (
        ("SGD", {"lr": 0.1, "momentum": 0.9}, "StepLR", {"step_size": 6, "gamma": 0.3}),
        ("Adam", {"lr": 0.1}, "CosineAnnealingLR", {"T_max": 11, "eta_min": 0.001}),
    )
    for seed, ((optimizer, options, scheduler, schedule), dtype) in enumerate(product(pairs, TORCH)):
        schedule = {"scheduler": scheduler, "schedule": schedule, "lr": options["lr"]}
        yield {"optimizer": optimizer, "options": options, **schedule, "steps": 20, "dtype": dtype, "seed": seed}


# Clipping


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
    "optimizer": (optimizer_cases, run_optimizer),
    "schedule": (schedule_cases, run_schedule),
    "scheduled": (scheduled_cases, run_optimizer),
    "clip": (clip_cases, run_clip),
}


def write(file, groups):
    """Writes the results of the groups' cases, each from its seed."""
    assert torch.__version__.startswith("2.15."), torch.__version__
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    torch.set_num_threads(1)
    tensors, cases = {}, {}
    for group, (make_cases, run) in groups.items():
        cases[group] = list(make_cases())
        for i, case in enumerate(cases[group]):
            torch.manual_seed(case["seed"])
            results = run(case)
            tensors |= {f"{group}.{i}.{name}": tensor.detach() for name, tensor in results.items()}
    save(file, tensors, cases=cases)


if __name__ == "__main__":
    write("training.safetensors", GROUPS)
