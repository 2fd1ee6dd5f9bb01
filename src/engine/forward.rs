//! One direction of one layer: the crate's loop over time.
//!
//! What few passes need (masks, resets, columns of wider rows) is in functions that are not inlined. Inlined, the
//! compiler would prepare their loops at every step, and keep less in registers.

use std::ops::Range;
use std::slice;

use pulp::Simd;

use super::operands::{Masks, multiply};
use super::resets::Resets;
use super::share::{ShareMut, Target};
use super::team::Member;
use super::weights::Weights;
use crate::cell::Cell;
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Blocks, Chain, Matrix, PanelsRef, Plan, Product, Start, copy};
use crate::planes::Planes;
use crate::rows::Source;
use crate::steps::Steps;

/// What a direction reads.
#[derive(Debug)]
pub(super) struct SpanReads<'a, A> {
    /// The layer's input.
    pub(super) source: Source<'a, A>,
    /// How the input's rows fall into steps.
    pub(super) steps: &'a Steps,
    /// The steps to run over.
    pub(super) range: Range<usize>,
    pub(super) plan: &'a Plan,
    /// Whether time runs from the last step to the first.
    pub(super) reverse: bool,
    /// Where sequences begin anew.
    pub(super) resets: Option<Resets<'a, A>>,
    pub(super) masks: Option<Masks<'a, A>>,
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
    /// Takes the rows that the cell leaves, if they are wanted.
    pub(super) rows: Option<ShareMut<'a, 't, A>>,
    /// Takes the cell's outputs before the projection, if they are wanted.
    pub(super) cells: Option<ShareMut<'a, 't, A>>,
}

/// Scratch memory that the steps of a direction reuse.
#[derive(Debug, Clone, Default)]
pub(super) struct StepScratch<A> {
    rows: Vec<A>,
    offsets: Vec<usize>,
    /// The cell's outputs, if they are projected.
    cells: Vec<A>,
    /// The hidden state times a mask.
    masked: Vec<A>,
}

/// The units that one thread makes: all of them, or its share in a team.
#[derive(Debug)]
struct Own {
    /// The panels that this thread makes of each block, and how many a block has.
    panels: Range<usize>,
    of: usize,
    /// The first unit.
    first: usize,
    /// The number of units, and how this thread's rows fall into blocks.
    blocks: Blocks,
}

/// What makes some columns of a row: panels of weights, and where their chains start.
#[derive(Debug, Clone, Copy)]
struct Columns<'w, A: Element> {
    first: usize,
    bias: &'w [A],
    weights: PanelsRef<'w, A>,
}

impl Own {
    /// The panels that make some of a matrix's blocks, each with the place where its columns begin in a row of
    /// these blocks. A thread that makes whole blocks gets one range of panels for all; another gets one for each
    /// block.
    fn parts(&self, blocks: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let whole = self.panels.len() == self.of;
        let (count, together) = if whole { (1, blocks.len()) } else { (blocks.len(), 1) };
        (0..count).map(move |i| {
            let first = (blocks.start + i) * self.of;
            let panels = first + self.panels.start..first + (together - 1) * self.of + self.panels.end;
            ((blocks.start + i) * self.blocks.apart, panels)
        })
    }
}

impl<A: Element> Weights<A> {
    /// The units of this thread: a team member's, or all.
    #[inline(never)]
    fn own<C: Cell<A>>(&self, team: Option<&Member<'_>>) -> Own {
        let of = self.blocks.panels::<A>();
        let Some(team) = team else { return Own { panels: 0..of, of, first: 0, blocks: self.blocks } };
        let panels = team.share(of);
        let units = panels.start * A::PANEL..self.blocks.units.min(panels.end * A::PANEL);
        Own { panels, of, first: units.start, blocks: Blocks::of::<A>(units.len(), C::BLOCKS) }
    }

    /// All columns that the input's chains go to, and all that the state's chains go to.
    #[inline(always)]
    fn all<C: Cell<A>>(&self, apart: usize) -> [Columns<'_, A>; 2] {
        let first = |block: usize| block * apart;
        [
            Columns { first: first(C::INPUT.start), bias: &self.bias_ih, weights: self.input.all() },
            Columns { first: first(C::HIDDEN.start), bias: &self.bias_hh, weights: self.hidden.all() },
        ]
    }

    /// The columns that a member of a team makes.
    #[inline(never)]
    fn shares<C: Cell<A>>(&self, own: &Own) -> [Vec<Columns<'_, A>>; 2] {
        let [input, hidden] = self.all::<C>(own.blocks.apart);
        [
            Self::columns(own, input, 0..C::INPUT.end - C::INPUT.start).collect(),
            Self::columns(own, hidden, 0..C::HIDDEN.end - C::HIDDEN.start).collect(),
        ]
    }

    /// This thread's columns of some blocks, out of all columns.
    fn columns<'w>(
        own: &Own,
        all: Columns<'w, A>,
        blocks: Range<usize>,
    ) -> impl Iterator<Item = Columns<'w, A>> {
        own.parts(blocks).map(move |(first, panels)| Columns {
            first: all.first + first,
            bias: &all.bias[panels.start * A::PANEL..panels.end * A::PANEL],
            weights: all.weights.part(panels),
        })
    }

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
        let SpanReads { source, steps, mut range, plan, reverse, resets, masks, team } = reads;
        let SpanWrites { mut state, mut target, rows: mut kept_rows, cells: mut kept_cells } = writes;
        let own = team.map(|team| (team, self.own::<C>(Some(team))));
        let (all, shares) =
            (self.all::<C>(self.blocks.apart), own.as_ref().map(|(_, own)| self.shares::<C>(own)));
        let [inputs, hiddens] = match &shares {
            None => all.each_ref().map(slice::from_ref),
            Some(shares) => shares.each_ref().map(Vec::as_slice),
        };
        let blocks = own.as_ref().map_or(self.blocks, |(_, own)| own.blocks);
        let (width, units) = (C::BLOCKS * blocks.apart, self.blocks.units);
        let widths = Planes { h: self.features(), c: C::CARRIES.then_some(units) };
        let StepScratch { rows, offsets, cells, masked } = scratch;
        while let Some((mut chunk, ahead)) = self.next_steps(steps, &mut range, plan, (width, reverse)) {
            let origin = steps.start(chunk.start);
            // The earliest of some steps has the most rows.
            let count = if ahead { steps.start(chunk.end) - origin } else { steps.batch(chunk.start) };
            let rows = first_of(rows, count * width);
            if ahead {
                products(simd, inputs, source.matrix(steps, chunk.clone(), offsets), rows, width);
            }
            while let Some(t) = if reverse { chunk.next_back() } else { chunk.next() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                if let Some(resets) = &resets {
                    let state = state.as_mut().map(|plane| &mut **plane);
                    resets.apply(if reverse { t + 1 } else { t }, state, widths);
                }
                let first = if ahead { start - origin } else { 0 };
                let rows = &mut rows[first * width..][..batch * width];
                let x = if ahead { None } else { Some(source.matrix(steps, t..t + 1, offsets)) };
                let h = &mut state.h[..batch * widths.h];
                if const { same_blocks::<A, C>() } && masks.is_none() {
                    let h = Matrix::contiguous(h, batch, widths.h);
                    both_products(simd, [inputs, hiddens], (x, h), rows, (width, t));
                } else {
                    if let Some(x) = x {
                        products(simd, inputs, x, rows, width);
                    }
                    self.state_products::<S, C>(
                        simd,
                        (hiddens, blocks),
                        (h, masks, masked),
                        team,
                        rows,
                        [t, batch],
                    );
                }
                let c = if C::CARRIES {
                    &mut state.c.as_deref_mut().invariant("a cell that carries a c has it")[..batch * units]
                } else {
                    &mut []
                };
                match &self.projection {
                    None => step(simd, (cell, blocks), own.as_ref(), rows, h, c),
                    Some(projection) => {
                        let cells = first_of(cells, batch * units);
                        step(simd, (cell, blocks), own.as_ref(), rows, cells, c);
                        if let Some(kept) = &mut kept_cells {
                            copy(cells, kept.step(t, start * units..(start + batch) * units));
                        }
                        let a = Matrix::contiguous(cells, batch, units);
                        Product::new(&[Chain { start: Start::Zero, a, weights: projection.all() }], h)
                            .run(simd);
                    }
                }
                if let Some(kept) = &mut kept_rows {
                    copy(rows, kept.step(t, start * width..(start + batch) * width));
                }
                if let Some(target) = &mut target {
                    target.store(t, start..start + batch, &state.h[..batch * widths.h], widths.h);
                }
            }
        }
        if let (Some((team, own)), Some(c)) = (own, state.c) {
            team.exchange(own.first..own.first + own.blocks.units, c);
        }
    }

    /// Adds the state's chains if they go to other blocks than the input's, or if they read the state times masks.
    #[inline(never)]
    fn state_products<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        (hiddens, own_blocks): (&[Columns<'_, A>], Blocks),
        (h, masks, masked): (&[A], Option<Masks<'_, A>>, &mut Vec<A>),
        team: Option<&Member<'_>>,
        rows: &mut [A],
        [t, batch]: [usize; 2],
    ) {
        let (features, apart) = (self.features(), own_blocks.apart);
        let width = C::BLOCKS * apart;
        // A block that the input does not go to starts at -0, since -0 plus a chain has the bits of the chain.
        for block in (C::HIDDEN.start..C::HIDDEN.end).filter(|block| !C::INPUT.contains(block)) {
            let columns = block * apart..(block + 1) * apart;
            rows.chunks_exact_mut(width).for_each(|row| row[columns.clone()].fill(-A::zero()));
        }
        let Some(masks) = masks else {
            let h = Matrix::contiguous(h, batch, features);
            return both_products(simd, [hiddens; 2], (None, h), rows, (width, t));
        };
        let own = &self.own::<C>(team);
        let [_, all] = self.all::<C>(own.blocks.apart);
        for (blocks, factors) in masks.operands(C::HIDDEN.end - C::HIDDEN.start) {
            multiply(h, factors, masked);
            let h = Matrix::contiguous(masked, batch, features);
            for columns in Self::columns(own, all, blocks) {
                both_products(simd, [&[columns]; 2], (None, h), rows, (width, t));
            }
        }
    }
}

/// Whether the chains of the input and of the state go to the same blocks.
const fn same_blocks<A: Element, C: Cell<A>>() -> bool {
    C::INPUT.start == C::HIDDEN.start && C::INPUT.end == C::HIDDEN.end
}

/// Makes the input's chains of rows of `width` elements.
#[inline(always)]
fn products<A: Element, S: Simd>(
    simd: S,
    inputs: &[Columns<'_, A>],
    a: Matrix<'_, A>,
    rows: &mut [A],
    width: usize,
) {
    for &Columns { first, bias, weights } in inputs {
        let chain = Chain { start: Start::Bias(bias), a, weights };
        Product::new(&[chain], &mut rows[first..]).strided(width).run(simd);
    }
}

/// Makes the state's chains of rows of `width` elements, together with the input's or added to those that the rows
/// hold. Every other step reads the weights from their end.
#[inline(always)]
fn both_products<A: Element, S: Simd>(
    simd: S,
    [inputs, hiddens]: [&[Columns<'_, A>]; 2],
    (x, h): (Option<Matrix<'_, A>>, Matrix<'_, A>),
    rows: &mut [A],
    (width, t): (usize, usize),
) {
    for (input, hidden) in inputs.iter().zip(hiddens) {
        let rows = &mut rows[hidden.first..];
        let h = Chain { start: Start::Bias(hidden.bias), a: h, weights: hidden.weights };
        match x {
            None => run(simd, Product::new(&[h], rows).strided(width).added(), t),
            Some(a) => {
                let x = Chain { start: Start::Bias(input.bias), a, weights: input.weights };
                run(simd, Product::new(&[x, h], rows).strided(width), t);
            }
        }
    }
}

/// Makes a step's states from its sums. In a team each member makes the states of its own units.
#[inline(always)]
fn step<A: Element, S: Simd, C: Cell<A>>(
    simd: S,
    (cell, blocks): (C, Blocks),
    own: Option<&(&Member<'_>, Own)>,
    rows: &mut [A],
    h: &mut [A],
    c: &mut [A],
) {
    let Some((team, own)) = own else { return cell.forward(simd, blocks, rows, h, c) };
    let units = own.first..own.first + own.blocks.units;
    let c = if C::CARRIES { &mut c[units.clone()] } else { c };
    cell.forward(simd, blocks, rows, &mut h[units.clone()], c);
    team.exchange(units, h);
}

/// The first elements of `scratch`, which grows if it is too small.
#[inline(always)]
pub(super) fn first_of<A: Element>(scratch: &mut Vec<A>, len: usize) -> &mut [A] {
    if scratch.len() < len {
        scratch.resize(len, A::zero());
    }
    &mut scratch[..len]
}

/// Makes the recurrent product of step `t`. Every other step reads the weights from their end.
#[inline(always)]
pub(super) fn run<A: Element, S: Simd>(simd: S, mut product: Product<'_, A>, t: usize) {
    product.last_first = t % 2 == 1;
    product.run(simd);
}
