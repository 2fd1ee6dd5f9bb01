//! Memory for arrays that a user's sizes ask for: too little of it is an error, not the end of the program.

use ndarray::{Array, Dimension};

use crate::error::{Error, Result, expect_addressable};
use crate::invariant::Invariant;
use crate::scalar::Scalar;

/// Bytes from which on zeros are written by hand. Zeros from the system need no writing, but if it has none left it
/// ends the program.
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
pub(crate) fn filled<A: Clone, D: Dimension>(name: &str, dim: D, value: A) -> Result<Array<A, D>> {
    let mut elements = room(name, dim.slice())?;
    elements.resize(dim.size(), value);
    Ok(array(dim, elements))
}

/// An array of zeros, in standard layout.
///
/// # Errors
/// As [`room`].
pub(crate) fn zeros<A: Scalar, D: Dimension>(name: &str, dim: D) -> Result<Array<A, D>> {
    if expect_addressable(name, dim.slice(), size_of::<A>())? < LARGE {
        return Ok(Array::zeros(dim));
    }
    filled(name, dim, A::zero())
}

/// An array of all its elements, in row-major order.
pub(crate) fn array<A, D: Dimension>(dim: D, elements: Vec<A>) -> Array<A, D> {
    Array::from_shape_vec(dim, elements).invariant("there are as many elements as the shape has")
}
