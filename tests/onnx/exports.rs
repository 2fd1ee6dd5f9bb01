//! The models that the crate writes: ONNX Runtime ran the same bytes.

use std::fs;

use ndarray::{Array3, ArrayD, Ix3};
use ndarray_rnn::io::onnx::{Export, Model};
use ndarray_rnn::{Error, FileError, Nonlinearity, Rnn, RnnConfig, manual_seed};

use crate::common::golden::Golden;
use crate::common::{Real, TestResult, in_both_types, largest_difference};

/// One network, and the inputs that its model takes.
pub(crate) struct Case {
    pub(crate) name: String,
    rnn: Rnn<f32>,
    sequence_lens: bool,
    h_0: bool,
}

impl Case {
    pub(crate) fn bytes(&self) -> TestResult<Vec<u8>> {
        Ok(Export::new(&self.rnn).sequence_lens(self.sequence_lens).h_0(self.h_0).to_bytes()?)
    }
}

/// Every combination of the options that change a model's nodes.
pub(crate) fn cases() -> TestResult<Vec<Case>> {
    (0..64_u32)
        .map(|seed| {
            let flag = |bit: u32| seed >> bit & 1 == 1;
            let (deep, both_ways, batch_first, relu) = (flag(0), flag(1), flag(2), flag(3));
            let (sequence_lens, h_0) = (flag(4), flag(5));
            let words = ["deep", "both-ways", "batch-first", "relu-without-bias", "lens", "state"];
            let words = words.iter().enumerate().filter(|&(bit, _)| flag(bit as u32));
            let name = words.fold(format!("{seed:02}"), |name, (_, word)| format!("{name}-{word}"));
            let config = RnnConfig::new(4, 3)
                .num_layers(if deep { 3 } else { 1 })
                .bidirectional(both_ways)
                .batch_first(batch_first)
                .bias(!relu)
                .nonlinearity(if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh });
            Ok(Case { name, rnn: Rnn::new(config, &mut manual_seed(seed))?, sequence_lens, h_0 })
        })
        .collect()
}

#[test]
fn models_are_the_bytes_that_onnx_runtime_ran() -> TestResult {
    let golden = super::golden()?;
    for case in cases()? {
        let stored = golden.bytes(&format!("ours.{}.model", case.name))?;
        assert!(case.bytes()? == stored, "{}: not the bytes of the fixture", case.name);
    }
    Ok(())
}

#[test]
fn onnx_runtime_computes_the_same() -> TestResult {
    let golden = super::golden()?;
    for case in cases()? {
        let array = |name: &str| three_axes(&golden, &format!("ours.{}.{name}", case.name));
        let (input, output, h_n) = (array("input")?, array("output")?, array("h_n")?);
        let h_0 = if case.h_0 { Some(array("h_0")?) } else { None };
        let mut run = case.rnn.run(&input);
        if let Some(h_0) = &h_0 {
            run = run.state(h_0);
        }
        if case.sequence_lens {
            run = run.lengths(&[2, 5, 1]);
        }
        let (ours, state) = run.forward()?;
        assert!(largest_difference(&ours, &output) < 1e-6, "{}: output", case.name);
        assert!(largest_difference(&state, &h_n) < 1e-6, "{}: h_n", case.name);
    }
    Ok(())
}

#[test]
fn models_read_back_as_the_networks() -> TestResult {
    for case in cases()? {
        assert_eq!(Model::from_bytes(&case.bytes()?)?.to_rnn()?, case.rnn, "{}", case.name);
    }
    Ok(())
}

fn a_model_is_of_the_network_s_element_type<A: Real>() -> TestResult {
    let rnn = Rnn::<A>::new(RnnConfig::new(4, 3).num_layers(2), &mut manual_seed(0))?;
    let bytes = Export::new(&rnn).to_bytes()?;
    assert_eq!(Model::from_bytes(&bytes)?.to_rnn()?, rnn);
    let other = if A::NAME == "f32" {
        Model::<f64>::from_bytes(&bytes).err()
    } else {
        Model::<f32>::from_bytes(&bytes).err()
    };
    let (expected, actual) = if A::NAME == "f32" { ("float64", "float32") } else { ("float32", "float64") };
    let error =
        FileError::Dtype { name: "RNN_Y_l0.W".into(), expected: expected.into(), actual: actual.into() };
    assert_eq!(other, Some(Error::File(error)));
    Ok(())
}

in_both_types!(a_model_is_of_the_network_s_element_type);

#[test]
fn files_are_written_and_read_by_path() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("rnn.onnx");
    let rnn = Rnn::<f32>::new(RnnConfig::new(4, 3), &mut manual_seed(0))?;
    Export::new(&rnn).write(&path)?;
    assert_eq!(fs::read(&path)?, Export::new(&rnn).to_bytes()?);
    assert_eq!(Rnn::from_onnx(&path)?, rnn);
    Ok(())
}

pub(crate) fn three_axes(golden: &Golden, name: &str) -> TestResult<Array3<f32>> {
    let array: ArrayD<f32> = golden.array(name)?;
    Ok(array.into_dimensionality::<Ix3>()?)
}
