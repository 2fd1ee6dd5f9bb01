//! From nested values to named arrays.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::FORMAT;
use super::value::{Id, Stored, Value, Values, wrong};
use crate::error::{Error, Result, expect_addressable};
use crate::io::archive::Archive;
use crate::io::elements::Elements;
use crate::io::files::{expect_at_most, malformed};
use crate::io::{StateDict, Tensor};

/// No checkpoint is nested as deep as this, and a value that contains itself is nested without end.
const MAX_DEPTH: usize = 64;
/// The bytes that a visit is counted with, beside its path.
const VISIT: usize = 32;

/// Every tensor, number and text in `root`, named by its path.
pub(super) fn state_dict(
    values: &Values,
    root: Id,
    archive: Archive<'_>,
    folder: &str,
    big_endian: bool,
) -> Result<StateDict> {
    let storages = BTreeMap::new();
    let alone = matches!(values.get(root), Value::Tensor(_));
    let path = if alone { "tensor" } else { "" }.to_owned();
    let mut walk = Walk { values, archive, folder, big_endian, storages, path, dict: StateDict::new() };
    match values.get(root) {
        root @ (Value::Other(_) | Value::Global(_) | Value::Storage(_)) => {
            return Err(wrong("tensors, or containers of them", root.kind()));
        }
        _ => walk.visit(root, 0)?,
    }
    Ok(walk.dict)
}

struct Walk<'a> {
    values: &'a Values,
    archive: Archive<'a>,
    folder: &'a str,
    big_endian: bool,
    storages: BTreeMap<Rc<str>, Arc<Vec<u8>>>,
    path: String,
    dict: StateDict,
}

impl Walk<'_> {
    fn visit(&mut self, id: Id, depth: usize) -> Result<()> {
        // A value in many places is paid for in each of them.
        self.archive.budget.take("data.pkl", VISIT + self.path.len())?;
        let path = self.path.get(..64).unwrap_or(&self.path);
        expect_at_most(FORMAT, format!("nesting at {path}"), MAX_DEPTH, depth)?;
        match self.values.get(id) {
            Value::Dict(items) => {
                for (i, &(key, value)) in items.iter().enumerate() {
                    let key: Rc<str> = match self.values.get(key) {
                        Value::Text(text) => text.clone(),
                        Value::Int(int) => int.to_string().into(),
                        other => {
                            self.skip(Some(i), format!("what has {} as its key", other.kind()))?;
                            continue;
                        }
                    };
                    self.visit_under(&key, value, depth)?;
                }
                Ok(())
            }
            Value::List(items) | Value::Tuple(items) => {
                let mut numbered = items.iter().enumerate();
                numbered.try_for_each(|(i, &item)| self.visit_under(&i.to_string(), item, depth))
            }
            Value::Tensor(tensor) => {
                let tensor = self.tensor(tensor)?;
                self.dict.insert(self.path.clone(), tensor)
            }
            Value::Bool(value) => self.note(value.to_string()),
            Value::Int(value) => self.note(value.to_string()),
            Value::Float(value) => self.note(format!("{value:?}")),
            Value::Text(value) => {
                self.archive.budget.take("data.pkl", value.len())?;
                self.note(value.to_string())
            }
            // Nothing is lost.
            Value::None => Ok(()),
            other => self.skip(None, other.kind()),
        }
    }

    fn visit_under(&mut self, key: &str, value: Id, depth: usize) -> Result<()> {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        self.visit(value, depth + 1)?;
        self.path.truncate(length);
        Ok(())
    }

    /// Lists what is left out: the value, or the item of a dict of this number.
    fn skip(&mut self, item: Option<usize>, what: impl Into<String>) -> Result<()> {
        let what = what.into();
        let dot = if self.path.is_empty() { "" } else { "." };
        let name = item.map_or_else(|| self.path.clone(), |i| format!("{}{dot}[{i}]", self.path));
        self.archive.budget.take("data.pkl", VISIT + name.len() + what.len())?;
        self.dict.skip(name, what);
        Ok(())
    }

    fn note(&mut self, text: String) -> Result<()> {
        if self.dict.metadata_mut().insert(self.path.clone(), text).is_some() {
            return Err(Error::DuplicateParameter { name: self.path.clone() });
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &Stored) -> Result<Tensor> {
        let (dtype, storage) = (tensor.dtype, &tensor.storage);
        let bytes = self.storage(&storage.key)?;
        let size = storage.dtype.map_or(1, |dtype| dtype.size());
        if storage.count.checked_mul(size) != Some(bytes.len()) {
            let expected = format!("{} elements of {size} bytes", storage.count);
            let field = format!("storage {}", storage.key);
            return Err(malformed(FORMAT, field, expected, format!("{} bytes", bytes.len())));
        }
        let size = expect_addressable(&self.path, &tensor.shape, dtype.size())?;
        self.archive.budget.take(&self.path, size)?;
        let elements = Elements { dtype, bytes, big_endian: self.big_endian };
        elements.gather(FORMAT, &self.path, tensor.offset, tensor.shape.clone(), &tensor.strides)
    }

    /// The bytes of a storage, read once.
    fn storage(&mut self, key: &Rc<str>) -> Result<Arc<Vec<u8>>> {
        if let Some(bytes) = self.storages.get(key) {
            return Ok(bytes.clone());
        }
        let bytes = Arc::new(self.archive.read(&format!("{}data/{key}", self.folder))?);
        self.storages.insert(key.clone(), bytes.clone());
        Ok(bytes)
    }
}
