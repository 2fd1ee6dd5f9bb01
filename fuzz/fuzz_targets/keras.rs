//! A file of Keras: `.keras`, `.weights.h5` or legacy `.h5`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::keras::{DenseActivation, FromConfig, Model};
use ndarray_rnn::keras::{Bidirectional, GruConfig, Layer, LayerPair, LstmConfig, SimpleRnnConfig, Stacked};
use ndarray_rnn::{Embedding, Linear};

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::from_bytes(bytes) else { return };
    for i in 0..model.layers().len() {
        load::<SimpleRnnConfig>(&model, i, SimpleRnnConfig::new(4, 3));
        load::<LstmConfig>(&model, i, LstmConfig::new(4, 3));
        load::<GruConfig>(&model, i, GruConfig::new(3, 3));
        of_kind::<SimpleRnnConfig>(&model, i);
        of_kind::<LstmConfig>(&model, i);
        of_kind::<GruConfig>(&model, i);
        let _ = model.layer::<Stacked>(i);
        let _ = model.layer::<Embedding>(i);
        let _ = model.layer::<(Linear, DenseActivation)>(i);
    }
});

fn of_kind<C: FromConfig>(model: &Model, i: usize) {
    let _ = model.layer::<Layer<C, f32>>(i);
    let _ = model.layer::<Bidirectional<f32, C>>(i);
    let _ = model.layer::<LayerPair<f32, C>>(i);
}

/// Loads weights into a layer that the file need not describe.
fn load<C: FromConfig>(model: &Model, i: usize, config: C) {
    let Ok(mut layer) = Layer::<C, f32>::zeros(config) else { return };
    let _ = model.load(i, &mut layer);
    let _ = Stacked::new([layer.into()]).map(|mut cells| model.load(i, &mut cells));
}
