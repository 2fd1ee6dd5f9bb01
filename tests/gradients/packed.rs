//! Packed sequences have the gradients of the same sequences padded.

use ndarray::{Array3, Ix3};
use ndarray_rnn::{Gradients, PackedSequence, Packing, Padding, RnnConfig, manual_seed};
use proptest::prelude::{ProptestConfig, TestCaseError, proptest};

use crate::problem::{Options, Problem, TestResult, cases, expect_same, expect_same_parameters, small};

/// Sequences that can be packed: of one step at least.
fn packable(options: &Options) -> TestResult<Problem<f64, Ix3>> {
    let options = Options { lengths: true, resets: false, reset_state: false, ..options.clone() };
    let mut problem: Problem<f64, Ix3> = options.problem()?;
    problem.lengths.iter_mut().flatten().for_each(|length| *length = (*length).max(1));
    Ok(problem)
}

fn expect_padded(options: &Options) -> TestResult {
    let problem = packable(options)?;
    let Problem { rnn, lengths, .. } = &problem;
    let batch_first = rnn.config().batch_first;
    let lengths = lengths.as_deref().unwrap_or_default();
    let packing = Packing::new().batch_first(batch_first).enforce_sorted(false);
    let pack = |array: &Array3<f64>| PackedSequence::from_padded(array, lengths, packing);
    let d_output = pack(&problem.d_output)?;
    let d_h_n = problem.d_h_n.as_deref();
    let mut rng = manual_seed(problem.dropout_seed);
    let packed = pack(&problem.input)?;
    let run = problem.h_0.iter().fold(rnn.run(&packed), |run, h_0| run.state(h_0));
    let (_, _, trace) = run.forward_train(&mut rng)?;
    let Gradients { parameters, input, state } = rnn.backward(&trace, &d_output, d_h_n)?;

    let alone = rnn.backward_parameters(&trace, &d_output, d_h_n)?;
    expect_same_parameters(&alone, &parameters, "alone");
    let padding = Padding::new(0.0).batch_first(batch_first).total_length(options.seq_len);
    let input = input.to_padded(padding)?.0;
    let padded = problem.gradients()?;
    expect_same(&Gradients { parameters, input, state }, &padded, "packed");
    Ok(())
}

proptest! {
    #![proptest_config(cases(200) as ProptestConfig)]

    #[test]
    fn packed_equals_padded(options in small()) {
        expect_padded(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

/// The way back from padded gradients, for a trace of sequences that were packed in their own order, the longest
/// first.
#[test]
fn a_packed_trace_serves_padded_gradients() -> TestResult {
    let options = Options::new(RnnConfig::new(3, 4).bidirectional(true), 5, 3);
    let mut problem: Problem<f64, Ix3> = options.problem()?;
    let lengths = [5, 3, 1];
    let packed = PackedSequence::from_padded(&problem.input, &lengths, Packing::new())?;
    let (_, _, trace) = problem.rnn.run(&packed).forward_train(&mut manual_seed(0))?;
    problem.lengths = Some(lengths.into());
    expect_same(&problem.backward(&trace)?, &problem.gradients()?, "padded");
    Ok(())
}
