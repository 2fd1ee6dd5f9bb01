//! A file of Keras: `.keras`, `.weights.h5` or legacy `.h5`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::keras::{DenseActivation, Model};
use ndarray_rnn::keras::{Bidirectional, LayerPair, SimpleRnn, Stacked};
use ndarray_rnn::{Embedding, Linear};

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::from_bytes(bytes) else { return };
    for i in 0..model.layers().len() {
        let _ = model.layer::<SimpleRnn>(i);
        let _ = model.layer::<Bidirectional>(i);
        let _ = model.layer::<LayerPair>(i);
        let _ = model.layer::<Stacked>(i);
        let _ = model.layer::<Embedding>(i);
        let _ = model.layer::<(Linear, DenseActivation)>(i);
    }
});
