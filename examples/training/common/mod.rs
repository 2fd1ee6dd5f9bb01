//! What the examples share: letters as indices, torch's curves, charts, a progress bar.

#![allow(dead_code)] // each example uses its part

pub mod chart;
pub mod letters;
pub mod torch;

use indicatif::{ProgressBar, ProgressStyle};

/// What the examples return.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A progress bar for long runs. It writes nothing if there is no terminal.
pub fn progress(steps: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left  {msg}")?;
    Ok(ProgressBar::new(steps as u64).with_style(style))
}
