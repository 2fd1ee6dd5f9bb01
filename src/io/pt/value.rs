//! The values of a pickle: plain ones, and tensors, whose elements lie elsewhere in the file.

use std::rc::Rc;

use super::FORMAT;
use crate::error::{Error, Result};
use crate::io::Dtype;
use crate::io::files::malformed;

/// The place of a value among all values of a pickle; only [`Values::push`] makes one. Values refer to each other by
/// it, so that shared and cyclic values cost nothing.
pub(super) type Id = u32;

#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Rc<Storage>),
    Tensor(Box<Stored>),
    /// A value that goes nowhere, and what it is.
    Other(&'static str),
}

/// A function or type that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    Dict,
    /// `torch.Size`.
    Size,
    /// `torch._utils._rebuild_tensor`, `_v2` and, with an element type of its own, `_v3`.
    Tensor { typed: bool },
    /// `torch._utils._rebuild_parameter` and `_with_state`.
    Parameter,
    /// `torch.FloatStorage` and its like; without a type `torch.storage.UntypedStorage`.
    Storage(Option<Dtype>),
    /// `torch.float32` and its like.
    Dtype(Dtype),
    /// `torch._tensor._rebuild_from_type_v2`.
    FromType,
    /// A type, or a function, whose result is a [`Value::Other`] of these words.
    Other(&'static str),
}

/// An entry of the archive that holds elements.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) key: Rc<str>,
    /// `None` if each tensor says it.
    pub(super) dtype: Option<Dtype>,
    /// The number of elements, or of bytes if there is no type.
    pub(super) count: usize,
}

/// A tensor within a storage.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) storage: Rc<Storage>,
    pub(super) dtype: Dtype,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<Value>);

impl Values {
    pub(super) fn push(&mut self, value: Value) -> Result<Id> {
        let id = Id::try_from(self.0.len()).map_err(|_| wrong("fewer than 2^32 values", "more"))?;
        self.0.push(value);
        Ok(id)
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.0[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.0[id as usize]
    }

    pub(super) fn tuple(&self, id: Id) -> Result<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Ok(items),
            other => Err(wrong("a tuple", other.kind())),
        }
    }

    pub(super) fn text(&self, id: Id) -> Result<Rc<str>> {
        match self.get(id) {
            Value::Text(text) => Ok(text.clone()),
            other => Err(wrong("a text", other.kind())),
        }
    }

    pub(super) fn size(&self, id: Id) -> Result<usize> {
        match self.get(id) {
            &Value::Int(int) => usize::try_from(int).map_err(|_| wrong("a size", int)),
            other => Err(wrong("a size", other.kind())),
        }
    }

    pub(super) fn sizes(&self, id: Id) -> Result<Vec<usize>> {
        self.tuple(id)?.iter().map(|&id| self.size(id)).collect()
    }
}

impl Value {
    /// The kind of the value, in Python's words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a float",
            Self::Text(_) => "a text",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Global(_) => "a type or function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::Other(what) => what,
        }
    }
}

/// The error for a pickle that is not of a state dict.
pub(super) fn wrong(expected: &str, actual: impl ToString) -> Error {
    malformed(FORMAT, "data.pkl", expected, actual)
}
