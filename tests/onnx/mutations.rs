//! Changed models: they are read or refused, without a panic, within memory in proportion to the file.

use ndarray_rnn::io::onnx::Model;
use proptest::prelude::*;

use crate::mutated::{change, expect_modest};

const MODELS: [&str; 5] = [
    "ours.31-deep-both-ways-batch-first-relu-without-bias-lens.model",
    "torch.both-ways.model",
    "torch.old-opset.model",
    "node.constants.model",
    "node.numbers-in-turn.model",
];

/// Reads a model, and makes all that can be made of it.
fn read(bytes: &[u8]) {
    if let Ok(model) = Model::<f32>::from_bytes(bytes) {
        drop(model.to_rnn());
        model.nodes().iter().for_each(|node| drop(node.to_rnn()));
    }
    drop(Model::<f64>::from_bytes(bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn of_models(name in prop::sample::select(&MODELS), changes in prop::collection::vec(change(), 1..5)) {
        let golden = crate::golden().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = golden.bytes(name).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut bytes = bytes.to_vec();
        changes.into_iter().for_each(|change| change.apply(&mut bytes));
        expect_modest(bytes.len(), || read(&bytes))?;
    }

    #[test]
    fn of_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        expect_modest(bytes.len(), || read(&bytes))?;
    }
}

/// A protobuf field of bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut field = vec![tag << 3 | 2];
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    [&field, bytes].concat()
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
