//! The arrays of a file, and those of a layer under Keras's names.

use super::FORMAT;
use super::hdf5::Hdf5;
use super::layer::Part;
use crate::error::{Error, FileError, Result, expect_shape};
use crate::io::{StateDict, Tensor};

/// The arrays of a file or of a part of it, by path. An array that is not read, because its elements are no numbers, is
/// the error that whoever asks for it gets.
pub(super) type Arrays = Vec<(String, Result<Tensor>)>;

/// An array, or why its elements are no numbers; damage to the file is an error at once.
pub(super) fn read(
    hdf5: &mut Hdf5,
    path: &str,
    group: &hdf5_pure::Group,
    name: &str,
) -> Result<Result<Tensor>> {
    match hdf5.tensor(path, group, name) {
        Err(error @ Error::File(FileError::Dtype { .. })) => Ok(Err(error)),
        array => array.map(Ok),
    }
}

/// All arrays under their names.
pub(super) fn dict<'a>(arrays: impl IntoIterator<Item = (String, &'a Result<Tensor>)>) -> Result<StateDict> {
    let mut dict = StateDict::new();
    for (name, array) in arrays {
        dict.insert(name, array.clone()?)?;
    }
    Ok(dict)
}

/// The arrays of a layer's parts, in order, under Keras's names; of a layer of a class that is not known every array under
/// its path. `place` says of an array the numbers of its part, of its name and, if the file has an array for each gate, of
/// its gate.
pub(super) fn named(
    arrays: &[(&str, &Result<Tensor>)],
    parts: &[Part],
    place: impl Fn(&str) -> Option<[usize; 3]>,
) -> Result<StateDict> {
    if parts.is_empty() {
        return dict(arrays.iter().map(|(path, array)| ((*path).into(), *array)));
    }
    let found = arrays.iter().filter_map(|(path, array)| Some((place(path)?, *path, *array)));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(place, ..)| *place);
    let mut named = StateDict::new();
    for gates in
        found.chunk_by(|([part, name, a], ..), ([other, of, b], ..)| part == other && name == of && a != b)
    {
        let ([part, name, _], path, _) = gates[0];
        let name = parts[part].names.get(name).map(|name| format!("{}{name}", parts[part].prefix));
        let name = name.unwrap_or_else(|| path.into());
        let blocks = gates.iter().map(|(.., array)| (*array).clone()).collect::<Result<Vec<_>>>()?;
        named.insert(&*name, side_by_side(&name, blocks)?)?;
    }
    Ok(named)
}

/// Arrays joined along the last axis.
fn side_by_side(name: &str, mut blocks: Vec<Tensor>) -> Result<Tensor> {
    if blocks.len() == 1 {
        return Ok(blocks.remove(0));
    }
    let dtype = blocks[0].dtype();
    let Some((_, rows)) = blocks[0].shape().split_last() else {
        return Err(Error::LowRank { array: "the block of a gate", expected: 1, actual: 0 });
    };
    let (rows, mut shape) = (rows.iter().product::<usize>(), blocks[0].shape().to_vec());
    for block in &blocks[1..] {
        expect_shape(name, blocks[0].shape(), block.shape())?;
        if block.dtype() != dtype {
            let (expected, actual) = (dtype.to_string(), block.dtype().to_string());
            return Err(FileError::Dtype { name: name.into(), expected, actual }.into());
        }
    }
    let width = blocks[0].bytes().len() / rows.max(1);
    let row = |i: usize| blocks.iter().flat_map(move |block| &block.bytes()[i * width..][..width]);
    let bytes: Vec<u8> = (0..rows).flat_map(row).copied().collect();
    shape[blocks[0].shape().len() - 1] *= blocks.len();
    Tensor::from_bytes(FORMAT, name, dtype, shape, bytes)
}
