//! Clipping of gradients.

use crate::error::{Error, Result, expect_number};
use crate::norm::norm as norm_of;
use crate::options::options;
use crate::parameters::Parameters;
use crate::scalar::Scalar;

options! {
    /// The norm that gradients are clipped to: the arguments of torch's `clip_grad_norm_`, with torch's names and defaults.
    ///
    /// ```
    /// use ndarray_rnn::optim::MaxNorm;
    ///
    /// let norm = MaxNorm::new(1.0).norm_type(f64::INFINITY);
    /// assert_eq!((norm.max_norm, norm.norm_type, norm.error_if_nonfinite), (1.0, f64::INFINITY, false));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct MaxNorm(
        /// The greatest norm, at least 0.
        max_norm: f64,
    ) {
        /// Which norm, greater than 0; infinity is the largest absolute value. Default 2.
        norm_type: f64 = 2.0,
        /// Whether an infinite or NaN norm is an error. If not, the gradients are scaled all the same: they become NaN or 0.
        /// Default false.
        error_if_nonfinite: bool = false,
    }
}

/// Scales gradients so that their total norm is at most `max_norm`, and returns the norm that they had: torch's
/// `clip_grad_norm_`.
///
/// ```text
/// total_norm = (sum of |g|^norm_type over all elements of all gradients)^(1 / norm_type), or the largest |g|
/// g = g min(max_norm / (total_norm + 1e-6), 1)
/// ```
///
/// A `norm_type` of 0 or less, which torch allows, gives no norm and is refused.
///
/// # Reproducibility
/// The sum is one chain of additions in `f64`, over the gradients in their order and each in row-major order, and the
/// norm is rounded to the gradients' type once. torch sums in parts, in the gradients' type, so both norms agree
/// within a few roundings of that type.
///
/// # Errors
/// [`Error::OutOfRange`] for a `max_norm` that is negative or NaN, a `norm_type` that is not positive;
/// [`Error::NonFinite`] for an infinite or NaN norm if `error_if_nonfinite`. The gradients are unchanged then.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::optim::{MaxNorm, clip_grad_norm};
/// use ndarray_rnn::{Embedding, EmbeddingConfig, Parameters};
///
/// let mut gradients = Embedding::<f64>::zeros(EmbeddingConfig::new(1, 2))?;
/// gradients.load_state_dict([("weight", array![[3.0, -4.0]])])?;
/// assert_eq!(clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?, 5.0);
/// assert!((gradients.weight() - array![[0.6, -0.8]]).iter().all(|d| d.abs() < 1e-6));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html>
#[doc(alias = "clip_grad_norm_")]
pub fn clip_grad_norm<A: Scalar>(gradients: &mut impl Parameters<Elem = A>, norm: MaxNorm) -> Result<A> {
    let MaxNorm { max_norm, norm_type, error_if_nonfinite } = norm;
    expect_number("max_norm", max_norm, "at least 0", |x| x >= 0.0)?;
    expect_number("norm_type", norm_type, "greater than 0", |x| x > 0.0)?;
    let all = gradients.named_parameters();
    let elements = all.iter().flat_map(|(_, gradient)| gradient).map(|g| g.into_f64());
    let total_norm = A::from_f64(norm_of(elements, norm_type));
    if error_if_nonfinite && !total_norm.is_finite() {
        return Err(Error::NonFinite { name: "total_norm", actual: total_norm.into_f64() });
    }
    // torch divides a number by a tensor so: the tensor's reciprocal times the number.
    let scale = A::one() / (total_norm + A::from_f64(1e-6)) * A::from_f64(max_norm);
    let scale = if scale > A::one() { A::one() } else { scale };
    for (_, mut gradient) in gradients.named_parameters_mut() {
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    Ok(total_norm)
}

/// Limits every element of gradients to `[-clip_value, clip_value]`, torch's `clip_grad_value_`. NaN stays NaN.
///
/// # Errors
/// [`Error::OutOfRange`] for a `clip_value` that is negative or NaN; the gradients are unchanged then.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::optim::clip_grad_value;
/// use ndarray_rnn::{Embedding, EmbeddingConfig, Parameters};
///
/// let mut gradients = Embedding::<f64>::zeros(EmbeddingConfig::new(1, 2))?;
/// gradients.load_state_dict([("weight", array![[3.0, -0.5]])])?;
/// clip_grad_value(&mut gradients, 1.0)?;
/// assert_eq!(gradients.weight(), array![[1.0, -0.5]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html>
#[doc(alias = "clip_grad_value_")]
pub fn clip_grad_value<A: Scalar>(gradients: &mut impl Parameters<Elem = A>, clip_value: f64) -> Result<()> {
    expect_number("clip_value", clip_value, "at least 0", |x| x >= 0.0)?;
    let bound = A::from_f64(clip_value);
    for (_, mut gradient) in gradients.named_parameters_mut() {
        gradient.mapv_inplace(|g| if g.abs() > bound { bound.copysign(g) } else { g });
    }
    Ok(())
}
