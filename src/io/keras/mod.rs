//! Keras's files: `.keras`, `.weights.h5` and legacy `.h5`.
//!
//! ```no_run
//! use ndarray_rnn::io::keras::Weights;
//! use ndarray_rnn::keras::{Bidirectional, GruConfig, Lstm, LstmConfig};
//!
//! // model.save("model.keras"), or model.save("model.h5")
//! let first = Lstm::<f32>::from_keras("model.keras", "lstm")?;
//! let second = Bidirectional::<f32, GruConfig>::from_keras("model.keras", 0)?;
//!
//! // model.save_weights("model.weights.h5"): the layer is described here
//! let mut lstm = Lstm::<f32>::zeros(LstmConfig::new(4, 2))?;
//! lstm.load_weights("model.weights.h5", "lstm")?;
//!
//! // model.load_weights("ours.weights.h5")
//! Weights::new().layer(&lstm).layer(&second).write("ours.weights.h5")?;
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! [`Model`] has every layer of a file, whatever its class, and every weight.
//!
//! | file | of Keras | layers are made | weights are loaded |
//! |---|---|---|---|
//! | `.keras` | 2.12 to 3 | yes | yes |
//! | `.h5`, from `model.save` | 1 to 3 | yes | yes |
//! | `.h5`, from `model.save_weights` | 1 and 2 | no | yes |
//! | `.weights.h5` | 2.12 to 3 | no | yes |
//!
//! A layer computes what the version of Keras that wrote the file computes. Keras 3 itself does not where a file of
//! Keras 1 or 2 names `hard_sigmoid`, which until Keras 2.3 was the default of the gates of LSTM and GRU: that was
//! 0.2 x + 0.5 and is x / 6 + 0.5 now, each from 0 to 1. A GRU of a file that does not say `reset_after`, an early file of
//! Keras 1 or 2, has its reset gate before the product. Initialisers are not read, as the weights are there; and dropout in
//! training is that of Keras 3, whatever `implementation` or `consume_less` the file names. Keras 2's `CuDNNLSTM` and
//! `CuDNNGRU` are made as the LSTM and the GRU into which Keras loads their weights: that GRU has `reset_after`.

// Each imports only from those before it:
//
//   texts, hdf5, json                      bytes and text
//   layer, arrays                          a layer of a file, and its arrays under Keras's names
//   config                                 what a configuration says of layers, whatever their class
//   weights, legacy                        layers of files in the new format, and in the old one
//   activation, entries, cudnn, kinds,
//   dense                                  from what a file says of a layer to the layer itself
//   model, writable, write                 whole files
mod activation;
mod arrays;
mod config;
mod cudnn;
mod dense;
mod entries;
mod hdf5;
mod json;
mod kinds;
mod layer;
mod legacy;
mod model;
mod texts;
mod weights;
mod writable;
mod write;

pub use dense::DenseActivation;
pub use kinds::{FromConfig, FromKeras, LoadKeras};
pub use layer::{Layer, LayerId};
pub use model::Model;
pub use writable::WriteKeras;
pub use write::Weights;

/// The format's name in errors.
const FORMAT: &str = "Keras";

/// What the classes of Keras 2's layers of cuDNN begin with.
const CUDNN: &str = "CuDNN";
