//! Keras's `SimpleRNN` over the same engine: Keras's names, layout, defaults, mask rules and seeds.
//!
//! ```
//! use ndarray::Array3;
//! use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
//!
//! let mut rng = keras::set_random_seed(0);                                // keras.utils.set_random_seed(0)
//! let simple_rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut rng)?; // SimpleRNN(2), for 4 features
//! let input = Array3::ones((3, 5, 4));                                    // 3 sequences of 5 steps
//!
//! let output = simple_rnn.forward(&input)?;                               // the last outputs
//! assert_eq!(output.dim(), (3, 2));
//!
//! let (output, state) = simple_rnn.call(&input).return_sequences().return_state().forward()?;
//! assert_eq!((output.dim(), state.dim()), ((3, 5, 2), (3, 2)));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! What a call returns is a type, so there is nothing to unwrap:
//!
//! | call | returns |
//! |---|---|
//! | `call(&x)` | `output` (N, units) |
//! | `call(&x).return_sequences()` | `output` (N, T, units) |
//! | `call(&x).return_state()` | `(output, state)`, both (N, units) |
//! | `call(&x).return_sequences().return_state()` | `(output, state)`, (N, T, units) and (N, units) |
//!
//! Where Keras's backends differ, TensorFlow's is followed: outputs before a sequence's first step that counts are zero.

mod bidirectional;
mod both;
mod call;
mod cell;
mod config;
mod convert;
mod initializer;
mod layer;
mod merge;
mod parameters;
mod philox;
mod returns;
mod rows;
mod seeds;
mod single;
mod stacked;
mod stacked_layer;
mod state;
mod train;

pub use crate::kernels::Activation;
pub use bidirectional::{Bidirectional, BidirectionalCall, BidirectionalTrace};
pub use both::BidirectionalParameters;
pub use call::Call;
pub use cell::SimpleRnnCell;
pub use config::SimpleRnnConfig;
pub use initializer::{Distribution, FanMode, Initializer};
pub use layer::SimpleRnn;
pub use merge::{Merge, MergeMode, Merged, Unmerged};
pub use parameters::SimpleRnnParameters;
pub use returns::{Last, OutputDim, Returns, Sequences, WithState};
pub use seeds::{SeedGenerator, set_random_seed};
pub use stacked::{Stacked, StackedCall, StackedParameters, StackedTrace};
pub use stacked_layer::{Layer, LayerParameters};
pub use state::State;
pub use train::{DropoutMasks, Gradients, Trace};
