//! Models of torch.

use ndarray::{ArrayD, ArrayRef3};
use ndarray_rnn::io::onnx::Model;
use ndarray_rnn::{GruConfig, LstmConfig, Nonlinearity, Parameters, Recurrent, RnnConfig};
use serde_json::Value;

use crate::common::golden::Golden;
use crate::common::{TestResult, largest_difference};
use crate::exports::{Exported, three_axes};

fn compare<C: Exported>(golden: &Golden, case: &Value, check: impl Fn(&Recurrent<C, f32>)) -> TestResult {
    let name = case["name"].as_str().ok_or("no name")?;
    let network =
        Model::<f32>::from_bytes(golden.bytes(&format!("torch.{name}.model"))?)?.to_network::<C>()?;
    check(&network);
    let prefix = format!("torch.{name}.parameter.");
    let stored = golden.names().iter().filter(|name| name.starts_with(&prefix)).count();
    assert_eq!(network.named_parameters().len(), stored, "{name}");
    for (parameter, value) in network.named_parameters() {
        let expected: ArrayD<f32> = golden.array(&format!("{prefix}{parameter}"))?;
        assert_eq!(value, expected, "{name}: {parameter}");
    }
    let array = |part: &str| three_axes(golden, &format!("torch.{name}.{part}"));
    let expect = |part: &str, ours: &ArrayRef3<f32>| -> TestResult {
        assert!(largest_difference(&ours.to_owned(), &array(part)?) < 1e-6, "{name}: {part}");
        Ok(())
    };
    let (output, state) = network.forward(&array("input")?, None)?;
    expect("output", &output)?;
    let (h_n, c_n) = C::planes_of(state);
    expect("h_n", &h_n)?;
    c_n.map_or(Ok(()), |c_n| expect("c_n", &c_n))
}

/// Each kind has a network of its own, and the nodes say that these follow one another.
#[test]
fn networks_of_several_kinds_one_upon_another() -> TestResult {
    let golden = super::golden()?;
    let model = Model::<f32>::from_bytes(golden.bytes("mixed.mixed.model")?)?;
    let [lstm, gru, below, above] = model.stacked()? else { return Err("not four nodes".into()) };
    let x = three_axes(&golden, "mixed.mixed.input")?;
    let x = lstm.to_network::<LstmConfig>()?.run(&x).forward()?.0;
    let x = gru.to_network::<GruConfig>()?.run(&x).forward()?.0;
    let x = below.to_network::<RnnConfig>()?.run(&x).forward()?.0;
    let x = above.to_network::<RnnConfig>()?.run(&x).forward()?.0;
    assert!(largest_difference(&x, &three_axes(&golden, "mixed.mixed.output")?) < 1e-6);
    let error = model.to_network::<LstmConfig>().err().ok_or("one network of several kinds")?.to_string();
    assert!(error.contains("the operator GRU in a network of class Lstm"), "{error}");
    Ok(())
}

#[test]
fn models_of_torch_are_its_networks() -> TestResult {
    let golden = super::golden()?;
    let cases = golden.metadata["torch"].as_array().ok_or("no list of cases")?;
    assert_eq!(cases.len(), 15);
    for case in cases {
        match case["class"].as_str() {
            Some("LSTM") => compare::<LstmConfig>(&golden, case, |lstm| {
                assert_eq!(case["batch_first"], lstm.config().batch_first, "{case}");
            })?,
            Some("GRU") => compare::<GruConfig>(&golden, case, |gru| {
                assert_eq!(case["batch_first"], gru.config().batch_first, "{case}");
            })?,
            _ => compare::<RnnConfig>(&golden, case, |rnn| {
                let relu = case["nonlinearity"] == "relu";
                let nonlinearity = if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh };
                assert_eq!(rnn.config().nonlinearity, nonlinearity, "{case}");
                assert_eq!(case["batch_first"], rnn.config().batch_first, "{case}");
            })?,
        }
    }
    Ok(())
}
