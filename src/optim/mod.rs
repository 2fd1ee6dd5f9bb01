//! Optimisers, under the names of `torch.optim`, and what goes with them: [schedules](StepLr) of the learning rate,
//! clipping of gradients.
//!
//! Each step does what torch's `_single_tensor_*` functions do, operation by operation: what torch computes in Python
//! is computed in `f64`; what torch computes with tensors is computed in the parameters' type, and fused where torch's
//! kernels fuse. No step sums over elements, so the bits do not depend on the machine.

mod adam;
mod clip;
mod rmsprop;
mod schedule;
#[cfg(feature = "serde")]
mod serialize;
mod sgd;

pub use adam::AdamConfig;
pub use clip::{MaxNorm, clip_grad_norm, clip_grad_value};
pub use rmsprop::RmsPropConfig;
pub use schedule::{CosineAnnealingLr, ExponentialLr, StepLr};
pub use sgd::SgdConfig;

use std::fmt::Debug;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};
use pulp::Arch;

use crate::error::{Error, Result, expect_non_negative, expect_number, expect_shape};
use crate::invariant::Invariant;
use crate::kernels::Update;
use crate::parameters::{Parameters, with_elements};
use crate::room::zeros;
use crate::scalar::Scalar;

/// Stochastic gradient descent, `torch.optim.SGD`: an [`Optimizer`] with an [`SgdConfig`], where the formula is.
#[doc(alias = "SGD")]
pub type Sgd<A = f32> = Optimizer<SgdConfig, A>;

/// Adam and, with decoupled weight decay, AdamW: an [`Optimizer`] with an [`AdamConfig`], where the formula is.
#[doc(alias = "AdamW")]
pub type Adam<A = f32> = Optimizer<AdamConfig, A>;

/// RMSprop, `torch.optim.RMSprop`: an [`Optimizer`] with an [`RmsPropConfig`], where the formula is.
#[doc(alias = "RMSprop")]
pub type RmsProp<A = f32> = Optimizer<RmsPropConfig, A>;

/// Changes the parameters of one model by its gradients: [`Sgd`], [`Adam`], [`RmsProp`].
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::optim::{Adam, AdamConfig};
/// use ndarray_rnn::{Linear, LinearConfig, loss::MseLoss, manual_seed};
///
/// let mut model = Linear::<f64>::new(LinearConfig::new(1, 1), &mut manual_seed(0))?;
/// let mut optimizer = Adam::new(AdamConfig::new().lr(0.1), &model)?;
/// let (x, y) = (array![[0.0], [1.0], [2.0]], array![[1.0], [3.0], [5.0]]);
/// for _ in 0..300 {
///     let loss = MseLoss::new().forward(&model.forward(&x)?, &y)?;
///     let gradients = model.backward(&x, &loss.gradient)?;
///     optimizer.step(&mut model, &gradients.parameters)?;
/// }
/// assert!((model.parameters().weight()[[0, 0]] - 2.0).abs() < 1e-3);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/optim.html>
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer<C, A: Scalar = f32> {
    config: C,
    step: u64,
    memory: Memory<A>,
}

/// What an [`Optimizer`] keeps from step to step, for a file.
///
/// The options, of which the learning rate is one, are not part of it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct OptimizerState<A> {
    /// The number of steps made.
    pub step: u64,
    /// Arrays named `{parameter}.{buffer}` such as `weight_ih_l0.exp_avg`, in the parameters' order.
    pub arrays: Vec<(String, ArrayD<A>)>,
}

impl<C: Algorithm, A: Scalar> Optimizer<C, A> {
    /// An optimiser of one model, or of any other model with the same names and shapes.
    ///
    /// Buffers such as Adam's moments are allocated here, as large as the model each.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for an option out of its range, or larger than the largest number of the parameters' type;
    /// [`Error::SizeOverflow`] for buffers that no memory holds.
    pub fn new(config: C, model: &impl Parameters<Elem = A>) -> Result<Self> {
        config.validate::<A>()?;
        let buffers = config.buffers();
        let remember = |(name, value): (String, ArrayViewD<'_, A>)| {
            let zeros = |&buffer| Ok((buffer, zeros(&format!("{name}.{buffer}"), value.raw_dim())?));
            let buffers = buffers.iter().map(zeros).collect::<Result<_>>()?;
            Ok(Remembered { name, shape: value.shape().into(), buffers })
        };
        let remembered = model.named_parameters().into_iter().map(remember);
        Ok(Self { config, step: 0, memory: Memory(remembered.collect::<Result<_>>()?) })
    }

    /// The options.
    #[must_use]
    pub fn config(&self) -> &C {
        &self.config
    }

    /// The learning rate.
    #[must_use]
    pub fn lr(&self) -> f64 {
        self.config.lr()
    }

    /// Changes the learning rate, for instance to what a [schedule](StepLr) says.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `lr` is finite, in the parameters' type too, and not negative; the learning rate is
    /// unchanged then.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        expect_option::<A>("lr", lr)?;
        self.config.set_lr(lr);
        Ok(())
    }

    /// Changes every parameter of the model by its gradient.
    ///
    /// The gradients are named and shaped like the parameters, in the same order: what `backward` returns for the
    /// model, or a tuple of gradients for a tuple of models.
    ///
    /// # Errors
    /// [`Error::MissingParameter`], [`Error::UnexpectedParameter`] or [`Error::Shape`] for gradients or a model of
    /// other names or shapes than the optimiser was made for; model and optimiser are unchanged then.
    pub fn step<M, G>(&mut self, model: &mut M, gradients: &G) -> Result<()>
    where
        M: Parameters<Elem = A>,
        G: Parameters<Elem = A>,
    {
        let (mut values, gradients) = (model.named_parameters_mut(), gradients.named_parameters());
        let memory = &mut self.memory.0;
        let expected = memory.iter().map(|parameter| (&parameter.name[..], &parameter.shape[..]));
        expect_same("", expected.clone(), values.iter().map(|(name, value)| (&name[..], value.shape())))?;
        let actual = gradients.iter().map(|(name, gradient)| (&name[..], gradient.shape()));
        expect_same("gradient of ", expected, actual)?;
        self.step = self.step.saturating_add(1);
        let arch = Arch::new();
        for (((_, value), (_, gradient)), parameter) in values.iter_mut().zip(gradients).zip(memory) {
            let gradient = gradient.as_standard_layout();
            let gradient = gradient.as_slice().invariant("an array in standard layout is a slice");
            with_elements(value, |value| {
                A::update(arch, self.config.update(self.step, value, gradient, parameter.elements()));
            });
        }
        Ok(())
    }

    /// A copy of what the optimiser keeps from step to step.
    ///
    /// ```
    /// use ndarray_rnn::optim::{Adam, AdamConfig};
    /// use ndarray_rnn::{Linear, LinearConfig};
    ///
    /// let model = Linear::<f32>::zeros(LinearConfig::new(4, 2).bias(false))?;
    /// let state = Adam::new(AdamConfig::new(), &model)?.state_dict();
    /// let names: Vec<_> = state.arrays.iter().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!((state.step, names), (0, vec!["weight.exp_avg", "weight.exp_avg_sq"]));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[must_use]
    pub fn state_dict(&self) -> OptimizerState<A> {
        OptimizerState { step: self.step, arrays: self.memory.state_dict() }
    }

    /// Goes on from the state of an optimiser with the same buffers, of a model with the same names and shapes.
    ///
    /// # Errors
    /// As [`Parameters::load_state_dict`]; the optimiser is unchanged then.
    ///
    /// ```
    /// use ndarray_rnn::optim::{Adam, AdamConfig};
    /// use ndarray_rnn::{Linear, LinearConfig};
    ///
    /// let mut model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
    /// let gradients = model.clone();
    /// let mut adam = Adam::new(AdamConfig::new(), &model)?;
    /// adam.step(&mut model, &gradients)?;
    ///
    /// let mut resumed = Adam::new(AdamConfig::new(), &model)?;
    /// resumed.load_state_dict(&adam.state_dict())?;
    /// assert_eq!(resumed, adam);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn load_state_dict(&mut self, state: &OptimizerState<A>) -> Result<()> {
        self.memory.load_state_dict(state.arrays.iter().map(|(name, array)| (&name[..], array.view())))?;
        self.step = state.step;
        Ok(())
    }
}

/// The options of an optimiser, and its formula: [`SgdConfig`], [`AdamConfig`], [`RmsPropConfig`]. Sealed.
pub trait Algorithm: Debug + Clone + private::Sealed {
    /// Checks every option, for parameters of a type.
    #[doc(hidden)]
    fn validate<A: Scalar>(&self) -> Result<()>;

    #[doc(hidden)]
    fn lr(&self) -> f64;

    #[doc(hidden)]
    fn set_lr(&mut self, lr: f64);

    /// torch's names of the buffers that the algorithm keeps for every parameter.
    #[doc(hidden)]
    fn buffers(&self) -> Vec<&'static str>;

    /// The change of one parameter at a step, counted from 1, with the buffers in the order of
    /// [`buffers`](Self::buffers).
    #[doc(hidden)]
    fn update<'a, A: Scalar>(
        &self,
        step: u64,
        parameter: &'a mut [A],
        gradient: &'a [A],
        buffers: impl Iterator<Item = &'a mut [A]>,
    ) -> Update<'a, A>;
}

/// The buffers of every parameter.
#[derive(Debug, Clone, PartialEq)]
struct Memory<A>(Vec<Remembered<A>>);

/// The buffers of one parameter.
#[derive(Debug, Clone, PartialEq)]
struct Remembered<A> {
    name: String,
    shape: Vec<usize>,
    buffers: Vec<(&'static str, ArrayD<A>)>,
}

impl<A: Scalar> Remembered<A> {
    fn elements<'a>(&'a mut self) -> impl Iterator<Item = &'a mut [A]> {
        let elements =
            |array: &'a mut ArrayD<A>| array.as_slice_mut().invariant("buffers are in standard layout");
        self.buffers.iter_mut().map(move |(_, buffer)| elements(buffer))
    }
}

impl<A: Scalar> Parameters for Memory<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let named = |parameter: &'_ Remembered<A>, buffer: &str| format!("{}.{buffer}", parameter.name);
        let all = self.0.iter().flat_map(|parameter| {
            parameter.buffers.iter().map(move |(buffer, array)| (named(parameter, buffer), array.view()))
        });
        all.collect()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let all = self.0.iter_mut().flat_map(|Remembered { name, buffers, .. }| {
            buffers.iter_mut().map(move |(buffer, array)| (format!("{name}.{buffer}"), array.view_mut()))
        });
        all.collect()
    }
}

/// The next buffer of a parameter.
fn next<'a, A>(buffers: &mut impl Iterator<Item = &'a mut [A]>) -> &'a mut [A] {
    buffers.next().invariant("a parameter has every buffer that its algorithm names")
}

/// Checks that an option is finite in the parameters' type.
fn expect_of_type<A: Scalar>(name: &'static str, actual: f64) -> Result<()> {
    expect_number(name, actual, "finite in the type of the parameters", |x| A::from_f64(x).is_finite())
}

/// Checks that an option is finite, in the parameters' type too, and not negative.
fn expect_option<A: Scalar>(name: &'static str, actual: f64) -> Result<()> {
    expect_non_negative(name, actual)?;
    expect_of_type::<A>(name, actual)
}

/// Checks that names and shapes agree, one by one.
fn expect_same<'a, I, J>(prefix: &str, expected: I, mut actual: J) -> Result<()>
where
    I: Iterator<Item = (&'a str, &'a [usize])> + Clone,
    J: Iterator<Item = (&'a str, &'a [usize])>,
{
    let names = || expected.clone().map(|(name, _)| name);
    for (name, shape) in expected.clone() {
        match actual.next() {
            Some((found, actual)) if found == name => {
                expect_shape(&format!("{prefix}{name}"), shape, actual)?;
            }
            Some((found, actual)) if !names().any(|name| name == found) => {
                return Err(unexpected(prefix, found, actual, names()));
            }
            _ => {
                return Err(Error::MissingParameter {
                    name: format!("{prefix}{name}"),
                    expected: shape.into(),
                });
            }
        }
    }
    match actual.next() {
        Some((found, actual)) => Err(unexpected(prefix, found, actual, names())),
        None => Ok(()),
    }
}

fn unexpected<'a>(
    prefix: &str,
    name: &str,
    actual: &[usize],
    expected: impl Iterator<Item = &'a str>,
) -> Error {
    Error::UnexpectedParameter {
        name: format!("{prefix}{name}"),
        actual: actual.into(),
        expected: expected.map(str::to_owned).collect(),
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::SgdConfig {}
    impl Sealed for super::AdamConfig {}
    impl Sealed for super::RmsPropConfig {}
}
