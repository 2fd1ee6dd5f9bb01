"""Tables of results."""

import os
import platform
from itertools import groupby
from pathlib import Path
from statistics import median

NAMES = {"rnn": "Rnn", "lstm": "Lstm", "gru": "Gru"}
TITLES = {
    "forward": "Forward",
    "backward": "Forward and backward",
    "training": "A training step: forward, Linear(H, 10), cross entropy, backward, clipping, Adam",
    "keras": "Keras's layer, every output",
    "keras-last": "Keras's layer, the last output",
    "step": "Sessions: one step of one sequence",
    "ragged": "A ragged batch, mean length about half",
    "growth-L": "Growth with L",
    "growth-N": "Growth with N",
    "growth-H-N1": "Growth with H, one sequence",
    "growth-H-N32": "Growth with H, 32 sequences",
}


def machine():
    """CPU model and number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.system()}


def duration(ns):
    """A time in three digits and a unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 999.5 * size else f"{ns / size:.0f} {unit}"
    return f"{ns:.3g} ns"


def ratio(value):
    return f"{value:.3g}x" if value < 999.5 else f"{value:.0f}x"


def row_of(case, threads, times, limits):
    """One result, as the JSON file has it: medians over the rounds."""
    peak = median(limit["peak"] for limit in limits)
    floors = [limit["ns"] for limit in limits if limit["ns"] is not None]
    medians = {name: median(rounds) for name, rounds in times.items()}
    row = {"case": {**case.request(), "group": case.group}, "name": case.name, "threads": threads}
    row |= {"ns": medians, "rounds": times, "peak": peak, "limit": median(floors) if floors else None}
    if ours := medians.get("ours"):
        row["ratio"] = {name: time / ours for name, time in medians.items() if name != "ours"}
        row["percent_of_peak"] = 100 * case.flops / ours / peak
    return row


def counted(threads):
    return f"{threads} thread{'s' if threads != 1 else ''}"


def cells(row, names):
    """The row's cells: name, our time, limit, percent of peak, then time and ratio of each framework."""
    ours = row["ns"].get("ours")
    line = [row["name"], *(duration(time) if time else "-" for time in (ours, row["limit"]))]
    line.append(f"{row['percent_of_peak']:.0f} %" if ours else "-")
    for name in names:
        time = row["ns"].get(name)
        if time is None:
            line.append(row["missing"].get(name, "-"))
        else:
            line.append(f"{duration(time)}, {ratio(row['ratio'][name])}" if ours else duration(time))
    return line


def tables(rows, names):
    """Markdown: a table for each group, dtype and number of threads."""

    def key(row):
        return row["case"]["group"], row["case"]["kind"], row["case"]["dtype"], row["threads"]

    parts = []
    for (group, kind, dtype, threads), members in groupby(rows, key):
        members = list(members)
        used = [name for name in names if any(name in row["ns"] or name in row["missing"] for row in members)]
        head = ["(L,N,I,H,layers)", "ours", "limit", "of peak", *used]
        lines = [head, *(cells(row, used) for row in members)]
        parts.append(f"### {NAMES[kind]}. {TITLES[group]}, {dtype}, {counted(threads)}\n\n{markdown(lines)}")
    return "\n\n".join(parts)


def memory_table(rows, names):
    lines = [["(L,N,I,H,layers)", "output alone", "ours", *names]]
    for row in rows:
        sizes = [row["kB"].get(name) for name in ("ours", *names)]
        given = [f"{size / 1024:.1f} MB" if size is not None else "-" for size in sizes]
        lines.append([row["name"], f"{row['output_kB'] / 1024:.1f} MB", *given])
    return f"### Peak memory of the first forward pass, f32, 1 thread\n\n{markdown(lines)}"


def markdown(lines):
    """Lines of cells as an aligned table. The first line is its head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = [[cell.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:]))] for cell, *rest in lines]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


def heading(result):
    """What was measured, and on which machine."""
    about = "\n".join(f"* {line}" for line in result["versions"].values())
    cpu = result["machine"]
    peaks = {}
    for row in result["rows"]:
        peaks.setdefault((row["threads"], row["case"]["dtype"]), []).append(row["peak"])
    peaks = "; ".join(f"{counted(key[0])}, {key[1]}: {median(each):.0f} GF/s" for key, each in peaks.items())
    peaks = f" FMA peak: {peaks}." if peaks else ""
    text = f"## Comparison\n\n{cpu['cpu']}, {cpu['cores']} cores, {cpu['system']}.{peaks}\n\n{about}"
    if not result["rows"]:
        return text
    return (
        f"{text}\n\nMedians of {result['rounds']} alternating rounds of {result['seconds']} s each. `x` is their "
        "time over ours; `of peak` is the products' flops over the FMA peak of that many threads; `limit` is how long "
        "one thread needs for the multiply-adds, tanh and sigmoid alone."
    )


def verdict(rows):
    """How many comparisons were lost, and the closest for each number of threads."""
    ratios = [(row["threads"], value, name, row) for row in rows for name, value in row.get("ratio", {}).items()]
    if not ratios:
        return ""
    lost = sum(value < 1 for _, value, _, _ in ratios)
    closest = {}
    for threads, value, name, row in sorted(ratios, key=lambda each: each[1]):
        place = f"{NAMES[row['case']['kind']]}. {TITLES[row['case']['group']]}, {row['case']['dtype']}, {row['name']}: {name}, {ratio(value)}"
        closest.setdefault(threads, f"* {counted(threads)}: {place}")
    lines = "\n".join(closest[threads] for threads in sorted(closest))
    return f"Of {len(ratios)} comparisons {lost} were lost. The closest:\n\n{lines}"


def whole(result, names):
    parts = [heading(result), *filter(None, [verdict(result["rows"])])]
    if result["rows"]:
        parts.append(tables(result["rows"], names))
    if result["memory"]:
        parts.append(memory_table(result["memory"], names))
    return "\n\n".join(parts) + "\n"
