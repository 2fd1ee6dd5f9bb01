//! Optimisers, under the names of `torch.optim`, and what goes with them: [schedules](StepLr) of the learning rate,
//! clipping of gradients.
//!
//! Each step does what torch's `_single_tensor_*` functions do, operation by operation: what torch computes in Python
//! is computed in `f64`; what torch computes with tensors is computed in the parameters' type, and fused where torch's
//! kernels fuse. No step sums over elements, so the bits do not depend on the machine.
//!
//! ```
//! use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, StepLr, clip_grad_norm};
//! use ndarray_rnn::{Linear, LinearConfig, Trainable};
//!
//! let mut model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
//! let mut adam = Adam::new(AdamConfig::new().lr(0.01), &model)?;
//! let schedule = StepLr::new(adam.lr(), 10, 0.5)?;
//! for epoch in 0..20 {
//!     adam.set_lr(schedule.lr(epoch))?;
//!     let mut gradients = model.zeros_like(); // what `backward` returns
//!     clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
//!     adam.step(&mut model, &gradients)?;
//! }
//! assert_eq!(adam.lr(), 0.005);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```

mod adam;
mod algorithm;
mod clip;
mod memory;
mod rmsprop;
mod schedule;
#[cfg(feature = "serde")]
mod serialize;
mod sgd;
mod state;

pub use adam::AdamConfig;
pub use algorithm::{Algorithm, OptionMut};
pub use clip::{MaxNorm, clip_grad_norm, clip_grad_value};
pub use rmsprop::RmsPropConfig;
pub use schedule::{
    AnnealStrategy, CosineAnnealingLr, CosineAnnealingWarmRestarts, ExponentialLr, LinearLr, MultiStepLr,
    OneCycleConfig, OneCycleLr, PlateauConfig, PlateauMode, ReduceLrOnPlateau, StepLr, ThresholdMode,
};
pub use sgd::SgdConfig;
pub use state::{OptimizerState, ParamGroup};

use algorithm::expect_option;
use memory::{Memory, Remembered};
use ndarray::ArrayViewD;

use crate::arrays::{as_standard, elements};
use crate::error::{Error, Result, expect_index};
use crate::kernels::fastest;
use crate::parameters::{InOrder, Parameters, expect_same, shapes};
use crate::scalar::Scalar;

/// Stochastic gradient descent, `torch.optim.SGD`: an [`Optimizer`] with an [`SgdConfig`], where the formula is.
///
/// ```
/// use ndarray_rnn::optim::{Sgd, SgdConfig};
/// use ndarray_rnn::{Linear, LinearConfig, Trainable};
///
/// let mut model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let mut optimizer = Sgd::new(SgdConfig::new().lr(0.01), &model)?;
/// let gradients = model.zeros_like(); // what `backward` returns
/// optimizer.step(&mut model, &gradients)?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "SGD")]
pub type Sgd<A = f32> = Optimizer<SgdConfig, A>;

/// Adam and, with decoupled weight decay, AdamW: an [`Optimizer`] with an [`AdamConfig`], where the formula is.
///
/// ```
/// use ndarray_rnn::optim::{Adam, AdamConfig};
/// use ndarray_rnn::{Linear, LinearConfig, Trainable};
///
/// let mut model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let mut optimizer = Adam::new(AdamConfig::new().lr(0.01), &model)?;
/// let gradients = model.zeros_like(); // what `backward` returns
/// optimizer.step(&mut model, &gradients)?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "AdamW")]
pub type Adam<A = f32> = Optimizer<AdamConfig, A>;

/// RMSprop, `torch.optim.RMSprop`: an [`Optimizer`] with an [`RmsPropConfig`], where the formula is.
///
/// ```
/// use ndarray_rnn::optim::{RmsProp, RmsPropConfig};
/// use ndarray_rnn::{Linear, LinearConfig, Trainable};
///
/// let mut model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let mut optimizer = RmsProp::new(RmsPropConfig::new().lr(0.01), &model)?;
/// let gradients = model.zeros_like(); // what `backward` returns
/// optimizer.step(&mut model, &gradients)?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
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
    /// The options of each group of parameters.
    groups: Vec<C>,
    step: u64,
    memory: Memory<A>,
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
        let remember = |(name, value): (String, ArrayViewD<'_, A>)| {
            Remembered::new(name, value.shape().into(), 0, &config)
        };
        let remembered = model.named_parameters().into_iter().map(remember).collect::<Result<_>>()?;
        Ok(Self { groups: vec![config], step: 0, memory: Memory(remembered) })
    }

    /// The optimiser with options of their own for the parameters whose names `is_in` takes: a further group, as torch's
    /// `param_groups` are. The others stay in their groups.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::DuplicateParameter`] for a parameter that is in a group of its own already,
    /// [`Error::Unsupported`] for a group without parameters, and after the first step.
    ///
    /// ```
    /// use ndarray_rnn::optim::{Adam, AdamConfig};
    /// use ndarray_rnn::{Linear, LinearConfig, Rnn, RnnConfig};
    ///
    /// let model = (Rnn::<f32>::zeros(RnnConfig::new(4, 3))?, Linear::zeros(LinearConfig::new(3, 2))?);
    /// // A slow network under a fast head: the names of the tuple's second member begin with "1.".
    /// let config = AdamConfig::new().lr(1e-4);
    /// let adam = Adam::new(config.clone(), &model)?.group(config.lr(1e-2), |name| name.starts_with("1."))?;
    /// assert_eq!([adam.groups()[0].lr, adam.groups()[1].lr], [1e-4, 1e-2]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[doc(alias = "add_param_group")]
    pub fn group(mut self, config: C, is_in: impl Fn(&str) -> bool) -> Result<Self> {
        let refused = |reason| Err(Error::Unsupported { operation: "a group of parameters", reason });
        config.validate::<A>()?;
        if self.step > 0 {
            return refused("steps were made already");
        }
        let mut found = false;
        for parameter in self.memory.0.iter_mut().filter(|parameter| is_in(&parameter.name)) {
            if parameter.group > 0 {
                return Err(Error::DuplicateParameter { name: parameter.name.clone() });
            }
            let (name, shape) = (parameter.name.clone(), parameter.shape.clone());
            *parameter = Remembered::new(name, shape, self.groups.len(), &config)?;
            found = true;
        }
        if !found {
            return refused("it would have no parameters");
        }
        self.groups.push(config);
        Ok(self)
    }

    /// The options of the first group, which has all parameters unless there are [others](Self::group).
    #[must_use]
    pub fn config(&self) -> &C {
        &self.groups[0]
    }

    /// The options of each group of parameters.
    #[must_use]
    pub fn groups(&self) -> &[C] {
        &self.groups
    }

    /// Changes the options of a group.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::IndexOutOfBounds`] for a group that does not exist, [`Error::Unsupported`] for
    /// options that need other buffers than the group has, such as a momentum where there was none. The options are
    /// unchanged then.
    pub fn set_config(&mut self, group: usize, config: C) -> Result<()> {
        expect_index("group", "the number of groups", self.groups.len(), group)?;
        config.validate::<A>()?;
        if config.buffers() != self.groups[group].buffers() {
            let reason = "the new options keep other buffers than the old ones";
            return Err(Error::Unsupported { operation: "set_config", reason });
        }
        self.groups[group] = config;
        Ok(())
    }

    /// The learning rate, of the first group if there are several.
    #[must_use]
    pub fn lr(&self) -> f64 {
        self.config().lr()
    }

    /// Changes the learning rate of every group, for instance to what a [schedule](StepLr) says.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `lr` is finite, in the parameters' type too, and not negative; the learning rate is
    /// unchanged then.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        expect_option::<A>("lr", lr)?;
        self.groups.iter_mut().for_each(|config| config.set_lr(lr));
        Ok(())
    }

    /// Changes every parameter of the model by its gradient.
    ///
    /// The gradients are named and shaped like the parameters, in the same order: what `backward` returns for the
    /// model, or a tuple of gradients for a tuple of models.
    ///
    /// # Errors
    /// [`Error::MissingParameter`], [`Error::UnexpectedParameter`] or [`Error::Shape`] for gradients or a model of
    /// other names or shapes than the optimiser was made for, [`Error::SizeOverflow`] if arrays in another layout than the
    /// standard one find no memory for a copy; model and optimiser are unchanged then.
    pub fn step<M, G>(&mut self, model: &mut M, gradients: &G) -> Result<()>
    where
        M: Parameters<Elem = A>,
        G: Parameters<Elem = A>,
    {
        let (mut values, gradients) = (model.named_parameters_mut(), gradients.named_parameters());
        let memory = &mut self.memory.0;
        let expected = memory.iter().map(|parameter| (&parameter.name[..], &parameter.shape[..]));
        expect_same("", expected.clone(), shapes(&values))?;
        expect_same("gradient of ", expected, shapes(&gradients))?;
        // All copies are made before anything changes.
        let gradients = gradients.iter().map(|(name, gradient)| as_standard(name, gradient));
        let gradients = gradients.collect::<Result<Vec<_>>>()?;
        let values = values.iter_mut().map(|(name, value)| InOrder::of(name, value));
        let mut values = values.collect::<Result<Vec<_>>>()?;
        self.step = self.step.saturating_add(1);
        let arch = fastest();
        for ((value, gradient), parameter) in values.iter_mut().zip(&gradients).zip(memory) {
            let (config, value) = (&self.groups[parameter.group], value.elements());
            A::update(arch, config.update(self.step, value, elements(gradient), parameter.elements()));
        }
        values.into_iter().for_each(InOrder::put);
        Ok(())
    }
}
