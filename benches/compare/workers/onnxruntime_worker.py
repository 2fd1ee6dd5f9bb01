"""ONNX Runtime's RNN, LSTM and GRU operators; the model is made with onnx.helper from the same parameters."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from protocol import THREADS, Job, Unsupported, directions, serve


# Which of torch's blocks each of ONNX's is: i o f c, and z r h.
ORDER = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


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


def stack(part, suffixes, kind, arrays):
    """A parameter of every direction, its blocks in ONNX's order."""
    blocks = [np.split(arrays[f"{part}_{suffix}"], len(ORDER[kind])) for suffix in suffixes]
    return np.stack([np.concatenate([each[k] for k in ORDER[kind]]) for each in blocks])


def add_layer(graph, k, suffixes, case, arrays, x, states):
    """One recurrent node, and the nodes that turn its (L, D, N, H) into (L, N, D H)."""
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    stacked = {part: stack(part, suffixes, case["kind"], arrays) for part in parts}
    inputs = [
        x,
        graph.constant(f"w{k}", stacked["weight_ih"]),
        graph.constant(f"r{k}", stacked["weight_hh"]),
        graph.constant(f"b{k}", np.concatenate([stacked["bias_ih"], stacked["bias_hh"]], axis=1)),
        *(["", *states] if states else []),
    ]
    more = {"linear_before_reset": 1} if case["kind"] == "gru" else {}
    direction = "bidirectional" if len(suffixes) == 2 else "forward"
    outputs = [f"y{k}", *(f"{plane}{k}" for plane in planes(case))]
    graph.node(case["kind"].upper(), inputs, outputs, hidden_size=case["hidden"], direction=direction, **more)
    graph.node("Transpose", [f"y{k}"], [f"t{k}"], perm=[0, 2, 1, 3])
    shape = graph.constant(f"s{k}", np.array([0, 0, -1]))
    return graph.node("Reshape", [f"t{k}", shape], [f"x{k}"])


def planes(case):
    return ("h", "c") if case["kind"] == "lstm" else ("h",)


def model(case, arrays):
    graph, stepping = Graph(), case["mode"] == "step"
    kind = helper.np_dtype_to_tensor_dtype(arrays["input"].dtype)
    sizes = [1 if stepping else case["len"], case["batch"]]
    inputs = [helper.make_tensor_value_info("x", kind, [*sizes, case["input"]])]
    if stepping:
        state = [1, case["batch"], case["hidden"]]
        inputs.extend(helper.make_tensor_value_info(plane, kind, state) for plane in planes(case))
    x = "x"
    for k, suffixes in enumerate(directions(case)):
        x = add_layer(graph, k, suffixes, case, arrays, x, planes(case) if stepping else ())
    output = helper.make_tensor_value_info(x, kind, [*sizes, None])
    last = [helper.make_tensor_value_info(f"{plane}0", kind, None) for plane in planes(case)]
    made = helper.make_graph(graph.nodes, case["kind"], inputs, [output, *last], graph.constants)
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
    names = planes(case)
    zeros = [np.zeros((1, case["batch"], case["hidden"]), x.dtype) for _ in names]
    state = zeros

    def call():
        nonlocal state
        _, *state = session.run(None, {"x": first, **dict(zip(names, state))})

    def results():
        outputs, last = [], zeros
        for t in range(case["len"]):
            output, *last = session.run(None, {"x": x[t : t + 1], **dict(zip(names, last))})
            outputs.append(output)
        return {"output": np.concatenate(outputs), **dict(zip(("h_n", "c_n"), last))}

    return Job(call, results)


if __name__ == "__main__":
    serve(build, f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}")
