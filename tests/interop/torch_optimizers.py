"""Writes fixtures/torch/optimizers.pt, and checks that fixtures/written/optimizers.pt, which this crate made of it, loads in torch.

    python tests/interop/torch_optimizers.py

For each of CASES: {"optimizer": the optimiser's state after three steps, "parameters": those of the two linear maps, in their
order, "after": all parameters after five more steps, flat}. Gradients are uniform in (-1, 1), drawn parameter by parameter from
manual_seed(1) for the first steps and from manual_seed(2) for the others. A case with a second list of options has the second
map's parameters in a group of their own. This crate writes the same from what it read, without "parameters" and "after".
"""

from pathlib import Path

import torch

FIXTURES = Path(__file__).parent / "fixtures"
CASES = {
    "sgd": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    "plain": (torch.optim.SGD, {"lr": 0.1, "maximize": True}),
    "adam": (torch.optim.Adam, {"lr": 0.03, "betas": (0.8, 0.99), "eps": 1e-6}),
    "adamw": (torch.optim.AdamW, {"lr": 0.02, "amsgrad": True}, {"lr": 0.005, "weight_decay": 0.1}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "centered": True}, {"momentum": 0.5}),
}


def make(optimizer, options, second=None):
    torch.manual_seed(0)
    modules = torch.nn.ModuleList([torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)])
    if second is None:
        return modules, optimizer(modules.parameters(), **options)
    groups = [{"params": modules[0].parameters()}, {"params": modules[1].parameters(), **second}]
    return modules, optimizer(groups, **options)


def train(modules, optimizer, seed, steps):
    torch.manual_seed(seed)
    for _ in range(steps):
        for parameter in modules.parameters():
            parameter.grad = torch.empty_like(parameter).uniform_(-1, 1)
        optimizer.step()


def flat(modules):
    return torch.cat([parameter.detach().flatten() for parameter in modules.parameters()])


def main():
    results = {}
    for name, case in CASES.items():
        modules, optimizer = make(*case)
        if name == "plain":  # as a scheduler leaves it
            torch.optim.lr_scheduler.StepLR(optimizer, 1)
        train(modules, optimizer, 1, 3)
        saved = {"optimizer": optimizer.state_dict(), "parameters": modules.state_dict()}
        saved = torch.load(_saved(saved))
        train(modules, optimizer, 2, 5)
        results[name] = saved | {"after": flat(modules)}
    torch.save(results, FIXTURES / "torch" / "optimizers.pt")


def _saved(value):
    import io

    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return buffer


def check():
    saved = torch.load(FIXTURES / "torch" / "optimizers.pt")
    written = torch.load(FIXTURES / "written" / "optimizers.pt")
    assert list(written) == list(CASES)
    for name, (kind, *_, last) in CASES.items():
        state, ours = saved[name]["optimizer"], written[name]
        for group, mine in zip(state["param_groups"], ours["param_groups"], strict=True):
            assert all(group[key] == mine[key] for key in mine), (name, group, mine)
        assert {i: list(buffers) for i, buffers in state["state"].items()} == {i: list(b) for i, b in ours["state"].items()}
        # A fresh optimiser of other options: all that it does next comes from the file.
        modules, optimizer = make(kind, {}, {} if len(CASES[name]) == 3 else None)
        modules.load_state_dict(saved[name]["parameters"])
        optimizer.load_state_dict(ours)
        train(modules, optimizer, 2, 5)
        assert torch.equal(flat(modules), saved[name]["after"]), name
    print(f"torch: {len(CASES)} optimisers written here go on there, bit for bit")


if __name__ == "__main__":
    main()
    if (FIXTURES / "written" / "optimizers.pt").exists():
        check()
