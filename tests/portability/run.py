"""Checks that every machine computes the same bits: `python3 tests/portability/run.py`.

Builds the program beside this file for several targets, runs each, most of them emulated, and compares
the hash of every case with hashes.txt. Exits with 1 if one differs. README.md says more.
"""

import argparse
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXPECTED = HERE / "hashes.txt"
MIRROR = "http://deb.debian.org/{path}"
SNAPSHOT = "https://snapshot.debian.org/archive/{archive}/20261121T120000Z/{rest}"
SECONDS = 1800  # that a program may run


class Skipped(Exception):
    """A target that this machine cannot build or run."""


@dataclass
class Target:
    """One machine: how to build for it, how to emulate it, and which instruction sets it must have."""

    name: str
    arch: str | None = None  # of Debian's compiler; None: this machine's
    emulator: str | None = None
    cpu: str | None = None
    rustflags: str = ""
    features: bool = True
    wasm: bool = False  # node runs it
    # The instruction sets that it must have, or being equal would mean less; None: whatever there is.
    sets: frozenset[str] | None = None


TARGETS = [
    Target("native"),
    Target("native, -C target-cpu=native", rustflags="-C target-cpu=native"),
    Target("native, without threads", features=False),
    Target("x86-64 Nehalem", emulator="x86_64", cpu="Nehalem", sets=frozenset({"scalar"})),
    Target("x86-64 max", emulator="x86_64", cpu="max", sets=frozenset({"scalar", "AVX2"})),
    Target("aarch64", "aarch64", "aarch64", "max", sets=frozenset({"scalar", "NEON"})),
    Target("s390x", "s390x", "s390x", "max", sets=frozenset({"scalar"})),
    Target("i686", "i686", "i386", "max", sets=frozenset({"scalar", "AVX2"})),
    Target("i686 Nehalem", "i686", "i386", "Nehalem", sets=frozenset({"scalar"})),
    Target("wasm32", wasm=True, features=False, sets=frozenset({"scalar"})),
    Target("wasm32, simd128", wasm=True, rustflags="-C target-feature=+simd128", features=False, sets=frozenset({"scalar"})),
]
WASM = "wasm32-wasip1"
SETS = ["scalar", "AVX2", "AVX-512", "NEON"]


class Packages:
    """Debian packages, unpacked in a directory of their own: nothing is installed, and root is not needed."""

    def __init__(self, directory):
        self.downloads, self.root = directory / "packages", directory / "root"
        self.unpacked = set()

    def get(self, group):
        if platform.system() != "Linux" or platform.machine() != "x86_64":
            raise Skipped("Debian's packages here are for Linux on x86-64")
        for line in (HERE / "packages.txt").read_text().splitlines():
            fields = line.split()
            if fields[0] == group:
                self.unpack(self.download(*fields[1:]))
        return self.root / "usr"

    def download(self, sha256, path):
        file = self.downloads / Path(path).name
        self.downloads.mkdir(parents=True, exist_ok=True)
        if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256:
            return file
        archive, rest = path.split("/", 1)
        for url in [MIRROR.format(path=path), SNAPSHOT.format(archive=archive, rest=rest)]:
            try:
                content = urllib.request.urlopen(url, timeout=120).read()
            except OSError:  # URLError and TimeoutError are
                continue
            if hashlib.sha256(content).hexdigest() == sha256:
                file.write_bytes(content)
                return file
        raise Skipped(f"cannot download {Path(path).name}")

    def unpack(self, file):
        # A package once unpacked leaves its mark, so that the next run need not.
        mark = self.root / ".unpacked" / file.name
        if mark.exists():
            return
        mark.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["dpkg-deb", "-x", file, self.root], check=True)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            raise Skipped(f"cannot unpack {file.name}: {error}") from error
        mark.touch()


def wrapper(file, usr, program):
    """A script that runs an unpacked program with its own libraries."""
    libraries = usr / "lib" / "x86_64-linux-gnu"
    file.write_text(f'#!/bin/sh\nexec env LD_LIBRARY_PATH="{libraries}" "{usr}/bin/{program}" "$@"\n')
    file.chmod(0o755)
    return str(file)


def build(target, packages, scratch):
    """The program for a target."""
    environment = dict(os.environ)
    command = ["cargo", "build", "--release", "--locked", "--quiet"]
    command += [] if target.features else ["--no-default-features"]
    kind = re.sub(r"\W+", "-", target.rustflags) + ("" if target.features else "no-features")
    directory = scratch / f"build{kind}"
    place = directory / "release"
    environment["RUSTFLAGS"] = target.rustflags
    if target.wasm:
        if subprocess.run(["rustup", "target", "add", WASM]).returncode:
            raise Skipped(f"cannot get Rust's standard library for {WASM}")
        command += ["--target", WASM]
        place = directory / WASM / "release"
    if target.arch:
        usr = packages.get("rustc")
        packages.get(target.arch)
        triple = f"{target.arch}-unknown-linux-gnu"
        prefix = f"CARGO_TARGET_{triple.upper().replace('-', '_')}"
        environment["RUSTC"] = wrapper(scratch / "rustc", usr, "rustc")
        linker = f"{target.arch}-linux-gnu-gcc-12"
        environment[f"{prefix}_LINKER"] = wrapper(scratch / linker, usr, linker)
        # Without libraries of the target to be found at run time.
        environment.pop("RUSTFLAGS")
        environment[f"{prefix}_RUSTFLAGS"] = "-C target-feature=+crt-static"
        directory = scratch / "build-debian"
        command += ["--target", triple]
        place = directory / triple / "release"
    environment["CARGO_TARGET_DIR"] = str(directory)
    if subprocess.run(command, cwd=HERE, env=environment).returncode:
        raise Skipped("it does not build here, see above")
    return place / ("portability.wasm" if target.wasm else "portability")


def run(target, program, packages):
    """The program's lines: {name: {variant: hash}}."""
    command = [program]
    if target.wasm:
        command = ["node", "--no-warnings", HERE / "wasi.mjs", program]
    if target.emulator:
        command = [packages.get("qemu") / "bin" / f"qemu-{target.emulator}", "-cpu", target.cpu, program]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    except FileNotFoundError as error:
        raise Skipped(f"there is no {error.filename}") from error
    if done.returncode:
        raise SystemExit(f"{target.name}: the program failed ({done.returncode})")
    cases = {}
    for line in done.stdout.splitlines():
        label, value = line.split()
        name, _, variant = label.partition("@")
        cases.setdefault(name, {})[variant] = value
    return cases


def problems(target, cases, expected):
    """The names of the cases that a target computed wrongly."""
    wrong = []
    for name in sorted(expected.keys() | cases.keys()):
        values = set(cases.get(name, {}).values())
        missing_threads = re.match(r"threads[./]", name) and not target.features
        if values != {expected.get(name)} and not (missing_threads and not values):
            wrong.append(name)
    return wrong


def bless(cases):
    """Writes the native results to hashes.txt as those that all targets must give, and returns them."""
    differ = sorted(name for name, variants in cases.items() if len(set(variants.values())) > 1)
    if differ:
        raise SystemExit(f"native does not agree with itself: {', '.join(differ)}")
    expected = {name: min(variants.values()) for name, variants in cases.items()}
    EXPECTED.write_text("".join(f"{name} {value}\n" for name, value in expected.items()))
    return expected


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="REGEX", help="targets whose name matches; native always runs")
    parser.add_argument("--strict", action="store_true", help="fail if a target is skipped")
    parser.add_argument("--bless", action="store_true", help="write native's hashes to hashes.txt")
    parser.add_argument("--scratch", type=Path, help="where to build and unpack; default target/portability")
    options = parser.parse_args()
    default = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "portability"
    scratch = (options.scratch or default).absolute()
    scratch.mkdir(parents=True, exist_ok=True)
    packages = Packages(scratch)

    expected = dict(line.split() for line in EXPECTED.read_text().splitlines()) if EXPECTED.exists() else {}
    failed, skipped, rows = False, False, []
    for target in TARGETS:
        if target is not TARGETS[0] and not re.search(options.only, target.name):
            continue
        print(f"{target.name} ...", file=sys.stderr, flush=True)
        try:
            program = build(target, packages, scratch)
            start = time.monotonic()
            cases = run(target, program, packages)
            seconds = time.monotonic() - start
        except Skipped as reason:
            rows.append((target.name, "", "", "", f"skipped: {reason}"))
            skipped = True
            continue
        if options.bless and target is TARGETS[0]:
            expected = bless(cases)
        sets = {variant for variants in cases.values() for variant in variants} & set(SETS)
        wrong = problems(target, cases, expected)
        result = f"{len(wrong)} DIFFER: {', '.join(wrong)}" if wrong else "equal"
        if target.sets is not None and sets != target.sets:
            result += f"; NOT the sets expected, {', '.join(sorted(target.sets, key=SETS.index))}"
            failed = True
        failed |= bool(wrong)
        runs = sum(map(len, cases.values()))
        has = ", ".join(sorted(sets, key=SETS.index))
        rows.append((target.name, has, str(len(cases)), f"{runs}, {seconds:.1f} s", result))

    print("| target | instruction sets | cases | runs, time | hashes |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.exit(1 if failed or (options.strict and skipped) else 0)


if __name__ == "__main__":
    main()
