//! Groups and arrays of an HDF5 file, as many as a budget allows: groups may contain themselves.

use std::collections::HashMap;

use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, File, Group};

use super::{FORMAT, texts};
use crate::error::{Error, FileError, Result};
use crate::io::budget::Budget;
use crate::io::files::{malformed, unsupported};
use crate::io::{Dtype, Tensor};

/// The bytes that a visit to a group or an array is counted with.
const VISIT: usize = 256;

/// A file to be read.
pub(super) struct Hdf5 {
    file: File,
    budget: Budget,
}

impl Hdf5 {
    /// A file of its own, or one in an archive, whose budget is the archive's.
    pub(super) fn open(bytes: Vec<u8>, budget: Budget) -> Result<Self> {
        texts::check(&bytes)?;
        let length = bytes.len() as u64;
        let file =
            File::from_bytes(bytes).map_err(|error| malformed(FORMAT, "file", "an HDF5 file", error))?;
        // `texts::check` reads places of 8 bytes, counted from the file's beginning. Keras's files have no others.
        let superblock = file.superblock();
        if superblock.offset_size != 8 || superblock.base_address.get() != 0 {
            return Err(unsupported(FORMAT, "superblock", "an offset size other than 8, or a user block,"));
        }
        // As HDF5's own library: what is read of a file that is cut would be a model without its last layers.
        if superblock.eof_address > length {
            let expected = format!("{} bytes, as the superblock says", superblock.eof_address);
            return Err(malformed(FORMAT, "file", expected, format!("{length} bytes")));
        }
        Ok(Self { file, budget })
    }

    /// What may still be taken for the file.
    pub(super) fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    pub(super) fn root(&self) -> Group {
        self.file.root()
    }

    /// The names of a group's groups, `simple_rnn_2` before `simple_rnn_10`.
    pub(super) fn groups(&mut self, path: &str, group: &Group) -> Result<Vec<String>> {
        let mut names = group.groups().map_err(|error| malformed(FORMAT, path, "a group", error))?;
        self.budget.take(path, VISIT * (1 + names.len()))?;
        names.sort_by_cached_key(|name| {
            (name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), name.len(), name.clone())
        });
        Ok(names)
    }

    pub(super) fn group(&mut self, path: &str, group: &Group, name: &str) -> Result<Group> {
        self.budget.take(path, VISIT)?;
        group.group(name).map_err(|error| malformed(FORMAT, format!("{path}/{name}"), "a group", error))
    }

    pub(super) fn attributes(&mut self, path: &str, group: &Group) -> Result<HashMap<String, AttrValue>> {
        self.budget.take(path, VISIT)?;
        group.attrs().map_err(|error| malformed(FORMAT, path, "attributes", error))
    }

    /// The names of a group's arrays.
    pub(super) fn datasets(&mut self, path: &str, group: &Group) -> Result<Vec<String>> {
        let names = group.datasets().map_err(|error| malformed(FORMAT, path, "a group", error))?;
        self.budget.take(path, VISIT * (1 + names.len()))?;
        Ok(names)
    }

    /// An array of a group.
    pub(super) fn tensor(&mut self, path: &str, group: &Group, name: &str) -> Result<Tensor> {
        let field = format!("{path}/{name}");
        let refused = |error| malformed(FORMAT, &*field, "an array", error);
        let dataset = group.dataset(name).map_err(refused)?;
        let shape: Option<Vec<usize>> =
            dataset.shape().map_err(refused)?.iter().map(|&size| usize::try_from(size).ok()).collect();
        let size = usize::try_from(dataset.element_size().map_err(refused)?).unwrap_or(usize::MAX);
        let shape =
            shape.ok_or_else(|| malformed(FORMAT, &*field, "sizes that can be addressed", "larger ones"))?;
        let bytes = shape.iter().fold(size, |product, &axis| product.saturating_mul(axis));
        self.budget.take(&field, bytes.saturating_add(VISIT))?;
        let (dtype, order) = dtype(&field, &dataset)?;
        let mut bytes = dataset.read_raw().map_err(refused)?;
        if order == DatatypeByteOrder::BigEndian {
            bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        Tensor::from_bytes(FORMAT, &field, dtype, shape, bytes)
    }
}

/// The element type of an array, and the order of its bytes.
fn dtype(field: &str, dataset: &Dataset) -> Result<(Dtype, DatatypeByteOrder)> {
    let refused = |error| malformed(FORMAT, field, "an array", error);
    let datatype = dataset.datatype().map_err(refused)?;
    let attributes = dataset.attrs().map_err(refused)?;
    // Keras stores bfloat16 as two bytes of no type, and names the type in an attribute.
    if attributes.get("dtype").and_then(AttrValue::as_str) == Some("bfloat16") && datatype.type_size() == 2 {
        return Ok((Dtype::Bf16, DatatypeByteOrder::LittleEndian));
    }
    known(&datatype).ok_or_else(|| {
        let actual = dataset.dtype().map_or_else(|error| error.to_string(), |dtype| dtype.to_string());
        Error::File(FileError::Dtype { name: field.into(), expected: "numbers".into(), actual })
    })
}

/// The element type of HDF5's type, and the order of its bytes.
fn known(datatype: &Datatype) -> Option<(Dtype, DatatypeByteOrder)> {
    let (dtype, order) = match datatype {
        Datatype::FloatingPoint { size, byte_order, layout } => {
            let dtype = match (size, layout.exponent_size) {
                (8, 11) => Dtype::F64,
                (4, 8) => Dtype::F32,
                (2, 5) => Dtype::F16,
                _ => return None,
            };
            (dtype, *byte_order)
        }
        Datatype::FixedPoint { size, byte_order, layout } => {
            let dtype = match (size, layout.signed) {
                (8, true) => Dtype::I64,
                (4, true) => Dtype::I32,
                (2, true) => Dtype::I16,
                (1, true) => Dtype::I8,
                (8, false) => Dtype::U64,
                (4, false) => Dtype::U32,
                (2, false) => Dtype::U16,
                (1, false) => Dtype::U8,
                _ => return None,
            };
            (dtype, *byte_order)
        }
        // h5py's bool: the two names of a byte.
        Datatype::Enumeration { size: 1, .. } => (Dtype::Bool, DatatypeByteOrder::LittleEndian),
        _ => return None,
    };
    (order != DatatypeByteOrder::Vax).then_some((dtype, order))
}
