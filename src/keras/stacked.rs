//! Layers one upon another.

use ndarray::{Array, Array2, Array3, ArrayD, ArrayRef, ArrayRef3, ArrayViewD, ArrayViewMutD, Dimension};

use super::call::{Arguments, Call, Callable, Returned};
use super::rows::{Shown, of_axes};
use super::seeds::SeedGenerator;
use super::stacked_layer::{MemberArguments, MemberTrace, StackedLayer, foreign};
use crate::arrays::try_standard;
use crate::error::{Error, Result, expect_shape, expect_width};
use crate::invariant::Invariant;
use crate::parameters::{Parameters, Trainable, joined, zeros_of};
use crate::recurrent::Gradients;
use crate::scalar::Scalar;

/// Layers of any kinds and sizes, each but the first reading all outputs of the one below: Keras's `Sequential` of
/// recurrent layers.
///
/// A mask holds for every layer, as Keras passes it on. A call returns the last layer's outputs, and the final state of
/// every layer in turn, of a [`Bidirectional`](super::Bidirectional) the forward layer's before the backward layer's.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig, Stacked, set_random_seed};
///
/// let mut rng = set_random_seed(0);
/// let below = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 8), MergeMode::Concat, &mut rng)?;
/// let above = SimpleRnn::new(SimpleRnnConfig::new(16, 3), &mut rng)?;
/// let model = Stacked::new([below.into(), above.into()])?;
/// let (last, states) = model.call(&Array3::ones((2, 5, 4))).last()?;
/// assert_eq!((last.dim(), states.len()), ((2, 3), 3));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/models/sequential/>
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "Sequential")]
#[doc(alias = "StackedRNNCells")]
pub struct Stacked<A: Scalar = f32> {
    layers: Vec<StackedLayer<A>>,
}

/// The gradient of a [`Stacked`]'s parameters, under their names: `0.kernel`, ..., `1.forward.kernel`, ...
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::Parameters;
/// use ndarray_rnn::keras::{Gru, GruConfig, Lstm, LstmConfig, Stacked, StackedParameters};
///
/// let (below, above) = (Lstm::<f32>::zeros(LstmConfig::new(4, 3))?, Gru::zeros(GruConfig::new(3, 2))?);
/// let stack = Stacked::new([below.into(), above.into()])?;
/// let input = Array3::ones((3, 5, 4));
/// let (last, _, trace) = stack.call(&input).last_train(&mut stack.seed_generators())?;
/// let gradients: StackedParameters<f32> = stack.backward(&trace, &last, None)?.parameters;
/// assert_eq!(gradients.named_parameters()[0].0, "0.kernel");
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StackedParameters<A> {
    arrays: Vec<(String, ArrayD<A>)>,
}

/// What a call in training mode leaves for [`Stacked::backward`].
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Gru, GruConfig, Lstm, LstmConfig, Stacked, StackedTrace};
///
/// let (below, above) = (Lstm::<f32>::zeros(LstmConfig::new(4, 3))?, Gru::zeros(GruConfig::new(3, 2))?);
/// let stack = Stacked::new([below.into(), above.into()])?;
/// let input = Array3::ones((3, 5, 4));
/// let (last, _, trace): (_, _, StackedTrace) = stack.call(&input).last_train(&mut stack.seed_generators())?;
/// assert_eq!(stack.backward(&trace, &last, None)?.input.dim(), (3, 5, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StackedTrace {
    layers: Vec<MemberTrace>,
}

impl<A: Scalar> Stacked<A> {
    /// Of layers, the first reading the input.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for no layers; [`Error::Width`] for a layer that is not as wide as the outputs below.
    pub fn new(layers: impl IntoIterator<Item = StackedLayer<A>>) -> Result<Self> {
        let layers: Vec<_> = layers.into_iter().collect();
        for pair in layers.windows(2) {
            let [[_, below], [above, _]] = [&pair[0], &pair[1]].map(|layer| layer.0.widths());
            expect_width("layer", "the outputs below", below, above)?;
        }
        if layers.is_empty() { Err(Error::ZeroSize { name: "layers" }) } else { Ok(Self { layers }) }
    }

    /// The layers, the first reading the input.
    #[must_use]
    pub fn layers(&self) -> &[StackedLayer<A>] {
        &self.layers
    }

    /// What Keras's dropout in the layers draws from: a generator for each, for a
    /// [`Bidirectional`](super::Bidirectional) two.
    #[must_use]
    pub fn seed_generators(&self) -> Vec<SeedGenerator> {
        self.layers.iter().flat_map(|layer| layer.0.seed_generators()).collect()
    }

    /// A call with options. See [`Call`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> Call<'a, Self> {
        Call::new(self, input)
    }

    /// The last layer's outputs of every step, and every layer's final state.
    ///
    /// # Errors
    /// As [`Call::forward`].
    pub fn forward(&self, input: &ArrayRef3<A>) -> Result<(Array3<A>, Vec<Array2<A>>)> {
        self.call(input).forward()
    }

    /// The gradients of a loss, from that with respect to the last layer's outputs and, if the loss reads them, every
    /// layer's final state; as [`Layer::backward`](super::Layer::backward).
    ///
    /// # Errors
    /// As [`Layer::backward`](super::Layer::backward); [`Error::Shape`] for another number of states.
    pub fn backward<D: Dimension>(
        &self,
        trace: &StackedTrace,
        d_output: &ArrayRef<A, D>,
        mut d_states: Option<&[Array2<A>]>,
    ) -> Result<Gradients<StackedParameters<A>, Array3<A>, Vec<Array2<A>>>> {
        if trace.layers.len() != self.layers.len() {
            return Err(foreign("another number of layers"));
        }
        self.expect_states("d_states", d_states)?;
        let (mut parameters, mut state) = (Vec::new(), Vec::new());
        let mut d_output = try_standard("d_output", d_output)?.into_dyn();
        for (layer, trace) in self.layers.iter().zip(&trace.layers).rev() {
            let own = d_states.as_mut().map(|states| {
                let (others, own) = states.split_at(states.len() - layer.0.planes());
                *states = others;
                own
            });
            let gradients = layer.0.backward(trace, &d_output, own)?;
            d_output = gradients.input.into_dyn();
            parameters.push(gradients.parameters);
            state.push(gradients.state);
        }
        let arrays = joined(parameters.into_iter().rev().enumerate());
        let input = of_axes(d_output);
        let state = state.into_iter().rev().flatten().collect();
        Ok(Gradients { parameters: StackedParameters { arrays }, input, state })
    }

    /// Checks the number of states.
    fn expect_states(&self, name: &str, states: Option<&[Array2<A>]>) -> Result<()> {
        let planes: usize = self.layers.iter().map(|layer| layer.0.planes()).sum();
        states.map_or(Ok(()), |states| expect_shape(name, &[planes], &[states.len()]))
    }
}

const COUNTED: &str = "states and generators were counted";

impl<A: Scalar> Callable for Stacked<A> {
    type Elem = A;
    type Output<D: Dimension> = Array<A, D>;
    type State = Vec<Array2<A>>;
    type StateRef<'a> = &'a [Array2<A>];
    type Seeds = [SeedGenerator];
    type Trace = StackedTrace;

    fn run<'a, D: Dimension>(
        &'a self,
        arguments: MemberArguments<'a, A>,
        seeds: Option<&mut [SeedGenerator]>,
    ) -> Result<Returned<Self, D>> {
        let Arguments { input, mask, initial_state: mut states, zero_output_for_mask } = arguments;
        self.expect_states("states", states)?;
        let mut drawn = seeds.as_deref().map(<[_]>::to_vec);
        let mut undrawn = drawn.as_deref_mut();
        if let Some(seeds) = &undrawn {
            expect_shape("seeds", &[self.seed_generators().len()], &[seeds.len()])?;
        }
        let (mut output, mut finals, mut layers) = (None, Vec::new(), Vec::new());
        for (i, layer) in self.layers.iter().enumerate() {
            let shown = if i + 1 == self.layers.len() { Shown::of::<D>() } else { Shown::Every };
            let below: Option<Array3<A>> = output.take().map(of_axes);
            let input = below.as_ref().map_or(input, |below| below);
            let initial_state =
                states.as_mut().map(|states| states.split_off(..layer.0.planes()).invariant(COUNTED));
            let own = undrawn.as_mut().map(|seeds| {
                let count = layer.0.seed_generators().len();
                seeds.split_off_mut(..count).invariant(COUNTED)
            });
            let arguments = Arguments { input, mask, initial_state, zero_output_for_mask };
            let (outputs, state, trace) = layer.0.call(arguments, shown, own)?;
            output = Some(outputs);
            finals.extend(state);
            layers.extend(trace);
        }
        let trace = seeds.zip(drawn).map(|(seeds, drawn)| {
            seeds.clone_from_slice(&drawn);
            StackedTrace { layers }
        });
        Ok((of_axes(output.invariant("a stack has a layer")), finals, trace))
    }
}

impl<A: Scalar> Parameters for Stacked<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        joined(self.layers.iter().map(|layer| layer.0.named_parameters()).enumerate())
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        joined(self.layers.iter_mut().map(|layer| layer.0.named_parameters_mut()).enumerate())
    }
}

impl<A: Scalar> Trainable for Stacked<A> {
    type Gradient = StackedParameters<A>;

    fn zeros_like(&self) -> StackedParameters<A> {
        zeros_of(&StackedParameters { arrays: self.state_dict() })
    }
}

impl<A: Scalar> Parameters for StackedParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.arrays.iter().map(|(name, array)| (name.clone(), array.view())).collect()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.arrays.iter_mut().map(|(name, array)| (name.clone(), array.view_mut())).collect()
    }
}
