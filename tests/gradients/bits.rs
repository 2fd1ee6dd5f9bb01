//! What must not change a bit: threads, the rest of the batch, a second reading of the trace, a factor of a power
//! of two.

use ndarray::{Array1, Array2, Array3, Axis, Ix2, Ix3};
use ndarray_rnn::{Nonlinearity, RnnConfig, Scalar};
use rayon::ThreadPoolBuilder;

use crate::problem::{
    Options, Problem, TestResult, Whole, bits, expect_same, expect_same_parameters, named, take,
};

/// Some 40 and 60 Mflop: enough for four threads each, forward and back.
fn large() -> [Options; 2] {
    let wide = Options::new(RnnConfig::new(128, 128), 40, 8);
    let deep = RnnConfig::new(30, 96).num_layers(2).bidirectional(true).batch_first(true);
    let deep = Options::new(deep.nonlinearity(Nonlinearity::Relu), 60, 9).with_everything();
    [wide, Options { seed: 3, ..deep }]
}

fn expect_same_for_threads<A: Scalar>(options: &Options) -> TestResult {
    let problem = options.problem::<A, Ix3>()?;
    let mut all = Vec::new();
    for threads in [1, 2, 4] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        all.push((threads, pool.install(|| problem.gradients())?));
    }
    for (threads, gradients) in &all[1..] {
        expect_same(gradients, &all[0].1, &format!("{threads} threads"));
    }
    Ok(())
}

#[test]
fn threads_change_nothing() -> TestResult {
    for options in large() {
        expect_same_for_threads::<f32>(&options)?;
        expect_same_for_threads::<f64>(&options)?;
        let config = options.config.clone().dropout(0.5);
        expect_same_for_threads::<f32>(&Options { config, ..options })?;
    }
    Ok(())
}

/// There are fewer units than threads.
#[test]
fn threads_without_units_change_nothing() -> TestResult {
    expect_same_for_threads::<f32>(&Options::new(RnnConfig::new(5, 1), 1000, 1300))
}

/// The same without the input's gradient, for any number of threads.
#[test]
fn the_parameters_alone_have_the_same_gradients() -> TestResult {
    for options in large().into_iter().chain([with_everything()]) {
        let problem = options.problem::<f32, Ix3>()?;
        let (_, _, trace) = problem.forward()?;
        let expected = problem.backward(&trace)?.parameters;
        let backward =
            || problem.rnn.backward_parameters(&trace, &problem.d_output, problem.d_h_n.as_deref());
        for threads in [1, 2, 4] {
            let alone = ThreadPoolBuilder::new().num_threads(threads).build()?.install(backward)?;
            expect_same_parameters(&alone, &expected, &format!("{threads} threads"));
        }
    }
    Ok(())
}

/// Sequence n of a batch on its own, without what stands behind its end; `None` if it has no steps.
fn alone<A: Scalar>(problem: &Problem<A, Ix3>, n: usize) -> Option<Problem<A, Ix2>> {
    let axis = usize::from(!problem.rnn.config().batch_first);
    let length = problem.lengths.as_ref().map_or(problem.input.len_of(Axis(1 - axis)), |lengths| lengths[n]);
    let steps: Vec<_> = (0..length).collect();
    let sequence = |array: &Array3<A>| take(array, axis, n).select(Axis(0), &steps);
    let state = |state: &Option<Array3<A>>| state.as_ref().map(|state| take(state, 1, n));
    let resets = |mask: &Array2<bool>| -> Array1<bool> { take(mask, axis, n).select(Axis(0), &steps) };
    Some(Problem {
        rnn: problem.rnn.clone(),
        input: sequence(&problem.input),
        h_0: state(&problem.h_0),
        lengths: None,
        resets: problem.resets.as_ref().map(resets),
        reset_state: state(&problem.reset_state),
        d_output: sequence(&problem.d_output),
        d_h_n: state(&problem.d_h_n),
        dropout_seed: 0,
    })
    .filter(|_| length > 0)
}

/// Compares the gradients of sequence n's rows, which are zero behind its end.
fn expect_rows<A: Scalar>(all: &Whole<A, Ix3>, one: &Whole<A, Ix2>, batch_first: bool, n: usize) {
    let rows = take(&all.input, usize::from(!batch_first), n);
    let (valid, padding) = rows.view().split_at(Axis(0), one.input.nrows());
    assert_eq!(bits(&valid.to_owned()), bits(&one.input), "input of sequence {n}");
    assert!(padding.iter().all(|&x| x == A::zero()), "padding of sequence {n}");
    assert_eq!(bits(&take(&all.state, 1, n)), bits(&one.state), "h_0 of sequence {n}");
}

#[test]
fn a_sequence_alone_has_the_gradients_it_has_in_a_batch() -> TestResult {
    for options in large() {
        let problem = options.problem::<f32, Ix3>()?;
        let gradients = ThreadPoolBuilder::new().num_threads(4).build()?.install(|| problem.gradients())?;
        let sequences = (0..options.batch).filter_map(|n| Some((n, alone(&problem, n)?)));
        for (n, alone) in sequences {
            expect_rows(&gradients, &alone.gradients()?, options.config.batch_first, n);
        }
    }
    Ok(())
}

/// A network with every option and dropout.
fn with_everything() -> Options {
    let config = RnnConfig::new(5, 18).num_layers(3).bidirectional(true).batch_first(true).dropout(0.3);
    Options { seed: 11, ..Options::new(config, 12, 5).with_everything() }
}

#[test]
fn a_trace_serves_more_than_once() -> TestResult {
    let problem = with_everything().problem::<f64, Ix3>()?;
    let (_, _, trace) = problem.forward()?;
    let first = problem.backward(&trace)?;
    let other = Problem { d_h_n: None, ..problem.clone() }.backward(&trace)?;
    assert_ne!(first, other);
    expect_same(&problem.backward(&trace)?, &first, "the same trace again");
    expect_same(&problem.backward(&trace.clone())?, &first, "a copy of the trace");
    expect_same(&problem.gradients()?, &first, "another trace");
    Ok(())
}

#[test]
fn twice_the_cotangents_give_twice_the_gradients() -> TestResult {
    let problem = with_everything().problem::<f32, Ix3>()?;
    let (_, _, trace) = problem.forward()?;
    let doubled = Problem {
        d_output: &problem.d_output * 2.0,
        d_h_n: problem.d_h_n.as_ref().map(|d_h_n| d_h_n * 2.0),
        ..problem.clone()
    };
    let (once, twice) = (problem.backward(&trace)?, doubled.backward(&trace)?);
    for ((name, once), (_, twice)) in named(&once).iter().zip(named(&twice)) {
        assert_eq!(bits(&(once * 2.0)), bits(&twice), "{name}");
    }
    Ok(())
}

/// A missing h_0 stands for zeros, a missing gradient of h_n too, and lengths of L for no lengths.
#[test]
fn what_is_left_out_is_its_default() -> TestResult {
    let options = Options { h_0: false, d_h_n: false, lengths: false, ..with_everything() };
    let short = options.problem::<f64, Ix3>()?;
    let state = Array3::zeros((6, options.batch, 18));
    let lengths = Some(vec![options.seq_len; options.batch]);
    let spelled_out = Problem { h_0: Some(state.clone()), d_h_n: Some(state), lengths, ..short.clone() };
    expect_same(&spelled_out.gradients()?, &short.gradients()?, "defaults spelled out");
    Ok(())
}
