//! What a caller can get wrong: the error names the array, what was expected and what came; nothing panics.

use ndarray::{Array, Array1, Array2, Array3, Ix2, Ix3};
use ndarray_rnn::{Error, Result, Rnn, RnnConfig, Run, Sequences, manual_seed};
use proptest::prelude::*;

use crate::common::shape_error;

const L: usize = 5;
const N: usize = 3;

/// Two layers in both directions: states are (4, N, 2).
fn rnn() -> Result<Rnn<f32>> {
    Rnn::new(RnnConfig::new(6, 2).num_layers(2).bidirectional(true), &mut manual_seed(0))
}

fn batch_first() -> Result<Rnn<f32>> {
    Rnn::new(rnn()?.config().clone().batch_first(true), &mut manual_seed(0))
}

/// Checks that every way to end a run gives the same error.
fn expect_error<'a, I: Sequences<f32> + 'a>(expected: &Error, run: impl Fn() -> Run<'a, RnnConfig, f32, I>) {
    assert_eq!(run().forward().err().as_ref(), Some(expected), "forward");
    assert_eq!(run().last().err().as_ref(), Some(expected), "last");
    assert_eq!(run().states().err().as_ref(), Some(expected), "states");
    let training = run().forward_train(&mut manual_seed(0));
    assert_eq!(training.err().as_ref(), Some(expected), "forward_train");
}

#[test]
fn as_many_lengths_as_sequences() -> Result<()> {
    let (rnn, batch, one) = (rnn()?, Array3::zeros((L, N, 6)), Array2::zeros((L, 6)));
    for lengths in [&[][..], &[5, 5], &[5, 5, 5, 5]] {
        expect_error(&shape_error("lengths", &[N], &[lengths.len()]), || rnn.run(&batch).lengths(lengths));
        expect_error(&shape_error("lengths", &[1], &[lengths.len()]), || rnn.run(&one).lengths(lengths));
    }
    let (rnn, batch) = (batch_first()?, Array3::zeros((N, L, 6)));
    expect_error(&shape_error("lengths", &[N], &[L]), || rnn.run(&batch).lengths(&[1; L]));
    Ok(())
}

#[test]
fn no_length_over_l() -> Result<()> {
    let (rnn, batch, one) = (rnn()?, Array3::zeros((L, N, 6)), Array2::zeros((L, 6)));
    let error = |index, actual| Error::EntryOutOfRange { list: "lengths", index, expected: 0..=L, actual };
    expect_error(&error(1, 6), || rnn.run(&batch).lengths(&[5, 6, 7]));
    expect_error(&error(2, usize::MAX), || rnn.run(&batch).lengths(&[0, 5, usize::MAX]));
    expect_error(&error(0, 6), || rnn.run(&one).lengths(&[6]));
    let (rnn, batch) = (batch_first()?, Array3::zeros((N, L, 6)));
    expect_error(&error(0, 6), || rnn.run(&batch).lengths(&[6, 0, 0]));
    let error = error(1, 6);
    assert_eq!(error.to_string(), "lengths[1] must be from 0 to 5, got 6");
    Ok(())
}

#[test]
fn masks_shaped_as_the_input() -> Result<()> {
    let (plain, turned, one) = (Array3::zeros((L, N, 6)), Array3::zeros((N, L, 6)), Array2::zeros((L, 6)));
    let (rnn, batch_first) = (rnn()?, batch_first()?);
    let mask = |len, batch| Array2::from_elem((len, batch), true);
    for (len, batch) in [(N, L), (L, N + 1), (L - 1, N), (0, 0)] {
        let mask = mask(len, batch);
        expect_error(&shape_error("resets", &[L, N], &[len, batch]), || rnn.run(&plain).resets(&mask));
    }
    let mask = mask(L, N);
    expect_error(&shape_error("resets", &[N, L], &[L, N]), || batch_first.run(&turned).resets(&mask));
    let mask = Array1::from_elem(L + 1, true);
    expect_error(&shape_error("resets", &[L], &[L + 1]), || rnn.run(&one).resets(&mask));
    expect_error(&shape_error("resets", &[L], &[L + 1]), || batch_first.run(&one).resets(&mask));
    Ok(())
}

#[test]
fn states_shaped_as_the_network() -> Result<()> {
    let (plain, turned, one) = (Array3::zeros((L, N, 6)), Array3::zeros((N, L, 6)), Array2::zeros((L, 6)));
    let (rnn, batch_first) = (rnn()?, batch_first()?);
    for actual in [[4, N + 1, 2], [2, N, 2], [4, N, 3], [N, 4, 2], [0, 0, 0]] {
        let state = Array3::zeros(actual);
        expect_error(&shape_error("h_0", &[4, N, 2], &actual), || rnn.run(&plain).state(&state));
        expect_error(&shape_error("reset_state", &[4, N, 2], &actual), || {
            rnn.run(&plain).reset_state(&state)
        });
        expect_error(&shape_error("h_0", &[4, N, 2], &actual), || batch_first.run(&turned).state(&state));
    }
    for actual in [[4, 3], [2, 2], [1, 4]] {
        let state = Array2::zeros(actual);
        expect_error(&shape_error("h_0", &[4, 2], &actual), || rnn.run(&one).state(&state));
        expect_error(&shape_error("reset_state", &[4, 2], &actual), || {
            batch_first.run(&one).reset_state(&state)
        });
    }
    Ok(())
}

#[test]
fn at_least_one_step() -> Result<()> {
    let (rnn, batch_first) = (rnn()?, batch_first()?);
    let error = |shape: &[usize]| Error::EmptySequence { array: "input", shape: shape.into() };
    let (plain, turned, one) = (Array3::zeros((0, N, 6)), Array3::zeros((N, 0, 6)), Array2::zeros((0, 6)));
    expect_error(&error(&[0, N, 6]), || rnn.run(&plain));
    expect_error(&error(&[0, N, 6]), || rnn.run(&plain).lengths(&[0, 0, 0]));
    expect_error(&error(&[N, 0, 6]), || batch_first.run(&turned).lengths(&[0, 0, 0]));
    expect_error(&error(&[0, 6]), || rnn.run(&one).lengths(&[0]));
    Ok(())
}

#[test]
fn features_as_the_network_reads() -> Result<()> {
    let (rnn, batch, one) = (rnn()?, Array3::zeros((L, N, 5)), Array2::zeros((L, 7)));
    let error = |actual| Error::Width { array: "input", size: "input_size", expected: 6, actual };
    expect_error(&error(5), || rnn.run(&batch).lengths(&[1, 2, 3]));
    expect_error(&error(7), || rnn.run(&one).lengths(&[9, 9]));
    Ok(())
}

/// Mostly a right size, else any small size.
fn about(right: usize) -> impl Strategy<Value = usize> {
    prop_oneof![9 => Just(right), 1 => 0_usize..4]
}

fn lengths() -> impl Strategy<Value = Option<Vec<usize>>> {
    let length = prop_oneof![20 => 0_usize..=2, 1 => Just(3), 1 => Just(usize::MAX)];
    prop::option::of(about(3).prop_flat_map(move |count| prop::collection::vec(length.clone(), count)))
}

proptest! {
    /// Steps, sequences, features: 2, 3, 1; states 2 by 3 by 1.
    #[test]
    fn a_batch_fits_or_is_an_error(
        input in (about(2), about(3), about(1)),
        h_0 in prop::option::of((about(2), about(3), about(1))),
        reset_state in prop::option::of((about(2), about(3), about(1))),
        mask in prop::option::of((about(2), about(3))),
        lengths in lengths(),
    ) {
        let rnn = Rnn::<f64>::new(RnnConfig::new(1, 1).num_layers(2), &mut manual_seed(0))?;
        let (len, batch, width) = input;
        let state_fits = |state| state == (2, batch, 1);
        let fits = width == 1
            && len > 0
            && h_0.is_none_or(state_fits)
            && reset_state.is_none_or(state_fits)
            && mask.is_none_or(|mask| mask == (len, batch))
            && lengths.as_ref().is_none_or(|l| l.len() == batch && l.iter().all(|&length| length <= len));
        let input = Array::<_, Ix3>::from_elem(input, 0.5);
        let (h_0, reset_state) = (h_0.map(Array3::zeros), reset_state.map(Array3::zeros));
        let mask = mask.map(|shape| Array::<_, Ix2>::from_elem(shape, true));
        let run = || {
            let run = h_0.iter().fold(rnn.run(&input), |run, h_0| run.state(h_0));
            let run = reset_state.iter().fold(run, |run, state| run.reset_state(state));
            let run = mask.iter().fold(run, |run, mask| run.resets(mask));
            lengths.iter().fold(run, |run, lengths| run.lengths(lengths))
        };
        prop_assert_eq!(run().forward().is_ok(), fits);
        prop_assert_eq!(run().last().is_ok(), fits);
        prop_assert_eq!(run().states().is_ok(), fits);
        prop_assert_eq!(run().forward_train(&mut manual_seed(0)).is_ok(), fits);
    }
}
