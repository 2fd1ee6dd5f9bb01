"""Writes fixtures/onnx/models.safetensors: models of torch and of onnx's helper, and what ONNX Runtime makes of them and of ours.

    python tests/interop/onnx_files.py         # in an environment with torch, onnx, onnxruntime and safetensors

Every model passes onnx.checker. Running it twice writes the same bytes. The metadata is one key, JSON text, an
object of four lists of cases; a model is stored as the bytes of its file, {list}.{name}.model.

ours        The models that the crate writes, as tests/onnx/exports.rs, heads.rs and keras.rs name them: their inputs,
            and ONNX Runtime's outputs.
torch       What torch's exporter writes of torch.nn.RNN, LSTM and GRU, and the module's parameters; input, output, h_n,
            and with an LSTM c_n.
mixed       What torch's exporter writes of an LSTM, a GRU and an RNN of two layers, one upon another: input, output.
node        One RNN node each, with the case's attributes: X, sequence_lens and initial_h if the node has them, and
            ONNX Runtime's Y and Y_h. It does not know layout 1: these Y are those of the same node in layout 0,
            exchanged as the operator's definition says.
"""

import io
import json
import pathlib
import subprocess
import warnings
import zlib

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).parents[2]
OURS = ROOT / "target/interop/onnx"
TOLERANCE = 1e-6

tensors = {}
cases = {"ours": [], "torch": [], "mixed": [], "node": []}


def uniform(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def run(model, feeds):
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    return session(model).run(None, feeds)


def session(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def store(kind, case, model, arrays):
    cases[kind].append(case)
    tensors[f"{kind}.{case['name']}.model"] = np.frombuffer(model, np.uint8).copy()
    for name, array in arrays.items():
        tensors[f"{kind}.{case['name']}.{name}"] = np.ascontiguousarray(array)


# Ours


def ours():
    paths = sorted(OURS.glob("*.onnx"))
    assert paths, f"no models in {OURS}"
    for path in paths:
        i = zlib.crc32(path.stem.encode())
        model = path.read_bytes()
        graph = onnx.load_from_string(model).graph
        types = {v.name: v.type.tensor_type for v in graph.input}
        shapes = {name: [d.dim_value or d.dim_param for d in kind.shape.dim] for name, kind in types.items()}
        sizes = {"L": 5, "T": 5, "N": 3}
        feeds = {}
        for k, name in enumerate(shapes):
            shape = [sizes.get(size, size) for size in shapes[name]]
            feeds[name] = np.array([2, 5, 1], np.int32) if name == "sequence_lens" else uniform([i, k], *shape)
            if types[name].elem_type == TensorProto.INT64:
                feeds[name] = np.random.default_rng([i, k]).integers(0, 7, shape)
        outputs = dict(zip([output.name for output in graph.output], run(model, feeds)))
        metadata = session(model).get_modelmeta().custom_metadata_map
        store("ours", {"name": path.stem, "metadata": metadata}, model, feeds | outputs)


# torch


class Wrapped(torch.nn.Module):
    """A network between other layers."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn, self.head = rnn, torch.nn.Linear(rnn.hidden_size, 2)

    def forward(self, x):
        output, h_n = self.rnn(torch.relu(x))
        return self.head(output), h_n


def torch_models():
    options = {
        "plain": {},
        "stacked": {"num_layers": 3, "nonlinearity": "relu", "bias": False},
        "both-ways": {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
        "batch-first": {"num_layers": 2, "batch_first": True},
        "batch-first-both-ways": {"batch_first": True, "bidirectional": True},
        "between-layers": {},
        "old-opset": {"bidirectional": True},
    }
    for kind in ("LSTM", "GRU"):
        both = {"num_layers": 2, "bidirectional": True}
        more = {"": {}, "-both-ways": {**both, "batch_first": True}, "-unfolded": both, "-without-bias": {"bias": False}}
        options |= {f"{kind.lower()}{name}": option for name, option in more.items()}
    for i, (name, option) in enumerate(options.items()):
        torch.manual_seed(i)
        kind = name.split("-")[0].upper()
        kind = kind if kind in ("LSTM", "GRU") else "RNN"
        rnn = getattr(torch.nn, kind)(4, 3, **option)
        module = Wrapped(rnn) if name == "between-layers" else rnn
        x = torch.from_numpy(uniform(1000 + i, 3, 5, 4) if rnn.batch_first else uniform(1000 + i, 5, 3, 4))
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            states = ["h_n", "c_n"][: 1 + (kind == "LSTM")]
            names = {"input_names": ["input"], "output_names": ["output", *states]}
            axes = {"dynamic_axes": {"input": {0: "first", 1: "second"}}}
            opset = 9 if name == "old-opset" else 17
            folding = {"do_constant_folding": "unfolded" not in name}
            torch.onnx.export(module.eval(), (x,), file, dynamo=False, opset_version=opset, **names, **axes, **folding)
        output, *last = run(file.getvalue(), {"input": x.numpy()})
        expected, state = module(x)
        expected = [expected, *(state if kind == "LSTM" else [state])]
        for ours, theirs in zip([output, *last], expected):
            assert abs(ours - theirs.detach().numpy()).max() < TOLERANCE
        arrays = {f"parameter.{key}": value.numpy() for key, value in rnn.state_dict().items()}
        option = {"nonlinearity": "tanh", "batch_first": False, **option}
        case = {"name": name, "class": kind, "nonlinearity": option["nonlinearity"], "batch_first": option["batch_first"]}
        if name == "between-layers":
            output = rnn(torch.relu(x))[0].detach().numpy()
            x = torch.relu(x)
        store("torch", case, file.getvalue(), {"input": x.numpy(), "output": output, **dict(zip(states, last)), **arrays})


class Mixed(torch.nn.Module):
    """Networks of three kinds, one upon another."""

    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(4, 3, bidirectional=True)
        self.gru = torch.nn.GRU(6, 2)
        self.rnn = torch.nn.RNN(2, 3, num_layers=2, nonlinearity="relu")

    def forward(self, x):
        return self.rnn(self.gru(self.lstm(x)[0])[0])[0]


def mixed():
    torch.manual_seed(100)
    module, x, file = Mixed(), torch.from_numpy(uniform(2000, 5, 3, 4)), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (x,), file, dynamo=False, input_names=["input"], output_names=["output"])
    (output,) = run(file.getvalue(), {"input": x.numpy()})
    assert abs(output - module(x).detach().numpy()).max() < TOLERANCE
    store("mixed", {"name": "mixed"}, file.getvalue(), {"input": x.numpy(), "output": output})


# Single nodes

LENGTH, BATCH, INPUT, HIDDEN = 6, 4, 3, 2


def node(seed, lens=False, h=False, bias=True, layout=0, constants=(), dtype=None, opset=14, **attributes):
    """A model of one node. Inputs named in `constants` are stored in the model."""
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    shapes = {"W": (HIDDEN, INPUT), "R": (HIDDEN, HIDDEN), "B": (2 * HIDDEN,)}
    arrays = {name: uniform(seed + k, directions, *shape) for k, (name, shape) in enumerate(shapes.items())}
    state = [directions, BATCH, HIDDEN]
    sequence = [LENGTH, BATCH, INPUT]
    feeds = {"X": uniform(seed + 3, *sequence)}
    if lens:
        feeds["sequence_lens"] = np.array([2, 6, 1, 4], np.int32)
    if h:
        feeds["initial_h"] = uniform(seed + 4, *state)
    if layout == 1:
        attributes["layout"] = 1
        feeds = {name: x if name == "sequence_lens" else x.swapaxes(0, 1) for name, x in feeds.items()}
        state = [BATCH, directions, HIDDEN]
    names = ["X", "W", "R", "B" if bias else "", "sequence_lens" if lens else "", "initial_h" if h else ""]
    while not names[-1]:
        names.pop()
    initializers, nodes = [], []
    for name, array in [(name, arrays[name]) for name in ("W", "R", "B") if name in names] + [
        (name, feeds.pop(name)) for name in constants
    ]:
        tensor = numpy_helper.from_array(array, name)
        if dtype == "lists" and array.dtype == np.float32:
            tensor = helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.flatten().tolist())
        if dtype == "constants":
            tensor.name = ""
            nodes.append(helper.make_node("Constant", [], [f"{name}_of"], value=tensor))
            nodes.append(helper.make_node("Identity", [f"{name}_of"], [name]))
        else:
            initializers.append(tensor)
    nodes.append(helper.make_node("RNN", names, ["Y", "Y_h"], name="the_node", hidden_size=HIDDEN, **attributes))
    elem = {"sequence_lens": TensorProto.INT32}
    inputs = [helper.make_tensor_value_info(k, elem.get(k, TensorProto.FLOAT), x.shape) for k, x in feeds.items()]
    shape = [BATCH, LENGTH, directions, HIDDEN] if layout else [LENGTH, directions, BATCH, HIDDEN]
    outputs = [
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, state),
    ]
    graph = helper.make_graph(nodes, "one node", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    return model.SerializeToString(deterministic=True), feeds


def expected(seed, layout=0, **options):
    """Y and Y_h by ONNX Runtime, which knows layout 0 only."""
    model, feeds = node(seed, **options)
    y, y_h = run(model, feeds)
    return (y.transpose(2, 0, 1, 3), y_h.swapaxes(0, 1)) if layout else (y, y_h)


def nodes():
    both = {"direction": "bidirectional"}
    options = {
        "forward": {},
        "reverse": {"direction": "reverse", "lens": True, "h": True},
        "both": {**both, "lens": True, "h": True},
        "no-bias": {"bias": False, "activations": ["Relu"]},
        "clip": {"clip": 0.4, "activations": ["Relu"]},
        "clip-both": {**both, "clip": 0.3, "lens": True, "h": True, "activations": ["Tanh", "Sigmoid"]},
        "relu-softsign": {**both, "activations": ["Relu", "Softsign"]},
        "softplus-elu": {**both, "activations": ["Softplus", "Elu"]},
        "numbers-in-turn": {
            **both,
            "activations": ["Sigmoid", "Affine"],
            "activation_alpha": [1.0],
            "activation_beta": [0.0],
            "clip": 2.0,
        },
        "affine": {"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0], "clip": 0.5},
        "hard-sigmoid": {
            "activations": ["HardSigmoid"],
            "activation_alpha": [1 / 6],
            "activation_beta": [0.5],
        },
        "layout": {"layout": 1, "lens": True, "h": True},
        "layout-both": {**both, "layout": 1, "lens": True, "h": True, "activations": ["Relu", "Tanh"]},
        "layout-reverse": {"layout": 1, "direction": "reverse"},
        "constants": {"dtype": "constants", "lens": True, "h": True, "constants": ("initial_h", "sequence_lens")},
        "layout-constants": {**both, "layout": 1, "h": True, "constants": ("initial_h",)},
        "lists": {"dtype": "lists"},
        "opset-7": {"opset": 7, **both},
        "opset-22": {"opset": 22},
    }
    for i, (name, option) in enumerate(options.items()):
        model, feeds = node(10_000 + 10 * i, **option)
        onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
        y, y_h = expected(10_000 + 10 * i, **option)
        store("node", {"name": name}, model, {**feeds, "Y": y, "Y_h": y_h})


def main():
    command = ["cargo", "test", "--quiet", "--test", "onnx", "--", "--ignored"]
    subprocess.run(command, cwd=ROOT, check=True)
    ours()
    torch_models()
    mixed()
    nodes()
    path = pathlib.Path(__file__).parent / "fixtures/onnx/models.safetensors"
    save_file(tensors, path, {"cases": json.dumps(cases)})
    print(f"{path}: {path.stat().st_size} bytes, " + ", ".join(f"{len(v)} {k}" for k, v in cases.items()))


if __name__ == "__main__":
    main()
