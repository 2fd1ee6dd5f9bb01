//! Keras's wrapper of two layers, one in each direction of time.

use std::fmt;
use std::marker::PhantomData;

use ndarray::{
    Array, Array2, Array3, ArrayBase, ArrayD, ArrayRef, ArrayRef2, ArrayRef3, ArrayViewD, ArrayViewMutD,
    Data, Dimension,
};
use rand::Rng;

use super::both::BidirectionalParameters;
use super::call::Call;
use super::config::SimpleRnnConfig;
use super::layer::SimpleRnn;
use super::merge::{Merge, MergeMode, Merged, Unmerged};
use super::parameters::{get_weights, set_weights};
use super::returns::{Last, OutputDim, Returns};
use super::seeds::SeedGenerator;
use super::state::State;
use super::train::{Gradients, Trace};
use crate::error::{Error, Result, expect_shape, expect_width};
use crate::parameters::{Parameters, joined};
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
/// assert_eq!(layer.forward(&input)?.dim(), (3, 4));
///
/// let (output, [forward, backward]) = layer.call(&input).return_sequences().return_state().forward()?;
/// assert_eq!((output.dim(), forward.dim(), backward.dim()), ((3, 5, 4), (3, 2), (3, 2)));
///
/// let [forward, backward] = layer.call(&input).unmerged().forward()?;     // merge_mode=None
/// assert_eq!((forward.dim(), backward.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/bidirectional/>
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "keras.layers.Bidirectional")]
pub struct Bidirectional<A: Scalar = f32> {
    forward: SimpleRnn<A>,
    backward: SimpleRnn<A>,
    merge_mode: MergeMode,
}

/// Checks which way two layers go.
fn expect_ways(forward: &SimpleRnnConfig, backward_goes_backwards: bool) -> Result<()> {
    if !forward.go_backwards && backward_goes_backwards {
        return Ok(());
    }
    Err(Error::Unsupported {
        operation: "Bidirectional",
        reason: "the forward layer must go forwards and the backward layer backwards",
    })
}

impl<A: Scalar> Bidirectional<A> {
    /// Two layers of one configuration, the second going backwards, with Keras's initial parameters.
    ///
    /// Draws seeds as Keras does: for the layer that is handed over, which serves as a pattern only, then for the
    /// forward, then for the backward layer. As in Keras a [`seed`](SimpleRnnConfig::seed) for dropout is the
    /// pattern's only.
    ///
    /// # Errors
    /// As [`SimpleRnn::new`]; [`Error::Unsupported`] for a configuration that goes backwards itself.
    pub fn new<R: Rng + ?Sized>(config: SimpleRnnConfig, merge_mode: MergeMode, rng: &mut R) -> Result<Self> {
        config.validate()?;
        expect_ways(&config, true)?;
        let _pattern = config.clone().seeded(rng);
        let forward = SimpleRnnConfig { seed: None, ..config };
        let backward = SimpleRnnConfig { go_backwards: true, ..forward.clone() };
        Self::from_layers(SimpleRnn::new(forward, rng)?, SimpleRnn::new(backward, rng)?, merge_mode)
    }

    /// Of two layers: Keras's `backward_layer`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless the second goes backwards and the first does not; [`Error::Width`] for different
    /// input_dim; [`Error::Shape`] for different units, unless they are concatenated.
    pub fn from_layers(forward: SimpleRnn<A>, backward: SimpleRnn<A>, merge_mode: MergeMode) -> Result<Self> {
        let (first, second) = (forward.config(), backward.config());
        expect_ways(first, second.go_backwards)?;
        expect_width("backward_layer", "input_dim", first.input_dim, second.input_dim)?;
        if merge_mode != MergeMode::Concat {
            expect_shape("backward_layer's units", &[first.units], &[second.units])?;
        }
        Ok(Self { forward, backward, merge_mode })
    }

    /// The layer that runs from the first step to the last.
    #[must_use]
    pub fn forward_layer(&self) -> &SimpleRnn<A> {
        &self.forward
    }

    /// The layer that runs from the last step to the first.
    #[must_use]
    pub fn backward_layer(&self) -> &SimpleRnn<A> {
        &self.backward
    }

    /// How the two become one output.
    #[must_use]
    pub fn merge_mode(&self) -> MergeMode {
        self.merge_mode
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
        [&self.forward, &self.backward].map(SimpleRnn::seed_generator)
    }

    /// States for `batch` sequences, zero; see [`BidirectionalCall::stateful`].
    ///
    /// # Errors
    /// As [`SimpleRnn::state`].
    pub fn states(&self, batch: usize) -> Result<[State<A>; 2]> {
        Ok([self.forward.state(batch)?, self.backward.state(batch)?])
    }

    /// A call with options. See [`BidirectionalCall`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> BidirectionalCall<'a, A> {
        let calls = [self.forward.call(input), self.backward.call(input)];
        BidirectionalCall { calls, merge_mode: self.merge_mode, merge: PhantomData }.returning()
    }

    /// The last outputs of both layers, merged: Keras's default call.
    ///
    /// # Errors
    /// As [`SimpleRnn::forward`].
    pub fn forward(&self, input: &ArrayRef3<A>) -> Result<Array2<A>> {
        self.call(input).forward()
    }
}

/// A call of a [`Bidirectional`], made by [`Bidirectional::call`]; as [`Call`], states in pairs.
#[derive(Debug)]
#[must_use = "a call does nothing until `forward` or `forward_train` is called"]
pub struct BidirectionalCall<'a, A: Scalar, R = Last, M = Merged> {
    calls: [Call<'a, A, R>; 2],
    merge_mode: MergeMode,
    merge: PhantomData<M>,
}

/// What a call in training mode leaves for [`Bidirectional::backward`].
#[derive(Debug, Clone)]
pub struct BidirectionalTrace<A, R: Returns = Last, M = Merged> {
    traces: [Trace<A, R>; 2],
    outputs: [Array<A, R::Dim>; 2],
    merge_mode: MergeMode,
    merge: PhantomData<M>,
}

impl<'a, A: Scalar, R: Returns, M: Merge> BidirectionalCall<'a, A, R, M> {
    /// As [`Call::return_sequences`].
    pub fn return_sequences(self) -> BidirectionalCall<'a, A, R::AllSteps, M> {
        self.returning()
    }

    /// As [`Call::return_state`]: the forward and the backward layer's.
    pub fn return_state(self) -> BidirectionalCall<'a, A, R::AndState, M> {
        self.returning()
    }

    /// Returns the two layers' outputs as a pair: Keras's `merge_mode=None`.
    pub fn unmerged(self) -> BidirectionalCall<'a, A, R, Unmerged> {
        let Self { calls, merge_mode, .. } = self;
        BidirectionalCall { calls, merge_mode, merge: PhantomData }
    }

    /// As [`Call::mask`].
    pub fn mask(self, mask: &'a ArrayRef2<bool>) -> Self {
        self.map(|call| call.mask(mask))
    }

    /// As [`Call::initial_state`]: the forward and the backward layer's.
    pub fn initial_state(self, [forward, backward]: [&'a ArrayRef2<A>; 2]) -> Self {
        let [first, second] = self.calls;
        Self { calls: [first.initial_state(forward), second.initial_state(backward)], ..self }
    }

    /// As [`Call::stateful`]: the forward and the backward layer's.
    pub fn stateful(self, [forward, backward]: &'a mut [State<A>; 2]) -> Self {
        let [first, second] = self.calls;
        Self { calls: [first.stateful(forward), second.stateful(backward)], ..self }
    }

    /// With a mask and states that may be missing.
    pub(super) fn given(
        self,
        mask: Option<&'a ArrayRef2<bool>>,
        states: Option<&'a mut [State<A>; 2]>,
    ) -> Self {
        let [first, second] = self.calls;
        let [forward, backward] = states.map_or([None, None], |states| states.each_mut().map(Some));
        Self { calls: [first.given(mask, forward), second.given(mask, backward)], ..self }
    }

    /// Returns something else.
    pub(super) fn returning<S: Returns>(self) -> BidirectionalCall<'a, A, S, M> {
        self.map(|call| call.zero_output_for_mask(S::Dim::SEQUENCES).returning())
    }

    fn map<S>(self, f: impl Fn(Call<'a, A, R>) -> Call<'a, A, S>) -> BidirectionalCall<'a, A, S, M> {
        BidirectionalCall { calls: self.calls.map(f), merge_mode: self.merge_mode, merge: self.merge }
    }

    /// Runs both layers.
    ///
    /// # Errors
    /// As [`Call::forward`]; the states are unchanged then.
    #[expect(clippy::type_complexity, reason = "a merged output, perhaps with two states")]
    pub fn forward(self) -> Result<R::Value<M::Value<Array<A, R::Dim>>, [Array2<A>; 2]>> {
        let [first, second] = self.calls;
        // Both are checked before one leaves its state.
        let (first, second) = (first.pass()?, second.pass()?);
        let (forward, forward_state) = first.forward::<R::Dim>();
        let (backward, backward_state) = second.forward::<R::Dim>();
        let output = M::merge(self.merge_mode, [forward, R::Dim::flipped(backward)]);
        Ok(R::value(output, [forward_state, backward_state]))
    }

    /// Runs both layers in training mode, each with its own dropout; see [`Call::forward_train`].
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[expect(clippy::type_complexity, reason = "a pair of what forward returns and a trace")]
    pub fn forward_train(
        self,
        seeds: &mut [SeedGenerator; 2],
    ) -> Result<(R::Value<M::Value<Array<A, R::Dim>>, [Array2<A>; 2]>, BidirectionalTrace<A, R, M>)> {
        let [first, second] = self.calls;
        let (first, second) = (first.training_pass()?, second.training_pass()?);
        let first_masks = first.layer.dropout_masks(first.rows.batch, &mut seeds[0])?;
        let second_masks = second.layer.dropout_masks(second.rows.batch, &mut seeds[1])?;
        let (forward, forward_state, forward_trace) = first.forward_train::<R>(&first_masks);
        let (backward, backward_state, backward_trace) = second.forward_train::<R>(&second_masks);
        let outputs = [forward, R::Dim::flipped(backward)];
        let trace = BidirectionalTrace {
            traces: [forward_trace, backward_trace],
            outputs: outputs.clone(),
            merge_mode: self.merge_mode,
            merge: PhantomData,
        };
        let output = M::merge(self.merge_mode, outputs);
        Ok((R::value(output, [forward_state, backward_state]), trace))
    }
}

impl<A: Scalar> Bidirectional<A> {
    /// The gradients of a loss, from that with respect to what [`BidirectionalCall::forward_train`] returned; as
    /// [`SimpleRnn::backward`], states in pairs.
    ///
    /// # Errors
    /// As [`SimpleRnn::backward`].
    pub fn backward<R: Returns, M: Merge>(
        &self,
        trace: &BidirectionalTrace<A, R, M>,
        gradient: R::Value<M::Value<&ArrayRef<A, R::Dim>>, [&ArrayRef2<A>; 2]>,
    ) -> Result<Gradients<BidirectionalParameters<A>, Array3<A>, [Array2<A>; 2]>> {
        let (d_output, d_states) = R::parts(gradient);
        self.way_back(trace, d_output, d_states)
    }

    /// As [`backward`](Self::backward), output and states apart.
    pub(super) fn way_back<R: Returns, M: Merge>(
        &self,
        trace: &BidirectionalTrace<A, R, M>,
        d_output: M::Value<&ArrayRef<A, R::Dim>>,
        d_states: Option<[&ArrayRef2<A>; 2]>,
    ) -> Result<Gradients<BidirectionalParameters<A>, Array3<A>, [Array2<A>; 2]>> {
        if trace.merge_mode != self.merge_mode {
            let (expected, actual) = (self.merge_mode.name().into(), trace.merge_mode.name().into());
            return Err(Error::ForeignTrace { expected, actual });
        }
        let [d_forward, d_backward] = M::split(self.merge_mode, d_output, &trace.outputs)?;
        let d_states = d_states.map_or([None, None], |states| states.map(Some));
        let [first, second] = &trace.traces;
        let first = self.forward.way_back(first, &d_forward, d_states[0])?;
        let second = self.backward.way_back(second, &R::Dim::flipped(d_backward), d_states[1])?;
        let mut input = first.input;
        input.zip_mut_with(&second.input, |d, &term| *d += term);
        Ok(Gradients {
            parameters: BidirectionalParameters { forward: first.parameters, backward: second.parameters },
            input,
            initial_state: [first.initial_state, second.initial_state],
        })
    }
}

impl<A: Scalar> Parameters for Bidirectional<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        joined([("forward", self.forward.named_parameters()), ("backward", self.backward.named_parameters())])
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        joined([
            ("forward", self.forward.named_parameters_mut()),
            ("backward", self.backward.named_parameters_mut()),
        ])
    }
}

/// In the manner of Keras's constructor.
impl<A: Scalar> fmt::Display for Bidirectional<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bidirectional({}, merge_mode={})", self.forward, self.merge_mode.name())
    }
}
