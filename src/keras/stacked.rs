//! Layers one upon another.

use std::marker::PhantomData;

use ndarray::{Array, Array2, Array3, ArrayRef, ArrayRef2, ArrayRef3, ArrayViewD, ArrayViewMutD, Axis};

use super::layer::SimpleRnn;
use super::returns::{Last, Returns, Sequences};
use super::seeds::SeedGenerator;
use super::stacked_layer::{Arguments, Layer, LayerParameters, LayerTrace, foreign};
use super::state::State;
use super::train::Gradients;
use crate::error::{Error, Result, expect_shape, expect_width};
use crate::parameters::{Parameters, joined};
use crate::scalar::Scalar;

/// Layers of any sizes, each but the first reading all outputs of the one below: Keras's `Sequential` of recurrent
/// layers.
///
/// A mask holds for every layer, as Keras passes it on.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig, Stacked, set_random_seed};
///
/// let mut rng = set_random_seed(0);
/// let below = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 8), MergeMode::Concat, &mut rng)?;
/// let above = SimpleRnn::new(SimpleRnnConfig::new(16, 3), &mut rng)?;
/// let model = Stacked::new([below.into(), above.into()])?;
/// assert_eq!(model.forward(&Array3::ones((2, 5, 4)))?.dim(), (2, 3));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/models/sequential/>
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "Sequential")]
#[doc(alias = "StackedRNNCells")]
pub struct Stacked<A: Scalar = f32> {
    below: Vec<Layer<A>>,
    last: Layer<A>,
}

/// The gradient of a [`Stacked`]'s parameters, layer by layer: `0.kernel`, ..., `1.forward.kernel`, ...
#[derive(Debug, Clone, PartialEq)]
pub struct StackedParameters<A> {
    layers: Vec<LayerParameters<A>>,
}

impl<A> StackedParameters<A> {
    /// Of each layer.
    #[must_use]
    pub fn layers(&self) -> &[LayerParameters<A>] {
        &self.layers
    }
}

/// A call of a [`Stacked`], made by [`Stacked::call`]; as [`Call`](super::Call).
#[derive(Debug)]
#[must_use = "a call does nothing until `forward` or `forward_train` is called"]
pub struct StackedCall<'a, A: Scalar, R = Last> {
    model: &'a Stacked<A>,
    input: &'a ArrayRef3<A>,
    mask: Option<&'a ArrayRef2<bool>>,
    states: Option<&'a mut [State<A>]>,
    returns: PhantomData<R>,
}

/// What a call in training mode leaves for [`Stacked::backward`].
#[derive(Debug, Clone)]
pub struct StackedTrace<A, R: Returns = Last> {
    below: Vec<LayerTrace<A, Sequences>>,
    last: LayerTrace<A, R>,
}

impl<A: Scalar> Stacked<A> {
    /// Of layers, the first reading the input.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for no layers; [`Error::Width`] for a layer that is not as wide as the outputs below.
    pub fn new(layers: impl IntoIterator<Item = Layer<A>>) -> Result<Self> {
        let mut below: Vec<_> = layers.into_iter().collect();
        for pair in below.windows(2) {
            expect_width("layer", "the outputs below", pair[0].output_dim(), pair[1].input_dim())?;
        }
        let last = below.pop().ok_or(Error::ZeroSize { name: "layers" })?;
        Ok(Self { below, last })
    }

    /// The layers, the first reading the input.
    pub fn layers(&self) -> impl Iterator<Item = &Layer<A>> {
        self.below.iter().chain([&self.last])
    }

    /// What Keras's dropout in the layers draws from: a generator for each, for a
    /// [`Bidirectional`](super::Bidirectional) two.
    #[must_use]
    pub fn seed_generators(&self) -> Vec<SeedGenerator> {
        self.directions().map(SimpleRnn::seed_generator).collect()
    }

    /// States for `batch` sequences, zero: one for each layer, for a [`Bidirectional`](super::Bidirectional) two.
    ///
    /// # Errors
    /// As [`SimpleRnn::state`].
    pub fn states(&self, batch: usize) -> Result<Vec<State<A>>> {
        self.directions().map(|layer| layer.state(batch)).collect()
    }

    /// A call with options. See [`StackedCall`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> StackedCall<'a, A> {
        StackedCall { model: self, input, mask: None, states: None, returns: PhantomData }
    }

    /// The last layer's last outputs.
    ///
    /// # Errors
    /// As [`SimpleRnn::forward`].
    pub fn forward(&self, input: &ArrayRef3<A>) -> Result<Array2<A>> {
        self.call(input).forward()
    }

    /// The gradients of a loss with respect to parameters, input and first states (in the order of
    /// [`states`](Self::states)), from that with respect to what [`StackedCall::forward_train`] returned.
    ///
    /// # Errors
    /// As [`SimpleRnn::backward`].
    pub fn backward<R: Returns>(
        &self,
        trace: &StackedTrace<A, R>,
        d_output: &ArrayRef<A, R::Dim>,
    ) -> Result<Gradients<StackedParameters<A>, Array3<A>, Vec<Array2<A>>>> {
        if trace.below.len() != self.below.len() {
            return Err(foreign("another number of layers"));
        }
        let mut gradients = vec![self.last.way_back(&trace.last, d_output)?];
        for (layer, trace) in self.below.iter().zip(&trace.below).rev() {
            let d_output = &gradients[gradients.len() - 1].input;
            gradients.push(layer.way_back(trace, d_output)?);
        }
        let (mut layers, mut initial_state, mut input) = (Vec::new(), Vec::new(), Array3::default((0, 0, 0)));
        for gradient in gradients.into_iter().rev() {
            if layers.is_empty() {
                input = gradient.input;
            }
            layers.push(gradient.parameters);
            initial_state.extend(gradient.initial_state);
        }
        Ok(Gradients { parameters: StackedParameters { layers }, input, initial_state })
    }

    fn directions(&self) -> impl Iterator<Item = &SimpleRnn<A>> {
        self.layers().flat_map(Layer::directions)
    }
}

impl<'a, A: Scalar, R: Returns> StackedCall<'a, A, R> {
    /// Returns the last layer's outputs of every step, and not the last only.
    pub fn return_sequences(self) -> StackedCall<'a, A, R::AllSteps> {
        let Self { model, input, mask, states, .. } = self;
        StackedCall { model, input, mask, states, returns: PhantomData }
    }

    /// As [`Call::mask`](super::Call::mask), in every layer.
    pub fn mask(self, mask: &'a ArrayRef2<bool>) -> Self {
        Self { mask: Some(mask), ..self }
    }

    /// As [`Call::stateful`](super::Call::stateful), in every layer: states as [`Stacked::states`] makes them.
    pub fn stateful(self, states: &'a mut [State<A>]) -> Self {
        Self { states: Some(states), ..self }
    }

    /// Runs the layers.
    ///
    /// # Errors
    /// As [`Call::forward`](super::Call::forward); [`Error::Shape`] for another number of states. The states are unchanged
    /// then, but below a layer whose output no memory holds.
    pub fn forward(mut self) -> Result<Array<A, R::Dim>> {
        self.check()?;
        let mut outputs: Option<Array3<A>> = None;
        for layer in &self.model.below {
            let output = layer.forward::<Sequences>(self.arguments(layer, outputs.as_ref()))?;
            outputs = Some(output);
        }
        self.model.last.forward::<R>(self.arguments(&self.model.last, outputs.as_ref()))
    }

    /// As [`forward`](Self::forward), in training mode, every layer with its own dropout: generators as
    /// [`Stacked::seed_generators`] makes them.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`] for another number of generators.
    pub fn forward_train(
        mut self,
        mut seeds: &mut [SeedGenerator],
    ) -> Result<(Array<A, R::Dim>, StackedTrace<A, R>)> {
        self.check()?;
        expect_shape("seeds", &[self.model.directions().count()], &[seeds.len()])?;
        let (mut outputs, mut below) = (None, Vec::new());
        for layer in &self.model.below {
            let (own, others) = seeds.split_at_mut(layer.directions().len());
            seeds = others;
            let arguments = self.arguments(layer, outputs.as_ref());
            let (output, trace) = layer.forward_train::<Sequences>(arguments, own)?;
            outputs = Some(output);
            below.push(trace);
        }
        let arguments = self.arguments(&self.model.last, outputs.as_ref());
        let (output, last) = self.model.last.forward_train::<R>(arguments, seeds)?;
        Ok((output, StackedTrace { below, last }))
    }

    /// Checks what one layer after another would find wrong.
    fn check(&self) -> Result<()> {
        let Some(states) = &self.states else { return Ok(()) };
        expect_shape("states", &[self.model.directions().count()], &[states.len()])?;
        let batch = self.input.len_of(Axis(0));
        self.model.directions().zip(states.iter()).try_for_each(|(layer, state)| {
            expect_shape("state", &[batch, layer.config().units], state.value().shape())
        })
    }

    /// What the next layer is called with: the input, or the outputs below, and its states.
    fn arguments<'b>(&mut self, layer: &Layer<A>, below: Option<&'b Array3<A>>) -> Arguments<'b, A>
    where
        'a: 'b,
    {
        let states = self.states.take().map(|states| {
            let (own, others) = states.split_at_mut(layer.directions().len());
            self.states = Some(others);
            own
        });
        let input = below.map_or(self.input, |below| below);
        Arguments { input, mask: self.mask, states }
    }
}

impl<A: Scalar> Parameters for Stacked<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        joined(self.layers().map(Layer::named_parameters).enumerate())
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        joined(self.below.iter_mut().chain([&mut self.last]).map(Layer::named_parameters_mut).enumerate())
    }
}

impl<A: Scalar> Parameters for StackedParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        joined(self.layers.iter().map(LayerParameters::named_parameters).enumerate())
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        joined(self.layers.iter_mut().map(LayerParameters::named_parameters_mut).enumerate())
    }
}
