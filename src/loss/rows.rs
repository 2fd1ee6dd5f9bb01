//! Losses of rows of classes: the options that they have, and the walk over the rows.

use ndarray::{Array, ArrayRef, Axis, Dimension, Ix1};

use super::{Loss, Losses, Reach, Reduction};
use crate::arrays::elements_mut;
use crate::error::{Error, Result, expect_addressable, expect_index, expect_shape};
use crate::room::{self, room, zeros};
use crate::scalar::Scalar;

/// The options that both losses have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Options {
    pub(super) weight: Option<Vec<f64>>,
    pub(super) ignore_index: Option<usize>,
    pub(super) reduction: Reduction,
}

impl Options {
    pub(super) fn weight<T: Into<f64>>(self, weight: impl IntoIterator<Item = T>) -> Self {
        Self { weight: Some(weight.into_iter().map(T::into).collect()), ..self }
    }

    pub(super) fn weight_of(&self, class: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |weight| weight[class])
    }

    /// The reduction of the losses of all rows. `row` returns the loss of a row of the input, and replaces the row by
    /// its gradient over a divisor.
    pub(super) fn reduced<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<usize, D::Smaller>,
        row: impl Fn(&mut [f64], usize, f64) -> f64,
    ) -> Result<Loss<A, D>> {
        let axis = self.check(input, target)?;
        // Before the targets are read: a broadcast array may have more of them than memory.
        let gradient = zeros("gradient", input.raw_dim())?;
        self.expect_targets(input, target)?;
        let counted = target.iter().filter(|&&target| !self.ignores(target));
        let total = match self.reduction {
            Reduction::Mean => counted.fold(0.0, |sum, &target| sum + self.weight_of(target)),
            Reduction::Sum => 1.0,
        };
        let mut sum = 0.0;
        let row = self.counted(row, total);
        let gradient = each_row((input, gradient), target, axis, row, |loss| sum += loss)?;
        Ok(Loss { value: A::from_f64(sum / total), gradient })
    }

    /// The losses of all rows, with `row` as in [`reduced`](Self::reduced); `reach` gives the reach of a target that
    /// is not ignored.
    pub(super) fn unreduced<A: Scalar, D: Dimension>(
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
        let gradient = each_row((input, gradient), target, axis, self.counted(row, 1.0), store)?;
        reaches.extend(
            target.iter().map(|&target| if self.ignores(target) { Reach::Nothing } else { reach(target) }),
        );
        let (values, reaches) =
            (room::array(target.raw_dim(), values), room::array(target.raw_dim(), reaches));
        Ok(Losses { values, gradient, rows: Some((axis, reaches)) })
    }

    fn ignores(&self, target: usize) -> bool {
        Some(target) == self.ignore_index
    }

    /// `row` over a divisor; the loss and the gradient of a row with an ignored target are 0.
    fn counted(
        &self,
        row: impl Fn(&mut [f64], usize, f64) -> f64,
        divisor: f64,
    ) -> impl Fn(&mut [f64], &usize) -> f64 {
        move |logits, &target| {
            if self.ignores(target) {
                logits.fill(0.0);
                return 0.0;
            }
            row(logits, target, divisor)
        }
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
        let mut counted = target.iter().filter(|&&target| !self.ignores(target));
        counted.try_for_each(|&target| expect_index("target", "num_classes", classes, target))
    }

    pub(super) fn expect_weights(&self, classes: usize) -> Result<()> {
        match &self.weight {
            Some(weight) => expect_shape("weight", &[classes], &[weight.len()]),
            None => Ok(()),
        }
    }
}

/// Hands every row of the input, in `f64`, and its target to `row`, which replaces the row by its gradient, and the loss
/// that `row` returns to `store`. Returns the gradient, of which the array is given.
pub(super) fn each_row<A: Scalar, D: Dimension, T>(
    (input, mut gradient): (&ArrayRef<A, D>, Array<A, D>),
    targets: impl IntoIterator<Item = T>,
    axis: Axis,
    row: impl Fn(&mut [f64], T) -> f64,
    mut store: impl FnMut(f64),
) -> Result<Array<A, D>> {
    // An empty batch too has the width of a row.
    let mut buffer = zeros("input", Ix1(input.len_of(axis)))?;
    let rows = input.lanes(axis).into_iter().zip(gradient.lanes_mut(axis));
    for ((from, mut to), target) in rows.zip(targets) {
        buffer.zip_mut_with(&from, |to, from| *to = from.into_f64());
        store(row(elements_mut(&mut buffer), target));
        to.zip_mut_with(&buffer, |to, &from| *to = A::from_f64(from));
    }
    Ok(gradient)
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

pub(super) fn class_axis(ndim: usize) -> Axis {
    Axis(usize::from(ndim > 1))
}

/// The number of classes of an input.
pub(super) fn classes(shape: &[usize]) -> Result<usize> {
    let none = Error::LowRank { array: "input", expected: 1, actual: 0 };
    shape.get(class_axis(shape.len()).index()).copied().ok_or(none)
}
