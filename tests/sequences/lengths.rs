//! Lengths: a padded batch equals each of its sequences alone.

use std::iter;

use ndarray::{Array3, Axis};
use ndarray_rnn::{Result, Rnn, RnnConfig, manual_seed};
use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Checked, Number, Random, all_bits, bits, of_cases, of_sequence, state_bits};

fn a_ragged_batch_equals_each_sequence_alone<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.without_resets().batch()?;
    let alone = Alone::of(&batch)?;
    let (output, state) = batch.run().forward()?;
    prop_assert_eq!(bits(&output), bits(alone.output()), "output");
    prop_assert_eq!(state_bits::<C, _, _>(state), all_bits(&alone.state), "state");
    Ok(())
}

fn one_padded_sequence_equals_itself_alone<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.without_resets().batch()?;
    let alone = Alone::of(&batch)?;
    let time_major = batch.axes(alone.output().clone());
    let input = batch.axes(batch.input.clone());
    let first = batch.first_state();
    for (n, &length) in batch.lengths.iter().enumerate() {
        let (sequence, first) = (input.index_axis(Axis(1), n), of_sequence(&first, n));
        let lengths = [length];
        let run = batch.network.run(&sequence).lengths(&lengths).padding_value(batch.padding);
        let (output, state) = run.state(C::lend(&first)).forward()?;
        prop_assert_eq!(bits(&output), bits(&time_major.index_axis(Axis(1), n)), "output of {}", n);
        prop_assert_eq!(
            state_bits::<C, _, _>(state),
            all_bits(&of_sequence(&alone.state, n)),
            "state of {}",
            n
        );
    }
    Ok(())
}

fn lengths_of_l_each_are_none<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let lengths = vec![case.len; case.lengths.len()];
    let batch: Batch<C, A> = Case { lengths, resets: None, ..case.clone() }.batch()?;
    let (output, state) = batch.run().forward()?;
    let (plain, plain_state) = batch.network.forward(&batch.input, batch.first.as_deref().map(C::lend))?;
    prop_assert_eq!(bits(&output), bits(&plain));
    prop_assert_eq!(state_bits::<C, _, _>(state), state_bits::<C, _, _>(plain_state));
    Ok(())
}

of_cases!(
    a_ragged_batch_equals_each_sequence_alone,
    one_padded_sequence_equals_itself_alone,
    lengths_of_l_each_are_none
);

/// Every order of the lengths 0, 1, 3, 4, with a tie beside them.
#[test]
fn the_order_of_the_sequences_does_not_matter() -> Result<()> {
    let rnn = Rnn::<f32>::new(RnnConfig::new(2, 3).num_layers(2).bidirectional(true), &mut manual_seed(1))?;
    let (input, lengths) = (waves(4, 5, 2), [0, 1, 3, 4, 3]);
    let (output, h_n) = rnn.run(&input).lengths(&lengths).forward()?;
    for order in permutations(5) {
        let mixed: Vec<_> = order.iter().map(|&n| lengths[n]).collect();
        let run = rnn.run(&input.select(Axis(1), &order)).lengths(&mixed).forward()?;
        assert_eq!(run.0, output.select(Axis(1), &order), "output of {mixed:?}");
        assert_eq!(run.1, h_n.select(Axis(1), &order), "h_n of {mixed:?}");
    }
    Ok(())
}

#[test]
fn batches_without_any_step_keep_their_state() -> Result<()> {
    let rnn = Rnn::<f64>::new(RnnConfig::new(2, 3).num_layers(2), &mut manual_seed(1))?;
    let (input, h_0) = (Array3::from_elem((4, 3, 2), f64::NAN), waves(2, 3, 3).mapv(f64::from));
    let run = || rnn.run(&input).lengths(&[0, 0, 0]).padding_value(-1.0).state(&h_0);
    assert_eq!(run().forward()?, (Array3::from_elem((4, 3, 3), -1.0), h_0.clone()));
    assert_eq!(run().last()?, (h_0.index_axis(Axis(0), 1).to_owned(), h_0.clone()));
    let (layers, h_n) = run().states()?;
    assert_eq!((layers, h_n), (vec![Array3::from_elem((4, 3, 3), -1.0); 2], h_0.clone()));
    Ok(())
}

#[test]
fn batches_of_no_sequence_are_no_error() -> Result<()> {
    let rnn = Rnn::<f32>::new(RnnConfig::new(2, 3).bidirectional(true), &mut manual_seed(1))?;
    let (input, mask) = (Array3::zeros((4, 0, 2)), ndarray::Array2::from_elem((4, 0), true));
    let run = || rnn.run(&input).lengths(&[]).resets(&mask);
    assert_eq!(run().forward()?, (Array3::zeros((4, 0, 6)), Array3::zeros((2, 0, 3))));
    assert_eq!(run().last()?.0.dim(), (0, 6));
    assert_eq!(run().states()?.0, [Array3::<f32>::zeros((4, 0, 6))]);
    assert_eq!(rnn.run(&input).resets(&mask).forward()?.0.dim(), (4, 0, 6));
    Ok(())
}

/// An array of numbers from (-1, 1), all different.
fn waves(len: usize, batch: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_fn((len, batch, width), |(t, n, i)| {
        ((t * batch + n) * width + i) as f32 / (len * batch * width) as f32 - 0.4
    })
}

/// Every order of `0..count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let places = |order: Vec<usize>| {
        (0..=last).map(move |at| {
            order[..at].iter().copied().chain(iter::once(last)).chain(order[at..].iter().copied()).collect()
        })
    };
    permutations(last).into_iter().flat_map(places).collect()
}
