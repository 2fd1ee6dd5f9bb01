#![forbid(unsafe_code)]
//! Recurrent networks on [`ndarray`]: torch's names, shapes and seeds, the same bits on every machine.

mod cell;
mod element;
mod engine;
mod error;
#[doc(hidden)]
pub mod kernels;
mod sequence;

pub use error::{Error, Result};
pub use sequence::SequenceDim;
