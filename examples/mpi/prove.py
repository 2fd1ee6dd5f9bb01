"""Proves that training over MPI has the same bits on any number of ranks: `python3 examples/mpi/prove.py`.

Builds the program beside this file, runs it without MPI and on 1, 2, 3, 4, 8 and 9 ranks of this machine, stops and resumes
it, counts what it sends, and lets ranks fail. Prints a table; exits with 1 if anything is not as it should be. It needs OpenMPI and libclang
(`apt-get install libopenmpi-dev openmpi-bin libclang-dev`).
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS = 120  # that a run may take; one that hangs would take longer
STEPS = 50
MICRO_BATCHES = 8
ELEMENTS = 9698  # of the model: an embedding, an LSTM of two layers, a linear layer, of 24 units


def build():
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")).resolve()
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "Cargo.toml", "--target-dir", target]
    subprocess.run(command, check=True)
    return target / "release" / "ndarray-rnn-mpi"


class Run:
    """A run of the program on some ranks; `None` is without MPI."""

    def __init__(self, program, ranks, *arguments, **settings):
        command = [program, "--alone"] if ranks is None else ["mpirun", "--oversubscribe", "-n", str(ranks), program]
        # Many containers forbid that a process reads another one's memory, of which OpenMPI would complain.
        environment = {"RAYON_NUM_THREADS": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none", **os.environ, **settings}
        if os.geteuid() == 0:
            environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [str(word) for word in (*command, *arguments)],
                capture_output=True, text=True, timeout=SECONDS, env=environment,
            )
            self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            self.code, self.output, self.errors = None, "", ""
        self.seconds = time.monotonic() - begin
        # The bits of the losses by step, and the hash of the parameters.
        self.losses = dict(re.findall(r"^step +(\d+) of \d+: loss \S+ (\w+)$", self.output, re.M))
        self.hash = next(iter(re.findall(r"^parameters (\w+)$", self.output, re.M)), None)

    def expect(self, right):
        """Ends the proof unless something is as it should be."""
        if not right:
            sys.exit(f"\nNOT AS IT SHOULD BE: exit code {self.code}\n{self.output}\n{self.errors}")


def row(what, run, result):
    print(f"| {what:44} | {run.seconds:5.1f} s | {result} |", flush=True)


def same_bits(program, folder):
    expected = Run(program, None)
    expected.expect(expected.code == 0 and len(expected.losses) == STEPS and expected.hash)
    row("one process without MPI", expected, f"parameters {expected.hash}")
    # One rank of 9 has no micro-batch, and adds a slice all the same.
    for ranks in (1, 2, 3, 4, 8, 9):
        run = Run(program, ranks)
        run.expect(run.code == 0 and (run.losses, run.hash) == (expected.losses, expected.hash))
        row(f"{ranks} rank{'s' * (ranks > 1)}", run, f"parameters {run.hash}, {STEPS} losses equal")

    file = Path(folder) / "checkpoint.safetensors"
    first = Run(program, 3, "--steps", 25, "--save", 25, file)
    first.expect(first.code == 0 and len(first.losses) == 25 and file.exists())
    row("3 ranks, to a checkpoint at step 25", first, f"parameters {first.hash}")
    for ranks in (2, None):
        run = Run(program, ranks, "--resume", file)
        run.expect(run.code == 0 and run.hash == expected.hash and first.losses | run.losses == expected.losses)
        row(f"resumed {f'on {ranks} ranks' if ranks else 'without MPI'}", run, f"parameters {run.hash}, all losses equal")
    return expected, file


def other_bits(program, expected):
    """The proof could fail: sums in MPI's order have other bits."""
    runs = [Run(program, ranks, "--all-reduce") for ranks in (2, 3, 4, 8)]
    for ranks, run in zip((2, 3, 4, 8), runs):
        run.expect(run.code == 0)
        row(f"{ranks} ranks, added by MPI_Allreduce", run, f"parameters {run.hash}")
    last = runs[-1]
    last.expect(len({run.hash for run in (expected, *runs)}) > 2)


def part(count, part, parts):
    """As `share` in src/ranks.rs."""
    return range(count * part // parts, count * (part + 1) // parts)


def nodes(start, end, numbers):
    """How many nodes of the tree over start to end cover some numbers."""
    if start >= numbers.stop or numbers.start >= end:
        return 0
    if numbers.start <= start and end <= numbers.stop:
        return 1
    middle = start + (1 << ((end - start - 1).bit_length() - 1))
    return nodes(start, middle, numbers) + nodes(middle, end, numbers)


def sent(program, folder, ranks, steps, *arguments):
    """What all ranks sent in so many steps, as OpenMPI counts it: bytes, messages."""
    prefix = Path(folder) / f"sent-{ranks}-{steps}-{len(arguments)}"
    counters = {"enable": "2", "enable_output": "3", "filename": str(prefix)}
    settings = {f"OMPI_MCA_pml_monitoring_{key}": value for key, value in counters.items()}
    run = Run(program, ranks, "--steps", steps, *arguments, **settings)
    files = sorted(Path(folder).glob(f"{prefix.name}.*.prof"))
    run.expect(run.code == 0 and len(files) in (0, ranks))
    if not files:
        return run, None
    # E lines count point to point, I lines what collective operations are made of.
    lines = re.findall(r"^[EI]\s+\d+\s+\d+\s+(\d+) bytes\s+(\d+) msgs", "".join(file.read_text() for file in files), re.M)
    return run, [sum(int(numbers[i]) for numbers in lines) for i in (0, 1)]


def bytes_sent(program, folder):
    """What the README says of bytes is what OpenMPI counts."""
    for ranks in (2, 3, 4, 8):
        per_step = {}
        for arguments in ((), ("--all-reduce",)):
            run, first = sent(program, folder, ranks, 10, *arguments)
            if first is None:
                return row("bytes sent", run, "NOT COUNTED: this OpenMPI has no component `monitoring`")
            run, second = sent(program, folder, ranks, 30, *arguments)
            per_step[arguments] = [(b - a) / 20 for a, b in zip(first, second)]
        elements = ELEMENTS + 1  # and the loss
        slices = [len(part(elements, rank, ranks)) for rank in range(ranks)]
        of_rank = [nodes(0, MICRO_BATCHES, part(MICRO_BATCHES, rank, ranks)) for rank in range(ranks)]
        formula = 4 * sum(k * (elements - own) for k, own in zip(of_rank, slices)) + 4 * (ranks - 1) * elements
        found, messages = per_step[()]
        run.expect(found == formula)
        plain, plain_messages = per_step[("--all-reduce",)]
        result = f"{found:,.0f} bytes a step in {messages:.0f} messages; MPI_Allreduce {plain:,.0f} in {plain_messages:.0f}"
        row(f"sent by all of {ranks} ranks, at most {max(of_rank)} nodes each", run, result)


def failures(program, file):
    """A rank that fails ends the job on every rank, and says why."""
    damaged = file.with_name("damaged.safetensors")
    damaged.write_bytes(file.read_bytes()[:-100])
    cases = [
        ("an error on rank 1 of 3", 3, ("--fail", "error", 1, 10), "rank 1 of 3 ends the job: step 11: an error"),
        ("a panic on rank 2 of 3", 3, ("--fail", "panic", 2, 10), "rank 2 of 3 ends the job: panicked"),
        ("rank 1 of 3 killed", 3, ("--fail", "kill", 1, 10), "signal 9"),
        ("rank 0 of 4 killed", 4, ("--fail", "kill", 0, 10), "signal 9"),
        ("no checkpoint", 3, ("--resume", file.with_name("missing")), "rank 0 of 3 ends the job: "),
        ("half a checkpoint", 3, ("--resume", damaged), "ends the job: "),
    ]
    for what, ranks, arguments, message in cases:
        run = Run(program, ranks, *arguments)
        run.expect(run.code not in (0, None) and run.hash is None and message in run.errors + run.output)
        row(what, run, f"exit code {run.code}, no hang")


def main():
    program = build()
    begin = time.monotonic()
    print(f"| {'run':44} | time    | result |\n|{'-' * 46}|---------|---|")
    with tempfile.TemporaryDirectory() as folder:
        expected, file = same_bits(program, folder)
        other_bits(program, expected)
        bytes_sent(program, folder)
        failures(program, file)
    print(f"\nthe same bits on any number of ranks ({time.monotonic() - begin:.0f} s after the build)")


if __name__ == "__main__":
    main()
