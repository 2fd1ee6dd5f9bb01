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
//! * [`Rnn`], [`Lstm`] and [`Gru`], networks of one or more layers, made of [`RnnConfig`], [`LstmConfig`] and
//!   [`GruConfig`]; [`RnnCell`], [`LstmCell`] and [`GruCell`], one step of one layer.
//! * [`Run`], a pass with options: lengths in any order, resets inside a sequence, last outputs, the states of every
//!   layer. [`PackedSequence`], sequences of different lengths without padding. [`Session`], steps and chunks that carry
//!   their state.
//! * [`keras`]: Keras's `SimpleRNN`, `LSTM` and `GRU`, their cells, `Bidirectional` and stacks, with Keras's masks,
//!   initialisers and seeds.
//! * [`Linear`], [`Embedding`], [`Dropout`] and [`one_hot`], which stand before and behind a network; [`functional`], softmax,
//!   argmax, accuracy, sampling from logits.
//! * [`loss`], losses and their gradients; [`optim`], optimisers, schedules of the learning rate and clipping.
//! * [`parameters!`], a model of one's own made of these, and its gradient. [`Parameters`]: the named arrays of a model, to
//!   read, change, copy ([`state_dict`](Parameters::state_dict)), load ([`load_state_dict`](Parameters::load_state_dict)), add
//!   ([`accumulate`](Parameters::accumulate)) and scale.
//! * [`distributed`]: what training on several machines, or with gradients added in parts, needs for the bits of one.
//! * [`io`]: models from files of torch, NumPy, Keras and ONNX, and back.
//! * [`manual_seed`], torch's generator; [`random`], torch's draws from any generator of `rand`; [`init`], initialisers.
//! * [`Recurrent`] and [`RecurrentCell`], the types behind these networks and cells, for code over any kind of network.
//! * [`Error`], what a caller can get wrong. No input makes this crate panic.
//! * [`guide`]: pages for those who come [from torch](guide::from_torch) or [from Keras](guide::from_keras), on
//!   [deploying](guide::deploying), [reproducibility](guide::reproducibility), [speed](guide::speed) and
//!   [training on several machines](guide::distributed).
//!
//! # Training
//!
//! There is no autograd. A pass in training returns a [`Trace`], and [`backward`](Recurrent::backward) reads it; each
//! loss returns its own gradient. For a loss of last outputs see [`Run::last_train`].
//!
//! ```
//! use ndarray::Axis;
//! use ndarray_rnn::loss::CrossEntropyLoss;
//! use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
//! use ndarray_rnn::{Linear, LinearConfig, Rnn, RnnConfig, manual_seed, one_hot};
//!
//! // From each letter of "hello" to the next: h e l o are 0 1 2 3.
//! let (letters, next) = (ndarray::array![0, 1, 2, 2], ndarray::array![1, 2, 2, 3]);
//! let input = one_hot::<f32, _>(&letters, 4)?; // (4, 4): one sequence of 4 steps
//!
//! let mut rng = manual_seed(0);
//! let rnn = Rnn::<f32>::new(RnnConfig::new(4, 8).num_layers(2).dropout(0.1), &mut rng)?;
//! let head = Linear::new(LinearConfig::new(8, 4), &mut rng)?;
//! let mut model = (rnn, head);                 // a tuple of models is a model
//! let mut adam = Adam::new(AdamConfig::new().lr(0.02), &model)?;
//! for _ in 0..100 {
//!     let (rnn, head) = &model;
//!     let (output, _, trace) = rnn.forward_train(&input, None, &mut rng)?; // dropout alone draws from rng
//!     let loss = CrossEntropyLoss::new().forward(&head.forward(&output)?, &next)?;
//!
//!     let d_head = head.backward(&output, &loss.gradient)?;
//!     let d_rnn = rnn.backward_parameters(&trace, &d_head.input, None)?;
//!     let mut gradients = (d_rnn, d_head.parameters);
//!     clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
//!     adam.step(&mut model, &gradients)?;
//! }
//!
//! let (output, _) = model.0.forward(&input, None)?; // no dropout
//! let logits = model.1.forward(&output)?;
//! for (row, &letter) in logits.axis_iter(Axis(0)).zip(&next) {
//!     assert!(row.iter().all(|&logit| logit <= row[letter]));
//! }
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! The memory of a pass goes back to the network when its trace is dropped, and the next pass takes it.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rayon` (default) | large passes run on the threads of the current rayon pool; without it every pass runs on one thread |
//! | `safetensors` (default) | `io::safetensors`: `.safetensors` files |
//! | `npz` | `io::npz`, `io::npy`: NumPy's `.npz` and `.npy` |
//! | `pt` | `io::pt`: torch's `.pt` and `.pth` |
//! | `onnx` | `io::onnx`: networks exported for other engines, RNN, LSTM and GRU nodes of ONNX models run here |
//! | `keras-h5` | `io::keras`: Keras's `.keras`, `.h5` and `.weights.h5` |
//! | `serde` | `Serialize` and `Deserialize` of models (but [`keras::Stacked`]), optimisers and generators |
//!
//! # Threads and bits
//!
//! A large pass runs on the threads of the current rayon pool; [`guide::speed`] says when, and what else takes time. The result
//! for a sequence has the same bits on every machine and any number of threads, alone or in a batch, whole or in chunks, and
//! randomness is always an argument; [`guide::reproducibility`] has the definition and its limits.

#![forbid(unsafe_code)]
// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

// With `relaxed-simd` the compiler makes one instruction of a multiplication and an addition, which rounds once or twice, as
// the machine likes: LLVM 22 changed 22 of the 912 cases of tests/portability.
#[cfg(all(target_family = "wasm", target_feature = "relaxed-simd"))]
compile_error!(
    "ndarray-rnn promises the same bits on every machine, and `relaxed-simd` has other bits from machine to machine: \
     build with `-C target-feature=+simd128` alone"
);

mod arrays;
mod cell;
mod dim;
pub mod distributed;
mod dropout;
mod element;
mod embedding;
mod engine;
mod error;
pub mod functional;
pub mod guide;
pub mod init;
mod invariant;
pub mod io;
pub mod keras;
#[doc(hidden)]
pub mod kernels;
mod layout;
mod linear;
pub mod loss;
mod norm;
pub mod optim;
mod options;
mod order;
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
pub use dropout::{Dropout, DropoutMask};
pub use embedding::{Embedding, EmbeddingConfig, EmbeddingParameters, one_hot};
pub use error::{Error, FileError, Result};
pub use linear::{Linear, LinearConfig, LinearGradients, LinearParameters};
pub use packed::{PackedSequence, Packing, Padding, PaddingSide, pad_sequence, unpad_sequence};
#[doc(hidden)]
pub use parameters::members;
pub use parameters::{GradientOf, Parameters, Trainable};
pub use random::manual_seed;
pub use recurrent::{
    Architecture, Back, CellArchitecture, CellDim, CellParameters, CellTrace, Direction, Gradients, Gru,
    GruCell, GruCellConfig, GruConfig, Kind, Lstm, LstmCell, LstmCellConfig, LstmConfig, Nonlinearity,
    Recurrent, RecurrentCell, RecurrentParameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, Run, Sequences,
    Session, Stepwise, Trace,
};
pub use scalar::Scalar;

/// The README's examples, compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
