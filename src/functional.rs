//! Small functions around a network, under the names of `torch.nn.functional`.
//!
//! Exponentials and logarithms are computed in `f64` by the `libm` crate and rounded to the element type once: the same
//! bits on every machine, and within 0.6 ULP.
//!
//! ```
//! use ndarray::{Axis, array};
//! use ndarray_rnn::functional::{accuracy, argmax, softmax};
//!
//! let logits = array![[2.0_f32, 2.0], [0.0, 1.0]];
//! assert_eq!(softmax(&logits, Axis(1))?.row(0), array![0.5, 0.5]);
//! assert_eq!(argmax(&logits, Axis(1))?, array![0, 1]);
//! assert_eq!(accuracy(&logits, &array![1, 1])?, 0.5);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```

use ndarray::{Array, ArrayRef, Axis, Dimension, NdProducer};
use rand::Rng;

use crate::arrays::{as_standard, elements, elements_mut, try_standard};
use crate::error::{Error, Result, expect_index, expect_number, expect_shape};
use crate::kernels::{Activate, Activation, fastest};
use crate::random;
use crate::room::{room, zeros};
use crate::scalar::Scalar;

/// Probabilities from logits: `exp(x[c]) / (sum over c of exp(x[c]))` along an axis; `torch.nn.functional.softmax`.
///
/// No input overflows. The shape stays.
///
/// # Errors
/// [`Error::LowRank`] for an axis that the input does not have, [`Error::SizeOverflow`] for a result that no memory
/// holds.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_rnn::functional::softmax;
///
/// assert_eq!(softmax(&array![[0.0_f32, 0.0], [1000.0, 0.0]], Axis(1))?, array![[0.5, 0.5], [1.0, 0.0]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html>
pub fn softmax<A: Scalar, D: Dimension>(input: &ArrayRef<A, D>, axis: Axis) -> Result<Array<A, D>> {
    of_rows(input, axis, |row, max| {
        row.iter_mut().for_each(|x| *x = libm::exp(*x - max));
        let sum = row.iter().fold(0.0, |sum, x| sum + x);
        row.iter_mut().for_each(|x| *x /= sum);
    })
}

/// The logarithms of [`softmax`], exact where those round to 0: `torch.nn.functional.log_softmax`.
///
/// [`NllLoss`](crate::loss::NllLoss) reads them; [`CrossEntropyLoss`](crate::loss::CrossEntropyLoss) reads the logits
/// themselves, and has the gradient.
///
/// # Errors
/// As [`softmax`].
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_rnn::functional::log_softmax;
///
/// assert_eq!(log_softmax(&array![1000.0_f32, 0.0], Axis(0))?, array![0.0, -1000.0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html>
pub fn log_softmax<A: Scalar, D: Dimension>(input: &ArrayRef<A, D>, axis: Axis) -> Result<Array<A, D>> {
    of_rows(input, axis, |row, max| {
        let log = libm::log(row.iter().fold(0.0, |sum, x| sum + libm::exp(x - max)));
        row.iter_mut().for_each(|x| *x = (*x - max) - log);
    })
}

/// Hands over every row along an axis, in `f64`, with its largest number, and takes the row that it becomes.
fn of_rows<A: Scalar, D: Dimension>(
    input: &ArrayRef<A, D>,
    axis: Axis,
    change: impl Fn(&mut [f64], f64),
) -> Result<Array<A, D>> {
    expect_axis(input.ndim(), axis)?;
    let mut output = try_standard("output", input)?;
    if output.is_empty() {
        return Ok(output); // any number of rows of no width
    }
    let mut buffer = room("output", &[input.len_of(axis)])?;
    for mut row in output.lanes_mut(axis) {
        buffer.clear();
        buffer.extend(row.iter().map(|x| x.into_f64()));
        let max = buffer.iter().fold(f64::NEG_INFINITY, |max, &x| if x > max { x } else { max });
        change(&mut buffer, max);
        row.iter_mut().zip(&buffer).for_each(|(to, &from)| *to = A::from_f64(from));
    }
    Ok(output)
}

fn expect_axis(ndim: usize, Axis(axis): Axis) -> Result<()> {
    if axis < ndim {
        Ok(())
    } else {
        Err(Error::LowRank { array: "input", expected: axis.saturating_add(1), actual: ndim })
    }
}

/// The index of the largest number along an axis, which goes: `torch.argmax(input, dim)`.
///
/// Of equal numbers the first counts, and a NaN counts as the largest.
///
/// # Errors
/// As [`softmax`]; [`Error::ZeroSize`] for an axis without elements.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_rnn::functional::argmax;
///
/// assert_eq!(argmax(&array![[0.5_f32, 2.0, 2.0], [1.0, 0.0, -1.0]], Axis(1))?, array![1, 0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.argmax.html>
pub fn argmax<A: Scalar, D: Dimension>(
    input: &ArrayRef<A, D>,
    axis: Axis,
) -> Result<Array<usize, D::Smaller>> {
    expect_axis(input.ndim(), axis)?;
    if input.len_of(axis) == 0 {
        return Err(Error::ZeroSize { name: "the axis of argmax" });
    }
    let mut indices = zeros("argmax", input.lanes(axis).raw_dim())?;
    for (index, row) in indices.iter_mut().zip(input.lanes(axis)) {
        *index = random::first_largest(row.iter().copied());
    }
    Ok(indices)
}

/// The share of targets whose class has the largest logit.
///
/// | | one row | batch | more axes |
/// |---|---|---|---|
/// | `input` | (C) | (N, C) | (N, C, d1, ...) |
/// | `target` | () | (N) | (N, d1, ...) |
///
/// The share of no targets is NaN.
///
/// # Errors
/// [`Error::LowRank`] for an input without axes, [`Error::Shape`] for targets of another shape,
/// [`Error::IndexOutOfBounds`] for a target that is no class.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::functional::accuracy;
///
/// let logits = array![[2.0_f32, 0.0], [0.0, 1.0], [3.0, 1.0], [0.0, 1.0]];
/// assert_eq!(accuracy(&logits, &array![0, 1, 1, 1])?, 0.75);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub fn accuracy<A: Scalar, D: Dimension>(
    input: &ArrayRef<A, D>,
    target: &ArrayRef<usize, D::Smaller>,
) -> Result<f64> {
    let axis = Axis(usize::from(input.ndim() > 1));
    expect_axis(input.ndim(), axis)?;
    expect_shape("target", input.lanes(axis).raw_dim().slice(), target.shape())?;
    let classes = input.len_of(axis);
    target.iter().try_for_each(|&target| expect_index("target", "num_classes", classes, target))?;
    let rows = input.lanes(axis).into_iter().zip(target);
    let right = rows.filter(|(row, target)| random::first_largest(row.iter().copied()) == **target).count();
    Ok(right as f64 / target.len() as f64)
}

/// `max(0, x)` of every element, `torch.nn.functional.relu`. NaN stays NaN.
///
/// # Errors
/// [`Error::SizeOverflow`] for a result that no memory holds.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::functional::{relu, relu_backward};
///
/// let output = relu(&array![-1.0_f32, 0.0, 2.0])?;
/// assert_eq!(output, array![0.0, 0.0, 2.0]);
/// assert_eq!(relu_backward(&output, &array![5.0, 6.0, 7.0])?, array![0.0, 0.0, 7.0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html>
pub fn relu<A: Scalar, D: Dimension>(input: &ArrayRef<A, D>) -> Result<Array<A, D>> {
    let from = as_standard("input", input)?;
    let mut output = zeros("output", input.raw_dim())?;
    let to = elements_mut(&mut output);
    A::activate(fastest(), Activate { activation: Activation::Relu, from: elements(&from), to });
    Ok(output)
}

/// The gradient of the input of [`relu`], given its output and the output's gradient: `d_output` where the output is
/// greater than 0 or NaN, elsewhere 0, as torch has it.
///
/// # Errors
/// [`Error::Shape`] for a `d_output` of another shape than the output's, [`Error::SizeOverflow`] for a result that no
/// memory holds.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::functional::{relu, relu_backward};
///
/// let output = relu(&array![-2.0_f32, 3.0])?;
/// assert_eq!(relu_backward(&output, &array![1.0, 1.0])?, array![0.0, 1.0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub fn relu_backward<A: Scalar, D: Dimension>(
    output: &ArrayRef<A, D>,
    d_output: &ArrayRef<A, D>,
) -> Result<Array<A, D>> {
    expect_shape("d_output", output.shape(), d_output.shape())?;
    let mut d_input = try_standard("d_input", d_output)?;
    d_input.zip_mut_with(output, |d, &y| {
        if y <= A::zero() {
            *d = A::zero();
        }
    });
    Ok(d_input)
}

/// An index for each row of logits along the last axis, drawn with the probabilities
/// `softmax(logits / temperature)`: torch's `multinomial(softmax(logits / temperature, -1), 1)`.
///
/// A temperature below 1 makes likely indices likelier, one above 1 less likely; for the likeliest alone take
/// [`argmax`]. The draws, two words for each logit, are those of [`random::multinomial`].
///
/// | | one row | more axes |
/// |---|---|---|
/// | `logits` | (C) | (*, C) |
/// | result | () | (*) |
///
/// # Errors
/// [`Error::OutOfRange`] unless the temperature is finite and greater than 0, for a logit that is NaN or +infinity, and
/// for a row of -infinity alone; [`Error::LowRank`] for logits without axes. Nothing is drawn then.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{functional::sample, manual_seed};
///
/// let logits = array![[0.0_f32, 2.0, 1.0], [9.0, 0.0, 0.0]];
/// let letters = sample(&logits, 0.8, &mut manual_seed(0))?;
/// assert_eq!(letters, array![1, 0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "multinomial")]
pub fn sample<A: Scalar, D: Dimension, R: Rng + ?Sized>(
    logits: &ArrayRef<A, D>,
    temperature: f64,
    rng: &mut R,
) -> Result<Array<usize, D::Smaller>> {
    expect_number("temperature", temperature, "finite and greater than 0", |t| t.is_finite() && t > 0.0)?;
    let Some(last) = logits.ndim().checked_sub(1) else {
        return Err(Error::LowRank { array: "logits", expected: 1, actual: 0 });
    };
    let weights = of_rows(logits, Axis(last), |row, max| {
        row.iter_mut().for_each(|x| *x = libm::exp((*x - max) / temperature));
        let sum = row.iter().fold(0.0, |sum, x| sum + x);
        row.iter_mut().for_each(|x| *x /= sum);
    })?;
    random::multinomial(&weights, rng)
}
