//! `backward` equals the formula, written as plain loops, bit for bit.

use ndarray::{Ix2, Ix3};
use ndarray_rnn::{Nonlinearity, RnnConfig, Scalar, SequenceDim};
use proptest::prelude::{ProptestConfig, TestCaseError, proptest};

use crate::loops::expected;
use crate::problem::{Options, Problem, TestResult, bits, cases, named, small};

/// Expects `backward` to equal the loops bit for bit.
pub(crate) fn expect_formula<A: Scalar, D: SequenceDim>(problem: &Problem<A, D>, what: &str) -> TestResult {
    let (actual, expected) = (named(&problem.gradients()?), expected(problem)?);
    assert_eq!(actual.len(), expected.len());
    for ((name, actual), expected) in actual.iter().zip(&expected) {
        assert_eq!(bits(actual), bits(expected), "{name}, {what}");
    }
    Ok(())
}

fn expect_oracle<A: Scalar, D: SequenceDim>(options: &Options) -> TestResult {
    expect_formula(&options.problem::<A, D>()?, &format!("{options:?}"))
}

/// Problems of every kind.
fn expect_oracle_of_all_kinds(options: &Options) -> TestResult {
    expect_oracle::<f64, Ix3>(options)?;
    expect_oracle::<f64, Ix2>(options)?;
    expect_oracle::<f32, Ix3>(options)?;
    expect_oracle::<f32, Ix2>(options)
}

proptest! {
    #![proptest_config(cases(200) as ProptestConfig)]

    #[test]
    fn backward_is_the_formula(options in small()) {
        expect_oracle_of_all_kinds(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

/// Sizes beyond every tile, panel and chunk, ragged and not, large enough for threads.
#[test]
fn backward_is_the_formula_for_large_sizes() -> TestResult {
    for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
        let config = RnnConfig::new(19, 67).num_layers(2).bidirectional(true).dropout(0.25);
        let options = Options::new(config.nonlinearity(nonlinearity), 45, 9);
        expect_oracle::<f32, Ix3>(&options)?;
        expect_oracle::<f64, Ix3>(&options.with_everything())?;
    }
    // Few columns and more, of the input and of the state.
    for (inputs, hidden) in (1..=9).flat_map(|inputs| [1, 4, 6, 7, 8, 9].map(|hidden| (inputs, hidden))) {
        expect_oracle::<f32, Ix3>(&Options::new(RnnConfig::new(inputs, hidden), 4, 5).with_everything())?;
    }
    // One sequence of more steps than are added together, of few columns and of more.
    expect_oracle::<f32, Ix2>(&Options::new(RnnConfig::new(3, 4), 600, 1).with_everything())?;
    expect_oracle::<f32, Ix2>(&Options::new(RnnConfig::new(3, 33), 600, 1).with_everything())
}
