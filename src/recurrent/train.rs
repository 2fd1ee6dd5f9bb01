//! Training: passes that leave a trace.

use std::marker::PhantomData;

use ndarray::{Array, Array3, ArrayRef, Dimension};

use super::architecture::Architecture;
use super::network::{Recurrent, state_of};
use super::run::{Pass, Run};
use super::sequences::Sequences;
use crate::dim::{SequenceDim, put_last};
use crate::engine::{Factors, Kept, Origin, Reads, Ready, Writes};
use crate::error::Result;
use crate::invariant::Invariant;
use crate::planes::Planes;
use crate::random::Generators;
use crate::scalar::Scalar;

/// What a pass in training leaves for [`Recurrent::backward`] and [`Recurrent::back`], which may read it any number of
/// times. `O` is what the pass ran over: a batch (3-D), one sequence (2-D) or a [`PackedSequence`](crate::PackedSequence).
///
/// For R rows (steps times sequences, without padding) and P features of h a trace holds `R (input_size + K D P)`
/// numbers, `R (K - 1) D P` more with dropout, and the first states, the mask of resets and their states. That of an
/// [`Lstm`](crate::Lstm) or a [`Gru`](crate::Gru) holds `5 R K D hidden_size` more, `hidden_size` rounded up to a cache
/// line, and with a projection another `R K D hidden_size`. When the trace is dropped its memory goes back to the network, for the next pass; what that pass does not use is
/// freed. A clone of the network has no such memory.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Gru, GruConfig, Trace, manual_seed};
///
/// let mut rng = manual_seed(0);
/// let gru = Gru::<f32>::new(GruConfig::new(4, 2), &mut rng)?;
/// let (output, _, trace): (_, _, Trace<GruConfig, f32>) = gru.forward_train(&Array3::ones((3, 5, 4)), None, &mut rng)?;
/// assert_eq!(gru.backward(&trace, &output, None)?.input.dim(), (3, 5, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Trace<C, A: Scalar, O = Array3<A>> {
    pub(super) origin: Origin<C>,
    pub(super) kept: Box<Kept<A>>,
    /// The shape (L, N, input_size) of the input.
    pub(super) dim: (usize, usize, usize),
    pub(super) form: PhantomData<fn() -> O>,
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// As [`forward`](Self::forward), in training. `rng` is drawn from for dropout alone. See
    /// [`Run::forward_train`].
    ///
    /// # Errors
    /// As [`Run::forward_train`].
    #[expect(clippy::type_complexity, reason = "an output, a state and a trace")]
    pub fn forward_train<D: SequenceDim, G: Generators + ?Sized>(
        &self,
        input: &ArrayRef<A, D>,
        state: Option<C::State<&ArrayRef<A, D>>>,
        rng: &mut G,
    ) -> Result<(Array<A, D>, C::State<Array<A, D>>, Trace<C, A, Array<A, D>>)> {
        Run::new(self, input, state.map(C::planes)).forward_train(rng)
    }
}

impl<C: Architecture, A: Scalar, I: Sequences<A> + ?Sized> Run<'_, C, A, I> {
    /// As [`forward`](Self::forward), in training: draws and applies dropout, and also returns a [`Trace`] for
    /// [`Recurrent::backward`].
    ///
    /// Dropout acts on the outputs of every layer but the last: an element is kept with probability `1 - dropout`,
    /// and then divided by that probability. It draws two words for each element, layer by layer, in the order of
    /// (t, n, feature), as torch does, and none if `dropout` is 0 or 1 or there is one layer. With
    /// [`lengths`](Self::lengths) the elements are those of torch's packed sequence, packed with
    /// `enforce_sorted=False`: the longest sequence first, those of one length as in a
    /// [`PackedSequence`](crate::PackedSequence).
    ///
    /// With [one generator for each sequence](crate::random::PerSequence) a sequence draws from its own what it draws if
    /// it runs alone: layer by layer, in the order of (t, feature).
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`](crate::Error::Shape) for generators of another number than the
    /// sequences'. Nothing is drawn then.
    #[doc(alias = "train")]
    #[expect(clippy::type_complexity, reason = "an output, a state and a trace")]
    pub fn forward_train<G: Generators + ?Sized>(
        self,
        rng: &mut G,
    ) -> Result<(I::Output, C::State<Array<A, I::Dim>>, Trace<C, A, I::Output>)> {
        let pass = self.pass(|_| Ok(()))?;
        let mut output = I::room(self.form(&pass.course.layout, pass.dim))?;
        let (state, trace) = self.train(pass, rng)?;
        I::put_rows(&mut output, trace.kept.output(), self.form(&trace.kept.course.layout, trace.dim));
        Ok((output, state_of::<C, A, I::Dim>(state), trace))
    }

    /// As [`last`](Self::last), in training as [`forward_train`](Self::forward_train): returns each sequence's last
    /// output, the final state, and a [`Trace`] for [`Recurrent::back`].
    ///
    /// For a loss that reads the last outputs alone. Beyond the trace, the pass and its way back make no array of
    /// (L, N, D hidden_size).
    ///
    /// # Errors
    /// As [`forward_train`](Self::forward_train).
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use ndarray_rnn::loss::MseLoss;
    /// use ndarray_rnn::{Lstm, LstmConfig, manual_seed};
    ///
    /// let mut rng = manual_seed(0);
    /// let lstm = Lstm::<f32>::new(LstmConfig::new(4, 2).bidirectional(true), &mut rng)?;
    /// let input = Array3::ones((5, 3, 4));
    /// let (last, _, trace) = lstm.run(&input).lengths(&[2, 5, 3]).last_train(&mut rng)?;
    /// let loss = MseLoss::new().forward(&last, &Array2::zeros((3, 4)))?;
    /// let gradients = lstm.back(&trace).last(&loss.gradient).gradients()?;
    /// assert_eq!(gradients.input.dim(), (5, 3, 4));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[expect(clippy::type_complexity, reason = "the last outputs, a state and a trace")]
    pub fn last_train<G: Generators + ?Sized>(
        self,
        rng: &mut G,
    ) -> Result<(Array<A, <I::Dim as Dimension>::Smaller>, C::State<Array<A, I::Dim>>, Trace<C, A, I::Output>)>
    {
        let pass = self.pass(|_| Ok(()))?;
        let directions = self.network.config().sizes().num_directions;
        let mut last = I::Dim::last(&pass.state.h, directions)?;
        let (state, trace) = self.train(pass, rng)?;
        put_last(&state.h, directions, &mut last);
        Ok((last, state_of::<C, A, I::Dim>(state), trace))
    }

    /// Draws dropout and runs a pass. Returns the final state and the trace.
    fn train<G: Generators + ?Sized>(
        &self,
        pass: Pass<'_, A>,
        rng: &mut G,
    ) -> Result<(Planes<Array3<A>>, Trace<C, A, I::Output>)> {
        let (network, Pass { rows, course, mut state, dim }) = (self.network, pass);
        rng.expect(dim.1)?;
        let spares = network.cache.spares();
        let sizes = network.config().sizes();
        let gaps = if sizes.dropout > 0.0 { sizes.num_layers - 1 } else { 0 };
        let layout = course.layout.copied()?;
        let draw = |factors: &mut [A]| {
            let places = layout.steps.places(0..layout.steps.len());
            let sequences = places.map(|(_, b)| layout.sequence(b));
            rng.dropout(factors, sizes.dropout, sizes.output_size(), sequences)
        };
        let stack = network.stack()?;
        let run = |reads: Reads<'_, A>, writes: Writes<'_, A>, ready: Option<Ready<'_>>| {
            spares.with_scratch(|scratch| C::forward(stack, reads, writes, scratch, ready))
        };
        let source = rows.source(&layout);
        let mut kept = None;
        layout.with_sorted_state(&mut state, |state| {
            kept =
                Some(Kept::of(stack, course, source, state, (Factors::default(), gaps, draw), spares, run)?);
            Ok(())
        })?;
        let kept = kept.invariant("the pass ran");
        let origin = network.cache.origin(network.config());
        Ok((state, Trace { origin, kept, dim, form: PhantomData }))
    }
}
