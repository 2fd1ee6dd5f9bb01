//! Binary cross entropy of logits.

use ndarray::{ArrayRef, Dimension};

use super::pointwise::{reduced, unreduced};
use super::{Loss, Losses, Reduction};
use crate::error::{Result, expect_shape};
use crate::scalar::Scalar;

/// The cross entropy of `sigmoid(input)` and a target probability, `torch.nn.BCEWithLogitsLoss`.
///
/// ```text
/// loss = -(p target log sigmoid(input) + (1 - target) log(1 - sigmoid(input)))     p = pos_weight or 1
/// ```
///
/// No input overflows. Targets may lie outside [0, 1], as in torch. For torch's `weight` of every element multiply the
/// values of [`unreduced`](Self::unreduced) with the weights, and the `d_values` of [`Losses::backward`] too.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::BceWithLogitsLoss;
///
/// let loss = BceWithLogitsLoss::new().forward(&array![0.0_f64], &array![1.0])?;
/// assert_eq!((loss.value, loss.gradient), (std::f64::consts::LN_2, array![-0.5]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html>
#[derive(Debug, Clone, Default, PartialEq)]
#[doc(alias = "BCEWithLogitsLoss")]
pub struct BceWithLogitsLoss {
    pos_weight: Option<Vec<f64>>,
    reduction: Reduction,
}

impl BceWithLogitsLoss {
    /// The mean, without weights.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of positive targets for each class, the input's last axis; a single weight is that of every
    /// class.
    #[must_use]
    pub fn pos_weight<T: Into<f64>>(self, pos_weight: impl IntoIterator<Item = T>) -> Self {
        let pos_weight = pos_weight.into_iter().map(T::into).collect();
        Self { pos_weight: Some(pos_weight), ..self }
    }

    /// Sets how losses become one number. Default the mean.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// The loss and its gradient.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a target of another shape than the input's, or for weights that
    /// are neither one nor as many as the input's last axis is long.
    pub fn forward<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> Result<Loss<A, D>> {
        reduced(input, target, self.reduction, self.point(input.shape())?)
    }

    /// A loss for each element.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn unreduced<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> Result<Losses<A, D, D>> {
        unreduced(input, target, self.point(input.shape())?)
    }

    fn point(&self, shape: &[usize]) -> Result<impl Fn(usize, f64, f64) -> [f64; 2]> {
        let weights = self.pos_weight.as_deref().unwrap_or(&[1.0]);
        if weights.len() != 1 {
            expect_shape("pos_weight", &shape[shape.len().saturating_sub(1)..], &[weights.len()])?;
        }
        Ok(move |i: usize, x: f64, y: f64| {
            // Row-major order: the last axis runs fastest.
            let weight = weights[i % weights.len()];
            // -log sigmoid(x); the exponential of a negative number cannot overflow.
            let small = libm::exp(-x.abs());
            let positive = libm::log1p(small) + if x < 0.0 { -x } else { 0.0 };
            let sigmoid = if x < 0.0 { small } else { 1.0 } / (1.0 + small);
            let value = (1.0 - y) * x + ((weight - 1.0) * y + 1.0) * positive;
            [value, (weight * y + 1.0 - y) * sigmoid - weight * y]
        })
    }
}
