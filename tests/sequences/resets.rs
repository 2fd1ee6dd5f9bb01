//! Resets: a sequence that begins anew on the way equals its pieces, each alone.

use ndarray::{Array2, Axis};
use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Number, bits, cases};

type Checked = Result<(), TestCaseError>;

/// Equal lengths, which no list gives.
fn equals_pieces<A: Number>(case: &Case) -> Checked {
    let lengths = vec![case.len; case.lengths.len()];
    let batch: Batch<A> = Case { lengths, ..case.clone() }.batch()?;
    let alone = Alone::of(&batch)?;
    let run = batch.h_0.iter().fold(batch.rnn.run(&batch.input), |run, h_0| run.state(h_0));
    let run = batch.mask.iter().fold(run, |run, mask| run.resets(mask));
    let run = batch.reset_state.iter().fold(run, |run, state| run.reset_state(state));
    let (output, h_n) = run.forward()?;
    prop_assert_eq!(bits(&output), bits(alone.output()), "output");
    prop_assert_eq!(bits(&h_n), bits(&alone.h_n), "h_n");
    Ok(())
}

fn nowhere_is_none<A: Number>(case: &Case) -> Checked {
    let mut batch: Batch<A> = Case { resets: None, reset_state: true, ..case.clone() }.batch()?;
    let (output, h_n) = batch.run().forward()?;
    let shape = batch.input.shape();
    batch.mask = Some(Array2::from_elem((shape[0], shape[1]), false));
    let (same, same_h_n) = batch.run().forward()?;
    prop_assert_eq!((bits(&same), bits(&same_h_n)), (bits(&output), bits(&h_n)));
    Ok(())
}

/// A reset before step 0 is another h_0 for the forward directions, and nothing for the reverse directions.
fn at_the_start_is_h_0<A: Number>(case: &Case) -> Checked {
    let mut batch: Batch<A> = Case { resets: None, reset_state: true, ..case.clone() }.batch()?;
    let directions = batch.rnn.config().num_directions();
    let mut h_0 = batch.first_state();
    for (i, mut row) in h_0.outer_iter_mut().enumerate().filter(|(i, _)| i % directions == 0) {
        row.assign(&batch.new_state().index_axis(Axis(0), i));
    }
    let mut mask = Array2::from_elem((case.len, case.lengths.len()), false);
    mask.row_mut(0).fill(true);
    let batch_first = batch.rnn.config().batch_first;
    batch.mask = Some(if batch_first { mask.reversed_axes() } else { mask });
    let (output, h_n) = batch.run().forward()?;
    (batch.mask, batch.h_0) = (None, Some(h_0));
    let (same, mut same_h_n) = batch.run().forward()?;
    // A sequence without steps has no reset before step 0: its state stays h_0.
    for (n, _) in batch.lengths.iter().enumerate().filter(|&(_, &length)| length == 0) {
        same_h_n.index_axis_mut(Axis(1), n).assign(&h_n.index_axis(Axis(1), n));
    }
    prop_assert_eq!((bits(&output), bits(&h_n)), (bits(&same), bits(&same_h_n)));
    Ok(())
}

proptest! {
    #[test]
    fn resets_equal_pieces_alone(case in cases(), every in 1_u32..6) {
        let case = Case { resets: Some(every), ..case };
        equals_pieces::<f32>(&case)?;
        equals_pieces::<f64>(&case)?;
    }

    #[test]
    fn resets_nowhere_are_none(case in cases()) {
        nowhere_is_none::<f32>(&case)?;
        nowhere_is_none::<f64>(&case)?;
    }

    #[test]
    fn a_reset_at_the_start_overrides_h_0(case in cases()) {
        at_the_start_is_h_0::<f32>(&case)?;
        at_the_start_is_h_0::<f64>(&case)?;
    }
}
