//! The names that a pickle may use, and the value that each makes when it is called. No other name is ever called.

use std::rc::Rc;

use super::FORMAT;
use super::value::{Global, Id, Storage, Stored, Value, Values, wrong};
use crate::error::{FileError, Result};
use crate::io::Dtype;

/// The element types that have a storage of their own, and torch's name of it.
pub(super) const STORAGES: [(Dtype, &str); 12] = [
    (Dtype::F64, "DoubleStorage"),
    (Dtype::F32, "FloatStorage"),
    (Dtype::F16, "HalfStorage"),
    (Dtype::Bf16, "BFloat16Storage"),
    (Dtype::I64, "LongStorage"),
    (Dtype::I32, "IntStorage"),
    (Dtype::I16, "ShortStorage"),
    (Dtype::I8, "CharStorage"),
    (Dtype::U8, "ByteStorage"),
    (Dtype::Bool, "BoolStorage"),
    (Dtype::C64, "ComplexFloatStorage"),
    (Dtype::C128, "ComplexDoubleStorage"),
];

/// The function or type of a name.
///
/// # Errors
/// [`FileError::ForbiddenGlobal`] for every name that is not listed here.
pub(super) fn global(module: &str, name: &str) -> Result<Global> {
    let found = match (module, name) {
        ("collections", "OrderedDict") => Some(Global::Dict),
        ("torch", "Size") => Some(Global::Size),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Global::Tensor { typed: false }),
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::Tensor { typed: true }),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Some(Global::Parameter),
        ("torch.storage" | "torch", "UntypedStorage") => Some(Global::Storage(None)),
        ("torch._tensor", "_rebuild_from_type_v2") => Some(Global::FromType),
        ("torch" | "torch.storage", _) => element_type(name).or_else(|| other(module, name)),
        _ => other(module, name),
    };
    let forbidden = || FileError::ForbiddenGlobal { format: FORMAT, global: format!("{module}.{name}") };
    Ok(found.ok_or_else(forbidden)?)
}

/// A type or function whose result is left out.
fn other(module: &str, name: &str) -> Option<Global> {
    let what = match (module, name) {
        ("torch", "device") => "a device",
        ("torch", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => "a type",
        ("torch", name) if QUANTISED.contains(&name) => "a scheme of quantisation",
        ("torch._utils", "_rebuild_sparse_tensor") => "a sparse tensor",
        ("torch._utils", "_rebuild_qtensor") => "a quantised tensor",
        ("torch._utils", "_rebuild_meta_tensor_no_storage") => "a meta tensor, which has no elements",
        ("torch.serialization", "_get_layout") => "a layout",
        ("_codecs", "encode") => "bytes",
        ("collections", "Counter") => "a counter",
        ("builtins" | "__builtin__", "set" | "frozenset") => "a set",
        ("builtins" | "__builtin__", "bytearray") => "bytes",
        ("builtins" | "__builtin__", "complex") => "a complex number",
        ("numpy", "dtype" | "ndarray") => "a type of NumPy",
        (_, "scalar") if NUMPY.contains(&module) => "a scalar of NumPy, to be saved as `float(value)`",
        (_, "_reconstruct" | "_frombuffer") if NUMPY.contains(&module) => {
            "an array of NumPy, to be saved as a tensor"
        }
        _ => return None,
    };
    Some(Global::Other(what))
}

/// Where NumPy 1 and 2 keep the functions that make scalars and arrays.
const NUMPY: [&str; 4] =
    ["numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"];
const QUANTISED: [&str; 5] = [
    "per_tensor_affine",
    "per_tensor_symmetric",
    "per_channel_affine",
    "per_channel_symmetric",
    "per_channel_affine_float_qparams",
];

fn element_type(name: &str) -> Option<Global> {
    if matches!(
        name,
        "QInt8Storage" | "QUInt8Storage" | "QInt32Storage" | "QUInt4x2Storage" | "QUInt2x4Storage"
    ) {
        return Some(Global::Storage(None));
    }
    let storage = STORAGES.iter().find(|(_, storage)| *storage == name);
    let storage = storage.map(|(dtype, _)| Global::Storage(Some(*dtype)));
    storage.or_else(|| Dtype::of_name(name).map(Global::Dtype))
}

/// The value that a call makes.
pub(super) fn call(values: &Values, function: Id, arguments: Id) -> Result<Value> {
    let &Value::Global(function) = values.get(function) else {
        return Err(wrong("a function", values.get(function).kind()));
    };
    let arguments = values.tuple(arguments)?;
    match (function, arguments) {
        // A tensor with attributes, of which only the tensor is kept.
        (Global::FromType, &[function, _, arguments, _]) => match values.get(function) {
            &Value::Global(function) if function != Global::FromType => {
                made(values, function, values.tuple(arguments)?)
            }
            other => Err(wrong("a function of tensors", other.kind())),
        },
        _ => made(values, function, arguments),
    }
}

/// The value that a call of a function makes.
fn made(values: &Values, function: Global, arguments: &[Id]) -> Result<Value> {
    match function {
        Global::Dict => dict(values, arguments),
        Global::Size => match arguments {
            &[sizes] => Ok(Value::Tuple(values.tuple(sizes)?.into())),
            _ => Err(arity("torch.Size", arguments)),
        },
        Global::Tensor { typed } => tensor(values, typed, arguments),
        Global::Parameter => match arguments {
            &[data, ..] if matches!(values.get(data), Value::Tensor(_) | Value::Other(_)) => {
                Ok(values.get(data).clone())
            }
            _ => Err(arity("_rebuild_parameter", arguments)),
        },
        Global::Other(what) => Ok(Value::Other(what)),
        Global::FromType => Err(arity("_rebuild_from_type_v2", arguments)),
        Global::Storage(_) | Global::Dtype(_) => Err(wrong("a function", "a type")),
    }
}

/// `OrderedDict()`, or `OrderedDict([(key, value), ...])`.
fn dict(values: &Values, arguments: &[Id]) -> Result<Value> {
    let pair = |&item: &Id| match values.get(item) {
        Value::Tuple(pair) | Value::List(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
        other => Err(wrong("a pair", other.kind())),
    };
    match arguments.first().map(|&items| values.get(items)) {
        None => Ok(Value::Dict(Vec::new())),
        Some(Value::List(items)) => Ok(Value::Dict(items.iter().map(pair).collect::<Result<_>>()?)),
        Some(other) => Err(wrong("a list of pairs", other.kind())),
    }
}

/// The tensor of `(storage, offset, size, stride, requires_grad, backward_hooks, metadata)`, of which the last three
/// may be missing. If `typed`, the element type stands before the metadata.
fn tensor(values: &Values, typed: bool, arguments: &[Id]) -> Result<Value> {
    let (&[storage, offset, shape, strides], rest) =
        arguments.split_first_chunk().ok_or_else(|| arity("_rebuild_tensor", arguments))?;
    let Value::Storage(storage) = values.get(storage) else {
        return Err(wrong("a storage", values.get(storage).kind()));
    };
    let dtype = match rest.get(2).map(|&dtype| values.get(dtype)) {
        Some(&Value::Global(Global::Dtype(dtype))) if typed => dtype,
        _ => storage.dtype.ok_or_else(|| wrong("an element type", "none"))?,
    };
    let metadata = rest.get(2 + usize::from(typed)).map(|&metadata| values.get(metadata));
    if !matches!(metadata, None | Some(Value::None))
        && !matches!(metadata, Some(Value::Dict(d)) if d.is_empty())
    {
        return Ok(Value::Other("a conjugate or negative tensor"));
    }
    let (offset, shape, strides) = (values.size(offset)?, values.sizes(shape)?, values.sizes(strides)?);
    Ok(Value::Tensor(Box::new(Stored { storage: storage.clone(), dtype, offset, shape, strides })))
}

/// The storage of a persistent id, `("storage", type, key, location, count)`.
pub(super) fn storage(values: &Values, id: Id) -> Result<Value> {
    let &[_, kind, key, _, count] = values.tuple(id)? else {
        return Err(arity("a persistent id", values.tuple(id)?));
    };
    let &Value::Global(Global::Storage(dtype)) = values.get(kind) else {
        return Err(wrong("a storage type", values.get(kind).kind()));
    };
    Ok(Value::Storage(Rc::new(Storage { key: values.text(key)?, dtype, count: values.size(count)? })))
}

fn arity(function: &str, arguments: &[Id]) -> crate::Error {
    wrong(&format!("the arguments of {function}"), format!("{} others", arguments.len()))
}
