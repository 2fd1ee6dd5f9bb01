//! Resets: a sequence that begins anew on the way equals its pieces, each alone.

use ndarray::{Array2, Axis};
use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Checked, Number, Random, all_bits, bits, of_cases, state_bits};

/// Equal lengths, which no list gives.
fn resets_equal_pieces_alone<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let lengths = vec![case.len; case.lengths.len()];
    // By chance one step in so many, where the case has no resets of its own.
    let resets = case.resets.or(Some(2));
    let batch: Batch<C, A> = Case { lengths, resets, ..case.clone() }.batch()?;
    let alone = Alone::of(&batch)?;
    let (output, state) = batch.with_states(batch.network.run(&batch.input)).forward()?;
    prop_assert_eq!(bits(&output), bits(alone.output()), "output");
    prop_assert_eq!(state_bits::<C, _, _>(state), all_bits(&alone.state), "state");
    Ok(())
}

fn resets_nowhere_are_none<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let mut batch: Batch<C, A> = Case { resets: None, reset_state: true, ..case.clone() }.batch()?;
    let (output, state) = batch.run().forward()?;
    let shape = batch.input.shape();
    batch.mask = Some(Array2::from_elem((shape[0], shape[1]), false));
    let (same, same_state) = batch.run().forward()?;
    prop_assert_eq!(bits(&same), bits(&output));
    prop_assert_eq!(state_bits::<C, _, _>(same_state), state_bits::<C, _, _>(state));
    Ok(())
}

/// A reset before step 0 is another first state for the forward directions, and nothing for the reverse directions.
fn a_reset_at_the_start_overrides_the_first_state<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let mut batch: Batch<C, A> = Case { resets: None, reset_state: true, ..case.clone() }.batch()?;
    let directions = batch.shape().directions();
    let mut first = batch.first_state();
    for (plane, new) in first.iter_mut().zip(batch.new_state()) {
        for (i, mut row) in plane.outer_iter_mut().enumerate().filter(|(i, _)| i % directions == 0) {
            row.assign(&new.index_axis(Axis(0), i));
        }
    }
    let mut mask = Array2::from_elem((case.len, case.lengths.len()), false);
    mask.row_mut(0).fill(true);
    batch.mask = Some(if batch.shape().batch_first { mask.reversed_axes() } else { mask });
    let (output, state) = batch.run().forward()?;
    (batch.mask, batch.first) = (None, Some(first));
    let (same, same_state) = batch.run().forward()?;
    prop_assert_eq!(bits(&output), bits(&same));
    for (plane, mut same) in C::split(state).into_iter().zip(C::split(same_state)) {
        // A sequence without steps has no reset before step 0: its state stays the first one.
        for (n, _) in batch.lengths.iter().enumerate().filter(|&(_, &length)| length == 0) {
            same.index_axis_mut(Axis(1), n).assign(&plane.index_axis(Axis(1), n));
        }
        prop_assert_eq!(bits(&plane), bits(&same), "state");
    }
    Ok(())
}

of_cases!(resets_equal_pieces_alone, resets_nowhere_are_none, a_reset_at_the_start_overrides_the_first_state);
