//! Every option at once, for a batch and for one sequence: lengths, resets, first and new states, outputs, last
//! outputs, states.

use ndarray::{Array3, Axis};
use ndarray_rnn::manual_seed;
use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Checked, Number, Random, all_bits, bits, of_cases, of_sequence, state_bits};

fn all_options_agree_in_a_batch<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let expected = all_bits(&alone.state);
    let (output, state) = batch.run().forward()?;
    prop_assert_eq!(bits(&output), bits(alone.output()), "output");
    prop_assert_eq!(&state_bits::<C, _, _>(state), &expected, "state");
    let (last, state) = batch.run().last()?;
    prop_assert_eq!(bits(&last), bits(&alone.last), "last");
    prop_assert_eq!(&state_bits::<C, _, _>(state), &expected, "state, last");
    let (layers, state) = batch.run().states()?;
    prop_assert_eq!(all_bits(&layers), all_bits(&alone.layers), "states");
    prop_assert_eq!(&state_bits::<C, _, _>(state), &expected, "state, states");
    let (output, state, _) = batch.run().forward_train(&mut manual_seed(0))?;
    prop_assert_eq!(bits(&output), bits(alone.output()), "output in training");
    prop_assert_eq!(&state_bits::<C, _, _>(state), &expected, "state in training");
    Ok(())
}

fn all_options_agree_for_one_sequence<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let layers: Vec<Array3<A>> = alone.layers.iter().map(|layer| batch.axes(layer.clone())).collect();
    let (input, first, new) = (batch.axes(batch.input.clone()), batch.first_state(), batch.new_state());
    for (n, &length) in batch.lengths.iter().enumerate() {
        let input = input.index_axis(Axis(1), n);
        let (first, new) = (of_sequence(&first, n), of_sequence(&new, n));
        let mask = batch.starts.as_ref().map(|starts| starts.index_axis(Axis(1), n));
        let lengths = [length];
        let run = || {
            let run = batch.network.run(&input).lengths(&lengths).padding_value(batch.padding);
            let run = run.state(C::lend(&first)).reset_state(C::lend(&new));
            mask.iter().fold(run, |run, mask| run.resets(mask))
        };
        let expected = all_bits(&of_sequence(&alone.state, n));
        let (output, state) = run().forward()?;
        prop_assert_eq!(bits(&output), bits(&layers[layers.len() - 1].index_axis(Axis(1), n)));
        prop_assert_eq!(&state_bits::<C, _, _>(state), &expected);
        let (last, state) = run().last()?;
        prop_assert_eq!(bits(&last), bits(&alone.last.index_axis(Axis(0), n)));
        prop_assert_eq!(&state_bits::<C, _, _>(state), &expected);
        let (states, state) = run().states()?;
        prop_assert_eq!(all_bits(&states), all_bits(&of_sequence(&layers, n)));
        prop_assert_eq!(&state_bits::<C, _, _>(state), &expected);
    }
    Ok(())
}

of_cases!(all_options_agree_in_a_batch, all_options_agree_for_one_sequence);
