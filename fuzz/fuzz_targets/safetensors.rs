//! A safetensors file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::safetensors;
use ndarray_rnn::{Nonlinearity, Rnn};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dict) = safetensors::from_bytes(bytes) {
        let again = safetensors::to_bytes(&dict).and_then(|bytes| safetensors::from_bytes(&bytes));
        assert_eq!(again.as_ref().map(|again| again.metadata()), Ok(dict.metadata()));
        let _ = Rnn::<f32>::from_state_dict(&dict, Nonlinearity::Tanh);
    }
});
