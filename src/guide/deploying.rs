//! A trained network in a program: what to ship, how to serve it, and how small it gets.
//!
//! # Which file
//!
//! | file | feature | take it |
//! |---|---|---|
//! | safetensors | `safetensors`, on by default | for weights of this crate or of torch |
//! | `.pt` | `pt` | as torch wrote it |
//! | `.keras`, `.h5` | `keras-h5` | as Keras wrote it |
//! | ONNX | `onnx` | from other exporters, or to run elsewhere |
//! | NumPy's npz | `npz` | by hand |
//!
//! A file is not trusted, whatever its format: no program in it runs, its size bounds the memory that it takes, and damage is
//! a typed error. A model is small enough to be part of the binary:
//!
#![cfg_attr(feature = "safetensors", doc = "```")]
#![cfg_attr(not(feature = "safetensors"), doc = "```ignore")]
//! use ndarray_rnn::io::{StateDict, safetensors};
//! use ndarray_rnn::{Gru, GruConfig, manual_seed};
//!
//! # let mut dict = StateDict::new();
//! # dict.add("rnn.", &Gru::<f32>::new(GruConfig::new(2, 8), &mut manual_seed(0))?)?;
//! # let bytes = safetensors::to_bytes(&dict)?;
//! // let bytes = include_bytes!("model.safetensors");
//! let gru = Gru::<f32>::from_state_dict(&safetensors::from_bytes(&bytes)?.under("rnn."))?;
//! # assert_eq!(gru.config().hidden_size, 8);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! # One network, many clients
//!
//! A network is `Send` and `Sync`, and a pass does not change what can be seen of it: threads share one by [`Arc`](std::sync::Arc).
//! Each client that sends step by step has a [`Session`](crate::Session), which holds its state and no copy of the weights.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use ndarray::array;
//! use ndarray_rnn::{Gru, GruConfig, Session, manual_seed};
//!
//! struct Server {
//!     gru: Arc<Gru>,
//!     sessions: BTreeMap<u64, Session<Arc<Gru>>>,
//! }
//!
//! impl Server {
//!     fn answer(&mut self, client: u64, x: [f32; 2]) -> ndarray_rnn::Result<f32> {
//!         if !self.sessions.contains_key(&client) {
//!             self.sessions.insert(client, Session::new(Arc::clone(&self.gru), 1)?);
//!         }
//!         let session = self.sessions.get_mut(&client).expect("it was put in");
//!         Ok(session.step(&array![x])?[[0, 0]])
//!     }
//! }
//!
//! let gru = Arc::new(Gru::new(GruConfig::new(2, 8), &mut manual_seed(0))?);
//! let mut server = Server { gru, sessions: BTreeMap::new() };
//! let [first, second, other] = [(1, [0.5, 0.0]), (1, [0.5, 0.0]), (2, [0.5, 0.0])].map(|(c, x)| server.answer(c, x));
//! assert_eq!(first, other);
//! assert_ne!(first, second); // the state has moved on
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! The example `serve` does so over TCP, a thread for each connection. [`Session`](crate::Session) shows how a session is saved
//! and restored, so that a client outlives the server. A wrong input is an error, and the state stays as it was.
//!
//! # Threads
//!
//! A pass of fewer than 10 million floating-point operations runs on the calling thread, and so does every step of a
//! session. A larger one runs on the threads of the current rayon pool. A server that has a thread for each request
//! wants passes of one thread: without the feature `rayon`, or from a pool of one thread. [`speed`](super::speed) has the
//! details.
//!
//! # Small builds
//!
//! `default-features = false` leaves no file format and no threads: forward, backward, training, [`StateDict`](crate::io::StateDict)
//! and its [`load_into`](crate::io::StateDict::load_into) remain. The features are independent of one another. The crate has no
//! `unsafe`, needs no C library, and compiles for WebAssembly. The instruction set is chosen when the program runs:
//! `target-cpu` need not be set.
//!
//! # Before it goes out
//!
//! * Compare a few outputs with those that the trained network had: within 1e-6 in `f32` of torch, Keras or ONNX Runtime. A
//!   forgotten `batch_first`, a layer of another order or a tokeniser of another version shows there at once.
//! * Options that no array shows stand in no state dict: `batch_first`, dropout, `padding_idx`, the nonlinearity of an
//!   [`Rnn`](crate::Rnn). A file of `serde` holds them.
//! * Bits are the same on every machine, so a hash of the outputs is a test that may stay in CI.
