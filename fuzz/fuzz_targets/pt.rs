//! A torch file, its zip archive and all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::pt;
use ndarray_rnn::{Nonlinearity, Rnn};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dict) = pt::from_bytes(bytes) {
        let _ = Rnn::<f32>::from_state_dict(&dict, Nonlinearity::Tanh);
    }
});
