//! What an optimiser keeps from step to step, and its options, for a file.

use ndarray::ArrayD;

use super::memory::{Memory, Remembered};
use super::{Algorithm, Optimizer};
use crate::error::{Error, Result, expect_positive};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// What an [`Optimizer`] keeps from step to step, and its options, of which the learning rate is one; for a file.
///
/// ```
/// use ndarray_rnn::optim::{Adam, AdamConfig, OptimizerState};
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let state: OptimizerState<AdamConfig, f32> = Adam::new(AdamConfig::new(), &model)?.state_dict();
/// assert_eq!((state.step, state.arrays.len()), (0, 4)); // two moments of weight and bias each
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct OptimizerState<C, A> {
    /// The options of each group of parameters, and the names of its parameters.
    pub groups: Vec<ParamGroup<C>>,
    /// The number of steps made.
    pub step: u64,
    /// Arrays named `{parameter}.{buffer}` such as `weight_ih_l0.exp_avg`, in the parameters' order.
    pub arrays: Vec<(String, ArrayD<A>)>,
}

/// A group of parameters in an [`OptimizerState`].
///
/// ```
/// use ndarray_rnn::optim::{Adam, AdamConfig, ParamGroup};
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let adam = Adam::new(AdamConfig::new(), &model)?.group(AdamConfig::new().lr(0.1), |name| name == "bias")?;
/// let [_, ParamGroup { config, params }] = &adam.state_dict().groups[..] else { panic!("two groups") };
/// assert_eq!((config.lr, &params[..]), (0.1, &["bias".to_owned()][..]));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ParamGroup<C> {
    /// The options.
    pub config: C,
    /// The names of the parameters, in the model's order.
    pub params: Vec<String>,
}

impl<C: Algorithm, A: Scalar> Optimizer<C, A> {
    /// A copy of what the optimiser keeps from step to step, and of its options.
    ///
    /// ```
    /// use ndarray_rnn::optim::{Adam, AdamConfig};
    /// use ndarray_rnn::{Linear, LinearConfig};
    ///
    /// let model = Linear::<f32>::zeros(LinearConfig::new(4, 2).bias(false))?;
    /// let state = Adam::new(AdamConfig::new().lr(0.01), &model)?.state_dict();
    /// let names: Vec<_> = state.arrays.iter().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!((state.step, names), (0, vec!["weight.exp_avg", "weight.exp_avg_sq"]));
    /// assert_eq!((state.groups[0].config.lr, &state.groups[0].params[..]), (0.01, &["weight".to_owned()][..]));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[must_use]
    pub fn state_dict(&self) -> OptimizerState<C, A> {
        OptimizerState { groups: self.param_groups(), step: self.step, arrays: self.memory.state_dict() }
    }

    /// The options and parameters of each group.
    pub(crate) fn param_groups(&self) -> Vec<ParamGroup<C>> {
        let params = |group| {
            let own = self.memory.0.iter().filter(move |parameter| parameter.group == group);
            own.map(|parameter| parameter.name.clone()).collect()
        };
        let groups = self.groups.iter().enumerate();
        groups.map(|(i, config)| ParamGroup { config: config.clone(), params: params(i) }).collect()
    }

    /// The number of steps, and every buffer under the names of its parameter and its own.
    #[cfg(feature = "pt")]
    pub(crate) fn buffers(&self) -> (u64, impl Iterator<Item = (&str, &str, &ArrayD<A>)>) {
        let buffers = self.memory.0.iter().flat_map(|parameter| {
            parameter.buffers.iter().map(|(buffer, array)| (&parameter.name[..], *buffer, array))
        });
        (self.step, buffers)
    }

    /// Takes a number of steps, and each buffer, which a function makes of the names of parameter and buffer and its shape.
    #[cfg(feature = "pt")]
    pub(crate) fn go_on_from(
        &mut self,
        step: u64,
        buffer: impl Fn(&str, &str, &[usize]) -> Result<ArrayD<A>>,
    ) -> Result<()> {
        for Remembered { name, shape, buffers, .. } in &mut self.memory.0 {
            for (own, array) in buffers {
                let new = buffer(name, own, shape)?;
                crate::error::expect_shape(&format!("{name}.{own}"), shape, new.shape())?;
                *array = new;
            }
        }
        self.step = step;
        Ok(())
    }

    /// Goes on from the state of an optimiser of a model with the same names and shapes, with the options of the state,
    /// as torch's `load_state_dict` does.
    ///
    /// # Errors
    /// As [`new`](Self::new) and [`Parameters::load_state_dict`]; the optimiser is unchanged then.
    ///
    /// ```
    /// use ndarray_rnn::optim::{Adam, AdamConfig};
    /// use ndarray_rnn::{Linear, LinearConfig};
    ///
    /// let mut model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
    /// let gradients = model.clone();
    /// let mut adam = Adam::new(AdamConfig::new().lr(0.02), &model)?;
    /// adam.step(&mut model, &gradients)?;
    ///
    /// let mut resumed = Adam::new(AdamConfig::new(), &model)?;
    /// resumed.load_state_dict(&adam.state_dict())?;
    /// assert_eq!(resumed, adam);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn load_state_dict(&mut self, state: &OptimizerState<C, A>) -> Result<()> {
        let mut next = self.regrouped(&state.groups)?;
        next.memory.load_state_dict(state.arrays.iter().map(|(name, array)| (&name[..], array.view())))?;
        *self = Self { step: state.step, ..next };
        Ok(())
    }

    /// An optimiser of the same parameters in these groups, before its first step.
    pub(crate) fn regrouped(&self, groups: &[ParamGroup<C>]) -> Result<Self> {
        expect_positive("the number of groups", groups.len())?;
        groups.iter().try_for_each(|group| group.config.validate::<A>())?;
        let mut names: Vec<_> = groups.iter().flat_map(|group| &group.params).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::DuplicateParameter { name: pair[0].clone() });
        }
        let known: Vec<_> = self.memory.0.iter().map(|parameter| &parameter.name).collect();
        if let Some(&name) = names.iter().find(|name| !known.contains(name)) {
            let expected = known.into_iter().cloned().collect();
            return Err(Error::UnexpectedParameter { name: name.clone(), actual: Vec::new(), expected });
        }
        let remembered = self.memory.0.iter().map(|Remembered { name, shape, .. }| {
            let mut numbered = groups.iter().enumerate();
            match numbered.find(|(_, group)| group.params.contains(name)) {
                Some((i, group)) => Remembered::new(name.clone(), shape.clone(), i, &group.config),
                None => Err(Error::MissingParameter { name: name.clone(), expected: shape.clone() }),
            }
        });
        let memory = Memory(remembered.collect::<Result<_>>()?);
        Ok(Self { groups: groups.iter().map(|group| group.config.clone()).collect(), step: 0, memory })
    }
}
