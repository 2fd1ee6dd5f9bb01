//! From checked arguments to the engine and back.

use ndarray::{Array3, CowArray, Ix3};

use super::Rnn;
use crate::engine::{Forward, Resets, Scratch, Share};
use crate::scalar::Scalar;
use crate::sequence::{Layout, Source};

/// One pass, its arguments checked.
#[derive(Debug)]
pub(super) struct Pass<'a, A: Scalar> {
    pub(super) rnn: &'a Rnn<A>,
    pub(super) input: Input<'a, A>,
    pub(super) layout: Layout,
    /// The number of steps that the caller's arrays have.
    pub(super) len: usize,
    /// The states in the caller's order: h_0, after the pass h_n.
    pub(super) state: Array3<A>,
    /// Where sequences begin anew, by row, and with which states, in the rows' order.
    pub(super) mask: Option<Vec<bool>>,
    pub(super) reset_state: Option<Array3<A>>,
}

/// Where the first layer's rows are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a, A> {
    /// An array (L, N, input_size) with plain rows.
    Array(&'a CowArray<'a, A, Ix3>),
    /// Rows one behind the other.
    Rows(&'a [A]),
}

impl<A: Scalar> Pass<'_, A> {
    /// How many elements a layer's output rows have.
    pub(super) fn rows_len(&self) -> usize {
        self.layout.steps.rows() * self.rnn.config.output_size()
    }

    /// Room for a layer's output rows.
    pub(super) fn rows(&self) -> Vec<A> {
        vec![A::zero(); self.rows_len()]
    }

    /// Runs the engine, from h_0 to h_n.
    pub(super) fn forward(&mut self, output: Option<&mut Vec<A>>, lower: &mut [Vec<A>], factors: &[Vec<A>]) {
        let Self { rnn, input, layout, mask, reset_state, state, .. } = self;
        let source = input.source(rnn.config.input_size, layout);
        layout.with_sorted_state(state, |state| {
            let pass = Forward {
                resets: resets(layout, mask.as_deref(), reset_state.as_ref()),
                output: output.map(|rows| Share::Whole(rows)),
                lower: Share::wholes(lower),
                factors,
                ..Forward::new(source, &layout.steps, state)
            };
            A::forward(rnn.stack(), pass, &mut Scratch::default());
        });
    }
}

impl<A: Scalar> Input<'_, A> {
    /// The rows in the order of a layout.
    pub(super) fn source<'a>(&'a self, input_size: usize, layout: &'a Layout) -> Source<'a, A> {
        match self {
            Input::Array(array) => Source::grid(array, layout.order.as_deref()),
            Input::Rows(rows) => Source::rows(rows, input_size, &layout.steps, 0),
        }
    }
}

/// Where sequences begin anew, as the engine wants it.
pub(super) fn resets<'a, A>(
    layout: &'a Layout,
    mask: Option<&'a [bool]>,
    states: Option<&'a Array3<A>>,
) -> Option<Resets<'a, A>> {
    let states = states.and_then(|states| states.as_slice());
    mask.map(|mask| Resets { mask, steps: &layout.steps, states, first: 0 })
}
