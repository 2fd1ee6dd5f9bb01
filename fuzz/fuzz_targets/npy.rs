//! An npy file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::npy;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensor) = npy::from_bytes(bytes) {
        let again = npy::to_bytes(&tensor).and_then(|bytes| npy::from_bytes(&bytes));
        assert_eq!(again, Ok(tensor));
    }
});
