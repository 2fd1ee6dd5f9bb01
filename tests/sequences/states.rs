//! The states of every layer: layer k's equal the outputs of a network of the first k layers.

use proptest::prelude::*;

use crate::alone::{Alone, first_layers};
use crate::case::{Batch, Case, Number, bits, cases};

type Checked = Result<(), TestCaseError>;

fn states_are_those_of_smaller_networks<A: Number>(case: &Case) -> Checked {
    let batch: Batch<A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let (layers, h_n) = batch.run().states()?;
    let (output, _) = batch.run().forward()?;
    prop_assert_eq!(layers.len(), batch.rnn.config().num_layers);
    prop_assert_eq!(layers.last().map(|layer| bits(layer)), Some(bits(&output)), "the last layer's");
    prop_assert_eq!(bits(&h_n), bits(&alone.h_n), "h_n");
    for (k, (layer, alone)) in layers.iter().zip(&alone.layers).enumerate() {
        prop_assert_eq!(bits(layer), bits(alone), "layer {} alone", k);
    }
    Ok(())
}

fn plain_states_are_those_of_smaller_networks<A: Number>(case: &Case) -> Checked {
    let lengths = vec![case.len; case.lengths.len()];
    let batch: Batch<A> = Case { lengths, ..case.clone() }.batch()?;
    let (layers, _) = batch.rnn.run(&batch.input).states()?;
    for (k, layer) in layers.iter().enumerate() {
        let (output, _) = first_layers(&batch.rnn, k + 1)?.forward(&batch.input, None)?;
        prop_assert_eq!(bits(layer), bits(&output), "layer {}", k);
    }
    Ok(())
}

proptest! {
    #[test]
    fn states_of_a_ragged_batch(case in cases()) {
        let case = Case { resets: None, ..case };
        states_are_those_of_smaller_networks::<f32>(&case)?;
        states_are_those_of_smaller_networks::<f64>(&case)?;
    }

    #[test]
    fn states_of_equal_lengths(case in cases()) {
        plain_states_are_those_of_smaller_networks::<f32>(&case)?;
        plain_states_are_those_of_smaller_networks::<f64>(&case)?;
    }
}
