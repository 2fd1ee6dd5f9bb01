//! Models and optimisers as JSON, and the state of a generator.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::optim::Adam;
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{Embedding, Linear, Rnn, RnnCell};

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Rnn<f32>>(bytes);
    let _ = serde_json::from_slice::<RnnCell<f64>>(bytes);
    let _ = serde_json::from_slice::<Linear<f32>>(bytes);
    let _ = serde_json::from_slice::<Embedding<f64>>(bytes);
    let _ = serde_json::from_slice::<Adam<f32>>(bytes);
    let _ = serde_json::from_slice::<Mt19937>(bytes);
    let _ = Mt19937::from_torch_state(bytes);
});
