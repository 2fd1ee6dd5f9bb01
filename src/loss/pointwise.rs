//! Losses of one element of the input and one of the target.

use ndarray::{ArrayRef, Dimension};

use super::{Loss, Losses, Reduction};
use crate::error::{Result, expect_number, expect_shape};
use crate::room::{self, room};
use crate::scalar::Scalar;

/// A loss of each element of the input and the target's element at the same place.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{PointwiseLoss, SquaredError};
///
/// let mse = PointwiseLoss::<SquaredError>::new(); // an `MseLoss`
/// assert_eq!(mse.forward(&array![3.0_f32], &array![1.0])?.value, 4.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PointwiseLoss<F> {
    pub(super) formula: F,
    pub(super) reduction: Reduction,
}

/// The formula of a [`PointwiseLoss`]; sealed.
///
/// ```
/// use ndarray::{ArrayRef1, array};
/// use ndarray_rnn::loss::{Formula, HuberLoss, PointwiseLoss};
///
/// /// For any such loss.
/// fn root<F: Formula>(loss: &PointwiseLoss<F>, x: &ArrayRef1<f64>, y: &ArrayRef1<f64>) -> ndarray_rnn::Result<f64> {
///     Ok(loss.forward(x, y)?.value.sqrt())
/// }
/// assert_eq!(root(&HuberLoss::new(), &array![2.0, 1.0], &array![0.0, 0.0])?, 1.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Formula: private::Formula {}

impl<F: private::Formula> Formula for F {}

pub(super) mod private {
    use crate::error::Result;

    pub trait Formula: Default {
        /// Checks the formula's options, for an input of a shape.
        fn validate(&self, _shape: &[usize]) -> Result<()> {
            Ok(())
        }

        /// The loss of element i, in row-major order, and its derivative with respect to the input.
        fn point(&self, i: usize, input: f64, target: f64) -> [f64; 2];
    }
}

impl<F: Formula> PointwiseLoss<F> {
    /// The mean.
    #[must_use]
    pub fn new() -> Self {
        Self { formula: F::default(), reduction: Reduction::Mean }
    }

    /// Sets how losses become one number. Default the mean.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// The loss and its gradient.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a target of another shape than the input's,
    /// and for weights that are neither one nor as many as the input's last axis is long;
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a negative or NaN `beta`, and for a `delta` that is not positive.
    pub fn forward<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> Result<Loss<A, D>> {
        self.expect_fit(input, target)?;
        let mut gradient = room("gradient", input.shape())?;
        let count = match self.reduction {
            Reduction::Mean => input.len() as f64,
            Reduction::Sum => 1.0,
        };
        let mut sum = 0.0;
        for [value, derivative] in self.points(input, target) {
            sum += value;
            gradient.push(A::from_f64(derivative / count));
        }
        Ok(Loss { value: A::from_f64(sum / count), gradient: room::array(input.raw_dim(), gradient) })
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
        self.expect_fit(input, target)?;
        let (mut gradient, mut values) = (room("gradient", input.shape())?, room("values", input.shape())?);
        for [value, derivative] in self.points(input, target) {
            values.push(A::from_f64(value));
            gradient.push(A::from_f64(derivative));
        }
        let [values, gradient] = [values, gradient].map(|elements| room::array(input.raw_dim(), elements));
        Ok(Losses { values, gradient, rows: None })
    }

    fn expect_fit<A, D: Dimension>(&self, input: &ArrayRef<A, D>, target: &ArrayRef<A, D>) -> Result<()> {
        self.formula.validate(input.shape())?;
        expect_shape("target", input.shape(), target.shape())
    }

    /// The loss of each element, and its derivative.
    fn points<A: Scalar, D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        target: &ArrayRef<A, D>,
    ) -> impl Iterator<Item = [f64; 2]> {
        let pairs = input.iter().zip(target).enumerate();
        pairs.map(|(i, (x, y))| self.formula.point(i, x.into_f64(), y.into_f64()))
    }
}

/// The squared error `(input - target)^2`, `torch.nn.MSELoss`.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::MseLoss;
///
/// let loss = MseLoss::new().forward(&array![[3.0_f32, 1.0]], &array![[1.0, 1.0]])?;
/// assert_eq!((loss.value, loss.gradient), (2.0, array![[2.0, 0.0]]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html>
#[doc(alias = "MSELoss")]
pub type MseLoss = PointwiseLoss<SquaredError>;

/// The formula of [`MseLoss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{PointwiseLoss, SquaredError};
///
/// let loss = PointwiseLoss::<SquaredError>::new().forward(&array![2.0_f32], &array![0.0])?;
/// assert_eq!(loss.value, 4.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SquaredError;

impl private::Formula for SquaredError {
    fn point(&self, _: usize, x: f64, y: f64) -> [f64; 2] {
        let d = x - y;
        [d * d, 2.0 * d]
    }
}

/// The absolute error `|input - target|`, `torch.nn.L1Loss`. Its derivative at 0 is 0.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::L1Loss;
///
/// let loss = L1Loss::new().forward(&array![[3.0_f32, 1.0]], &array![[1.0, 1.0]])?;
/// assert_eq!((loss.value, loss.gradient), (1.0, array![[0.5, 0.0]]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html>
pub type L1Loss = PointwiseLoss<AbsoluteError>;

/// The formula of [`L1Loss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{PointwiseLoss, AbsoluteError};
///
/// let loss = PointwiseLoss::<AbsoluteError>::new().forward(&array![2.0_f32], &array![0.0])?;
/// assert_eq!(loss.value, 2.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AbsoluteError;

impl private::Formula for AbsoluteError {
    fn point(&self, _: usize, x: f64, y: f64) -> [f64; 2] {
        let d = x - y;
        [d.abs(), sign(d)]
    }
}

/// Squared near the target, absolute further off, `torch.nn.SmoothL1Loss`.
///
/// With d = input - target: `d^2 / (2 beta)` where `|d| < beta`, else `|d| - beta / 2`. Beta 0 makes it [`L1Loss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::SmoothL1Loss;
///
/// let loss = SmoothL1Loss::new().beta(2.0).forward(&array![4.0_f32, 1.0], &array![0.0, 0.0])?;
/// assert_eq!((loss.value, loss.gradient), (1.625, array![0.5, 0.25]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.SmoothL1Loss.html>
pub type SmoothL1Loss = PointwiseLoss<SmoothL1>;

/// The formula of [`SmoothL1Loss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{PointwiseLoss, SmoothL1};
///
/// let loss = PointwiseLoss::<SmoothL1>::new().forward(&array![2.0_f32], &array![0.0])?;
/// assert_eq!(loss.value, 1.5);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SmoothL1 {
    beta: f64,
}

impl Default for SmoothL1 {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl SmoothL1Loss {
    /// Sets where the loss becomes absolute, at least 0. Default 1.
    #[must_use]
    pub fn beta(self, beta: f64) -> Self {
        Self { formula: SmoothL1 { beta }, ..self }
    }
}

impl private::Formula for SmoothL1 {
    fn validate(&self, _: &[usize]) -> Result<()> {
        expect_number("beta", self.beta, "at least 0", |beta| beta >= 0.0)
    }

    fn point(&self, _: usize, x: f64, y: f64) -> [f64; 2] {
        let (d, beta) = (x - y, self.beta);
        if d.abs() < beta { [0.5 * d * d / beta, d / beta] } else { [d.abs() - 0.5 * beta, sign(d)] }
    }
}

/// Squared near the target, linear further off, `torch.nn.HuberLoss`: `delta` times [`SmoothL1Loss`].
///
/// With d = input - target: `d^2 / 2` where `|d| <= delta`, else `delta (|d| - delta / 2)`.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::HuberLoss;
///
/// let loss = HuberLoss::new().delta(2.0).forward(&array![4.0_f32, 1.0], &array![0.0, 0.0])?;
/// assert_eq!((loss.value, loss.gradient), (3.25, array![1.0, 0.5]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html>
pub type HuberLoss = PointwiseLoss<Huber>;

/// The formula of [`HuberLoss`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::loss::{PointwiseLoss, Huber};
///
/// let loss = PointwiseLoss::<Huber>::new().forward(&array![2.0_f32], &array![0.0])?;
/// assert_eq!(loss.value, 1.5);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Huber {
    delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl HuberLoss {
    /// Sets where the loss becomes linear, greater than 0. Default 1.
    #[must_use]
    pub fn delta(self, delta: f64) -> Self {
        Self { formula: Huber { delta }, ..self }
    }
}

impl private::Formula for Huber {
    fn validate(&self, _: &[usize]) -> Result<()> {
        expect_number("delta", self.delta, "greater than 0", |delta| delta > 0.0)
    }

    fn point(&self, _: usize, x: f64, y: f64) -> [f64; 2] {
        let (d, delta) = (x - y, self.delta);
        if d.abs() <= delta { [0.5 * d * d, d] } else { [delta * (d.abs() - 0.5 * delta), delta * sign(d)] }
    }
}

/// -1, 0 or 1; 0 for NaN, as torch has it.
fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}
