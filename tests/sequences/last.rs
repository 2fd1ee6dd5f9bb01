//! Last outputs: forward that of each sequence's last step, in reverse that of step 0.

use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Number, bits, cases};

type Checked = Result<(), TestCaseError>;

fn last_is_the_right_rows<A: Number>(case: &Case) -> Checked {
    let batch: Batch<A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let (last, h_n) = batch.run().last()?;
    prop_assert_eq!(bits(&last), bits(&alone.last), "last");
    prop_assert_eq!(bits(&h_n), bits(&alone.h_n), "h_n");
    Ok(())
}

proptest! {
    #[test]
    fn last_outputs_are_the_right_rows_of_the_output(case in cases()) {
        let case = Case { resets: None, ..case };
        last_is_the_right_rows::<f32>(&case)?;
        last_is_the_right_rows::<f64>(&case)?;
    }
}
