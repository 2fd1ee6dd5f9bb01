//! One call of a layer, with its options.

use std::marker::PhantomData;

use ndarray::{Array, Array2, Array3, ArrayRef2, ArrayRef3, Axis, CowArray, Ix3};

use super::config::SimpleRnnConfig;
use super::layer::SimpleRnn;
use super::returns::{Last, OutputDim, Returns};
use super::rows::Rows;
use super::seeds::SeedGenerator;
use super::state::State;
use super::train::Trace;
use crate::engine::{Forward, Scratch, Share};
use crate::error::{Result, expect_room, expect_shape, expect_steps, expect_width};
use crate::scalar::Scalar;
use crate::sequence::{Source, standard, with_plain_rows};

/// A call of a [`SimpleRnn`] over a batch of sequences, made by [`SimpleRnn::call`]: options first, then
/// [`forward`](Self::forward) or [`forward_train`](Self::forward_train). What it returns is its type `R`, see
/// [`Returns`].
///
/// ```
/// use ndarray::{Array3, array};
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let mask = array![[false, true, false], [true, true, true]];
/// let (output, state) =
///     rnn.call(&Array3::ones((2, 3, 4))).mask(&mask).return_sequences().return_state().forward()?;
/// assert_eq!(output[[0, 0, 0]], 0.0);                // nothing has counted yet,
/// assert_eq!(output[[0, 2, 0]], output[[0, 1, 0]]);  // nothing new counts
/// assert_eq!(state[[0, 0]], output[[0, 1, 0]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a call does nothing until `forward` or `forward_train` is called"]
pub struct Call<'a, A: Scalar, R = Last> {
    layer: &'a SimpleRnn<A>,
    input: &'a ArrayRef3<A>,
    mask: Option<&'a ArrayRef2<bool>>,
    zero_output_for_mask: bool,
    initial_state: Option<&'a ArrayRef2<A>>,
    state: Option<&'a mut State<A>>,
    returns: PhantomData<R>,
}

/// A call, its arguments checked.
#[derive(Debug)]
pub(super) struct Pass<'a, A: Scalar> {
    pub(super) layer: &'a SimpleRnn<A>,
    pub(super) input: CowArray<'a, A, Ix3>,
    pub(super) rows: Rows,
    offsets: Option<Vec<usize>>,
    /// (1, N, units), in the caller's order.
    pub(super) first: Array3<A>,
    state: Option<&'a mut State<A>>,
}

impl<'a, A: Scalar> Call<'a, A, Last> {
    pub(super) fn new(layer: &'a SimpleRnn<A>, input: &'a ArrayRef3<A>) -> Self {
        Self {
            layer,
            input,
            mask: None,
            zero_output_for_mask: layer.config().zero_output_for_mask,
            initial_state: None,
            state: None,
            returns: PhantomData,
        }
    }
}

impl<'a, A: Scalar, R: Returns> Call<'a, A, R> {
    /// Returns the outputs of every step, (N, T, units), and not the last only.
    pub fn return_sequences(self) -> Call<'a, A, R::AllSteps> {
        self.returning()
    }

    /// Returns the final state, (N, units), beside the output. Where masks leave no step or outputs are zeroed it is
    /// not the last output.
    pub fn return_state(self) -> Call<'a, A, R::AndState> {
        self.returning()
    }

    /// Returns something else.
    pub(super) fn returning<S>(self) -> Call<'a, A, S> {
        let Self { layer, input, mask, zero_output_for_mask, initial_state, state, .. } = self;
        Call { layer, input, mask, zero_output_for_mask, initial_state, state, returns: PhantomData }
    }

    /// Which steps count, (N, T). A step that does not is never read, NaN or not: it leaves the state as it is and
    /// shows the output of the step before, zero if none has counted yet, or with `zero_output_for_mask` zero.
    /// Default: all.
    pub fn mask(self, mask: &'a ArrayRef2<bool>) -> Self {
        Self { mask: Some(mask), ..self }
    }

    /// The state to begin with, (N, units). Default: that of [`stateful`](Self::stateful), or zero.
    pub fn initial_state(self, initial_state: &'a ArrayRef2<A>) -> Self {
        Self { initial_state: Some(initial_state), ..self }
    }

    /// Begins with a state, unless [`initial_state`](Self::initial_state) is given, and leaves the final state in it:
    /// Keras's `stateful`.
    pub fn stateful(self, state: &'a mut State<A>) -> Self {
        Self { state: Some(state), ..self }
    }

    /// With a mask and a state that may be missing.
    pub(super) fn given(self, mask: Option<&'a ArrayRef2<bool>>, state: Option<&'a mut State<A>>) -> Self {
        Self { mask: mask.or(self.mask), state: state.or(self.state), ..self }
    }

    /// As a `Bidirectional` wants it.
    pub(super) fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        Self { zero_output_for_mask, ..self }
    }

    /// Runs the layer.
    ///
    /// The last outputs alone take memory for a few steps, however long the sequences. No dropout: that is
    /// training's.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for an input of another width; [`Error::EmptySequence`](crate::Error::EmptySequence) for T = 0; [`Error::Shape`](crate::Error::Shape) for a
    /// mask or a state of another shape. The state is unchanged then.
    pub fn forward(self) -> Result<R::Value<Array<A, R::Dim>, Array2<A>>> {
        let (output, state) = self.pass()?.forward();
        Ok(R::value(output, state))
    }

    /// As [`forward`](Self::forward), in training mode: draws and applies dropout, and returns a [`Trace`] for
    /// [`SimpleRnn::backward`].
    ///
    /// With `dropout` the input of a sequence is multiplied with one row of factors, the same for all steps, and with
    /// `recurrent_dropout` its state where the recurrent product reads it: 0, or `1 / (1 - rate)`. One draw each, in
    /// this order; none for a rate of 0 or 1.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[expect(clippy::type_complexity, reason = "a pair of what forward returns and a trace")]
    pub fn forward_train(
        self,
        seeds: &mut SeedGenerator,
    ) -> Result<(R::Value<Array<A, R::Dim>, Array2<A>>, Trace<A, R>)> {
        let (batch, layer) = (self.input.len_of(Axis(0)), self.layer);
        let pass = self.training_pass()?;
        let (output, state, trace) = pass.forward_train::<R>(&layer.dropout_masks(batch, seeds)?);
        Ok((R::value(output, state), trace))
    }

    /// Checks the arguments, and that memory can hold a trace.
    pub(super) fn training_pass(self) -> Result<Pass<'a, A>> {
        let (batch, len, _) = self.input.dim();
        let SimpleRnnConfig { input_dim, units, .. } = *self.layer.config();
        expect_room::<A>("trace", &[batch, len, input_dim.saturating_add(2 * units)])?;
        self.pass()
    }

    /// Checks the arguments.
    pub(super) fn pass(self) -> Result<Pass<'a, A>> {
        let Self { layer, input, mask, zero_output_for_mask, initial_state, state, .. } = self;
        let config = layer.config();
        let (batch, len, actual) = input.dim();
        expect_width("input", "input_dim", config.input_dim, actual)?;
        expect_steps("input", len, input.shape())?;
        expect_room::<A>("output", &R::Dim::shape(batch, len, config.units))?;
        // Rows of a mask or of reversed time stand in a table.
        expect_room::<usize>("input", &[batch, len])?;
        let shape = [batch, config.units];
        mask.map_or(Ok(()), |mask| expect_shape("mask", &[batch, len], mask.shape()))?;
        initial_state.map_or(Ok(()), |first| expect_shape("initial_state", &shape, first.shape()))?;
        state.as_ref().map_or(Ok(()), |state| expect_shape("state", &shape, state.value().shape()))?;
        let first = match (initial_state, &state) {
            (Some(first), _) => standard(first),
            (None, Some(state)) => state.value().clone(),
            (None, None) => Array2::zeros(shape),
        };
        let rows = match mask {
            None => Rows::all([batch, len], config.go_backwards),
            Some(mask) => Rows::masked(mask, config.go_backwards, zero_output_for_mask),
        };
        let mut time_major = input.view();
        time_major.swap_axes(0, 1);
        let input = with_plain_rows("input", time_major)?;
        let offsets = rows.offsets(&input);
        Ok(Pass { layer, input, rows, offsets, first: first.insert_axis(Axis(0)), state })
    }
}

impl<A: Scalar> Pass<'_, A> {
    /// Runs the layer; returns output and final states.
    pub(super) fn forward<D: OutputDim>(mut self) -> (Array<A, D>, Array2<A>) {
        let mut outputs = if D::SEQUENCES { self.room() } else { Vec::new() };
        let states = self.run(self.source(), D::SEQUENCES.then_some(&mut outputs), None, &mut []);
        self.keep(&states);
        (D::output(&self.rows, outputs, &states), states)
    }

    /// Leaves the final states where the caller wants them.
    pub(super) fn keep(&mut self, states: &Array2<A>) {
        if let Some(state) = &mut self.state {
            state.assign(states);
        }
    }

    /// Room for output rows, or for sums.
    pub(super) fn room(&self) -> Vec<A> {
        vec![A::zero(); self.rows.layout.steps.rows() * self.layer.config().units]
    }

    /// The input's rows.
    pub(super) fn source(&self) -> Source<'_, A> {
        self.rows.source(&self.input, self.offsets.as_deref())
    }

    /// Runs the engine over rows of input; returns the final states in the caller's order.
    pub(super) fn run(
        &self,
        source: Source<'_, A>,
        outputs: Option<&mut Vec<A>>,
        state_factors: Option<&[A]>,
        sums: &mut [Vec<A>],
    ) -> Array2<A> {
        let layout = &self.rows.layout;
        let mut states = self.first.clone();
        layout.with_sorted_state(&mut states, |state| {
            let pass = Forward {
                output: outputs.map(|rows| Share::Whole(rows)),
                state_factors,
                sums: Share::wholes(sums),
                ..Forward::new(source, &layout.steps, state)
            };
            A::forward(self.layer.stack(), pass, &mut Scratch::default());
        });
        states.index_axis_move(Axis(0), 0)
    }
}
