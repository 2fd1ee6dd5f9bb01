//! An array as a file holds it, of any element type.

use std::any::type_name;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayRef, Dimension, IxDyn};

use super::Dtype;
use super::dtype::little_endian;
use crate::error::{Error, FileError, Result};
use crate::invariant::Invariant;
use crate::room::{self, room, zeros};
use crate::scalar::Scalar;

/// An array of any element type, as files hold it: a shape, and elements in row-major order.
///
/// A clone shares the elements.
///
/// ```
/// use ndarray::{ArrayD, array};
/// use ndarray_rnn::io::{Dtype, Tensor};
///
/// let tensor = Tensor::from_array(&array![[1.0_f32, 2.0]])?;
/// assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, &[1, 2][..]));
///
/// let array: ArrayD<f32> = tensor.to_array("weight")?;
/// assert_eq!(array, array![[1.0, 2.0]].into_dyn());
/// assert!(tensor.to_array::<f64>("weight").is_err()); // not converted unless asked
/// assert_eq!(tensor.to::<f64>()?.to_array::<f64>("weight")?[[0, 1]], 2.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// Little-endian, as many elements as the shape has.
    bytes: Arc<Vec<u8>>,
}

impl Tensor {
    /// A copy of an array.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds the copy: a broadcast view has more elements than memory.
    pub fn from_array<A: Scalar, D: Dimension>(array: &ArrayRef<A, D>) -> Result<Self> {
        let values = array.iter().map(|value| value.into_f64());
        let dtype = if A::SINGLE { Dtype::F32 } else { Dtype::F64 };
        let mut bytes = bytes_for(array.shape(), dtype)?;
        if A::SINGLE {
            values.for_each(|value| bytes.extend((value as f32).to_le_bytes()));
        } else {
            values.for_each(|value| bytes.extend(value.to_le_bytes()));
        }
        Ok(Self { dtype, shape: array.shape().into(), bytes: bytes.into() })
    }

    /// A copy of an array of whole numbers, such as token ids or lengths, as `int64`, torch's type of them.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a number beyond `i64`.
    ///
    /// ```
    /// use ndarray::{ArrayD, array};
    /// use ndarray_rnn::io::{Dtype, Tensor};
    ///
    /// let tokens = Tensor::from_ints(&array![[3_usize, 1], [4, 1]])?;
    /// assert_eq!((tokens.dtype(), tokens.shape()), (Dtype::I64, &[2, 2][..]));
    /// let tokens: ArrayD<usize> = tokens.to_ints("tokens")?;
    /// assert_eq!(tokens[[1, 0]], 4);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn from_ints<I: Copy + TryInto<i64>, D: Dimension>(array: &ArrayRef<I, D>) -> Result<Self> {
        let mut bytes = bytes_for(array.shape(), Dtype::I64)?;
        for &value in array {
            let value: i64 = value.try_into().map_err(|_| Error::OutOfRange {
                name: "tensor",
                expected: "whole numbers of 64 bits",
                actual: f64::INFINITY,
            })?;
            bytes.extend(value.to_le_bytes());
        }
        Ok(Self { dtype: Dtype::I64, shape: array.shape().into(), bytes: bytes.into() })
    }

    /// An array of little-endian elements in row-major order.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] for a shape that cannot be addressed,
    /// [`FileError::Malformed`] unless there are as many bytes as the shape has elements.
    #[cfg(feature = "_files")]
    pub(crate) fn from_bytes(
        format: &'static str,
        name: &str,
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: impl Into<Arc<Vec<u8>>>,
    ) -> Result<Self> {
        let bytes = bytes.into();
        let expected = crate::error::expect_addressable(name, &shape, dtype.size())?;
        if bytes.len() != expected {
            return Err(FileError::Malformed {
                format,
                field: name.into(),
                expected: format!("{expected} bytes of {dtype} for shape {shape:?}"),
                actual: format!("{} bytes", bytes.len()),
            }
            .into());
        }
        Ok(Self { dtype, shape, bytes })
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in row-major order, little-endian.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements in row-major order, little-endian, without a copy unless a clone shares them.
    #[cfg(feature = "onnx")]
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        Arc::unwrap_or_clone(self.bytes)
    }

    /// The elements as an array: `float64` as `f64`; `float32` and every smaller float as `f32`, exactly.
    ///
    /// # Errors
    /// [`FileError::Dtype`] with the `name` given for any other pair of types; see [`to`](Self::to).
    pub fn to_array<A: Scalar>(&self, name: &str) -> Result<ArrayD<A>> {
        self.expect_fits::<A>(name)?;
        self.converted(name)
    }

    /// The elements of whole numbers as an array of any type of them, such as `usize`; bools as 0 and 1.
    ///
    /// # Errors
    /// [`FileError::Dtype`] with the `name` given for floats and complex numbers, and for a number that `I` does not have.
    pub fn to_ints<I: TryFrom<i128>>(&self, name: &str) -> Result<ArrayD<I>> {
        let size = self.dtype.size();
        let signed = matches!(self.dtype, Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8);
        let unsigned = matches!(self.dtype, Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::U8 | Dtype::Bool);
        let wrong = |actual: String| FileError::Dtype {
            name: name.into(),
            expected: type_name::<I>().into(),
            actual,
        };
        if !signed && !unsigned {
            return Err(wrong(self.dtype.to_string()).into());
        }
        let mut elements = room(name, &self.shape)?;
        for bytes in self.bytes.chunks_exact(size) {
            let bits = i128::from(little_endian(bytes));
            let value = match self.dtype {
                Dtype::Bool => i128::from(bits != 0),
                _ if signed && bits >> (8 * size - 1) == 1 => bits - (1 << (8 * size)),
                _ => bits,
            };
            elements.push(I::try_from(value).map_err(|_| wrong(format!("{} {value}", self.dtype)))?);
        }
        Ok(room::array(&self.shape[..], elements))
    }

    /// The array with floats converted to `A`, rounded to the nearest; elements of other types stay as they are.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds them.
    pub fn to<A: Scalar>(&self) -> Result<Self> {
        if self.dtype.is_float() {
            Self::from_array(&self.converted::<A>("tensor")?)
        } else {
            Ok(self.clone())
        }
    }

    /// Checks that [`to_array`](Self::to_array) gives elements of type `A`.
    pub(super) fn expect_fits<A: Scalar>(&self, name: &str) -> Result<()> {
        if if A::SINGLE { self.dtype.fits_single() } else { self.dtype == Dtype::F64 } {
            return Ok(());
        }
        let (expected, actual) = (A::DTYPE.into(), self.dtype.to_string());
        Err(FileError::Dtype { name: name.into(), expected, actual }.into())
    }

    /// Writes every element, rounded to the nearest, into as many places; the element type is a float.
    pub(super) fn write_to<A: Scalar>(&self, places: &mut [A]) {
        self.dtype.convert(&self.bytes, places);
    }

    /// Every element, rounded to the nearest; the element type is a float.
    fn converted<A: Scalar>(&self, name: &str) -> Result<ArrayD<A>> {
        let mut array = zeros(name, IxDyn(&self.shape))?;
        self.write_to(array.as_slice_mut().invariant("an array made of zeros is in standard layout"));
        Ok(array)
    }
}

/// Room for the bytes of an array.
fn bytes_for(shape: &[usize], dtype: Dtype) -> Result<Vec<u8>> {
    room("tensor", &[shape, &[dtype.size()]].concat())
}
