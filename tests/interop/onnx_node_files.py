"""Writes fixtures/onnx/nodes.safetensors: 330 random RNN, LSTM and GRU nodes, what ONNX Runtime computes from them, and
onnx's own tests of these operators.

    python tests/interop/onnx_node_files.py    # in an environment with onnx, onnxruntime and safetensors

Running it twice writes the same bytes. Every option of the operators is drawn: direction, layout, activations with and
without their numbers, clip, peepholes, input_forget, linear_before_reset, lengths with zeros, states and lengths as inputs
or constants, which outputs are named. The metadata is one key, JSON text, an object of two lists: the `random` cases, and
the names of `onnx`'s tests. Random case i has two tensors:

{i}.model     the file's bytes, and {i}.double, for every eighth case, the same with weights in float64
{i}.values    X, then initial_h and initial_c if the caller gives them, then Y, Y_h and with an LSTM Y_c, flat

ONNX Runtime does not know layout 1: these are results of the same node in layout 0, exchanged as the operator's
definition says. The last state of a sequence without steps is its first state here; ONNX Runtime gives zeros, and with an
RNN what stands in memory before the array. Nodes whose results leave [-1, 1] are drawn again.

A test of onnx has the tensors onnx.{name}.model, the file's bytes, and onnx.{name}.{value}, all inputs, of which the
weights are some, and outputs of its one node.
"""

import json
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from safetensors.numpy import save_file

L, N = 4, 3
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
DEFAULTS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
ALPHA = {"Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu"}
BETA = {"Affine", "ScaledTanh", "HardSigmoid"}
# Those without a number take ONNX's default, which ONNX Runtime has too.
OPTIONAL = {"LeakyRelu", "HardSigmoid", "Elu"}
NAMES = ["Tanh", "Sigmoid", "Relu", "Softsign", "Softplus", *sorted(ALPHA)]
OPTIONS = ["RNN", "LSTM", "GRU"]


def numbers(rng, names, takers):
    """The numbers of those activations that take one, without some at the end that have a default."""
    takers = [name for name in names if name in takers]
    values = [round(float(rng.uniform(0.1, 1.2)), 2) for _ in takers]
    while takers and takers[-1] in OPTIONAL and rng.random() < 0.5:
        takers.pop(), values.pop()
    return values


def uniform(rng, *shape):
    return rng.uniform(-0.7, 0.7, shape).astype(np.float32)


def model(op, names, outputs, feeds, constants, attributes, opset, layout):
    """A model of one node. The types of the values around it do not matter here."""
    nodes = [helper.make_node(op, names, outputs, name="the_node", **attributes, **({"layout": 1} if layout else {}))]
    elem = helper.np_dtype_to_tensor_dtype
    inputs = [helper.make_tensor_value_info(k, elem(x.dtype), x.shape) for k, x in feeds.items()]
    ends = [helper.make_tensor_value_info(k, TensorProto.FLOAT, [None] * (4 if k == "Y" else 3)) for k in outputs if k]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, ends, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def draw(rng, i):
    """One case, or None if its results are too large."""
    op = OPTIONS[i % 3]
    own = {"RNN": ["Y", "Y_h"], "LSTM": ["Y", "Y_h", "Y_c"], "GRU": ["Y", "Y_h"]}[op]
    chance = lambda p=0.5: bool(rng.random() < p)
    # A third are such as torch writes.
    plain = chance(1 / 3)
    direction = ["forward", "reverse", "bidirectional"][rng.integers(3)]
    D, gates = 1 + (direction == "bidirectional"), GATES[op]
    I, H = (5, int(rng.choice([9, 17]))) if i % 40 < 3 else (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    attributes = {"hidden_size": H, "direction": direction}
    activations = D * DEFAULTS[op]
    if not plain and chance(0.8):
        activations = [str(name) for name in rng.choice(NAMES, len(activations))]
    if chance() or activations != D * DEFAULTS[op]:
        attributes["activations"] = activations
        for name, takers in [("activation_alpha", ALPHA), ("activation_beta", BETA)]:
            if values := numbers(rng, activations, takers):
                attributes[name] = values
    if not plain and chance(0.4):
        attributes["clip"] = round(float(rng.uniform(0.2, 1.5)), 2)
    if op == "LSTM" and chance():
        attributes["input_forget"] = int(not plain and chance())
    if op == "GRU" and (plain or chance()):
        attributes["linear_before_reset"] = int(plain or chance())
    constants = {"W": uniform(rng, D, gates * H, I), "R": uniform(rng, D, gates * H, H)}
    if chance(0.8):
        constants["B"] = uniform(rng, D, 2 * gates * H)
    if op == "LSTM" and not plain and chance():
        constants["P"] = uniform(rng, D, 3 * H)
    feeds = {"X": uniform(rng, L, N, I)}
    if chance():
        feeds["sequence_lens"] = np.array(rng.permutation([L, rng.integers(0, L + 1), rng.integers(0, 3)]), np.int32)
    for name in ["initial_h", "initial_c"][: 1 + (op == "LSTM")]:
        if chance():
            feeds[name] = uniform(rng, D, N, H)
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]
    names = [name if name in constants | feeds else "" for name in names]
    while not names[-1]:
        names.pop()
    whole = model(op, names, own, feeds, constants, attributes, 14, 0)
    onnx.checker.check_model(whole, full_check=True)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    results = dict(zip(own, session.run(None, feeds)))
    for n in np.flatnonzero(feeds.get("sequence_lens", np.ones(N)) == 0):
        for last, first in [("Y_h", "initial_h"), ("Y_c", "initial_c")]:
            if last in results:
                results[last][:, n] = feeds[first][:, n] if first in feeds else 0
    if max(abs(array).max() for array in results.values()) > 1:
        return None
    layout = int(chance(0.3))
    if layout:
        exchange = {"Y": (2, 0, 1, 3)}
        swapped = lambda name, x: x if name == "sequence_lens" else x.transpose(exchange.get(name, (1, 0, 2)))
        feeds, results = [{k: swapped(k, x) for k, x in arrays.items()} for arrays in (feeds, results)]
    fixed = [name for name in feeds if name != "X" and chance(0.3)]
    given = {name: x for name, x in feeds.items() if name not in fixed}
    constants |= {name: np.ascontiguousarray(feeds[name]) for name in fixed}
    named = [name if chance(0.7) else "" for name in own]
    named = named if any(named) else own
    while not named[-1]:
        named.pop()
    opset = 14 if layout else int(rng.choice([7, 14, 22]))
    stored = [model(op, names, named, given, constants, attributes, opset, layout)]
    if i % 8 == 0:
        doubled = lambda arrays: {k: x.astype(np.float64) if x.dtype == np.float32 else x for k, x in arrays.items()}
        stored.append(model(op, names, named, doubled(given), doubled(constants), attributes, opset, layout))
    lens = given.pop("sequence_lens", None)
    network = (
        direction != "reverse"
        and not {"clip", "P"} & set(attributes | constants)
        and not attributes.get("input_forget")
        and (op != "GRU" or attributes.get("linear_before_reset") == 1)
        and (activations == D * DEFAULTS[op] or (op == "RNN" and set(activations) == {"Relu"}))
        and not any(name in fixed and np.any(feeds[name]) for name in fixed)
    )
    case = {
        "op": op, "attributes": attributes, "layout": layout, "directions": D, "input": I, "hidden": H,
        "given": [name for name in given if name != "X"], "network": network,
        "lens": None if lens is None else lens.tolist(),
    }  # fmt: skip
    return case, stored, [*given.values(), *results.values()]


def own_tests(tensors):
    """Adds onnx's own tests of the operators and returns their names."""
    names = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        graph = case.model.graph
        if len(graph.node) != 1 or graph.node[0].op_type not in OPTIONS or case.name in names:
            continue
        names.append(case.name)
        proto = case.model.SerializeToString(deterministic=True)
        tensors[f"onnx.{case.name}.model"] = np.frombuffer(proto, np.uint8).copy()
        (inputs, outputs), = case.data_sets
        values = [*zip(graph.input, inputs, strict=True), *zip(graph.output, outputs, strict=True)]
        for value, array in values:
            tensors[f"onnx.{case.name}.{value.name}"] = np.ascontiguousarray(array, np.float32)
    assert len(names) > 10, names
    return sorted(names)


def main():
    rng = np.random.default_rng(0)
    cases, tensors = [], {}
    while (i := len(cases)) < 330:
        if (drawn := draw(rng, i)) is None:
            continue
        case, models, arrays = drawn
        cases.append(case)
        for name, proto in zip(["model", "double"], models):
            tensors[f"{i}.{name}"] = np.frombuffer(proto.SerializeToString(deterministic=True), np.uint8).copy()
        tensors[f"{i}.values"] = np.concatenate([array.flatten() for array in arrays])
    path = pathlib.Path(__file__).parent / "fixtures/onnx/nodes.safetensors"
    names = own_tests(tensors)
    save_file(tensors, path, {"cases": json.dumps({"random": cases, "onnx": names})})
    print(f"{path}: {path.stat().st_size} bytes, {len(cases)} nodes, {sum(case['network'] for case in cases)} networks, {len(names)} tests")


if __name__ == "__main__":
    main()
