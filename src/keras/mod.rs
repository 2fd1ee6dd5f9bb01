//! Keras's `SimpleRNN`, `LSTM` and `GRU` over the same engine: Keras's names, layout, defaults, mask rules and seeds.
//!
//! ```
//! use ndarray::Array3;
//! use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
//!
//! let mut rng = keras::set_random_seed(0);                                // keras.utils.set_random_seed(0)
//! let simple_rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut rng)?; // SimpleRNN(2), for 4 features
//! let input = Array3::ones((3, 5, 4));                                    // 3 sequences of 5 steps
//!
//! let (last, state) = simple_rnn.call(&input).last()?;                    // each sequence's last output
//! assert_eq!((last.dim(), state.dim()), ((3, 2), (3, 2)));
//!
//! let (outputs, state) = simple_rnn.forward(&input)?;                     // return_sequences, return_state
//! assert_eq!((outputs.dim(), state.dim()), ((3, 5, 2), (3, 2)));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! | Keras | here | returns |
//! |---|---|---|
//! | `layer(x)` | `layer.call(&x).last()?.0` | last outputs (N, units) |
//! | `return_state=True` | `layer.call(&x).last()?` | `(last, state)`, (N, units) and (N, units) |
//! | `return_sequences=True, return_state=True` | `layer.forward(&x)?`, with options `layer.call(&x).forward()?` | `(outputs, state)`, (N, T, units) and (N, units) |
//! | `stateful=True` | `layer.call(&x).initial_state(&state).last()?` | the same, begun with the `state` that the batch before returned |
//! | training | `layer.call(&x).last_train(&mut seeds)?`, `forward_train` | `(last, state, trace)`, for `layer.backward(&trace, &d_last, None)?` |
//!
//! The state of an [`Lstm`] is the pair (h, c), wherever one goes in or out.
//!
//! Where Keras's backends differ, TensorFlow's is followed: outputs before a sequence's first step that counts are zero.

// Each file imports only from those above it:
//
//   single, philox, seeds, initializer           draws, and how parameters are made
//   planes, architecture, parameters             what a layer is, whatever its kind
//   rows, engine                                 sequences as rows; the calls of the engine
//   gradients, layer, call, train, pass, cell    a layer: what it holds, its calls, its way back, its steps
//   config, simple_rnn, lstm, gru                the kinds of layers
//   layer_pair, merge, bidirectional             both directions
//   stacked_layer, stacked                       layers one upon another
//   convert                                      from and to torch's network

mod architecture;
mod bidirectional;
mod call;
mod cell;
mod config;
mod convert;
mod engine;
mod gru;
mod initializer;
mod layer;
mod layer_pair;
mod lstm;
mod merge;
mod parameters;
mod pass;
mod philox;
mod rows;
mod seeds;
mod simple_rnn;
mod single;
mod stacked;
mod stacked_layer;
mod train;

pub use crate::kernels::Activation;
pub use crate::recurrent::Gradients;
pub use architecture::Architecture;
pub use bidirectional::{Bidirectional, BidirectionalTrace};
pub use call::{Call, Callable};
pub use cell::LayerCell;
pub use gru::{Gru, GruCell, GruConfig, GruParameters};
pub use initializer::{Distribution, FanMode, Initializer};
pub use layer::Layer;
pub use layer_pair::{BidirectionalGradients, BidirectionalParameters, LayerPair};
pub use lstm::{Lstm, LstmCell, LstmConfig, LstmParameters};
pub use merge::MergeMode;
pub use parameters::LayerParameters;
pub use seeds::{SeedGenerator, set_random_seed};
pub use simple_rnn::{SimpleRnn, SimpleRnnCell, SimpleRnnConfig, SimpleRnnParameters};
pub use stacked::{Stacked, StackedParameters, StackedTrace};
pub use stacked_layer::StackedLayer;
pub use train::{DropoutMasks, LayerGradients, Trace};
