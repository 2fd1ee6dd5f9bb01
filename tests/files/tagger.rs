//! A checkpoint of torch, an LSTM and its optimiser's state, runs and trains on here as it does there.

use ndarray::{Array, Array3, Dimension};
use ndarray_rnn::io::{StateDict, pt, safetensors};
use ndarray_rnn::loss::MseLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::random::{self, Mt19937};
use ndarray_rnn::{
    Linear, LinearConfig, Lstm, LstmConfig, PackedSequence, Packing, Padding, manual_seed, parameters,
};

use crate::common::training::flat;
use crate::common::{TestResult, largest_difference};
use crate::path;

parameters! {
    /// The model that `interop/torch_files.py` trains for three steps.
    struct Tagger { lstm: Lstm, head: Linear }
}

const LENGTHS: [usize; 4] = [3, 5, 1, 4];

fn load(checkpoint: &StateDict) -> TestResult<Tagger> {
    let config = LstmConfig::new(3, 4).num_layers(2).batch_first(true).dropout(0.5).bidirectional(true);
    let lstm = Lstm::zeros(config.proj_size(2))?;
    let mut tagger = Tagger { lstm, head: Linear::zeros(LinearConfig::new(4, 2))? };
    checkpoint.under("model.").load_into(&mut tagger)?;
    Ok(tagger)
}

fn optimizer(checkpoint: &StateDict, model: &Tagger) -> TestResult<Adam<f32>> {
    let mut adam = Adam::new(AdamConfig::new(), model)?;
    adam.load_torch(checkpoint, "optimizer.")?;
    assert_eq!((adam.lr(), adam.state_dict().step), (0.02, 3));
    Ok(adam)
}

/// (4, 5, features) uniform in (-1, 1), packed.
fn ragged(features: usize, rng: &mut Mt19937) -> TestResult<PackedSequence<f32>> {
    let mut array = Array3::zeros((4, 5, features));
    random::uniform(&mut array, -1.0, 1.0, rng)?;
    let packing = Packing::new().batch_first(true).enforce_sorted(false);
    Ok(PackedSequence::from_padded(&array, &LENGTHS, packing)?)
}

/// The loss of a step; from the generator come the input, the target and dropout's masks.
fn step(model: &mut Tagger, adam: &mut Adam<f32>, rng: &mut Mt19937) -> TestResult<f64> {
    let (input, target) = (ragged(3, rng)?, ragged(2, rng)?);
    let Tagger { lstm, head } = &*model;
    let (output, _, trace) = lstm.run(&input).forward_train(rng)?;
    let loss = MseLoss::new().forward(&head.forward(output.data())?, target.data())?;
    let of_head = head.backward(output.data(), &loss.gradient)?;
    let of_lstm = lstm.backward_parameters(&trace, &output.with_data(of_head.input)?, None)?;
    adam.step(model, &Tagger { lstm: of_lstm, head: of_head.parameters })?;
    Ok(loss.value.into())
}

/// What torch computed.
fn torch<D: Dimension>(name: &str) -> TestResult<Array<f32, D>> {
    let results = safetensors::read(path("tagger.safetensors"))?;
    Ok(results.get(name).ok_or("no such array")?.to_array(name)?.into_dimensionality()?)
}

#[test]
fn a_checkpoint_runs_on_a_ragged_batch() -> TestResult {
    let Tagger { lstm, .. } = load(&pt::read(path("tagger.pt"))?)?;
    let input = ragged(3, &mut manual_seed(8))?;
    let (output, (h_n, c_n)) = lstm.run(&input).forward()?;
    let (output, lengths) = output.to_padded(Padding::new(0.0).batch_first(true))?;
    assert_eq!(lengths, LENGTHS);
    assert!(largest_difference(&output, &torch("output")?) <= 1e-6);
    assert!(largest_difference(&h_n, &torch("h_n")?) <= 1e-6);
    assert!(largest_difference(&c_n, &torch("c_n")?) <= 1e-6);
    Ok(())
}

/// The losses agree to seven digits.
#[test]
fn a_checkpoint_trains_on() -> TestResult {
    let checkpoint = pt::read(path("tagger.pt"))?;
    let mut model = load(&checkpoint)?;
    let (mut adam, mut rng) = (optimizer(&checkpoint, &model)?, manual_seed(9));
    let results = safetensors::read(path("tagger.safetensors"))?;
    let losses = results.get("losses").ok_or("no losses")?.to_array::<f64>("losses")?;
    assert_eq!(losses.len(), 5);
    for (i, &expected) in losses.iter().enumerate() {
        let loss = step(&mut model, &mut adam, &mut rng)?;
        let distance = (loss - expected).abs() / expected;
        assert!(distance <= 5e-7, "step {i}: {loss}, of torch {expected}");
    }
    assert!(largest_difference(&flat(&model), &torch("after")?) <= 1e-5);
    Ok(())
}
