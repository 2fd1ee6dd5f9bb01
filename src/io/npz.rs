//! NumPy's [npz](https://numpy.org/doc/stable/reference/generated/numpy.savez.html): named arrays in a zip archive.
//!
//! ```
//! use ndarray_rnn::io::{StateDict, npz};
//! use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, manual_seed};
//!
//! let rnn = Rnn::<f64>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
//! let mut dict = StateDict::new();
//! dict.add("", &rnn)?;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("model.npz");
//! npz::write(&path, &dict)?;
//! assert_eq!(Rnn::from_state_dict(&npz::read(&path)?, Nonlinearity::Tanh)?, rnn);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! In Python: `numpy.savez(path, **{name: value.numpy() for name, value in module.state_dict().items()})` and
//! `numpy.load(path)`. What `savez_compressed` writes is read too. Arrays of text, records and objects are left out, and
//! [listed](StateDict::skipped).

use std::path::Path;

use super::archive::{Archive, pack};
use super::files;
use super::npy::Content;
use super::recognise::expect_format;
use super::{StateDict, npy};
use crate::error::Result;

const FORMAT: &str = "npz";
const SUFFIX: &str = ".npy";
/// What a file may always take, in bytes. Arrays that are mostly zeros are packed up to 1000 times: an identity of 1000
/// rows takes 4 MB, and 21 kB in a file.
const LEAST_LIMIT: usize = 16 << 20;

/// The arrays of a file.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be read; as [`from_bytes`].
pub fn read(path: impl AsRef<Path>) -> Result<StateDict> {
    from_bytes(&files::read(path.as_ref())?)
}

/// The arrays of a file's bytes, for instance of [`include_bytes!`].
///
/// # Errors
/// [`FileError::Malformed`](crate::FileError::Malformed) unless the file is a zip archive of npy files,
/// [`FileError::TooLarge`](crate::FileError::TooLarge) if its arrays take more than 16 times its size, and more than
/// 16 MiB,
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for encryption, or compression other than deflate;
/// as [`npy::from_bytes`] for each array.
pub fn from_bytes(bytes: &[u8]) -> Result<StateDict> {
    expect_format(FORMAT, bytes)?;
    let mut archive = Archive::open(FORMAT, bytes)?;
    archive.budget.at_least(LEAST_LIMIT);
    let mut dict = StateDict::new();
    for entry in archive.names()? {
        // NumPy gives such an entry as bytes.
        let Some(name) = entry.strip_suffix(SUFFIX) else {
            dict.skip(entry, "no npy file");
            continue;
        };
        match npy::content(FORMAT, name, archive.read(&entry)?)? {
            Content::Array(tensor) => dict.insert(name, tensor)?,
            Content::Other(descr) => dict.skip(name, format!("an array of element type {descr}")),
        }
    }
    Ok(dict)
}

/// Writes the arrays into a file: whole or not at all, the same bytes each time. npz has no place for
/// the metadata, which is left out.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be written; as [`to_bytes`].
pub fn write(path: impl AsRef<Path>, state_dict: &StateDict) -> Result<()> {
    files::write(path.as_ref(), &to_bytes(state_dict)?)
}

/// The bytes that [`write()`] writes.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for an element type that NumPy does not have, or a name of
/// more than 65535 bytes.
pub fn to_bytes(state_dict: &StateDict) -> Result<Vec<u8>> {
    let contents = state_dict.iter().map(|(name, tensor)| npy::format(FORMAT, name, tensor));
    let contents = contents.collect::<Result<Vec<_>>>()?;
    let names = state_dict.names().map(|name| format!("{name}{SUFFIX}"));
    pack(FORMAT, names.zip(contents.iter().map(Vec::as_slice)))
}
