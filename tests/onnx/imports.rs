//! Models of torch.

use ndarray::ArrayD;
use ndarray_rnn::io::onnx::Model;
use ndarray_rnn::{Nonlinearity, Parameters};

use crate::common::{TestResult, largest_difference};
use crate::exports::three_axes;

#[test]
fn models_of_torch_are_its_networks() -> TestResult {
    let golden = super::golden()?;
    let cases = golden.metadata["torch"].as_array().ok_or("no list of cases")?;
    assert_eq!(cases.len(), 7);
    for case in cases {
        let name = case["name"].as_str().ok_or("no name")?;
        let rnn = Model::<f32>::from_bytes(golden.bytes(&format!("torch.{name}.model"))?)?.to_rnn()?;
        let relu = case["nonlinearity"] == "relu";
        let nonlinearity = if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh };
        assert_eq!(rnn.config().nonlinearity, nonlinearity, "{name}");
        assert_eq!(case["batch_first"], rnn.config().batch_first, "{name}");
        let prefix = format!("torch.{name}.parameter.");
        let stored = golden.names().iter().filter(|name| name.starts_with(&prefix)).count();
        assert_eq!(rnn.named_parameters().len(), stored, "{name}");
        for (parameter, value) in rnn.named_parameters() {
            let expected: ArrayD<f32> = golden.array(&format!("{prefix}{parameter}"))?;
            assert_eq!(value, expected, "{name}: {parameter}");
        }
        let array = |part: &str| three_axes(&golden, &format!("torch.{name}.{part}"));
        let (output, h_n) = rnn.forward(&array("input")?, None)?;
        assert!(largest_difference(&output, &array("output")?) < 1e-6, "{name}: output");
        assert!(largest_difference(&h_n, &array("h_n")?) < 1e-6, "{name}: h_n");
    }
    Ok(())
}
