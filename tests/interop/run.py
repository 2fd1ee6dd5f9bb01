"""Makes files with other libraries, and checks that what this crate makes of them loads there, bit for bit.

    python tests/interop/run.py [torch ...]

Each argument names a library; its module here, LIBRARY_files.py, has
    main()                   writes fixtures/LIBRARY
    check(convert, folder)   runs `convert(from, to)`, which is examples/convert.rs, on them and compares
Without arguments all are run. The files in fixtures/written are this crate's own, and are checked here.
"""

import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ["torch"]


def build():
    """The converter."""
    command = ["cargo", "build", "--release", "--all-features", "--example", "convert", "--message-format", "short"]
    subprocess.run(command, cwd=ROOT, check=True)
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True,
                              capture_output=True, text=True).stdout
    return Path(json.loads(metadata)["target_directory"]) / "release" / "examples" / "convert"


def main():
    binary = build()

    def convert(source, target):
        subprocess.run([binary, source, target], check=True, capture_output=True)

    for library in sys.argv[1:] or LIBRARIES:
        module = importlib.import_module(f"{library}_files")
        module.main()
        with tempfile.TemporaryDirectory() as folder:
            module.check(convert, Path(folder))


if __name__ == "__main__":
    main()
