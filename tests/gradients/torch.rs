//! torch's gradients over the fixtures of `golden/gradients.py`.
//!
//! Differences are relative to the largest magnitude in the same gradient tensor; each parameter is a tensor of
//! its own.

use std::any::type_name;
use std::iter;

use ndarray::{ArrayD, Ix2, Ix3};
use ndarray_rnn::{Nonlinearity, Parameters, RnnConfig, Scalar, SequenceDim};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::problem::{Options, Problem, TestResult, difference};

const GOLDEN: &[u8] = include_bytes!("../golden/gradients.safetensors");

struct Golden {
    tensors: SafeTensors<'static>,
    cases: Vec<Value>,
}

impl Golden {
    fn read() -> TestResult<Self> {
        let (_, header) = SafeTensors::read_metadata(GOLDEN)?;
        let cases = header.metadata().as_ref().and_then(|map| map.get("cases")).ok_or("no cases")?;
        Ok(Self { tensors: SafeTensors::deserialize(GOLDEN)?, cases: serde_json::from_str(cases)? })
    }

    /// A tensor, which must be of this type.
    fn array<A: Scalar>(&self, name: &str) -> TestResult<ArrayD<A>> {
        let tensor = self.tensors.tensor(name)?;
        assert_eq!(tensor.data().len(), tensor.shape().iter().product::<usize>() * size_of::<A>(), "{name}");
        let values: TestResult<_> = tensor.data().chunks_exact(size_of::<A>()).map(read).collect();
        Ok(ArrayD::from_shape_vec(tensor.shape(), values?)?)
    }

    /// The gradients of the parameters, each shaped as the parameter.
    fn parameters<A: Scalar>(
        &self,
        name: &str,
        like: &impl Parameters<Elem = A>,
    ) -> TestResult<Vec<(String, ArrayD<A>)>> {
        let mut flat = self.array::<A>(name)?.into_iter();
        let shaped = like.named_parameters().into_iter().map(|(name, like)| {
            let values = flat.by_ref().take(like.len()).collect();
            Ok((name, ArrayD::from_shape_vec(like.shape(), values)?))
        });
        let shaped = shaped.collect::<TestResult<_>>()?;
        assert_eq!(flat.next(), None, "{name} holds more than the parameters");
        Ok(shaped)
    }
}

fn read<A: Scalar>(bytes: &[u8]) -> TestResult<A> {
    let value = if A::SINGLE {
        f32::from_le_bytes(bytes.try_into()?).into()
    } else {
        f64::from_le_bytes(bytes.try_into()?)
    };
    Ok(A::from_f64(value))
}

fn size(value: &Value) -> TestResult<usize> {
    Ok(value.as_u64().ok_or("no whole number")?.try_into()?)
}

fn config(case: &Value) -> TestResult<RnnConfig> {
    let nonlinearity = if case["nonlinearity"] == "relu" { Nonlinearity::Relu } else { Nonlinearity::Tanh };
    Ok(RnnConfig::new(size(&case["input_size"])?, size(&case["hidden_size"])?)
        .num_layers(size(&case["num_layers"])?)
        .nonlinearity(nonlinearity)
        .bias(case["bias"] == true)
        .batch_first(case["batch_first"] == true)
        .bidirectional(case["bidirectional"] == true)
        .dropout(case["dropout"].as_f64().ok_or("no dropout")?))
}

/// The case's problem from its seed.
fn problem<A: Scalar, D: SequenceDim>(case: &Value) -> TestResult<Problem<A, D>> {
    let options = Options {
        h_0: case["h_0"] == true,
        d_h_n: case["d_h_n"] == true,
        seed: case["seed"].as_u64().ok_or("no seed")?,
        ..Options::new(
            config(case)?,
            size(&case["seq_len"])?,
            case["batch"].as_u64().unwrap_or(1).try_into()?,
        )
    };
    let lengths = case["lengths"].as_array().map(|lengths| lengths.iter().map(size).collect());
    let dropout_seed = case["dropout_seed"].as_u64().unwrap_or(0);
    Ok(Problem { lengths: lengths.transpose()?, dropout_seed, ..options.problem()? })
}

/// The largest difference of anything that the fixture has of case i.
fn compare<A: Scalar, D: SequenceDim>(golden: &Golden, i: usize) -> TestResult<f64> {
    let problem = problem::<A, D>(&golden.cases[i])?;
    let (output, h_n, trace) = problem.forward()?;
    let gradients = problem.backward(&trace)?;
    let expected = golden.parameters(&format!("{i}.parameters"), &problem.rnn)?;
    let mut pairs: Vec<_> = iter::zip(gradients.parameters.named_parameters(), expected)
        .map(|((_, actual), (name, expected))| (name, actual.into_owned(), expected))
        .collect();
    let given = [
        ("input", gradients.input, true),
        ("h_0", gradients.state, problem.h_0.is_some()),
        ("output", output, problem.rnn.config().dropout > 0.0),
        ("h_n", h_n, problem.rnn.config().dropout > 0.0),
    ];
    for (name, actual, _) in given.into_iter().filter(|given| given.2) {
        pairs.push((name.into(), actual.into_dyn(), golden.array(&format!("{i}.{name}"))?));
    }
    let tolerance = if A::SINGLE { 1e-5 } else { 1e-12 };
    let differences = pairs.iter().map(|(name, actual, expected)| {
        let difference = difference(actual, expected);
        assert!(difference <= tolerance, "{name} differs by {difference:e}: {}", golden.cases[i]);
        difference
    });
    Ok(differences.fold(0.0, f64::max))
}

/// Compares every case of a type and kind, and expects this number of them.
fn compare_all<A: Scalar>(count: usize, of_kind: impl Fn(&Value) -> bool) -> TestResult {
    let golden = Golden::read()?;
    let dtype = if A::SINGLE { "f32" } else { "f64" };
    let of_kind = |&i: &usize| golden.cases[i]["dtype"] == dtype && of_kind(&golden.cases[i]);
    let cases: Vec<_> = (0..golden.cases.len()).filter(of_kind).collect();
    assert_eq!(cases.len(), count, "cases");
    let mut largest = 0.0;
    for &i in &cases {
        let single = golden.cases[i]["batch"].is_null();
        largest = f64::max(
            largest,
            if single { compare::<A, Ix2>(&golden, i)? } else { compare::<A, Ix3>(&golden, i)? },
        );
    }
    println!("{}: {} cases, largest difference {largest:e}", type_name::<A>(), cases.len());
    Ok(())
}

fn is_plain(case: &Value) -> bool {
    case["lengths"].is_null() && case["dropout"] == 0.0
}

#[test]
fn all_options_in_f64() -> TestResult {
    compare_all::<f64>(195, is_plain)
}

#[test]
fn all_options_in_f32() -> TestResult {
    compare_all::<f32>(194, is_plain)
}

#[test]
fn packed_sequences() -> TestResult {
    let packed = |case: &Value| case["lengths"].is_array() && case["dropout"] == 0.0;
    compare_all::<f64>(32, packed)?;
    compare_all::<f32>(32, packed)
}

/// Compares outputs and final states too, since the masks are torch's.
#[test]
fn dropout() -> TestResult {
    let dropped = |case: &Value| case["dropout"] != 0.0 && case["lengths"].is_null();
    compare_all::<f64>(48, dropped)?;
    compare_all::<f32>(48, dropped)
}

#[test]
fn dropout_of_packed_sequences() -> TestResult {
    let both = |case: &Value| case["dropout"] != 0.0 && case["lengths"].is_array();
    compare_all::<f64>(24, both)?;
    compare_all::<f32>(24, both)
}
