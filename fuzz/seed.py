"""Puts the fixtures into fuzz/corpus as seeds: `python fuzz/seed.py`, before `cargo fuzz run TARGET`."""

import json
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "tests" / "interop" / "fixtures"


def seed(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


for file in sorted((FIXTURES / "torch").glob("*.*")):
    suffix = file.suffix.removeprefix(".")
    if suffix in ("safetensors", "npz", "pt"):
        seed(suffix, file.name, file.read_bytes())
    if suffix in ("npz", "pt") and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                ending = name.rsplit(".", 1)[-1]
                target = {"pkl": "pickle", "npy": "npy"}.get(ending)
                if target:
                    seed(target, f"{file.name}.{name.replace('/', '.')}", archive.read(name))
for file in sorted((FIXTURES / "keras").glob("*.*")):
    if file.suffix in (".keras", ".h5"):
        seed("keras", file.name, file.read_bytes())
for file in sorted((FIXTURES / "onnx").glob("*.safetensors")):
    models = file.read_bytes()
    end = 8 + int.from_bytes(models[:8], "little")
    for name, entry in json.loads(models[8:end]).items():
        if name.endswith(".model"):
            start, stop = entry["data_offsets"]
            seed("onnx", name, models[end + start:end + stop])
CONFIG = {"input_size": 1, "hidden_size": 1, "num_layers": 1, "nonlinearity": "tanh", "bias": False,
          "batch_first": False, "dropout": 0.0, "bidirectional": False}
ARRAY = {"v": 1, "dim": [1, 1], "data": [0.5]}

seed("serde", "rnn.json", json.dumps(
    {"config": CONFIG, "parameters": {"weight_ih_l0": ARRAY, "weight_hh_l0": ARRAY}}).encode())
seed("serde", "linear.json", json.dumps(
    {"config": {"in_features": 1, "out_features": 1, "bias": False}, "parameters": {"weight": ARRAY}}).encode())
