//! [safetensors](https://github.com/huggingface/safetensors): torch's names, shapes and bytes, and text beside them.
//!
//! ```
//! use ndarray_rnn::io::{StateDict, safetensors};
//! use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, manual_seed};
//!
//! let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
//! let mut dict = StateDict::new();
//! dict.add("encoder.rnn.", &rnn)?;
//! dict.metadata_mut().insert("epoch".into(), "17".into());
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("model.safetensors");
//! safetensors::write(&path, &dict)?;
//!
//! let read = safetensors::read(&path)?;
//! assert_eq!(read.metadata()["epoch"], "17");
//! assert_eq!(Rnn::from_state_dict(&read.under("encoder.rnn."), Nonlinearity::Tanh)?, rnn);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! In Python: `safetensors.torch.save_file(module.state_dict(), path)` and
//! `module.load_state_dict(safetensors.torch.load_file(path))`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ::safetensors::Dtype as Stored;
use ::safetensors::tensor::TensorInfo;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::files::{self, expect_at_most, malformed, unsupported};
use super::recognise::expect_format;
use super::{Dtype, StateDict, Tensor};
use crate::error::Result;
use crate::kernels::copied;
use crate::room::room;

const FORMAT: &str = "safetensors";
const METADATA: &str = "__metadata__";
/// The longest header that the reference implementation reads, in bytes.
const MAX_HEADER: usize = 100_000_000;

/// The arrays and metadata of a file.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be read; as [`from_bytes`].
pub fn read(path: impl AsRef<Path>) -> Result<StateDict> {
    from_bytes(&files::read(path.as_ref())?)
}

/// The arrays and metadata of a file's bytes, for instance of [`include_bytes!`].
///
/// # Errors
/// [`FileError::Malformed`](crate::FileError::Malformed) unless the header is JSON, and its arrays cover the rest of
/// the file without gap or overlap; [`FileError::Unsupported`](crate::FileError::Unsupported) for an element type of
/// less than a byte; [`Error::DuplicateParameter`](crate::Error::DuplicateParameter) for a name that comes twice;
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a shape that cannot be addressed.
pub fn from_bytes(bytes: &[u8]) -> Result<StateDict> {
    expect_format(FORMAT, bytes)?;
    let (header, data) = split(bytes)?;
    let mut header: Header = serde_json::from_slice(header)
        .map_err(|error| malformed(FORMAT, "header", "a JSON object of tensors", error))?;
    header.tensors.sort_by_key(|(_, info)| info.data_offsets);
    let mut dict = StateDict::new();
    dict.metadata_mut().append(&mut header.metadata.unwrap_or_default());
    let mut start = 0;
    for (name, info) in header.tensors {
        let (begin, end) = info.data_offsets;
        let Some(bytes) = data.get(begin..end).filter(|_| begin == start) else {
            let expected = format!("offsets from {start} to at most {}", data.len());
            return Err(malformed(FORMAT, name, expected, format!("{begin} to {end}")));
        };
        start = end;
        let dtype = dtype(&name, info.dtype)?;
        let tensor = Tensor::from_bytes(FORMAT, &name, dtype, info.shape, copied(&name, bytes)?)?;
        dict.insert(name, tensor)?;
    }
    if start != data.len() {
        return Err(malformed(FORMAT, "data", format!("{start} bytes"), format!("{} bytes", data.len())));
    }
    Ok(dict)
}

/// Header and data.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Err(malformed(FORMAT, "file", "at least 8 bytes", format!("{} bytes", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().filter(|&length| length <= MAX_HEADER);
    header.and_then(|length| rest.split_at_checked(length)).ok_or_else(|| {
        let expected = format!("at most {} bytes", rest.len().min(MAX_HEADER));
        malformed(FORMAT, "header", expected, format!("{length} bytes"))
    })
}

/// Writes the arrays and metadata into a file: whole or not at all, the same bytes each time.
///
/// With at most one key of metadata they are the bytes that Python's `save_file` writes.
///
/// # Errors
/// As [`to_bytes`]; [`FileError::System`](crate::FileError::System) for a file that cannot be written.
pub fn write(path: impl AsRef<Path>, state_dict: &StateDict) -> Result<()> {
    files::write(path.as_ref(), &to_bytes(state_dict)?)
}

/// The bytes that [`write()`] writes.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for an element type or a name that safetensors does not
/// have, [`FileError::TooLarge`](crate::FileError::TooLarge) for more than 100 MB of names and metadata.
pub fn to_bytes(state_dict: &StateDict) -> Result<Vec<u8>> {
    let mut tensors = state_dict
        .iter()
        .map(|(name, tensor)| Ok((stored(name, tensor.dtype())?, name, tensor)))
        .collect::<Result<Vec<_>>>()?;
    // The order of the reference implementation.
    tensors.sort_by(|(left, a, _), (right, b, _)| right.cmp(left).then(a.cmp(b)));
    let mut end = 0;
    let infos = tensors.iter().map(|&(dtype, name, tensor)| {
        let begin = end;
        end += tensor.bytes().len();
        (name.to_owned(), TensorInfo { dtype, shape: tensor.shape().into(), data_offsets: (begin, end) })
    });
    let metadata = Some(state_dict.metadata().clone()).filter(|metadata| !metadata.is_empty());
    let header = Header { metadata, tensors: infos.collect() };
    let mut header = serde_json::to_vec(&header)
        .map_err(|error| malformed(FORMAT, "header", "names that JSON can write", error))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    expect_at_most(FORMAT, "header", MAX_HEADER, header.len())?;
    let mut bytes = room("file", &[8 + header.len() + end])?;
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    tensors.iter().for_each(|(_, _, tensor)| bytes.extend(tensor.bytes()));
    Ok(bytes)
}

/// The names and places of the arrays, and the metadata, which may be missing or `null`.
struct Header {
    metadata: Option<BTreeMap<String, String>>,
    tensors: Vec<(String, TensorInfo)>,
}

/// Not derived from the reference implementation's type, which takes the last of several equal names, and writes
/// metadata in no fixed order.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Header, M::Error> {
                let (mut metadata, mut tensors) = (None, Vec::new());
                while let Some(name) = map.next_key::<String>()? {
                    if name != METADATA {
                        tensors.push((name, map.next_value()?));
                    } else if metadata.replace(map.next_value()?).is_some() {
                        return Err(M::Error::duplicate_field(METADATA));
                    }
                }
                Ok(Header { metadata: metadata.flatten(), tensors })
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(metadata) = &self.metadata {
            map.serialize_entry(METADATA, metadata)?;
        }
        self.tensors.iter().try_for_each(|(name, info)| map.serialize_entry(name, info))?;
        map.end()
    }
}

/// Each element type and safetensors' name of it.
const DTYPES: [(Dtype, Stored); 19] = [
    (Dtype::F64, Stored::F64),
    (Dtype::F32, Stored::F32),
    (Dtype::F16, Stored::F16),
    (Dtype::Bf16, Stored::BF16),
    (Dtype::F8E5M2, Stored::F8_E5M2),
    (Dtype::F8E4M3Fn, Stored::F8_E4M3),
    (Dtype::F8E5M2Fnuz, Stored::F8_E5M2FNUZ),
    (Dtype::F8E4M3Fnuz, Stored::F8_E4M3FNUZ),
    (Dtype::F8E8M0Fnu, Stored::F8_E8M0),
    (Dtype::I64, Stored::I64),
    (Dtype::I32, Stored::I32),
    (Dtype::I16, Stored::I16),
    (Dtype::I8, Stored::I8),
    (Dtype::U64, Stored::U64),
    (Dtype::U32, Stored::U32),
    (Dtype::U16, Stored::U16),
    (Dtype::U8, Stored::U8),
    (Dtype::Bool, Stored::BOOL),
    (Dtype::C64, Stored::C64),
];

fn dtype(name: &str, stored: Stored) -> Result<Dtype> {
    let found = DTYPES.iter().find(|(_, other)| *other == stored);
    found.map(|(dtype, _)| *dtype).ok_or_else(|| unsupported(FORMAT, name, format!("element type {stored}")))
}

fn stored(name: &str, dtype: Dtype) -> Result<Stored> {
    if name == METADATA {
        return Err(unsupported(FORMAT, name, "this name"));
    }
    let found = DTYPES.iter().find(|(other, _)| *other == dtype);
    found.map(|(_, stored)| *stored).ok_or_else(|| unsupported(FORMAT, name, format!("element type {dtype}")))
}
