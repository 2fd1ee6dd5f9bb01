//! Last outputs: forward that of each sequence's last step, in reverse that of step 0.

use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Checked, Number, Random, all_bits, bits, of_cases, state_bits};

fn last_outputs_are_the_right_rows_of_the_output<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.without_resets().batch()?;
    let alone = Alone::of(&batch)?;
    let (last, state) = batch.run().last()?;
    prop_assert_eq!(bits(&last), bits(&alone.last), "last");
    prop_assert_eq!(state_bits::<C, _, _>(state), all_bits(&alone.state), "state");
    Ok(())
}

of_cases!(last_outputs_are_the_right_rows_of_the_output);
