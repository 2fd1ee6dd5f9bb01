//! Losses, under the names of `torch.nn`: each returns its value and its gradient in one call.
//!
//! | loss | input | target |
//! |---|---|---|
//! | [`CrossEntropyLoss`] | logits (C), (N, C) or (N, C, d1, ...) | classes (), (N) or (N, d1, ...); or [probabilities](CrossEntropyLoss::forward_probabilities), shaped like the input |
//! | [`NllLoss`] | log-probabilities, shaped likewise | likewise |
//! | [`MseLoss`], [`L1Loss`], [`SmoothL1Loss`], [`HuberLoss`] | any shape | the same shape |
//! | [`BceWithLogitsLoss`] | logits of any shape | probabilities, the same shape |
//!
//! `forward` reduces to one number, the mean or the [`Sum`](Reduction::Sum); `unreduced` is torch's
//! `reduction="none"`: one loss for each target, and the gradient for any cotangent of them.
//!
//! ```
//! use ndarray::array;
//! use ndarray_rnn::loss::CrossEntropyLoss;
//!
//! let loss = CrossEntropyLoss::new().forward(&array![[0.0_f64, 0.0]], &array![1])?;
//! assert!((loss.value - 2.0_f64.ln()).abs() < 1e-15);
//! assert_eq!(loss.gradient, array![[0.5, -0.5]]);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! # Reproducibility
//! Value and gradient are computed in `f64` and rounded to the element type once. A sum is one chain of additions in
//! row-major order. Exponentials and logarithms are those of the `libm` crate, the same on every machine.

mod binary;
mod class;
mod pointwise;
mod probabilities;
mod rows;

pub use binary::{BceWithLogits, BceWithLogitsLoss};
pub use class::{CrossEntropyLoss, NllLoss};
pub use pointwise::{
    AbsoluteError, Formula, Huber, HuberLoss, L1Loss, MseLoss, PointwiseLoss, SmoothL1, SmoothL1Loss,
    SquaredError,
};

use ndarray::{Array, ArrayRef, Axis, Dimension};

use crate::arrays::try_standard;
use crate::error::{Result, expect_shape};
use crate::scalar::Scalar;

/// How many losses become one number.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{MseLoss, Reduction};
///
/// let (input, target) = (array![3.0_f32, 1.0], array![1.0, 1.0]);
/// let sum = MseLoss::new().reduction(Reduction::Sum).forward(&input, &target)?;
/// assert_eq!((sum.value, MseLoss::new().forward(&input, &target)?.value), (4.0, 2.0));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The mean of the losses; with class weights the weighted mean. The mean of no losses is NaN, as in torch.
    #[default]
    Mean,
    /// The sum of the losses.
    Sum,
}

/// A loss and its gradient.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::L1Loss;
///
/// let loss = L1Loss::new().forward(&array![3.0_f32, 0.0], &array![1.0, 1.0])?;
/// assert_eq!((loss.value, loss.gradient), (1.5, array![0.5, -0.5]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Loss<A, D: Dimension> {
    /// The loss.
    pub value: A,
    /// The loss's gradient with respect to the input, of the input's shape, in standard layout.
    pub gradient: Array<A, D>,
}

/// A loss for each target, torch's `reduction="none"`.
///
/// `E` is the targets' dimension: `D` for losses of each element, one less for losses of a row of classes.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::MseLoss;
///
/// let losses = MseLoss::new().unreduced(&array![3.0_f32, 0.0], &array![1.0, 1.0])?;
/// assert_eq!(losses.values, array![4.0, 1.0]);
/// // The loss is 10 times the first: a weighted sum.
/// assert_eq!(losses.backward(&array![10.0, 0.0])?, array![40.0, 0.0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Losses<A, D: Dimension, E: Dimension> {
    /// The losses, of the target's shape.
    pub values: Array<A, E>,
    /// The gradient of each loss with respect to the elements of the input that the loss depends on.
    pub gradient: Array<A, D>,
    /// The axis of the classes and what each loss reads of its row, if there are classes.
    rows: Option<(Axis, Array<Reach, E>)>,
}

/// Which elements of its row of classes a loss depends on. The gradient of the others is 0, whatever `d_values` is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reach {
    Nothing,
    Class(usize),
    Row,
}

impl<A: Scalar, D: Dimension, E: Dimension> Losses<A, D, E> {
    /// The gradient with respect to the input, given the gradient `d_values` of the losses.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a `d_values` of another shape than the losses',
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds the gradient.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::loss::MseLoss;
    ///
    /// let losses = MseLoss::new().unreduced(&array![1.0, 2.0], &array![0.0, 0.0])?;
    /// assert_eq!(losses.values, array![1.0, 4.0]);
    /// assert_eq!(losses.backward(&array![1.0, 0.5])?, array![2.0, 2.0]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn backward(&self, d_values: &ArrayRef<A, E>) -> Result<Array<A, D>> {
        expect_shape("d_values", self.values.shape(), d_values.shape())?;
        let mut gradient = try_standard("gradient", &self.gradient)?;
        let Some((axis, reaches)) = &self.rows else {
            gradient.iter_mut().zip(d_values).for_each(|(g, &d)| *g *= d);
            return Ok(gradient);
        };
        let rows = gradient.lanes_mut(*axis).into_iter().zip(d_values);
        for ((mut row, &d), reach) in rows.zip(reaches) {
            match *reach {
                Reach::Nothing => {}
                Reach::Class(class) => row[class] *= d,
                Reach::Row => row.mapv_inplace(|g| g * d),
            }
        }
        Ok(gradient)
    }
}
