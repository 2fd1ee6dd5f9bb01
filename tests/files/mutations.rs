//! Changed bytes: whatever is done to a file, its reader returns, within memory in proportion to the file.

use ndarray_rnn::io::{npy, pt};
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, manual_seed};
use proptest::prelude::*;

use crate::mutated::{Change, change, expect_modest};
use crate::{FORMATS, bytes, format};

const FILES: [&str; 13] = [
    "layouts.npz",
    "beside.npz",
    "rnn.safetensors",
    "dtypes.safetensors",
    "rnn.npz",
    "compressed.npz",
    "rnn.pt",
    "checkpoint.pt",
    "views.pt",
    "protocol4.pt",
    "big_endian.pt",
    "beside.pt",
    "numpy.pt",
];

const HEADS: [&[u8]; 5] = [b"", b"\x93NUMPY\x01\0", b"PK\x03\x04", b"PK\x05\x06", b"\x40\0\0\0\0\0\0\0{"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Whole files: each is given to its reader, and a network is made of the result.
    #[test]
    fn of_files(file in prop::sample::select(&FILES), changes in prop::collection::vec(change(), 1..5)) {
        let mut bytes = bytes(file).map_err(|error| TestCaseError::fail(error.to_string()))?;
        changes.into_iter().for_each(|change| change.apply(&mut bytes));
        let format = format(file).map_err(|error| TestCaseError::fail(error.to_string()))?;
        expect_modest(bytes.len(), || {
            if let Ok(dict) = (format.from_bytes)(&bytes) {
                drop(Rnn::<f32>::from_state_dict(&dict, Nonlinearity::Tanh));
                drop((format.to_bytes)(&dict));
            }
        })?;
    }

    /// The pickle alone is changed, in an archive whose checksums are right.
    #[test]
    fn of_pickles(file in prop::sample::select(&FILES[6..]), changes in prop::collection::vec(change(), 1..5)) {
        let original = bytes(file).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = rezipped(&original, ".pkl", changes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        expect_modest(bytes.len(), || drop(pt::from_bytes(&bytes)))?;
    }

    /// The arrays alone are changed, in an archive whose checksums are right.
    #[test]
    fn of_arrays(changes in prop::collection::vec(change(), 1..5)) {
        let original = bytes("rnn.npz").map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = rezipped(&original, ".npy", changes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        expect_modest(bytes.len(), || drop(ndarray_rnn::io::npz::from_bytes(&bytes)))?;
    }

    /// Bytes of no format, after the beginning of one.
    #[test]
    fn of_nothing(
        head in prop::sample::select(&HEADS),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [head, &tail].concat();
        expect_modest(bytes.len(), || {
            FORMATS.into_iter().for_each(|format| drop((format.from_bytes)(&bytes)));
            drop(npy::from_bytes(&bytes));
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Models and optimisers under serde, as text and as bytes.
    #[test]
    fn of_checkpoints(changes in prop::collection::vec(change(), 1..5), text in any::<bool>(), optimiser in any::<bool>()) {
        let mut bytes = checkpoint(text, optimiser).map_err(|error| TestCaseError::fail(error.to_string()))?;
        changes.into_iter().for_each(|change| change.apply(&mut bytes));
        expect_modest(bytes.len(), || match (text, optimiser) {
            (true, false) => drop(serde_json::from_slice::<Rnn>(&bytes)),
            (true, true) => drop(serde_json::from_slice::<Adam>(&bytes)),
            (false, false) => drop(postcard::from_bytes::<Rnn>(&bytes)),
            (false, true) => drop(postcard::from_bytes::<Adam>(&bytes)),
        })?;
    }
}

fn checkpoint(text: bool, optimiser: bool) -> crate::TestResult<Vec<u8>> {
    let rnn = Rnn::<f32>::new(RnnConfig::new(2, 3).bidirectional(true), &mut manual_seed(0))?;
    let adam = Adam::new(AdamConfig::new(), &rnn)?;
    Ok(match (text, optimiser) {
        (true, false) => serde_json::to_vec(&rnn)?,
        (true, true) => serde_json::to_vec(&adam)?,
        (false, false) => postcard::to_allocvec(&rnn)?,
        (false, true) => postcard::to_allocvec(&adam)?,
    })
}

/// The archive, with the entries of one ending changed.
fn rezipped(archive: &[u8], ending: &str, changes: Vec<Change>) -> crate::TestResult<Vec<u8>> {
    use std::io::{Cursor, Read, Write};

    let mut old = zip::ZipArchive::new(Cursor::new(archive))?;
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..old.len() {
        let mut entry = old.by_index(i)?;
        let name = entry.name()?.into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if name.ends_with(ending) {
            changes.iter().cloned().for_each(|change| change.apply(&mut content));
        }
        let options =
            zip::write::SimpleFileOptions::DEFAULT.compression_method(zip::CompressionMethod::Stored);
        new.start_file(name, options)?;
        new.write_all(&content)?;
    }
    Ok(new.finish()?.into_inner())
}
