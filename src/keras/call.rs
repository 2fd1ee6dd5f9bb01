//! One call of a model, with its options.

use std::fmt::Debug;

use ndarray::{ArrayRef2, ArrayRef3, Dimension, Ix2, Ix3};

use crate::error::Result;
use crate::invariant::Invariant;
use crate::scalar::Scalar;

/// What can be called: a [`Layer`](super::Layer), a [`Bidirectional`](super::Bidirectional), its
/// [`LayerPair`](super::LayerPair), a [`Stacked`](super::Stacked). Sealed.
///
/// ```
/// use ndarray::{Array3, Ix2};
/// use ndarray_rnn::keras::{Call, Callable, Lstm, LstmConfig};
///
/// /// For layers, both directions and stacks.
/// fn last<M: Callable>(call: Call<'_, M>) -> ndarray_rnn::Result<M::Output<Ix2>> {
///     Ok(call.last()?.0)
/// }
/// let (lstm, input) = (Lstm::<f32>::zeros(LstmConfig::new(4, 2))?, Array3::ones((3, 5, 4)));
/// assert_eq!(last(lstm.call(&input))?.dim(), (3, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Callable: Sized {
    /// The arrays' element type.
    type Elem: Scalar;

    /// Outputs of `D` axes: one array, for a [`LayerPair`](super::LayerPair) two.
    type Output<D: Dimension>;

    /// The final state.
    type State;

    /// A state that is lent.
    type StateRef<'a>
    where
        Self: 'a;

    /// What dropout draws from.
    type Seeds: ?Sized;

    /// What a call in training mode leaves for the way back.
    type Trace;

    /// Runs the model, with `seeds` in training mode, where it leaves a trace too. They are changed only if all goes well.
    #[doc(hidden)]
    fn run<'a, D: Dimension>(
        &'a self,
        arguments: Arguments<'a, Self::Elem, Self::StateRef<'a>>,
        seeds: Option<&mut Self::Seeds>,
    ) -> Result<Returned<Self, D>>;
}

/// Outputs of `D` axes, the final state, in training mode a trace.
pub type Returned<M, D> =
    (<M as Callable>::Output<D>, <M as Callable>::State, Option<<M as Callable>::Trace>);

/// What a model is called with.
#[derive(Debug)]
pub struct Arguments<'a, A: Scalar, S> {
    pub(super) input: &'a ArrayRef3<A>,
    pub(super) mask: Option<&'a ArrayRef2<bool>>,
    pub(super) initial_state: Option<S>,
    /// In place of the layer's own.
    pub(super) zero_output_for_mask: Option<bool>,
}

impl<'a, A: Scalar, S> Arguments<'a, A, S> {
    /// With the state in another form.
    pub(super) fn map_state<T>(self, f: impl FnOnce(S) -> T) -> Arguments<'a, A, T> {
        let Self { input, mask, initial_state, zero_output_for_mask } = self;
        Arguments { input, mask, initial_state: initial_state.map(f), zero_output_for_mask }
    }
}

/// A call of a model over a batch of sequences, made by [`Layer::call`](super::Layer::call) and its like: options
/// first, then what to return.
///
/// | | returns, with the final state |
/// |---|---|
/// | [`last`](Self::last) | each sequence's last output, (N, units) |
/// | [`forward`](Self::forward) | the outputs of every step, (N, T, units): Keras's `return_sequences` |
/// | [`last_train`](Self::last_train), [`forward_train`](Self::forward_train) | the same in training mode, and a trace for the way back |
///
/// ```
/// use ndarray::{Array3, array};
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let mask = array![[false, true, false], [true, true, true]];
/// let (output, state) = rnn.call(&Array3::ones((2, 3, 4))).mask(&mask).forward()?;
/// assert_eq!(output[[0, 0, 0]], 0.0);                // nothing has counted yet,
/// assert_eq!(output[[0, 2, 0]], output[[0, 1, 0]]);  // nothing new counts
/// assert_eq!(state[[0, 0]], output[[0, 1, 0]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a call does nothing until `last`, `forward`, `last_train` or `forward_train` is called"]
pub struct Call<'a, M: Callable> {
    model: &'a M,
    arguments: Arguments<'a, M::Elem, M::StateRef<'a>>,
}

impl<'a, M: Callable> Call<'a, M> {
    pub(super) fn new(model: &'a M, input: &'a ArrayRef3<M::Elem>) -> Self {
        let arguments = Arguments { input, mask: None, initial_state: None, zero_output_for_mask: None };
        Self { model, arguments }
    }

    /// Which steps count, (N, T). A step that does not count is never read, NaN or not: it leaves the state as it is
    /// and shows the output of the step before, zero if none has counted yet, or with `zero_output_for_mask` zero.
    /// Default: all.
    pub fn mask(self, mask: &'a ArrayRef2<bool>) -> Self {
        Self { arguments: Arguments { mask: Some(mask), ..self.arguments }, ..self }
    }

    /// The state to begin with, shaped as the state that a call returns: (N, units), for a
    /// [`Bidirectional`](super::Bidirectional) the forward and the backward layer's, for a [`Stacked`](super::Stacked)
    /// one for each layer and direction. Default: zero.
    ///
    /// The state that one batch returns is where the next one goes on: Keras's `stateful`.
    ///
    /// ```
    /// use ndarray::{Array2, Array3, Axis};
    /// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
    ///
    /// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
    /// let input = Array3::ones((3, 6, 4));
    /// let (whole, _) = rnn.call(&input).last()?;
    ///
    /// let (mut last, mut state) = (Array2::default((0, 0)), Array2::zeros((3, 2)));
    /// for batch in input.axis_chunks_iter(Axis(1), 2) {
    ///     (last, state) = rnn.call(&batch).initial_state(&state).last()?;
    /// }
    /// assert_eq!(last, whole);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[doc(alias = "stateful")]
    #[doc(alias = "reset_state")]
    pub fn initial_state(self, state: M::StateRef<'a>) -> Self {
        Self { arguments: Arguments { initial_state: Some(state), ..self.arguments }, ..self }
    }

    /// Returns the outputs of every step, and the final state. Where masks leave no step or outputs are zeroed the state
    /// is not the last output.
    ///
    /// There is no dropout outside training.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for an input of another width;
    /// [`Error::EmptySequence`](crate::Error::EmptySequence) for T = 0; [`Error::Shape`](crate::Error::Shape) for a mask
    /// or a state of another shape; [`Error::SizeOverflow`](crate::Error::SizeOverflow) for an output that no memory
    /// holds.
    #[doc(alias = "return_sequences")]
    pub fn forward(self) -> Result<(M::Output<Ix3>, M::State)> {
        let (outputs, state, _) = self.model.run(self.arguments, None)?;
        Ok((outputs, state))
    }

    /// Returns each sequence's last output, and the final state. Takes memory for a few steps, however long the
    /// sequences.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[doc(alias = "return_state")]
    pub fn last(self) -> Result<(M::Output<Ix2>, M::State)> {
        let (last, state, _) = self.model.run(self.arguments, None)?;
        Ok((last, state))
    }

    /// As [`forward`](Self::forward), in training mode: draws and applies dropout, and returns a trace for the model's
    /// `backward`, such as [`Layer::backward`](super::Layer::backward).
    ///
    /// With `dropout` the input of a sequence is multiplied by one row of factors, the same for all steps, and with
    /// `recurrent_dropout` its state where the recurrent product reads it: 0, or `1 / (1 - rate)`. A layer with gates that
    /// has `recurrent_dropout` has a row for each gate, of input and state. One draw for each row, the input's first; none
    /// for a rate of 0 or 1. Of several layers each draws from its own generator.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`](crate::Error::Shape) for another number of generators than the
    /// model has. `seeds` are as they were then.
    pub fn forward_train(self, seeds: &mut M::Seeds) -> Result<(M::Output<Ix3>, M::State, M::Trace)> {
        self.train(seeds)
    }

    /// As [`last`](Self::last), in training mode as [`forward_train`](Self::forward_train).
    ///
    /// # Errors
    /// As [`forward_train`](Self::forward_train).
    pub fn last_train(self, seeds: &mut M::Seeds) -> Result<(M::Output<Ix2>, M::State, M::Trace)> {
        self.train(seeds)
    }

    fn train<D: Dimension>(self, seeds: &mut M::Seeds) -> Result<(M::Output<D>, M::State, M::Trace)> {
        let (outputs, state, trace) = self.model.run(self.arguments, Some(seeds))?;
        Ok((outputs, state, trace.invariant("training leaves a trace")))
    }
}
