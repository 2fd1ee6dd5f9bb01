//! Keras's wrapper of two layers, one in each direction of time.

use std::fmt;

use ndarray::{
    Array, Array2, Array3, ArrayBase, ArrayD, ArrayRef, ArrayRef2, ArrayRef3, ArrayViewD, ArrayViewMutD,
    Data, Dimension,
};
use rand::Rng;

use super::architecture::Architecture;
use super::call::{Call, Callable, Returned};
use super::layer::Layer;
use super::layer_pair::{
    BidirectionalGradients, BidirectionalParameters, LayerPair, PairArguments, PairState, PairStateRef,
};
use super::merge::MergeMode;
use super::parameters::{get_weights, set_weights};
use super::seeds::SeedGenerator;
use super::simple_rnn::SimpleRnnConfig;
use super::train::Trace;
use crate::error::{Error, Result, expect_shape, expect_width};
use crate::parameters::{Parameters, Trainable};
use crate::scalar::Scalar;

/// Two layers over the same sequences, one forward, one backward in time: `keras.layers.Bidirectional`.
///
/// The backward layer's outputs are put back in the order of time, then merged. In the outputs of every step those of
/// masked steps are zero, whatever the layers' `zero_output_for_mask`, as in Keras.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, Bidirectional, MergeMode, SimpleRnnConfig};
///
/// let mut rng = keras::set_random_seed(0);
/// let layer = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 2), MergeMode::Concat, &mut rng)?;
/// let input = Array3::ones((3, 5, 4));
/// let (outputs, [forward, backward]) = layer.forward(&input)?;
/// assert_eq!((outputs.dim(), forward.dim(), backward.dim()), ((3, 5, 4), (3, 2), (3, 2)));
///
/// let ([forward, backward], _) = layer.layers().call(&input).last()?;     // merge_mode=None
/// assert_eq!((forward.dim(), backward.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/bidirectional/>
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "keras.layers.Bidirectional")]
pub struct Bidirectional<A: Scalar = f32, C: Architecture = SimpleRnnConfig> {
    layers: LayerPair<A, C>,
    merge_mode: MergeMode,
}

/// Checks which way two layers go.
fn expect_ways(forward_goes_backwards: bool, backward_goes_backwards: bool) -> Result<()> {
    if !forward_goes_backwards && backward_goes_backwards {
        return Ok(());
    }
    Err(Error::Unsupported {
        operation: "Bidirectional",
        reason: "the forward layer must go forwards and the backward layer backwards",
    })
}

impl<A: Scalar, C: Architecture> Bidirectional<A, C> {
    /// Two layers of one configuration, the second going backwards, with Keras's initial parameters.
    ///
    /// Draws seeds as Keras does: for the layer that is handed over, which serves as a pattern only, then for the
    /// forward, then for the backward layer. As in Keras a seed for dropout in the configuration is the pattern's only.
    ///
    /// # Errors
    /// As [`Layer::new`]; [`Error::Unsupported`] for a configuration that goes backwards itself.
    pub fn new<R: Rng + ?Sized>(config: C, merge_mode: MergeMode, rng: &mut R) -> Result<Self> {
        config.validate::<A>()?;
        expect_ways(config.options().go_backwards, true)?;
        // Before a draw, since memory may be short.
        let [forward, backward] = config.clone().both_ways().map(Layer::zeros);
        let (forward, backward) = (forward?, backward?);
        let (forwards, backwards) = (forward.workspaces()?, backward.workspaces()?);
        let _pattern = config.seeded(rng);
        Self::from_layers(forward.seeded(forwards, rng)?, backward.seeded(backwards, rng)?, merge_mode)
    }

    /// Of two layers: Keras's `backward_layer`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless the second goes backwards and the first does not; [`Error::Width`] for different
    /// input_dim; [`Error::Shape`] for different units, unless they are concatenated.
    pub fn from_layers(forward: Layer<C, A>, backward: Layer<C, A>, merge_mode: MergeMode) -> Result<Self> {
        let [first, second] = [&forward, &backward].map(|layer| layer.config().options());
        expect_ways(first.go_backwards, second.go_backwards)?;
        expect_width("backward_layer", "input_dim", first.input_dim, second.input_dim)?;
        if merge_mode != MergeMode::Concat {
            expect_shape("backward_layer's units", &[first.units], &[second.units])?;
        }
        Ok(Self { layers: LayerPair { forward, backward }, merge_mode })
    }

    /// The two layers, whose outputs are not merged: Keras's `merge_mode=None`.
    #[must_use]
    pub fn layers(&self) -> &LayerPair<A, C> {
        &self.layers
    }

    /// The layer that runs from the first step to the last.
    #[must_use]
    pub fn forward_layer(&self) -> &Layer<C, A> {
        &self.layers.forward
    }

    /// The layer that runs from the last step to the first.
    #[must_use]
    pub fn backward_layer(&self) -> &Layer<C, A> {
        &self.layers.backward
    }

    /// How the two become one output.
    #[must_use]
    pub fn merge_mode(&self) -> MergeMode {
        self.merge_mode
    }

    /// The features of the merged outputs.
    pub(super) fn output_dim(&self) -> usize {
        let [first, second] = self.layers.directions().map(|layer| layer.config().options().units);
        if self.merge_mode == MergeMode::Concat { first + second } else { first }
    }

    /// A copy of the forward layer's weights, then the backward layer's.
    #[must_use]
    pub fn get_weights(&self) -> Vec<ArrayD<A>> {
        get_weights(self)
    }

    /// Takes over the forward layer's weights, then the backward layer's.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of arrays or one of another shape; nothing is changed then.
    pub fn set_weights<S: Data<Elem = A>, D: Dimension>(
        &mut self,
        weights: impl IntoIterator<Item = ArrayBase<S, D>>,
    ) -> Result<()> {
        set_weights(self, weights)
    }

    /// What Keras's dropout in the two layers draws from.
    #[must_use]
    pub fn seed_generators(&self) -> [SeedGenerator; 2] {
        self.layers.directions().map(Layer::seed_generator)
    }

    /// A call with options. See [`Call`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> Call<'a, Self> {
        Call::new(self, input)
    }

    /// The merged outputs of every step, and the final states.
    ///
    /// # Errors
    /// As [`Call::forward`].
    pub fn forward(&self, input: &ArrayRef3<A>) -> Result<(Array3<A>, [C::State<Array2<A>>; 2])> {
        self.call(input).forward()
    }

    /// The gradients of a loss, from that with respect to the merged outputs and, if the loss reads them, the final
    /// states; as [`Layer::backward`].
    ///
    /// # Errors
    /// As [`Layer::backward`].
    pub fn backward<D: Dimension>(
        &self,
        trace: &BidirectionalTrace<A, C>,
        d_output: &ArrayRef<A, D>,
        d_states: Option<[C::State<&ArrayRef2<A>>; 2]>,
    ) -> Result<BidirectionalGradients<A, C>> {
        if trace.merge_mode != self.merge_mode {
            let (expected, actual) = (self.merge_mode.name().into(), trace.merge_mode.name().into());
            return Err(Error::ForeignTrace { expected, actual });
        }
        let [d_forward, d_backward] = self.merge_mode.split(&d_output.view().into_dyn(), &trace.outputs)?;
        self.layers.backward(&trace.traces, [&d_forward, &d_backward], d_states)
    }
}

/// What a call in training mode leaves for [`Bidirectional::backward`].
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Bidirectional,  MergeMode, SimpleRnnConfig, set_random_seed};
///
/// let layer = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 2), MergeMode::Sum, &mut set_random_seed(0))?;
/// let input = Array3::ones((3, 5, 4));
/// let (last, _, trace) = layer.call(&input).last_train(&mut layer.seed_generators())?;
/// let gradients = layer.backward(&trace, &last, None)?; // of half the sum of squares
/// assert_eq!(gradients.input.dim(), (3, 5, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BidirectionalTrace<A: Scalar, C: Architecture> {
    traces: [Trace<C, A>; 2],
    outputs: [ArrayD<A>; 2],
    merge_mode: MergeMode,
}

impl<A: Scalar, C: Architecture> Callable for Bidirectional<A, C> {
    type Elem = A;
    type Output<D: Dimension> = Array<A, D>;
    type State = PairState<C, A>;
    type StateRef<'a> = PairStateRef<'a, C, A>;
    type Seeds = [SeedGenerator; 2];
    type Trace = BidirectionalTrace<A, C>;

    fn run<'a, D: Dimension>(
        &'a self,
        arguments: PairArguments<'a, C, A>,
        seeds: Option<&mut [SeedGenerator; 2]>,
    ) -> Result<Returned<Self, D>> {
        let (outputs, states, traces) = self.layers.run::<D>(arguments, seeds)?;
        let trace = traces.map(|traces| BidirectionalTrace {
            traces,
            outputs: outputs.each_ref().map(|output| output.clone().into_dyn()),
            merge_mode: self.merge_mode,
        });
        Ok((self.merge_mode.merge(outputs)?, states, trace))
    }
}

impl<A: Scalar, C: Architecture> Parameters for Bidirectional<A, C> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.layers.named_parameters()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.layers.named_parameters_mut()
    }
}

impl<A: Scalar, C: Architecture> Trainable for Bidirectional<A, C> {
    type Gradient = BidirectionalParameters<A, C>;

    fn zeros_like(&self) -> BidirectionalParameters<A, C> {
        self.layers.zeros_like()
    }
}

/// In the manner of Keras's constructor.
impl<A: Scalar, C: Architecture> fmt::Display for Bidirectional<A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bidirectional({}, merge_mode={})", self.forward_layer(), self.merge_mode.name())
    }
}
