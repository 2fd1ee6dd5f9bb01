//! The recurrent modules: they check shapes and call the engine.

mod cell;
mod cell_train;
mod config;
mod packed;
mod parameters;
mod pass;
mod recycle;
mod run;
mod stream;
mod train;

pub use cell::{CellDim, RnnCell, RnnCellConfig};
pub use cell_train::{CellGradients, CellTrace};
pub use config::{Nonlinearity, RnnConfig};
pub use parameters::{Direction, RnnCellParameters, RnnParameters};
pub use recycle::Recycle;
pub use run::Run;
pub use stream::Stream;
pub use train::{Gradients, Trace};

use std::fmt;

use ndarray::{Array, Array1, Array2, Array3, ArrayRef, ArrayView3, ArrayViewD, ArrayViewMutD};
use rand::Rng;

use crate::cell::Elman;
use crate::dim::SequenceDim;
use crate::engine::{BackWeights, Cache, Stack};
use crate::error::{Result, expect_room, expect_shape};
use crate::kernels::Plan;
use crate::parameters::Parameters;
use crate::random;
use crate::scalar::Scalar;
use crate::sequence::standard;

/// Elman's recurrent network, `torch.nn.RNN`.
///
/// For each step t, each layer and each direction
///
/// ```text
/// h_t = act(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
/// ```
///
/// with act tanh or relu and x_t the input, or for layers above the first the outputs of the layer below,
/// both directions side by side.
///
/// # Shapes
/// L steps, N sequences, K layers, D directions:
///
/// | | batch (3-D) | one sequence (2-D) |
/// |---|---|---|
/// | `input` | (L, N, input_size), with `batch_first` (N, L, input_size) | (L, input_size) |
/// | `h_0`, `h_n` | (K D, N, hidden_size), whatever `batch_first` | (K D, hidden_size) |
/// | `output` | (L, N, D hidden_size), with `batch_first` (N, L, D hidden_size) | (L, D hidden_size) |
///
/// # Reproducibility
/// Every sum is `(b_ih + W_ih x) + (b_hh + W_hh h)`: two chains of fused multiply-adds, each from its bias and in ascending
/// order, and one addition. The result has the same bits on every machine, alone or in a batch, whole or in chunks.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
/// let input = Array3::zeros((3, 5, 4));
/// let (output, h_n) = rnn.forward(&input, None)?;
/// assert_eq!((output.dim(), h_n.dim()), ((3, 5, 2), (1, 5, 2)));
///
/// // The state carries a sequence on: here one more chunk of it.
/// let (_, h_n) = rnn.forward(&input, Some(&h_n))?;
/// # let _ = h_n;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html>
#[derive(Debug, Clone)]
#[doc(alias = "SimpleRNN")]
#[doc(alias = "torch.nn.RNN")]
pub struct Rnn<A: Scalar = f32> {
    config: RnnConfig,
    parameters: RnnParameters<A>,
    cache: Cache<A, Elman>,
}

impl<A: Scalar> Rnn<A> {
    /// A network with torch's initial parameters, each from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    ///
    /// From [`manual_seed`](crate::manual_seed) they are torch's bit for bit. Draws one word for each number in
    /// `f32`, two in `f64`, in the parameters' order.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a dropout outside [0, 1], [`Error::ZeroSize`](crate::Error::ZeroSize) for a size or number of layers of
    /// zero, [`Error::SizeOverflow`](crate::Error::SizeOverflow) for parameters that no memory holds.
    pub fn new<R: Rng + ?Sized>(config: RnnConfig, rng: &mut R) -> Result<Self> {
        let mut rnn = Self::zeros(config)?;
        let bound = 1.0 / (rnn.config.hidden_size as f64).sqrt();
        for (_, mut value) in rnn.named_parameters_mut() {
            random::uniform(&mut value, -bound, bound, rng)?;
        }
        Ok(rnn)
    }

    /// A network whose parameters are zero, to be loaded or initialised otherwise (see [`init`](crate::init)).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: RnnConfig) -> Result<Self> {
        config.validate()?;
        let (hidden, directions) = (config.hidden_size, config.num_directions());
        let parameters = RnnParameters::collect(config.num_layers * directions, directions, |layer| {
            RnnCellParameters::zeros(hidden, config.layer_input_size(layer), hidden, config.bias)
        })?;
        Ok(Self { config, parameters, cache: Cache::default() })
    }

    /// The same network, to run on an instruction set, or altogether by a plan, of choice.
    #[doc(hidden)]
    #[must_use]
    pub fn on(self, plan: impl Into<Plan>) -> Self {
        Self { cache: plan.into().into(), ..self }
    }

    /// What the network is made of.
    #[must_use]
    pub fn config(&self) -> &RnnConfig {
        &self.config
    }

    /// The parameters, with typed access; by name see [`Parameters`].
    #[must_use]
    pub fn parameters(&self) -> &RnnParameters<A> {
        &self.parameters
    }

    /// `weight_ih_l{layer}` or, in reverse, `weight_ih_l{layer}_reverse`, if the network has it.
    #[must_use]
    pub fn weight_ih(&self, layer: usize, direction: Direction) -> Option<&Array2<A>> {
        self.parameters.weight_ih(layer, direction)
    }

    /// `weight_hh_l{layer}` or, in reverse, `weight_hh_l{layer}_reverse`, if the network has it.
    #[must_use]
    pub fn weight_hh(&self, layer: usize, direction: Direction) -> Option<&Array2<A>> {
        self.parameters.weight_hh(layer, direction)
    }

    /// `bias_ih_l{layer}` or, in reverse, `bias_ih_l{layer}_reverse`, if the network has it.
    #[must_use]
    pub fn bias_ih(&self, layer: usize, direction: Direction) -> Option<&Array1<A>> {
        self.parameters.bias_ih(layer, direction)
    }

    /// `bias_hh_l{layer}` or, in reverse, `bias_hh_l{layer}_reverse`, if the network has it.
    #[must_use]
    pub fn bias_hh(&self, layer: usize, direction: Direction) -> Option<&Array1<A>> {
        self.parameters.bias_hh(layer, direction)
    }

    /// Runs the network over a batch (3-D) or one sequence (2-D): returns `output`, the last layer's hidden
    /// state after every step, and `h_n`, every layer's and direction's final state.
    ///
    /// `h_0` is zero if not given. Any memory layout is accepted, with the same bits. The final reverse state of
    /// the last layer is `output[0, :, hidden_size..]`, not `output[-1]`. No dropout: that is training's.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for an input of another width, [`Error::Shape`](crate::Error::Shape) for an `h_0` of another shape,
    /// [`Error::EmptySequence`](crate::Error::EmptySequence) for L = 0,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for an output that no memory holds. N = 0 is no error.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{Nonlinearity, Parameters, Rnn, RnnConfig};
    ///
    /// // h_t = relu(x_t + h_{t-1}): a running sum.
    /// let mut rnn = Rnn::<f64>::zeros(RnnConfig::new(1, 1).nonlinearity(Nonlinearity::Relu).bias(false))?;
    /// rnn.named_parameters_mut().into_iter().for_each(|(_, mut weight)| weight.fill(1.0));
    ///
    /// let (output, h_n) = rnn.forward(&array![[1.0], [2.0], [3.0]], Some(&array![[10.0]]))?;
    /// assert_eq!(output, array![[11.0], [13.0], [16.0]]);
    /// assert_eq!(h_n, array![[16.0]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn forward<D: SequenceDim>(
        &self,
        input: &ArrayRef<A, D>,
        h_0: Option<&ArrayRef<A, D>>,
    ) -> Result<(Array<A, D>, Array<A, D>)> {
        Run::new(self, input, h_0).forward()
    }

    /// A pass with options: lengths, resets, states of every layer, last outputs only. See [`Run`].
    pub fn run<'a, D: SequenceDim>(&'a self, input: &'a ArrayRef<A, D>) -> Run<'a, A, D> {
        Run::new(self, input, None)
    }

    /// Checks the shape of a state for `batch` sequences.
    fn expect_state<D: SequenceDim>(
        &self,
        name: &str,
        state: Option<&ArrayRef<A, D>>,
        batch: usize,
    ) -> Result<()> {
        let shape = self.state_shape(batch);
        expect_room::<A>(name, &shape)?;
        match state {
            Some(state) if D::batched_state(state).shape() != shape => {
                expect_shape(name, &D::state_shape(shape), state.shape())
            }
            _ => Ok(()),
        }
    }

    fn state_shape(&self, batch: usize) -> [usize; 3] {
        [self.config.num_layers * self.config.num_directions(), batch, self.config.hidden_size]
    }

    /// A state in standard layout; zeros if there is none.
    fn state_or_zeros(&self, state: Option<ArrayView3<'_, A>>, batch: usize) -> Array3<A> {
        match state {
            Some(state) => standard(&state),
            None => Array3::zeros(self.state_shape(batch)),
        }
    }

    fn stack(&self) -> &Stack<A, Elman> {
        self.cache.stack(|plan| {
            let layers = self.parameters.cells.chunks(self.config.num_directions());
            let layers = layers.map(|cells| cells.iter().map(RnnCellParameters::pack).collect()).collect();
            Stack::new(
                layers,
                Elman::new(self.config.nonlinearity.activation()),
                self.config.hidden_size,
                plan,
            )
        })
    }

    fn back_weights(&self) -> &[Vec<BackWeights<A>>] {
        self.cache.back_weights(|| {
            let layers = self.parameters.cells.chunks(self.config.num_directions());
            layers.map(|cells| cells.iter().map(RnnCellParameters::pack_back).collect()).collect()
        })
    }
}

impl<A: Scalar> Parameters for Rnn<A> {
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
impl<A: Scalar> PartialEq for Rnn<A> {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.parameters == other.parameters
    }
}

/// As torch shows the module.
impl<A: Scalar> fmt::Display for Rnn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
