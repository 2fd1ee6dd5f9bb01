//! The sums of a step: the columns that a thread makes, and the products that make them.

use std::ops::Range;

use pulp::Simd;

use super::operands::{Masks, multiply, operands};
use super::team::Member;
use super::weights::Weights;
use crate::cell::Cell;
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Blocks, Chain, Matrix, PanelsRef, Product, Start};

/// The units that one thread makes: all of them, or its share in a team.
#[derive(Debug)]
pub(super) struct Own {
    /// The panels that this thread makes of each block, and how many a block has.
    panels: Range<usize>,
    of: usize,
    /// The first unit.
    pub(super) first: usize,
    /// The number of units, and how this thread's rows fall into blocks.
    pub(super) blocks: Blocks,
}

/// What makes some columns of a row: panels of weights, and where their chains start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'w, A: Element> {
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
    pub(super) fn own<C: Cell<A>>(&self, team: Option<&Member<'_>>) -> Own {
        let of = self.blocks.panels::<A>();
        let Some(team) = team else { return Own { panels: 0..of, of, first: 0, blocks: self.blocks } };
        let panels = team.share(of);
        let units = panels.start * A::PANEL..self.blocks.units.min(panels.end * A::PANEL);
        Own { panels, of, first: units.start, blocks: Blocks::of::<A>(units.len(), C::BLOCKS) }
    }

    /// All columns that the input's chains go to, and all that the state's chains go to.
    #[inline(always)]
    pub(super) fn all<C: Cell<A>>(&self, apart: usize) -> [Columns<'_, A>; 2] {
        let first = |block: usize| block * apart;
        [
            Columns { first: first(C::INPUT.start), bias: &self.bias_ih, weights: self.input.all() },
            Columns { first: first(C::HIDDEN.start), bias: &self.bias_hh, weights: self.hidden.all() },
        ]
    }

    /// The columns that a member of a team makes.
    #[inline(never)]
    pub(super) fn shares<C: Cell<A>>(&self, own: &Own) -> [Vec<Columns<'_, A>>; 2] {
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

    /// Makes the input's chains of a step, if it has masks: `x` times the mask of a block for each block.
    #[inline(never)]
    pub(super) fn masked_input_products<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        (x, masks): (Matrix<'_, A>, Masks<'_, A>),
        team: Option<&Member<'_>>,
        rows: &mut [A],
        masked: &mut Vec<A>,
    ) {
        let own = &self.own::<C>(team);
        let ([all, _], width) = (self.all::<C>(own.blocks.apart), C::BLOCKS * own.blocks.apart);
        for operand in operands(Some(masks), C::INPUT.end - C::INPUT.start, false) {
            let factors = operand.factors.invariant("a mask has factors");
            multiply(x, factors, masks.width, masked);
            let x = Matrix::contiguous(masked, x.rows(), masks.width);
            for columns in Self::columns(own, all, operand.blocks) {
                products(simd, &[columns], x, rows, width);
            }
        }
    }

    /// Adds the state's chains of step `t` if they go to other blocks than the input's, or if they read the state times
    /// masks or a gate.
    #[inline(never)]
    pub(super) fn state_products<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        (h, masks): (&[A], Option<Masks<'_, A>>),
        (hiddens, team): (&[Columns<'_, A>], Option<&Member<'_>>),
        rows: &mut [A],
        (t, [masked, gated]): (usize, [&mut Vec<A>; 2]),
    ) {
        let own = &self.own::<C>(team);
        let (features, Blocks { units, apart }) = (self.features(), own.blocks);
        let (width, batch) = (C::BLOCKS * apart, h.len() / features);
        // A block that the input does not go to starts at -0, since -0 plus a chain has the bits of the chain.
        for block in (C::HIDDEN.start..C::HIDDEN.end).filter(|block| !C::INPUT.contains(block)) {
            let columns = block * apart..(block + 1) * apart;
            rows.chunks_exact_mut(width).for_each(|row| row[columns.clone()].fill(-A::zero()));
        }
        if masks.is_none() && !cell.gates_state() {
            let h = Matrix::contiguous(h, batch, features);
            return both_products(simd, [hiddens; 2], (None, h), rows, (width, t));
        }
        let [_, all] = self.all::<C>(apart);
        let of_own = team.map_or(0..h.len(), |_| own.first..own.first + units);
        for operand in operands(masks, C::HIDDEN.end - C::HIDDEN.start, cell.gates_state()) {
            let mut read = h;
            if let Some(factors) = operand.factors {
                multiply(Matrix::contiguous(h, batch, features), factors, features, masked);
                read = &masked[..];
            }
            if operand.gated {
                gated.resize(h.len(), A::zero());
                cell.gate(simd, own.blocks, rows, &read[of_own.clone()], &mut gated[of_own.clone()]);
                if let Some(team) = team {
                    team.exchange(of_own.clone(), gated);
                }
                read = &gated[..];
            }
            let read = Matrix::contiguous(read, batch, features);
            for columns in Self::columns(own, all, operand.blocks) {
                both_products(simd, [&[columns]; 2], (None, read), rows, (width, t));
            }
        }
    }
}

/// Makes the input's chains of rows of `width` elements.
#[inline(always)]
pub(super) fn products<A: Element, S: Simd>(
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
pub(super) fn both_products<A: Element, S: Simd>(
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

/// Makes the recurrent product of step `t`. Every other step reads the weights from their end.
#[inline(always)]
pub(super) fn run<A: Element, S: Simd>(simd: S, mut product: Product<'_, A>, t: usize) {
    product.last_first = t % 2 == 1;
    product.run(simd);
}
