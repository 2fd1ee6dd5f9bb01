"""Write src/kernels/golden/sigmoid_f64.txt, the reference for sigmoid in f64.

Needs mpmath 1.3.0 and nothing else:

    pip install mpmath==1.3.0 && python tests/golden/sigmoid_reference.py

Each line is `x hi lo`, the bits of three doubles in hex, where hi is sigmoid(x)
rounded to nearest and lo what is left of it, rounded likewise. The same file
comes out every time.
"""

import random
from math import ldexp
from pathlib import Path

from mpmath import exp, ln, mp, mpf
from tanh_reference import around, bits

mp.prec = 2400


def inputs():
    rng = random.Random(21)
    xs = [rng.choice((-1, 1)) * ldexp(rng.uniform(1, 2), rng.randrange(-60, 6)) for _ in range(300)]
    xs += [rng.uniform(-40, 40) for _ in range(500)]
    xs += [rng.uniform(-760, 0) for _ in range(200)]
    # The answer is subnormal, the least number, 0.
    xs += [rng.uniform(-746, -707) for _ in range(100)]
    xs += around(-745.1332191019412, 5)
    for n in range(1, 60):  # where round(x log2 e) turns from n to n + 1
        xs += around((n + mpf(1) / 2) * ln(2), 1)
        xs += around(-(n + mpf(1) / 2) * ln(2), 1)
    # Where 2^n + 1 is not exact.
    xs += [-rng.uniform(52.5, 53.5) * float(ln(2)) for _ in range(1500 - len(xs))]
    return xs


def main():
    lines = []
    for x in inputs():
        y = 1 / (1 + exp(-mpf(x)))
        hi = float(y)
        lines.append(f"{bits(x):016x} {bits(hi):016x} {bits(float(y - mpf(hi))):016x}\n")
    path = Path(__file__).parents[2] / "src/kernels/golden/sigmoid_f64.txt"
    path.write_text("".join(lines), newline="\n")
    print(len(lines), "lines")


if __name__ == "__main__":
    main()
