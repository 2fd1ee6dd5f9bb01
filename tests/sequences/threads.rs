//! Threads: work large enough to be split has the bits of each sequence run alone on one thread, whatever the
//! pool.

use std::error::Error;

use ndarray::Array3;
use ndarray_rnn::{Nonlinearity, RnnConfig, manual_seed};
use rayon::ThreadPoolBuilder;

use crate::alone::Alone;
use crate::case::{Batch, Case, Number, bits};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// 37 sequences of 0 to 40 steps: 30 million operations with the networks below, and no more than 2 million a
/// sequence.
fn case(config: RnnConfig, resets: Option<u32>) -> Case {
    let lengths: Vec<_> = (0..37).map(|n| n * 29 % 41).collect();
    Case { config, len: 41, lengths, h_0: true, resets, reset_state: true, padding: 0.5, layout: 0, seed: 7 }
}

fn same_on_every_pool<A: Number>(case: &Case) -> Outcome {
    let batch: Batch<A> = case.batch()?;
    let alone = ThreadPoolBuilder::new().num_threads(1).build()?.install(|| Alone::of(&batch))?;
    let all = |layers: &[Array3<A>]| layers.iter().map(|layer| bits(layer)).collect::<Vec<_>>();
    for threads in [1, 2, 3, 4] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        let (output, h_n) = pool.install(|| batch.run().forward())?;
        assert!(bits(&output) == bits(alone.output()), "output, {threads} threads");
        assert!(bits(&h_n) == bits(&alone.h_n), "h_n, {threads} threads");
        let (last, _) = pool.install(|| batch.run().last())?;
        assert!(bits(&last) == bits(&alone.last), "last, {threads} threads");
        let (layers, _) = pool.install(|| batch.run().states())?;
        assert!(all(&layers) == all(&alone.layers), "states, {threads} threads");
        let (output, h_n, _) = pool.install(|| batch.run().forward_train(&mut manual_seed(0)))?;
        assert!(bits(&output) == bits(alone.output()), "output in training, {threads} threads");
        assert!(bits(&h_n) == bits(&alone.h_n), "h_n in training, {threads} threads");
    }
    Ok(())
}

#[test]
fn two_layers_in_one_direction() -> Outcome {
    let config = RnnConfig::new(48, 80).num_layers(2).nonlinearity(Nonlinearity::Relu);
    same_on_every_pool::<f32>(&case(config.clone(), Some(7)))?;
    same_on_every_pool::<f64>(&case(config.batch_first(true), None))
}

#[test]
fn two_layers_in_both_directions() -> Outcome {
    let config = RnnConfig::new(32, 48).num_layers(2).bidirectional(true);
    same_on_every_pool::<f32>(&case(config.clone().batch_first(true), None))?;
    same_on_every_pool::<f64>(&case(config, Some(7)))
}

/// Threads share the units: 40 steps of 13 and of 26 million operations.
#[test]
fn one_sequence_of_many_units() -> Outcome {
    let one = |config| Case { len: 40, lengths: vec![40], ..case(config, Some(7)) };
    same_on_every_pool::<f32>(&one(RnnConfig::new(8, 400)))?;
    same_on_every_pool::<f64>(&one(RnnConfig::new(5, 200).num_layers(2).bidirectional(true)))
}

/// The same, in a batch where only one sequence has any steps.
#[test]
fn one_sequence_of_many_units_among_empty_ones() -> Outcome {
    let config = RnnConfig::new(5, 200).num_layers(2).bidirectional(true);
    same_on_every_pool::<f32>(&Case { lengths: vec![0, 33, 0], ..case(config, Some(7)) })
}
