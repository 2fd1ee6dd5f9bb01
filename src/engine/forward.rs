//! One direction of one layer: the crate's loop over time.
//!
//! What few passes need (masks, resets, columns of wider rows) is in functions that are not inlined. Inlined, the
//! compiler would prepare their loops at every step, and keep less in registers.

use std::ops::Range;

use pulp::Simd;

use super::operands::Masks;
use super::pass::{InnerWrites, Reads};
use super::scratch::first_of;
use super::share::Target;
use super::stack::Stack;
use super::sums::Shares;
use super::weights::Weights;
use crate::cell::{Cell, Units};
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Chain, Matrix, Product, Start};
use crate::planes::Planes;
use crate::rows::Source;

/// Which rows run: of a layer and direction, and of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) layer: usize,
    pub(super) direction: usize,
    /// The number of the direction, counted by layer, then direction.
    pub(super) i: usize,
    /// The first row of each step of the whole pass.
    pub(super) first: usize,
}

/// One direction of one layer.
#[derive(Debug)]
pub(super) struct Direction<'a, A: Element, C> {
    pub(super) stack: &'a Stack<A, C>,
    pub(super) weights: &'a Weights<A>,
    pub(super) place: Place,
    /// The masks of the input and of the hidden states, if products read them times factors.
    pub(super) masks: [Option<&'a Masks<'a, A>>; 2],
    /// The units that this thread makes.
    pub(super) made: &'a Units<'a, A>,
    /// What this thread makes of a single sequence's rows, if a team shares it.
    pub(super) shares: Option<&'a Shares<'a, A>>,
}

/// The rows that a direction runs over.
#[derive(Debug)]
pub(super) struct Span<'a, A: Element, C> {
    pub(super) direction: Direction<'a, A, C>,
    pub(super) reads: &'a Reads<'a, A>,
    /// The layer's input.
    pub(super) source: &'a Source<'a, A>,
}

/// What a direction writes.
#[derive(Debug)]
pub(super) struct SpanWrites<'a, 't, A> {
    /// A row of state for each row of the first step: the first state before the call, the final state after it.
    pub(super) state: Planes<&'a mut [A]>,
    /// Takes the hidden states, if they are wanted.
    pub(super) target: Option<&'a mut Target<'a, 't, A>>,
    /// Takes what the cell leaves, if it is wanted.
    pub(super) inner: Option<&'a mut InnerWrites<'t, A>>,
}

/// Scratch memory that the steps of a direction reuse.
#[derive(Debug, Clone, Default)]
pub(super) struct StepScratch<A> {
    pub(super) rows: Vec<A>,
    /// The cell's outputs, if they are projected.
    pub(super) cells: Vec<A>,
    /// The row that a team's members make together.
    pub(super) whole_row: Vec<A>,
    pub(super) operands: OperandScratch<A>,
}

/// Scratch memory for what products read.
#[derive(Debug, Clone, Default)]
pub(super) struct OperandScratch<A> {
    /// An operand times a mask, and times a gate.
    pub(super) masked: Vec<A>,
    pub(super) gated: Vec<A>,
}

impl<A: Element, C: Cell<A>> Span<'_, A, C> {
    /// Runs the cell over some steps.
    ///
    /// A sum is two chains, each from its bias, and one addition. The input's chains are made for many steps ahead
    /// of the recurrence, or for each step together with the state's chains.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        mut left: Range<usize>,
        writes: &mut SpanWrites<'_, '_, A>,
        (scratch, offsets): (&mut StepScratch<A>, &mut Vec<usize>),
    ) {
        let Self { direction, reads, source } = self;
        let (steps, place) = (reads.steps, direction.place);
        let reverse = place.direction == 1;
        while left.start < left.end {
            let (mut chunk, ahead) = self.next_steps(&mut left, reverse);
            let origin = steps.start(chunk.start);
            if ahead {
                let x = source.matrix(steps, chunk.clone(), offsets);
                direction.inputs_ahead(simd, x, scratch);
            }
            while let Some(t) = if reverse { chunk.next_back() } else { chunk.next() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                if let Some(resets) = reads.extras.and_then(|extras| extras.resets.as_ref()) {
                    let state = writes.state.as_mut().map(|plane| &mut **plane);
                    resets.apply(t + place.direction, place, state, direction.stack.widths());
                }
                let (x, made) = if ahead {
                    (None, start - origin)
                } else {
                    (Some(source.of_step(steps, (t, batch), offsets)), 0)
                };
                direction.step(simd, (t, start..start + batch), (x, made), writes, scratch);
            }
        }
        if let (Some(Shares { member, .. }), Some(c)) = (direction.shares, &mut writes.state.c) {
            member.exchange(direction.units(), c);
        }
    }

    /// Cuts the next steps off `left`, and says whether the input's chains of these steps are best made together,
    /// ahead of the recurrence.
    #[inline(always)]
    fn next_steps(&self, left: &mut Range<usize>, reverse: bool) -> (Range<usize>, bool) {
        let Direction { stack, weights, masks, .. } = &self.direction;
        let (steps, plan) = (self.reads.steps, &stack.plan);
        let next = if reverse { left.end - 1 } else { left.start };
        if steps.batch(next) >= plan.ahead && weights.count <= plan.near {
            return (steps.cut_large(left, plan.ahead, reverse), false);
        }
        let rows = plan.chunk_of::<A>(self.direction.width());
        let chunk = steps.cut(left, rows, reverse).invariant("steps are left");
        let ahead = chunk.len() > 1 && masks[0].is_none();
        (chunk, ahead)
    }
}

impl<A: Element, C: Cell<A>> Direction<'_, A, C> {
    /// Makes the input's chains of some steps.
    #[inline(never)]
    fn inputs_ahead<S: Simd>(&self, simd: S, x: Matrix<'_, A>, scratch: &mut StepScratch<A>) {
        let (count, width) = (x.rows(), self.width());
        let rows = first_of(&mut scratch.rows, count * width);
        self.weights.input_products::<S, C>(simd, self.shares, x, rows, (width, 0));
        Weights::begin_blocks::<C>(rows, count, self.made.blocks.apart);
    }

    /// Makes step `t`, whose rows are `range` among all rows, from its input `x`. Without it the input's chains were made
    /// ahead; the step's first row in the scratch memory is `made`.
    #[inline(always)]
    pub(super) fn step<S: Simd>(
        &self,
        simd: S,
        (t, range): (usize, Range<usize>),
        (x, made): (Option<Matrix<'_, A>>, usize),
        writes: &mut SpanWrites<'_, '_, A>,
        scratch: &mut StepScratch<A>,
    ) {
        let Self { stack, weights, place, .. } = *self;
        let (batch, units, features) = (range.len(), stack.units(), stack.features());
        let StepScratch { rows, cells, whole_row, operands } = scratch;
        let (first, len) = (made * self.width(), batch * self.width());
        let rows = &mut first_of(rows, first + len)[first..];
        let h = &mut writes.state.h[..batch * features];
        self.sums(simd, (t, batch), (x, h), rows, operands);
        let c = if C::CARRIES {
            &mut writes.state.c.as_deref_mut().invariant("a cell that carries a c has it")[..batch * units]
        } else {
            &mut []
        };
        match &weights.projection {
            None => self.states(simd, rows, h, c),
            Some(projection) => {
                let cells = first_of(cells, batch * units);
                self.states(simd, rows, cells, c);
                if let Some(kept) = writes.inner.as_mut().and_then(|inner| inner.cells.get_mut(place.i)) {
                    kept.borrow().store(t, range.clone(), cells);
                }
                let a = Matrix::contiguous(cells, batch, units);
                Product::new(&[Chain { start: Start::Zero, a, weights: projection.all() }], h).run(simd);
            }
        }
        if let Some(kept) = writes.inner.as_mut().and_then(|inner| inner.rows.get_mut(place.i)) {
            let rows = match self.shares {
                None => rows,
                Some(shares) => shares.whole_row(rows, weights.blocks, whole_row),
            };
            kept.borrow().store(t, range.clone(), rows);
        }
        if let Some(target) = &mut writes.target {
            target.store(t, range, h, features);
        }
    }

    /// Makes the sums of a step, or without `x` adds the state's chains to the input's.
    #[inline(always)]
    fn sums<S: Simd>(
        &self,
        simd: S,
        (t, batch): (usize, usize),
        (x, h): (Option<Matrix<'_, A>>, &[A]),
        rows: &mut [A],
        scratch: &mut OperandScratch<A>,
    ) {
        let Self { stack, weights, shares, place, .. } = *self;
        let OperandScratch { masked, gated } = scratch;
        let (states, width) = (Matrix::contiguous(h, batch, stack.features()), self.width());
        let [input_masks, state_masks] = self.masks;
        if const { same_blocks::<A, C>() } && input_masks.is_none() && state_masks.is_none() {
            return weights.both_products::<S, C>(simd, shares, (x, states), rows, (width, t));
        }
        if let Some(x) = x {
            match input_masks {
                None => weights.input_products::<S, C>(simd, shares, x, rows, (width, t)),
                Some(masks) => {
                    weights.masked_input_products::<S, C>(simd, shares, (x, masks.of(place)), rows, masked);
                }
            }
            Weights::begin_blocks::<C>(rows, batch, self.made.blocks.apart);
        }
        if state_masks.is_none() && !stack.cell.gates_state() {
            weights.both_products::<S, C>(simd, shares, (None, states), rows, (width, t));
        } else {
            let h = (h, state_masks.map(|masks| masks.of(place)));
            weights.masked_state_products(simd, stack.cell, shares, h, rows, (t, [masked, gated]));
        }
    }

    /// Makes a step's states from its sums. In a team each member makes the states of its own units.
    #[inline(always)]
    fn states<S: Simd>(&self, simd: S, rows: &mut [A], h: &mut [A], c: &mut [A]) {
        let (cell, made) = (self.stack.cell, self.made);
        let Some(Shares { member, .. }) = self.shares else { return cell.forward(simd, made, rows, h, c) };
        let c = if C::CARRIES { &mut c[self.units()] } else { c };
        cell.forward(simd, made, rows, &mut h[self.units()], c);
        member.exchange(self.units(), h);
    }

    /// The units that this thread makes.
    fn units(&self) -> Range<usize> {
        self.made.first..self.made.first + self.made.blocks.units
    }

    /// The width of a row that this thread makes.
    #[inline(always)]
    fn width(&self) -> usize {
        C::BLOCKS * self.made.blocks.apart
    }
}

/// Whether the chains of the input and of the state go to the same blocks.
const fn same_blocks<A: Element, C: Cell<A>>() -> bool {
    C::INPUT.start == C::HIDDEN.start && C::INPUT.end == C::HIDDEN.end
}
