//! Checks that give errors.

use super::{Error, Result};

/// Checks that a size is not zero.
pub(crate) fn expect_positive(name: &'static str, size: usize) -> Result<()> {
    if size == 0 { Err(Error::ZeroSize { name }) } else { Ok(()) }
}

/// Checks that a number is what `expected` says, such as "at least 0".
pub(crate) fn expect_number(
    name: &'static str,
    actual: f64,
    expected: &'static str,
    is: impl FnOnce(f64) -> bool,
) -> Result<()> {
    if is(actual) { Ok(()) } else { Err(Error::OutOfRange { name, expected, actual }) }
}

/// Checks that a number is finite.
pub(crate) fn expect_finite(name: &'static str, actual: f64) -> Result<()> {
    expect_number(name, actual, "finite", f64::is_finite)
}

/// Checks that a number is finite and not negative.
pub(crate) fn expect_non_negative(name: &'static str, actual: f64) -> Result<()> {
    expect_number(name, actual, "finite and at least 0", |x| x.is_finite() && x >= 0.0)
}

/// Checks a probability.
pub(crate) fn expect_probability(name: &'static str, actual: f64) -> Result<()> {
    expect_number(name, actual, "a number in [0, 1]", |x| (0.0..=1.0).contains(&x))
}

/// Checks that an index is below a size.
pub(crate) fn expect_index(
    array: &'static str,
    size: &'static str,
    expected: usize,
    actual: usize,
) -> Result<()> {
    if actual < expected {
        return Ok(());
    }
    Err(Error::IndexOutOfBounds { array, size, expected, actual })
}

/// Checks that an array has exactly the shape `expected`.
pub(crate) fn expect_shape(array: &str, expected: &[usize], actual: &[usize]) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Shape { array: array.into(), expected: expected.into(), actual: actual.into() })
}

/// Checks the last axis of an array against a size of the model.
pub(crate) fn expect_width(
    array: &'static str,
    size: &'static str,
    expected: usize,
    actual: usize,
) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::Width { array, size, expected, actual }) }
}

/// Checks that sequences have steps.
pub(crate) fn expect_steps(array: &'static str, len: usize, shape: &[usize]) -> Result<()> {
    if len > 0 { Ok(()) } else { Err(Error::EmptySequence { array, shape: shape.into() }) }
}

/// Checks that an array of elements of `size` bytes can be addressed, and returns its number of bytes.
pub(crate) fn expect_addressable(name: &str, shape: &[usize], size: usize) -> Result<usize> {
    let bytes = counted_bytes(shape, size);
    // Rust allocates at most isize::MAX bytes.
    if bytes > isize::MAX as usize {
        return Err(Error::SizeOverflow { name: name.into(), shape: shape.into() });
    }
    Ok(if shape.contains(&0) { 0 } else { bytes })
}

/// The bytes of an array. An axis of 0 counts as 1: ndarray limits the other axes of an empty array too.
#[inline(always)]
pub(crate) fn counted_bytes(shape: &[usize], size: usize) -> usize {
    shape.iter().fold(size, |bytes, &axis| bytes.saturating_mul(axis.max(1)))
}
