//! One pass over sequences, with its options.

use std::mem;

use ndarray::{Array, ArrayRef, CowArray, Ix3};
use rand::Rng;

use super::Rnn;
use super::pass::{Input, Pass};
use super::train::Trace;
use crate::dim::SequenceDim;
use crate::error::{Result, expect_room, expect_shape, expect_steps, expect_width};
use crate::scalar::Scalar;
use crate::sequence::{Layout, with_plain_rows};
use crate::spares::Spares;

/// One pass of an [`Rnn`] over a batch (3-D) or one sequence (2-D), made by [`Rnn::run`]: options first, then one of
/// [`forward`](Self::forward), [`last`](Self::last), [`states`](Self::states) and [`forward_train`](Self::forward_train).
///
/// All options compose, and none is a path of its own: whatever they are, the engine sees rows grouped into steps.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
/// let padded = Array3::ones((5, 3, 4));
/// let (output, h_n) = rnn.run(&padded).lengths(&[2, 5, 0]).forward()?;
/// assert_eq!(output[[1, 0, 0]], h_n[[0, 0, 0]]); // sequence 0 ends at step 1,
/// assert_eq!(output[[2, 0, 0]], 0.0);            // and is padding from there on;
/// assert_eq!(h_n[[0, 2, 0]], 0.0);               // sequence 2 has no steps: its state is h_0
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a run does nothing until `forward`, `last`, `states` or `forward_train` is called"]
pub struct Run<'a, A: Scalar, D: SequenceDim> {
    rnn: &'a Rnn<A>,
    input: &'a ArrayRef<A, D>,
    h_0: Option<&'a ArrayRef<A, D>>,
    lengths: Option<&'a [usize]>,
    padding_value: A,
    resets: Option<&'a ArrayRef<bool, D::Smaller>>,
    reset_state: Option<&'a ArrayRef<A, D>>,
    spares: Spares<A>,
}

impl<'a, A: Scalar, D: SequenceDim> Run<'a, A, D> {
    pub(super) fn new(rnn: &'a Rnn<A>, input: &'a ArrayRef<A, D>, h_0: Option<&'a ArrayRef<A, D>>) -> Self {
        Self {
            rnn,
            input,
            h_0,
            lengths: None,
            padding_value: A::zero(),
            resets: None,
            reset_state: None,
            spares: Spares::default(),
        }
    }

    /// The first state, shaped as [`Rnn`] says. Default: zero.
    pub fn h_0(self, h_0: &'a ArrayRef<A, D>) -> Self {
        Self { h_0: Some(h_0), ..self }
    }

    /// How many steps each sequence has, in any order, 0 to L; what stands behind them is never read, NaN or not.
    ///
    /// The reverse direction starts at each sequence's own end. Equal bit for bit to running each sequence alone, and to
    /// [`Rnn::forward_packed`] (which takes no sequence of no steps; here it keeps its `h_0`). Default: L each.
    #[doc(alias = "pack_padded_sequence")]
    pub fn lengths(self, lengths: &'a [usize]) -> Self {
        Self { lengths: Some(lengths), ..self }
    }

    /// What outputs behind a sequence's end are set to; without [`lengths`](Self::lengths) there are none. Default: zero.
    pub fn padding_value(self, padding_value: A) -> Self {
        Self { padding_value, ..self }
    }

    /// Where sequences begin anew: a mask (L, N), with `batch_first` (N, L), for one sequence (L). Before a step
    /// that is true the state is set to zero, or to [`reset_state`](Self::reset_state).
    ///
    /// Equal bit for bit to splitting the sequence before that step, and as fast as without. In reverse too: the reverse
    /// direction begins anew at the step before, its `h_0` enters at the sequence's end, and its `h_n` is that of the first
    /// piece. A reset at the first step replaces the forward direction's `h_0`. Default: nowhere.
    #[doc(alias = "episode_starts")]
    pub fn resets(self, mask: &'a ArrayRef<bool, D::Smaller>) -> Self {
        Self { resets: Some(mask), ..self }
    }

    /// The state that a reset sets, a constant of training, shaped as `h_0`; without [`resets`](Self::resets) its values
    /// are not looked at. Default: zero.
    pub fn reset_state(self, state: &'a ArrayRef<A, D>) -> Self {
        Self { reset_state: Some(state), ..self }
    }

    /// Takes the memory of a trace that is no longer needed for the new one, and with it what the trace was given to
    /// [`recycle`](Trace::recycle). The same bits; traces of other shapes and networks serve too. Only
    /// [`forward_train`](Self::forward_train) makes use of it. Default: memory from the allocator.
    ///
    /// An allocator may give large arrays back to the system, which then hands out zeroed pages anew in every pass: the
    /// README says what that costs.
    ///
    /// ```
    /// use ndarray::Array3;
    /// use ndarray_rnn::{Rnn, RnnConfig, Trace, manual_seed};
    ///
    /// let mut rng = manual_seed(0);
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut rng)?;
    /// let input = Array3::ones((3, 5, 4));
    /// let mut trace = Trace::default();
    /// for _ in 0..10 {
    ///     let output;
    ///     (output, _, trace) = rnn.run(&input).reuse(trace).forward_train(&mut rng)?;
    ///     let gradients = rnn.backward(&trace, &output, None)?; // of half the sum of squares
    ///     trace.recycle(output);
    ///     trace.recycle(gradients);
    /// }
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn reuse(self, trace: Trace<A>) -> Self {
        Self { spares: trace.into_spares(), ..self }
    }

    /// Returns `output`, the last layer's hidden state after every step, and `h_n`, every layer's and direction's final
    /// state, shaped as [`Rnn`] says.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for an input of another width; [`Error::Shape`](crate::Error::Shape) for an `h_0`, mask, reset state or list of
    /// lengths of another shape; [`Error::EntryOutOfRange`](crate::Error::EntryOutOfRange) for a length over L; [`Error::EmptySequence`](crate::Error::EmptySequence) for L = 0;
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for an output that no memory holds.
    pub fn forward(self) -> Result<(Array<A, D>, Array<A, D>)> {
        let input = self.input()?;
        let mut pass = self.pass(&input)?;
        let mut output = pass.rows();
        pass.forward(Some(&mut output), &mut [], &[]);
        Ok((self.padded(&pass.layout, output, &mut Spares::default()), D::state(pass.state)))
    }

    /// Returns each sequence's last output, (N, D hidden_size) or (D hidden_size), and `h_n`.
    ///
    /// The last output is the last layer's final forward state and, beside it, its final reverse state: for a
    /// bidirectional network that is *not* `output[-1]`. Keeps memory for a few steps, however long the sequences.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn last(self) -> Result<(Array<A, D::Smaller>, Array<A, D>)> {
        let input = self.input()?;
        let mut pass = self.pass(&input)?;
        pass.forward(None, &mut [], &[]);
        let h_n = D::state(pass.state);
        Ok((D::last(&h_n, self.rnn.config.num_directions()), h_n))
    }

    /// Returns the outputs of every layer, first to last, each as [`forward`](Self::forward) returns the last's, and
    /// `h_n`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[doc(alias = "all_hidden_states")]
    pub fn states(self) -> Result<(Vec<Array<A, D>>, Array<A, D>)> {
        let input = self.input()?;
        let mut pass = self.pass(&input)?;
        let mut lower: Vec<_> = (1..self.rnn.config.num_layers).map(|_| pass.rows()).collect();
        let mut output = pass.rows();
        pass.forward(Some(&mut output), &mut lower, &[]);
        let layers = lower.into_iter().chain([output]);
        let padded = |rows| self.padded(&pass.layout, rows, &mut Spares::default());
        Ok((layers.map(padded).collect(), D::state(pass.state)))
    }

    /// As [`forward`](Self::forward), in training mode: draws and applies dropout, and returns a [`Trace`] for
    /// [`Rnn::backward`].
    ///
    /// Dropout acts on the outputs of every layer but the last: an element is kept with probability `1 - dropout` and
    /// then divided by it. Two words for each element, layer by layer, in the order of (t, n, feature), as torch
    /// draws them; none for `dropout` 0 or 1 or one layer. With [`lengths`](Self::lengths) the elements are those
    /// of torch's packed sequence, the longest sequence first.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[doc(alias = "train")]
    pub fn forward_train<R: Rng + ?Sized>(
        mut self,
        rng: &mut R,
    ) -> Result<(Array<A, D>, Array<A, D>, Trace<A>)> {
        let spares = mem::take(&mut self.spares);
        let input = self.input()?;
        let (h_n, mut trace) = self.pass(&input)?.forward_train(spares, rng)?;
        let (rows, layout, spares) = trace.output();
        let output = self.padded(layout, rows, spares);
        Ok((output, D::state(h_n), trace))
    }

    /// The input as (L, N, input_size), checked.
    fn input(&self) -> Result<CowArray<'a, A, Ix3>> {
        let config = &self.rnn.config;
        let time_major = D::time_major(self.input, config.batch_first);
        let (len, batch, width) = time_major.dim();
        expect_width("input", "input_size", config.input_size, width)?;
        self.rnn.expect_state::<D>("h_0", self.h_0, batch)?;
        if self.reset_state.is_some() {
            self.rnn.expect_state::<D>("reset_state", self.reset_state, batch)?;
        }
        expect_steps("input", len, self.input.shape())?;
        expect_room::<A>("output", &[len, batch, config.output_size()])?;
        if let Some(mask) = self.resets {
            expect_shape("resets", &self.input.shape()[..self.input.ndim() - 1], mask.shape())?;
        }
        with_plain_rows("input", time_major)
    }

    /// The pass over a checked input.
    fn pass<'p>(&'p self, input: &'p CowArray<'_, A, Ix3>) -> Result<Pass<'p, A>> {
        let (len, batch, _) = input.dim();
        let layout = match self.lengths {
            None => Layout::equal(len, batch),
            Some(lengths) => Layout::sorted(lengths, len, batch)?,
        };
        let batch_first = self.rnn.config.batch_first;
        Ok(Pass {
            rnn: self.rnn,
            state: self.rnn.state_or_zeros(self.h_0.map(D::batched_state), batch),
            mask: self.resets.map(|mask| layout.gather_mask(&D::time_major_mask(mask, batch_first))),
            reset_state: self.reset_state.map(|state| layout.sorted_state(&D::batched_state(state))),
            input: Input::Array(input),
            layout,
            len,
        })
    }

    /// A layer's output rows as an array, padding behind the sequences' ends.
    fn padded(&self, layout: &Layout, rows: Vec<A>, spares: &mut Spares<A>) -> Array<A, D> {
        let batch_first = self.rnn.config.batch_first;
        let (len, batch, _) = D::time_major(self.input, batch_first).dim();
        let width = self.rnn.config.output_size();
        let dim = (len, batch, width);
        let array = layout.scatter_rows(rows, dim, self.padding_value, spares);
        D::output(array, batch_first, spares)
    }
}
