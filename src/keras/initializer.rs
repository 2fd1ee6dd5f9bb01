//! Keras's initialisers.

use ndarray::{ArrayD, ArrayRef, Dimension};
use rand::Rng;

use super::seeds::{SeedGenerator, default_seed};
use crate::error::{Error, Result, expect_finite, expect_number};
use crate::init::Qr;
use crate::scalar::Scalar;

/// The standard deviation of a standard normal variable truncated at 2, by which Keras divides.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// How a parameter of a new layer is made: Keras's `keras.initializers`.
///
/// From the same seed the numbers are those of Keras 3.15 on TensorFlow: bit for bit in `f32`; of an orthogonal matrix
/// within 1e-5, because another QR decomposition makes it. A kernel has the shape (fan_in, fan_out); a vector's length
/// is both.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::keras::Initializer;
///
/// let mut kernel = Array2::<f32>::zeros((4, 2));
/// Initializer::glorot_uniform().seed(1).fill(&mut kernel, &mut ndarray_rnn::keras::set_random_seed(0))?;
/// // keras.initializers.GlorotUniform(seed=1)((4, 2))
/// assert_eq!(kernel[[0, 0]], 0.75697637);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/initializers/>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias = "keras.initializers")]
pub struct Initializer {
    kind: Kind,
    seed: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
enum Kind {
    Constant { value: f64 },
    Identity { gain: f64 },
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, std: f64, truncated: bool },
    VarianceScaling { scale: f64, mode: FanMode, distribution: Distribution },
    Orthogonal { gain: f64 },
}

/// What a variance is divided by.
///
/// ```
/// use ndarray_rnn::keras::{Distribution, FanMode, Initializer};
///
/// let he_normal = Initializer::variance_scaling(2.0, FanMode::FanIn, Distribution::TruncatedNormal);
/// assert_eq!(he_normal, Initializer::he_normal());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum FanMode {
    /// The rows of a kernel.
    FanIn,
    /// The columns of a kernel.
    FanOut,
    /// Their mean.
    FanAvg,
}

/// What values of a variance are drawn from.
///
/// ```
/// use ndarray_rnn::keras::{Distribution, FanMode, Initializer};
///
/// let glorot = Initializer::variance_scaling(1.0, FanMode::FanAvg, Distribution::Uniform);
/// assert_eq!(glorot, Initializer::glorot_uniform());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Distribution {
    /// A uniform distribution.
    Uniform,
    /// A normal distribution whose values beyond two standard deviations are drawn again.
    TruncatedNormal,
    /// A normal distribution.
    UntruncatedNormal,
}

impl Initializer {
    /// Zeros.
    #[must_use]
    pub fn zeros() -> Self {
        Self::constant(0.0)
    }

    /// Ones.
    #[must_use]
    pub fn ones() -> Self {
        Self::constant(1.0)
    }

    /// One value everywhere, rounded to `f32` as in Keras, in `f64` too: `constant(0.1)` is 0.10000000149011612 there.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self::of(Kind::Constant { value })
    }

    /// `gain` on the diagonal, zeros elsewhere.
    #[must_use]
    pub fn identity(gain: f64) -> Self {
        Self::of(Kind::Identity { gain })
    }

    /// Uniform in `[low, high)`. Keras's default is -0.05 to 0.05.
    #[must_use]
    pub fn random_uniform(low: f64, high: f64) -> Self {
        Self::of(Kind::Uniform { low, high })
    }

    /// Normal. Keras's default is mean 0, standard deviation 0.05.
    #[must_use]
    pub fn random_normal(mean: f64, std: f64) -> Self {
        Self::of(Kind::Normal { mean, std, truncated: false })
    }

    /// Normal, but values beyond two standard deviations are drawn again. Keras's default is mean 0, standard deviation
    /// 0.05.
    #[must_use]
    pub fn truncated_normal(mean: f64, std: f64) -> Self {
        Self::of(Kind::Normal { mean, std, truncated: true })
    }

    /// Of variance `scale / fan`, where `mode` says which fan.
    #[must_use]
    pub fn variance_scaling(scale: f64, mode: FanMode, distribution: Distribution) -> Self {
        Self::of(Kind::VarianceScaling { scale, mode, distribution })
    }

    /// U(-a, a), `a = sqrt(6 / (fan_in + fan_out))`: a kernel's default.
    #[must_use]
    pub fn glorot_uniform() -> Self {
        Self::variance_scaling(1.0, FanMode::FanAvg, Distribution::Uniform)
    }

    /// Truncated normal of variance `2 / (fan_in + fan_out)`.
    #[must_use]
    pub fn glorot_normal() -> Self {
        Self::variance_scaling(1.0, FanMode::FanAvg, Distribution::TruncatedNormal)
    }

    /// U(-a, a), `a = sqrt(6 / fan_in)`.
    #[must_use]
    pub fn he_uniform() -> Self {
        Self::variance_scaling(2.0, FanMode::FanIn, Distribution::Uniform)
    }

    /// Truncated normal of variance `2 / fan_in`.
    #[must_use]
    pub fn he_normal() -> Self {
        Self::variance_scaling(2.0, FanMode::FanIn, Distribution::TruncatedNormal)
    }

    /// U(-a, a), `a = sqrt(3 / fan_in)`.
    #[must_use]
    pub fn lecun_uniform() -> Self {
        Self::variance_scaling(1.0, FanMode::FanIn, Distribution::Uniform)
    }

    /// Truncated normal of variance `1 / fan_in`.
    #[must_use]
    pub fn lecun_normal() -> Self {
        Self::variance_scaling(1.0, FanMode::FanIn, Distribution::TruncatedNormal)
    }

    /// `gain` times a random matrix whose rows or columns, whichever are fewer, are orthonormal: a recurrent kernel's
    /// default.
    #[must_use]
    pub fn orthogonal(gain: f64) -> Self {
        Self::of(Kind::Orthogonal { gain })
    }

    /// Sets the seed. Default: drawn when a layer is made.
    #[must_use]
    pub fn seed(self, seed: i64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Fills an array in its logical order. A random initialiser without a seed draws one from `rng`.
    ///
    /// # Errors
    /// [`Error::Rank`] for an identity or orthogonal matrix of other than two axes; [`Error::OutOfRange`] for an
    /// argument that is not finite, a negative standard deviation or a scale that is not positive;
    /// [`Error::SizeOverflow`] if no memory holds two copies of an orthogonal matrix in `f64`. Nothing is drawn then.
    pub fn fill<A: Scalar, D: Dimension, R: Rng + ?Sized>(
        &self,
        array: &mut ArrayRef<A, D>,
        rng: &mut R,
    ) -> Result<()> {
        self.validate::<A>(array.ndim())?;
        let workspace = self.workspace(array.shape())?;
        self.filled_by(array, workspace, || self.seed.unwrap_or_else(|| default_seed(rng)))
    }

    /// The same initialiser with a seed, which a random one without a seed draws as Keras does when it makes one.
    pub(super) fn seeded<R: Rng + ?Sized>(self, rng: &mut R) -> Self {
        let random = !matches!(self.kind, Kind::Constant { .. } | Kind::Identity { .. });
        let seed = self.seed.or_else(|| random.then(|| default_seed(rng)));
        Self { seed, ..self }
    }

    /// The memory that an array of this shape is filled in, which is made before anything is drawn.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if there is none.
    pub(super) fn workspace(&self, shape: &[usize]) -> Result<Workspace> {
        match (&self.kind, shape) {
            (Kind::Orthogonal { .. }, &[rows, columns]) => {
                Ok(Workspace(Some(Qr::new(rows.max(columns), rows.min(columns))?)))
            }
            _ => Ok(Workspace(None)),
        }
    }

    /// Fills an array. An initialiser without a seed takes seed 0: only [`validate`](Self::validate) calls one.
    pub(super) fn fill_seeded<A: Scalar, D: Dimension>(
        &self,
        array: &mut ArrayRef<A, D>,
        workspace: Workspace,
    ) -> Result<()> {
        self.filled_by(array, workspace, || self.seed.unwrap_or(0))
    }

    /// Fills an array from a seed, if it needs one.
    fn filled_by<A: Scalar, D: Dimension>(
        &self,
        array: &mut ArrayRef<A, D>,
        workspace: Workspace,
        seed: impl FnOnce() -> i64,
    ) -> Result<()> {
        match self.kind {
            Kind::Constant { value } => {
                // Keras makes a tensor of single precision of the value before it knows the array's element type.
                expect_number("value", value, "finite as an f32", |value| (value as f32).is_finite())?;
                array.fill(A::from_f64((value as f32).into()));
                Ok(())
            }
            Kind::Identity { gain } => crate::init::eye(array, gain),
            Kind::Uniform { low, high } => SeedGenerator::new(seed()).uniform(array, low, high),
            Kind::Normal { mean, std, truncated: false } => {
                SeedGenerator::new(seed()).normal(array, mean, std)
            }
            Kind::Normal { mean, std, truncated: true } => {
                SeedGenerator::new(seed()).truncated_normal(array, mean, std)
            }
            Kind::VarianceScaling { scale, mode, distribution } => {
                let variance = variance(scale, array.shape(), mode)?;
                scaled(array, variance, distribution, &mut SeedGenerator::new(seed()))
            }
            Kind::Orthogonal { gain } => orthogonal(array, gain, workspace, seed),
        }
    }

    fn of(kind: Kind) -> Self {
        Self { kind, seed: None }
    }

    /// Checks the arguments by filling the smallest array of so many axes.
    pub(super) fn validate<A: Scalar>(&self, axes: usize) -> Result<()> {
        let mut smallest = ArrayD::<A>::zeros(vec![1; axes]);
        let workspace = self.workspace(smallest.shape())?;
        self.fill_seeded(&mut smallest, workspace)
    }
}

/// The memory that an initialiser works in, if it needs any.
#[derive(Debug)]
pub struct Workspace(Option<Qr>);

/// The variance of an array's elements.
fn variance(scale: f64, shape: &[usize], mode: FanMode) -> Result<f64> {
    if scale.is_finite() && scale > 0.0 {
        return Ok(scale / fan(shape, mode).max(1.0));
    }
    Err(Error::OutOfRange { name: "scale", expected: "finite and greater than 0", actual: scale })
}

/// Fills an array with values of mean 0 and a variance.
fn scaled<A: Scalar, D: Dimension>(
    array: &mut ArrayRef<A, D>,
    variance: f64,
    distribution: Distribution,
    seeds: &mut SeedGenerator,
) -> Result<()> {
    let limit = (3.0 * variance).sqrt();
    match distribution {
        Distribution::Uniform => seeds.uniform(array, -limit, limit),
        Distribution::TruncatedNormal => seeds.truncated_normal(array, 0.0, variance.sqrt() / TRUNCATED_STD),
        Distribution::UntruncatedNormal => seeds.normal(array, 0.0, variance.sqrt()),
    }
}

/// The fan of a shape. Keras takes all axes but the last two for a receptive field, which multiplies both fans.
fn fan(shape: &[usize], mode: FanMode) -> f64 {
    let sizes: Vec<_> = shape.iter().map(|&size| size as f64).collect();
    let (fan_in, fan_out) = match sizes[..] {
        [] => (1.0, 1.0),
        [size] => (size, size),
        [ref field @ .., fan_in, fan_out] => {
            let field: f64 = field.iter().product();
            (fan_in * field, fan_out * field)
        }
    };
    match mode {
        FanMode::FanIn => fan_in,
        FanMode::FanOut => fan_out,
        FanMode::FanAvg => (fan_in + fan_out) / 2.0,
    }
}

fn orthogonal<A: Scalar, D: Dimension>(
    array: &mut ArrayRef<A, D>,
    gain: f64,
    workspace: Workspace,
    seed: impl FnOnce() -> i64,
) -> Result<()> {
    expect_finite("gain", gain)?;
    let (&[rows, columns], Workspace(Some(mut qr))) = (array.shape(), workspace) else {
        return Err(Error::Rank { array: "weight", expected: 2, actual: array.ndim() });
    };
    SeedGenerator::new(seed()).standard_normal::<A>(&mut qr.a);
    let q = qr.signed_q();
    let q = if rows < columns { q.reversed_axes() } else { q };
    // Keras rounds Q before it multiplies by the gain.
    array.iter_mut().zip(&q).for_each(|(x, &q)| *x = A::from_f64(gain) * A::from_f64(q));
    Ok(())
}
