//! Keras's layers.

use ndarray::{Array2, Array3};
use ndarray_rnn::keras::{
    Bidirectional, GruConfig, Initializer, Lstm, LstmConfig, MergeMode, SeedGenerator, SimpleRnn,
    SimpleRnnConfig, Stacked, set_random_seed,
};

use crate::refusals::Refusing;

fn input() -> Array3<f32> {
    Array3::from_shape_fn((60, 6, 30), |(n, t, i)| ((n + 2 * t + 3 * i) % 17) as f32 * 0.1 - 0.8)
}

fn mask() -> Array2<bool> {
    Array2::from_shape_fn((60, 6), |(n, t)| (n + t) % 4 != 0)
}

fn lstm() -> Lstm<f32> {
    // Orthogonal matrices take long to make.
    let config = LstmConfig::new(30, 256).recurrent_initializer(Initializer::glorot_uniform());
    let config = config.dropout(0.3).recurrent_dropout(0.2);
    Lstm::new(config, &mut set_random_seed(0)).unwrap()
}

pub(crate) fn call(refusing: &Refusing) {
    let (input, mask) = (input(), mask());
    refusing.each(&lstm(), |layer| layer.call(&input).mask(&mask).forward());
    refusing.each(&lstm(), |layer| layer.call(&input).last());
}

/// What is refused has drawn no mask.
pub(crate) fn training(refusing: &Refusing) {
    let (input, mask) = (input(), mask());
    refusing.each(&(lstm(), SeedGenerator::new(3)), |(layer, seeds)| {
        Ok(layer.call(&input).mask(&mask).forward_train(seeds)?.0)
    });
}

pub(crate) fn backward(refusing: &Refusing) {
    let (layer, input, mask) = (lstm(), input(), mask());
    let (output, _, trace) =
        layer.call(&input).mask(&mask).forward_train(&mut SeedGenerator::new(3)).unwrap();
    refusing.each(&(), |()| layer.backward(&trace, &output, None));
}

/// What is refused has drawn no seed.
pub(crate) fn new_layer(refusing: &Refusing) {
    let orthogonal = || Initializer::orthogonal(1.0);
    refusing.each(&set_random_seed(0), |rng| Lstm::<f32>::new(LstmConfig::new(30, 24), rng));
    let config = GruConfig::new(30, 24).bias_initializer(orthogonal()).kernel_initializer(orthogonal());
    refusing
        .each(&set_random_seed(0), |rng| Bidirectional::<f32, _>::new(config.clone(), MergeMode::Sum, rng));
}

pub(crate) fn wrapped(refusing: &Refusing) {
    let input = input();
    let config = SimpleRnnConfig::new(30, 64);
    let layer =
        Bidirectional::<f32>::new(config.clone(), MergeMode::Concat, &mut set_random_seed(0)).unwrap();
    refusing.each(&layer, |layer| layer.call(&input).forward());
    let first = SimpleRnn::<f32>::new(config, &mut set_random_seed(0)).unwrap();
    let second = SimpleRnn::<f32>::new(SimpleRnnConfig::new(64, 64), &mut set_random_seed(0)).unwrap();
    let stacked = Stacked::new([first.into(), second.into()]).unwrap();
    refusing.each(&stacked, |stacked| stacked.call(&input).forward());
}
