//! A file of Keras: `.keras`, `.weights.h5` or legacy `.h5`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::keras::Model;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::from_bytes(bytes) else { return };
    for i in 0..model.layers().len() {
        let _ = model.simple_rnn::<f32>(i);
        let _ = model.bidirectional::<f32>(i);
    }
});
