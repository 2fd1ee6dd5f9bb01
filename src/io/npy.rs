//! NumPy's [npy](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): one array, without a name.
//!
//! ```
//! use ndarray::{ArrayD, array};
//! use ndarray_rnn::io::{Tensor, npy};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("input.npy");
//! npy::write(&path, &Tensor::from_array(&array![[1.0_f32, 2.0], [3.0, 4.0]])?)?;
//! let array: ArrayD<f32> = npy::read(&path)?.to_array("input")?;
//! assert_eq!(array[[1, 0]], 3.0);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```

use std::path::Path;

use super::dtype::little_endian;
use super::elements::{Elements, MAX_AXES, contiguous};
use super::files::{self, expect_at_most, malformed, unsupported};
use super::recognise::expect_format;
use super::{Dtype, Tensor};
use crate::error::{Result, expect_addressable};
use crate::kernels::copied;
use crate::room::room;

const FORMAT: &str = "npy";
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that NumPy reads, in bytes.
const MAX_HEADER: usize = 10_000;

/// The array of a file.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be read; as [`from_bytes`].
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    parse(files::read(path.as_ref())?)
}

/// The array of a file's bytes.
///
/// # Errors
/// [`FileError::Malformed`](crate::FileError::Malformed) for a header that NumPy does not read, and for more or fewer
/// bytes than the shape needs; [`FileError::TooLarge`](crate::FileError::TooLarge) for a header of more than 10000 bytes
/// and for more than 64 axes; [`FileError::Unsupported`](crate::FileError::Unsupported) for text, records and objects;
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a shape that cannot be addressed.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensor> {
    parse(copied("file", bytes)?)
}

/// Writes an array into a file: whole or not at all, the same bytes each time.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be written; as [`to_bytes`].
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    files::write(path.as_ref(), &to_bytes(tensor)?)
}

/// The bytes that [`write()`] writes.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for an element type that NumPy does not have,
/// [`FileError::TooLarge`](crate::FileError::TooLarge) for more than 64 axes.
pub fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    format(FORMAT, "array", tensor)
}

fn parse(bytes: Vec<u8>) -> Result<Tensor> {
    expect_format(FORMAT, &bytes)?;
    match content(FORMAT, "array", bytes)? {
        Content::Array(tensor) => Ok(tensor),
        Content::Other(descr) => Err(unsupported(FORMAT, "array", format!("element type {descr}"))),
    }
}

/// What an npy file holds.
#[derive(Debug)]
pub(super) enum Content {
    Array(Tensor),
    /// Text, records or objects, of this NumPy type.
    Other(String),
}

/// What an entry `name` of a file of some format holds.
pub(super) fn content(format: &'static str, name: &str, mut bytes: Vec<u8>) -> Result<Content> {
    let (text, size) = header_text(format, name, &bytes)?;
    let Some(Header { descr, fortran_order, shape }) = Header::parse(&text) else {
        let text: String = text.chars().take(80).collect();
        return Err(malformed(format, name, "an npy header", text.trim()));
    };
    let Some((big_endian, dtype)) = dtype(descr) else { return Ok(Content::Other(descr.into())) };
    let mut strides = contiguous(dtype, name, &shape)?;
    if fortran_order {
        let reversed: Vec<_> = shape.iter().rev().copied().collect();
        strides = contiguous(dtype, name, &reversed)?;
        strides.reverse();
    }
    let expected = expect_addressable(name, &shape, dtype.size())?;
    bytes.drain(..size);
    if bytes.len() != expected {
        let expected = format!("{expected} bytes for shape {shape:?}");
        return Err(malformed(format, name, expected, format!("{} bytes", bytes.len())));
    }
    let elements = Elements { dtype, bytes: bytes.into(), big_endian };
    Ok(Content::Array(elements.gather(format, name, 0, shape, &strides)?))
}

/// The dict of a header as text, and the size of everything before the elements.
fn header_text(format: &'static str, name: &str, bytes: &[u8]) -> Result<(String, usize)> {
    let short = || malformed(format, name, "an npy header", format!("{} bytes", bytes.len()));
    let (start, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let &[magic @ .., major, _] = start;
    if magic != *MAGIC || !(1..=3).contains(&major) {
        return Err(malformed(format, name, "npy 1 to 3", format!("{}", start.escape_ascii())));
    }
    let (size, rest) = rest.split_at_checked(if major == 1 { 2 } else { 4 }).ok_or_else(short)?;
    let length = little_endian(size) as usize;
    expect_at_most(format, format!("{name}: header"), MAX_HEADER, length)?;
    let text = rest.get(..length).ok_or_else(short)?;
    Ok((String::from_utf8_lossy(text).into_owned(), start.len() + size.len() + length))
}

/// A header, such as `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
#[derive(Debug)]
struct Header<'a> {
    /// As it stands in the file; NumPy writes a list of pairs for records.
    descr: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// `None` unless the text is a dict of the three entries, in any order.
    fn parse(text: &'a str) -> Option<Self> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim_start();
        while !rest.is_empty() {
            let end = end_of_item(rest)?;
            let (key, value) = rest[..end].split_once(':')?;
            let (key, value) = (key.trim(), value.trim());
            let new = match quoted(key)? {
                "descr" => descr.replace(value).is_none(),
                "fortran_order" => fortran_order.replace(boolean(value)?).is_none(),
                "shape" => shape.replace(sizes(value)?).is_none(),
                _ => false,
            };
            if !new {
                return None;
            }
            let after = &rest[end..];
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        Some(Self { descr: descr?, fortran_order: fortran_order?, shape: shape? })
    }
}

/// Where the first comma outside brackets and quotes is, or the end of the text.
fn end_of_item(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (i, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) => quote = Some(open).filter(|&open| open != character),
            (None, '\'' | '"') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => return Some(i),
            _ => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some(text.len())
}

/// The content of a text in quotes, which holds no other quotes.
fn quoted(text: &str) -> Option<&str> {
    let inner = ['\'', '"'].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote))?;
    (!inner.contains(['\'', '"', '\\'])).then_some(inner)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// The sizes of a tuple. A Python 2 wrote long integers, which end in `L`.
fn sizes(text: &str) -> Option<Vec<usize>> {
    let items = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    if items.is_empty() {
        return Some(Vec::new());
    }
    // A tuple of one item needs a comma after it; others may have one.
    let list = items.strip_suffix(',').unwrap_or(items);
    let is_tuple = items.contains(',');
    let size = |item: &str| {
        let digits = item.trim();
        let digits = digits.strip_suffix('L').unwrap_or(digits);
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    if is_tuple { list.split(',').map(size).collect() } else { None }
}

/// The npy bytes of an entry `name` of a file of some format. They are 64-byte aligned, as NumPy's.
pub(super) fn format(format: &'static str, name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let unsupported = || unsupported(format, name, format!("element type {}", tensor.dtype()));
    let (text, _) = DTYPES.iter().find(|(_, dtype)| *dtype == tensor.dtype()).ok_or_else(unsupported)?;
    expect_at_most(format, format!("{name}: number of axes"), MAX_AXES, tensor.shape().len())?;
    let order = if tensor.dtype().size() == 1 { '|' } else { '<' };
    let shape = match tensor.shape() {
        [axis] => format!("({axis},)"),
        axes => format!("({})", axes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let dict = format!("{{'descr': '{order}{text}', 'fortran_order': False, 'shape': {shape}}}");
    let start = MAGIC.len() + 4;
    let length = (start + dict.len() + 1).next_multiple_of(64) - start;
    let mut bytes = room(name, &[start + length + tensor.bytes().len()])?;
    bytes.extend(MAGIC);
    // 64 axes of 20 digits are fewer than 2^16 bytes.
    bytes.extend([1, 0, length as u8, (length >> 8) as u8]);
    bytes.extend(format!("{dict:<0$}\n", length - 1).bytes());
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
fn dtype(descr: &str) -> Option<(bool, Dtype)> {
    let (order, text) = quoted(descr)?.split_at_checked(1)?;
    let (_, dtype) = DTYPES.iter().find(|(name, _)| *name == text)?;
    match order {
        "<" => Some((false, *dtype)),
        ">" => Some((true, *dtype)),
        "|" if dtype.size() == 1 => Some((false, *dtype)),
        _ => None,
    }
}
