"""What the scripts that write Keras's fixtures share: numbers that need not be stored, and the file format.

Not run by itself. Import it before keras: it chooses the backend and keeps TensorFlow quiet.
"""

import json
import os
import struct
from pathlib import Path

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64}
NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64", np.dtype(np.int64): "I64"}


class Numbers:
    """Numbers in [-1, 1) with 24 bits: splitmix64 of a running count, the same in Rust (tests/common/mixed.rs)."""

    def __init__(self, seed, dtype):
        self.count, self.dtype = seed << 32, DTYPES[dtype]

    def draw(self, *shape):
        size = int(np.prod(shape))
        z = np.arange(self.count, self.count + size, dtype=np.uint64)
        self.count += size
        with np.errstate(over="ignore"):
            z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
        return ((z >> np.uint64(40)).astype(np.float64) / 2**23 - 1).astype(self.dtype).reshape(shape)

    def weights(self, input_dim, units, use_bias, gates=1, rows=1):
        """Kernel, recurrent kernel, bias of so many rows: numbers divided so that outputs stay of order one."""
        columns, bias, divisor = gates * units, (rows, gates * units)[2 - rows :], 2 if gates == 1 else 4
        kernels = [self.draw(input_dim, columns) / divisor, self.draw(units, columns) / max(divisor, units / 2)]
        return kernels + ([self.draw(*bias) / divisor] if use_bias else [])


def flat(arrays):
    """Arrays one after another. None has no numbers."""
    return np.concatenate([np.asarray(array).reshape(-1) for array in arrays if array is not None])


def save(name, tensors, metadata):
    """Writes a safetensors file beside this script: sorted by name, the same bytes each time."""
    header, start = {"__metadata__": {"cases": json.dumps(metadata, separators=(",", ":"))}}, 0
    arrays = {key: np.ascontiguousarray(tensors[key]) for key in sorted(tensors)}
    for key, array in arrays.items():
        end = start + array.nbytes
        header[key] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = Path(__file__).with_name(name)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in arrays.values()))
    print(f"{path.name}: {len(arrays)} tensors, {path.stat().st_size} bytes")
