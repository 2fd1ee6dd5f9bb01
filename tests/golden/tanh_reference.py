"""Write src/kernels/golden/tanh_f64.txt, the reference for tanh_f64.

Needs mpmath 1.3.0 and nothing else:

    pip install mpmath==1.3.0 && python tests/golden/tanh_reference.py

Each line is `x hi lo`, the bits of three doubles in hex, where hi is tanh(x)
rounded to nearest and lo what is left of it, rounded likewise. The same file
comes out every time.
"""

import random
import struct
from math import ldexp
from pathlib import Path

from mpmath import ln, mp, mpf, tanh

mp.prec = 2400  # 1 - tanh(x) and x - tanh(x) both stay visible


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def double(b):
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def around(x, steps):
    """The doubles up to `steps` places from x on either side."""
    return [double(bits(float(x)) + k) for k in range(-steps, steps + 1)]


def inputs():
    rng = random.Random(20)
    xs = [ldexp(rng.uniform(1, 2), rng.randrange(-1030, 5)) for _ in range(300)]
    xs += [ldexp(rng.uniform(1, 2), rng.randrange(-30, 5)) for _ in range(400)]
    xs += [rng.uniform(-20, 20) for _ in range(400)]
    # The hardest stretches: the widest reduction of all for n = 0, and just below
    # the point where tanh is 1/8.
    xs += [rng.uniform(0.125, 0.1735) for _ in range(200)]
    xs += [rng.uniform(0.1254, 0.12566) for _ in range(50)]
    xs += [rng.uniform(0.29, 0.31) for _ in range(50)]
    for n in range(56):  # where round(2x log2 e) turns from n to n + 1, and 0
        xs += around((n + mpf(1) / 2) * ln(2) / 2, 2)
        xs += around((n + 1) * ln(2) / 2, 1)
    # tanh at a power of two, and where it becomes 1 for good.
    for n in range(1, 28):
        xs += around(mp.atanh(mpf(2) ** -n), 1)
    xs += around(mp.atanh(1 - mpf(2) ** -54), 5)
    xs += [rng.uniform(18, 20.5) for _ in range(50)]
    # The clamp, the ends of the range, and the least normal number.
    xs += around(20.0, 2) + [5e-324, 1e-323, 1e300, double(0x7FEFFFFFFFFFFFFF)]
    xs += around(double(0x0010000000000000), 2)
    return [-x if rng.random() < 0.25 else x for x in xs]


def main():
    lines = []
    for x in inputs():
        t = tanh(mpf(x)) if abs(x) < 700 else mpf(1 if x > 0 else -1)
        hi = float(t)
        lines.append(f"{bits(x):016x} {bits(hi):016x} {bits(float(t - mpf(hi))):016x}\n")
    path = Path(__file__).parents[2] / "src/kernels/golden/tanh_f64.txt"
    path.write_text("".join(lines), newline="\n")
    print(len(lines), "lines")


if __name__ == "__main__":
    main()
