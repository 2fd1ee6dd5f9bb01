"""Writes fixtures/onnx/graphs.safetensors: RNN nodes in the graphs of exporters, and what ONNX Runtime computes.

    python tests/interop/onnx_graph_files.py    # in an environment with torch, onnx, onnxruntime and safetensors

Running it twice writes the same bytes. The metadata is one key, JSON text, a list of cases. A case has a name and:

kind        torch       torch 2.15 wrote the model (torch.onnx.export with dynamo=False)
            by hand     onnx.helper wrote it, as the exporter that the case's name begins with writes it, or as none does
rnn         the repr of torch's module, or null if the nodes make no torch.nn.RNN
refused     why not: words of the error

Tensors: {name}.model, the file's bytes; {name}.input.{input}, the graph's inputs; for the k-th RNN node {name}.{k}.X,
.Y and .Y_h, and .initial_h and .sequence_lens if the graph computes them from its inputs; {name}.output, the output
of the network that the nodes make.
"""

import io
import json
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

TOLERANCE = 1e-6
L, N, I, H = 5, 3, 4, 3

tensors, cases = {}, []


def uniform(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def store(name, kind, model, feeds, rnn=None, refused=None, output=None, reference=None, lend=()):
    """One case. ONNX Runtime runs `reference` in place of a model that it cannot run. `output` is the module's. `lend`
    names inputs that the test gives to the nodes, since the graph has them from its own inputs."""
    proto = onnx.load_from_string(reference or model)
    if reference is None:
        onnx.checker.check_model(proto, full_check=True)
    nodes = [node for node in proto.graph.node if node.op_type == "RNN"]
    wanted = {}
    for k, node in enumerate(nodes):
        wanted |= {f"{k}.X": node.input[0], f"{k}.Y": node.output[0], f"{k}.Y_h": node.output[1]}
        wanted |= {f"{k}.{lent}": node.input[{"sequence_lens": 4, "initial_h": 5}[lent]] for lent in lend}
    there = {value.name for value in proto.graph.output} | set(feeds)
    for value in sorted(set(wanted.values()) - there):
        kind_of = TensorProto.INT32 if wanted.get("0.sequence_lens") == value else TensorProto.FLOAT
        proto.graph.output.append(helper.make_tensor_value_info(value, kind_of, None))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    results = dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds))) | feeds
    result = results[onnx.load_from_string(model).graph.output[0].name]
    assert output is None or abs(result - output).max() < TOLERANCE, name
    # Behind a head the graph's output is not the network's.
    if rnn is not None and "head" not in name:
        tensors[f"{name}.output"] = result
    tensors[f"{name}.model"] = np.frombuffer(model, np.uint8).copy()
    for key, value in feeds.items():
        tensors[f"{name}.input.{key}"] = value
    for key, value in wanted.items():
        tensors[f"{name}.{key}"] = np.ascontiguousarray(results[value])
    cases.append({"name": name, "kind": kind, "nodes": len(nodes), "rnn": rnn, "refused": refused})


# Models of torch


class Started(torch.nn.Module):
    """A network whose first state `start` makes of the input and of a parameter."""

    def __init__(self, start, **options):
        super().__init__()
        self.rnn = torch.nn.RNN(I, H, **options)
        rows = self.rnn.num_layers * (2 if self.rnn.bidirectional else 1)
        self.h0 = torch.nn.Parameter(torch.linspace(-1, 1, rows * H).reshape(rows, 1, H))
        self.start = start

    def forward(self, x):
        return self.rnn(x, self.start(self, x))


class Headed(torch.nn.Module):
    """A layer before the network, and one behind it."""

    def __init__(self):
        super().__init__()
        self.rnn, self.fc = torch.nn.RNN(I, H), torch.nn.Linear(H, 2)

    def forward(self, x):
        return self.fc(self.rnn(torch.relu(x))[0][-1])


class Residual(torch.nn.Module):
    """The outputs of the first network are added to those of the second."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.RNN(I, H), torch.nn.RNN(H, H)

    def forward(self, x):
        below = self.first(x)[0]
        return below + self.second(below)[0]


class Packed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.RNN(I, H)

    def forward(self, x, lengths):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths)
        output, h_n = self.rnn(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(output, total_length=L)[0], h_n


def export(module, arguments, dynamic=True, **options):
    file = io.BytesIO()
    names = ["input", "lengths"][: len(arguments)]
    axes = {"input": {0: "first", 1: "second"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), arguments, file, dynamo=False, input_names=names, dynamic_axes=axes, **options
        )
    return file.getvalue()


def torch_case(name, module, refused=None, dynamic=True, lengths=None, lend=(), **options):
    network = getattr(module, "rnn", module if isinstance(module, torch.nn.RNN) else None)
    shape = (N, L, I) if network is not None and network.batch_first else (L, N, I)
    x = torch.from_numpy(uniform(len(cases), *shape))
    arguments = (x,) if lengths is None else (x, torch.tensor(lengths))
    output = module(*arguments)
    output = (output[0] if isinstance(output, tuple) else output).detach().numpy()
    model = export(module, arguments, dynamic, **options)
    proto = onnx.load_from_string(model)
    feeds = {"input": x.numpy()}
    if lengths is not None:
        # The exporter gives the second input a name of its own.
        feeds[proto.graph.input[1].name] = np.array(lengths, np.int64)
    if not options.get("export_params", True):
        feeds |= {key: value.numpy() for key, value in module.state_dict().items()}
    rnn = None if refused else repr(network)
    store(name, "torch", model, feeds, rnn, refused, output, lend=lend)


def torch_cases():
    torch.manual_seed(0)
    unfolded = {"do_constant_folding": False}
    torch_case("folded", torch.nn.RNN(I, H, num_layers=2))
    torch_case("unfolded", torch.nn.RNN(I, H, num_layers=2), **unfolded)
    both = torch.nn.RNN(I, H, num_layers=2, bidirectional=True, batch_first=True)
    torch_case("unfolded-both", both, **unfolded)
    torch_case("unfolded-opset-9", both, opset_version=9, **unfolded)
    torch_case("one-shape", torch.nn.RNN(I, H, num_layers=2), dynamic=False)
    torch_case("one-shape-unfolded", torch.nn.RNN(I, H, bias=False), dynamic=False, **unfolded)
    keep = {"keep_initializers_as_inputs": True}
    torch_case("initializers-as-inputs", torch.nn.RNN(I, H, num_layers=2), **keep)
    torch_case("weights-as-inputs", torch.nn.RNN(I, H, num_layers=2), export_params=False, **unfolded)
    torch_case("head", Headed())
    torch_case("head-unfolded", Headed(), **unfolded)
    torch_case("zeros", Started(lambda self, x: torch.zeros(1, x.size(1), H)))
    constant = "an initial_h that is a constant other than zero"
    expand = lambda self, x: self.h0.expand(-1, x.size(1), -1).contiguous()
    torch_case("expanded", Started(expand), constant)
    torch_case("expanded-opset-9", Started(expand), constant, opset_version=9)
    torch_case("expanded-unfolded", Started(expand), constant, **unfolded)
    torch_case("expanded-both", Started(expand, num_layers=2, bidirectional=True), constant)
    torch_case("repeated", Started(lambda self, x: self.h0.repeat(1, x.size(1), 1)), constant)
    torch_case("full", Started(lambda self, x: torch.full((1, x.size(1), H), 0.5)), constant)
    torch_case("product", Started(lambda self, x: x.new_ones(1, x.size(1), H) * 0.5), constant)
    computed = "an initial_h that "
    torch_case("computed", Started(lambda self, x: x[:1, :, :H]), computed, lend=["initial_h"])
    tanh = lambda self, x: torch.tanh(self.h0).expand(-1, x.size(1), -1)
    torch_case("computed-row", Started(tanh), computed, lend=["initial_h"], **unfolded)
    torch_case("packed", Packed(), lengths=[5, 3, 1], lend=["sequence_lens"])
    torch_case("residual", Residual(), "reads beside")


# Models by hand

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64


class Writer:
    def __init__(self, opset, shape=("L", "N", I)):
        self.opset, self.shape, self.nodes, self.initializers = opset, shape, [], []

    def node(self, op_type, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(op_type, inputs, outputs, f"{op_type}_{outputs[0]}", **attributes))
        return outputs[0]

    def array(self, name, value, dtype=np.float32):
        self.initializers.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def rnn(self, k, x, sequence_lens="", initial_h="", width=I, directions=1, **attributes):
        weights = [("W", (H, width)), ("R", (H, H)), ("B", (2 * H,))]
        for i, (name, shape) in enumerate(weights):
            self.array(f"{name}{k}", uniform(100 * k + i, directions, *shape))
        if directions == 2:
            attributes["direction"] = "bidirectional"
        inputs = [x, f"W{k}", f"R{k}", f"B{k}", sequence_lens, initial_h]
        while not inputs[-1]:
            inputs.pop()
        return self.node("RNN", inputs, [f"Y{k}", f"Y_h{k}"], hidden_size=H, **attributes)

    def model(self, output, inputs=()):
        shape = [f"axis{i}" for i in range(4 if output.startswith("Y") else 3)]
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info("input", FLOAT, self.shape), *inputs],
            [helper.make_tensor_value_info(output, FLOAT, shape)],
            self.initializers,
        )
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=imports, ir_version=7).SerializeToString(deterministic=True)


X = {"input": uniform(1, L, N, I)}
RNN = "RNN(4, 3, num_layers=2)"
BOTH = "RNN(4, 3, num_layers=2, batch_first=True, bidirectional=True)"


def time_lens(writer, k, x):
    """The lengths of all sequences, as tf2onnx computes them: the number of steps, as often as there are sequences."""
    shape = writer.node("Shape", [x], [f"shape{k}"])
    floats = writer.node("Cast", [shape], [f"floats{k}"], to=FLOAT)
    pieces = {}
    for name, axis in [("time", 0), ("batch", 1)]:
        piece = writer.node("Slice", [floats], [f"{name}{k}"], axes=[0], starts=[axis], ends=[axis + 1])
        pieces[name] = writer.node("Cast", [piece], [f"{name}_int{k}"], to=INT64)
    lens = writer.node("Tile", [pieces["time"], pieces["batch"]], [f"tiled{k}"])
    return writer.node("Cast", [lens], [f"lens{k}"], to=INT32)


def tf2onnx():
    writer = Writer(9, ("N", "L", I))
    x, width = writer.node("Transpose", ["input"], ["time_major"], perm=[1, 0, 2]), I
    for k in range(2):
        shape = writer.node("Shape", [x], [f"shape_h{k}"])
        batch = writer.node("Slice", [shape], [f"batch_h{k}"], axes=[0], starts=[1], ends=[2])
        two, units = writer.array(f"two{k}", [2], np.int64), writer.array(f"units{k}", [H], np.int64)
        sizes = writer.node("Concat", [two, batch, units], [f"sizes{k}"], axis=0)
        value = numpy_helper.from_array(np.zeros(1, np.float32))
        state = writer.node("ConstantOfShape", [sizes], [f"state{k}"], value=value)
        y = writer.rnn(k, x, time_lens(writer, k, x), state, width, 2)
        sides = []
        for d, side in enumerate(["fw", "bw"]):
            piece = writer.node("Slice", [y], [f"{side}{k}"], axes=[1], starts=[d], ends=[d + 1])
            sides.append(writer.node("Squeeze", [piece], [f"{side}_squeezed{k}"], axes=[1]))
        x, width = writer.node("Concat", sides, [f"concat{k}"], axis=2), 2 * H
    model = writer.model(writer.node("Transpose", [x], ["output"], perm=[1, 0, 2]))
    store("tf2onnx-both", "by hand", model, {"input": uniform(1, N, L, I)}, BOTH)


def old_torch():
    """torch 0.3 stores a first state of zeros, of one batch, and slices it; torch 0.4 and 1.0 fill it by ConstantFill,
    which ONNX Runtime does not have: it runs ConstantOfShape instead."""
    writer, x = Writer(8), "input"
    zeros = numpy_helper.from_array(np.zeros((2, N, H), np.float32), "")
    state = writer.node("Constant", [], ["state"], value=zeros)
    for k in range(2):
        h = writer.node("Slice", [state], [f"h{k}"], axes=[0], starts=[k], ends=[k + 1])
        x = writer.node("Squeeze", [writer.rnn(k, x, "", h, I if k == 0 else H)], [f"rows{k}"], axes=[1])
    store("torch-0.3", "by hand", writer.model(x), X, RNN)
    models = []
    for fill in "ConstantFill", "ConstantOfShape":
        writer, x = Writer(9), "input"
        shape = writer.node("Shape", [x], ["shape"])
        one = numpy_helper.from_array(np.array(1, np.int64), "")
        one = writer.node("Constant", [], ["one"], value=one)
        batch = writer.node("Gather", [shape, one], ["batch"], axis=0)
        sizes = [writer.array("two", [2], np.int64), writer.node("Unsqueeze", [batch], ["batch_1"], axes=[0])]
        sizes = writer.node("Concat", [*sizes, writer.array("units", [H], np.int64)], ["sizes"], axis=0)
        options = {"dtype": 1, "input_as_shape": 1, "value": 0.0} if fill == "ConstantFill" else {}
        state = writer.node(fill, [sizes], ["state"], **options)
        for k in range(2):
            h = writer.node("Slice", [state], [f"h{k}"], axes=[0], starts=[k], ends=[k + 1])
            x = writer.node("Squeeze", [writer.rnn(k, x, "", h, I if k == 0 else H)], [f"rows{k}"], axes=[1])
        models.append(writer.model(x))
    store("torch-1.0", "by hand", models[0], X, RNN, reference=models[1])


def lens():
    writer = Writer(14)
    shape = writer.node("Shape", ["input"], ["shape"])
    batch = writer.node("Gather", [shape, writer.array("one", [1], np.int64)], ["batch"])
    writer.rnn(0, "input", writer.node("Expand", [writer.array("four", [4], np.int32), batch], ["lens"]))
    store("lens-repeated", "by hand", writer.model("Y0"), X, None, "sequence_lens that are constants")
    writer = Writer(14, (L, "N", I))
    writer.rnn(0, "input", writer.array("lens", [L] * N, np.int32))
    y, axes = "Y0", writer.array("axes", [1], np.int64)
    store("lens-whole", "by hand", writer.model(writer.node("Squeeze", [y, axes], ["output"])), X, "RNN(4, 3)")
    writer = Writer(14)
    most = writer.node("ReduceMax", [writer.node("Abs", ["input"], ["abs"])], ["most"], axes=[2], keepdims=0)
    total = writer.node("ReduceSum", [most, writer.array("zero", [0], np.int64)], ["total"], keepdims=0)
    writer.rnn(0, "input", writer.node("Cast", [writer.node("Sign", [total], ["sign"])], ["lens"], to=INT32))
    refused = "sequence_lens that Sign_sign (Sign) computes"
    store("lens-computed", "by hand", writer.model("Y0"), X, None, refused, lend=["sequence_lens"])


def states():
    """Layers that read their first states from one input of the graph: in their order, and not."""
    for name, order in [("states-in-order", [0, 1]), ("states-exchanged", [1, 0])]:
        writer, x = Writer(14), "input"
        h = writer.node("Split", ["h_0"], ["h0", "h1"], axis=0)
        for k in range(2):
            y = writer.rnn(k, x, "", f"h{order[k]}", I if k == 0 else H)
            x = writer.node("Squeeze", [y, writer.array(f"axes{k}", [1], np.int64)], [f"rows{k}"])
        model = writer.model(x, [helper.make_tensor_value_info("h_0", FLOAT, [2, "N", H])])
        refused = "a first state that begins at 1 of h_0, and not at 0," if name == "states-exchanged" else None
        feeds = X | {"h_0": uniform(2, 2, N, H)}
        store(name, "by hand", model, feeds, None if refused else RNN, refused, lend=["initial_h"])


def gathered():
    """Rows that Gather takes, in a graph whose input and output have sequences first."""
    writer = Writer(14, ("N", "L", I))
    x = writer.node("Transpose", ["input"], ["steps_first"], perm=[1, 0, 2])
    y = writer.rnn(0, writer.node("Identity", [x], ["copy"]))
    rows = writer.node("Gather", [y, writer.array("zero", 0, np.int64)], ["rows"], axis=1)
    model = writer.model(writer.node("Transpose", [rows], ["output"], perm=[1, 0, 2]))
    store("gathered", "by hand", model, {"input": uniform(1, N, L, I)}, "RNN(4, 3, batch_first=True)")


def main():
    torch_cases()
    tf2onnx()
    old_torch()
    lens()
    states()
    gathered()
    path = pathlib.Path(__file__).parent / "fixtures/onnx/graphs.safetensors"
    save_file(tensors, path, {"cases": json.dumps(cases)})
    print(f"{path}: {path.stat().st_size} bytes, {len(cases)} cases")


if __name__ == "__main__":
    main()
