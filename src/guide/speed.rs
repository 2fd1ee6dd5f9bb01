//! What takes time and memory, and what to call instead.
//!
//! The README compares this crate with torch, ONNX Runtime and burn. This page says how not to lose what it gains.
//!
//! # Build it optimised
//!
//! Without optimisation numeric loops are some 20 times as slow. In a development build the dependencies alone can be
//! optimised:
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 3
//! ```
//!
//! The instruction set (AVX2, AVX-512, NEON) is chosen when the program runs: `target-cpu` need not be set.
//!
//! # Keep the network
//!
//! A network packs its weights for the kernels at its first pass and keeps the copy until its parameters may change: at
//! [`named_parameters_mut`](crate::Parameters::named_parameters_mut), through which optimisers and files go too. A clone copies weights and packed weights.
//! So make one network and lend it, or share it by [`Arc`](std::sync::Arc).
//!
//! # Say what is read
//!
//! | the loss or the program reads | call | what it saves |
//! |---|---|---|
//! | last outputs | [`last`](crate::Run::last), [`last_train`](crate::Run::last_train) and [`back`](crate::Recurrent::back)`(..).last(..)` | arrays of (L, N, H), both ways |
//! | gradients of parameters alone | [`backward_parameters`](crate::Recurrent::backward_parameters), [`Back::parameters`](crate::Back::parameters) | the product for the input's gradient: a quarter of the work of one layer with `input_size = hidden_size` |
//! | step after step | [`Session::step`](crate::Session::step) | a step allocates nothing from the second on |
//! | step after step, states kept elsewhere | [`Recurrent::step`](crate::Recurrent::step) | the same; shapes and a lock cost 180 instructions more |
//! | sequences of different lengths | [`Run::lengths`](crate::Run::lengths) or a [`PackedSequence`](crate::PackedSequence) | the steps behind each sequence's end |
//!
//! ```
//! use ndarray::Array3;
//! use ndarray_rnn::{Gru, GruConfig, manual_seed};
//!
//! let gru = Gru::<f32>::new(GruConfig::new(4, 8).batch_first(true), &mut manual_seed(0))?;
//! let padded = Array3::ones((3, 100, 4)); // (N, L, features); most of it is padding
//! let (last, _) = gru.run(&padded).lengths(&[100, 7, 12]).last()?; // 119 steps, not 300
//! assert_eq!(last.dim(), (3, 8));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! # Batches
//!
//! Sequences that run together share each weight that is read: 32 together take far less than 32 times the time of one. One
//! sequence of 64 gated units or more waits for its weights, not for arithmetic. Results are the same bits either way. An
//! input that is dense with contiguous rows, sequence or batch first, is read in place; any other is copied first.
//!
//! # Memory of training
//!
//! A [`Trace`](crate::Trace) says what it holds. Its memory goes back to the network when it is dropped, and the next pass takes it: keep
//! no trace longer than its `backward` needs it. A batch too large for the memory is passed in parts, whose gradients
//! [`accumulate`](crate::Parameters::accumulate) adds, or [`TreeSum`](crate::distributed::TreeSum) in a fixed order. A long sequence is cut into pieces that carry their state, as the example
//! `rhyme` does: truncated backpropagation.
//!
//! # Threads
//!
//! A pass of fewer than 10 million floating-point operations runs on the calling thread. A larger one runs on the
//! threads of the current rayon pool, and the calling thread waits for them: from outside a pool it waits until threads
//! of the global pool are free. A batch is split by sequences. A single sequence of 224 units or more (112 of an `Lstm`,
//! 130 of a `Gru`) is split by units, forwards and back (not back through a projection, masks of Keras or a reset gate
//! before the product); its threads meet after every step, and if the others are busy one goes on alone. To choose the
//! number of threads, call from a pool of your own (`pool.install(|| rnn.forward(..))`) or set `RAYON_NUM_THREADS`. No
//! number of threads changes a bit. Networks are `Send` and `Sync`: several threads can run one at the same time.
//!
//! A thread of a pool that waits for its pass takes other work of the pool meanwhile, as always with rayon. Whoever holds a
//! mutex over a pass, and has other work of the same pool lock it, waits for itself: make the pass first, then lock.
//!
//! # Which type
//!
//! `f64` takes twice the memory, and a vector holds half as many numbers. `f32` is what torch and Keras take by default.
