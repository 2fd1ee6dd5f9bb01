//! Single nodes: directions, layouts, activations, clip, lengths and states as ONNX Runtime has them.

use ndarray::{Array4, ArrayD, Ix4};
use ndarray_rnn::io::onnx::{Model, Node, NodeOutput};

use crate::common::golden::Golden;
use crate::common::{TestResult, largest_difference};
use crate::exports::three_axes;

fn node(golden: &Golden, name: &str) -> TestResult<Node<f32>> {
    let model = Model::from_bytes(golden.bytes(&format!("node.{name}.model"))?)?;
    assert_eq!(model.nodes().len(), 1, "{name}");
    assert_eq!(model.nodes()[0].name(), "the_node");
    Ok(model.nodes()[0].clone())
}

#[test]
fn nodes_compute_what_onnx_runtime_computes() -> TestResult {
    let golden = super::golden()?;
    let cases = golden.metadata["node"].as_array().ok_or("no list of cases")?;
    assert_eq!(cases.len(), 19);
    for case in cases {
        let name = case["name"].as_str().ok_or("no name")?;
        let node = node(&golden, name)?;
        let prefix = format!("node.{name}.");
        let names = golden.names();
        let has = |part: &str| names.contains(&format!("{prefix}{part}"));
        let lens = if has("sequence_lens") {
            Some(golden.lengths(&format!("{prefix}sequence_lens"))?)
        } else {
            None
        };
        let state =
            if has("initial_h") { Some(three_axes(&golden, &format!("{prefix}initial_h"))?) } else { None };
        let x = three_axes(&golden, &format!("{prefix}X"))?;
        let mut run = node.run(&x);
        if let Some(lens) = &lens {
            run = run.sequence_lens(lens);
        }
        if let Some(state) = &state {
            run = run.initial_h(state);
        }
        let NodeOutput { y, y_h, .. } = run.forward()?;
        let expected: ArrayD<f32> = golden.array(&format!("{prefix}Y"))?;
        let expected: Array4<f32> = expected.into_dimensionality::<Ix4>()?;
        assert!(largest_difference(&y, &expected) < 1e-6, "{name}: Y\n{y}\n{expected}");
        assert!(
            largest_difference(&y_h, &three_axes(&golden, &format!("{prefix}Y_h"))?) < 1e-6,
            "{name}: Y_h"
        );
    }
    Ok(())
}
