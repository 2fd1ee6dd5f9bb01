//! Memory for arrays that a user's sizes ask for: too little of it is an error, not the end of the program.

use ndarray::{Array, Dimension, IntoDimension};

use crate::element::Element;
use crate::error::{Error, Result, counted_bytes, expect_addressable};
use crate::invariant::Invariant;

/// From this number of bytes on, too little memory is an error. A smaller array is allocated as any vector is, which ends
/// the program if the system has no 256 MiB left. That is faster: the zeros of a new page need no writing.
const LARGE: usize = 1 << 28;

/// An empty vector with room for the elements of an array.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory holds them.
#[inline(always)]
pub(crate) fn room<A>(name: &str, shape: &[usize]) -> Result<Vec<A>> {
    if is_small::<A>(shape) { Ok(Vec::with_capacity(shape.iter().product())) } else { ask(name, shape) }
}

#[inline(always)]
fn is_small<A>(shape: &[usize]) -> bool {
    // A count is limited too, should elements take no memory.
    counted_bytes(shape, size_of::<A>().max(1)) < LARGE
}

#[cold]
fn ask<A>(name: &str, shape: &[usize]) -> Result<Vec<A>> {
    expect_addressable(name, shape, size_of::<A>().max(1))?;
    let mut elements = Vec::new();
    match elements.try_reserve_exact(shape.iter().product()) {
        Ok(()) => Ok(elements),
        Err(_) => Err(Error::SizeOverflow { name: name.into(), shape: shape.into() }),
    }
}

/// Asks for memory for the elements of an array, and gives it back: arrays each of which finds memory need not find it
/// together, and the system may not say so before it is written.
///
/// # Errors
/// As [`room`].
pub(crate) fn expect_room<A>(name: &str, shape: &[usize]) -> Result<()> {
    if is_small::<A>(shape) { Ok(()) } else { ask::<A>(name, shape).map(drop) }
}

/// A copy of some elements.
///
/// # Errors
/// As [`room`].
#[cfg(any(feature = "npz", feature = "safetensors"))]
pub(crate) fn copied<A: Copy>(name: &str, elements: &[A]) -> Result<Vec<A>> {
    let mut copy = room(name, &[elements.len()])?;
    copy.extend_from_slice(elements);
    Ok(copy)
}

/// As many of one value as an array has elements.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn filled_elements<A: Clone>(name: &str, shape: &[usize], value: A) -> Result<Vec<A>> {
    if is_small::<A>(shape) {
        return Ok(vec![value; shape.iter().product()]);
    }
    let mut elements = ask(name, shape)?;
    elements.resize(shape.iter().product(), value);
    Ok(elements)
}

/// An array of one value, in standard layout.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn filled<A: Clone, I: IntoDimension>(name: &str, shape: I, value: A) -> Result<Array<A, I::Dim>> {
    let dim = shape.into_dimension();
    let elements = filled_elements(name, dim.slice(), value)?;
    Ok(array(dim, elements))
}

/// An array of zeros, in standard layout.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn zeros<A: Element, I: IntoDimension>(name: &str, shape: I) -> Result<Array<A, I::Dim>> {
    filled(name, shape, A::zero())
}

/// An array of all its elements, in row-major order.
pub(crate) fn array<A, I: IntoDimension>(shape: I, elements: Vec<A>) -> Array<A, I::Dim> {
    Array::from_shape_vec(shape.into_dimension(), elements)
        .invariant("there are as many elements as the shape has")
}
