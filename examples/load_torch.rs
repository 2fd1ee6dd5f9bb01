//! Loads a checkpoint of torch into a model of one's own, runs it on sequences of different lengths, and trains on.
//!
//! ```text
//! cargo run --release --all-features --example load_torch
//! ```
//!
//! `tests/interop/torch_files.py` makes the file: `torch.save({"model": .., "optimizer": .., "epoch": ..}, "tagger.pt")`.

use std::error::Error;

use ndarray::{Array3, Ix3};
use ndarray_rnn::io::{pt, safetensors};
use ndarray_rnn::loss::MseLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::random::uniform;
use ndarray_rnn::{Linear, Lstm, LstmConfig, manual_seed, parameters};

parameters! { struct Tagger { lstm: Lstm, head: Linear } }

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/fixtures/torch");

fn main() -> Result<(), Box<dyn Error>> {
    let checkpoint = pt::read(format!("{FILES}/tagger.pt"))?;
    let model = checkpoint.under("model.");
    // Names and shapes give sizes, layers and directions; options that no array shows are the caller's.
    let config: LstmConfig = model.under("lstm.").lstm_config()?.batch_first(true).dropout(0.5);
    let head = Linear::<f32>::from_state_dict(&model.under("head."))?;
    let mut tagger = Tagger { lstm: Lstm::zeros(config)?, head };
    model.load_into(&mut tagger)?;
    let mut adam = Adam::new(AdamConfig::new(), &tagger)?;
    adam.load_torch(&checkpoint, "optimizer.")?;
    println!("{}\n{}\nlr {}", tagger.lstm, tagger.head, adam.lr());

    let (mut input, lengths) = (Array3::<f32>::zeros((4, 5, 3)), [3, 5, 1, 4]);
    uniform(&mut input, -1.0, 1.0, &mut manual_seed(8))?;
    let (output, _) = tagger.lstm.run(&input).lengths(&lengths).forward()?;
    let torchs = safetensors::read(format!("{FILES}/tagger.safetensors"))?;
    let torchs =
        torchs.get("output").ok_or("no output")?.to_array::<f32>("output")?.into_dimensionality::<Ix3>()?;
    let difference = (&output - &torchs).iter().fold(0.0_f32, |largest, d| largest.max(d.abs()));
    println!("largest difference from torch's {} outputs: {difference:.1e}", output.len());
    assert!(difference <= 1e-6);

    let mut rng = manual_seed(9);
    let (output, _, trace) = tagger.lstm.run(&input).lengths(&lengths).forward_train(&mut rng)?;
    let loss = MseLoss::new().forward(&tagger.head.forward(&output)?, &Array3::zeros((4, 5, 2)))?;
    let head = tagger.head.backward(&output, &loss.gradient)?;
    let lstm = tagger.lstm.backward_parameters(&trace, &head.input, None)?;
    adam.step(&mut tagger, &Tagger { lstm, head: head.parameters })?;
    Ok(())
}
