//! The states of every layer: layer k's equal the outputs of a network of the first k layers.

use proptest::prelude::*;

use crate::alone::{Alone, first_layers};
use crate::case::{Batch, Case, Checked, Number, Random, all_bits, bits, of_cases, state_bits};

fn states_of_a_ragged_batch<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.without_resets().batch()?;
    let alone = Alone::of(&batch)?;
    let (layers, state) = batch.run().states()?;
    let (output, _) = batch.run().forward()?;
    prop_assert_eq!(layers.len(), batch.shape().num_layers);
    prop_assert_eq!(layers.last().map(|layer| bits(layer)), Some(bits(&output)), "the last layer's");
    prop_assert_eq!(state_bits::<C, _, _>(state), all_bits(&alone.state), "state");
    for (k, (layer, alone)) in layers.iter().zip(&alone.layers).enumerate() {
        prop_assert_eq!(bits(layer), bits(alone), "layer {} alone", k);
    }
    Ok(())
}

fn states_of_equal_lengths<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let lengths = vec![case.len; case.lengths.len()];
    let batch: Batch<C, A> = Case { lengths, ..case.clone() }.batch()?;
    let (layers, _) = batch.network.run(&batch.input).states()?;
    for (k, layer) in layers.iter().enumerate() {
        let (output, _) = first_layers(&batch.network, k + 1)?.forward(&batch.input, None)?;
        prop_assert_eq!(bits(layer), bits(&output), "layer {}", k);
    }
    Ok(())
}

of_cases!(states_of_a_ragged_batch, states_of_equal_lengths);
