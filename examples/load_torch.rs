//! Loads networks that torch trained: a state dict in one line, and the parts of a checkpoint.
//!
//! ```text
//! cargo run --release --all-features --example load_torch
//! ```
//!
//! `tests/interop/torch_files.py` makes the files with torch.

use std::error::Error;

use ndarray::Array3;
use ndarray_rnn::io::{pt, safetensors};
use ndarray_rnn::{Linear, Nonlinearity, Rnn};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/fixtures/torch");

fn main() -> Result<(), Box<dyn Error>> {
    // torch.save(rnn.state_dict(), "rnn.pt")
    let rnn = Rnn::<f32>::from_state_dict(&pt::read(format!("{FILES}/rnn.pt"))?, Nonlinearity::Tanh)?;
    println!("rnn.pt         {rnn}");

    let saved = safetensors::read(format!("{FILES}/forward.safetensors"))?;
    let array = |name: &str| -> Result<Array3<f32>, Box<dyn Error>> {
        let tensor = saved.get(name).ok_or_else(|| format!("no {name}"))?;
        Ok(tensor.to_array(name)?.into_dimensionality()?)
    };
    let (output, _) = rnn.forward(&array("input")?, None)?;
    let torchs = array("output")?;
    let difference = output.iter().zip(&torchs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("               first output {:.6}, torch's {:.6}", output[[0, 0, 0]], torchs[[0, 0, 0]]);
    println!("               largest difference of {} outputs: {difference:.1e}\n", output.len());

    // torch.save({"model": model.state_dict(), "optimizer": ..., "epoch": 3}, "checkpoint.pt")
    let checkpoint = pt::read(format!("{FILES}/checkpoint.pt"))?;
    let encoder = Rnn::<f32>::from_state_dict(&checkpoint.under("model.encoder.rnn."), Nonlinearity::Tanh)?;
    let head = Linear::<f32>::from_state_dict(&checkpoint.under("model.head."))?;
    println!("checkpoint.pt  epoch {}", checkpoint.metadata()["epoch"]);
    println!("               encoder.rnn {encoder}\n               head {}", head.config());

    // torch.save(rnn, "module.pt"): a program, which is not run.
    let refused = pt::read(format!("{FILES}/module.pt")).err();
    println!("\nmodule.pt      {}", refused.as_ref().map(ToString::to_string).unwrap_or_default());

    assert!(difference <= 1e-6 && refused.is_some());
    assert_eq!(encoder.config().hidden_size, head.config().in_features);
    Ok(())
}
