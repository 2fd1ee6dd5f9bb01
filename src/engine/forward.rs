//! One direction of one layer: the crate's loop over time.
//!
//! What few passes need (masks, resets, columns of wider rows) is in functions that are not inlined. Inlined, the
//! compiler would prepare their loops at every step, and keep less in registers.

use std::ops::Range;

use pulp::Simd;

use super::pass::{Extras, InnerWrites};
use super::share::Target;
use super::sums::Shares;
use super::team::Member;
use super::weights::Weights;
use crate::cell::{Cell, Units};
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Chain, Matrix, Plan, Product, Start};
use crate::planes::Planes;
use crate::rows::Source;
use crate::steps::Steps;

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

/// What a direction reads.
#[derive(Debug)]
pub(super) struct SpanReads<'a, A> {
    /// The layer's input.
    pub(super) source: &'a Source<'a, A>,
    /// How the input's rows fall into steps.
    pub(super) steps: &'a Steps,
    /// The steps to run over.
    pub(super) range: Range<usize>,
    pub(super) plan: &'a Plan,
    pub(super) place: Place,
    pub(super) extras: Option<&'a Extras<'a, A>>,
    /// The threads that share the units of a single sequence, if any do.
    pub(super) team: Option<&'a Member<'a>>,
}

/// What a direction writes.
#[derive(Debug)]
pub(super) struct SpanWrites<'a, 't, A> {
    /// A row of state for each row of the first step: the first state before the call, the final state after it.
    pub(super) state: Planes<&'a mut [A]>,
    /// Takes the hidden states, if they are wanted.
    pub(super) target: Option<Target<'a, 't, A>>,
    /// Takes what the cell leaves, if it is wanted.
    pub(super) inner: Option<&'a mut InnerWrites<'t, A>>,
}

/// Scratch memory that the steps of a direction reuse.
#[derive(Debug, Clone, Default)]
pub(super) struct StepScratch<A> {
    pub(super) rows: Vec<A>,
    pub(super) offsets: Vec<usize>,
    /// The cell's outputs, if they are projected.
    pub(super) cells: Vec<A>,
    /// An operand times a mask, and times a gate.
    pub(super) masked: Vec<A>,
    pub(super) gated: Vec<A>,
    /// The row that a team's members make together.
    pub(super) whole_row: Vec<A>,
}

impl<A: Element> Weights<A> {
    /// Cuts the next steps off `left`, and says whether the input's chains of these steps are best made together,
    /// ahead of the recurrence.
    #[inline(always)]
    fn next_steps(
        &self,
        steps: &Steps,
        left: &mut Range<usize>,
        plan: &Plan,
        (row, reverse): (usize, bool),
    ) -> Option<(Range<usize>, bool)> {
        if left.len() <= 1 {
            // Counting or dividing would take longer than a small step.
            return steps.cut(left, 1, reverse).map(|chunk| (chunk, false));
        }
        let next = if reverse { left.end - 1 } else { left.start };
        if steps.batch(next) >= plan.ahead && self.count <= plan.near {
            return Some((steps.cut_large(left, plan.ahead, reverse), false));
        }
        let chunk = steps.cut(left, plan.chunk_of::<A>(row), reverse)?;
        let several = chunk.len() > 1;
        Some((chunk, several))
    }

    /// Runs a cell over some steps.
    ///
    /// A sum is two chains, each from its bias, and one addition. The input's chains are made for many steps ahead
    /// of the recurrence, or for each step together with the state's chains.
    #[inline(always)]
    pub(super) fn forward<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        reads: SpanReads<'_, A>,
        writes: SpanWrites<'_, '_, A>,
        scratch: &mut StepScratch<A>,
    ) {
        let SpanReads { source, steps, mut range, plan, place, extras, team } = reads;
        let SpanWrites { mut state, mut target, mut inner } = writes;
        let reverse = place.direction == 1;
        let shares = team.map(|team| self.shares::<C>(team));
        let (blocks, first) = match &shares {
            None => (self.blocks, 0),
            Some(shares) => (shares.own.blocks, shares.own.first),
        };
        let made = Units { blocks, first, peepholes: &self.peepholes };
        let (width, units) = (C::BLOCKS * blocks.apart, self.blocks.units);
        let widths = Planes { h: self.features(), c: C::CARRIES.then_some(units) };
        let [input_masks, state_masks] = extras.map_or([None, None], |extras| extras.masks_of(place.layer));
        let resets = extras.and_then(|extras| extras.resets.as_ref());
        let StepScratch { rows, offsets, cells, masked, gated, whole_row } = scratch;
        while let Some((mut chunk, ahead)) = self.next_steps(steps, &mut range, plan, (width, reverse)) {
            let (origin, ahead) = (steps.start(chunk.start), ahead && input_masks.is_none());
            // The earliest of some steps has the most rows.
            let count = if ahead { steps.start(chunk.end) - origin } else { steps.batch(chunk.start) };
            let rows = first_of(rows, count * width);
            if ahead {
                let x = source.matrix(steps, chunk.clone(), offsets);
                self.input_products::<S, C>(simd, shares.as_ref(), x, rows, width);
            }
            while let Some(t) = if reverse { chunk.next_back() } else { chunk.next() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                if let Some(resets) = resets {
                    let state = state.as_mut().map(|plane| &mut **plane);
                    resets.apply(if reverse { t + 1 } else { t }, place, state, widths);
                }
                let first = if ahead { start - origin } else { 0 };
                let rows = &mut rows[first * width..][..batch * width];
                let x = if ahead { None } else { Some(source.matrix(steps, t..t + 1, offsets)) };
                let h = &mut state.h[..batch * widths.h];
                if const { same_blocks::<A, C>() } && input_masks.is_none() && state_masks.is_none() {
                    let h = Matrix::contiguous(h, batch, widths.h);
                    self.both_products::<S, C>(simd, shares.as_ref(), (x, h), rows, (width, t));
                } else {
                    match (x, input_masks) {
                        (None, _) => {}
                        (Some(x), None) => self.input_products::<S, C>(simd, shares.as_ref(), x, rows, width),
                        (Some(x), Some(masks)) => {
                            let x = (x, masks.of(place));
                            self.masked_input_products::<S, C>(simd, shares.as_ref(), x, rows, masked);
                        }
                    }
                    Self::begin_blocks::<C>(rows, blocks.apart);
                    if state_masks.is_none() && !cell.gates_state() {
                        let h = Matrix::contiguous(h, batch, widths.h);
                        self.both_products::<S, C>(simd, shares.as_ref(), (None, h), rows, (width, t));
                    } else {
                        let h = (&*h, state_masks.map(|masks| masks.of(place)));
                        let scratch = (t, [&mut *masked, &mut *gated]);
                        self.masked_state_products(simd, cell, shares.as_ref(), h, rows, scratch);
                    }
                }
                let c = if C::CARRIES {
                    &mut state.c.as_deref_mut().invariant("a cell that carries a c has it")[..batch * units]
                } else {
                    &mut []
                };
                let [kept_rows, kept_cells] = match &mut inner {
                    None => [None, None],
                    Some(inner) => inner.of_direction(place.i),
                };
                match &self.projection {
                    None => step(simd, (cell, made), shares.as_ref(), rows, h, c),
                    Some(projection) => {
                        let cells = first_of(cells, batch * units);
                        step(simd, (cell, made), shares.as_ref(), rows, cells, c);
                        if let Some(kept) = kept_cells {
                            kept.store(t, start..start + batch, cells);
                        }
                        let a = Matrix::contiguous(cells, batch, units);
                        Product::new(&[Chain { start: Start::Zero, a, weights: projection.all() }], h)
                            .run(simd);
                    }
                }
                if let Some(kept) = kept_rows {
                    let rows = match &shares {
                        None => &*rows,
                        Some(shares) => shares.whole_row(rows, self.blocks, whole_row),
                    };
                    kept.store(t, start..start + batch, rows);
                }
                if let Some(target) = &mut target {
                    target.store(t, start..start + batch, &state.h[..batch * widths.h], widths.h);
                }
            }
        }
        if let (Some(Shares { member, own, .. }), Some(c)) = (&shares, state.c) {
            member.exchange(own.first..own.first + own.blocks.units, c);
        }
    }
}

/// Whether the chains of the input and of the state go to the same blocks.
const fn same_blocks<A: Element, C: Cell<A>>() -> bool {
    C::INPUT.start == C::HIDDEN.start && C::INPUT.end == C::HIDDEN.end
}

/// Makes a step's states from its sums. In a team each member makes the states of its own units.
#[inline(always)]
fn step<A: Element, S: Simd, C: Cell<A>>(
    simd: S,
    (cell, made): (C, Units<'_, A>),
    shares: Option<&Shares<'_, A>>,
    rows: &mut [A],
    h: &mut [A],
    c: &mut [A],
) {
    let Some(Shares { member, own, .. }) = shares else { return cell.forward(simd, made, rows, h, c) };
    let units = own.first..own.first + own.blocks.units;
    let c = if C::CARRIES { &mut c[units.clone()] } else { c };
    cell.forward(simd, made, rows, &mut h[units.clone()], c);
    member.exchange(units, h);
}

/// The first elements of `scratch`, which grows within the memory that it has.
#[inline(always)]
pub(super) fn first_of<A: Element>(scratch: &mut Vec<A>, len: usize) -> &mut [A] {
    if scratch.len() < len {
        scratch.resize(len, A::zero());
    }
    &mut scratch[..len]
}
