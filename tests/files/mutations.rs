//! Mutated bytes: whatever is done to a file, its reader returns, within memory in proportion to the file.

use ndarray_rnn::io::{npy, pt};
use ndarray_rnn::{Nonlinearity, Rnn};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{FORMATS, bytes, format};

/// The factor that the crate promises, and what any file may take.
const LIMIT: u64 = 40;
const FLOOR: u64 = 8 << 20;

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let special = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f), Just(0x80)];
    prop_oneof![
        (any::<Index>(), special).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Set(at, byte) => bytes[at.index(length)] = byte,
            Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Self::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + usize::from(count)).min(length));
            }
            Self::Insert(at, new) => drop(bytes.splice(at.index(length)..at.index(length), new)),
            Self::Repeat(at, count) => {
                let at = at.index(length);
                let piece = bytes[at..(at + usize::from(count)).min(length)].to_vec();
                drop(bytes.splice(at..at, piece));
            }
        }
    }
}

/// Runs a reader and bounds the memory it held at any time.
fn expect_modest(length: usize, read: impl FnOnce()) -> Result<(), TestCaseError> {
    let taken = allocation_counter::measure(read);
    prop_assert!(taken.bytes_max <= LIMIT * length as u64 + FLOOR, "{} bytes for {length}", taken.bytes_max);
    Ok(())
}

const FILES: [&str; 10] = [
    "layouts.npz",
    "rnn.safetensors",
    "dtypes.safetensors",
    "rnn.npz",
    "compressed.npz",
    "rnn.pt",
    "checkpoint.pt",
    "views.pt",
    "protocol4.pt",
    "big_endian.pt",
];

const HEADS: [&[u8]; 5] = [b"", b"\x93NUMPY\x01\0", b"PK\x03\x04", b"PK\x05\x06", b"\x40\0\0\0\0\0\0\0{"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Files as a whole, each given to its reader and what comes of it made a network.
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

    /// The pickle alone, in an archive whose checksums are right.
    #[test]
    fn of_pickles(file in prop::sample::select(&FILES[5..]), changes in prop::collection::vec(change(), 1..5)) {
        let original = bytes(file).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = rezipped(&original, ".pkl", changes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        expect_modest(bytes.len(), || drop(pt::from_bytes(&bytes)))?;
    }

    /// The arrays alone, in an archive whose checksums are right.
    #[test]
    fn of_arrays(changes in prop::collection::vec(change(), 1..5)) {
        let original = bytes("rnn.npz").map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = rezipped(&original, ".npy", changes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        expect_modest(bytes.len(), || drop(ndarray_rnn::io::npz::from_bytes(&bytes)))?;
    }

    /// Bytes of no format at all, and no format's but its beginning.
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

/// The archive with entries of one ending changed.
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
