"""Writes activations.txt: Keras's activations of some numbers, to more digits than an f64 has.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/activations.py

Running it twice writes the same bytes. Each line is a name, x, f(x) rounded to f64, and the rest of f(x): three f64 as
hexadecimal bits. No result of the f64 range is subnormal.
"""

from pathlib import Path
from random import Random
from struct import pack

from mpmath import erfc, exp, expm1, log1p, mp, mpf, sqrt

mp.prec = 400
SCALE, SCALE_ALPHA = mpf("1.0507009873554804934193349852946"), mpf("1.7580993408473768599402175208123")

FORMULAS = {
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "elu": lambda x: x if x > 0 else expm1(x),
    "selu": lambda x: SCALE * x if x > 0 else SCALE_ALPHA * expm1(x),
    "softsign": lambda x: x / (1 + abs(x)),
    "softplus": lambda x: log1p(exp(x)),
    "gelu": lambda x: x * erfc(-x / sqrt(mpf(2))) / 2,
    "silu": lambda x: x / (1 + exp(-x)),
    "hard_sigmoid": lambda x: min(max(x + 3, mpf(0)), mpf(6)) / 6,
    "hard_sigmoid_2": lambda x: min(max(x / 5 + mpf(1) / 2, mpf(0)), mpf(1)),
}


def numbers():
    """Numbers of every magnitude, and many where the formulas bend."""
    random = Random(0)
    wide = [random.choice((-1, 1)) * 2.0 ** random.uniform(-60, 5) for _ in range(60)]
    near = [random.uniform(-8, 8) for _ in range(120)] + [random.uniform(-36, 36) for _ in range(40)]
    # hard_sigmoid and gelu of these are exact in few bits, or nearly cancel.
    return sorted([*wide, *near, 0.5, -0.5, 1.0, -1.0, 2.999, -2.999, 3.0, -3.0])


def main():
    bits = lambda x: pack(">d", x).hex()
    lines = []
    for name, formula in FORMULAS.items():
        for x in numbers():
            value = formula(mpf(x))
            high = float(value)
            lines.append(f"{name} {bits(x)} {bits(high)} {bits(float(value - mpf(high)))}")
    Path(__file__).with_name("activations.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
