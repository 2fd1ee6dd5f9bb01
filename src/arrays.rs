//! Arrays in the memory layouts that the engine reads.

use ndarray::{Array, ArrayRef, ArrayView3, Axis, CowArray, Dimension, Ix3};

use crate::element::Element;
use crate::error::{Result, expect_room};
use crate::invariant::Invariant;

/// A copy in standard layout. (ndarray's own `to_owned` debug-asserts on some empty views.)
pub(crate) fn standard<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Array<A, D> {
    let mut copy = Array::zeros(array.raw_dim());
    copy.assign(array);
    copy
}

/// The array itself where it is in standard layout, else a copy that is.
pub(crate) fn into_standard<A: Element, D: Dimension>(array: Array<A, D>) -> Array<A, D> {
    if array.is_standard_layout() { array } else { standard(&array) }
}

/// A view of the array itself where it is in standard layout, else a copy that is.
///
/// # Errors
/// [`Error::SizeOverflow`] for an array, called `name`, whose copy no memory can hold.
pub(crate) fn as_standard<'a, A: Element, D: Dimension>(
    name: &str,
    array: &'a ArrayRef<A, D>,
) -> Result<CowArray<'a, A, D>> {
    if array.is_standard_layout() {
        return Ok(array.view().into());
    }
    expect_room::<A>(name, array.shape())?;
    Ok(standard(array).into())
}

/// The array itself where it is dense with contiguous rows (seq-first, batch-first), else a copy that is.
///
/// # Errors
/// [`Error::SizeOverflow`] for an array, called `name`, whose copy no memory can hold.
pub(crate) fn with_plain_rows<'a, A: Element>(
    name: &str,
    array: ArrayView3<'a, A>,
) -> Result<CowArray<'a, A, Ix3>> {
    let forwards = array.strides().iter().all(|&stride| stride >= 0);
    let plain = || forwards && array.stride_of(Axis(2)) == 1 && array.as_slice_memory_order().is_some();
    if array.is_standard_layout() || plain() {
        return Ok(array.into());
    }
    expect_room::<A>(name, array.shape())?;
    Ok(CowArray::from(standard(&array)))
}

/// The elements of an array that is in standard layout.
pub(crate) fn elements<A, D: Dimension>(array: &ArrayRef<A, D>) -> &[A] {
    array.as_slice().invariant("the array is in standard layout")
}

/// As [`elements`], to be changed.
pub(crate) fn elements_mut<A, D: Dimension>(array: &mut ArrayRef<A, D>) -> &mut [A] {
    array.as_slice_mut().invariant("the array is in standard layout")
}

/// Elements as an array in standard layout.
pub(crate) fn array<A, D: Dimension>(dim: D, elements: Vec<A>) -> Array<A, D> {
    Array::from_shape_vec(dim, elements).invariant("there are as many elements as the shape has")
}
