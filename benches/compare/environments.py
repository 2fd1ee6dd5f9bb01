"""The virtual environments, programs built by cargo and processes that workers run in."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Failed(Exception):
    """A worker could not be made, or answered with an error."""


class Unsupported(Exception):
    """A worker's framework does not have what a case needs."""


def python_of(directory, requirements):
    """The interpreter of a virtual environment, which is made if it does not exist."""
    python = directory / "bin" / "python"
    done = directory / "requirements.txt"
    wanted = (HERE / requirements).read_text()
    if not done.exists() or done.read_text() != wanted:
        print(f"making {directory} with {requirements}", file=sys.stderr)
        venv.create(directory, with_pip=True)
        run([python, "-m", "pip", "install", "--quiet", "-r", HERE / requirements])
        done.write_text(wanted)
    return python


def cargo(*arguments, environment=()):
    """Builds one program and returns where it is."""
    command = ["cargo", *arguments, "--message-format=json-render-diagnostics"]
    lines = run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | dict(environment)).stdout.splitlines()
    messages = [json.loads(line) for line in lines if line.startswith("{")]
    return [message["executable"] for message in messages if message.get("executable")][-1]


def run(command, **options):
    try:
        return subprocess.run([str(part) for part in command], check=True, **options)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(str(error)) from error


def target_directory():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()


def commands(names, options):
    """How to start `ours` and every named framework. A framework that cannot be made is named and left out."""
    target = target_directory() / "compare"
    base = options.venv or target / "venv"

    def torch():
        return options.torch_python or python_of(base / "torch", "requirements-torch.txt")

    def keras():
        return options.keras_python or python_of(base / "keras", "requirements-keras.txt")

    def package(name, **environment):
        manifest = HERE / name / "Cargo.toml"
        place = [f"--manifest-path={manifest}", f"--target-dir={target / name}"]
        return cargo("build", "--release", "--locked", *place, environment=environment)

    def crates():
        return package("crates", RUSTFLAGS="-C target-cpu=native")

    workers = HERE / "workers"
    makers = {
        "torch": lambda: [torch(), workers / "torch_worker.py"],
        "onnxruntime": lambda: [torch(), workers / "onnxruntime_worker.py"],
        "keras": lambda: [keras(), workers / "keras_worker.py"],
        "keras-function": lambda: [keras(), workers / "keras_worker.py", "function"],
        "burn": lambda: [package("burn")],
        "candle": lambda: [crates(), "candle"],
        "nexus": lambda: [crates(), "nexus"],
        "rust-lstm": lambda: [crates(), "rust-lstm"],
    }
    made = {"ours": [cargo("bench", "--no-run", "--bench", "compare")]}
    for name in names:
        try:
            made[name] = makers[name]()
        except Failed as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return made


class Process:
    """A running worker."""

    def __init__(self, name, command, threads):
        count = str(threads)
        limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
        self.name = name
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if name.startswith("keras") else None,  # TensorFlow chatters
            text=True,
            env={**os.environ, **dict.fromkeys(limits, count)},
        )

    def ask(self, do, **request):
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failed(f"{self.name}: {error}") from error
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended")
        reply = json.loads(line)
        if reply and "error" in reply:
            kind = Unsupported if reply["error"].startswith("unsupported") else Failed
            raise kind(f"{self.name}: {reply['error']}")
        return reply

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass  # it has ended
        self.process.wait()
