//! RNN nodes in the graphs that exporters make: what is computed from constants, what is not.

use ndarray::{Array3, ArrayD};
use ndarray_rnn::io::onnx::{self, Model, Node, NodeOutput};
use ndarray_rnn::io::{StateDict, Tensor};
use ndarray_rnn::{Linear, LinearConfig, Nonlinearity, Parameters, Rnn, RnnConfig};
use serde_json::Value;

use crate::common::golden::Golden;
use crate::common::{TestResult, largest_difference};
use crate::exports::three_axes;

pub(crate) fn golden() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../interop/fixtures/onnx/graphs.safetensors"))
}

/// One model.
struct Case<'a> {
    golden: &'a Golden,
    value: &'a Value,
    name: &'a str,
    names: Vec<String>,
}

impl<'a> Case<'a> {
    fn new(golden: &'a Golden, value: &'a Value) -> TestResult<Self> {
        let name = value["name"].as_str().ok_or("no name")?;
        Ok(Self { golden, value, name, names: golden.names() })
    }

    fn bytes(&self) -> TestResult<&'static [u8]> {
        self.golden.bytes(&format!("{}.model", self.name))
    }

    /// The model, with the graph's inputs as weights where it has no others.
    fn model(&self) -> TestResult<Model<f32>> {
        let mut weights = StateDict::new();
        let prefix = format!("{}.input.", self.name);
        for name in self.names.iter().filter_map(|name| name.strip_prefix(&prefix)) {
            if name.contains("weight") || name.contains("bias") {
                let array: ArrayD<f32> = self.golden.array(&format!("{prefix}{name}"))?;
                weights.insert(name, Tensor::from_array(&array)?)?;
            }
        }
        Ok(Model::from_bytes_with(self.bytes()?, &weights)?)
    }

    fn array(&self, part: &str) -> TestResult<Option<Array3<f32>>> {
        let name = format!("{}.{part}", self.name);
        self.names.contains(&name).then(|| three_axes(self.golden, &name)).transpose()
    }

    /// Runs the `k`-th node on what ONNX Runtime gave it.
    fn run(&self, node: &Node<f32>, k: usize) -> TestResult<NodeOutput<f32>> {
        let lens = format!("{}.{k}.sequence_lens", self.name);
        let lens = self.names.contains(&lens).then(|| self.golden.lengths(&lens)).transpose()?;
        let (x, h) = (self.array(&format!("{k}.X"))?, self.array(&format!("{k}.initial_h"))?);
        let x = x.ok_or("no X")?;
        let mut run = node.run(&x);
        if let Some(lens) = &lens {
            run = run.sequence_lens(lens);
        }
        if let Some(h) = &h {
            run = run.initial_h(h);
        }
        Ok(run.forward()?)
    }
}

fn for_each(check: impl Fn(&Case<'_>) -> TestResult) -> TestResult {
    let golden = golden()?;
    let cases = golden.metadata.as_array().ok_or("no list of cases")?;
    assert_eq!(cases.len(), 31);
    cases.iter().try_for_each(|value| check(&Case::new(&golden, value)?))
}

#[test]
fn nodes_compute_what_onnx_runtime_computes() -> TestResult {
    for_each(|case| {
        let model = case.model()?;
        assert_eq!(Some(model.nodes().len() as u64), case.value["nodes"].as_u64(), "{}", case.name);
        for (k, node) in model.nodes().iter().enumerate() {
            let NodeOutput { y, y_h, .. } = case.run(node, k)?;
            let expected: ArrayD<f32> = case.golden.array(&format!("{}.{k}.Y", case.name))?;
            let difference = largest_difference(&y.into_dyn(), &expected);
            assert!(difference < 1e-6, "{}: Y of node {k}: {difference}", case.name);
            let expected = case.array(&format!("{k}.Y_h"))?.ok_or("no Y_h")?;
            assert!(largest_difference(&y_h, &expected) < 1e-6, "{}: Y_h of node {k}", case.name);
        }
        Ok(())
    })
}

#[test]
fn nodes_are_the_networks_that_were_exported_or_are_refused() -> TestResult {
    let golden = golden()?;
    for_each(|case| {
        let rnn = case.model()?.to_network::<RnnConfig>();
        if let Some(words) = case.value["refused"].as_str() {
            let text = rnn.err().ok_or(case.name)?.to_string();
            assert!(text.contains(words), "{}: {text}", case.name);
            return Ok(());
        }
        let rnn = rnn?;
        assert_eq!(Some(&*rnn.to_string()), case.value["rnn"].as_str(), "{}", case.name);
        let Some(expected) = case.array("output")? else { return Ok(()) };
        let input = case.array("input.input")?.ok_or("no input")?;
        let lens = format!("{}.0.sequence_lens", case.name);
        let lens = case.names.contains(&lens).then(|| golden.lengths(&lens)).transpose()?;
        let h_0 = case.array("input.h_0")?;
        let mut run = rnn.run(&input);
        if let Some(lens) = &lens {
            run = run.lengths(lens);
        }
        if let Some(h_0) = &h_0 {
            run = run.state(h_0);
        }
        let difference = largest_difference(&run.forward()?.0, &expected);
        assert!(difference < 1e-6, "{}: output: {difference}", case.name);
        Ok(())
    })
}

/// What the graph computes and the caller does not give is not taken for zero.
#[test]
fn what_is_computed_must_be_given() -> TestResult {
    let golden = golden()?;
    for (name, node, words) in [
        ("computed", "/rnn/RNN", "a call without initial_h, that /Slice_1 (Slice) computes,"),
        ("computed-row", "/rnn/RNN", "a call without initial_h, that /Expand (Expand) computes,"),
        ("lens-computed", "RNN_Y0", "a call without sequence_lens, that Sign_sign (Sign) computes,"),
    ] {
        let model = Model::<f32>::from_bytes(golden.bytes(&format!("{name}.model"))?)?;
        let error = model.nodes()[0].run(&Array3::zeros((5, 3, 4))).forward().err();
        let text = error.ok_or(name)?.to_string();
        assert_eq!(text, format!("ONNX: {node}: {words} is not supported"));
    }
    Ok(())
}

/// The first state of one sequence serves any number of sequences.
#[test]
fn a_repeated_state_is_that_of_every_sequence() -> TestResult {
    let golden = golden()?;
    let model = Model::<f32>::from_bytes(golden.bytes("expanded.model")?)?;
    let node = &model.nodes()[0];
    let h = node.initial_h().ok_or("no state")?;
    assert_eq!(h, &ndarray::array![[[-1.0_f32, 0.0, 1.0]]]);
    let x = Array3::from_shape_fn((4, 7, 4), |(t, n, i)| (t * 28 + n * 4 + i) as f32 / 100.0);
    let given = Array3::from_shape_fn((1, 7, 3), |(_, _, i)| i as f32 - 1.0);
    assert_eq!(node.run(&x).forward()?, node.run(&x).initial_h(&given).forward()?);
    let repeated = Model::<f32>::from_bytes(golden.bytes("lens-repeated.model")?)?;
    let node = &repeated.nodes()[0];
    assert_eq!(node.sequence_lens(), Some(&[4][..]));
    assert_eq!(node.run(&x).forward()?, node.run(&x).sequence_lens(&[4; 7]).forward()?);
    Ok(())
}

#[test]
fn arrays_around_the_nodes_are_read_by_name() -> TestResult {
    let golden = golden()?;
    for name in ["head.model", "head-unfolded.model"] {
        let dict = onnx::from_bytes(golden.bytes(name)?)?;
        let head = Linear::<f32>::from_state_dict(&dict.under("fc."))?;
        assert_eq!(head.config(), &LinearConfig::new(3, 2), "{name}");
    }
    // The names are the module's, where the exporter did not fold them.
    let bytes = golden.bytes("head-unfolded.model")?;
    let rnn = Rnn::from_state_dict(&onnx::from_bytes(bytes)?.under("rnn."), Nonlinearity::Tanh)?;
    let read = Model::<f32>::from_bytes(bytes)?.to_network::<RnnConfig>()?;
    assert_eq!(read.named_parameters(), rnn.named_parameters());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes)?;
    assert_eq!(onnx::read(&path)?, onnx::from_bytes(bytes)?);
    Ok(())
}

#[test]
fn weights_among_the_inputs_must_be_given() -> TestResult {
    let golden = golden()?;
    let bytes = golden.bytes("weights-as-inputs.model")?;
    let text = Model::<f32>::from_bytes(bytes).err().ok_or("read")?.to_string();
    let expected =
        "ONNX: /RNN.W: the graph's input weight_ih_l0, of which no array is given, is not supported";
    assert_eq!(text, expected);
    let mut weights = StateDict::new();
    weights.insert("weight_ih_l0", Tensor::from_array(&ndarray::array![[1.0_f64]])?)?;
    let text = Model::<f32>::from_bytes_with(bytes, &weights).err().ok_or("read")?.to_string();
    assert_eq!(text, "/RNN.W: expected dtype float32, got float64");
    Ok(())
}
