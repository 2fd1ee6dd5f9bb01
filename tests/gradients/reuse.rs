//! Memory that is used again changes no bit, whatever it held and whichever network it comes from.

use std::iter;

use ndarray::{Array, Array1, Ix2, Ix3};
use ndarray_rnn::{Direction, Error, RnnConfig, RnnParameters, Scalar, SequenceDim, Trace, manual_seed};
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::problem::{Options, Problem, TestResult, bits, cases, expect_same, small};

/// Gives a trace arrays of NaN, some for every size that a pass over the problem asks for: what is read before it is
/// written shows.
fn spoil<A: Scalar, D: SequenceDim>(trace: &mut Trace<A>, problem: &Problem<A, D>) {
    let config = problem.rnn.config();
    let sums = problem.d_output.len() * config.num_layers;
    let most = sums.max(problem.input.len());
    let sizes = iter::successors(Some(1), |size| Some(size * 2)).take_while(|&size| size < 2 * most);
    sizes.for_each(|size| (0..9).for_each(|_| trace.recycle(Array1::from_elem(size, A::nan()))));
}

/// Runs a problem in the memory of `trace`, and expects what it gives without.
fn expect_the_same<A: Scalar, D: SequenceDim>(
    problem: &Problem<A, D>,
    mut trace: Trace<A>,
) -> TestResult<Trace<A>> {
    let (expected_output, expected_h_n, expected) = problem.forward()?;
    let expected = problem.backward(&expected)?;
    spoil(&mut trace, problem);
    let (output, h_n, mut trace) =
        problem.run().reuse(trace).forward_train(&mut manual_seed(problem.dropout_seed))?;
    assert_eq!(bits(&output), bits(&expected_output), "output");
    assert_eq!(bits(&h_n), bits(&expected_h_n), "h_n");
    spoil(&mut trace, problem);
    let gradients = problem.backward(&trace)?;
    expect_same(&gradients, &expected, "in used memory");
    // What the first way back left is what the second begins with.
    expect_same(&problem.backward(&trace.clone())?, &expected, "from a clone");
    expect_same(&problem.backward(&trace)?, &expected, "again");
    trace.recycle(output);
    trace.recycle(gradients);
    Ok(trace)
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn memory_used_again_changes_nothing(problems in [small(), small(), small()]) {
        expect_the_same_one_after_another(&problems)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

fn expect_the_same_one_after_another(problems: &[Options]) -> TestResult {
    let (mut of_batches, mut of_sequences) = (Trace::default(), Trace::default());
    for options in problems {
        of_batches = expect_the_same(&options.problem::<f32, Ix3>()?, of_batches)?;
        of_sequences = expect_the_same(&options.problem::<f64, Ix2>()?, of_sequences)?;
    }
    Ok(())
}

/// Some 40 Mflop: worth four threads, forwards and back.
#[test]
fn memory_used_again_changes_nothing_on_threads() -> TestResult {
    let deep = RnnConfig::new(30, 96).num_layers(2).bidirectional(true).dropout(0.5);
    let options = Options::new(deep, 40, 9);
    for options in [options.clone(), options.with_everything()] {
        let problem = options.problem::<f32, Ix3>()?;
        for threads in [1, 2, 4] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
            let once = |trace| expect_the_same(&problem, trace).map_err(|error| error.to_string());
            pool.install(|| once(Trace::default()).and_then(once))?;
        }
    }
    Ok(())
}

/// One trace, and what memory it has to lend, for eight ways back that begin together.
#[test]
fn ways_back_at_once_do_not_share_memory() -> TestResult {
    let config = RnnConfig::new(5, 9).num_layers(2).bidirectional(true);
    let problem = Options::new(config, 50, 4).with_everything().problem::<f32, Ix3>()?;
    let mut trace = problem.forward()?.2;
    let expected = problem.backward(&trace)?;
    spoil(&mut trace, &problem);
    let pool = ThreadPoolBuilder::new().num_threads(8).build()?;
    let all = pool.install(|| (0..8).into_par_iter().map(|_| problem.backward(&trace)).collect::<Vec<_>>());
    for gradients in all {
        expect_same(&gradients?, &expected, "at once");
    }
    Ok(())
}

/// A trace of no pass is no network's.
#[test]
fn the_default_trace_is_refused() -> TestResult {
    let problem = Options::new(RnnConfig::new(3, 2), 4, 2).problem::<f32, Ix3>()?;
    let Err(error) = problem.backward(&Trace::default()) else { return Err("it was taken".into()) };
    assert!(matches!(error, Error::ForeignTrace { .. }), "{error}");
    assert!(error.to_string().contains("RNN(0, 0)"), "{error}");
    Ok(())
}

/// A caller who keeps an array keeps little else.
#[test]
fn no_array_lies_in_much_more_memory() -> TestResult {
    let problem = Options::new(RnnConfig::new(3, 2), 4, 2).problem::<f32, Ix3>()?;
    let mut trace = problem.forward()?.2;
    (0..4).for_each(|_| trace.recycle(Array1::zeros(1000)));
    let input = problem.backward(&trace)?.input;
    let len = input.len();
    assert!(input.into_raw_vec_and_offset().0.capacity() <= 2 * len);
    Ok(())
}

/// An array's memory is used whatever its layout.
#[test]
fn arrays_of_any_layout_are_taken() -> TestResult {
    let problem = Options::new(RnnConfig::new(3, 2), 4, 2).problem::<f32, Ix3>()?;
    let mut trace = problem.forward()?.2;
    let expected = problem.backward(&trace)?;
    let array = Array::<f32, Ix3>::from_elem((3, 2, 4), f32::NAN).permuted_axes([2, 0, 1]);
    let place = array.as_slice_memory_order().map(<[f32]>::as_ptr);
    trace = problem.forward()?.2;
    trace.recycle(array);
    trace.recycle(Array::<f32, Ix2>::zeros((0, 3)));
    let gradients = problem.backward(&trace)?;
    expect_same(&gradients, &expected, "in an array's memory");
    assert_eq!(gradients.input.as_slice().map(<[f32]>::as_ptr), place);
    Ok(())
}

/// The gradients of the parameters lie where those of the way back before lay, alone or among all.
#[test]
fn gradients_take_the_place_of_gradients() -> TestResult {
    fn place(parameters: &RnnParameters<f32>) -> Option<[*const f32; 2]> {
        let weights =
            [parameters.weight_ih(0, Direction::Forward), parameters.weight_hh(0, Direction::Forward)];
        Some([weights[0]?.as_ptr(), weights[1]?.as_ptr()])
    }
    let problem = Options::new(RnnConfig::new(11, 7), 4, 2).problem::<f32, Ix3>()?;
    let mut trace = problem.forward()?.2;
    let first = problem.backward(&trace)?;
    let before = place(&first.parameters);
    trace.recycle(first);
    let second = problem.backward(&trace)?.parameters;
    assert_eq!(place(&second), before);
    trace.recycle(second);
    assert_eq!(place(&problem.backward(&trace)?.parameters), before);
    Ok(())
}
