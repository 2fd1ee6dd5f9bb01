//! An affine map, `torch.nn.Linear`.

use std::fmt;
use std::sync::OnceLock;

use ndarray::{Array, Array1, Array2, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension, Ix1};
use rand::Rng;

use crate::arrays::{as_standard, elements, elements_mut};
use crate::error::{Error, Result, expect_addressable, expect_positive, expect_shape, expect_width};
use crate::kernels::{Chain, Matrix, Panels, Plan, Product, Start, fastest, transpose};
use crate::options::options;
use crate::parameters::{Parameters, of_parameters};
use crate::random;
use crate::room::{get_or_make, zeros};
use crate::scalar::Scalar;

options! {
    /// The arguments of `torch.nn.Linear`, with torch's names and defaults.
    ///
    /// ```
    /// use ndarray_rnn::LinearConfig;
    ///
    /// let config = LinearConfig::new(4, 2).bias(false);
    /// assert_eq!(config.to_string(), "Linear(in_features=4, out_features=2, bias=False)");
    /// ```
    #[derive(Debug, Clone, PartialEq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
    pub struct LinearConfig(
        /// The number of the input's features, at least 1.
        in_features: usize,
        /// The number of the output's features, at least 1.
        out_features: usize,
    ) {
        /// Whether there is a `bias`. Default true.
        bias: bool = true,
    }
}

/// The text that torch shows for the module.
impl fmt::Display for LinearConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bias = if self.bias { "True" } else { "False" };
        write!(f, "Linear(in_features={}, out_features={}, bias={bias})", self.in_features, self.out_features)
    }
}

/// The parameters of a [`Linear`], or their gradient.
///
/// | name | shape |
/// |---|---|
/// | `weight` | (out_features, in_features) |
/// | `bias` | (out_features), absent without bias |
///
/// ```
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let linear = Linear::<f32>::zeros(LinearConfig::new(4, 2).bias(false))?;
/// assert_eq!((linear.parameters().weight().dim(), linear.parameters().bias()), ((2, 4), None));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinearParameters<A> {
    weight: Array2<A>,
    bias: Option<Array1<A>>,
}

impl<A: Scalar> LinearParameters<A> {
    /// `W`, of shape (out_features, in_features).
    #[must_use]
    pub fn weight(&self) -> &Array2<A> {
        &self.weight
    }

    /// `b`, of shape (out_features), if there is one.
    #[must_use]
    pub fn bias(&self) -> Option<&Array1<A>> {
        self.bias.as_ref()
    }
}

impl<A: Scalar> Parameters for LinearParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let weight = ("weight".into(), self.weight.view().into_dyn());
        let bias = self.bias.as_ref().map(|bias| ("bias".into(), bias.view().into_dyn()));
        [weight].into_iter().chain(bias).collect()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let weight = ("weight".into(), self.weight.view_mut().into_dyn());
        let bias = self.bias.as_mut().map(|bias| ("bias".into(), bias.view_mut().into_dyn()));
        [weight].into_iter().chain(bias).collect()
    }
}

/// What [`Linear::backward`] returns.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let linear = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let gradients = linear.backward(&Array2::ones((5, 4)), &Array2::ones((5, 2)))?;
/// assert_eq!((gradients.parameters.weight()[[0, 0]], gradients.input.dim()), (5.0, (5, 4)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LinearGradients<A, D: Dimension> {
    /// The parameters' gradient, named like the parameters.
    pub parameters: LinearParameters<A>,
    /// The input's gradient, of the input's shape.
    pub input: Array<A, D>,
}

/// An affine map of the last axis, `torch.nn.Linear`: `y = x W' + b`.
///
/// | | shape |
/// |---|---|
/// | `input` | (*, in_features), where * is any number of axes, or no axis |
/// | `output` | (*, out_features) |
///
/// # Reproducibility
/// Every element of the output is one chain of fused multiply-adds that starts at the bias and takes the features
/// in order: the same bits on every machine, for a row alone or in a batch, in any memory layout.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{Linear, LinearConfig, manual_seed};
///
/// let linear = Linear::<f32>::new(LinearConfig::new(4, 2), &mut manual_seed(0))?;
/// let input = Array2::ones((5, 4));
/// let output = linear.forward(&input)?;
/// assert_eq!(output.dim(), (5, 2));
///
/// let gradients = linear.backward(&input, &Array2::ones((5, 2)))?;
/// assert_eq!(gradients.input.dim(), (5, 4));
/// assert_eq!(gradients.parameters.weight().dim(), (2, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html>
#[derive(Debug, Clone)]
#[doc(alias = "Dense")]
#[doc(alias = "torch.nn.Linear")]
pub struct Linear<A: Scalar = f32> {
    config: LinearConfig,
    parameters: LinearParameters<A>,
    /// The weight packed for each pass: made at the pass's first use, and dropped when the weight may change.
    packed: Packed<A>,
}

#[derive(Debug, Clone, Default)]
struct Packed<A: Scalar> {
    transposed: OnceLock<Panels<A>>,
    straight: OnceLock<Panels<A>>,
}

impl<A: Scalar> Packed<A> {
    fn forget(&mut self) {
        *self = Self::default();
    }
}

impl<A: Scalar> Linear<A> {
    /// A map with torch's initial parameters, each from U(-k, k) with k = 1/sqrt(in_features).
    ///
    /// From [`manual_seed`](crate::manual_seed) they are torch's bit for bit: the weight is drawn first, then the
    /// bias, one word for each number in `f32`, two in `f64`.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a size of zero, which torch allows; [`Error::SizeOverflow`] for a weight that no
    /// memory holds.
    pub fn new<R: Rng + ?Sized>(config: LinearConfig, rng: &mut R) -> Result<Self> {
        let mut linear = Self::zeros(config)?;
        let root = (linear.config.in_features as f64).sqrt();
        // Both bounds are 1 / root, but torch computes the weight's by kaiming_uniform_(a = sqrt 5), with other
        // rounding.
        let weight = 3_f64.sqrt() * ((2.0_f64 / 6.0).sqrt() / root);
        let bounds = [weight, 1.0 / root];
        for ((_, mut value), bound) in linear.named_parameters_mut().into_iter().zip(bounds) {
            random::uniform(&mut value, -bound, bound, rng)?;
        }
        Ok(linear)
    }

    /// A map whose parameters are zero, to be loaded or initialised otherwise (see [`init`](crate::init)).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: LinearConfig) -> Result<Self> {
        let LinearConfig { in_features, out_features, bias } = config;
        expect_positive("in_features", in_features)?;
        expect_positive("out_features", out_features)?;
        let weight = zeros("weight", (out_features, in_features))?;
        let bias = bias.then(|| zeros("bias", Ix1(out_features))).transpose()?;
        let parameters = LinearParameters { weight, bias };
        Ok(Self { config, parameters, packed: Packed::default() })
    }

    /// `y = x W' + b` over the last axis, in standard layout.
    ///
    /// `y[.., o]` is the chain of `W[o, i] x[.., i]` over i ascending that starts at `b[o]`, or 0.
    ///
    /// # Errors
    /// [`Error::LowRank`] for an input without axes, [`Error::Width`] unless the input's last axis has `in_features`,
    /// [`Error::SizeOverflow`] for an output that no memory holds.
    pub fn forward<D: Dimension>(&self, input: &ArrayRef<A, D>) -> Result<Array<A, D>> {
        let rows = self.check_input(input)?;
        let LinearConfig { in_features, .. } = self.config;
        let output_dim = self.output_dim(input)?;
        let bias = self.parameters.bias.as_ref().map(|bias| elements(bias));
        let weights = get_or_make(&self.packed.transposed, || Panels::transposed(&self.parameters.weight))?;
        let input = as_standard("input", input)?;
        let mut output = zeros("output", output_dim)?;
        let (a, start) =
            (Matrix::contiguous(elements(&input), rows, in_features), bias.map_or(Start::Zero, Start::Bias));
        let c = elements_mut(&mut output);
        A::product(fastest(), Product::new(&[Chain { start, a, weights: weights.all() }], c));
        Ok(output)
    }

    /// The gradients of parameters and input, given the input and the gradient `d_output` of its output.
    ///
    /// ```text
    /// d_input[.., i] = sum over o of d_output[.., o] W[o, i]
    /// d_weight[o, i] = sum over rows of d_output[row, o] input[row, i]
    /// d_bias[o]      = sum over rows of d_output[row, o]
    /// ```
    ///
    /// Each sum is one chain from 0, over ascending o or over the rows in row-major order of the leading axes. The
    /// links are fused multiply-adds; for the bias they are additions.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`] for a `d_output` of another shape than the output's.
    pub fn backward<D: Dimension>(
        &self,
        input: &ArrayRef<A, D>,
        d_output: &ArrayRef<A, D>,
    ) -> Result<LinearGradients<A, D>> {
        let rows = self.check_input(input)?;
        expect_shape("d_output", self.output_dim(input)?.slice(), d_output.shape())?;
        let mut d_input = zeros("d_input", input.raw_dim())?;
        let (input, d_output) = (as_standard("input", input)?, as_standard("d_output", d_output)?);
        let parameters = LinearParameters {
            weight: self.weight_gradient(elements(&input), elements(&d_output))?,
            bias: self.config.bias.then(|| self.bias_gradient(elements(&d_output))).transpose()?,
        };
        self.input_gradient(rows, elements(&d_output), elements_mut(&mut d_input))?;
        Ok(LinearGradients { parameters, input: d_input })
    }

    fn input_gradient(&self, rows: usize, d_output: &[A], d_input: &mut [A]) -> Result<()> {
        let a = Matrix::contiguous(d_output, rows, self.config.out_features);
        let weights = get_or_make(&self.packed.straight, || Panels::straight(&self.parameters.weight))?.all();
        A::product(fastest(), Product::new(&[Chain { start: Start::Zero, a, weights }], d_input));
        Ok(())
    }

    fn weight_gradient(&self, input: &[A], d_output: &[A]) -> Result<Array2<A>> {
        let LinearConfig { in_features, out_features, .. } = self.config;
        let mut d_weight = zeros("d_weight", (out_features, in_features))?;
        let (plan, mut columns, mut panels) = (Plan::default(), Vec::new(), Panels::default());
        let inputs = input.chunks(plan.terms.saturating_mul(in_features));
        for (input, d_output) in inputs.zip(d_output.chunks(plan.terms.saturating_mul(out_features))) {
            transpose(d_output, out_features, 0..out_features, &mut columns)?;
            panels.fill(in_features, input.chunks_exact(in_features))?;
            let a = Matrix::contiguous(&columns, out_features, input.len() / in_features);
            let c = elements_mut(&mut d_weight);
            let chain = Chain { start: Start::Output, a, weights: panels.all() };
            A::product(plan.arch, Product::new(&[chain], c));
        }
        Ok(d_weight)
    }

    fn bias_gradient(&self, d_output: &[A]) -> Result<Array1<A>> {
        let mut d_bias: Array1<A> = zeros("d_bias", self.config.out_features)?;
        for row in d_output.chunks_exact(self.config.out_features) {
            d_bias.iter_mut().zip(row).for_each(|(sum, &d)| *sum += d);
        }
        Ok(d_bias)
    }

    /// Checks an input's width, and returns its number of rows.
    fn check_input<D: Dimension>(&self, input: &ArrayRef<A, D>) -> Result<usize> {
        let (width, expected) = (input.shape().last(), self.config.in_features);
        let width = width.ok_or(Error::LowRank { array: "input", expected: 1, actual: 0 })?;
        expect_width("input", "in_features", expected, *width)?;
        Ok(input.len() / expected)
    }

    fn output_dim<D: Dimension>(&self, input: &ArrayRef<A, D>) -> Result<D> {
        let mut dim = input.raw_dim();
        dim[input.ndim() - 1] = self.config.out_features;
        expect_addressable("output", dim.slice(), size_of::<A>())?;
        Ok(dim)
    }
}

of_parameters!([A: Scalar] Linear<A> { LinearConfig, LinearParameters<A>, packed });
