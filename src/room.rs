//! Memory for arrays that a user's sizes ask for: too little of it is an error, not the end of the program.

use std::sync::OnceLock;

use bytemuck::Zeroable;
use ndarray::{Array, Dimension, IntoDimension};

use crate::error::{Error, Result, counted_bytes};
use crate::invariant::Invariant;

/// An empty vector with room for the elements of an array.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory holds them.
#[inline(always)]
pub(crate) fn room<A>(name: &str, shape: &[usize]) -> Result<Vec<A>> {
    let mut elements = Vec::new();
    expect_addressable::<A>(name, shape)?;
    let found = elements.try_reserve_exact(shape.iter().product());
    if found.is_ok() { Ok(elements) } else { Err(lacking(name, shape)) }
}

/// Checks that Rust can allocate the elements of an array.
#[inline(always)]
fn expect_addressable<A>(name: &str, shape: &[usize]) -> Result<()> {
    // A count is limited too, should elements take no memory.
    let bytes = counted_bytes(shape, size_of::<A>().max(1));
    if bytes <= isize::MAX as usize { Ok(()) } else { Err(lacking(name, shape)) }
}

#[cold]
fn lacking(name: &str, shape: &[usize]) -> Error {
    Error::SizeOverflow { name: name.into(), shape: shape.into() }
}

/// Gives a vector that is used again room for `len` elements in all.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn grow<A>(name: &str, elements: &mut Vec<A>, len: usize) -> Result<()> {
    if elements.capacity() >= len { Ok(()) } else { grow_to(name, elements, len) }
}

#[cold]
fn grow_to<A>(name: &str, elements: &mut Vec<A>, len: usize) -> Result<()> {
    let found = elements.try_reserve_exact(len - elements.len());
    if found.is_ok() { Ok(()) } else { Err(lacking(name, &[len])) }
}

/// Gives a vector that is used again `len` elements, whatever these are.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn resize<A: Copy + Default>(name: &str, elements: &mut Vec<A>, len: usize) -> Result<()> {
    grow(name, elements, len)?;
    elements.resize(len, A::default());
    Ok(())
}

/// Asks for memory for the elements of an array, and gives it back: arrays each of which finds memory need not find it
/// together, and the system may not say so before it is written.
///
/// # Errors
/// As [`room`].
pub(crate) fn expect_room<A>(name: &str, shape: &[usize]) -> Result<()> {
    room::<A>(name, shape).map(drop)
}

/// All values of an iterator that knows their number.
///
/// # Errors
/// As [`room`].
pub(crate) fn collected<A>(name: &str, values: impl ExactSizeIterator<Item = A>) -> Result<Vec<A>> {
    let mut list = room(name, &[values.len()])?;
    list.extend(values);
    Ok(list)
}

/// As many of one value as an array has elements.
///
/// # Errors
/// As [`room`].
pub(crate) fn filled_elements<A: Clone>(name: &str, shape: &[usize], value: A) -> Result<Vec<A>> {
    let mut elements = room(name, shape)?;
    elements.resize(shape.iter().product(), value);
    Ok(elements)
}

/// Up to so many bytes glibc's `malloc` finds among those that were freed before. Its `calloc` does not look there, and takes
/// 40 ns longer, with the `free` that follows.
const CACHED: usize = 1024;

/// As many zeros as an array has elements. The system's pages are zeros already, so if there are many nothing is written.
///
/// # Errors
/// As [`room`].
#[inline(always)]
pub(crate) fn zero_elements<A: Zeroable>(name: &str, shape: &[usize]) -> Result<Vec<A>> {
    expect_addressable::<A>(name, shape)?;
    let len = shape.iter().product();
    if len * size_of::<A>() <= CACHED {
        let mut elements = room(name, shape)?;
        elements.resize_with(len, A::zeroed);
        return Ok(elements);
    }
    match bytemuck::try_zeroed_slice_box(len) {
        Ok(zeros) => Ok(zeros.into_vec()),
        Err(()) => Err(lacking(name, shape)),
    }
}

/// An array of one value, in standard layout.
///
/// # Errors
/// As [`room`].
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
pub(crate) fn zeros<A: Zeroable, I: IntoDimension>(name: &str, shape: I) -> Result<Array<A, I::Dim>> {
    let dim = shape.into_dimension();
    let elements = zero_elements(name, dim.slice())?;
    Ok(array(dim, elements))
}

/// An array of all its elements, in row-major order.
pub(crate) fn array<A, I: IntoDimension>(shape: I, elements: Vec<A>) -> Array<A, I::Dim> {
    Array::from_shape_vec(shape.into_dimension(), elements)
        .invariant("there are as many elements as the shape has")
}

/// What a lock holds, made if it holds nothing. Of two threads that make it at one time, the second drops its own.
///
/// # Errors
/// Those of `make`; the lock holds nothing then.
#[inline(always)]
pub(crate) fn get_or_make<T>(lock: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match lock.get() {
        Some(made) => Ok(made),
        None => make_for(lock, make),
    }
}

#[cold]
#[inline(never)]
fn make_for<T>(lock: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    let made = make()?;
    Ok(lock.get_or_init(|| made))
}
