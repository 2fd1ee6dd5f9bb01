//! Sequences that arrive step by step.

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, ArrayView2, Axis};

use super::{Rnn, RnnCell};
use crate::cell::Elman;
use crate::engine::{Forward, Scratch, Share, Stack};
use crate::error::{Error, Result, expect_room, expect_shape, expect_steps, expect_width};
use crate::scalar::Scalar;
use crate::sequence::{Source, standard, with_plain_rows};
use crate::steps::Steps;

/// A batch of sequences that arrive in steps or chunks: a network (or cell), the state it is in, and the room it works
/// in. Made by [`Rnn::stream`] or [`RnnCell::stream`].
///
/// Steps and chunks of any size give the same bits as the whole sequence at once. After its first call a step whose
/// input is in standard layout allocates nothing.
///
/// ```
/// use ndarray::{Array2, Axis};
/// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
/// let mut stream = rnn.stream(3)?;
/// let x = Array2::ones((3, 4));
/// stream.step(&x)?;
///
/// let saved = stream.state().clone();                 // a checkpoint is an array
/// let once = stream.step(&x)?.to_owned();
/// stream.set_state(&saved)?;
/// assert_eq!(stream.step(&x)?, once);
///
/// stream.reset([1])?;                                 // sequence 1 begins anew
/// assert!(stream.state().index_axis(Axis(1), 1).iter().all(|&h| h == 0.0));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "stateful")]
pub struct Stream<'a, A: Scalar> {
    stack: &'a Stack<A, Elman>,
    input_size: usize,
    state: Array3<A>,
    output: Array2<A>,
    scratch: Scratch<A>,
}

impl<A: Scalar> Rnn<A> {
    /// A stream of `batch` sequences, its state zero.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a bidirectional network: its reverse direction begins at the end, which a stream has not
    /// seen; [`Error::SizeOverflow`] for a state that no memory holds.
    pub fn stream(&self, batch: usize) -> Result<Stream<'_, A>> {
        if self.config.bidirectional {
            return Err(Error::Unsupported {
                operation: "stream",
                reason: "a bidirectional network begins at the end of a sequence, which a stream has not seen",
            });
        }
        Stream::new(self.stack(), self.config.input_size, batch)
    }
}

impl<A: Scalar> RnnCell<A> {
    /// A stream of `batch` rows, its state zero.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] for a state that no memory holds.
    pub fn stream(&self, batch: usize) -> Result<Stream<'_, A>> {
        Stream::new(self.stack(), self.config().input_size, batch)
    }
}

impl<'a, A: Scalar> Stream<'a, A> {
    fn new(stack: &'a Stack<A, Elman>, input_size: usize, batch: usize) -> Result<Self> {
        let shape = [stack.layers.len(), batch, stack.hidden];
        expect_room::<A>("state", &shape)?;
        let (state, output) = (Array3::zeros(shape), Array2::zeros((batch, stack.hidden)));
        Ok(Self { stack, input_size, state, output, scratch: Scratch::default() })
    }

    /// Takes one step, (N, input_size), and returns the last layer's hidden state, (N, hidden_size).
    ///
    /// # Errors
    /// [`Error::Width`] for an input of another width, [`Error::Shape`] for one of another batch; the state is
    /// unchanged then.
    pub fn step(&mut self, input: &ArrayRef2<A>) -> Result<ArrayView2<'_, A>> {
        self.check(input.shape())?;
        let copy = if input.as_slice().is_none() { Some(standard(input)) } else { None };
        let rows = copy.as_ref().map_or(input, |copy| copy).as_slice().unwrap_or_default();
        let Self { stack, input_size, state, output, scratch } = self;
        let steps = Steps::Equal { len: 1, batch: output.nrows() };
        run(stack, state, scratch, Source::rows(rows, *input_size, &steps, 0), &steps, output.as_slice_mut());
        Ok(output.view())
    }

    /// Takes some steps, (L, N, input_size) whatever [`batch_first`](crate::RnnConfig::batch_first), and returns the last
    /// layer's hidden states, (L, N, hidden_size).
    ///
    /// # Errors
    /// As [`step`](Self::step); [`Error::EmptySequence`] for L = 0, [`Error::SizeOverflow`] for an output that no memory
    /// holds.
    pub fn chunk(&mut self, input: &ArrayRef3<A>) -> Result<Array3<A>> {
        let (len, batch, _) = input.dim();
        expect_steps("input", len, input.shape())?;
        self.check(input.shape())?;
        let shape = [len, batch, self.stack.hidden];
        expect_room::<A>("output", &shape)?;
        let mut output = Array3::zeros(shape);
        let rows = with_plain_rows("input", input.view())?;
        let steps = Steps::Equal { len, batch };
        let Self { stack, state, scratch, .. } = self;
        run(stack, state, scratch, Source::grid(&rows, None), &steps, output.as_slice_mut());
        Ok(output)
    }

    /// The state of every layer, (layers, N, hidden_size): `h_n` of what came so far.
    #[must_use]
    pub fn state(&self) -> &Array3<A> {
        &self.state
    }

    /// Goes on from a state, such as a saved one or another pass's `h_n`.
    ///
    /// # Errors
    /// [`Error::Shape`] for a state of another shape.
    pub fn set_state(&mut self, state: &ArrayRef3<A>) -> Result<()> {
        expect_shape("state", self.state.shape(), state.shape())?;
        self.state.assign(state);
        Ok(())
    }

    /// Sets the state of some of the sequences to zero.
    ///
    /// # Errors
    /// [`Error::EntryOutOfRange`] for a sequence that the batch has not; nothing is changed then.
    pub fn reset(&mut self, sequences: impl IntoIterator<Item = usize>) -> Result<()> {
        let batch = self.output.nrows();
        let sequences: Vec<_> = sequences.into_iter().collect();
        if let Some((index, &actual)) = sequences.iter().enumerate().find(|&(_, &n)| n >= batch) {
            let expected = 0..=batch.saturating_sub(1);
            return Err(Error::EntryOutOfRange { list: "sequences", index, expected, actual });
        }
        for n in sequences {
            self.state.index_axis_mut(Axis(1), n).fill(A::zero());
        }
        Ok(())
    }

    /// Checks the shape (.., N, input_size) of an input.
    fn check(&self, shape: &[usize]) -> Result<()> {
        let [lengths @ .., batch, width] = shape else { return Ok(()) };
        expect_width("input", "input_size", self.input_size, *width)?;
        if *batch == self.output.nrows() {
            return Ok(());
        }
        let expected: Vec<_> =
            lengths.iter().copied().chain([self.output.nrows(), self.input_size]).collect();
        expect_shape("input", &expected, shape)
    }
}

/// Runs a stack over rows that fit it.
fn run<A: Scalar>(
    stack: &Stack<A, Elman>,
    state: &mut Array3<A>,
    scratch: &mut Scratch<A>,
    source: Source<'_, A>,
    steps: &Steps,
    output: Option<&mut [A]>,
) {
    let state = state.as_slice_mut().unwrap_or_default();
    let output = output.map(Share::Whole);
    A::forward(stack, Forward { output, ..Forward::new(source, steps, state) }, scratch);
}
