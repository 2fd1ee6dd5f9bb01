"""Writes rng_state.safetensors: the state of torch 2.15's generator on the CPU after some draws, and what it draws then.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/rng_state.py

Running it twice writes the same bytes.

{seed}/{n}/state        torch.get_rng_state() after torch.manual_seed(seed) and torch.rand(n)
{seed}/{n}/uniform      torch.rand(700) from there: more than the 624 words that the generator makes at once
kept/state              as {seed}/{n}/state after torch.randn(1) in place of uniform values: half a pair is kept
"""

from generate import save

import torch

# At the seed, within the words, at their end, and at the first of the next.
CASES = ((0, 0), (0, 1), (0, 623), (0, 624), (0, 625), (-1, 2000), (2**33 + 5, 300))


def main():
    assert torch.__version__.startswith("2.15."), torch.__version__
    tensors = {}
    for seed, n in CASES:
        torch.manual_seed(seed)
        torch.rand(n)
        tensors[f"{seed}/{n}/state"] = torch.get_rng_state()
        tensors[f"{seed}/{n}/uniform"] = torch.rand(700)
    torch.manual_seed(0)
    torch.randn(1)
    tensors["kept/state"] = torch.get_rng_state()
    save("rng_state.safetensors", tensors)


if __name__ == "__main__":
    main()
