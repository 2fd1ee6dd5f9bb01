//! Memory for arrays that a user's sizes ask for: too little of it is an error, not the end of the program.

use ndarray::{Array, Dimension, IntoDimension};

use crate::element::Element;
use crate::error::{Error, Result, counted_bytes, expect_addressable};
use crate::invariant::Invariant;

/// Bytes from which on an array of one value is written by hand. Zeros from the system need no writing, but where it has
/// none left the program ends.
const LARGE: usize = 1 << 28;

/// An empty vector with room for the elements of an array.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory holds them.
pub(crate) fn room<A>(name: &str, shape: &[usize]) -> Result<Vec<A>> {
    // A count is limited too, should elements take no memory.
    expect_addressable(name, shape, size_of::<A>().max(1))?;
    let mut elements = Vec::new();
    match elements.try_reserve_exact(shape.iter().product()) {
        Ok(()) => Ok(elements),
        Err(_) => Err(Error::SizeOverflow { name: name.into(), shape: shape.into() }),
    }
}

/// An array of one value, in standard layout.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn filled<A: Clone, I: IntoDimension>(name: &str, shape: I, value: A) -> Result<Array<A, I::Dim>> {
    let dim = shape.into_dimension();
    if counted_bytes(dim.slice(), size_of::<A>().max(1)) < LARGE {
        return Ok(Array::from_elem(dim, value));
    }
    filled_by_hand(name, dim, value)
}

/// As [`filled`]. Not inlined: most arrays are small.
#[inline(never)]
fn filled_by_hand<A: Clone, D: Dimension>(name: &str, dim: D, value: A) -> Result<Array<A, D>> {
    let mut elements = room(name, dim.slice())?;
    elements.resize(dim.size(), value);
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
