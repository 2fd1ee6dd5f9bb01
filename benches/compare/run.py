"""Times this crate beside torch, ONNX Runtime, Keras and other crates: `python3 benches/compare/run.py`.

Every framework is a process that sleeps until it is asked. For each case all of them first show
that they compute what this crate does; then they are timed in turn, round after round, so that
other work of the machine slows all of them. README.md beside this file says more.
"""

import argparse
import json
import re
import sys
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import cases
import report
from environments import Failed, Process, Unsupported, commands, target_directory

SETTLE = 0.02  # seconds in which another framework's threads stop spinning


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds of 0.03 s: noisy, in minutes")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", metavar="REGEX", help="cases such as `forward f32 (100,1,`")
    parser.add_argument("--backward", action="store_true", help="forward and backward, and whole training steps, too")
    parser.add_argument("--memory", action="store_true", help="peak memory, and no times")
    parser.add_argument("--dtypes", nargs="+", default=["f32", "f64"], choices=["f32", "f64"])
    parser.add_argument("--kinds", nargs="+", default=cases.KINDS, choices=cases.KINDS)
    parser.add_argument("--with", dest="names", nargs="*", default=cases.EVERYONE, choices=cases.EVERYONE)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each framework in each round")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    parser.add_argument("--venv", type=Path, help="where the environments `torch` and `keras` are or will be")
    parser.add_argument("--torch-python", help="an interpreter with torch and onnxruntime, instead")
    parser.add_argument("--keras-python", help="an interpreter with keras and tensorflow, instead")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.03 if options.quick else 0.3)
    return options


def prepare(case, workers, path):
    """Makes a case ready in every worker and compares results. Returns the workers to time, and why others are left out."""
    reply = workers["ours"].ask("prepare", case=case.request(), path=str(path))
    ready, missing = ["ours"], {}
    for name in workers:
        if name == "ours" or name not in case.against:
            continue
        try:
            checked = workers[name].ask(
                "prepare", case=case.request(), path=str(path), arrays=reply["arrays"]
            )
        except Unsupported:
            missing[name] = "none"
            continue
        except Failed as error:
            missing[name] = "failed"
            print(f"NOT TIMED: {error} in {case.label}", file=sys.stderr)
            continue
        difference = checked["difference"]
        if difference is not None and difference <= max(cases.TOLERANCE[case.dtype], cases.LOOSER.get(name, 0)):
            ready.append(name)
        else:
            missing[name] = "wrong"
            print(f"NOT TIMED: {name} differs by {difference} in {case.label}", file=sys.stderr)
    return ready, missing


def measure(case, workers, options, path):
    """Returns the times of every round by worker, the limits of the machine, and why workers are missing."""
    ready, missing = prepare(case, workers, path)
    times, limits = {name: [] for name in ready}, []
    for _ in range(options.rounds):
        limits.append(workers["ours"].ask("limits", case=case.request()))
        for name in ready:
            time.sleep(SETTLE)
            times[name].append(workers[name].ask("time", seconds=options.seconds)["ns"])
    return times, limits, missing


def timings(chosen, made, options, scratch, result):
    """Adds a row for each case and number of threads. A burn process keeps its first element type, so each type has its own."""
    for threads, dtype in product(options.threads, options.dtypes):
        with ExitStack() as stack:
            workers = {name: Process(name, command, threads) for name, command in made.items()}
            for name, worker in workers.items():
                stack.callback(worker.close)
                result["versions"][name] = worker.ask("about")["about"]
            for case in (case for case in chosen if case.dtype == dtype):
                times, limits, missing = measure(case, workers, options, scratch)
                row = report.row_of(case, threads, times, limits) | {"missing": missing}
                result["rows"].append(row)
                names = [name for name in made if name != "ours"]
                print(f"{case.label} {threads}:", " | ".join(report.cells(row, names)[1:]), file=sys.stderr)


def memory(made, scratch, result):
    """Adds a row of peak memory for each case, with every framework in a fresh process."""
    paths = {case: scratch.with_name(f"arrays-{i}") for i, case in enumerate((cases.WARM_UP, *cases.MEMORY))}
    for case in cases.MEMORY:
        row = {"name": case.name, "kB": {}, "output_kB": case.len * case.batch * case.hidden * 4 / 1024}
        for name, command in made.items():
            worker = Process(name, command, threads=1)
            result["versions"][name] = worker.ask("about")["about"]
            scribe = Process("ours", made["ours"], threads=1)
            for each, do in ((cases.WARM_UP, "prepare"), (case, "memory")):
                request = {"case": each.request(), "path": str(paths[each])}
                arrays = scribe.ask("prepare", **request)["arrays"]
                row["kB"][name] = worker.ask(do, arrays=arrays, **request).get("kB")
            scribe.close()
            worker.close()
        result["memory"].append(row)
    for path in paths.values():
        path.unlink(missing_ok=True)


def main():
    options = arguments()
    listed = cases.all_cases(options.dtypes, options.kinds, options.backward)
    chosen = [case for case in listed if re.search(options.only, case.label)]
    if options.list:
        print("\n".join(case.label for case in chosen))
        return
    made = commands(options.names, options)
    target = target_directory() / "compare"
    target.mkdir(parents=True, exist_ok=True)
    result = {"machine": report.machine(), "versions": {}, "rows": [], "memory": []}
    result |= {"rounds": options.rounds, "seconds": options.seconds}
    try:
        if options.memory:
            memory(made, target / "arrays", result)
        else:
            timings(chosen, made, options, target / "arrays", result)
    finally:
        save(result, [name for name in made if name != "ours"], target)


def save(result, names, target):
    """Prints and writes the results: all of them, or those before a failure."""
    (target / "arrays").unlink(missing_ok=True)
    text = report.whole(result, names)
    (target / "comparison.md").write_text(text)
    (target / "comparison.json").write_text(json.dumps(result, indent=1) + "\n")
    print(text)



if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"run.py: {error}")
