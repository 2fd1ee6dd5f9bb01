//! One direction of one layer: the crate's loop over time.

use std::ops::Range;

use ndarray::ArrayRef2;
use pulp::Simd;

use super::share::ShareMut;
use crate::cell::Cell;
use crate::element::Element;
use crate::kernels::{Matrix, Panels, Product, Start};
use crate::sequence::Source;
use crate::steps::Steps;

/// Rows whose input products are made together: enough to keep the kernel at full speed, few enough that the
/// sums are still in cache when the recurrence reads them.
const CHUNK: usize = 192;

/// The packed weights of one direction of one layer.
#[derive(Debug, Clone)]
pub struct Weights<A: Element> {
    input: Panels<A>,
    hidden: Panels<A>,
    /// Where the sums start: `b_ih + b_hh`, rounded once.
    bias: Vec<A>,
}

/// What a direction runs over.
#[derive(Debug)]
pub(super) struct Span<'a, 't, A> {
    /// The layer's input.
    pub(super) source: Source<'a, A>,
    /// How its rows fall into steps.
    pub(super) steps: &'a Steps,
    /// The steps to run over.
    pub(super) range: Range<usize>,
    /// Whether time runs from the last step to the first.
    pub(super) reverse: bool,
    /// A row of state for each row of the first step: before the pass the first state, after it the final one.
    pub(super) state: &'a mut [A],
    /// Where sequences begin anew.
    pub(super) resets: Option<Resets<'a, A>>,
    /// Where the hidden states go, if they are wanted.
    pub(super) target: Option<Target<'a, 't, A>>,
}

/// Some columns of a layer's output rows.
#[derive(Debug)]
pub(super) struct Target<'a, 't, A> {
    /// The rows, by step.
    pub(super) rows: ShareMut<'a, 't, A>,
    /// The first of the rows.
    pub(super) origin: usize,
    /// The rows' width.
    pub(super) width: usize,
    /// The first of the columns.
    pub(super) column: usize,
}

/// Where sequences begin anew within their rows.
#[derive(Debug, Clone, Copy)]
pub struct Resets<'a, A> {
    /// For each row whether its state is replaced before its step.
    pub(crate) mask: &'a [bool],
    /// How the rows of the mask fall into steps.
    pub(crate) steps: &'a Steps,
    /// The states to begin with, shaped as the whole pass's first states; zero if there are none.
    pub(crate) states: Option<&'a [A]>,
    /// The first row of each step that is read.
    pub(crate) first: usize,
}

/// Room that passes reuse.
#[derive(Debug, Clone, Default)]
pub struct Scratch<A> {
    pub(super) room: Room<A>,
    /// What lies between two layers: read by one, written by the one below.
    pub(super) below: Vec<A>,
    pub(super) above: Vec<A>,
}

/// Room for one direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Room<A> {
    sums: Vec<A>,
    offsets: Vec<usize>,
}

impl<A: Element> Weights<A> {
    /// Packs weights of shapes (gates * hidden, input) and (gates * hidden, hidden), and the bias of every sum.
    pub(crate) fn new(weight_ih: &ArrayRef2<A>, weight_hh: &ArrayRef2<A>, bias: Vec<A>) -> Self {
        let input = Panels::transposed(weight_ih);
        let hidden = Panels::transposed(weight_hh);
        Self { input, hidden, bias }
    }

    /// The number of weights.
    pub(super) fn len(&self) -> usize {
        self.bias.len() * (self.input.depth() + self.hidden.depth())
    }

    /// Runs a cell over some steps.
    ///
    /// Sums start with the bias and take the input's terms, a chunk of steps at a time, then the state's.
    #[inline(always)]
    pub(super) fn forward<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        span: Span<'_, '_, A>,
        room: &mut Room<A>,
    ) {
        let Span { source, steps, range: mut left, reverse, state, resets, mut target } = span;
        let Room { sums, offsets } = room;
        let hidden = self.hidden.depth();
        let (units, states) = (C::GATES * hidden, C::STATES * hidden);
        while let Some(mut chunk) = steps.cut(&mut left, CHUNK, reverse) {
            let origin = steps.start(chunk.start);
            sums.resize((steps.start(chunk.end) - origin) * units, A::zero());
            let a = source.matrix(steps, chunk.clone(), offsets);
            simd.vectorize(Product { a, weights: &self.input, start: Start::Bias(&self.bias), c: sums });
            while let Some(t) = if reverse { chunk.next_back() } else { chunk.next() } {
                let batch = steps.batch(t);
                if let Some(resets) = &resets {
                    resets.apply(if reverse { t + 1 } else { t }, state, states);
                }
                let state = &mut state[..batch * states];
                let sums = &mut sums[(steps.start(t) - origin) * units..][..batch * units];
                let a = Matrix::strided(state, batch, hidden, states);
                simd.vectorize(Product { a, weights: &self.hidden, start: Start::Output, c: sums });
                cell.forward(simd, sums, state);
                if let Some(target) = &mut target {
                    target.store(steps, t, state.chunks_exact(states), hidden);
                }
            }
        }
    }
}

impl<A: Element> Target<'_, '_, A> {
    /// Copies the hidden part of rows of state to the rows of step `t`.
    #[inline(always)]
    fn store<'s>(&mut self, steps: &Steps, t: usize, states: impl Iterator<Item = &'s [A]>, hidden: usize)
    where
        A: 's,
    {
        let start = (steps.start(t) - self.origin) * self.width;
        let rows = self.rows.step(t, start..start + steps.batch(t) * self.width);
        for (row, state) in rows.chunks_exact_mut(self.width).zip(states) {
            row[self.column..self.column + hidden].copy_from_slice(&state[..hidden]);
        }
    }
}

impl<'a, A: Element> Resets<'a, A> {
    /// Without the first rows of every step.
    pub(super) fn skip(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// With the states of one direction of one layer only.
    pub(super) fn of_block(self, i: usize, width: usize) -> Self {
        let block = self.steps.batch(0) * width;
        Self { states: self.states.map(|states| &states[i * block..][..block]), ..self }
    }

    /// Replaces rows of state of `width` elements that begin anew at step `t`.
    #[inline(always)]
    fn apply(&self, t: usize, state: &mut [A], width: usize) {
        let batch = self.steps.batch(t);
        let rows = self.first.min(batch)..batch;
        let mask = &self.mask[self.steps.start(t.min(self.steps.len()))..][..batch][rows];
        for (b, (row, _)) in
            state.chunks_exact_mut(width).zip(mask).enumerate().filter(|(_, (_, mask))| **mask)
        {
            match self.states {
                Some(states) => row.copy_from_slice(&states[(self.first + b) * width..][..width]),
                None => row.fill(A::zero()),
            }
        }
    }
}
