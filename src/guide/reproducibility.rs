//! The same numbers again: what is promised, what a run needs to be repeated, and what is left open.
//!
//! # Sums
//!
//! A sum is defined once, as
//!
//! ```text
//! (b_ih + W_ih x) + (b_hh + W_hh h)
//! ```
//!
//! Each bracket is a chain of fused multiply-adds: it starts at its bias and takes its terms in ascending order, each
//! step rounded once. One addition joins the two chains. Vector lanes, tiles, threads and chunks of time choose which
//! chains run together, and split none. So the result for a sequence has the same bits on every machine, alone or in a
//! batch, whole or in chunks, whatever the memory layout of its arrays. tanh is made of basic operations only, and is
//! within 1.6 ULP in `f32` and 1 in `f64`. Logarithms and powers in draws, losses and optimisers are those of the `libm`
//! crate, which is Rust too.
//!
//! ```
//! use ndarray::{Array3, Axis, stack};
//! use ndarray_rnn::{Lstm, LstmConfig, manual_seed};
//!
//! let lstm = Lstm::<f32>::new(LstmConfig::new(4, 8), &mut manual_seed(0))?;
//! let input = Array3::from_shape_fn((7, 5, 4), |(t, n, i)| (t * 20 + n * 4 + i) as f32 * 0.01);
//! let (batch, _) = lstm.forward(&input, None)?;
//! let mut session = lstm.session(1)?;
//! for t in 0..7 {
//!     let step = input.index_axis(Axis(0), t);
//!     let alone = session.step(&stack![Axis(0), step.row(3)])?;
//!     assert_eq!(alone.row(0), batch.index_axis(Axis(0), t).row(3)); // bit for bit
//! }
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! # Draws
//!
//! Randomness is always an argument: there is no global generator, and no call draws more than it documents. So what a
//! program draws depends on its calls alone, not on threads or on other parts of the program. [`manual_seed`](crate::manual_seed)
//! is torch's generator, [`keras::set_random_seed`](crate::keras::set_random_seed) Keras's; every other generator of `rand`
//! serves as well. [`random::PerSequence`](crate::random::PerSequence) makes dropout a function of a sequence's number;
//! [`distributed`](super::distributed) builds on it, for any number of machines.
//!
//! # A run that stops and goes on
//!
//! Save four things, and the run that goes on has the bits of one that never stopped: the model, the optimiser with its
//! options ([`Optimizer::state_dict`](crate::optim::Optimizer::state_dict)), the generator, and where in the data it was. With
//! the feature `serde` all of them are serialisable; `io::pt::Checkpoint` writes the first two for torch, and
//! [`to_torch_state`](crate::random::Mt19937::to_torch_state) the generator.
//!
//! ```
//! use ndarray_rnn::optim::{Adam, AdamConfig};
//! use ndarray_rnn::random::Mt19937;
//! use ndarray_rnn::{Linear, LinearConfig, Parameters, manual_seed};
//!
//! let mut rng = manual_seed(0);
//! let mut model = Linear::<f32>::new(LinearConfig::new(4, 2), &mut rng)?;
//! let gradients = Linear::<f32>::new(LinearConfig::new(4, 2), &mut rng)?; // any: it stands for a step of training
//! let mut adam = Adam::new(AdamConfig::new(), &model)?;
//! adam.step(&mut model, &gradients)?;
//! let saved = (model.state_dict(), adam.state_dict(), rng.to_torch_state());
//!
//! let mut resumed = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
//! resumed.load_state_dict(saved.0)?;
//! let mut again = Adam::new(AdamConfig::new(), &resumed)?;
//! again.load_state_dict(&saved.1)?;
//! let mut rng_again = Mt19937::from_torch_state(&saved.2)?;
//! adam.step(&mut model, &gradients)?;
//! again.step(&mut resumed, &gradients)?;
//! assert_eq!(resumed, model);
//! # let (mut a, mut b) = (ndarray::Array1::<f32>::zeros(3), ndarray::Array1::<f32>::zeros(3));
//! # ndarray_rnn::random::uniform(&mut a, 0.0, 1.0, &mut rng)?;
//! # ndarray_rnn::random::uniform(&mut b, 0.0, 1.0, &mut rng_again)?;
//! # assert_eq!(a, b);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! # From version to version
//!
//! A change of a documented bit (a draw, a sum, an activation) is a breaking change, and the changelog names it. Hashes of
//! some 900 results are committed, and compared on x86-64, aarch64, s390x and i686.
//!
//! # What is left open
//!
//! * IEEE 754 leaves open which of several NaNs an operation returns, and its sign; so does this crate. Where a NaN stands
//!   is the same everywhere.
//! * torch, Keras and ONNX Runtime sum in orders of their own, which differ from machine to machine. With them results agree
//!   within the tolerances that [`from_torch`](super::from_torch) and [`from_keras`](super::from_keras) give, not bit for bit.
//!   In training such differences grow: after a few hundred steps of a large rate two curves may part.
//! * What a program computes with ndarray's own sums and products (`sum`, `dot`) fixes no order.
