"""ONNX Runtime's RNN operator; the model is made with onnx.helper from the same parameters."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from protocol import THREADS, Job, Unsupported, directions, serve


class Graph:
    """Collects nodes and constants."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]


def add_layer(graph, k, suffixes, case, arrays, x, initial_h):
    """One RNN node, and the nodes that turn its (L, D, N, H) into (L, N, D H)."""
    stacked = {
        part: np.stack([arrays[f"{part}_{suffix}"] for suffix in suffixes])
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    inputs = [
        x,
        graph.constant(f"w{k}", stacked["weight_ih"]),
        graph.constant(f"r{k}", stacked["weight_hh"]),
        graph.constant(f"b{k}", np.concatenate([stacked["bias_ih"], stacked["bias_hh"]], axis=1)),
        *(["", initial_h] if initial_h else []),
    ]
    both = len(suffixes) == 2
    graph.node(
        "RNN",
        inputs,
        [f"y{k}", f"h{k}"],
        hidden_size=case["hidden"],
        direction="bidirectional" if both else "forward",
        activations=["Tanh"] * len(suffixes),
    )
    graph.node("Transpose", [f"y{k}"], [f"t{k}"], perm=[0, 2, 1, 3])
    shape = graph.constant(f"s{k}", np.array([0, 0, -1]))
    return graph.node("Reshape", [f"t{k}", shape], [f"x{k}"])


def model(case, arrays):
    graph, stepping = Graph(), case["mode"] == "step"
    kind = helper.np_dtype_to_tensor_dtype(arrays["input"].dtype)
    sizes = [1 if stepping else case["len"], case["batch"]]
    inputs = [helper.make_tensor_value_info("x", kind, [*sizes, case["input"]])]
    if stepping:
        inputs.append(helper.make_tensor_value_info("h", kind, [1, case["batch"], case["hidden"]]))
    x = "x"
    for k, suffixes in enumerate(directions(case)):
        x = add_layer(graph, k, suffixes, case, arrays, x, "h" if stepping else None)
    output = helper.make_tensor_value_info(x, kind, [*sizes, None])
    state = helper.make_tensor_value_info("h0", kind, None)
    made = helper.make_graph(graph.nodes, "rnn", inputs, [output, state], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def build(case, arrays):
    if case["mode"] not in ("forward", "step"):
        raise Unsupported(case["mode"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    bytes_ = model(case, arrays).SerializeToString()
    try:
        session = onnxruntime.InferenceSession(bytes_, options, ["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        if "NOT_IMPLEMENTED" in f"{type(error).__name__} {error}".upper().replace(" ", "_"):
            raise Unsupported(str(error)) from error
        raise
    x = arrays["input"].copy()
    return step(case, session, x) if case["mode"] == "step" else forward(session, x)


def forward(session, x):
    return Job(lambda: session.run(None, {"x": x}), lambda: {"output": session.run(None, {"x": x})[0]})


def step(case, session, x):
    first = x[:1]
    state = np.zeros((1, case["batch"], case["hidden"]), x.dtype)

    def call():
        nonlocal state
        _, state = session.run(None, {"x": first, "h": state})

    def results():
        outputs, h = [], np.zeros_like(state)
        for t in range(case["len"]):
            output, h = session.run(None, {"x": x[t : t + 1], "h": h})
            outputs.append(output)
        return {"output": np.concatenate(outputs), "h_n": h}

    return Job(call, results)


if __name__ == "__main__":
    serve(build, f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}")
