"""Writes the fixtures that torch makes, into fixtures/torch: run by run.py, or alone.

    python tests/interop/torch_files.py

Each file F of some format stands beside what it holds in fixtures/torch/expected.json, as torch reads it itself:
name, element type, shape and the bits of every array, in hexadecimal.

rnn.{pt,safetensors,npz}, npz compressed   RNN(3, 5, num_layers=2, bidirectional=True) from seed 1
forward.safetensors      an input and what that network makes of it: input, output, h_n
relu.pt                  RNN(4, 2, nonlinearity="relu", bias=False), f64
checkpoint.pt            {"model": a module with encoder.rnn and head, "optimizer": Adam's state, "epoch": 3, ...}
tagger.pt                {"model": a bidirectional LSTM with projections and a head, after three steps, "optimizer": Adam's state}
tagger.safetensors       what that model makes of a ragged batch (output padded again, h_n, c_n), then the losses of five more
                         steps and all parameters after these, flat; `train` says what is drawn from which seed
dtypes.{pt,safetensors}  an array of every element type
layouts.npz              column-major, big-endian, without axes, without elements
views.pt                 slices, transposes, shared and expanded storages, a scalar, an empty array, a parameter
big_endian.pt            views.pt as a big-endian machine writes it
old.pt                   rnn.pt with only the entries that torch 1.6 wrote
protocol4.pt             rnn.pt in pickle protocol 4
small_floats.json        FNV-1a of the f32 bits that torch makes of every value of each small float
beside.pt                tensors beside what is left out: sparse and meta tensors, odd keys, layouts and more
numpy.pt                 tensors beside scalars and arrays of NumPy, which weights_only refuses
beside.npz               an array beside text, objects, records and an entry that is no npy file
sparse.pt                no tensor but a sparse one
module.pt, legacy.pt, evil.pt, cyclic.pt   to be refused
"""

import io
import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = Path(__file__).parent / "fixtures" / "torch"
DTYPES = ["float64", "float32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz",
          "float8_e4m3fnuz", "float8_e8m0fnu", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16",
          "uint8", "bool", "complex64", "complex128"]
NOT_IN_SAFETENSORS = {"complex128"}
NOT_IN_NUMPY = {name for name in DTYPES if name == "bfloat16" or name.startswith("float8")}


def bits(tensor):
    """What a tensor holds, in row-major order."""
    tensor = tensor.detach().contiguous()
    raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape), "hex": raw.hex()}


def flat(value, path=""):
    """The tensors of nested containers that hold plain elements, named by their paths of text and numbers."""
    if isinstance(value, torch.Tensor):
        odd = value.layout != torch.strided or value.is_meta or value.is_quantized or value.is_conj() or value.is_neg()
        return {} if odd else {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    found = {}
    for key, item in items:
        if type(key) not in (str, int):
            continue
        found |= flat(item, f"{path}.{key}" if path else str(key))
    return found


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.ModuleDict({"rnn": torch.nn.RNN(4, 3)})
        self.head = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.encoder["rnn"](x)[0])


def rnn():
    torch.manual_seed(1)
    return torch.nn.RNN(3, 5, num_layers=2, bidirectional=True)


def forward(network):
    x = torch.rand(7, 2, 3) * 2 - 1
    output, h_n = network(x)
    return {"input": x, "output": output.detach(), "h_n": h_n.detach()}


def checkpoint():
    torch.manual_seed(2)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model(torch.rand(5, 2, 4)).square().mean().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.25,
            "name": "word", "done": True, "nothing": None, "history": [0.5, 0.25], "tags": {"a"}, "raw": b"\x00\xff",
            "large": 1 << 80, "device": torch.device("cpu"), "dtype": torch.float32, "size": torch.Size([2, 3])}


class Tagger(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True, proj_size=2)
        self.head = torch.nn.Linear(4, 2)


LENGTHS = [3, 5, 1, 4]


def ragged(features):
    """(4, 5, features) uniform in (-1, 1), packed."""
    x = torch.empty(4, 5, features).uniform_(-1, 1)
    return pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)


def train(model, optimizer, seed, steps):
    """The losses of some steps. From the seed are drawn, step by step, the input, the target and dropout's masks."""
    torch.manual_seed(seed)
    losses = []
    for _ in range(steps):
        x, target = ragged(3), ragged(2)
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model.head(model.lstm(x)[0].data), target.data)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def tagger(save):
    """Saves the model and its optimiser, and returns what it computes and how it goes on."""
    torch.manual_seed(6)
    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    train(model, optimizer, 7, 3)
    save("tagger.pt", {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    torch.manual_seed(8)
    with torch.no_grad():
        output, (h_n, c_n) = model.eval().lstm(ragged(3))
    results = {"output": pad_packed_sequence(output, batch_first=True)[0], "h_n": h_n, "c_n": c_n}
    losses = train(model.train(), optimizer, 9, 5)
    after = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return results | {"losses": torch.tensor(losses, dtype=torch.float64), "after": after}


def every_dtype():
    torch.manual_seed(3)
    values = torch.rand(2, 3) * 4 - 2
    whole = torch.arange(6).reshape(2, 3)
    made = {}
    for name in DTYPES:
        dtype = getattr(torch, name)
        made[name] = (values if dtype.is_floating_point or dtype.is_complex else whole).to(dtype)
    return made


def views():
    torch.manual_seed(4)
    base = torch.rand(4, 6)
    return {"whole": base, "rows": base[1:3], "columns": base[:, 2:5], "transposed": base.T, "step": base[::2, ::3],
            "same": base, "expanded": base[0].expand(3, 6), "scalar": torch.tensor(2.5), "empty": torch.empty(0, 3),
            "parameter": torch.nn.Parameter(base[2, :2].clone()), "half": base.half()[:, 1],
            "complex": torch.complex(base, -base)[1:, :2], "double": base.double().T}


def layouts():
    cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {"column_major": np.asfortranarray(cube), "transposed": cube[0].T, "big": cube.astype(">f4"),
            "big_double": np.asfortranarray(cube[0].astype(">f8")), "big_complex": cube[0].astype(">c8"),
            "big_int": cube[0].astype(">i2"), "half": cube[0].astype(np.float16), "flags": cube[0] > 5,
            "scalar": np.array(2.5), "empty": np.zeros((0, 3), np.float32)}


def beside():
    torch.manual_seed(9)
    weight, number = torch.rand(2, 2), torch.tensor([1 + 2j])
    parameter = torch.nn.Parameter(weight[0].clone())
    parameter.note = "an attribute"
    odd = {1.5: weight, None: weight, True: weight, (1, 2): weight, 7: weight}
    return {"weight": weight, "buffer": torch.nn.Buffer(weight[1].clone()), "parameter": parameter, "odd": odd,
            "sparse": weight.to_sparse(), "rows": weight.to_sparse_csr(), "meta": torch.empty(2, 2, device="meta"),
            "quantised": torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
            "channels": torch.quantize_per_channel(weight, torch.ones(2), torch.zeros(2), 0, torch.quint8),
            "conjugate": number.conj(), "negative": number.clone().conj().imag, "layout": torch.strided,
            "scheme": torch.per_tensor_affine, "storage": torch.ones(2).untyped_storage(), "counter": Counter("aab"),
            "complex": 1 + 2j, "bytes": b"ab", "array": bytearray(b"ab"), "set": {1}, "large": 1 << 80,
            "device": torch.device("cpu"), "dtype": torch.float32, "nothing": None}


def of_numpy():
    torch.manual_seed(10)
    return {"weight": torch.rand(2), "loss": np.float64(0.5), "losses": [np.float32(0.5), 0.25], "array": np.arange(3),
            "texts": np.array(["a", "bc"]), "objects": np.array([{}, "x"], dtype=object)}


def beside_npz(path):
    records = np.zeros(2, dtype=[("a", "<f4"), ("b", "<i8", (2,))])
    np.savez(path, weight=np.arange(6, dtype=np.float32).reshape(2, 3), texts=np.array(["a", "bc"]), bytes=np.array([b"ab"]),
             objects=np.array([{}, "x"], dtype=object), records=records, dates=np.array(["2020-01-01"], dtype="M8[D]"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("read.me"), b"no array")


def entries(path, change=lambda name, data: data):
    """Rewrites a zip archive. Each entry is changed or, if the change returns nothing, left out."""
    with zipfile.ZipFile(path) as old:
        contents = [(name, change(name, old.read(name))) for name in old.namelist()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name, data in contents:
            if data is not None:
                new.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def big_endian(dict, path):
    units = {}
    for tensor in dict.values():
        units[tensor.untyped_storage()._cdata] = tensor.element_size() // (2 if tensor.is_complex() else 1)
    units = list(units.values())

    def change(name, data):
        if name.endswith("/byteorder"):
            return b"big"
        if "/data/" in name and data:
            return np.frombuffer(data, f"u{units[int(name.rsplit('/', 1)[1])]}").byteswap().tobytes()
        return data

    return entries(path, change)


class Evil:
    def __reduce__(self):
        return os.system, ("echo executed",)


def cyclic():
    loop = []
    loop.append(loop)
    return {"loop": loop}


def fnv1a(data):
    hash = 0xCBF29CE484222325
    for byte in data:
        hash = ((hash ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{hash:016x}"


def small_floats():
    """Every NaN is written with the same bits."""
    hashes = {}
    for name in DTYPES[2:9]:
        dtype = getattr(torch, name)
        every = torch.arange(1 << 8 * dtype.itemsize).to(torch.uint8 if dtype.itemsize == 1 else torch.uint16)
        values = every.view(dtype).float().numpy()
        values[np.isnan(values)] = np.float32("nan")
        hashes[name] = fnv1a(values.astype("<f4").tobytes())
    return hashes


WRITTEN = {"checkpoint.pt": "checkpoint.pt", "dtypes.pt": "dtypes.pt", "rnn.pt": "rnn.npz"}
REFUSED = {"module.pt", "evil.pt", "legacy.pt", "cyclic.pt"}
PICKLED = {"protocol4", "numpy"}


def numbers(path):
    """The arrays that the file's own library reads, by name."""
    if path.suffix == ".safetensors":
        arrays = safetensors.torch.load_file(path)
    elif path.suffix == ".npz":
        arrays = np.load(path, allow_pickle=True)
        arrays = {name: value for name, value in arrays.items() if isinstance(value, np.ndarray) and value.dtype.kind in "fiubc"}
        arrays = {name: torch.from_numpy(value.astype(value.dtype.newbyteorder("="))) for name, value in arrays.items()}
    else:
        arrays = flat(torch.load(path, weights_only=path.stem not in PICKLED))
    return {name: bits(value) for name, value in arrays.items()}


def nested():
    """What files/beside.rs writes, with whole numbers, texts and dicts as torch has them."""
    read = torch.load(HERE.parent / "written" / "nested.pt", weights_only=True)
    tokens, model = read.pop("tokens"), read.pop("model")
    assert torch.equal(tokens, torch.tensor([[3, 1]])) and tokens.dtype == torch.int64
    torch.nn.ModuleDict({"rnn": torch.nn.RNN(3, 2)}).load_state_dict(model)
    assert read == {"notes": {"note": "word"}, "history": {"loss": [0.5, 0.25], "epochs": [1, 2]}, "labels": ["yes", "no"],
                    "done": True}


def check(convert, folder):
    """Every file in every format that has its element types, read again by torch, safetensors and NumPy."""
    count = 0
    for file in sorted(HERE.glob("*.*")):
        if file.name in REFUSED or file.suffix == ".json":
            continue
        expected = numbers(file)
        dtypes = {value["dtype"] for value in expected.values()}
        for suffix in (".pt", ".safetensors", ".npz"):
            unknown = NOT_IN_SAFETENSORS if suffix == ".safetensors" else NOT_IN_NUMPY
            if suffix != ".pt" and dtypes & unknown:
                continue
            target = folder / (file.stem + suffix)
            convert(file, target)
            assert numbers(target) == expected, (file, suffix)
            count += 1
    # The state dict of a module, as its own class loads it.
    convert(HERE / "rnn.safetensors", folder / "again.pt")
    network = torch.nn.RNN(3, 5, num_layers=2, bidirectional=True)
    network.load_state_dict(torch.load(folder / "again.pt"))
    saved = safetensors.torch.load_file(HERE / "forward.safetensors")
    assert torch.equal(network(saved["input"])[0], saved["output"])
    for source, name in WRITTEN.items():
        target = HERE.parent / "written" / name
        target.parent.mkdir(exist_ok=True)
        convert(HERE / source, target)
        assert numbers(target) == numbers(HERE / source)
    nested()
    print(f"torch: {count} files written here and read there, bit for bit")


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    expected = {}

    def save(file, value, **options):
        torch.save(value, HERE / file, **options)
        if file not in REFUSED:
            expected[file] = numbers(HERE / file)

    network = rnn()
    state = network.state_dict()
    save("rnn.pt", state)
    safetensors.torch.save_file(state, HERE / "rnn.safetensors", metadata={"format": "pt"})
    np.savez(HERE / "rnn.npz", **{name: value.numpy() for name, value in state.items()})
    np.savez_compressed(HERE / "compressed.npz", **{name: value.numpy() for name, value in state.items()})
    np.savez(HERE / "layouts.npz", **layouts())
    expected["layouts.npz"] = numbers(HERE / "layouts.npz")
    for file in ("rnn.safetensors", "rnn.npz", "compressed.npz"):
        expected[file] = expected["rnn.pt"]
    safetensors.torch.save_file(forward(network), HERE / "forward.safetensors")
    torch.manual_seed(5)
    save("relu.pt", torch.nn.RNN(4, 2, nonlinearity="relu", bias=False, dtype=torch.float64).state_dict())
    save("checkpoint.pt", checkpoint())
    safetensors.torch.save_file(tagger(save), HERE / "tagger.safetensors")
    save("dtypes.pt", every_dtype())
    kept = {name: value for name, value in every_dtype().items() if name not in NOT_IN_SAFETENSORS}
    safetensors.torch.save_file(kept, HERE / "dtypes.safetensors")
    expected["dtypes.safetensors"] = {name: bits(value) for name, value in kept.items()}
    save("views.pt", views())
    (HERE / "big_endian.pt").write_bytes(big_endian(views(), HERE / "views.pt"))
    again = torch.load(HERE / "big_endian.pt", weights_only=True)
    assert {name: bits(value) for name, value in again.items()} == expected["views.pt"]
    expected["big_endian.pt"] = expected["views.pt"]
    old = ("data.pkl", "version")
    keep = lambda name, data: data if name.split("/", 1)[1] in old or "/data/" in name else None
    (HERE / "old.pt").write_bytes(entries(HERE / "rnn.pt", keep))
    again = torch.load(HERE / "old.pt", weights_only=True)
    assert {name: bits(value) for name, value in again.items()} == expected["rnn.pt"]
    expected["old.pt"] = expected["rnn.pt"]
    save("protocol4.pt", state, pickle_protocol=4)

    save("module.pt", network)
    if not (HERE / "legacy.pt").exists():  # the only file whose bytes differ each time
        save("legacy.pt", state, _use_new_zipfile_serialization=False)
    save("evil.pt", {"weight": state["bias_hh_l0"], "evil": Evil()})
    save("sparse.pt", {"sparse": torch.eye(2).to_sparse()})
    save("beside.pt", beside())
    save("numpy.pt", of_numpy())
    beside_npz(HERE / "beside.npz")
    expected["beside.npz"] = numbers(HERE / "beside.npz")
    save("cyclic.pt", cyclic())
    (HERE / "small_floats.json").write_text(json.dumps(small_floats(), indent=1) + "\n")
    lines = [f'{json.dumps(file)}: {{\n' + ",\n".join(f" {json.dumps(n)}: {json.dumps(v)}" for n, v in arrays.items())
             + "}" for file, arrays in sorted(expected.items())]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(list(HERE.iterdir()))} files, {sum(file.stat().st_size for file in HERE.iterdir())} bytes")


if __name__ == "__main__":
    main()
