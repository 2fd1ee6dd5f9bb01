"""Writes schedules.safetensors: learning rates of torch 2.15's schedulers, epoch by epoch.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/schedules.py

Running it twice writes the same bytes. The metadata's one key, `cases`, has a list for each group.

curve.{i}.rates         The learning rates of the epochs 0 to `epochs` - 1, from 0.1. Of MultiStepLR and LinearLR these are
                        the closed forms, checked here to differ from the steps by rounding only.
curve.{i}.momenta       Of OneCycleLR, the momentum of SGD or beta1 of Adam.
curve.{i}.warm          Of LinearLR before CosineAnnealingLR(T_max=20, eta_min=0.001) in a SequentialLR.
plateau.{i}.rates       The learning rates of two groups, from 0.1 and 0.003, after each epoch whose metric is in
                        plateau.{i}.metrics: a fall with noise, then none; the `nan`-th is NaN.
"""

import math
import warnings

from training import write

import torch
from torch.optim import lr_scheduler


def curve_cases():
    for milestones, gamma in (((3, 7), 0.5), ((7, 3, 3, 30), 0.1), ((), 0.1), ((0, 2), 1.5)):
        yield {"scheduler": "MultiStepLR", "options": {"milestones": milestones, "gamma": gamma}, "epochs": 41}
    for start, end, total in ((1 / 3, 1.0, 5), (0.001, 1.0, 16), (1.0, 0.0, 30), (0.5, 0.25, 1)):
        options = {"start_factor": start, "end_factor": end, "total_iters": total}
        yield {"scheduler": "LinearLR", "options": options, "epochs": 41}
    for t_0, t_mult, eta_min in ((10, 1, 0.0), (5, 2, 0.001), (3, 3, 0.2), (1, 1, 0.0), (50, 2, 0.01)):
        options = {"T_0": t_0, "T_mult": t_mult, "eta_min": eta_min}
        yield {"scheduler": "CosineAnnealingWarmRestarts", "options": options, "epochs": 130}
    for optimizer in ("SGD", "Adam"):
        for options in ({}, {"anneal_strategy": "linear", "pct_start": 0.25}, {"three_phase": True},
                        {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.45, "div_factor": 5.0},
                        {"pct_start": 0.0, "final_div_factor": 10.0}, {"pct_start": 1.0},
                        {"pct_start": 0.7, "three_phase": True, "base_momentum": 0.6, "max_momentum": 0.9}):
            for total in (1, 7, 60):
                if options.get("pct_start", 0.3) * total == 1:
                    continue  # torch divides by zero
                steps = {"total_steps": total, **options}
                yield {"scheduler": "OneCycleLR", "optimizer": optimizer, "options": steps, "epochs": total}


def run_curve(case):
    parameters = [torch.zeros(1, requires_grad=True)]
    optimizer = getattr(torch.optim, case.get("optimizer", "SGD"))(parameters, lr=0.1)
    first = {"max_lr": 0.1} if case["scheduler"] == "OneCycleLR" else {}
    scheduler = getattr(lr_scheduler, case["scheduler"])(optimizer, **first, **case["options"])
    rates, momenta = [], []
    for epoch in range(case["epochs"]):
        if epoch > 0:
            scheduler.step()
        group = optimizer.param_groups[0]
        rates.append(group["lr"])
        momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
        if hasattr(scheduler, "_get_closed_form_lr"):
            [rates[-1]] = scheduler._get_closed_form_lr()
            assert math.isclose(rates[-1], group["lr"], rel_tol=1e-12, abs_tol=1e-15), case
        optimizer.step()
    results = {"rates": torch.tensor(rates, dtype=torch.float64)}
    if case["scheduler"] == "OneCycleLR":
        results["momenta"] = torch.tensor(momenta, dtype=torch.float64)
    if case["scheduler"] == "LinearLR":
        results["warm"] = warm(case)
    return results


def warm(case):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    linear = lr_scheduler.LinearLR(optimizer, **case["options"])
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, 20, 0.001)
    scheduler = lr_scheduler.SequentialLR(optimizer, [linear, cosine], [case["options"]["total_iters"]])
    rates = []
    for _ in range(case["epochs"]):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rates, dtype=torch.float64)


def plateau_cases():
    options = (
        {}, {"patience": 2, "factor": 0.5}, {"patience": 0, "factor": 0.0, "min_lr": 0.002},
        {"patience": 1, "cooldown": 3, "factor": 0.7}, {"patience": 2, "threshold": 0.3},
        {"patience": 2, "threshold": 0.05, "threshold_mode": "abs"}, {"patience": 3, "eps": 0.002, "factor": 0.3},
    )
    for i, option in enumerate(options):
        for mode in ("min", "max"):
            yield {"options": {"mode": mode, **option}, "nan": 4 if i % 2 else 100, "seed": i}


def run_plateau(case):
    falling = torch.exp(-torch.arange(60, dtype=torch.float64).clamp(max=25) / 6)
    metrics = falling + 0.05 * torch.rand(60, dtype=torch.float64)
    if case["options"]["mode"] == "max":
        metrics = 1 - metrics
    if case["nan"] < 60:
        metrics[case["nan"]] = math.nan
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.003)]
    optimizer = torch.optim.SGD(groups)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **case["options"])
    rates = []
    for metric in metrics:
        scheduler.step(metric.item())
        rates.append([group["lr"] for group in optimizer.param_groups])
    return {"rates": torch.tensor(rates, dtype=torch.float64), "metrics": metrics}


def seeded(cases):
    return lambda: [{"seed": 0, "dtype": "f64"} | case for case in cases()]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of parameters without gradients
    write("schedules.safetensors", {
        "curve": (seeded(curve_cases), run_curve),
        "plateau": (seeded(plateau_cases), run_plateau),
    })
