//! One direction of one layer: the crate's loop over time.
//!
//! What few passes need (masks, resets, columns of wider rows) is in functions that are not inlined. Inlined, the
//! compiler would prepare their loops at every step, and keep less in registers.

use std::ops::Range;

use pulp::Simd;

use super::operands::Masks;
use super::pass::Reads;
use super::place::Place;
use super::scratch::first_of;
use super::share::{ShareMut, Target};
use super::stack::Stack;
use super::sums::Shares;
use super::weights::Weights;
use crate::cell::{Cell, Units};
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Chain, Matrix, Product, Start};
use crate::planes::Planes;
use crate::rows::Source;

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
    /// Takes the cell's outputs before the projection, if they are wanted.
    pub(super) cells: Option<ShareMut<'a, 't, A>>,
}

/// Scratch memory that the steps of a direction reuse.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanScratch<A> {
    pub(super) rows: Vec<A>,
    /// The row that a team's members make together.
    pub(super) whole_row: Vec<A>,
    /// Where the input's rows start.
    pub(super) offsets: Vec<usize>,
    pub(super) step: StepScratch<A>,
}

/// Scratch memory of a step.
#[derive(Debug, Clone, Default)]
pub(super) struct StepScratch<A> {
    /// The cell's outputs, if they are projected.
    pub(super) cells: Vec<A>,
    /// What a product reads times a mask, and times a gate.
    pub(super) masked: Vec<A>,
    pub(super) gated: Vec<A>,
}

impl<A: Element, C: Cell<A>> Span<'_, A, C> {
    /// Runs the cell over some steps. `kept` takes the rows that it leaves, if they are wanted; in one piece of memory they
    /// are made where they are kept.
    ///
    /// A sum is two chains, each from its bias, and one addition. The input's chains are made for many steps ahead
    /// of the recurrence, or for each step together with the state's chains.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        mut left: Range<usize>,
        mut kept: Option<ShareMut<'_, '_, A>>,
        writes: &mut SpanWrites<'_, '_, A>,
        scratch: &mut SpanScratch<A>,
    ) {
        let Self { direction, reads, source } = self;
        let SpanScratch { rows, whole_row, offsets, step } = scratch;
        let (steps, width, reverse) = (reads.steps, direction.width(), direction.place.direction == 1);
        while left.start < left.end {
            let (mut chunk, ahead) = self.next_steps(&mut left, reverse);
            let (origin, end) = (steps.start(chunk.start), steps.start(chunk.end));
            let (rows, mut kept, apart) = match kept.as_mut() {
                Some(ShareMut::Whole(kept)) if direction.shares.is_none() => {
                    (&mut kept[origin * width..end * width], None, true)
                }
                kept => {
                    let count = if ahead { end - origin } else { steps.batch(chunk.start) };
                    (first_of(rows, count * width), kept, ahead)
                }
            };
            if ahead {
                direction.inputs_ahead(simd, source.matrix(steps, chunk.clone(), offsets), rows);
            }
            while let Some(t) = if reverse { chunk.next_back() } else { chunk.next() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                self.reset(t, &mut writes.state);
                let first = if apart { start - origin } else { 0 };
                let rows = &mut rows[first * width..(first + batch) * width];
                let x = if ahead { None } else { Some(source.of_step(steps, (t, batch), offsets)) };
                direction.step(simd, (t, start..start + batch), (x, rows), writes, step);
                if let Some(kept) = &mut kept {
                    let rows = match direction.shares {
                        None => rows,
                        Some(shares) => shares.whole_row(rows, direction.weights.blocks, whole_row),
                    };
                    kept.store(t, start..start + batch, rows);
                }
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

    /// Replaces the states that begin anew at step `t`.
    #[inline(always)]
    fn reset(&self, t: usize, state: &mut Planes<&mut [A]>) {
        if let Some(resets) = self.reads.extras.and_then(|extras| extras.resets.as_ref()) {
            let Direction { place, stack, .. } = self.direction;
            let state = state.as_mut().map(|plane| &mut **plane);
            resets.apply(t + place.direction, place, state, stack.widths());
        }
    }
}

impl<A: Element, C: Cell<A>> Direction<'_, A, C> {
    /// Makes the input's chains of some steps.
    #[inline(never)]
    fn inputs_ahead<S: Simd>(&self, simd: S, x: Matrix<'_, A>, rows: &mut [A]) {
        self.weights.input_products::<S, C>(simd, self.shares, x, rows, (self.width(), 0));
        Weights::begin_blocks::<C>(rows, x.rows(), self.made.blocks.apart);
    }

    /// Makes step `t`, whose rows are `range` among all rows, from its input `x`. Without it `rows` holds the input's chains,
    /// which were made ahead. Leaves in `rows` what the cell leaves.
    #[inline(always)]
    pub(super) fn step<S: Simd>(
        &self,
        simd: S,
        (t, range): (usize, Range<usize>),
        (x, rows): (Option<Matrix<'_, A>>, &mut [A]),
        writes: &mut SpanWrites<'_, '_, A>,
        scratch: &mut StepScratch<A>,
    ) {
        let Self { stack, weights, .. } = *self;
        let (batch, units, features) = (range.len(), stack.units(), stack.features());
        let StepScratch { cells, masked, gated } = scratch;
        let h = &mut writes.state.h[..batch * features];
        self.sums(simd, (t, batch), (x, h), rows, [masked, gated]);
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
                if let Some(kept) = &mut writes.cells {
                    kept.store(t, range.clone(), cells);
                }
                let a = Matrix::contiguous(cells, batch, units);
                Product::new(&[Chain { start: Start::Zero, a, weights: projection.all() }], h).run(simd);
            }
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
        [masked, gated]: [&mut Vec<A>; 2],
    ) {
        let Self { stack, weights, shares, place, .. } = *self;
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
    pub(super) fn width(&self) -> usize {
        C::BLOCKS * self.made.blocks.apart
    }
}

/// Whether the chains of the input and of the state go to the same blocks.
const fn same_blocks<A: Element, C: Cell<A>>() -> bool {
    C::INPUT.start == C::HIDDEN.start && C::INPUT.end == C::HIDDEN.end
}
