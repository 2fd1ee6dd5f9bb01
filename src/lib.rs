//! Recurrent networks on [`ndarray`]: torch's names, shapes and seeds, the same bits on every machine.
//!
//! # The notebook
//!
//! Python's "RNN Basics" begins like this:
//!
//! ```python
//! torch.manual_seed(0)
//! rnn = torch.nn.RNN(input_size=4, hidden_size=2)
//! outputs, state = rnn(input_data)          # (3, 5, 4): 3 steps of 5 sequences, one-hot letters
//! ```
//!
//! In Rust it is the same, and so are the numbers:
//!
//! ```
//! use ndarray::Array3;
//! use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
//!
//! let letters = [[0, 1, 2, 2, 3], [1, 3, 2, 2, 2], [2, 2, 1, 1, 2]]; // hello, eolll, lleel
//! let input_data = Array3::from_shape_fn((3, 5, 4), |(t, n, i)| f32::from(letters[t][n] == i));
//!
//! let mut rng = manual_seed(0);
//! let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut rng)?;
//! let (outputs, state) = rnn.forward(&input_data, None)?;
//!
//! assert_eq!(format!("{:.4}", outputs[[0, 0, 0]]), "-0.7497"); // as the notebook prints it
//! assert_eq!(state.dim(), (1, 5, 2));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! # Where things are
//!
//! * [`Rnn`] and [`RnnConfig`], the network of one or more layers; [`Run`], a pass with options; [`Stream`], input as
//!   it comes; [`RnnCell`], one step of one layer.
//! * [`PackedSequence`], sequences of different lengths without padding; [`pad_sequence`] and [`unpad_sequence`],
//!   with it.
//! * [`keras`]: Keras's `SimpleRNN`, its cell and `Bidirectional`, masks, initialisers and seeds, over the same engine.
//! * [`Linear`], [`Embedding`] and [`one_hot`], what stands before and behind it.
//! * [`loss`], what training makes small; [`optim`], how: optimisers, learning rates, clipping.
//! * [`Parameters`]: the named arrays of a model, to read, change, copy ([`state_dict`](Parameters::state_dict)) and
//!   load ([`load_state_dict`](Parameters::load_state_dict)).
//! * [`io`]: models from files of torch, NumPy, Keras and ONNX, and back.
//! * [`manual_seed`], torch's generator, and [`random`], torch's draws from any generator; [`init`], initialisers.
//! * [`Error`], what a caller can get wrong. No input makes this crate panic.
//!
//! # Reproducibility
//!
//! A sum is defined once: `(b_ih + W_ih x) + (b_hh + W_hh h)` is two chains of fused multiply-adds, each from its bias and
//! in ascending order, and one addition. Vector lanes, tiles and time chunks only choose which chains run together. So the result for a
//! sequence has the same bits on every machine, alone or in a batch, whole or in chunks, whatever the memory layout
//! of its arrays. tanh, of basic operations only, is within 1.6 ULP in `f32` and 1 in `f64`.
//! Which NaN comes of several, and its sign, IEEE 754 leaves open, and so does this crate.
//!
//! Randomness is always an argument: there is no global generator, and no call draws more than it documents.

#![forbid(unsafe_code)]

mod arrays;
mod cell;
mod dim;
mod element;
mod embedding;
mod engine;
mod error;
pub mod init;
mod invariant;
pub mod io;
pub mod keras;
#[doc(hidden)]
pub mod kernels;
mod layout;
mod linear;
pub mod loss;
pub mod optim;
mod packed;
mod parameters;
mod planes;
pub mod random;
mod recurrent;
mod room;
mod rows;
mod scalar;
mod steps;

pub use dim::SequenceDim;
pub use embedding::{Embedding, EmbeddingConfig, EmbeddingParameters, one_hot};
pub use error::{Error, FileError, Result};
pub use linear::{Linear, LinearConfig, LinearGradients, LinearParameters};
pub use packed::{PackedSequence, Padding, PaddingSide, pad_sequence, unpad_sequence};
pub use parameters::Parameters;
pub use random::manual_seed;
pub use recurrent::{
    Architecture, CellArchitecture, CellDim, CellParameters, CellTrace, Direction, Gradients, Kind,
    Nonlinearity, Recurrent, RecurrentCell, RecurrentParameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, Run,
    Sequences, Stream, Trace,
};
pub use scalar::Scalar;

/// The README's examples, compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
