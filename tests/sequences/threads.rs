//! Threads: work large enough to be split has the bits of each sequence run alone on one thread, whatever the
//! pool.

use std::error::Error;

use ndarray_rnn::{GruConfig, LstmConfig, Nonlinearity, RnnConfig, manual_seed};
use rayon::ThreadPoolBuilder;

use crate::alone::Alone;
use crate::case::{Batch, Case, Number, all_bits, bits};
use crate::common::kinds::Network;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// 37 sequences of 0 to 40 steps: 30 million operations with the networks below, and no more than 2 million a
/// sequence.
fn case<C>(config: C, resets: Option<u32>) -> Case<C> {
    let lengths: Vec<_> = (0..37).map(|n| n * 29 % 41).collect();
    Case {
        config,
        len: 41,
        lengths,
        first: true,
        resets,
        reset_state: true,
        padding: 0.5,
        layout: 0,
        seed: 7,
    }
}

fn same_on_every_pool<A: Number, C: Network>(case: &Case<C>) -> Outcome {
    let batch: Batch<C, A> = case.batch()?;
    let alone = ThreadPoolBuilder::new().num_threads(1).build()?.install(|| Alone::of(&batch))?;
    for threads in [1, 2, 3, 4] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        let (output, state) = pool.install(|| -> ndarray_rnn::Result<_> {
            let (output, state) = batch.run().forward()?;
            Ok((output, C::split(state)))
        })?;
        assert!(bits(&output) == bits(alone.output()), "output, {threads} threads");
        assert!(all_bits(&state) == all_bits(&alone.state), "state, {threads} threads");
        let last = pool.install(|| batch.run().last().map(|(last, _)| last))?;
        assert!(bits(&last) == bits(&alone.last), "last, {threads} threads");
        let layers = pool.install(|| batch.run().states().map(|(layers, _)| layers))?;
        assert!(all_bits(&layers) == all_bits(&alone.layers), "states, {threads} threads");
        let (output, state) = pool.install(|| -> ndarray_rnn::Result<_> {
            let (output, state, _) = batch.run().forward_train(&mut manual_seed(0))?;
            Ok((output, C::split(state)))
        })?;
        assert!(bits(&output) == bits(alone.output()), "output in training, {threads} threads");
        assert!(all_bits(&state) == all_bits(&alone.state), "state in training, {threads} threads");
    }
    Ok(())
}

#[test]
fn two_layers_in_one_direction() -> Outcome {
    let config = RnnConfig::new(48, 80).num_layers(2).nonlinearity(Nonlinearity::Relu);
    same_on_every_pool::<f32, _>(&case(config.clone(), Some(7)))?;
    same_on_every_pool::<f64, _>(&case(config.batch_first(true), None))
}

#[test]
fn two_layers_in_both_directions() -> Outcome {
    let config = RnnConfig::new(32, 48).num_layers(2).bidirectional(true);
    same_on_every_pool::<f32, _>(&case(config.clone().batch_first(true), None))?;
    same_on_every_pool::<f64, _>(&case(config, Some(7)))
}

#[test]
fn gates_in_both_directions() -> Outcome {
    let config = LstmConfig::new(32, 48).num_layers(2).bidirectional(true);
    same_on_every_pool::<f32, _>(&case(config.clone().proj_size(19), Some(7)))?;
    same_on_every_pool::<f64, _>(&case(config.batch_first(true), None))?;
    same_on_every_pool::<f32, _>(&case(GruConfig::new(32, 48).num_layers(2).bidirectional(true), Some(7)))
}

/// Threads share the units: 40 steps of 13 and of 26 million operations.
#[test]
fn one_sequence_of_many_units() -> Outcome {
    fn one<C>(config: C) -> Case<C> {
        Case { len: 40, lengths: vec![40], ..case(config, Some(7)) }
    }
    same_on_every_pool::<f32, _>(&one(LstmConfig::new(8, 190).proj_size(100)))?;
    same_on_every_pool::<f64, _>(&one(GruConfig::new(8, 200)))?;
    same_on_every_pool::<f32, _>(&one(RnnConfig::new(8, 400)))?;
    same_on_every_pool::<f64, _>(&one(RnnConfig::new(5, 200).num_layers(2).bidirectional(true)))
}

/// The same, in a batch where only one sequence has any steps.
#[test]
fn one_sequence_of_many_units_among_empty_ones() -> Outcome {
    let config = RnnConfig::new(5, 200).num_layers(2).bidirectional(true);
    same_on_every_pool::<f32, _>(&Case { lengths: vec![0, 33, 0], ..case(config, Some(7)) })
}
