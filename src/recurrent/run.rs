//! One pass over sequences, with its options.

use ndarray::{Array, ArrayRef, Axis};

use super::{Rnn, expect_width};
use crate::dim::SequenceDim;
use crate::engine::{Forward, Resets};
use crate::error::{Error, Result, element_count, expect_shape};
use crate::scalar::Scalar;
use crate::sequence::{Layout, Source, with_plain_rows};

/// One pass of an [`Rnn`] over a batch (3-D) or one sequence (2-D), made by [`Rnn::run`]: options first, then one of
/// [`forward`](Self::forward), [`last`](Self::last) and [`states`](Self::states).
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
#[must_use = "a run does nothing until `forward`, `last` or `states` is called"]
pub struct Run<'a, A: Scalar, D: SequenceDim> {
    rnn: &'a Rnn<A>,
    input: &'a ArrayRef<A, D>,
    h_0: Option<&'a ArrayRef<A, D>>,
    lengths: Option<&'a [usize]>,
    padding_value: A,
    resets: Option<&'a ArrayRef<bool, D::Smaller>>,
    reset_state: Option<&'a ArrayRef<A, D>>,
}

impl<'a, A: Scalar, D: SequenceDim> Run<'a, A, D> {
    pub(super) fn new(rnn: &'a Rnn<A>, input: &'a ArrayRef<A, D>) -> Self {
        Self {
            rnn,
            input,
            h_0: None,
            lengths: None,
            padding_value: A::zero(),
            resets: None,
            reset_state: None,
        }
    }

    /// The first state, shaped as [`Rnn`] says. Default: zero.
    pub fn h_0(self, h_0: &'a ArrayRef<A, D>) -> Self {
        Self { h_0: Some(h_0), ..self }
    }

    /// How many steps each sequence has, in any order, 0 to L; what stands behind them is never read, NaN or not.
    ///
    /// The reverse direction starts at each sequence's own end. Equal bit for bit to running each sequence alone. A
    /// sequence of no steps keeps its `h_0`. Default: L each.
    #[doc(alias = "pack_padded_sequence")]
    pub fn lengths(self, lengths: &'a [usize]) -> Self {
        Self { lengths: Some(lengths), ..self }
    }

    /// What outputs behind a sequence's end are set to. Default: zero.
    pub fn padding_value(self, padding_value: A) -> Self {
        Self { padding_value, ..self }
    }

    /// Where sequences begin anew: a mask (L, N), with `batch_first` (N, L), for one sequence (L). Before a step
    /// that is true the state is set to zero, or to [`reset_state`](Self::reset_state).
    ///
    /// Equal bit for bit to splitting the sequence before that step, for the reverse direction too, and as fast as
    /// without. Default: nowhere.
    #[doc(alias = "episode_starts")]
    pub fn resets(self, mask: &'a ArrayRef<bool, D::Smaller>) -> Self {
        Self { resets: Some(mask), ..self }
    }

    /// The state that a reset sets, shaped as `h_0`. Default: zero.
    pub fn reset_state(self, state: &'a ArrayRef<A, D>) -> Self {
        Self { reset_state: Some(state), ..self }
    }

    /// Returns `output`, the last layer's hidden state after every step, and `h_n`, every layer's and direction's final
    /// state, shaped as [`Rnn`] says.
    ///
    /// # Errors
    /// [`Error::Width`] for an input of another width; [`Error::Shape`] for an `h_0`, mask, reset state or list of
    /// lengths of another shape; [`Error::Length`] for a length over L; [`Error::EmptySequence`] for L = 0.
    pub fn forward(self) -> Result<(Array<A, D>, Array<A, D>)> {
        let layout = self.layout()?;
        let mut output = self.rows(&layout);
        let h_n = self.pass(&layout, Some(&mut output), Vec::new());
        Ok((self.padded(&layout, output), h_n))
    }

    /// Returns each sequence's last output, (N, D hidden_size) or (D hidden_size), and `h_n`.
    ///
    /// The last output is the last layer's final forward state and, beside it, its final reverse state: for a
    /// bidirectional network that is *not* `output[-1]`. Keeps memory for a few steps, however long the sequences.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn last(self) -> Result<(Array<A, D::Smaller>, Array<A, D>)> {
        let layout = self.layout()?;
        let h_n = self.pass(&layout, None, Vec::new());
        Ok((D::last(&h_n, self.rnn.config.num_directions()), h_n))
    }

    /// Returns the outputs of every layer, first to last, each as [`forward`](Self::forward) returns the last's, and
    /// `h_n`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[doc(alias = "all_hidden_states")]
    pub fn states(self) -> Result<(Vec<Array<A, D>>, Array<A, D>)> {
        let layout = self.layout()?;
        let mut lower: Vec<_> = (1..self.rnn.config.num_layers).map(|_| self.rows(&layout)).collect();
        let mut output = self.rows(&layout);
        let h_n = self.pass(&layout, Some(&mut output), lower.iter_mut().map(Vec::as_mut_slice).collect());
        let layers = lower.into_iter().chain([output]);
        Ok((layers.map(|rows| self.padded(&layout, rows)).collect(), h_n))
    }

    /// Checks every argument; how the input falls into rows and steps.
    fn layout(&self) -> Result<Layout> {
        let config = &self.rnn.config;
        let (len, batch, width) = D::time_major(self.input, config.batch_first).dim();
        expect_width("input", "input_size", config.input_size, width)?;
        self.rnn.expect_state::<D>("h_0", self.h_0, batch)?;
        self.rnn.expect_state::<D>("reset_state", self.reset_state, batch)?;
        if len == 0 {
            return Err(Error::EmptySequence { array: "input", shape: self.input.shape().into() });
        }
        element_count("output", &[len, batch, config.output_size()])?;
        if let Some(mask) = self.resets {
            expect_shape("resets", &self.input.shape()[..self.input.ndim() - 1], mask.shape())?;
        }
        match self.lengths {
            None => Ok(Layout::equal(len, batch)),
            Some(lengths) => Layout::sorted(lengths, len, batch),
        }
    }

    /// Room for a layer's output rows.
    fn rows(&self, layout: &Layout) -> Vec<A> {
        vec![A::zero(); layout.steps.rows() * self.rnn.config.output_size()]
    }

    /// Runs the engine; returns h_n.
    fn pass(&self, layout: &Layout, output: Option<&mut Vec<A>>, lower: Vec<&mut [A]>) -> Array<A, D> {
        let config = &self.rnn.config;
        let time_major = with_plain_rows(D::time_major(self.input, config.batch_first));
        let mask = self.resets.map(|mask| layout.gather_mask(&D::time_major_mask(mask, config.batch_first)));
        let reset_state = self.reset_state.map(|state| {
            let state = D::batched_state(state);
            layout.gather_state(&state).unwrap_or_else(|| state.as_standard_layout().into_owned())
        });
        let resets = mask.as_ref().map(|mask| Resets {
            mask,
            steps: &layout.steps,
            states: reset_state.as_ref().and_then(|state| state.as_slice()),
            first: 0,
        });
        let h_0 = self.rnn.state_or_zeros(self.h_0.map(D::batched_state), time_major.len_of(Axis(1)));
        let pass = Forward {
            source: Source::grid(&time_major, layout.order.as_deref()),
            steps: &layout.steps,
            state: &mut [],
            resets,
            output: output.map(Vec::as_mut_slice),
            lower,
        };
        D::state(self.rnn.pass(layout, h_0, pass))
    }

    /// A layer's output rows as an array, padding behind the sequences' ends.
    fn padded(&self, layout: &Layout, rows: Vec<A>) -> Array<A, D> {
        let batch_first = self.rnn.config.batch_first;
        let (len, batch, _) = D::time_major(self.input, batch_first).dim();
        let width = self.rnn.config.output_size();
        D::output(layout.scatter_rows(rows, (len, batch, width), self.padding_value), batch_first)
    }
}
