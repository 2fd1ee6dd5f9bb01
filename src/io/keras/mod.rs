//! Keras's files: `.keras`, `.weights.h5` and legacy `.h5`.
//!
//! ```no_run
//! use ndarray_rnn::io::keras::Weights;
//! use ndarray_rnn::keras::{Bidirectional, SimpleRnn, SimpleRnnConfig};
//!
//! // model.save("model.keras"), or model.save("model.h5")
//! let first = SimpleRnn::<f32>::from_keras("model.keras", "simple_rnn")?;
//! let second = Bidirectional::<f32>::from_keras("model.keras", 0)?;
//!
//! // model.save_weights("model.weights.h5"): the layer is described here
//! let mut rnn = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 2))?;
//! rnn.load_weights("model.weights.h5", "simple_rnn")?;
//!
//! // model.load_weights("ours.weights.h5")
//! Weights::new().simple_rnn(&rnn).bidirectional(&second).write("ours.weights.h5")?;
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! Other layers in a file are passed over.

// Each imports only from those before it: texts, hdf5; layer, config, weights, legacy; model; write.
mod config;
mod hdf5;
mod layer;
mod legacy;
mod model;
mod texts;
mod weights;
mod write;

pub use layer::{Layer, LayerId};
pub use model::Model;
pub use write::Weights;

/// The format's name in errors.
const FORMAT: &str = "Keras";
