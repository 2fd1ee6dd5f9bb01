//! What an LSTM or a GRU node may have and may not, and what no network has.

use ndarray::Array3;
use ndarray_rnn::io::onnx::{AnyActivation, Model, Node, Numbered};
use ndarray_rnn::{Error, GruConfig, LstmConfig, RnnConfig, keras};

use crate::common::TestResult;
use crate::write::{field, float, floats, initializer, int, model, node, number};

const NAMES: [&str; 8] = ["x", "W", "R", "B", "", "", "", "P"];

/// A model of one node of 2 units and 3 features, with the first so many inputs.
fn bytes(op_type: &str, inputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let gates = match op_type {
        "LSTM" => 4,
        "GRU" => 3,
        _ => 1,
    };
    let array = |name: &str, dims: &[usize]| {
        let elements: Vec<_> = (0..dims.iter().product()).map(|i| i as f32 / 16.0 - 0.5).collect();
        initializer(&floats(name, dims, &elements))
    };
    let weights = [
        array("W", &[1, 2 * gates, 3]),
        array("R", &[1, 2 * gates, 2]),
        array("B", &[1, 4 * gates]),
        array("P", &[1, 6]),
        array("short", &[1, 4]),
        array("state", &[1, 1, 2]),
    ];
    model(&[weights.concat(), node(op_type, inputs, &["Y"], attributes)])
}

fn read(op_type: &str, attributes: &[Vec<u8>]) -> TestResult<Node<f32>> {
    Ok(Model::from_bytes(&bytes(op_type, &NAMES[..4], attributes))?.nodes()[0].clone())
}

fn text<T>(result: Result<T, Error>) -> String {
    result.err().map_or("read".into(), |error| error.to_string())
}

fn words(name: &str, words: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = words.iter().flat_map(|word| field(9, word.as_bytes())).collect();
    [field(1, name.as_bytes()), list, number(20, 8)].concat()
}

#[test]
fn inputs_and_attributes_are_checked() {
    let error = |op_type: &str, inputs: &[&str], attributes: &[Vec<u8>]| {
        text(Model::<f32>::from_bytes(&bytes(op_type, inputs, attributes)))
    };
    let mut inputs = NAMES;
    assert_eq!(error("LSTM", &inputs, &[]), "read");
    let extra = "ONNX: Y: an input or output that the operator does not have is not supported";
    assert_eq!(error("GRU", &inputs, &[]), extra);
    inputs[7] = "short";
    assert_eq!(error("LSTM", &inputs, &[]), "Y.P: expected shape [1, 6], got [1, 4]");
    inputs[6] = "short";
    assert_eq!(error("LSTM", &inputs[..7], &[]), "ONNX: Y.initial_c: expected 3 axes, got 2 axes");
    inputs[3] = "short";
    assert_eq!(error("GRU", &inputs[..4], &[]), "Y.B: expected shape [1, 12], got [1, 4]");
    inputs[1] = "R";
    assert_eq!(error("GRU", &inputs[..3], &[]), "read");
    inputs[2] = "P";
    assert_eq!(error("GRU", &inputs[..3], &[]), "ONNX: Y.R: expected 3 axes, got 2 axes");
    for (op_type, flag, other) in
        [("LSTM", "input_forget", "linear_before_reset"), ("GRU", "linear_before_reset", "input_forget")]
    {
        assert_eq!(error(op_type, &NAMES[..4], &[int(flag, 1)]), "read");
        let expected = format!("ONNX: Y.{flag}: expected 0 or 1, got 2");
        assert_eq!(error(op_type, &NAMES[..4], &[int(flag, 2)]), expected);
        let expected = format!("ONNX: Y: the attribute {other} is not supported");
        assert_eq!(error(op_type, &NAMES[..4], &[int(other, 0)]), expected);
        let expected = "ONNX: Y.clip: expected a number above 0, got 0";
        assert_eq!(error(op_type, &NAMES[..4], &[float("clip", 0.0)]), expected);
        let expected = format!(
            "ONNX: Y.activations: expected {} names, got 1",
            if flag == "input_forget" { 3 } else { 2 }
        );
        assert_eq!(error(op_type, &NAMES[..4], &[words("activations", &["Tanh"])]), expected);
    }
}

/// ONNX's default of ThresholdedRelu and Affine is 1, ONNX Runtime's 0; ScaledTanh has none.
#[test]
fn activations_need_numbers_on_which_engines_agree() -> TestResult {
    for name in ["ThresholdedRelu", "Affine", "ScaledTanh"] {
        let bytes = bytes("GRU", &NAMES[..4], &[words("activations", &[name, "Tanh"])]);
        let feature = format!("{name} with activation_alpha [] and activation_beta []");
        let expected = format!("ONNX: Y.activations: {feature} is not supported");
        assert_eq!(text(Model::<f32>::from_bytes(&bytes)), expected);
    }
    let node = read("GRU", &[words("activations", &["leakyrelu", "Elu"])])?;
    let [leaky, elu] = node.activations() else { return Err("not two activations".into()) };
    assert_eq!(*leaky, AnyActivation::Numbered(Numbered::LeakyRelu { alpha: 0.01 }));
    assert_eq!(format!("{elu:?}"), "Elu");
    Ok(())
}

#[test]
fn what_no_network_has_is_refused_by_name() -> TestResult {
    let refused = |feature: &str, class: &str| {
        format!("ONNX: Y: {feature} in a network of class {class} is not supported")
    };
    let lstm = |attributes: &[Vec<u8>]| -> TestResult<String> {
        Ok(text(read("LSTM", attributes)?.to_network::<LstmConfig>()))
    };
    assert_eq!(lstm(&[])?, "read");
    assert_eq!(lstm(&[int("input_forget", 0)])?, "read");
    assert_eq!(lstm(&[int("input_forget", 1)])?, refused("input_forget", "Lstm"));
    assert_eq!(lstm(&[float("clip", 0.5)])?, refused("clip 0.5", "Lstm"));
    let activations = words("activations", &["Sigmoid", "Tanh", "Relu"]);
    assert_eq!(lstm(&[activations])?, refused("activations [Sigmoid, Tanh, Relu]", "Lstm"));
    let peepholes = Model::<f32>::from_bytes(&bytes("LSTM", &NAMES, &[]))?;
    assert_eq!(text(peepholes.to_network::<LstmConfig>()), refused("peepholes", "Lstm"));
    assert_eq!(peepholes.nodes()[0].peepholes().map(|p| p.dim()), Some((1, 6)));

    let gru = |attributes: &[Vec<u8>]| -> TestResult<String> {
        Ok(text(read("GRU", attributes)?.to_network::<GruConfig>()))
    };
    assert_eq!(gru(&[int("linear_before_reset", 1)])?, "read");
    assert_eq!(gru(&[])?, refused("linear_before_reset 0", "Gru"));
    let activations = words("activations", &["HardSigmoid", "Tanh"]);
    let error = gru(&[activations, int("linear_before_reset", 1)])?;
    assert_eq!(error, refused("activations [HardSigmoid2, Tanh]", "Gru"));

    assert_eq!(text(read("LSTM", &[])?.to_network::<RnnConfig>()), refused("the operator LSTM", "Rnn"));
    assert_eq!(text(read("RNN", &[])?.to_network::<LstmConfig>()), refused("the operator RNN", "Lstm"));
    Ok(())
}

#[test]
fn what_no_layer_of_keras_has_is_refused_by_name() -> TestResult {
    let refused = |feature: &str, class: &str| {
        format!("ONNX: Y: {feature} in a layer of class {class} is not supported")
    };
    let lstm = |attributes: &[Vec<u8>]| -> TestResult<String> {
        Ok(text(read("LSTM", attributes)?.to_layer::<keras::LstmConfig>()))
    };
    let activations = |names: &[&str]| words("activations", names);
    assert_eq!(lstm(&[])?, "read");
    assert_eq!(lstm(&[activations(&["HardSigmoid", "Relu", "Relu"])])?, "read");
    let two = refused("activations [Sigmoid, Tanh, Relu]", "LSTM");
    assert_eq!(lstm(&[activations(&["Sigmoid", "Tanh", "Relu"])])?, two);
    let leaky = refused("activations [LeakyRelu { alpha: 0.01 }, Tanh, Tanh]", "LSTM");
    assert_eq!(lstm(&[activations(&["LeakyRelu", "Tanh", "Tanh"])])?, leaky);
    assert_eq!(lstm(&[int("input_forget", 1)])?, refused("input_forget", "LSTM"));
    assert_eq!(lstm(&[float("clip", 0.5)])?, refused("clip 0.5", "LSTM"));
    let peepholes = Model::<f32>::from_bytes(&bytes("LSTM", &NAMES, &[]))?.nodes()[0].clone();
    assert_eq!(text(peepholes.to_layer::<keras::LstmConfig>()), refused("peepholes", "LSTM"));

    let gru = read("GRU", &[])?;
    assert!(!gru.to_layer::<keras::GruConfig>()?.config().reset_after);
    let after = read("GRU", &[int("linear_before_reset", 1)])?;
    assert!(after.to_layer::<keras::GruConfig>()?.config().reset_after);
    let other = text(gru.to_layer::<keras::SimpleRnnConfig>());
    assert_eq!(other, refused("the operator GRU", "SimpleRNN"));
    let other = text(gru.to_bidirectional::<keras::LstmConfig>());
    assert_eq!(other, "ONNX: Y: one direction in a Bidirectional of a layer of class LSTM is not supported");
    Ok(())
}

/// A model may fix the first cell state alone.
#[test]
fn a_cell_state_that_is_a_constant() -> TestResult {
    let inputs = ["x", "W", "R", "B", "", "", "state"];
    let fixed = Model::<f32>::from_bytes(&bytes("LSTM", &inputs, &[]))?.nodes()[0].clone();
    let c = ndarray::array![[[-0.5_f32, -0.4375]]];
    assert_eq!((fixed.initial_h(), fixed.initial_c()), (None, Some(&c)));
    let x = Array3::ones((4, 1, 3));
    assert_eq!(fixed.run(&x).forward()?, read("LSTM", &[])?.run(&x).initial_c(&c).forward()?);
    assert!(fixed.run(&x).forward()? != read("LSTM", &[])?.run(&x).forward()?);
    let feature = "an initial_c that is a constant other than zero";
    let refused = |place: &str| format!("ONNX: Y: {feature} in a {place} is not supported");
    assert_eq!(text(fixed.to_network::<LstmConfig>()), refused("network of class Lstm"));
    assert_eq!(text(fixed.to_layer::<keras::LstmConfig>()), refused("layer of class LSTM"));
    Ok(())
}

#[test]
fn only_an_lstm_has_a_cell_state() -> TestResult {
    let (x, c) = (Array3::ones((4, 2, 3)), Array3::ones((1, 2, 2)));
    let error = text(read("GRU", &[])?.run(&x).initial_c(&c).forward());
    assert_eq!(error, "ONNX: Y: initial_c of the operator GRU is not supported");
    let node = read("LSTM", &[])?;
    let wrong = Array3::ones((1, 3, 2));
    let error = text(node.run(&x).initial_c(&wrong).forward());
    assert_eq!(error, "initial_c: expected shape [1, 2, 2], got [1, 3, 2]");
    // A sequence of no steps keeps both planes of its first state.
    let output = node.run(&x).initial_h(&c).initial_c(&c).sequence_lens(&[0, 4]).forward()?;
    let [h, c] = [Some(output.y_h), output.y_c].map(|plane| plane.map(|plane| plane[[0, 0, 1]]));
    assert_eq!([h, c], [Some(1.0); 2]);
    Ok(())
}
