//! Constant arrays.

use super::FORMAT;
use super::proto::{EXTERNAL, TensorProto, data_type};
use crate::error::{FileError, Result};
use crate::io::files::{self, malformed};
use crate::io::{Dtype, Tensor};

/// A constant array, which errors call `name`.
pub(super) fn tensor(name: &str, proto: TensorProto) -> Result<Tensor> {
    if proto.data_location == Some(EXTERNAL) {
        return Err(unsupported(name, "data in another file"));
    }
    let dtype = dtype(name, proto.data_type())?;
    let shape: Option<Vec<_>> = proto.dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    let shape =
        shape.ok_or_else(|| malformed(FORMAT, name, "sizes of 0 and more", format!("{:?}", proto.dims)))?;
    let bytes = match (proto.raw_data, dtype) {
        (Some(bytes), _) if !bytes.is_empty() => bytes,
        (_, Dtype::F32) => proto.float_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        (_, Dtype::F64) => proto.double_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        (_, Dtype::I64) => proto.int64_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        (_, Dtype::I32) => proto.int32_data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        // The lower half of each number holds the bits of one element.
        _ => proto.int32_data.iter().flat_map(|x| (*x as u16).to_le_bytes()).collect(),
    };
    Tensor::from_bytes(FORMAT, name, dtype, shape, bytes)
}

/// The elements of a list of whole numbers.
pub(super) fn integers(name: &str, proto: TensorProto) -> Result<Vec<i64>> {
    let tensor = tensor(name, proto)?;
    let bytes = tensor.bytes();
    match tensor.dtype() {
        Dtype::I64 => Ok(bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()),
        Dtype::I32 => Ok(bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect()),
        other => Err(wrong_dtype(name, "int64", other.to_string())),
    }
}

fn dtype(name: &str, data_type: i32) -> Result<Dtype> {
    match data_type {
        data_type::FLOAT => Ok(Dtype::F32),
        data_type::DOUBLE => Ok(Dtype::F64),
        data_type::FLOAT16 => Ok(Dtype::F16),
        data_type::BFLOAT16 => Ok(Dtype::Bf16),
        data_type::INT64 => Ok(Dtype::I64),
        data_type::INT32 => Ok(Dtype::I32),
        other => Err(wrong_dtype(name, "a float or a whole number", format!("TensorProto.DataType {other}"))),
    }
}

fn wrong_dtype(name: &str, expected: &str, actual: String) -> crate::error::Error {
    FileError::Dtype { name: name.into(), expected: expected.into(), actual }.into()
}

/// The error for a part of a valid file that this crate does not read.
pub(super) fn unsupported(field: &str, feature: impl Into<String>) -> crate::error::Error {
    files::unsupported(FORMAT, field, feature)
}
