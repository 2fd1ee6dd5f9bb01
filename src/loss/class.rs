//! Losses of a row of classes and the index of the right class.

use ndarray::{ArrayRef, Dimension};

use super::rows::{Options, classes, softmax_row};
use super::{Loss, Losses, Reach, Reduction};
use crate::error::{Result, expect_probability};
use crate::scalar::Scalar;

/// The cross entropy of `softmax(input)` and the right class, `torch.nn.CrossEntropyLoss`.
///
/// For a row x of logits, its class t, weights w (1 without), C classes, s the label smoothing:
///
/// ```text
/// loss = -(1 - s) w[t] log softmax(x)[t] - s / C (sum over c of w[c] log softmax(x)[c])
/// ```
///
/// The mean is the sum of losses over the sum of `w[t]`; ignored targets count in neither sum. If every target is
/// ignored, or the weights sum to 0, the mean is NaN, and so is the gradient of rows that count; the gradient of
/// ignored rows is 0.
///
/// | | one row | batch | more axes |
/// |---|---|---|---|
/// | `input` | (C) | (N, C) | (N, C, d1, ...) |
/// | `target` | () | (N) | (N, d1, ...) |
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::CrossEntropyLoss;
///
/// let logits = array![[2.0_f64, 0.0], [1.0, 1.0]];
/// let loss = CrossEntropyLoss::new().forward(&logits, &array![0, 1])?;
/// assert!((loss.value - 0.410037596).abs() < 1e-9);
/// assert_eq!(loss.gradient.row(1), array![0.25, -0.25]); // (softmax - one-hot) / N
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// For targets that are probabilities of classes see [`forward_probabilities`](Self::forward_probabilities).
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html>
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CrossEntropyLoss {
    pub(super) options: Options,
    pub(super) label_smoothing: f64,
}

impl CrossEntropyLoss {
    /// The mean, without weights, smoothing or ignored targets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a weight for each class.
    #[must_use]
    pub fn weight<T: Into<f64>>(self, weight: impl IntoIterator<Item = T>) -> Self {
        Self { options: self.options.weight(weight), ..self }
    }

    /// Sets the target that is ignored; it need not be a class. By default no target is: torch's default, -100, is no
    /// index here.
    #[must_use]
    pub fn ignore_index(self, ignore_index: usize) -> Self {
        Self { options: Options { ignore_index: Some(ignore_index), ..self.options }, ..self }
    }

    /// Sets the share of the target spread evenly over all classes, in [0, 1]. Default 0.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        Self { label_smoothing, ..self }
    }

    /// Sets how losses become one number. Default the mean.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { options: Options { reduction, ..self.options }, ..self }
    }

    /// The loss and its gradient.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a label smoothing outside [0, 1],
    /// [`Error::LowRank`](crate::Error::LowRank) for an input without axes,
    /// [`Error::Shape`](crate::Error::Shape) for weights or targets of another shape than the input asks for,
    /// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for a target that is no class.
    pub fn forward<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
    ) -> Result<Loss<A, D>> {
        self.options.reduced(input, target, self.row(input.shape())?)
    }

    /// A loss for each target, 0 for ignored ones.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn unreduced<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
    ) -> Result<Losses<A, D, D::Smaller>> {
        self.options.unreduced(input, target, self.row(input.shape())?, |_| Reach::Row)
    }

    /// The loss of a row of logits, which is replaced by the loss's gradient over `divisor`.
    fn row(&self, shape: &[usize]) -> Result<impl Fn(&mut [f64], usize, f64) -> f64> {
        let s = self.label_smoothing;
        expect_probability("label_smoothing", s)?;
        let spread = s / classes(shape)? as f64;
        Ok(move |row: &mut [f64], target: usize, divisor: f64| {
            // The target's part is then 0 / 0, so the loss is NaN whatever the smoothing adds.
            if divisor == 0.0 {
                row.fill(f64::NAN);
                return f64::NAN;
            }
            // The factor of -log softmax of each class.
            let share = |class: usize| {
                let own = if class == target { (1.0 - s) * self.options.weight_of(target) } else { 0.0 };
                if s > 0.0 { own + spread * self.options.weight_of(class) } else { own }
            };
            softmax_row(row, share, divisor)
        })
    }
}

/// The negative logarithm of the right class's probability, `torch.nn.NLLLoss`: `-w[t] input[t]`.
///
/// The input is a row of log-probabilities; shapes, weights, the mean and ignored targets are as in
/// [`CrossEntropyLoss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::NllLoss;
///
/// let loss = NllLoss::new().forward(&array![[-0.5_f32, -1.0], [-2.0, -0.25]], &array![0, 1])?;
/// assert_eq!((loss.value, loss.gradient), (0.375, array![[-0.5, 0.0], [0.0, -0.5]]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html>
#[derive(Debug, Clone, Default, PartialEq)]
#[doc(alias = "NLLLoss")]
pub struct NllLoss {
    options: Options,
}

impl NllLoss {
    /// The mean, without weights or ignored targets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a weight for each class.
    #[must_use]
    pub fn weight<T: Into<f64>>(self, weight: impl IntoIterator<Item = T>) -> Self {
        Self { options: self.options.weight(weight) }
    }

    /// Sets the target that is ignored; it need not be a class. By default no target is.
    #[must_use]
    pub fn ignore_index(self, ignore_index: usize) -> Self {
        Self { options: Options { ignore_index: Some(ignore_index), ..self.options } }
    }

    /// Sets how losses become one number. Default the mean.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { options: Options { reduction, ..self.options } }
    }

    /// The loss and its gradient.
    ///
    /// # Errors
    /// [`Error::LowRank`](crate::Error::LowRank) for an input without axes,
    /// [`Error::Shape`](crate::Error::Shape) for weights or targets of another shape than the input asks for,
    /// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for a target that is no class.
    pub fn forward<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
    ) -> Result<Loss<A, D>> {
        self.options.reduced(input, target, |row, target, divisor| self.row(row, target, divisor))
    }

    /// A loss for each target, 0 for ignored ones.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn unreduced<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
    ) -> Result<Losses<A, D, D::Smaller>> {
        self.options.unreduced(
            input,
            target,
            |row, target, divisor| self.row(row, target, divisor),
            Reach::Class,
        )
    }

    fn row(&self, row: &mut [f64], target: usize, divisor: f64) -> f64 {
        let weight = self.options.weight_of(target);
        let loss = -weight * row[target];
        row.fill(0.0);
        row[target] = -weight / divisor;
        loss
    }
}
