//! What the examples share: letters as indices, torch's curves, charts, a progress bar.

#![allow(dead_code)] // each example uses its part

pub mod chart;
pub mod letters;
pub mod torch;

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::arr0;
use ndarray_rnn::random::{self, Mt19937};

/// What the examples return.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A progress bar for long runs. It writes nothing if there is no terminal.
pub fn progress(steps: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left  {msg}")?;
    Ok(ProgressBar::new(steps as u64).with_style(style))
}

/// A number in [0, 1), as torch's `torch.rand((), dtype=torch.float64)` draws it.
pub fn uniform(rng: &mut Mt19937) -> Result<f64> {
    let mut number = arr0(0.0);
    random::uniform(&mut number, 0.0, 1.0, rng)?;
    Ok(number.into_scalar())
}

/// The path of a file in cargo's folder of targets, in which the program stands and which cargo marks by a file.
pub fn target(file: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(folder.ok_or("the program is in no folder of cargo's")?.join(file))
}
