"""Writes spare.safetensors: what torch 2.15 draws on the CPU when arrays share pairs of normal values.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/spare.py

Running it twice writes the same bytes. The script checks what it writes against `Generator` of generate.py.

torch makes normal values in pairs. An array of fewer than 16 may leave half a pair over, which the generator keeps, and
with which the next such array begins.

{seed}/{name}/{step}    arrays drawn one after another from one seed. The metadata's `sequences` lists the steps of each
                        name. `normal` has mean -0.2 and standard deviation 0.3, `bernoulli` p = 0.3, the others torch's
                        defaults. `seed` is manual_seed(seed) again, `refused` a draw with a bad argument: no array.
{seed}/{name}/state     torch.get_rng_state() after the last step
{seed}/{name}/next      what torch.randn(5, dtype=torch.float64) gives after torch.set_rng_state of that
"""

import math

from generate import NUMPY, TORCH, agreed, fresh, save

import numpy as np
import torch

MEAN, STD, P = -0.2, 0.3, 0.3
# Orthogonal matrices are as far from numpy's as the rounding of two QR decompositions.
TOLERANCE = {"f32": 2e-6, "f64": 1e-14}

SEQUENCES = {
    "xavier_normal": (("xavier_normal", "f32", 1, 3), ("xavier_normal", "f32", 1, 3)),
    "orthogonal": (("orthogonal", "f32", 1, 3), ("orthogonal", "f64", 5, 3), ("orthogonal", "f32", 2, 3)),
    "embedding": (("embedding", "f32", 1, 3), ("embedding", "f64", 3, 5), ("embedding", "f32", 5, 1)),
    "types": (
        ("normal", "f64", 1), ("normal", "f32", 3), ("xavier_normal", "f64", 3, 1), ("orthogonal", "f32", 3, 3),
        ("embedding", "f64", 1, 5), ("normal", "f32", 1),
    ),
    "blocks": (
        ("normal", "f32", 1), ("normal", "f32", 16), ("xavier_normal", "f64", 3, 7), ("embedding", "f32", 4, 4),
        ("orthogonal", "f64", 5, 5), ("embedding", "f64", 5, 3),
    ),
    "words": (
        ("normal", "f32", 3), ("uniform", "f32", 3), ("bernoulli", "f64", 7), ("randperm", "i64", 6),
        ("normal", "f64", 2),
    ),
    "seeded": (("normal", "f32", 3), ("seed",), ("normal", "f32", 3)),
    "cleared": (("normal", "f64", 3), ("seed",)),
    "nothing": (("normal", "f64", 1), ("refused",), ("normal", "f32", 0), ("normal", "f32", 2)),
}


def xavier_normal(array):
    std = math.sqrt(2 / sum(array.shape))
    return torch.nn.init.xavier_normal_(array), lambda rng, n, dtype: rng.normal(n, 0, std, dtype)


def orthogonal(array):
    def expected(rng, n, dtype):
        normal = rng.normal(n, 0, 1, dtype).astype(np.float64).reshape(array.shape)
        wide = array.shape[0] < array.shape[1]
        q, r = np.linalg.qr(normal.T if wide else normal)
        q *= np.sign(np.diag(r))
        return (q.T if wide else q).ravel()

    return torch.nn.init.orthogonal_(array), expected


def embedding(array):
    weight = torch.nn.Embedding(*array.shape, dtype=array.dtype).weight
    return weight.data, lambda rng, n, dtype: rng.normal(n, 0, 1, dtype)


# What torch draws, and how `Generator` draws it.
DRAWS = {
    "normal": lambda array: (array.normal_(MEAN, STD), lambda rng, n, dtype: rng.normal(n, MEAN, STD, dtype)),
    "uniform": lambda array: (array.uniform_(), lambda rng, n, dtype: rng.uniform(n, 0, 1, dtype)),
    "bernoulli": lambda array: (array.bernoulli_(P), lambda rng, n, dtype: rng.bernoulli(n, P, dtype)),
    "randperm": lambda array: (torch.randperm(len(array)), lambda rng, n, dtype: rng.randperm(n)),
    "xavier_normal": xavier_normal,
    "orthogonal": orthogonal,
    "embedding": embedding,
}


def drawn(generator, draw, dtype, *shape):
    """What torch draws, after checking it."""
    types = TORCH | {"i64": torch.int64}
    array, expected = DRAWS[draw](torch.zeros(shape, dtype=types[dtype]))
    if math.prod(shape) == 0:
        return array
    values = expected(generator, math.prod(shape), NUMPY.get(dtype))
    return agreed(array, values, TOLERANCE.get(dtype, 0.0))


def refused():
    before = torch.get_rng_state()
    try:
        torch.zeros(1).normal_(0, -1)
    except RuntimeError:
        assert torch.equal(before, torch.get_rng_state())
        return
    raise AssertionError("torch takes a negative standard deviation")


def tensors_of(seed, name):
    generator = fresh(seed)
    for i, (draw, *arguments) in enumerate(SEQUENCES[name]):
        if draw == "seed":
            generator = fresh(seed)
        elif draw == "refused":
            refused()
        else:
            yield str(i), drawn(generator, draw, *arguments)
    state = torch.get_rng_state()
    torch.manual_seed(seed + 1)
    torch.set_rng_state(state)
    yield "state", state
    yield "next", agreed(torch.randn(5, dtype=torch.float64), generator.normal(5, 0, 1, np.float64), 2e-15)


def described(draw, dtype=None, *shape):
    return {"draw": draw, "dtype": dtype, "shape": shape}


def main():
    assert torch.__version__.startswith("2.15."), torch.__version__
    pairs = [(seed, name) for seed in (0, -7) for name in SEQUENCES]
    tensors = {f"{seed}/{name}/{key}": t for seed, name in pairs for key, t in tensors_of(seed, name)}
    steps = {name: [described(*step) for step in sequence] for name, sequence in SEQUENCES.items()}
    save("spare.safetensors", tensors, sequences=steps)


if __name__ == "__main__":
    main()
