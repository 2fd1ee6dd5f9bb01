//! Binary cross entropy of logits.

use super::PointwiseLoss;
use super::pointwise::private;
use crate::error::{Result, expect_shape};

/// The cross entropy of `sigmoid(input)` and a target probability, `torch.nn.BCEWithLogitsLoss`.
///
/// ```text
/// loss = -(p target log sigmoid(input) + (1 - target) log(1 - sigmoid(input)))     p = pos_weight or 1
/// ```
///
/// No input overflows. Targets may lie outside [0, 1], as in torch. For torch's `weight` of every element multiply the
/// values of [`unreduced`](PointwiseLoss::unreduced) with the weights, and the `d_values` of
/// [`Losses::backward`](super::Losses::backward) too.
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
#[doc(alias = "BCEWithLogitsLoss")]
pub type BceWithLogitsLoss = PointwiseLoss<BceWithLogits>;

/// The formula of [`BceWithLogitsLoss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{BceWithLogits, PointwiseLoss};
///
/// let loss = PointwiseLoss::<BceWithLogits>::new().forward(&array![0.0_f64], &array![1.0])?;
/// assert_eq!(loss.value, std::f64::consts::LN_2);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BceWithLogits {
    pos_weight: Option<Vec<f64>>,
}

impl BceWithLogits {
    fn weights(&self) -> &[f64] {
        self.pos_weight.as_deref().unwrap_or(&[1.0])
    }
}

impl BceWithLogitsLoss {
    /// Sets the weight of positive targets for each class, the input's last axis; a single weight is that of every
    /// class.
    #[must_use]
    pub fn pos_weight<T: Into<f64>>(self, pos_weight: impl IntoIterator<Item = T>) -> Self {
        let pos_weight = Some(pos_weight.into_iter().map(T::into).collect());
        Self { formula: BceWithLogits { pos_weight }, ..self }
    }
}

impl private::Formula for BceWithLogits {
    fn validate(&self, shape: &[usize]) -> Result<()> {
        match self.weights().len() {
            1 => Ok(()),
            count => expect_shape("pos_weight", &shape[shape.len().saturating_sub(1)..], &[count]),
        }
    }

    fn point(&self, i: usize, x: f64, y: f64) -> [f64; 2] {
        // Row-major order: the last axis runs fastest.
        let weight = self.weights()[i % self.weights().len()];
        // -log sigmoid(x); the exponential of a negative number cannot overflow.
        let small = libm::exp(-x.abs());
        let positive = libm::log1p(small) + if x < 0.0 { -x } else { 0.0 };
        let sigmoid = if x < 0.0 { small } else { 1.0 } / (1.0 + small);
        let value = (1.0 - y) * x + ((weight - 1.0) * y + 1.0) * positive;
        [value, (weight * y + 1.0 - y) * sigmoid - weight * y]
    }
}
