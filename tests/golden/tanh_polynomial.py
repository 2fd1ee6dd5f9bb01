"""Print the coefficients that stand in src/kernels/tanh.rs.

Needs mpmath 1.3.0 and takes about a minute:

    pip install mpmath==1.3.0 && python tests/golden/tanh_polynomial.py

Both approximations are minimax, by Remez's exchange in 60 digits run until the
error is level to 16 digits, so that the starting points leave no trace in the
doubles printed. The Rust source has the middle column.
"""

from mpmath import cos, exp, expm1, ln, log, lu_solve, matrix, mp, mpf, pi, sqrt, tanh

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


def remez(f, p, q, lo, hi, nodes, relative):
    """Minimax P/Q of degrees p and q with Q(0) = 1; returns P, Q and the error."""

    def solve(level):
        # P - (f + level)(Q - 1) - new = f at the nodes, the levels alternating
        # in sign: linear, and what is wanted is the point where new = level.
        rows, rhs = [], []
        for i, u in enumerate(nodes):
            v = f(u)
            w = (-1) ** i * (v if relative else mpf(1))
            row = [u**k for k in range(p + 1)]
            row += [-(v + level * w) * u**k for k in range(1, q + 1)]
            rows.append(row + [-w])
            rhs.append(v)
        return list(lu_solve(matrix(rows), matrix(rhs)))

    level = mpf(0)
    for _ in range(30):
        for _ in range(20):  # Steffensen's iteration on level -> new
            first = solve(level)[-1]
            bend = solve(first)[-1] - 2 * first + level
            if abs(bend) < abs(level) * mpf(10) ** -25:
                break
            level -= (first - level) ** 2 / bend
        c = solve(level)
        P, Q = c[: p + 1], [mpf(1)] + c[p + 1 : -1]

        def err(u):
            v = f(u)
            return (horner(P, u) / horner(Q, u) - v) / (v if relative else 1)

        nodes = peaks(err, nodes, lo, hi)
        sizes = [abs(err(u)) for u in nodes]
        if max(sizes) < min(sizes) * (1 + mpf(10) ** -16):
            return P, Q, max(sizes)
    raise SystemExit("no convergence")


def show(name, c):
    for k, a in enumerate(c):
        print(f"{name}[{k}]", repr(float(a)).replace("e-0", "e-"), float(a).hex())


def expm1_tail(r):
    """(expm1(r) - r) / r^2."""
    return (expm1(r) - r) / r**2 if abs(r) > mpf(10) ** -12 else mpf(1) / 2 + r / 6


def tanh_ratio(u):
    """tanh(x) / x at u = x^2."""
    return tanh(sqrt(u)) / sqrt(u) if u > mpf(10) ** -40 else 1 - u / 3


a = ln(2) / 2
start = [-a * cos(pi * k / 11) for k in range(12)]
P, _, error = remez(expm1_tail, 10, 0, -a, a, start, relative=False)
show("C", P)
print("absolute error 2^" + mp.nstr(log(error, 2), 4))

top = mpf("9.02") ** 2
start = [4 * (exp(ln(1 + top / 4) * (1 - cos(pi * k / 15)) / 2) - 1) for k in range(16)]
P, Q, error = remez(tanh_ratio, 7, 7, mpf(0), top, start, relative=True)
show("P", P)
show("Q", Q)
print("relative error 2^" + mp.nstr(log(error, 2), 4))
