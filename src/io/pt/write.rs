//! The pickle of a value, and the archive around it, as `torch.save` writes them.

use super::FORMAT;
use super::globals::STORAGES;
use crate::error::{Error, Result};
use crate::io::archive::pack;
use crate::io::elements::contiguous;
use crate::io::files::{malformed, unsupported};
use crate::io::{StateDict, Tensor};

/// `OrderedDict()`.
const EMPTY_DICT: &[u8] = b"ccollections\nOrderedDict\n)R";

/// A value of Python's.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// An `OrderedDict` of tensors.
    State(StateDict),
    Dict(Vec<(Item, Item)>),
    List(Vec<Item>),
    Pair(f64, f64),
    Tensor(Tensor),
    Float(f64),
    Int(usize),
    Flag(bool),
    Text(String),
    /// A value that could not be made.
    Refused(Error),
}

/// An archive of one value, in protocol 2. Each tensor has a storage of its own.
pub(super) fn to_bytes(item: &Item) -> Result<Vec<u8>> {
    let (mut pickle, mut storages) = (b"\x80\x02".to_vec(), Vec::new());
    value(&mut pickle, &mut storages, item)?;
    pickle.push(b'.');
    let head =
        [("data.pkl", &pickle[..]), ("byteorder", b"little")].map(|(name, bytes)| (name.into(), bytes));
    let storages = storages.iter().enumerate().map(|(i, tensor)| (format!("data/{i}"), tensor.bytes()));
    let tail = [("version".to_owned(), &b"3\n"[..])];
    let entries = head.into_iter().chain(storages).chain(tail);
    pack(FORMAT, entries.map(|(name, bytes)| (format!("archive/{name}"), bytes)))
}

fn value<'a>(pickle: &mut Vec<u8>, storages: &mut Vec<&'a Tensor>, item: &'a Item) -> Result<()> {
    match item {
        Item::State(state_dict) => {
            pickle.extend(EMPTY_DICT);
            pickle.push(b'(');
            for (name, tensor) in state_dict.iter() {
                text(pickle, name)?;
                tensor_call(pickle, storages.len(), name, tensor)?;
                storages.push(tensor);
            }
            pickle.push(b'u');
        }
        Item::Dict(items) => {
            pickle.extend(b"}(");
            for (i, (key, item)) in items.iter().enumerate() {
                if let (Item::Text(name), true) = (key, items[..i].iter().any(|(earlier, _)| earlier == key))
                {
                    return Err(Error::DuplicateParameter { name: name.clone() });
                }
                value(pickle, storages, key)?;
                value(pickle, storages, item)?;
            }
            pickle.push(b'u');
        }
        Item::List(items) => {
            pickle.extend(b"](");
            items.iter().try_for_each(|item| value(pickle, storages, item))?;
            pickle.push(b'e');
        }
        Item::Pair(one, two) => {
            float(pickle, *one);
            float(pickle, *two);
            pickle.push(0x86);
        }
        Item::Tensor(tensor) => {
            tensor_call(pickle, storages.len(), "tensor", tensor)?;
            storages.push(tensor);
        }
        Item::Float(number) => float(pickle, *number),
        Item::Int(number) => int(pickle, *number)?,
        Item::Flag(flag) => pickle.push(if *flag { 0x88 } else { 0x89 }),
        Item::Text(words) => text(pickle, words)?,
        Item::Refused(error) => return Err(error.clone()),
    }
    Ok(())
}

fn float(pickle: &mut Vec<u8>, number: f64) {
    pickle.push(b'G');
    pickle.extend(number.to_be_bytes());
}

/// `_rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())`, or `_v3` with an element type that has no
/// storage of its own.
fn tensor_call(pickle: &mut Vec<u8>, key: usize, name: &str, tensor: &Tensor) -> Result<()> {
    let dtype = tensor.dtype();
    let storage = STORAGES.iter().find(|(own, _)| *own == dtype).map(|(_, storage)| storage);
    let version = if storage.is_some() { 2 } else { 3 };
    pickle.extend(format!("ctorch._utils\n_rebuild_tensor_v{version}\n((").bytes());
    text(pickle, "storage")?;
    match storage {
        Some(storage) => pickle.extend(format!("ctorch\n{storage}\n").bytes()),
        None => pickle.extend(b"ctorch.storage\nUntypedStorage\n"),
    }
    text(pickle, &key.to_string())?;
    text(pickle, "cpu")?;
    let size = if storage.is_some() { dtype.size() } else { 1 };
    int(pickle, tensor.bytes().len() / size)?;
    pickle.extend(b"tQK\0");
    ints(pickle, tensor.shape())?;
    ints(pickle, &contiguous(dtype, name, tensor.shape())?)?;
    pickle.push(0x89);
    pickle.extend(EMPTY_DICT);
    if storage.is_none() {
        pickle.extend(format!("ctorch\n{dtype}\n").bytes());
    }
    pickle.extend(b"tR");
    Ok(())
}

fn ints(pickle: &mut Vec<u8>, values: &[usize]) -> Result<()> {
    pickle.push(b'(');
    values.iter().try_for_each(|&value| int(pickle, value))?;
    pickle.push(b't');
    Ok(())
}

fn int(pickle: &mut Vec<u8>, value: usize) -> Result<()> {
    if let Ok(value) = i32::try_from(value) {
        pickle.push(b'J');
        pickle.extend(value.to_le_bytes());
    } else {
        let value = i64::try_from(value).map_err(|_| malformed(FORMAT, "size", "at most 2^63 - 1", value))?;
        pickle.extend(b"\x8a\x08");
        pickle.extend(value.to_le_bytes());
    }
    Ok(())
}

fn text(pickle: &mut Vec<u8>, text: &str) -> Result<()> {
    let length = u32::try_from(text.len())
        .map_err(|_| unsupported(FORMAT, "name", format!("a name of {} bytes", text.len())))?;
    pickle.push(b'X');
    pickle.extend(length.to_le_bytes());
    pickle.extend(text.bytes());
    Ok(())
}
