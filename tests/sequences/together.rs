//! Every option at once, for a batch and for one sequence: lengths, resets, first and new states, outputs, last
//! outputs, states.

use ndarray::{Array, Array3, Axis, Dimension, RemoveAxis};
use ndarray_rnn::manual_seed;
use proptest::prelude::*;

use crate::alone::Alone;
use crate::case::{Batch, Case, Number, bits, cases};

type Checked = Result<(), TestCaseError>;

fn batched<A: Number>(case: &Case) -> Checked {
    let batch: Batch<A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let (output, h_n) = batch.run().forward()?;
    prop_assert_eq!(bits(&output), bits(alone.output()), "output");
    prop_assert_eq!(bits(&h_n), bits(&alone.h_n), "h_n");
    let (last, h_n) = batch.run().last()?;
    prop_assert_eq!((bits(&last), bits(&h_n)), (bits(&alone.last), bits(&alone.h_n)), "last");
    let (layers, h_n) = batch.run().states()?;
    let layers: Vec<_> = layers.iter().map(|layer| bits(layer)).collect();
    let expected: Vec<_> = alone.layers.iter().map(|layer| bits(layer)).collect();
    prop_assert_eq!((layers, bits(&h_n)), (expected, bits(&alone.h_n)), "states");
    let (output, h_n, _) = batch.run().forward_train(&mut manual_seed(0))?;
    prop_assert_eq!((bits(&output), bits(&h_n)), (bits(alone.output()), bits(&alone.h_n)), "in training");
    Ok(())
}

/// Sequence `n` of an array whose axis of sequences is `axis`.
fn of<A: Number, D: Dimension + RemoveAxis>(
    array: &Array<A, D>,
    axis: usize,
    n: usize,
) -> (Vec<usize>, Vec<u64>) {
    bits(&array.index_axis(Axis(axis), n))
}

fn unbatched<A: Number>(case: &Case) -> Checked {
    let batch: Batch<A> = case.batch()?;
    let alone = Alone::of(&batch)?;
    let layers: Vec<Array3<A>> = alone.layers.iter().map(|layer| batch.axes(layer.clone())).collect();
    let (input, first, new) = (batch.axes(batch.input.clone()), batch.first_state(), batch.new_state());
    for (n, &length) in batch.lengths.iter().enumerate() {
        let input = input.index_axis(Axis(1), n);
        let (h_0, state) = (first.index_axis(Axis(1), n), new.index_axis(Axis(1), n));
        let mask = batch.starts.as_ref().map(|starts| starts.index_axis(Axis(1), n));
        let lengths = [length];
        let run = || {
            let run = batch.rnn.run(&input).lengths(&lengths).padding_value(batch.padding);
            let run = run.state(&h_0).reset_state(&state);
            mask.iter().fold(run, |run, mask| run.resets(mask))
        };
        let h_n = of(&alone.h_n, 1, n);
        let forward = run().forward()?;
        prop_assert_eq!(
            (bits(&forward.0), bits(&forward.1)),
            (of(&layers[layers.len() - 1], 1, n), h_n.clone())
        );
        let last = run().last()?;
        prop_assert_eq!((bits(&last.0), bits(&last.1)), (of(&alone.last, 0, n), h_n.clone()));
        let states = run().states()?;
        for (layer, alone) in states.0.iter().zip(&layers) {
            prop_assert_eq!(bits(layer), of(alone, 1, n));
        }
        prop_assert_eq!((states.0.len(), bits(&states.1)), (layers.len(), h_n));
    }
    Ok(())
}

proptest! {
    #[test]
    fn all_options_agree_in_a_batch(case in cases()) {
        batched::<f32>(&case)?;
        batched::<f64>(&case)?;
    }

    #[test]
    fn all_options_agree_for_one_sequence(case in cases()) {
        unbatched::<f32>(&case)?;
        unbatched::<f64>(&case)?;
    }
}
