//! Passes of networks, forward and back, and steps of optimisers.

use ndarray::{Array2, Array3};
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Lstm, LstmConfig, Parameters, Session, Trainable, manual_seed};

use crate::refusals::Refusing;

/// Every array of this network has 4096 bytes or more.
fn network() -> Lstm {
    let config = LstmConfig::new(18, 256).num_layers(2).bidirectional(true).dropout(0.5).proj_size(32);
    Lstm::new(config, &mut manual_seed(0)).unwrap()
}

/// Few numbers in many steps of many sequences.
fn small() -> Lstm {
    Lstm::new(LstmConfig::new(3, 4).num_layers(2).dropout(0.5), &mut manual_seed(0)).unwrap()
}

fn input(len: usize, batch: usize, size: usize) -> Array3<f32> {
    Array3::from_shape_fn((len, batch, size), |(t, n, i)| ((t + 2 * n + 3 * i) % 17) as f32 * 0.1 - 0.8)
}

pub(crate) fn forward(refusing: &Refusing) {
    let input = input(3, 60, 18);
    refusing.each(&network(), |network| network.forward(&input, None));
}

pub(crate) fn last(refusing: &Refusing) {
    let input = input(3, 60, 18);
    refusing.each(&network(), |network| network.run(&input).last());
}

pub(crate) fn states(refusing: &Refusing) {
    let input = input(3, 60, 18);
    refusing.each(&network(), |network| network.run(&input).states());
}

/// One long sequence among many short ones, resets and the states that they set.
struct Ragged {
    input: Array3<f32>,
    lengths: Vec<usize>,
    mask: Array2<bool>,
    state: Array3<f32>,
}

fn ragged() -> Ragged {
    let (len, batch) = (600, 600);
    Ragged {
        input: input(len, batch, 3),
        lengths: (0..batch).map(|n| if n == 7 { len } else { n % 5 }).collect(),
        mask: Array2::from_shape_fn((len, batch), |(t, n)| (t + n) % 50 == 0),
        state: Array3::from_elem((2, batch, 4), 0.25),
    }
}

/// Lists of lengths and of steps, resets with states.
pub(crate) fn long(refusing: &Refusing) {
    let Ragged { input, lengths, mask, state } = ragged();
    refusing.each(&small(), |network| {
        let run = network.run(&input).lengths(&lengths).resets(&mask);
        run.reset_state((&state, &state)).state((&state, &state)).forward()
    });
}

pub(crate) fn step(refusing: &Refusing) {
    let config = LstmConfig::new(18, 256).num_layers(2).proj_size(32);
    let network = Lstm::<f32>::new(config, &mut manual_seed(0)).unwrap();
    let state = (Array3::ones((2, 60, 32)), Array3::ones((2, 60, 256)));
    let input = Array2::from_elem((60, 18), 0.5);
    refusing.each(&(network, state), |(network, state)| Ok(network.step(&input, state)?[[59, 31]]));
}

/// A session, compared by its state.
#[derive(Debug, Clone)]
struct Carried(Session<Lstm>);

impl PartialEq for Carried {
    fn eq(&self, other: &Self) -> bool {
        self.0.state() == other.0.state()
    }
}

pub(crate) fn chunk(refusing: &Refusing) {
    let (network, input) = (small(), input(40, 600, 3));
    let session = Carried(Session::new(network, 600).unwrap());
    refusing.each(&session, |session| session.0.chunk(&input));
}

/// What is refused has drawn nothing.
pub(crate) fn training(refusing: &Refusing) {
    let input = input(3, 60, 18);
    refusing
        .each(&(network(), manual_seed(1)), |(network, rng)| Ok(network.forward_train(&input, None, rng)?.0));
}

pub(crate) fn backward(refusing: &Refusing) {
    let (network, input) = (network(), input(3, 60, 18));
    let (output, state, trace) = network.forward_train(&input, None, &mut manual_seed(0)).unwrap();
    let d_state = (&*state.0, &*state.1);
    refusing.each(&(), |()| network.backward(&trace, &output, Some(d_state)));
}

pub(crate) fn long_training(refusing: &Refusing) {
    let Ragged { input, lengths, mask, .. } = ragged();
    refusing.each(&(small(), manual_seed(1)), |(network, rng)| {
        let run = network.run(&input).lengths(&lengths).resets(&mask);
        Ok(run.forward_train(rng)?.0)
    });
}

pub(crate) fn long_backward(refusing: &Refusing) {
    let (network, Ragged { input, lengths, mask, .. }) = (small(), ragged());
    let run = network.run(&input).lengths(&lengths).resets(&mask);
    let (output, _, trace) = run.forward_train(&mut manual_seed(0)).unwrap();
    refusing.each(&(), |()| network.backward(&trace, &output, None));
}

/// Threads that share sequences, some of which this thread serves.
pub(crate) fn threads(refusing: &Refusing) {
    let network = Lstm::<f32>::new(LstmConfig::new(18, 256), &mut manual_seed(0)).unwrap();
    let input = input(9, 40, 18);
    let lengths: Vec<usize> = (0..40).map(|n| 1 + n % 9).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let forward = |network: &mut Lstm| network.run(&input).lengths(&lengths).forward();
    pool.install(|| refusing.each(&network, forward));
}

pub(crate) fn threads_back(refusing: &Refusing) {
    let network = Lstm::<f32>::new(LstmConfig::new(18, 256), &mut manual_seed(0)).unwrap();
    let input = input(9, 40, 18);
    let (output, _, trace) = network.forward_train(&input, None, &mut manual_seed(0)).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| refusing.each(&(), |()| network.backward(&trace, &output, None)));
}

/// Threads that share the units of one sequence.
pub(crate) fn team(refusing: &Refusing) {
    let network = Lstm::<f32>::new(LstmConfig::new(18, 1024), &mut manual_seed(0)).unwrap();
    let input = input(9, 1, 18);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| refusing.each(&network, |network| network.forward(&input, None)));
}

/// An optimiser is made, and makes a step.
pub(crate) fn optimiser(refusing: &Refusing) {
    let network = Lstm::<f32>::new(LstmConfig::new(4, 256), &mut manual_seed(0)).unwrap();
    let mut gradients = network.zeros_like();
    gradients.named_parameters_mut().into_iter().for_each(|(_, mut gradient)| gradient.fill(0.5));
    refusing.each(&network, |network| {
        let mut adam = Adam::new(AdamConfig::new().amsgrad(true), network)?;
        adam.step(network, &gradients)?;
        Ok(adam)
    });
}
