#![forbid(unsafe_code)]
//! Recurrent networks on [`ndarray`]: torch's names, shapes and seeds, the same bits on every machine.

mod error;

pub use error::{Error, Result};
