//! Cross entropy with probabilities of classes as targets.

use ndarray::{Array, ArrayRef, ArrayView1, Axis, Dimension, NdProducer};

use super::rows::{class_axis, classes, each_row, softmax_row};
use super::{CrossEntropyLoss, Loss, Losses, Reach, Reduction};
use crate::error::{Error, Result, expect_probability, expect_shape};
use crate::room::{self, filled, room, zeros};
use crate::scalar::Scalar;

impl CrossEntropyLoss {
    /// The loss and its gradient for targets that are probabilities of each class, shaped like the input.
    ///
    /// For a row x of logits and its probabilities y, weights w, C classes, s the label smoothing:
    ///
    /// ```text
    /// loss = -(sum over c of w[c] ((1 - s) y[c] + s / C) log softmax(x)[c])
    /// ```
    ///
    /// The mean is the sum of losses over the number of rows, whatever the weights. As in torch the probabilities are not
    /// checked: they need not sum to 1.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with an [`ignore_index`](Self::ignore_index), as in torch: there is no index to ignore;
    /// [`Error::OutOfRange`] for a label smoothing outside [0, 1], [`Error::LowRank`] for an input without axes,
    /// [`Error::Shape`] for weights or targets of another shape than the input asks for.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::loss::CrossEntropyLoss;
    ///
    /// let (logits, target) = (array![[0.0_f64, 0.0]], array![[0.25, 0.75]]);
    /// let loss = CrossEntropyLoss::new().forward_probabilities(&logits, &target)?;
    /// assert_eq!((loss.value, loss.gradient), (std::f64::consts::LN_2, array![[0.25, -0.25]]));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn forward_probabilities<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> Result<Loss<A, D>> {
        let axis = self.check_probabilities(input, target)?;
        let divisor = match self.options.reduction {
            Reduction::Mean => input.lanes(axis).raw_dim().size() as f64,
            Reduction::Sum => 1.0,
        };
        let mut sum = 0.0;
        let gradient = self.each(input, target, axis, divisor, |loss| sum += loss)?;
        Ok(Loss { value: A::from_f64(sum / divisor), gradient })
    }

    /// A loss for each row, as [`forward_probabilities`](Self::forward_probabilities) has it.
    ///
    /// # Errors
    /// As [`forward_probabilities`](Self::forward_probabilities).
    pub fn unreduced_probabilities<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> Result<Losses<A, D, D::Smaller>> {
        let axis = self.check_probabilities(input, target)?;
        let dim = input.lanes(axis).raw_dim();
        let mut values = room("values", dim.slice())?;
        let gradient = self.each(input, target, axis, 1.0, |loss| values.push(A::from_f64(loss)))?;
        let reaches = filled("values", dim.clone(), Reach::Row)?;
        Ok(Losses { values: room::array(dim, values), gradient, rows: Some((axis, reaches)) })
    }

    /// Hands every row's loss to `store`, and returns the gradient over `divisor`.
    fn each<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
        axis: Axis,
        divisor: f64,
        store: impl FnMut(f64),
    ) -> Result<Array<A, D>> {
        let gradient = zeros("gradient", input.raw_dim())?;
        let (s, spread) = (self.label_smoothing, self.label_smoothing / input.len_of(axis) as f64);
        let row = |row: &mut [f64], target: ArrayView1<'_, A>| {
            let share = |class: usize| {
                let own = target[class].into_f64();
                let own = if s > 0.0 { own * (1.0 - s) + spread } else { own };
                own * self.options.weight_of(class)
            };
            softmax_row(row, share, divisor)
        };
        each_row((input, gradient), target.lanes(axis), axis, row, store)
    }

    /// The axis of the classes, once options and shapes are checked.
    fn check_probabilities<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> Result<Axis> {
        if self.options.ignore_index.is_some() {
            let reason = "targets that are probabilities have no index";
            return Err(Error::Unsupported { operation: "ignore_index", reason });
        }
        expect_probability("label_smoothing", self.label_smoothing)?;
        let classes = classes(input.shape())?;
        expect_shape("target", input.shape(), target.shape())?;
        self.options.expect_weights(classes)?;
        Ok(class_axis(input.ndim()))
    }
}
