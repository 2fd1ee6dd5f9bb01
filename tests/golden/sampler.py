"""Writes sampler.safetensors: what torch 2.15's DistributedSampler gives each rank.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/sampler.py

Running it twice writes the same bytes.

{i}     for every i of the metadata's list `cases`: the indices of all ranks, one rank after another
"""

from itertools import product

from generate import save

import torch
from torch.utils.data import DistributedSampler

# The last one repeats its samples several times, or has none.
SIZES = ((24, 4), (25, 4), (23, 8), (7, 1), (3, 8))
EPOCHS = ((0, 0), (0, 1), (11, 5), (2**32 - 2, 3))


def cases():
    for (length, replicas), drop_last in product(SIZES, (False, True)):
        fields = {"len": length, "num_replicas": replicas, "drop_last": drop_last}
        yield {**fields, "shuffle": False, "seed": 0, "epoch": 1}
        yield from ({**fields, "shuffle": True, "seed": seed, "epoch": epoch} for seed, epoch in EPOCHS)


def indices(case):
    options = {key: case[key] for key in ("num_replicas", "shuffle", "seed", "drop_last")}
    for rank in range(case["num_replicas"]):
        sampler = DistributedSampler(range(case["len"]), rank=rank, **options)
        sampler.set_epoch(case["epoch"])
        yield from sampler


def main():
    assert torch.__version__.startswith("2.15."), torch.__version__
    all_cases = list(cases())
    tensors = {str(i): torch.tensor(list(indices(case)), dtype=torch.int64) for i, case in enumerate(all_cases)}
    save("sampler.safetensors", tensors, cases=all_cases)


if __name__ == "__main__":
    main()
