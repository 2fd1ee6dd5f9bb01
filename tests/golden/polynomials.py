"""Print the coefficients that stand in src/kernels/exp.rs and tanh.rs.

Needs mpmath 1.3.0 and takes some seconds:

    pip install mpmath==1.3.0 && python tests/golden/polynomials.py

All polynomials are minimax, by Remez's exchange in 60 digits run until the
error is level to 16 digits, so that the starting points leave no trace in the
doubles printed. The Rust source has the middle column.
"""

from mpmath import cos, expm1, ln, log, lu_solve, matrix, mp, mpf, pi, sqrt, tanh

mp.dps = 60


def horner(c, u):
    y = mpf(0)
    for a in reversed(c):
        y = y * u + a
    return y


def peaks(err, nodes, lo, hi, size=40):
    """Where |err| is largest between each two of its sign changes."""
    edges = [lo]
    for a, b in zip(nodes, nodes[1:]):
        fa = err(a)
        for _ in range(60):
            m = (a + b) / 2
            a, b = (m, b) if err(m) * fa > 0 else (a, m)
        edges.append(a)
    edges.append(hi)
    found = []
    for a, b in zip(edges, edges[1:]):
        for _ in range(8):  # zoom in on the best point of a grid
            grid = [a + (b - a) * k / size for k in range(size + 1)]
            k = max(range(size + 1), key=lambda k: abs(err(grid[k])))
            a, b = grid[max(k - 1, 0)], grid[min(k + 1, size)]
        found.append(grid[k])
    return found


def remez(f, degree, lo, hi, nodes, weight):
    """The polynomial whose error is least, in units of weight(u), and that error."""
    for _ in range(30):
        # P - level * weight = f at the nodes, the levels alternating in sign.
        rows = [[u**k for k in range(degree + 1)] + [-((-1) ** i) * weight(u)] for i, u in enumerate(nodes)]
        P = list(lu_solve(matrix(rows), matrix([f(u) for u in nodes])))[:-1]

        def err(u):
            return (horner(P, u) - f(u)) / weight(u)

        nodes = peaks(err, nodes, lo, hi)
        sizes = [abs(err(u)) for u in nodes]
        if max(sizes) < min(sizes) * (1 + mpf(10) ** -16):
            return P, max(sizes)
    raise SystemExit("no convergence")


def show(name, c):
    for k, a in enumerate(c):
        print(f"{name}[{k}]", repr(float(a)).replace("e-0", "e-"), float(a).hex())


def expm1_tail(r):
    """(expm1(r) - r) / r^2."""
    return (expm1(r) - r) / r**2 if abs(r) > mpf(10) ** -12 else mpf(1) / 2 + r / 6


def relative(r):
    """What makes an error of C one of r + r^2 C, relative to expm1(r)."""
    tiny = mpf(10) ** -20
    return (expm1(r) / r if abs(r) > tiny else 1) / max(abs(r), tiny)


a = ln(2) / 2
for name, degree, weight, what in [("C_F32", 4, relative, "relative"), ("C_F64", 10, lambda r: 1, "absolute")]:
    start = [-a * cos(pi * k / (degree + 1)) for k in range(degree + 2)]
    P, error = remez(expm1_tail, degree, -a, a, start, weight)
    show(name, P)
    print(f"{what} error 2^" + mp.nstr(log(error, 2), 4))


def tanh_tail(u):
    """(tanh(x) / x - 1) / u at u = x^2."""
    return (tanh(sqrt(u)) / sqrt(u) - 1) / u if u > mpf(10) ** -25 else -mpf(1) / 3 + 2 * u / 15


top = mpf("0.55") ** 2
start = [top * (1 - cos(pi * (k + 1) / 6)) / 2 for k in range(6)]
P, error = remez(tanh_tail, 4, mpf(0), top, start, lambda u: 1 / max(u, mpf(10) ** -20))
show("P_F32", P)
print("error relative to x 2^" + mp.nstr(log(error, 2), 4))
