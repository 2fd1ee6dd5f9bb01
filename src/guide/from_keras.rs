//! From Keras to this crate: [`keras`](crate::keras) has Keras's layers, the rest has torch's names.
//!
//! # Two ways in
//!
//! * The layers of [`keras`](crate::keras) have Keras's options, defaults, masks, layout (`kernel`, `recurrent_kernel`, `bias`),
//!   initialisers and seeds. They train here.
//! * Most of Keras's networks are torch's too. [`Lstm::try_from(&layer)`](crate::Lstm) makes torch's network of Keras's layer,
//!   with the same bits: it has sessions, lengths and packed sequences beside. `keras::Lstm::try_from(&lstm)` goes back.
//!
//! | Keras | here |
//! |---|---|
//! | `SimpleRNN`, `LSTM`, `GRU` | [`keras::SimpleRnn`](crate::keras::SimpleRnn), [`keras::Lstm`](crate::keras::Lstm), [`keras::Gru`](crate::keras::Gru) |
//! | `Bidirectional(layer)` | [`keras::Bidirectional`](crate::keras::Bidirectional) |
//! | `Sequential` of recurrent layers | [`keras::Stacked`](crate::keras::Stacked) |
//! | `Embedding`, `Dense` | [`Embedding`](crate::Embedding), [`Linear`](crate::Linear), whose weight is the kernel transposed |
//! | `Dense(activation="softmax")` | [`functional::softmax`](crate::functional::softmax) after it |
//! | `keras.utils.set_random_seed(0)` | [`keras::set_random_seed(0)`](crate::keras::set_random_seed) |
//! | `model.compile`, `model.fit` | a loop, below |
//! | `stateful=True` | [`initial_state`](crate::keras::Call::initial_state) with the state that the call before returned |
//! | `mask` | [`mask`](crate::keras::Call::mask) |
//! | `load_model("model.keras")` | `io::keras::Model::read`, with the feature `keras-h5` |
//!
//! The input's width is an argument, since a layer has its parameters from the start: `SimpleRNN(2)` over 4 features is
//! `SimpleRnnConfig::new(4, 2)`. Batches are (N, T, features), as in Keras.
//!
//! # A training loop
//!
//! ```python
//! model = keras.Sequential([keras.Input((5, 4)), layers.LSTM(8), layers.Dense(1)])
//! model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
//! model.fit(x, y, epochs=20, batch_size=len(x))
//! ```
//!
//! ```
//! use ndarray::{Array2, Array3};
//! use ndarray_rnn::keras::{Lstm, LstmConfig, set_random_seed};
//! use ndarray_rnn::loss::MseLoss;
//! use ndarray_rnn::optim::{Adam, AdamConfig};
//! use ndarray_rnn::{Linear, LinearConfig, manual_seed, parameters};
//!
//! parameters! { struct Net { lstm: Lstm, dense: Linear } }
//!
//! let lstm = Lstm::<f32>::new(LstmConfig::new(4, 8), &mut set_random_seed(0))?;
//! let dense = Linear::<f32>::new(LinearConfig::new(8, 1), &mut manual_seed(0))?; // torch's draw, not Keras's
//! let mut net = Net { lstm, dense };
//! let mut adam = Adam::new(AdamConfig::new().lr(0.01).eps(1e-7), &net)?; // Keras's epsilon
//! let mut seeds = net.lstm.seed_generator(); // for dropout, if the layer has one
//! let (x, y) = (Array3::ones((3, 5, 4)), Array2::zeros((3, 1)));
//! let mut losses = Vec::new();
//! for _epoch in 0..20 {
//!     let (last, _, trace) = net.lstm.call(&x).last_train(&mut seeds)?;
//!     let loss = MseLoss::new().forward(&net.dense.forward(&last)?, &y)?;
//!     let dense = net.dense.backward(&last, &loss.gradient)?;
//!     let lstm = net.lstm.backward(&trace, &dense.input, None)?;
//!     adam.step(&mut net, &Net { lstm: lstm.parameters, dense: dense.parameters })?;
//!     losses.push(loss.value);
//! }
//! assert!(losses[19] < losses[0]);
//!
//! let lstm = ndarray_rnn::Lstm::try_from(&net.lstm)?; // torch's network: step by step, for instance
//! let mut session = lstm.session(1)?;
//! assert_eq!(session.step(&Array2::ones((1, 4)))?.dim(), (1, 8));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! A step of Adam, RMSprop or SGD is torch's, which adds `eps` at another place than Keras does: curves agree until that
//! tells.
//!
//! # Files
//!
//! Keras's files of versions 1 to 3 say which layers there are. A layer is made of one by its name, path or number:
//!
#![cfg_attr(feature = "keras-h5", doc = "```no_run")]
#![cfg_attr(not(feature = "keras-h5"), doc = "```ignore")]
//! use ndarray_rnn::io::keras::{DenseActivation, Model};
//! use ndarray_rnn::keras::Lstm;
//! use ndarray_rnn::{Embedding, Linear};
//!
//! let model = Model::read("model.keras")?;
//! let embedding: Embedding = model.layer("embedding")?;
//! let lstm: Lstm = model.layer("lstm")?;
//! let (dense, activation): (Linear, DenseActivation) = model.layer("dense")?;
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! The example `load_keras` runs a whole classifier of texts so.
//!
//! # Numbers
//!
//! From one seed a layer's parameters and dropout's masks are those of Keras 3.15 on TensorFlow, bit for bit in `f32` but
//! for orthogonal matrices, which agree within 1e-5. Outputs agree within 1e-6 in `f32` and 1e-14 in `f64`.
