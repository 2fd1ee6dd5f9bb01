//! Keras's layer.

use ndarray::{ArrayBase, ArrayD, Data, Dimension};
use rand::Rng;

use super::architecture::Architecture;
use super::engine::{pack, pack_back};
use super::initializer::Workspace;
use super::parameters::{LayerParameters, get_weights, set_weights};
use super::seeds::SeedGenerator;
use crate::engine::{BackWeights, Cache, Stack};
use crate::error::Result;
use crate::kernels::Plan;
use crate::parameters::of_parameters;
use crate::scalar::Scalar;

/// A recurrent layer of Keras, keyed by its configuration: [`SimpleRnn`](super::SimpleRnn), [`Lstm`](super::Lstm),
/// [`Gru`](super::Gru).
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Layer, LstmConfig, set_random_seed};
///
/// let lstm = Layer::<_, f32>::new(LstmConfig::new(4, 2), &mut set_random_seed(0))?; // a `keras::Lstm`
/// let (outputs, (h, c)) = lstm.forward(&Array3::ones((3, 5, 4)))?;
/// assert_eq!((outputs.dim(), h.dim(), c.dim()), ((3, 5, 2), (3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Layer<C: Architecture, A: Scalar = f32> {
    config: C,
    parameters: LayerParameters<C, A>,
    pub(super) cache: Cache<A, C::Cell<A>>,
}

impl<C: Architecture, A: Scalar> Layer<C, A> {
    /// A layer with Keras's initial parameters.
    ///
    /// From [`set_random_seed`](super::set_random_seed) they are Keras's, see [`Initializer`](super::Initializer).
    /// Draws a seed for dropout, and one for each random initialiser that has none, as Keras does where initialisers are
    /// given by name: a SimpleRNN's for dropout first, an LSTM's and a GRU's last. Any generator serves. The layer's
    /// [`config`](Self::config) has the seeds.
    ///
    /// # Errors
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a size of zero,
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a dropout outside [0, 1] or an initialiser's argument that
    /// is not in its range, [`Error::SizeOverflow`](crate::Error::SizeOverflow) for parameters that no memory holds.
    pub fn new<R: Rng + ?Sized>(config: C, rng: &mut R) -> Result<Self> {
        Self::zeros(config)?.initialised(rng)
    }

    /// The layer with Keras's initial parameters.
    fn initialised<R: Rng + ?Sized>(self, rng: &mut R) -> Result<Self> {
        let workspaces = self.workspaces()?;
        self.seeded(workspaces, rng)
    }

    /// The memory that kernel, recurrent kernel and bias are filled in.
    pub(super) fn workspaces(&self) -> Result<[Workspace; 3]> {
        let LayerParameters { kernel, recurrent_kernel, bias } = &self.parameters;
        let bias = bias.as_ref().map_or(&[][..], |bias| bias.shape());
        let [of_kernel, of_recurrent_kernel, of_bias] = self.config.initializers();
        Ok([
            of_kernel.workspace(kernel.shape())?,
            of_recurrent_kernel.workspace(recurrent_kernel.shape())?,
            of_bias.workspace(bias)?,
        ])
    }

    /// Draws seeds and fills the parameters.
    pub(super) fn seeded<R: Rng + ?Sized>(
        mut self,
        [of_kernel, of_recurrent_kernel, of_bias]: [Workspace; 3],
        rng: &mut R,
    ) -> Result<Self> {
        self.config = self.config.seeded(rng);
        let LayerParameters { kernel, recurrent_kernel, bias } = &mut self.parameters;
        let initializers = self.config.initializers();
        initializers[0].fill_seeded(kernel, of_kernel)?;
        initializers[1].fill_seeded(recurrent_kernel, of_recurrent_kernel)?;
        bias.as_mut().map_or(Ok(()), |bias| self.config.fill_bias(bias, of_bias))?;
        Ok(self)
    }

    /// A layer whose parameters are zero, to be loaded.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: C) -> Result<Self> {
        config.validate::<A>()?;
        let parameters = LayerParameters::zeros(&config)?;
        Ok(Self { config, parameters, cache: Cache::default() })
    }

    /// A layer with given parameters.
    pub(super) fn of(config: C, parameters: LayerParameters<C, A>) -> Result<Self> {
        Ok(Self { parameters, ..Self::zeros(config)? })
    }

    /// The same layer, run on a given instruction set or by a given plan.
    #[doc(hidden)]
    #[must_use]
    pub fn on(self, plan: impl Into<Plan>) -> Self {
        Self { cache: plan.into().into(), ..self }
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
    /// Keras draws in every call of a layer with dropout, also where it is not training: one draw for each mask, the
    /// input's first. Make the generator once and train with it: each call of this method begins anew, and would
    /// draw the same dropout. The seed is the configuration's; a layer made by [`zeros`](Self::zeros) without one has
    /// seed 0.
    #[must_use]
    pub fn seed_generator(&self) -> SeedGenerator {
        SeedGenerator::new(self.config.options().seed.unwrap_or(0))
    }

    /// What the forward pass multiplies by.
    pub(super) fn stack(&self) -> Result<&Stack<A, C::Cell<A>>> {
        self.cache.stack(|plan| pack(&self.config, &self.parameters, plan))
    }

    /// What the way back multiplies by.
    pub(super) fn back_weights(&self) -> Result<&[Vec<BackWeights<A>>]> {
        self.cache.back_weights(|| pack_back(&self.parameters))
    }
}

of_parameters!([C: Architecture, A: Scalar] Layer<C, A> { C, LayerParameters<C, A>, cache });
