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

/// The array itself if it is in standard layout, else a copy in standard layout.
pub(crate) fn into_standard<A: Element, D: Dimension>(array: Array<A, D>) -> Array<A, D> {
    if array.is_standard_layout() { array } else { standard(&array) }
}

/// A view of the array if it is in standard layout, else a copy in standard layout.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory can hold the copy; `name` is what the error calls the array.
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

/// A view of the array if it is dense with contiguous rows (sequence or batch first), else a copy that is.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory can hold the copy; `name` is what the error calls the array.
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

/// As [`elements`], for changing them.
pub(crate) fn elements_mut<A, D: Dimension>(array: &mut ArrayRef<A, D>) -> &mut [A] {
    array.as_slice_mut().invariant("the array is in standard layout")
}

/// An array in standard layout from its elements.
pub(crate) fn array<A, D: Dimension>(dim: D, elements: Vec<A>) -> Array<A, D> {
    Array::from_shape_vec(dim, elements).invariant("there are as many elements as the shape has")
}
