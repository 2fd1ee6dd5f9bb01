//! Last outputs: forward that of each sequence's last step, in reverse that of step 0.

use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{
    Batch, Case, Checked, Number, Random, all_bits, bits, for_cases, in_every_kind, state_bits,
};
use crate::common::TestResult;

fn last_is_the_right_rows<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let (last, state) = batch.run().last()?;
    prop_assert_eq!(bits(&last), bits(&alone.last), "last");
    prop_assert_eq!(state_bits::<C, _, _>(state), all_bits(&alone.state), "state");
    Ok(())
}

fn last_outputs_are_the_right_rows_of_the_output<C: Random>() -> TestResult {
    for_cases::<C>(|case| {
        let case = Case { resets: None, ..case.clone() };
        last_is_the_right_rows::<C, f32>(&case)?;
        last_is_the_right_rows::<C, f64>(&case)
    })
}

in_every_kind!(last_outputs_are_the_right_rows_of_the_output);
