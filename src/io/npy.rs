//! NumPy's [npy](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): one array, without a name.
//!
//! ```
//! use ndarray::{ArrayD, array};
//! use ndarray_rnn::io::{Tensor, npy};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("input.npy");
//! npy::write(&path, &Tensor::from_array(&array![[1.0_f32, 2.0], [3.0, 4.0]]))?;
//! let array: ArrayD<f32> = npy::read(&path)?.to_array("input")?;
//! assert_eq!(array[[1, 0]], 3.0);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```

use std::path::Path;

use ndarray_npy::npy::header::{Header, Layout};

use super::elements::{Elements, contiguous};
use super::files::{self, malformed, unsupported};
use super::{Dtype, Tensor};
use crate::error::{FileError, Result, expect_addressable};

/// The longest header that NumPy reads, in bytes.
const MAX_HEADER: usize = 10_000;
/// The deepest nesting of brackets in a header; a dict that holds a tuple needs 2.
const MAX_NESTING: usize = 4;

/// The array of a file.
///
/// # Errors
/// [`FileError::System`] for a file that cannot be read; as [`from_bytes`].
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    parse("npy", "array", files::read(path.as_ref())?)
}

/// The array of a file's bytes.
///
/// # Errors
/// [`FileError::Malformed`] for a header that NumPy does not read, and for more or fewer bytes than the shape needs;
/// [`FileError::TooLarge`] for a header of more than 10000 bytes; [`FileError::Unsupported`] for text, records and
/// objects; [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a shape that cannot be addressed.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensor> {
    parse("npy", "array", bytes.into())
}

/// Writes an array into a file: whole or not at all, the same bytes each time.
///
/// # Errors
/// [`FileError::System`] for a file that cannot be written; as [`to_bytes`].
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    files::write(path.as_ref(), &to_bytes(tensor)?)
}

/// The bytes that [`write()`] writes.
///
/// # Errors
/// [`FileError::Unsupported`] for an element type that NumPy does not have.
pub fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    format("npy", "array", tensor)
}

/// The array of an entry `name` of a file of some format.
pub(super) fn parse(format: &'static str, name: &str, mut bytes: Vec<u8>) -> Result<Tensor> {
    expect_small_header(format, name, &bytes)?;
    let mut data = &bytes[..];
    let header =
        Header::from_reader(&mut data).map_err(|error| malformed(format, name, "an npy header", error))?;
    let descriptor = header.type_descriptor.as_string();
    let (big_endian, dtype) = descriptor
        .and_then(|text| dtype(text))
        .ok_or_else(|| unsupported(format, name, format!("element type {}", header.type_descriptor)))?;
    let mut strides = contiguous(dtype, name, &header.shape)?;
    if header.layout.is_fortran() {
        let reversed: Vec<_> = header.shape.iter().rev().copied().collect();
        strides = contiguous(dtype, name, &reversed)?;
        strides.reverse();
    }
    let size = expect_addressable(name, &header.shape, dtype.size())?;
    if data.len() != size {
        let expected = format!("{size} bytes for shape {:?}", header.shape);
        return Err(malformed(format, name, expected, format!("{} bytes", data.len())));
    }
    bytes.drain(..bytes.len() - size);
    Elements { dtype, bytes: bytes.into(), big_endian }.gather(format, name, 0, header.shape, &strides)
}

/// Checks that a header is short and hardly nested before it is parsed: the parser calls itself for every bracket.
fn expect_small_header(format: &'static str, name: &str, bytes: &[u8]) -> Result<()> {
    let short = || malformed(format, name, "an npy header", format!("{} bytes", bytes.len()));
    let (&[.., major, _], rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let size = if major == 1 { 2 } else { 4 };
    let (size, rest) = rest.split_at_checked(size).ok_or_else(short)?;
    let length = size.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    let too_large = |field: &str, limit, actual| {
        FileError::TooLarge { format, field: format!("{name}: {field}"), limit, actual }.into()
    };
    if length > MAX_HEADER {
        return Err(too_large("header", MAX_HEADER, length));
    }
    let mut nesting = 0_usize;
    for byte in rest.get(..length).ok_or_else(short)? {
        match byte {
            b'(' | b'[' | b'{' => nesting += 1,
            b')' | b']' | b'}' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if nesting > MAX_NESTING {
            return Err(too_large("nesting", MAX_NESTING, nesting));
        }
    }
    Ok(())
}

/// The npy bytes of an entry `name` of a file of some format.
pub(super) fn format(format: &'static str, name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let unsupported = |feature: String| unsupported(format, name, feature);
    let (text, _) = DTYPES
        .iter()
        .find(|(_, dtype)| *dtype == tensor.dtype())
        .ok_or_else(|| unsupported(format!("element type {}", tensor.dtype())))?;
    let order = if tensor.dtype().size() == 1 { '|' } else { '<' };
    let type_descriptor =
        format!("'{order}{text}'").parse().map_err(|_| unsupported("this element type".into()))?;
    let header = Header { type_descriptor, layout: Layout::Standard, shape: tensor.shape().into() };
    let mut bytes = header.to_bytes().map_err(|error| unsupported(error.to_string()))?;
    bytes.extend(tensor.bytes());
    Ok(bytes)
}

/// Each element type and NumPy's name of it, which stands after the byte order.
const DTYPES: [(&str, Dtype); 14] = [
    ("f8", Dtype::F64),
    ("f4", Dtype::F32),
    ("f2", Dtype::F16),
    ("i8", Dtype::I64),
    ("i4", Dtype::I32),
    ("i2", Dtype::I16),
    ("i1", Dtype::I8),
    ("u8", Dtype::U64),
    ("u4", Dtype::U32),
    ("u2", Dtype::U16),
    ("u1", Dtype::U8),
    ("b1", Dtype::Bool),
    ("c8", Dtype::C64),
    ("c16", Dtype::C128),
];

/// Whether the elements are big-endian, and their type.
fn dtype(descriptor: &str) -> Option<(bool, Dtype)> {
    let (order, text) = descriptor.split_at_checked(1)?;
    let (_, dtype) = DTYPES.iter().find(|(name, _)| *name == text)?;
    match order {
        "<" => Some((false, *dtype)),
        ">" => Some((true, *dtype)),
        "|" if dtype.size() == 1 => Some((false, *dtype)),
        _ => None,
    }
}
