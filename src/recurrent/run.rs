//! One pass over sequences, with its options.

use ndarray::{Array, Array3, ArrayRef, Dimension};

use super::architecture::Architecture;
use super::network::{Recurrent, state_of};
use super::sequences::{Form, RowsOf, Sequences};
use crate::dim::SequenceDim;
use crate::engine::{Course, InnerWrites, Reads, Share, Writes};
use crate::error::{Result, expect_shape, expect_steps, expect_width};
use crate::invariant::Invariant;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::room::expect_room;
use crate::scalar::Scalar;

/// One pass of a network over a batch (3-D), one sequence (2-D) or a [`PackedSequence`](crate::PackedSequence),
/// made by [`Recurrent::run`]. It takes options first; then one of [`forward`](Self::forward),
/// [`last`](Self::last), [`states`](Self::states), [`forward_train`](Self::forward_train) and
/// [`last_train`](Self::last_train) runs it.
///
/// All options compose, and none has a path of its own: whatever they are, the engine sees rows grouped into
/// steps.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use ndarray_rnn::{PackedSequence, Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
/// let padded = Array3::ones((5, 3, 4));
/// let (output, h_n) = rnn.run(&padded).lengths(&[2, 5, 0]).forward()?;
/// assert_eq!(output[[1, 0, 0]], h_n[[0, 0, 0]]); // sequence 0 ends at step 1,
/// assert_eq!(output[[2, 0, 0]], 0.0);            // and is padding from there on;
/// assert_eq!(h_n[[0, 2, 0]], 0.0);               // sequence 2 has no steps: its state is h_0
///
/// let packed = PackedSequence::from_sequences(&[2, 5, 3].map(|letters| Array2::ones((letters, 4))))?;
/// let (output, h_n) = rnn.run(&packed).forward()?; // packed as the input is
/// assert_eq!((output.data().dim(), h_n.dim()), ((10, 2), (1, 3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a run does nothing until `forward`, `last`, `states`, `forward_train` or `last_train` is called"]
pub struct Run<'a, C: Architecture, A: Scalar, I: Sequences<A> + ?Sized> {
    pub(super) network: &'a Recurrent<C, A>,
    input: &'a I,
    state: Option<Planes<&'a ArrayRef<A, I::Dim>>>,
    lengths: Option<&'a [usize]>,
    padding_value: A,
    resets: Option<&'a ArrayRef<bool, <I::Dim as Dimension>::Smaller>>,
    reset_state: Option<Planes<&'a ArrayRef<A, I::Dim>>>,
}

/// A run whose arguments have been checked.
pub(super) struct Pass<'a, A> {
    pub(super) rows: RowsOf<'a, A>,
    pub(super) course: Course<A>,
    /// The first state, after the pass the final one, (layers x directions, N, width), in the caller's order.
    pub(super) state: Planes<Array3<A>>,
    /// The shape (L, N, input_size) of the input.
    pub(super) dim: (usize, usize, usize),
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// Runs the network over a batch (3-D) or one sequence (2-D). Returns `output`, the last layer's hidden state
    /// after every step, and the final state of every layer and direction.
    ///
    /// The first state is zero if not given. Arrays of any memory layout give the same bits. The last layer's
    /// final reverse state is `output[0, :, hidden_size..]`, not `output[-1]`. There is no dropout outside
    /// training.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) if the input has another width,
    /// [`Error::Shape`](crate::Error::Shape) if the state has another shape,
    /// [`Error::EmptySequence`](crate::Error::EmptySequence) if L is 0,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory can hold the output. N = 0 is no error.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{Nonlinearity, Parameters, Rnn, RnnConfig};
    ///
    /// // h_t = relu(x_t + h_{t-1}): a running sum.
    /// let mut rnn = Rnn::<f64>::zeros(RnnConfig::new(1, 1).nonlinearity(Nonlinearity::Relu).bias(false))?;
    /// rnn.named_parameters_mut().into_iter().for_each(|(_, mut weight)| weight.fill(1.0));
    ///
    /// let (output, h_n) = rnn.forward(&array![[1.0], [2.0], [3.0]], Some(&array![[10.0]]))?;
    /// assert_eq!(output, array![[11.0], [13.0], [16.0]]);
    /// assert_eq!(h_n, array![[16.0]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// A loop that carries the state holds an `Option` of arrays, and lends it:
    ///
    /// ```
    /// use ndarray::{Array3, Axis};
    /// use ndarray_rnn::{Gru, GruConfig, Lstm, LstmConfig, manual_seed};
    ///
    /// let (input, mut rng) = (Array3::<f32>::ones((6, 5, 4)), manual_seed(0));
    /// let gru = Gru::new(GruConfig::new(4, 2), &mut rng)?;
    /// let mut h = None;
    /// for chunk in input.axis_chunks_iter(Axis(0), 2) {
    ///     let (_output, h_n) = gru.forward(&chunk, h.as_deref())?;
    ///     h = Some(h_n);
    /// }
    /// assert_eq!(h, Some(gru.forward(&input, None)?.1)); // the bits of one pass
    ///
    /// let lstm = Lstm::new(LstmConfig::new(4, 2), &mut rng)?;
    /// let mut state: Option<(Array3<f32>, Array3<f32>)> = None;
    /// for chunk in input.axis_chunks_iter(Axis(0), 2) {
    ///     let (_output, next) = lstm.forward(&chunk, state.as_ref().map(|(h, c)| (&**h, &**c)))?;
    ///     state = Some(next);
    /// }
    /// assert_eq!(state, Some(lstm.forward(&input, None)?.1));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn forward<D: SequenceDim>(
        &self,
        input: &ArrayRef<A, D>,
        state: Option<C::State<&ArrayRef<A, D>>>,
    ) -> Result<(Array<A, D>, C::State<Array<A, D>>)> {
        Run::new(self, input, state.map(C::planes)).forward()
    }

    /// Begins a pass with options: lengths, resets, the states of every layer, last outputs only. See [`Run`].
    ///
    /// The input is a batch (3-D), one sequence (2-D) or a [`PackedSequence`](crate::PackedSequence).
    pub fn run<'a, I: Sequences<A> + ?Sized>(&'a self, input: &'a I) -> Run<'a, C, A, I> {
        Run::new(self, input, None)
    }
}

impl<'a, C: Architecture, A: Scalar, I: Sequences<A> + ?Sized> Run<'a, C, A, I> {
    pub(super) fn new(
        network: &'a Recurrent<C, A>,
        input: &'a I,
        state: Option<Planes<&'a ArrayRef<A, I::Dim>>>,
    ) -> Self {
        Self {
            network,
            input,
            state,
            lengths: None,
            padding_value: A::zero(),
            resets: None,
            reset_state: None,
        }
    }

    /// The first state, shaped as [`Rnn`](crate::Rnn) says, in the caller's order of sequences. Default: zero.
    #[doc(alias = "h_0")]
    pub fn state(self, state: C::State<&'a ArrayRef<A, I::Dim>>) -> Self {
        Self { state: Some(C::planes(state)), ..self }
    }

    /// How many steps each sequence has, 0 to L, in any order. What stands behind a sequence's end is never read.
    ///
    /// The reverse direction starts at each sequence's own end. The results equal, bit for bit, those of each
    /// sequence run alone and those of a packed sequence. A sequence of no steps, which a packed sequence cannot
    /// hold, keeps its first state. Default: L for each.
    #[doc(alias = "pack_padded_sequence")]
    pub fn lengths(self, lengths: &'a [usize]) -> Self {
        Self { lengths: Some(lengths), ..self }
    }

    /// What outputs behind a sequence's end are set to. Without [`lengths`](Self::lengths) there are no such
    /// outputs. Default: zero.
    pub fn padding_value(self, padding_value: A) -> Self {
        Self { padding_value, ..self }
    }

    /// Where sequences begin anew: a mask of shape (L, N), with `batch_first` (N, L), for one sequence (L). For a
    /// packed sequence it is (L, N), with L the greatest length. Before each step where the mask is true, the
    /// state is set to zero or to [`reset_state`](Self::reset_state).
    ///
    /// The results equal, bit for bit, those of the sequence split before that step, and take no longer. Resets
    /// act in reverse too: the reverse direction begins anew at the step before that step, its first state enters
    /// at the sequence's end, and its final state is that of the first piece. A reset at the first step replaces
    /// the forward direction's first state. Default: nowhere.
    #[doc(alias = "episode_starts")]
    pub fn resets(self, mask: &'a ArrayRef<bool, <I::Dim as Dimension>::Smaller>) -> Self {
        Self { resets: Some(mask), ..self }
    }

    /// The state that a reset sets, shaped as the first state. Training treats it as a constant. Without
    /// [`resets`](Self::resets) its values are not read. Default: zero.
    pub fn reset_state(self, state: C::State<&'a ArrayRef<A, I::Dim>>) -> Self {
        Self { reset_state: Some(C::planes(state)), ..self }
    }

    /// Returns `output`, the last layer's hidden state after every step, and the final state of every layer and
    /// direction, shaped as [`Rnn`](crate::Rnn) says. The output of a packed sequence is packed in the same way.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) if the input has another width;
    /// [`Error::Shape`](crate::Error::Shape) if a state, mask, reset state or list of lengths has another shape;
    /// [`Error::EntryOutOfRange`](crate::Error::EntryOutOfRange) if a length is over L;
    /// [`Error::Unsupported`](crate::Error::Unsupported) if lengths are given for a packed sequence, which has its
    /// own;
    /// [`Error::EmptySequence`](crate::Error::EmptySequence) if L is 0;
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory can hold the output.
    pub fn forward(self) -> Result<(I::Output, C::State<Array<A, I::Dim>>)> {
        let mut output = Vec::new();
        let mut pass = self.pass(|layout| {
            output = self.room(layout)?;
            Ok(())
        })?;
        self.network.run_engine(&mut pass, Some(&mut output), &mut [])?;
        Ok((self.output(output, &pass.course.layout, pass.dim)?, state_of::<C, A, I::Dim>(pass.state)))
    }

    /// Returns each sequence's last output, (N, D hidden_size) or (D hidden_size), and the final state.
    ///
    /// The last output is the last layer's final forward state and its final reverse state side by side: for a
    /// bidirectional network that is *not* `output[-1]`. The pass needs memory for a few steps, however long the
    /// sequences are.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[expect(clippy::type_complexity, reason = "a pair of the last outputs and a state")]
    pub fn last(self) -> Result<(Array<A, <I::Dim as Dimension>::Smaller>, C::State<Array<A, I::Dim>>)> {
        let mut pass = self.pass(|_| Ok(()))?;
        self.network.run_engine(&mut pass, None, &mut [])?;
        let last = I::Dim::last(&pass.state.h, self.network.config().sizes().num_directions)?;
        Ok((last, state_of::<C, A, I::Dim>(pass.state)))
    }

    /// Returns the outputs of every layer, from the first to the last, each as [`forward`](Self::forward) returns
    /// the last layer's, and the final state.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[doc(alias = "all_hidden_states")]
    #[expect(clippy::type_complexity, reason = "a pair of every layer's outputs and a state")]
    pub fn states(self) -> Result<(Vec<I::Output>, C::State<Array<A, I::Dim>>)> {
        let layers = self.network.config().sizes().num_layers;
        let mut outputs = Vec::new();
        let mut pass = self.pass(|layout| {
            let [rows, width] = [layout.steps.rows(), self.network.config().sizes().output_size()];
            expect_room::<A>("output", &[layers, rows, width])?;
            outputs = (0..layers).map(|_| self.room(layout)).collect::<Result<Vec<_>>>()?;
            Ok(())
        })?;
        let (last, lower) = outputs.split_last_mut().invariant("a network has a layer");
        self.network.run_engine(&mut pass, Some(last), lower)?;
        let outputs = outputs.into_iter().map(|rows| self.output(rows, &pass.course.layout, pass.dim));
        Ok((outputs.collect::<Result<_>>()?, state_of::<C, A, I::Dim>(pass.state)))
    }

    /// Checks every argument, and makes room for the outputs by a function of the layout.
    pub(super) fn pass(&self, room: impl FnOnce(&Layout) -> Result<()>) -> Result<Pass<'a, A>> {
        let (sizes, input) = (self.network.config().sizes(), self.input.borrow());
        let dim @ (len, batch, width) = input.dim(sizes.batch_first);
        expect_width("input", "input_size", sizes.input_size, width)?;
        let state = self.network.state_or_zeros(C::STATE, self.state, batch)?;
        if let Some(state) = self.reset_state {
            self.network.expect_state(["reset_state"; 2], state, batch)?;
        }
        expect_steps("input", len, input.shape())?;
        let layout = input.layout(self.lengths, sizes.batch_first)?;
        room(&layout)?;
        let mask = self.resets.map(|mask| {
            let time_major = I::Dim::time_major_mask(mask, sizes.batch_first && !input.is_packed());
            let expected = I::Dim::mask_shape([len, batch], sizes.batch_first && !input.is_packed());
            expect_shape("resets", &expected, mask.shape())?;
            layout.gather_mask("resets", &time_major)
        });
        let sorted =
            |plane: &ArrayRef<A, I::Dim>| layout.sorted_state("reset_state", &I::Dim::batched_state(plane));
        let reset_state = self.reset_state.map(|state| state.try_map(sorted)).transpose()?;
        let rows = self.input.borrow().into_rows("input", sizes.batch_first)?;
        let course = Course { mask: mask.transpose()?, reset_state, layout };
        Ok(Pass { rows, course, state, dim })
    }

    /// Room for a layer's output rows.
    pub(super) fn room(&self, layout: &Layout) -> Result<Vec<A>> {
        layout.zero_rows("output", self.network.config().sizes().output_size())
    }

    /// A layer's output rows in the form of the caller's input.
    pub(super) fn output(
        &self,
        rows: Vec<A>,
        layout: &Layout,
        dim: (usize, usize, usize),
    ) -> Result<I::Output> {
        I::of_rows(rows, self.form(layout, dim))
    }

    /// How output rows become an array.
    pub(super) fn form<'l>(&self, layout: &'l Layout, (len, batch, _): (usize, usize, usize)) -> Form<'l, A> {
        let sizes = self.network.config().sizes();
        let (shape, batch_first) = ([len, batch, sizes.output_size()], sizes.batch_first);
        Form { name: "output", shape, layout, padding: self.padding_value, batch_first }
    }
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// Runs the engine, from the first to the final state of a pass.
    fn run_engine(
        &self,
        pass: &mut Pass<'_, A>,
        output: Option<&mut [A]>,
        lower: &mut [Vec<A>],
    ) -> Result<()> {
        let Pass { rows, course, state, .. } = pass;
        let layout = &course.layout;
        layout.with_sorted_state(state, |state| {
            let extras = &course.extras();
            let reads = Reads { extras: Some(extras), ..Reads::new(rows.source(layout), &layout.steps) };
            let output = output.map(Share::Whole);
            let inner = (!lower.is_empty()).then(|| Box::new(InnerWrites::lower(lower)));
            let writes = Writes { output, inner, ..Writes::new(state) };
            let stack = self.stack()?;
            self.cache.spares().with_scratch(|scratch| C::forward(stack, reads, writes, scratch, None))
        })
    }
}
