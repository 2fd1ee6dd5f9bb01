//! Changed models: they are read or refused, without a panic, within memory in proportion to the file.

use std::sync::LazyLock;

use ndarray_rnn::io::onnx::Model;
use ndarray_rnn::{GruConfig, LstmConfig, RnnConfig, keras};
use proptest::prelude::*;

use crate::common::TestResult;
use crate::mutated::{change, expect_modest};
use crate::write::{
    field, floats, initializer, int, integers, ints, model, node as node_of, number, tensor, weights,
    with_state,
};

const NAMES: [&str; 17] = [
    "ours.31-deep-both-ways-batch-first-relu-without-bias-lens.model",
    "torch.both-ways.model",
    "torch.old-opset.model",
    "node.constants.model",
    "node.numbers-in-turn.model",
    "unfolded-both.model",
    "unfolded-opset-9.model",
    "expanded-both.model",
    "repeated.model",
    "tf2onnx-both.model",
    "torch-1.0.model",
    "one-shape.model",
    "torch.lstm-unfolded.model",
    "torch.gru-both-ways.model",
    "onnx.test_lstm_with_peepholes.model",
    "1.model",
    "2.model",
];

/// The bytes of these models. To find them takes longer than to read a model.
static MODELS: LazyLock<Vec<&[u8]>> = LazyLock::new(|| models().expect("the fixtures hold these models"));

fn models() -> TestResult<Vec<&'static [u8]>> {
    let goldens = [crate::golden()?, crate::graphs::golden()?, crate::random_nodes::golden()?];
    let find = |name: &&str| goldens.iter().find_map(|golden| golden.bytes(name).ok());
    NAMES.iter().map(|name| find(name).ok_or_else(|| format!("no {name}").into())).collect()
}

/// Reads a model, and makes all that can be made of it.
fn read(bytes: &[u8]) {
    if let Ok(model) = Model::<f32>::from_bytes(bytes) {
        drop(model.to_network::<RnnConfig>());
        drop(model.to_network::<LstmConfig>());
        drop(model.to_network::<GruConfig>());
        for node in model.nodes() {
            drop(node.to_layer::<keras::SimpleRnnConfig>());
            drop(node.to_layer::<keras::LstmConfig>());
            drop(node.to_layer::<keras::GruConfig>());
        }
    }
    drop(ndarray_rnn::io::onnx::from_bytes(bytes));
    drop(Model::<f64>::from_bytes(bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn of_models(model in 0..NAMES.len(), changes in prop::collection::vec(change(), 1..5)) {
        let mut bytes = MODELS[model].to_vec();
        changes.into_iter().for_each(|change| change.apply(&mut bytes));
        expect_modest(bytes.len(), || read(&bytes))?;
    }

    #[test]
    fn of_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        expect_modest(bytes.len(), || read(&bytes))?;
    }
}

/// As many nearly empty messages as fit into a megabyte; decoded they would take a hundred times as much.
#[test]
fn many_empty_messages_take_no_memory() -> Result<(), TestCaseError> {
    let node = |inner: &[u8]| field(1, inner);
    let repeated = |message: Vec<u8>| message.repeat((1 << 20) / message.len());
    let rnn = [field(4, b"RNN"), field(2, b"y")].concat();
    let graphs = [
        repeated(node(b"")),
        repeated(field(5, b"")),
        repeated(field(11, b"")),
        node(&[repeated(field(5, b"")), rnn.clone()].concat()),
        node(&[repeated(field(1, b"")), rnn.clone()].concat()),
        repeated(node(&rnn)),
    ];
    for graph in graphs {
        let bytes = field(7, &graph);
        expect_modest(bytes.len(), || read(&bytes))?;
    }
    let keys = (0..1_u32 << 17).flat_map(|key| field(14, &field(1, format!("{key:x}").as_bytes())));
    let bytes: Vec<u8> = field(7, b"").into_iter().chain(keys).collect();
    expect_modest(bytes.len(), || read(&bytes))?;
    Ok(())
}

/// A weight that many nodes share is not copied beyond measure.
#[test]
fn a_shared_weight_counts_each_time() -> Result<(), TestCaseError> {
    let numbers = vec![0_u8; 4 * 500 * 500];
    let tensor = |name: &[u8], dims: &[u16]| {
        let varint = |n: &u16| vec![1 << 3, *n as u8 | 0x80, (n >> 7) as u8];
        let dims = dims.iter().flat_map(varint).collect::<Vec<_>>();
        field(5, &[dims, vec![2 << 3, 1], field(8, name), field(9, &numbers)].concat())
    };
    let node = |i: usize| {
        let inputs = [field(1, b"x"), field(1, b"w"), field(1, b"w")].concat();
        field(1, &[inputs, field(2, format!("y{i}").as_bytes()), field(4, b"RNN")].concat())
    };
    let nodes: Vec<u8> = (0..100).flat_map(node).collect();
    let bytes = field(7, &[tensor(b"w", &[1, 500, 500]), nodes].concat());
    let mut error = None;
    expect_modest(bytes.len(), || error = Model::<f32>::from_bytes(&bytes).err())?;
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(text.contains("is too large"), "{text}");
    Ok(())
}

/// What a graph computes from constants would take more memory than a machine has, or lies deep in the graph.
#[test]
fn what_is_computed_takes_no_memory_beyond_measure() -> Result<(), TestCaseError> {
    let list = |name: &str, elements: &[i64]| initializer(&integers(name, elements));
    let one = tensor("", &[1], 1, field(9, &1_f32.to_le_bytes()));
    let ones = [field(1, b"value"), field(5, &one), number(20, 4)].concat();
    let row = initializer(&floats("row", &[1, 1, 2], &[1.0, 2.0]));
    // A state of 2^40 sequences.
    let shape = list("shape", &[1, 1 << 40, 2]);
    let filled = with_state(&[shape.clone(), node_of("ConstantOfShape", &["shape"], &["h"], &[ones])]);
    let expanded = with_state(&[shape, row.clone(), node_of("Expand", &["row", "shape"], &["h"], &[])]);
    let repeats = list("repeats", &[1, 1 << 40, 1]);
    let tiled = with_state(&[repeats, row.clone(), node_of("Tile", &["row", "repeats"], &["h"], &[])]);
    // Twice as many elements forty times over.
    let twice = |op_type: &str, second: &str| {
        let node = |i: usize| {
            let (from, to) = (format!("h{i}"), format!("h{}", i + 1));
            let second = if second.is_empty() { from.clone() } else { second.into() };
            node_of(op_type, &[&from, &second], &[&to], &[int("axis", 1)])
        };
        let chain = (0..40).flat_map(node).collect();
        let first = initializer(&floats("h0", &[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]));
        with_state(&[first, list("repeats", &[1, 2, 1]), chain, node_of("Identity", &["h40"], &["h"], &[])])
    };
    let doubled = [twice("Concat", ""), twice("Tile", "repeats")];
    let wide = initializer(&floats("wide", &[1, 1, 1 << 12], &[1.0; 1 << 12]));
    let gather = node_of("Gather", &["wide", "places"], &["h"], &[int("axis", 1)]);
    let gathered = with_state(&[wide, list("places", &[0; 1 << 14]), gather]);
    // Nodes that each keep a copy of a list of axes.
    let moved = |op_type: &str, attribute: &[Vec<u8>]| {
        let node = |i: usize| node_of(op_type, &[&format!("h{i}")], &[&format!("h{}", i + 1)], attribute);
        let axes = node_of("Unsqueeze", &["x"], &["h0"], &[ints("axes", &(0..13).collect::<Vec<_>>())]);
        let chain: Vec<u8> = (0..20_000).flat_map(node).collect();
        with_state(&[axes, chain, node_of("Identity", &["h20000"], &["h"], &[])])
    };
    let moved =
        [moved("Squeeze", &[ints("axes", &[])]), moved("Transpose", &[]), moved("Cast", &[int("to", 1)])];
    let models = [filled, expanded, tiled, gathered].into_iter().chain(doubled).chain(moved);
    for (i, bytes) in models.enumerate() {
        let mut error = None;
        expect_modest(bytes.len(), || error = Some(Model::<f32>::from_bytes(&bytes).map(drop)))?;
        let text = match error {
            Some(Err(error)) => error.to_string(),
            other => format!("{other:?}"),
        };
        prop_assert!(text.contains("is too large"), "model {i}: {text}");
    }
    Ok(())
}

#[test]
fn graphs_in_graphs_take_no_memory() -> Result<(), TestCaseError> {
    let mut graph = node_of("Identity", &["x"], &["y"], &[]);
    for _ in 0..2000 {
        graph = node_of("If", &[], &["y"], &[[field(1, b"then_branch"), field(6, &graph)].concat()]);
    }
    let bytes = model(&[graph, weights(), node_of("RNN", &["x", "W", "R"], &["Y"], &[])]);
    expect_modest(bytes.len(), || assert!(Model::<f32>::from_bytes(&bytes).is_ok()))
}
