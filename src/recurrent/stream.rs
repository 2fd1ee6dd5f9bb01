//! Sequences that arrive step by step.

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, ArrayView2, Axis};

use super::architecture::{Architecture, CellArchitecture, Kind};
use super::cell::RecurrentCell;
use super::network::Recurrent;
use crate::arrays::{as_standard, elements, elements_mut, with_plain_rows};
use crate::engine::{Reads, Scratch, Share, Stack, Writes};
use crate::error::{Error, Result, expect_shape, expect_steps, expect_width};
use crate::planes::Planes;
use crate::room::zeros;
use crate::rows::Source;
use crate::scalar::Scalar;
use crate::steps::Steps;

/// A batch of sequences that arrive in steps or chunks: a network or cell, its state, and the memory it works in.
/// Made by [`Recurrent::stream`] or [`RecurrentCell::stream`].
///
/// Steps and chunks of any size give the same bits as the whole sequence at once. From the second call on, a step
/// allocates nothing if its input is in standard layout.
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
pub struct Stream<'a, C: Kind, A: Scalar> {
    stack: &'a Stack<A, C::Cell<A>>,
    input_size: usize,
    state: Planes<Array3<A>>,
    output: Array2<A>,
    scratch: Scratch<A>,
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// A stream of `batch` sequences whose state is zero.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the network is bidirectional: its reverse direction begins at the end, which a
    /// stream has not seen; [`Error::SizeOverflow`] if no memory can hold the state.
    pub fn stream(&self, batch: usize) -> Result<Stream<'_, C, A>> {
        if self.config().sizes().num_directions > 1 {
            return Err(Error::Unsupported {
                operation: "stream",
                reason: "a bidirectional network begins at the end of a sequence, which a stream has not seen",
            });
        }
        Stream::new(self.stack(), self.config(), batch)
    }
}

impl<C: CellArchitecture, A: Scalar> RecurrentCell<C, A> {
    /// A stream of `batch` rows whose state is zero.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory can hold the state.
    pub fn stream(&self, batch: usize) -> Result<Stream<'_, C, A>> {
        Stream::new(self.stack(), self.config(), batch)
    }
}

impl<'a, C: Kind, A: Scalar> Stream<'a, C, A> {
    fn new(stack: &'a Stack<A, C::Cell<A>>, config: &C, batch: usize) -> Result<Self> {
        let sizes = config.sizes();
        let state = sizes.state_shapes::<C>(batch).try_map(|shape| zeros("state", shape))?;
        let output = zeros("output", (batch, sizes.features()))?;
        Ok(Self { stack, input_size: sizes.input_size, state, output, scratch: Scratch::default() })
    }

    /// Takes one step, (N, input_size), and returns the last layer's hidden state, (N, hidden_size).
    ///
    /// # Errors
    /// [`Error::Width`] if the input has another width, [`Error::Shape`] if it is of another batch; the state is
    /// unchanged then.
    pub fn step(&mut self, input: &ArrayRef2<A>) -> Result<ArrayView2<'_, A>> {
        self.expect_input(&[], input.shape())?;
        let rows = as_standard("input", input)?;
        let Self { stack, input_size, state, output, scratch } = self;
        let steps = Steps::Equal { len: 1, batch: output.nrows() };
        let source = Source::rows(elements(&rows), *input_size, &steps, 0);
        run::<C, A>(stack, state, scratch, Reads::new(source, &steps), elements_mut(output));
        Ok(output.view())
    }

    /// Takes some steps, (L, N, input_size) whatever [`batch_first`](crate::RnnConfig::batch_first), and returns the last
    /// layer's hidden states, (L, N, hidden_size).
    ///
    /// # Errors
    /// As [`step`](Self::step); [`Error::EmptySequence`] if L is 0, [`Error::SizeOverflow`] if no memory can hold
    /// the output.
    pub fn chunk(&mut self, input: &ArrayRef3<A>) -> Result<Array3<A>> {
        let (len, batch, _) = input.dim();
        expect_steps("input", len, input.shape())?;
        self.expect_input(&[len], input.shape())?;
        let mut output = zeros("output", (len, batch, self.output.ncols()))?;
        let rows = with_plain_rows("input", input.view())?;
        let steps = Steps::Equal { len, batch };
        let Self { stack, state, scratch, .. } = self;
        let reads = Reads::new(Source::grid(&rows, None), &steps);
        run::<C, A>(stack, state, scratch, reads, elements_mut(&mut output));
        Ok(output)
    }

    /// The state of every layer, of shape (layers, N, width): the final state of what came so far.
    #[must_use]
    pub fn state(&self) -> C::State<&Array3<A>> {
        C::state(self.state.as_ref())
    }

    /// Sets the state, to go on from a saved state or from another pass's final state.
    ///
    /// # Errors
    /// [`Error::Shape`] if the state has another shape; nothing is changed then.
    pub fn set_state(&mut self, state: C::State<&ArrayRef3<A>>) -> Result<()> {
        let planes = self.state.as_mut().zip(C::planes(state));
        for (name, plane) in ["h", "c"].into_iter().zip([Some(&planes.h), planes.c.as_ref()]) {
            plane.map_or(Ok(()), |(to, from)| expect_shape(name, to.shape(), from.shape()))?;
        }
        planes.map(|(to, from)| to.assign(from));
        Ok(())
    }

    /// Sets the state of some sequences to zero.
    ///
    /// # Errors
    /// [`Error::EntryOutOfRange`] if the batch has no such sequence; nothing is changed then.
    pub fn reset(&mut self, sequences: impl IntoIterator<Item = usize>) -> Result<()> {
        let batch = self.output.nrows();
        let sequences: Vec<_> = sequences.into_iter().collect();
        if let Some((index, &actual)) = sequences.iter().enumerate().find(|&(_, &n)| n >= batch) {
            let expected = 0..=batch.saturating_sub(1);
            return Err(Error::EntryOutOfRange { list: "sequences", index, expected, actual });
        }
        for n in sequences {
            self.state.as_mut().map(|plane| plane.index_axis_mut(Axis(1), n).fill(A::zero()));
        }
        Ok(())
    }

    /// Checks an input's shape: `steps`, then N and input_size.
    fn expect_input(&self, steps: &[usize], shape: &[usize]) -> Result<()> {
        let (batch, width) = (shape[steps.len()], shape[steps.len() + 1]);
        expect_width("input", "input_size", self.input_size, width)?;
        if batch == self.output.nrows() {
            return Ok(());
        }
        let expected: Vec<_> = steps.iter().copied().chain([self.output.nrows(), self.input_size]).collect();
        expect_shape("input", &expected, shape)
    }
}

/// Runs a stack over rows whose shapes have been checked.
fn run<C: Kind, A: Scalar>(
    stack: &Stack<A, C::Cell<A>>,
    state: &mut Planes<Array3<A>>,
    scratch: &mut Scratch<A>,
    reads: Reads<'_, A>,
    output: &mut [A],
) {
    let state = state.as_mut().map(|plane| elements_mut(plane));
    C::forward(stack, reads, Writes { output: Some(Share::Whole(output)), ..Writes::new(state) }, scratch);
}
