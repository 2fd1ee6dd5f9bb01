//! One direction of one layer: the crate's loop over time.

use std::iter;

use ndarray::ArrayRef2;
use pulp::Simd;

use crate::cell::Cell;
use crate::element::Element;
use crate::kernels::{Matrix, Panels, Product, Start};
use crate::sequence::{Source, Steps};

/// Rows whose input products are made together: enough to keep the kernel at full speed, few enough that the
/// sums are still in cache when the recurrence reads them.
const CHUNK: usize = 192;

/// The packed weights of one direction of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Weights<A: Element> {
    input: Panels<A>,
    hidden: Panels<A>,
    /// Where the sums start: `b_ih + b_hh`, rounded once.
    bias: Vec<A>,
}

/// What a direction runs over.
#[derive(Debug)]
pub(crate) struct Span<'a, A> {
    /// The layer's input.
    pub(crate) source: Source<'a, A>,
    /// How its rows fall into steps.
    pub(crate) steps: Steps,
    /// Whether time runs from the last step to the first.
    pub(crate) reverse: bool,
    /// A row of state for each row of the first step: before the pass the first state, after it the final one.
    pub(crate) state: &'a mut [A],
    /// Where the hidden states go, if they are wanted.
    pub(crate) target: Option<Target<'a, A>>,
}

/// Some columns of a layer's output rows, which lie one behind the other.
#[derive(Debug)]
pub(crate) struct Target<'a, A> {
    /// The rows.
    pub(crate) rows: &'a mut [A],
    /// The rows' width.
    pub(crate) width: usize,
    /// The first of the columns.
    pub(crate) column: usize,
}

/// Room that steps reuse.
#[derive(Debug)]
pub(crate) struct Scratch<A> {
    sums: Vec<A>,
    offsets: Vec<usize>,
}

impl<A: Element> Scratch<A> {
    pub(crate) fn new() -> Self {
        Self { sums: Vec::new(), offsets: Vec::new() }
    }
}

impl<A: Element> Weights<A> {
    /// Packs weights of shapes (gates * hidden, input) and (gates * hidden, hidden), and the bias of every sum.
    pub(crate) fn new(weight_ih: &ArrayRef2<A>, weight_hh: &ArrayRef2<A>, bias: Vec<A>) -> Self {
        let input = Panels::transposed(weight_ih);
        let hidden = Panels::transposed(weight_hh);
        Self { input, hidden, bias }
    }

    /// Runs a cell over all steps.
    ///
    /// Sums start with the bias and take the input's terms, a chunk of steps at a time, then the state's.
    #[inline(always)]
    pub(crate) fn forward<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        span: Span<'_, A>,
        scratch: &mut Scratch<A>,
    ) {
        let Span { source, steps, reverse, state, mut target } = span;
        let Scratch { sums, offsets } = scratch;
        let hidden = self.hidden.depth();
        let units = C::GATES * hidden;
        for chunk in in_order(steps.chunks(CHUNK), reverse) {
            let first = steps.start(chunk.start);
            sums.resize((steps.start(chunk.end) - first) * units, A::zero());
            simd.vectorize(Product {
                a: source.matrix(&steps, chunk.clone(), offsets),
                weights: &self.input,
                start: Start::Bias(&self.bias),
                c: sums,
            });
            for t in in_order(chunk, reverse) {
                let (start, batch) = (steps.start(t), steps.batch(t));
                let sums = &mut sums[(start - first) * units..][..batch * units];
                let state = &mut state[..batch * C::STATES * hidden];
                simd.vectorize(Product {
                    a: Matrix::strided(state, batch, hidden, C::STATES * hidden),
                    weights: &self.hidden,
                    start: Start::Output,
                    c: sums,
                });
                cell.forward(simd, sums, state);
                if let Some(target) = &mut target {
                    target.store(start, state.chunks_exact(C::STATES * hidden), hidden);
                }
            }
        }
    }
}

impl<A: Element> Target<'_, A> {
    /// Copies the hidden part of rows of state to the rows from `start` on.
    #[inline(always)]
    fn store<'s>(&mut self, start: usize, states: impl Iterator<Item = &'s [A]>, hidden: usize)
    where
        A: 's,
    {
        let rows = self.rows[start * self.width..].chunks_exact_mut(self.width);
        for (row, state) in rows.zip(states) {
            row[self.column..self.column + hidden].copy_from_slice(&state[..hidden]);
        }
    }
}

/// A sequence of times in processing order.
fn in_order<I: DoubleEndedIterator>(mut times: I, reverse: bool) -> impl Iterator<Item = I::Item> {
    iter::from_fn(move || if reverse { times.next_back() } else { times.next() })
}
