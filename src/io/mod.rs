//! Models from files, and files from models.
//!
//! A format of arrays knows no model: its `read` and `from_bytes` give a [`StateDict`], its `write` and `to_bytes` take
//! one. From a [`StateDict`] any model is made:
//!
#![cfg_attr(feature = "pt", doc = "```no_run")]
#![cfg_attr(not(feature = "pt"), doc = "```ignore")]
//! use ndarray_rnn::io::pt;
//! use ndarray_rnn::{Nonlinearity, Rnn};
//!
//! let rnn = Rnn::<f32>::from_state_dict(&pt::read("model.pt")?.under("encoder."), Nonlinearity::Tanh)?;
//! println!("{rnn}"); // such as RNN(4, 2, num_layers=2)
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! [`under`](StateDict::under) takes the part of one model out of several, [`to`](StateDict::to) converts the element
//! type. Files of ONNX and of Keras describe layers, so `onnx` and `keras` read and write layers.
//!
//! # What is promised
//!
//! * A file is not trusted. Whatever its bytes, reading it gives a result or an [`Error`](crate::Error), never panics and
//!   executes nothing. A file that would take more than 16 times its size in memory, and more than 1 MiB (an
//!   `npz`: 16 MiB), is refused.
//! * A model is changed only after the whole file has been found right.
//! * A file's bytes are in memory once, and its arrays once more.
//! * A file is written whole or not at all, and the same dict gives the same bytes. A new file takes the place of the old
//!   one, with the old one's permissions: another hard link to the old file keeps the old content. Symbolic links are
//!   followed. What is no file, such as a device, a pipe or `/dev/stdout`, is written to; a read-only file is refused.
//!   A writer that is killed leaves a file such as `.model.pt.ndarray-rnn-Xs3k0b.tmp`.
//! * A device or a pipe is read to its end, of at most 256 MiB. Whoever has more reads it and calls `from_bytes`.
//! * Big-endian machines read and write the same files.

#[cfg(feature = "_zip")]
mod archive;
#[cfg(any(feature = "_zip", feature = "onnx"))]
mod budget;
mod configs;
mod dtype;
#[cfg(any(feature = "npz", feature = "pt"))]
mod elements;
#[cfg(feature = "_files")]
mod files;
#[cfg(feature = "keras-h5")]
pub mod keras;
mod models;
#[cfg(feature = "npz")]
pub mod npy;
#[cfg(feature = "npz")]
pub mod npz;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "pt")]
mod optimizer;
#[cfg(feature = "pt")]
pub mod pt;
#[cfg(feature = "_files")]
mod recognise;
#[cfg(feature = "_files")]
mod replace;
#[cfg(feature = "safetensors")]
pub mod safetensors;
#[cfg(feature = "serde")]
mod serialize;
mod state_dict;
mod tensor;

pub use dtype::Dtype;
pub use state_dict::StateDict;
pub use tensor::Tensor;
