//! Arrays in the memory layouts that the engine reads.

use std::borrow::Cow;

use ndarray::{Array, ArrayRef, ArrayView3, Axis, CowArray, Dimension, Ix3};

use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::room::zeros;

/// A copy in standard layout. (ndarray's own `to_owned` debug-asserts on some empty views.)
pub(crate) fn standard<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Array<A, D> {
    let mut copy = Array::zeros(array.raw_dim());
    copy.assign(array);
    copy
}

/// As [`standard`], of an array that is called `name` and may be larger than what memory holds: one number, broadcast.
///
/// # Errors
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds the copy.
pub(crate) fn try_standard<A: Element, D: Dimension>(
    name: &str,
    array: &ArrayRef<A, D>,
) -> Result<Array<A, D>> {
    let mut copy = zeros(name, array.raw_dim())?;
    copy.assign(array);
    Ok(copy)
}

/// The array itself where it is in standard layout, else a copy that is.
///
/// # Errors
/// As [`try_standard`].
pub(crate) fn into_standard<A: Element, D: Dimension>(name: &str, array: Array<A, D>) -> Result<Array<A, D>> {
    if array.is_standard_layout() { Ok(array) } else { try_standard(name, &array) }
}

/// A view of the array if it is in standard layout, else a copy in standard layout.
///
/// # Errors
/// As [`try_standard`].
pub(crate) fn as_standard<'a, A: Element, D: Dimension>(
    name: &str,
    array: &'a ArrayRef<A, D>,
) -> Result<CowArray<'a, A, D>> {
    if array.is_standard_layout() {
        return Ok(array.view().into());
    }
    Ok(try_standard(name, array)?.into())
}

/// The elements in standard layout: of the array itself where it is so, else of a copy.
///
/// # Errors
/// As [`try_standard`].
#[inline]
pub(crate) fn as_elements<'a, A: Element, D: Dimension>(
    name: &str,
    array: &'a ArrayRef<A, D>,
) -> Result<Cow<'a, [A]>> {
    match array.as_slice() {
        Some(elements) => Ok(Cow::Borrowed(elements)),
        None => Ok(Cow::Owned(try_standard(name, array)?.into_raw_vec_and_offset().0)),
    }
}

/// A view of the array if it is dense with contiguous rows (sequence or batch first), else a copy that is.
///
/// # Errors
/// As [`try_standard`].
pub(crate) fn with_plain_rows<'a, A: Element>(
    name: &str,
    array: ArrayView3<'a, A>,
) -> Result<CowArray<'a, A, Ix3>> {
    let forwards = array.strides().iter().all(|&stride| stride >= 0);
    let plain = || forwards && array.stride_of(Axis(2)) == 1 && array.as_slice_memory_order().is_some();
    if array.is_standard_layout() || plain() {
        return Ok(array.into());
    }
    Ok(try_standard(name, &array)?.into())
}

/// The elements of an array that is in standard layout.
pub(crate) fn elements<A, D: Dimension>(array: &ArrayRef<A, D>) -> &[A] {
    array.as_slice().invariant("the array is in standard layout")
}

/// As [`elements`], for changing them.
pub(crate) fn elements_mut<A, D: Dimension>(array: &mut ArrayRef<A, D>) -> &mut [A] {
    array.as_slice_mut().invariant("the array is in standard layout")
}

/// Checks that every number can be written as text: JSON has no NaN and no infinity, and serde_json writes `null` for them,
/// which no reader takes for a number.
#[cfg(feature = "serde")]
pub(crate) fn expect_text<A: Element, D: Dimension, E: serde::ser::Error>(
    name: &str,
    array: &ArrayRef<A, D>,
) -> std::result::Result<(), E> {
    let Some(value) = array.iter().find(|value| !value.is_finite()) else { return Ok(()) };
    let text = "and a text format such as JSON has only finite numbers: write a binary format or safetensors";
    Err(E::custom(format!("{name} holds {}, {text}", value.into_f64())))
}
