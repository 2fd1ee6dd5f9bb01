//! Dropout between modules, `torch.nn.Dropout`.

use std::fmt;

use ndarray::{Array, ArrayRef, Dimension};

use crate::arrays::try_standard;
use crate::error::{Result, expect_probability, expect_shape};
use crate::invariant::Invariant;
use crate::random::Generators;
use crate::room::{filled, zeros};
use crate::scalar::Scalar;

/// Sets elements to zero at random in training, `torch.nn.Dropout`: each with probability p, and what is left is
/// multiplied by `1 / (1 - p)`. Without training nothing changes, so there is no other pass.
///
/// From [`manual_seed`](crate::manual_seed) the masks are torch's bit for bit, of an input in standard layout: one draw
/// of two words for each element in row-major order, none for p = 0 and p = 1. [`PerSequence`](crate::random::PerSequence)
/// has a generator for each index of the input's first axis.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{Dropout, manual_seed};
///
/// let dropout = Dropout::new(0.5)?;
/// let (output, mask) = dropout.forward_train(&Array2::<f32>::ones((2, 3)), &mut manual_seed(0))?;
/// // torch.manual_seed(0); torch.nn.Dropout(0.5)(torch.ones(2, 3))
/// assert_eq!(output, ndarray::array![[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]);
/// assert_eq!(mask.backward(&Array2::ones((2, 3)))?, output);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "f64", into = "f64")
)]
#[doc(alias = "torch.nn.Dropout")]
pub struct Dropout {
    p: f64,
}

/// What a pass of [`Dropout`] leaves for the way back: the factor of each element.
///
/// ```
/// use ndarray::Array1;
/// use ndarray_rnn::{Dropout, manual_seed};
///
/// let (output, mask) = Dropout::new(0.5)?.forward_train(&Array1::<f32>::ones(8), &mut manual_seed(0))?;
/// assert_eq!(mask.backward(&Array1::ones(8))?, output); // of ones: the factors themselves
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DropoutMask<A, D: Dimension> {
    factors: Array<A, D>,
}

impl Dropout {
    /// Dropout with probability `p`; torch's default is 0.5.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `p` is in [0, 1].
    pub fn new(p: f64) -> Result<Self> {
        expect_probability("p", p)?;
        Ok(Self { p })
    }

    /// The probability of zero.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p
    }

    /// The input times the factors that are drawn here, and these factors.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a result that no memory holds;
    /// [`Error::Shape`](crate::Error::Shape) for generators of another number than the first axis's length (1 for an input
    /// without axes). Nothing is drawn then.
    pub fn forward_train<A: Scalar, D: Dimension, G: Generators + ?Sized>(
        &self,
        input: &ArrayRef<A, D>,
        rng: &mut G,
    ) -> Result<(Array<A, D>, DropoutMask<A, D>)> {
        let sequences = input.shape().first().copied().unwrap_or(1);
        rng.expect(sequences)?;
        let mut factors = filled("mask", input.raw_dim(), A::one())?;
        let mut output = zeros("output", input.raw_dim())?;
        if self.p > 0.0 {
            let factors = factors.as_slice_mut().invariant("`filled` gives standard layout");
            rng.dropout(factors, self.p, input.len() / sequences.max(1), 0..sequences)?;
        }
        output.assign(input);
        output *= &factors;
        Ok((output, DropoutMask { factors }))
    }
}

impl<A: Scalar, D: Dimension> DropoutMask<A, D> {
    /// The gradient of the input, given that of the output: `d_output` times the factors.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a `d_output` of another shape than the input's,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a result that no memory holds.
    pub fn backward(&self, d_output: &ArrayRef<A, D>) -> Result<Array<A, D>> {
        expect_shape("d_output", self.factors.shape(), d_output.shape())?;
        let mut d_input = try_standard("d_input", &self.factors)?;
        d_input.zip_mut_with(d_output, |d, &d_output| *d *= d_output);
        Ok(d_input)
    }
}

impl TryFrom<f64> for Dropout {
    type Error = crate::Error;

    fn try_from(p: f64) -> Result<Self> {
        Self::new(p)
    }
}

impl From<Dropout> for f64 {
    fn from(dropout: Dropout) -> Self {
        dropout.p
    }
}

/// The text that torch shows for the module.
impl fmt::Display for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dropout(p={:?}, inplace=False)", self.p)
    }
}
