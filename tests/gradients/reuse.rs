//! Memory that a network's passes use again changes no bit, whatever it held.

use ndarray::{Ix2, Ix3};
use ndarray_rnn::{Rnn, RnnConfig, Scalar, SequenceDim, manual_seed};
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::problem::{Options, Problem, TestResult, bits, cases, expect_same, small};

/// Runs passes over NaN, of about the size of a problem, and their ways back. The network's memory is full of NaN
/// then, so that a number which is read before it is written shows.
fn spoil<A: Scalar, D: SequenceDim>(problem: &Problem<A, D>) -> TestResult {
    let mut spoilt = problem.clone();
    spoilt.input.fill(A::nan());
    spoilt.d_output.fill(A::nan());
    let traces = (0..2).map(|_| spoilt.forward()).collect::<Result<Vec<_>, _>>()?;
    traces.iter().try_for_each(|(_, _, trace)| spoilt.backward(trace).map(drop))?;
    Ok(())
}

/// Runs a problem in memory that other passes used, and expects the bits that it gives in new memory.
fn expect_the_same<A: Scalar, D: SequenceDim>(problem: &Problem<A, D>) -> TestResult {
    // A clone has no memory of passes.
    let (expected_output, expected_h_n, trace) =
        Problem { rnn: problem.rnn.clone(), ..problem.clone() }.forward()?;
    let expected = problem.backward(&trace)?;
    let used = Problem { rnn: problem.rnn.clone(), ..problem.clone() };
    for _ in 0..3 {
        spoil(&used)?;
        let (output, h_n, trace) = used.forward()?;
        assert_eq!(bits(&output), bits(&expected_output), "output");
        assert_eq!(bits(&h_n), bits(&expected_h_n), "h_n");
        expect_same(&used.backward(&trace)?, &expected, "in used memory");
        // The second way back begins with the memory of the first.
        expect_same(&used.backward(&trace.clone())?, &expected, "from a clone");
        expect_same(&used.backward(&trace)?, &expected, "again");
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn memory_used_again_changes_nothing(options in small()) {
        let result = options.problem::<f32, Ix3>().and_then(|problem| expect_the_same(&problem));
        let single = options.problem::<f64, Ix2>().and_then(|problem| expect_the_same(&problem));
        result.and(single).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

/// Some 40 Mflop: enough for four threads, forward and back.
#[test]
fn memory_used_again_changes_nothing_on_threads() -> TestResult {
    let deep = RnnConfig::new(30, 96).num_layers(2).bidirectional(true).dropout(0.5);
    let options = Options::new(deep, 40, 9);
    for options in [options.clone(), options.with_everything()] {
        let problem = options.problem::<f32, Ix3>()?;
        for threads in [1, 2, 4] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
            pool.install(|| expect_the_same(&problem).map_err(|error| error.to_string()))?;
        }
    }
    Ok(())
}

/// Eight ways back begin together with one trace and the memory of one network.
#[test]
fn ways_back_at_once_do_not_share_memory() -> TestResult {
    let config = RnnConfig::new(5, 9).num_layers(2).bidirectional(true);
    let problem = Options::new(config, 50, 4).with_everything().problem::<f32, Ix3>()?;
    let trace = problem.forward()?.2;
    let expected = problem.backward(&trace)?;
    spoil(&problem)?;
    let pool = ThreadPoolBuilder::new().num_threads(8).build()?;
    let all = pool.install(|| (0..8).into_par_iter().map(|_| problem.backward(&trace)).collect::<Vec<_>>());
    for gradients in all {
        expect_same(&gradients?, &expected, "at once");
    }
    Ok(())
}

/// A trace outlives its network, and passes of other sizes.
#[test]
fn a_trace_keeps_its_numbers_while_others_come_and_go() -> TestResult {
    let problem = Options::new(RnnConfig::new(3, 4).num_layers(2), 6, 2).problem::<f32, Ix3>()?;
    let trace = problem.forward()?.2;
    let expected = problem.backward(&trace)?;
    for (len, batch) in [(6, 2), (3, 1), (40, 5), (6, 2)] {
        let input = ndarray::Array3::from_elem((len, batch, 3), f32::NAN);
        problem.rnn.forward_train(&input, None, &mut manual_seed(0))?;
    }
    expect_same(&problem.backward(&trace)?, &expected, "after other passes");
    let clone: Rnn<f32> = problem.rnn.clone();
    drop(problem.rnn);
    let found = clone.backward(&trace, &problem.d_output, problem.d_h_n.as_deref())?;
    expect_same(&found, &expected, "without the network");
    Ok(())
}
