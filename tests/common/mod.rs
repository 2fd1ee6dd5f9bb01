//! What the test binaries share: element types with bits, random arrays, comparisons.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part")]

pub(crate) mod golden;
pub(crate) mod kinds;
pub(crate) mod mixed;
pub(crate) mod oracle;
pub(crate) mod setup;
pub(crate) mod training;

use std::error::Error;

use ndarray::{Array, ArrayRef, Dimension, ShapeBuilder};
use ndarray_rnn::{Scalar, random};
use rand::Rng;

pub(crate) type TestResult<T = ()> = Result<T, Box<dyn Error>>;

/// An element type as the tests need it, written out for each type, so that the tests rely on no code of the
/// crate.
pub(crate) trait Real: Scalar {
    /// The type's name in the golden fixtures.
    const NAME: &'static str;

    /// The nearest value to an `f64`.
    fn narrow(value: f64) -> Self;

    /// The value as an `f64`, exactly.
    fn wide(self) -> f64;

    /// The value of that many little-endian bytes as the type has.
    fn read(bytes: &[u8]) -> TestResult<Self>;

    /// The little-endian bytes.
    fn write(self) -> Vec<u8>;

    /// The place of the value among all values in order: neighbours differ by one, both zeros are 0.
    fn place(self) -> i64;
}

impl Real for f32 {
    const NAME: &'static str = "f32";

    fn narrow(value: f64) -> Self {
        value as Self
    }

    fn wide(self) -> f64 {
        self.into()
    }

    fn read(bytes: &[u8]) -> TestResult<Self> {
        Ok(Self::from_le_bytes(bytes.try_into()?))
    }

    fn write(self) -> Vec<u8> {
        self.to_le_bytes().into()
    }

    fn place(self) -> i64 {
        let magnitude = i64::from(self.abs().to_bits());
        if self < 0.0 { -magnitude } else { magnitude }
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";

    fn narrow(value: f64) -> Self {
        value
    }

    fn wide(self) -> f64 {
        self
    }

    fn read(bytes: &[u8]) -> TestResult<Self> {
        Ok(Self::from_le_bytes(bytes.try_into()?))
    }

    fn write(self) -> Vec<u8> {
        self.to_le_bytes().into()
    }

    fn place(self) -> i64 {
        let magnitude = self.abs().to_bits() as i64;
        if self < 0.0 { -magnitude } else { magnitude }
    }
}

/// Values that an argument must not have if it has to be finite.
pub(crate) const NOT_FINITE: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// One more than the number of values between two.
pub(crate) fn ulps<A: Real>(a: A, b: A) -> u64 {
    a.place().abs_diff(b.place())
}

/// Whether two values are the same: -0 is not 0, but every NaN is NaN (its payload is no promise).
pub(crate) fn same_bits<A: Real>(a: A, b: A) -> bool {
    a.wide().to_bits() == b.wide().to_bits() || (a.is_nan() && b.is_nan())
}

#[track_caller]
pub(crate) fn assert_same_bits<A: Real, D: Dimension>(
    actual: &ArrayRef<A, D>,
    expected: &ArrayRef<A, D>,
    what: &str,
) {
    assert_eq!(actual.shape(), expected.shape(), "{what}: shape");
    for ((index, &a), &e) in actual.view().into_dyn().indexed_iter().zip(expected) {
        assert!(same_bits(a, e), "{what}: {a:e} at {:?}, expected {e:e}", index.slice());
    }
}

/// The largest absolute difference of two arrays of one shape; NaN if any difference is NaN.
#[track_caller]
pub(crate) fn largest_difference<A: Real, D: Dimension>(
    actual: &ArrayRef<A, D>,
    expected: &ArrayRef<A, D>,
) -> f64 {
    assert_eq!(actual.shape(), expected.shape(), "shape");
    let differences = actual.iter().zip(expected).map(|(&a, &e)| (a.wide() - e.wide()).abs());
    differences.fold(0.0, |largest, next| if next <= largest { largest } else { next })
}

/// An array of values uniform in [-1, 1), drawn as torch draws them.
pub(crate) fn uniform<A: Real, D: Dimension, R: Rng + ?Sized>(
    shape: impl ShapeBuilder<Dim = D>,
    rng: &mut R,
) -> TestResult<Array<A, D>> {
    let mut array = Array::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, rng)?;
    Ok(array)
}

/// Expects an error and its text. Errors are compared by their debug form, since NaN in a field does not equal
/// itself.
#[track_caller]
pub(crate) fn expect_error<T>(result: ndarray_rnn::Result<T>, error: &ndarray_rnn::Error, message: &str) {
    let actual = result.err();
    assert_eq!(format!("{actual:?}"), format!("{:?}", Some(error)));
    assert_eq!(error.to_string(), message);
}

/// The error of an array of another shape.
pub(crate) fn shape_error(array: &str, expected: &[usize], actual: &[usize]) -> ndarray_rnn::Error {
    ndarray_rnn::Error::Shape { array: array.into(), expected: expected.into(), actual: actual.into() }
}

/// Expects that error and its text.
#[track_caller]
pub(crate) fn expect_shape_error<T>(
    result: ndarray_rnn::Result<T>,
    array: &str,
    expected: &[usize],
    actual: &[usize],
) {
    let text = format!("{array}: expected shape {expected:?}, got {actual:?}");
    expect_error(result, &shape_error(array, expected, actual), &text);
}

/// Makes `#[test]`s of generic functions, one for each type: `single::name` and `double::name`.
macro_rules! in_both_types {
    ($($name:ident),+ $(,)?) => {
        mod single {
            $(#[test] fn $name() -> crate::common::TestResult { super::$name::<f32>() })+
        }
        mod double {
            $(#[test] fn $name() -> crate::common::TestResult { super::$name::<f64>() })+
        }
    };
}
pub(crate) use in_both_types;
