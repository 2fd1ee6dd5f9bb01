"""The line protocol of the workers, as in ../protocol.rs: a JSON object comes in on a line, and one goes out.

A worker holds one job, the one that it prepared last. It sleeps in a read while another worker is timed.
"""

import gc
import json
import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Callable

import numpy as np

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
NUMPY = {"f32": np.float32, "f64": np.float64}
SAMPLE_NS = 500_000  # the shortest time that is measured as one sample


class Unsupported(Exception):
    """The framework does not have what the case needs."""


@dataclass
class Job:
    """One case that is ready to run: the call that is timed, and a call that computes named results to compare."""

    call: Callable[[], object]
    results: Callable[[], dict]
    context: Callable = nullcontext


def read_arrays(request):
    """The arrays that this crate's worker wrote, by name."""
    flat = np.fromfile(request["path"], NUMPY[request["case"]["dtype"]])
    arrays, start = {}, 0
    for name, shape in request["arrays"]:
        count = int(np.prod(shape))
        arrays[name] = flat[start : start + count].reshape(shape)
        start += count
    return arrays


def directions(case):
    """The endings of the names of each layer's parameters."""
    both = ["", "_reverse"] if case["bidirectional"] else [""]
    return [[f"l{k}{direction}" for direction in both] for k in range(case["layers"])]


def difference(job, arrays):
    """The largest difference of any result, relative to the largest element where that is above 1."""
    with job.context():
        results = job.results()
    worst = 0.0
    for name, expected in arrays.items():
        given = name == "input" or name.startswith(("weight", "bias"))
        if given or name in ("h_n", "c_n") and name not in results:
            continue
        actual = np.asarray(results[name])
        if actual.shape != expected.shape:
            raise ValueError(f"{name} has shape {actual.shape}, not {expected.shape}")
        scale = max(1.0, float(np.abs(expected).max()))
        worst = max(worst, float(np.abs(actual - expected).max()) / scale)
    return worst


def measure(job, seconds):
    """The median time of a call, in nanoseconds, over samples of at least half a millisecond."""
    gc.collect()
    gc.disable()
    with job.context():
        begin = perf_counter_ns()
        calls = 1
        while sample(job.call, calls) < SAMPLE_NS:
            calls *= 2
        samples = []
        while not samples or perf_counter_ns() - begin < seconds * 1e9:
            samples.append(sample(job.call, calls) / calls)
    gc.enable()
    return float(np.median(samples))


def sample(call, calls):
    begin = perf_counter_ns()
    for _ in range(calls):
        call()
    return perf_counter_ns() - begin


def peak_growth(job):
    """How much one call raises the process's peak memory, in kilobytes."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak falls to what is resident now
    before = status("VmRSS:")
    with job.context():
        result = job.call()
    growth = status("VmHWM:") - before
    del result
    return growth


def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def answer(request, held, build, about):
    """The reply to one request; `held` is a list of the job, or empty."""
    match request["do"]:
        case "about":
            return {"about": about}
        case "prepare":
            held.clear()
            arrays = read_arrays(request)
            held.append(build(request["case"], arrays))
            return {"difference": difference(held[0], arrays)}
        case "time":
            return {"ns": measure(held[0], request["seconds"])}
        case "memory":
            return {"kB": peak_growth(build(request["case"], read_arrays(request)))}
    raise ValueError(f"an unknown request: {request}")


def serve(build, about):
    """Answers requests until the input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not be read as a reply
    held = []
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), held, build, about)
        except Unsupported as error:
            reply = {"error": f"unsupported: {error}"}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)
