//! Arrays within a block of bytes, in either byte order and with any strides: so npy and pt store them.

use std::sync::Arc;

use super::files::{expect_at_most, malformed};
use super::{Dtype, Tensor};
use crate::error::{Result, expect_addressable};
use crate::invariant::Invariant;
use crate::kernels::copied;
use crate::room::room;

/// The most axes of NumPy's arrays.
pub(super) const MAX_AXES: usize = 64;

/// A block of bytes that holds one array or several.
#[derive(Debug, Clone)]
pub(super) struct Elements {
    pub(super) dtype: Dtype,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) big_endian: bool,
}

impl Elements {
    /// The array whose element (i, j, ...) is at `offset + i strides[0] + j strides[1] + ...`, in elements. An
    /// array that is the whole block, little-endian and in row-major order, shares the block's bytes.
    ///
    /// # Errors
    /// [`FileError::Malformed`](crate::FileError::Malformed) if an element lies outside the block,
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) for more than 64 axes,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a shape that cannot be addressed.
    pub(super) fn gather(
        self,
        format: &'static str,
        name: &str,
        offset: usize,
        shape: Vec<usize>,
        strides: &[usize],
    ) -> Result<Tensor> {
        expect_at_most(format, format!("{name}: number of axes"), MAX_AXES, shape.len())?;
        let size = self.dtype.size();
        let total = expect_addressable(name, &shape, size)?;
        let present = self.bytes.len() / size;
        if end(offset, &shape, strides).is_none_or(|end| end > present) {
            let expected = format!("elements among {present}");
            let actual = format!("shape {shape:?} from {offset} with strides {strides:?}");
            return Err(malformed(format, name, expected, actual));
        }
        // An empty array may begin anywhere.
        let start = if total == 0 { 0 } else { offset * size };
        let in_order = strides == contiguous(self.dtype, name, &shape)?;
        let mut bytes = match in_order {
            true if total == self.bytes.len() => self.bytes,
            true => copied(name, &self.bytes[start..][..total])?.into(),
            false => {
                let mut bytes = room(name, &[total])?;
                let mut index = vec![0; shape.len()];
                for _ in 0..total / size {
                    let steps: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
                    bytes.extend_from_slice(&self.bytes[start + steps * size..][..size]);
                    advance(&mut index, &shape);
                }
                bytes.into()
            }
        };
        if self.big_endian {
            if Arc::get_mut(&mut bytes).is_none() {
                bytes = copied(name, &bytes)?.into();
            }
            let bytes = Arc::get_mut(&mut bytes).invariant("the bytes are of this array alone");
            bytes.chunks_exact_mut(self.dtype.unit()).for_each(<[u8]>::reverse);
        }
        Tensor::from_bytes(format, name, self.dtype, shape, bytes)
    }
}

/// The place after the last element; `None` if there are not as many strides as axes, or if the place overflows.
fn end(offset: usize, shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.len() != strides.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    let steps = shape.iter().zip(strides).map(|(&axis, &stride)| (axis - 1).checked_mul(stride));
    steps.chain([Some(1)]).try_fold(offset, |sum, step| sum.checked_add(step?))
}

/// The next index in row-major order.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &axis) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < axis {
            return;
        }
        *i = 0;
    }
}

/// The strides of an array in row-major order.
///
/// # Errors
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a shape that cannot be addressed.
pub(super) fn contiguous(dtype: Dtype, name: &str, shape: &[usize]) -> Result<Vec<usize>> {
    expect_addressable(name, shape, dtype.size())?;
    let mut stride = 1_usize;
    let strides = shape.iter().rev().map(|&axis| {
        let this = stride;
        stride = stride.saturating_mul(axis);
        this
    });
    let mut strides: Vec<_> = strides.collect();
    strides.reverse();
    Ok(strides)
}
