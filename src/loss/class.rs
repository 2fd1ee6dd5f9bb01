//! Losses of a row of classes and the index of the right class.

use ndarray::{Array, ArrayRef, Axis, Dimension, Ix1};

use super::{Loss, Losses, Reach, Reduction};
use crate::error::{Error, Result, expect_addressable, expect_index, expect_probability, expect_shape};
use crate::invariant::Invariant;
use crate::room::{self, room, zeros};
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
    /// [`Error::OutOfRange`] for a label smoothing outside [0, 1], [`Error::LowRank`] for an input without axes,
    /// [`Error::Shape`] for weights or targets of another shape than the input asks for,
    /// [`Error::IndexOutOfBounds`] for a target that is no class.
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

/// The sum of -log softmax of a row of logits, each class times its share; the row is replaced by the sum's gradient
/// over `divisor`.
pub(super) fn softmax_row(row: &mut [f64], share: impl Fn(usize) -> f64, divisor: f64) -> f64 {
    // Logits are lowered by the largest, so that no exponential overflows.
    let max = row.iter().fold(f64::NEG_INFINITY, |max, &x| if x > max { x } else { max });
    let [mut loss, mut total, mut sum] = [0.0; 3];
    for (class, x) in row.iter_mut().enumerate() {
        let share = share(class);
        total += share;
        // A class of share 0 may have a logit of -infinity, and 0 times infinity is NaN.
        loss += if share == 0.0 { 0.0 } else { share * (max - *x) };
        *x = libm::exp(*x - max);
        sum += *x;
    }
    row.iter_mut().enumerate().for_each(|(class, x)| {
        *x = (*x / sum * total - share(class)) / divisor;
    });
    loss + total * libm::log(sum)
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
    /// [`Error::LowRank`] for an input without axes, [`Error::Shape`] for weights or targets of another shape than
    /// the input asks for, [`Error::IndexOutOfBounds`] for a target that is no class.
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

/// The options that both losses have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Options {
    weight: Option<Vec<f64>>,
    pub(super) ignore_index: Option<usize>,
    pub(super) reduction: Reduction,
}

impl Options {
    fn weight<T: Into<f64>>(self, weight: impl IntoIterator<Item = T>) -> Self {
        Self { weight: Some(weight.into_iter().map(T::into).collect()), ..self }
    }

    pub(super) fn weight_of(&self, class: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |weight| weight[class])
    }

    /// The reduction of the losses of all rows. `row` returns the loss of a row of the input, and replaces the row by
    /// its gradient over a divisor.
    fn reduced<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
        row: impl Fn(&mut [f64], usize, f64) -> f64,
    ) -> Result<Loss<A, D>> {
        let axis = self.check(input, target)?;
        // Before the targets are read: a broadcast array may have more of them than memory.
        let gradient = zeros("gradient", input.raw_dim())?;
        self.expect_targets(input, target)?;
        let counted = target.iter().filter(|&&target| Some(target) != self.ignore_index);
        let total = match self.reduction {
            Reduction::Mean => counted.fold(0.0, |sum, &target| sum + self.weight_of(target)),
            Reduction::Sum => 1.0,
        };
        let mut sum = 0.0;
        let gradient = self.each_row((input, gradient), target, axis, total, row, |loss| sum += loss)?;
        Ok(Loss { value: A::from_f64(sum / total), gradient })
    }

    /// The losses of all rows, with `row` as in [`reduced`](Self::reduced); `reach` gives the reach of a target that
    /// is not ignored.
    fn unreduced<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
        row: impl Fn(&mut [f64], usize, f64) -> f64,
        reach: impl Fn(usize) -> Reach,
    ) -> Result<Losses<A, D, D::Smaller>> {
        let axis = self.check(input, target)?;
        let (mut values, mut reaches) = (room("values", target.shape())?, room("values", target.shape())?);
        let gradient = zeros("gradient", input.raw_dim())?;
        self.expect_targets(input, target)?;
        let store = |loss| values.push(A::from_f64(loss));
        let gradient = self.each_row((input, gradient), target, axis, 1.0, row, store)?;
        let counts = |target| Some(target) != self.ignore_index;
        reaches
            .extend(target.iter().map(|&target| if counts(target) { reach(target) } else { Reach::Nothing }));
        let (values, reaches) =
            (room::array(target.raw_dim(), values), room::array(target.raw_dim(), reaches));
        Ok(Losses { values, gradient, rows: Some((axis, reaches)) })
    }

    /// Hands every row's loss to `store`, and returns the gradient over `divisor`, which is given as zeros.
    fn each_row<A: Scalar, D: Dimension>(
        &self,
        (input, mut gradient): (&ArrayRef<A, D>, Array<A, D>),
        target: &ArrayRef<usize, D::Smaller>,
        axis: Axis,
        divisor: f64,
        row: impl Fn(&mut [f64], usize, f64) -> f64,
        mut store: impl FnMut(f64),
    ) -> Result<Array<A, D>> {
        // An empty batch too has the width of a row.
        let mut buffer = zeros("input", Ix1(input.len_of(axis)))?;
        let rows = input.lanes(axis).into_iter().zip(gradient.lanes_mut(axis));
        for ((from, mut to), &target) in rows.zip(target) {
            if Some(target) == self.ignore_index {
                store(0.0);
                continue;
            }
            buffer.zip_mut_with(&from, |to, from| *to = from.into_f64());
            store(row(buffer.as_slice_mut().invariant("`zeros` gives standard layout"), target, divisor));
            to.zip_mut_with(&buffer, |to, &from| *to = A::from_f64(from));
        }
        Ok(gradient)
    }

    /// The axis of the classes, once the arrays' shapes are checked.
    fn check<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
    ) -> Result<Axis> {
        let classes = classes(input.shape())?;
        let axis = class_axis(input.ndim());
        let mut expected = input.shape().to_vec();
        expected.remove(axis.index());
        expect_shape("target", &expected, target.shape())?;
        self.expect_weights(classes)?;
        expect_addressable("gradient", input.shape(), size_of::<A>())?;
        Ok(axis)
    }

    /// Checks that every target that counts is a class.
    fn expect_targets<A, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
    ) -> Result<()> {
        let classes = classes(input.shape())?;
        let counted = target.iter().filter(|&&target| Some(target) != self.ignore_index);
        for &target in counted {
            expect_index("target", "num_classes", classes, target)?;
        }
        Ok(())
    }

    pub(super) fn expect_weights(&self, classes: usize) -> Result<()> {
        match &self.weight {
            Some(weight) => expect_shape("weight", &[classes], &[weight.len()]),
            None => Ok(()),
        }
    }
}

pub(super) fn class_axis(ndim: usize) -> Axis {
    Axis(usize::from(ndim > 1))
}

/// The number of classes of an input.
pub(super) fn classes(shape: &[usize]) -> Result<usize> {
    let none = Error::LowRank { array: "input", expected: 1, actual: 0 };
    shape.get(class_axis(shape.len()).index()).copied().ok_or(none)
}
