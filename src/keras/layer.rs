//! Keras's layer.

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayD, ArrayRef3, ArrayViewD, ArrayViewMutD, Data, Dimension};
use rand::Rng;

use super::call::Call;
use super::config::SimpleRnnConfig;
use super::parameters::{SimpleRnnParameters, get_weights, set_weights};
use super::returns::Last;
use super::seeds::SeedGenerator;
use super::state::State;
use crate::cell::Elman;
use crate::engine::{BackWeights, Cache, Stack};
use crate::error::Result;
use crate::kernels::Plan;
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// Elman's recurrent layer as Keras has it, `keras.layers.SimpleRNN`.
///
/// For each step t of each sequence
///
/// ```text
/// h_t = activation(x_t kernel + bias + h_{t-1} recurrent_kernel)
/// ```
///
/// # Shapes
/// N sequences, T steps, batch first always:
///
/// | | shape |
/// |---|---|
/// | input | (N, T, input_dim) |
/// | mask | (N, T) |
/// | output | (N, units), with `return_sequences` (N, T, units) |
/// | state | (N, units) |
/// | `kernel`, `recurrent_kernel`, `bias` | (input_dim, units), (units, units), (units) |
///
/// # Reproducibility
/// Every sum is `(bias + x kernel) + h recurrent_kernel`: two chains of fused multiply-adds, the input's from the bias and
/// the state's from zero, each in ascending order, and one addition. The result has the same bits on every machine, alone or in a batch, whole or in chunks, with tanh or relu
/// those of [`Rnn`](crate::Rnn) with the same numbers.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let output = rnn.forward(&Array3::zeros((3, 5, 4)))?;
/// assert_eq!(output.dim(), (3, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/simple_rnn/>
#[derive(Debug, Clone)]
#[doc(alias = "SimpleRNN")]
#[doc(alias = "keras.layers.SimpleRNN")]
pub struct SimpleRnn<A: Scalar = f32> {
    config: SimpleRnnConfig,
    parameters: SimpleRnnParameters<A>,
    pub(super) cache: Cache<A, Elman>,
}

impl<A: Scalar> SimpleRnn<A> {
    /// A layer with Keras's initial parameters.
    ///
    /// From [`set_random_seed`](super::set_random_seed) they are Keras's, see [`Initializer`](super::Initializer).
    /// Draws a seed for dropout, then one for each random initialiser that has none, as Keras does where initialisers
    /// are given by name. Any generator serves.
    ///
    /// # Errors
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a size of zero,
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a dropout outside [0, 1] or an initialiser's argument that
    /// is not in its range, [`Error::SizeOverflow`](crate::Error::SizeOverflow) for parameters that no memory holds.
    pub fn new<R: Rng + ?Sized>(config: SimpleRnnConfig, rng: &mut R) -> Result<Self> {
        let mut layer = Self::zeros(config)?;
        layer.config = layer.config.seeded(rng);
        let SimpleRnnParameters { kernel, recurrent_kernel, bias } = &mut layer.parameters;
        layer.config.kernel_initializer.fill_seeded(kernel)?;
        layer.config.recurrent_initializer.fill_seeded(recurrent_kernel)?;
        bias.as_mut().map_or(Ok(()), |bias| layer.config.bias_initializer.fill_seeded(bias))?;
        Ok(layer)
    }

    /// A layer whose parameters are zero, to be loaded.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: SimpleRnnConfig) -> Result<Self> {
        config.validate()?;
        let parameters = SimpleRnnParameters::zeros(config.input_dim, config.units, config.use_bias)?;
        Ok(Self { config, parameters, cache: Cache::default() })
    }

    /// A layer of given parameters.
    pub(super) fn of(config: SimpleRnnConfig, parameters: SimpleRnnParameters<A>) -> Result<Self> {
        Ok(Self { parameters, ..Self::zeros(config)? })
    }

    /// The same layer, to run on an instruction set, or altogether by a plan, of choice.
    #[doc(hidden)]
    #[must_use]
    pub fn on(self, plan: impl Into<Plan>) -> Self {
        Self { cache: plan.into().into(), ..self }
    }

    /// What the layer is made of; the seeds that [`new`](Self::new) drew are in it.
    #[must_use]
    pub fn config(&self) -> &SimpleRnnConfig {
        &self.config
    }

    /// The parameters; by name see [`Parameters`].
    #[must_use]
    pub fn parameters(&self) -> &SimpleRnnParameters<A> {
        &self.parameters
    }

    /// Of shape (input_dim, units).
    #[must_use]
    pub fn kernel(&self) -> &Array2<A> {
        &self.parameters.kernel
    }

    /// Of shape (units, units).
    #[must_use]
    pub fn recurrent_kernel(&self) -> &Array2<A> {
        &self.parameters.recurrent_kernel
    }

    /// Of shape (units), if there is a bias.
    #[must_use]
    pub fn bias(&self) -> Option<&Array1<A>> {
        self.parameters.bias.as_ref()
    }

    /// A copy of kernel, recurrent kernel and, if there is one, bias.
    #[must_use]
    pub fn get_weights(&self) -> Vec<ArrayD<A>> {
        get_weights(self)
    }

    /// Takes over kernel, recurrent kernel and, if there is one, bias.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for another number of arrays or one of another shape; nothing is changed
    /// then.
    pub fn set_weights<S: Data<Elem = A>, D: Dimension>(
        &mut self,
        weights: impl IntoIterator<Item = ArrayBase<S, D>>,
    ) -> Result<()> {
        set_weights(self, weights)
    }

    /// What Keras's dropout in this layer draws from, before its first call.
    ///
    /// Keras draws in every call of a layer with dropout, also where it is not training: one draw for the input's, one
    /// for the state's. To train, make it once: each call of this method begins anew, and would draw the same dropout.
    #[must_use]
    pub fn seed_generator(&self) -> SeedGenerator {
        SeedGenerator::new(self.config.seed.unwrap_or_default())
    }

    /// A state for `batch` sequences, zero, to be carried from call to call; see [`Call::stateful`].
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a state that no memory holds.
    pub fn state(&self, batch: usize) -> Result<State<A>> {
        State::zeros(batch, self.config.units)
    }

    /// A call with options: what it returns, mask, first state. See [`Call`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> Call<'a, A, Last> {
        Call::new(self, input)
    }

    /// The last outputs, (N, units), of a batch of sequences (N, T, input_dim): Keras's default call.
    ///
    /// Keeps memory for a few steps, however long the sequences.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for an input of another width,
    /// [`Error::EmptySequence`](crate::Error::EmptySequence) for T = 0.
    pub fn forward(&self, input: &ArrayRef3<A>) -> Result<Array2<A>> {
        self.call(input).forward()
    }

    pub(super) fn stack(&self) -> &Stack<A, Elman> {
        self.cache.stack(|plan| {
            let cell = Elman::new(self.config.activation);
            Stack::new(vec![vec![self.parameters.pack()]], cell, self.config.units, plan)
        })
    }

    pub(super) fn back_weights(&self) -> &[Vec<BackWeights<A>>] {
        self.cache.back_weights(|| vec![vec![self.parameters.pack_back()]])
    }
}

impl<A: Scalar> Parameters for SimpleRnn<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.parameters.named_parameters()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.cache.forget();
        self.parameters.named_parameters_mut()
    }
}

/// Equal configurations and parameters.
impl<A: Scalar> PartialEq for SimpleRnn<A> {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.parameters == other.parameters
    }
}

/// In the manner of Keras's constructor.
impl<A: Scalar> fmt::Display for SimpleRnn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
