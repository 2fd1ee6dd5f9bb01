//! Constant arrays.

use super::FORMAT;
use super::external::Folder;
use super::proto::{EXTERNAL, TensorProto, data_type};
use crate::error::{FileError, Result, expect_addressable};
use crate::io::budget::Budget;
use crate::io::files::malformed;
use crate::io::{Dtype, Tensor};

/// A constant array, which errors call `name`.
///
/// # Errors
/// [`FileError::Dtype`] for text and for complex numbers; [`FileError::Malformed`] for other bytes than the shape asks
/// for; as [`Folder::read`].
pub(super) fn tensor(
    name: &str,
    proto: TensorProto,
    folder: &mut Folder,
    budget: &mut Budget,
) -> Result<Tensor> {
    let dtype = dtype(name, proto.data_type())?;
    let shape: Option<Vec<_>> = proto.dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    let shape =
        shape.ok_or_else(|| malformed(FORMAT, name, "sizes of 0 and more", format!("{:?}", proto.dims)))?;
    if proto.data_location == Some(EXTERNAL) {
        let length = expect_addressable(name, &shape, dtype.size())?;
        let bytes = folder.read(name, &proto, length, budget)?;
        return Tensor::from_bytes(FORMAT, name, dtype, shape, bytes);
    }
    let bytes = match (proto.raw_data, dtype) {
        (Some(bytes), _) if !bytes.is_empty() => bytes,
        (_, Dtype::F32) => proto.float_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        (_, Dtype::F64) => proto.double_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        (_, Dtype::I64) => proto.int64_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        (_, Dtype::U64 | Dtype::U32) => {
            let size = dtype.size();
            proto.uint64_data.iter().flat_map(|x| x.to_le_bytes().into_iter().take(size)).collect()
        }
        // The lower bytes of each number hold the bits of one element.
        _ => {
            let size = dtype.size();
            proto.int32_data.iter().flat_map(|x| x.to_le_bytes().into_iter().take(size)).collect()
        }
    };
    Tensor::from_bytes(FORMAT, name, dtype, shape, bytes)
}

/// The elements of an array of whole numbers; `None` for other arrays.
pub(super) fn integers(tensor: &Tensor) -> Option<Vec<i64>> {
    let bytes = tensor.bytes();
    match tensor.dtype() {
        Dtype::I64 => Some(bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()),
        Dtype::I32 => {
            Some(bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect())
        }
        Dtype::Bool => Some(bytes.iter().map(|&byte| (byte != 0).into()).collect()),
        _ => None,
    }
}

/// The element type of ONNX's number.
pub(super) fn dtype(name: &str, data_type: i32) -> Result<Dtype> {
    Ok(match data_type {
        data_type::FLOAT => Dtype::F32,
        data_type::UINT8 => Dtype::U8,
        data_type::INT8 => Dtype::I8,
        data_type::UINT16 => Dtype::U16,
        data_type::INT16 => Dtype::I16,
        data_type::INT32 => Dtype::I32,
        data_type::INT64 => Dtype::I64,
        data_type::BOOL => Dtype::Bool,
        data_type::FLOAT16 => Dtype::F16,
        data_type::DOUBLE => Dtype::F64,
        data_type::UINT32 => Dtype::U32,
        data_type::UINT64 => Dtype::U64,
        data_type::BFLOAT16 => Dtype::Bf16,
        other => {
            let actual = format!("TensorProto.DataType {other}");
            return Err(
                FileError::Dtype { name: name.into(), expected: "a real number".into(), actual }.into()
            );
        }
    })
}
