//! torch's gradients over the fixtures of `golden/gradients.py`.
//!
//! Differences are relative to the largest magnitude in the same gradient tensor; each parameter is a tensor of
//! its own.

use std::iter;

use ndarray::{Ix2, Ix3};
use ndarray_rnn::{Parameters, SequenceDim};
use serde_json::Value;

use crate::common::Real;
use crate::common::golden::{Case, Golden};
use crate::problem::{Options, Problem, TestResult, difference};

const GOLDEN: &[u8] = include_bytes!("../golden/gradients.safetensors");

/// The case's problem from its seed.
fn problem<A: Real, D: SequenceDim>(case: &Case) -> TestResult<Problem<A, D>> {
    let options = Options {
        h_0: case.flag("h_0")?,
        d_h_n: case.flag("d_h_n")?,
        seed: case.size("seed")? as u64,
        ..Options::new(case.rnn_config()?, case.size("seq_len")?, case.batch()?.unwrap_or(1))
    };
    let dropout_seed = case.value["dropout_seed"].as_u64().unwrap_or(0);
    Ok(Problem { lengths: case.lengths()?, dropout_seed, ..options.problem()? })
}

/// The largest difference of anything that the fixture has of a case.
fn compare<A: Real, D: SequenceDim>(golden: &Golden, case: &Case) -> TestResult<f64> {
    let (problem, i) = (problem::<A, D>(case)?, case.index);
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
    let tolerance = if A::NAME == "f32" { 1e-5 } else { 1e-12 };
    let differences = pairs.iter().map(|(name, actual, expected)| {
        let difference = difference(actual, expected);
        assert!(difference <= tolerance, "{name} differs by {difference:e}: {case:?}");
        difference
    });
    Ok(differences.fold(0.0, f64::max))
}

/// Compares every case of a type and kind, and expects this number of them.
fn compare_all<A: Real>(count: usize, of_kind: impl Fn(&Value) -> bool) -> TestResult {
    let golden = Golden::parse(GOLDEN)?;
    let mut cases = golden.cases()?;
    cases.retain(|case| case.is("dtype", A::NAME) && of_kind(&case.value));
    assert_eq!(cases.len(), count, "cases");
    let mut largest = 0.0;
    for case in &cases {
        let single = case.batch()?.is_none();
        let difference =
            if single { compare::<A, Ix2>(&golden, case)? } else { compare::<A, Ix3>(&golden, case)? };
        largest = f64::max(largest, difference);
    }
    println!("{}: {} cases, largest difference {largest:e}", A::NAME, cases.len());
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
