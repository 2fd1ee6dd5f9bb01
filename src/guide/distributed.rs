//! Training on several machines, or in parts on one: the bits of the whole, whoever computes which part.
//!
//! This crate has no transport. The package `examples/mpi` of its repository trains over MPI, and checks that 1, 2, 3, 4
//! and 8 ranks end with the parameters of one process.
//!
//! # What depends on the number of ranks, and what takes its place
//!
//! | elsewhere | here |
//! |---|---|
//! | an all-reduce adds the ranks' gradients in an order of its own | a step has M micro-batches, and [`TreeSum`](crate::distributed::TreeSum) adds their gradients in an order that M fixes |
//! | a rank divides its batch as memory allows | micro-batches are numbered, and run whole |
//! | each rank shuffles its shard | [`DistributedSampler`](crate::distributed::DistributedSampler) deals to M replicas, of which a rank runs some |
//! | dropout draws from the rank's generator | [`PerSequence`](crate::random::PerSequence) draws from a stream of [`Philox`](crate::random::Philox), by seed, step and the sequence's number |
//!
//! M is an option of the training, like the size of a batch; at least the largest number of ranks that will ever run it. All else is torch's
//! `DistributedDataParallel`: every rank begins with the parameters of rank 0, has the mean gradient at the end of
//! a step, and makes the step of the optimiser by itself.
//!
//! ```text
//! g = (1 / M) sum over m < M of the gradient of micro-batch m, in the tree
//! ```
//!
//! # A step
//!
//! Here two ranks are two calls in one program; over a network a rank sends its nodes as
//! [vectors](crate::Parameters::to_vector).
//!
//! ```
//! use std::ops::Range;
//!
//! use ndarray::{Array2, Array3, Axis, s};
//! use ndarray_rnn::distributed::{DistributedSampler, Node, TreeSum};
//! use ndarray_rnn::loss::MseLoss;
//! use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
//! use ndarray_rnn::random::{PerSequence, Philox};
//! use ndarray_rnn::{GradientOf, Linear, LinearConfig, Lstm, LstmConfig, Parameters, Result, manual_seed, parameters};
//!
//! parameters! { #[derive(Clone, PartialEq, Debug)] struct Net { rnn: Lstm, head: Linear } }
//!
//! const MICRO_BATCHES: usize = 4;
//! const SIZE: usize = 3; // sequences of each
//!
//! /// The nodes of the tree that the micro-batches of one rank make.
//! fn rank(net: &Net, data: &Array3<f32>, step: usize, own: Range<usize>) -> Result<Vec<Node<GradientOf<Net>>>> {
//!     let samples = DistributedSampler::new(data.len_of(Axis(0)), MICRO_BATCHES).epoch(0)?;
//!     let mut sum = TreeSum::new(MICRO_BATCHES)?;
//!     for m in own {
//!         let numbers = samples.slice(s![step * SIZE..(step + 1) * SIZE, m]).to_vec();
//!         let stream = |&n: &usize| Philox::new(0).stream(step as u32, n as u64);
//!         let mut rngs = PerSequence(numbers.iter().map(stream).collect());
//!         let x = data.select(Axis(0), &numbers);
//!         let (last, _, trace) = net.rnn.run(&x).last_train(&mut rngs)?;
//!         let loss = MseLoss::new().forward(&net.head.forward(&last)?, &Array2::zeros((SIZE, 1)))?;
//!         let head = net.head.backward(&last, &loss.gradient)?;
//!         let rnn = net.rnn.back(&trace).last(&head.input).parameters()?;
//!         sum.add(m, Net { rnn, head: head.parameters })?;
//!     }
//!     Ok(sum.take_nodes())
//! }
//!
//! fn train(ranks: &[Range<usize>]) -> Result<Net> {
//!     let data = Array3::from_shape_fn((30, 5, 2), |(n, t, i)| (n + 7 * t + 3 * i) as f32 % 1.7);
//!     let mut rng = manual_seed(0);
//!     let rnn = Lstm::new(LstmConfig::new(2, 4).num_layers(2).dropout(0.3).batch_first(true), &mut rng)?;
//!     let mut net = Net { rnn, head: Linear::new(LinearConfig::new(4, 1), &mut rng)? };
//!     let mut adam = Adam::new(AdamConfig::new().lr(0.01), &net)?;
//!     for step in 0..2 {
//!         let mut sum = TreeSum::new(MICRO_BATCHES)?;
//!         for own in ranks {
//!             rank(&net, &data, step, own.clone())?.into_iter().try_for_each(|node| sum.add_node(node))?;
//!         }
//!         let mut gradients = sum.take_sum()?;
//!         gradients.scale(1.0 / MICRO_BATCHES as f32);
//!         clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
//!         adam.step(&mut net, &gradients)?;
//!     }
//!     Ok(net)
//! }
//!
//! assert_eq!(train(&[0..4])?, train(&[2..4, 0..2])?); // bit for bit
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! One machine whose memory holds no whole batch runs the same loop with one rank: the tree keeps `log2(M) + 1` gradients at
//! most.
//!
//! # What to exchange
//!
//! A rank with a contiguous range of micro-batches has [few nodes](crate::distributed::tree_nodes): one if its range is a node
//! itself, at most `2 log2(M)`. The sum of vectors is that of their slices, so W ranks need not send all of them to one: each
//! takes one slice of P / W elements from every node of every rank, adds these in the tree, and gives the sum to all. With one
//! node each a rank so sends 2 P (W - 1) / W elements, as many as in the best all-reduce.
//!
//! # Dropout between modules
//!
//! [`Dropout`](crate::Dropout) takes [`PerSequence`](crate::random::PerSequence) too, over an input whose first axis is that of the
//! sequences, and draws for padding as well. Give each module streams of its own, by a seed of its own, so that how far a
//! batch is padded moves no other mask.
//!
//! [Keras's](crate::keras) layers draw masks for a whole batch, as Keras does, from their seeds. So train networks of this
//! crate's root in parts, or layers without dropout.
//!
//! # To stop and go on
//!
//! A checkpoint holds the parameters, the optimiser's state and the number of the step. No generator belongs to it: the order
//! of the samples follows from seed and epoch, masks from seed, step and number. So a run goes on with the same bits on another
//! number of ranks.
