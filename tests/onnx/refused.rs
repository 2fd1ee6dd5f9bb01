//! What is refused, and by which name.

use ndarray::Array3;
use ndarray_rnn::io::onnx::{Export, ExportKeras, KerasKind, Model, Node, NodeOutput};
use ndarray_rnn::keras::{Activation, Layer, SimpleRnnConfig};
use ndarray_rnn::{Error, FileError, Rnn, RnnConfig, keras, manual_seed};

use crate::common::{TestResult, expect_error};

fn node(name: &str) -> TestResult<Node<f32>> {
    let model = Model::from_bytes(crate::golden()?.bytes(&format!("node.{name}.model"))?)?;
    Ok(model.nodes()[0].clone())
}

fn unsupported(field: &str, feature: &str) -> Error {
    Error::File(FileError::Unsupported { format: "ONNX", field: field.into(), feature: feature.into() })
}

#[test]
fn what_a_network_has_not() -> TestResult {
    let cases = [
        ("clip", "clip 0.4"),
        ("reverse", "direction reverse"),
        ("relu-softsign", "activations [Relu, Softsign]"),
        ("constants", "an initial_h that is a constant other than zero"),
    ];
    for (name, feature) in cases {
        let feature = format!("{feature} in a network of class Rnn");
        let message = format!("ONNX: the_node: {feature} is not supported");
        expect_error(node(name)?.to_network::<RnnConfig>(), &unsupported("the_node", &feature), &message);
    }
    Ok(())
}

#[test]
fn what_a_layer_has_not() -> TestResult {
    let error = unsupported("the_node", "two directions in a layer of class SimpleRNN");
    assert_eq!(node("both")?.to_layer::<SimpleRnnConfig>().err(), Some(error));
    let error = unsupported("the_node", "one direction in a Bidirectional of a layer of class SimpleRNN");
    assert_eq!(node("forward")?.to_bidirectional::<SimpleRnnConfig>().err(), Some(error));
    let error = unsupported("the_node", "clip 0.4 in a layer of class SimpleRNN");
    assert_eq!(node("clip")?.to_layer::<SimpleRnnConfig>().err(), Some(error));
    assert!(node("layout-both")?.to_bidirectional::<SimpleRnnConfig>().is_ok());
    Ok(())
}

#[test]
fn activations_that_the_operator_has_not() -> TestResult {
    fn expect_refused<C: KerasKind>(config: C, op_type: &str, activation: Activation) -> TestResult {
        let result = ExportKeras::new(&Layer::<C, f32>::zeros(config)?).to_bytes();
        let feature = format!("{activation}, which the operator has not,");
        assert_eq!(result.err(), Some(unsupported(&format!("{op_type}.activations"), &feature)));
        Ok(())
    }
    for activation in [Activation::Selu, Activation::Gelu, Activation::Silu] {
        expect_refused(SimpleRnnConfig::new(4, 2).activation(activation), "RNN", activation)?;
        expect_refused(keras::LstmConfig::new(4, 2).activation(activation), "LSTM", activation)?;
        expect_refused(keras::GruConfig::new(4, 2).recurrent_activation(activation), "GRU", activation)?;
    }
    Ok(())
}

/// A model of ours with some bytes replaced by as many others.
fn replaced(from: &[u8], to: &[u8]) -> TestResult<Option<Error>> {
    replaced_in(RnnConfig::new(4, 2).num_layers(2), from, to)
}

fn replaced_in(config: RnnConfig, from: &[u8], to: &[u8]) -> TestResult<Option<Error>> {
    let rnn = Rnn::<f32>::new(config, &mut manual_seed(0))?;
    let mut bytes = Export::new(&rnn).to_bytes()?;
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).ok_or("no such bytes")?;
    bytes[at..at + to.len()].copy_from_slice(to);
    Ok(Model::<f32>::from_bytes(&bytes).and_then(|model| model.to_network::<RnnConfig>()).err())
}

fn malformed(field: &str, expected: &str, actual: &str) -> Option<Error> {
    let (field, expected, actual) = (field.into(), expected.into(), actual.into());
    Some(Error::File(FileError::Malformed { format: "ONNX", field, expected, actual }))
}

#[test]
fn attributes_and_inputs_are_checked() -> TestResult {
    let node = "RNN_Y_l0";
    assert_eq!(
        replaced(b"forward", b"sideway")?,
        malformed("RNN_Y_l0.direction", "forward, reverse or bidirectional", "sideway")
    );
    let feature = "Gelu with activation_alpha [] and activation_beta []";
    assert_eq!(replaced(b"Tanh", b"Gelu")?, Some(unsupported("RNN_Y_l0.activations", feature)));
    assert_eq!(replaced(b"direction", b"directive")?, Some(unsupported(node, "the attribute directive")));
    assert_eq!(
        replaced(b"\x0a\x0bhidden_size\x18\x02", b"\x0a\x0bhidden_size\x18\x03")?,
        malformed("RNN_Y_l0.hidden_size", "2", "3")
    );
    // The node's input R_l0 names another value.
    assert_eq!(
        replaced(b"\x0a\x04R_l0", b"\x0a\x04R_l9")?,
        Some(unsupported("RNN_Y_l0.R", "the value R_l9, which no node makes,"))
    );
    // The second layer reads the first layer's Y, but not its rows.
    let error = replaced(b"\x0a\x09output_l0\x0a\x04W_l1", b"\x0a\x09output_lX\x0a\x04W_l1")?;
    let not_rows = Some(unsupported("RNN_Y_l1", "an input that is not the outputs of RNN_Y_l0"));
    assert_eq!(error, not_rows);
    // What stands between the two does not make rows of Y: it has other axes, other lengths, another order.
    let error = replaced(b"output_l0_axes\x4a\x08\x01", b"output_l0_axes\x4a\x08\x02")?;
    assert_eq!(error, not_rows);
    let both = RnnConfig::new(4, 2).num_layers(2).bidirectional(true);
    let (shape, other) = (b"output_l0_shape\x4a\x18\x00", b"output_l0_shape\x4a\x18\x01");
    assert_eq!(replaced_in(both.clone(), shape, other)?, not_rows);
    let (order, other) = (b"perm\x40\x00\x40\x02\x40\x01", b"perm\x40\x02\x40\x00\x40\x01");
    assert_eq!(replaced_in(both, order, other)?, not_rows);
    Ok(())
}

#[test]
fn what_is_no_model() {
    let error = Model::<f32>::from_bytes(b"").err();
    assert_eq!(error, malformed("ModelProto.graph", "one graph", "0"));
    let error = Model::<f32>::from_bytes(b"\x89HDF\r\n").err();
    assert!(matches!(error, Some(Error::File(FileError::Malformed { format: "ONNX", .. }))), "{error:?}");
    let nothing =
        Model::<f32>::from_bytes(b"\x3a\x00").and_then(|model| model.to_network::<RnnConfig>()).err();
    let not_found = FileError::NotFound { name: "RNN, LSTM or GRU node", present: Vec::new() };
    assert_eq!(nothing, Some(Error::File(not_found)));
}

#[test]
fn arguments_of_a_node() -> TestResult {
    let node = node("layout-both")?;
    let shape = |array: &str, expected: &[usize], actual: &[usize]| {
        Some(Error::Shape { array: array.into(), expected: expected.into(), actual: actual.into() })
    };
    let x = Array3::zeros((4, 6, 3));
    let h = Array3::zeros((2, 4, 2));
    assert_eq!(node.run(&x).initial_h(&h).forward().err(), shape("initial_h", &[4, 2, 2], &[2, 4, 2]));
    assert_eq!(node.run(&x).sequence_lens(&[1, 2]).forward().err(), shape("lengths", &[4], &[2]));
    let error = Error::EntryOutOfRange { list: "lengths", index: 3, expected: 0..=6, actual: 7 };
    assert_eq!(node.run(&x).sequence_lens(&[1, 2, 3, 7]).forward().err(), Some(error));
    let error = Error::EmptySequence { array: "X", shape: vec![4, 0, 3] };
    assert_eq!(node.run(&Array3::zeros((4, 0, 3))).forward().err(), Some(error));
    let error = Error::Width { array: "X", size: "input_size", expected: 3, actual: 2 };
    assert_eq!(node.run(&Array3::zeros((4, 6, 2))).forward().err(), Some(error));
    // A batch of no sequences gives none; a sequence of no steps keeps its first state.
    assert_eq!(node.run(&Array3::zeros((0, 6, 3))).forward()?.y.dim(), (0, 6, 2, 2));
    let h = Array3::from_elem((4, 2, 2), 0.5);
    let NodeOutput { y, y_h, .. } = node.run(&x).sequence_lens(&[0, 6, 0, 6]).initial_h(&h).forward()?;
    assert!(y_h.index_axis(ndarray::Axis(0), 2).iter().all(|&h| h == 0.5));
    assert!(y.index_axis(ndarray::Axis(0), 2).iter().all(|&y| y == 0.0));
    Ok(())
}
