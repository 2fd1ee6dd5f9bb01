//! Changed files: they are read or refused, without a panic, within memory in proportion to the file.

use ndarray_rnn::io::keras::Model;
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig};
use proptest::prelude::*;

use crate::fixture;
use crate::mutated::{change, expect_modest};

const FILES: [&str; 6] =
    ["model.keras", "model.h5", "model.weights.h5", "dtypes.weights.h5", "old.h5", "ours.weights.h5"];

/// Reads a file, and makes all that can be made of it.
fn read(bytes: &[u8]) {
    let Ok(model) = Model::from_bytes(bytes) else { return };
    for i in 0..model.layers().len() {
        drop(model.simple_rnn::<f32>(i));
        drop(model.bidirectional::<f32>(i));
        if let Ok(mut layer) = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 3)) {
            drop(model.load_simple_rnn(i, &mut layer));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn of_files(file in prop::sample::select(&FILES), changes in prop::collection::vec(change(), 1..5)) {
        let mut bytes = std::fs::read(fixture(file)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        changes.into_iter().for_each(|change| change.apply(&mut bytes));
        expect_modest(bytes.len(), || read(&bytes))?;
    }

    #[test]
    fn of_nothing(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [b"\x89HDF\r\n\x1a\n", &*tail].concat();
        expect_modest(bytes.len(), || read(&bytes))?;
    }
}
