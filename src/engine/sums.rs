//! The sums of a step: the columns that a thread makes, and the products that make them.

use std::ops::Range;

use pulp::Simd;

use super::operands::{Masks, multiply, operands};
use super::team::Member;
use super::weights::Weights;
use crate::cell::Cell;
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Blocks, Chain, Matrix, PanelsRef, Product, Start, copy};

/// The units that one thread makes: all of them, or its share in a team.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// The panels that this thread makes of each block, and how many a block has.
    panels: Range<usize>,
    of: usize,
    /// The first unit.
    pub(super) first: usize,
    /// The number of units, and how this thread's rows fall into blocks.
    pub(super) blocks: Blocks,
}

/// What a member of a team makes of every row.
#[derive(Debug)]
pub(super) struct Shares<'w, A: Element> {
    pub(super) member: &'w Member<'w>,
    pub(super) own: Own,
    /// The columns that the input's chains go to, and those that the state's chains go to.
    inputs: Vec<Columns<'w, A>>,
    hiddens: Vec<Columns<'w, A>>,
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
    /// The share of a team's member.
    #[inline(never)]
    pub(super) fn shares<'w, C: Cell<A>>(&'w self, member: &'w Member<'w>) -> Shares<'w, A> {
        let of = self.blocks.panels::<A>();
        let panels = member.share(of);
        let units = panels.start * A::PANEL..self.blocks.units.min(panels.end * A::PANEL);
        let blocks = Blocks::of::<A>(units.len(), C::BLOCKS);
        let own = Own { panels, of, first: units.start, blocks };
        let [inputs, hiddens] =
            [(self.inputs::<C>(blocks), C::INPUT), (self.hiddens::<C>(blocks), C::HIDDEN)]
                .map(|(all, of)| Self::columns(&own, all, 0..of.len()).collect());
        Shares { member, own, inputs, hiddens }
    }

    /// The units of this thread: a team member's, or all.
    fn own(&self, shares: Option<&Shares<'_, A>>) -> Own {
        let of = self.blocks.panels::<A>();
        let all = || Own { panels: 0..of, of, first: 0, blocks: self.blocks };
        shares.map_or_else(all, |shares| shares.own.clone())
    }

    /// All columns that the input's chains go to.
    #[inline(always)]
    fn inputs<C: Cell<A>>(&self, Blocks { apart, .. }: Blocks) -> Columns<'_, A> {
        Columns { first: C::INPUT.start * apart, bias: &self.bias_ih, weights: self.input.all() }
    }

    /// All columns that the state's chains go to.
    #[inline(always)]
    fn hiddens<C: Cell<A>>(&self, Blocks { apart, .. }: Blocks) -> Columns<'_, A> {
        Columns { first: C::HIDDEN.start * apart, bias: &self.bias_hh, weights: self.hidden.all() }
    }

    /// Makes the input's chains of rows of `width` elements, from step `t` on.
    #[inline(always)]
    pub(super) fn input_products<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        shares: Option<&Shares<'_, A>>,
        x: Matrix<'_, A>,
        rows: &mut [A],
        step: (usize, usize),
    ) {
        match shares {
            None => self.inputs::<C>(self.blocks).products(simd, x, rows, step),
            Some(shares) => shares.inputs.iter().for_each(|input| input.products(simd, x, rows, step)),
        }
    }

    /// Makes the state's chains of rows of `width` elements, together with the input's or added to what the rows hold.
    #[inline(always)]
    pub(super) fn both_products<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        shares: Option<&Shares<'_, A>>,
        (x, h): (Option<Matrix<'_, A>>, Matrix<'_, A>),
        rows: &mut [A],
        step: (usize, usize),
    ) {
        match shares {
            None => {
                let x = x.map(|x| (self.inputs::<C>(self.blocks), x));
                self.hiddens::<C>(self.blocks).products_with(simd, x, h, rows, step);
            }
            Some(shares) => {
                for (input, hidden) in shares.inputs.iter().zip(&shares.hiddens) {
                    hidden.products_with(simd, x.map(|x| (*input, x)), h, rows, step);
                }
            }
        }
    }

    /// Begins the blocks that only the state's chains go to: at -0, since -0 plus a chain has the bits of the chain.
    #[inline(always)]
    pub(super) fn begin_blocks<C: Cell<A>>(rows: &mut [A], count: usize, apart: usize) {
        for block in (C::HIDDEN.start..C::HIDDEN.end).filter(|block| !C::INPUT.contains(block)) {
            // Counted: to divide by a row's width takes longer than to write one row of a few units.
            for row in 0..count {
                rows[(row * C::BLOCKS + block) * apart..][..apart].fill(-A::zero());
            }
        }
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
        shares: Option<&Shares<'_, A>>,
        (x, masks): (Matrix<'_, A>, Masks<'_, A>),
        rows: &mut [A],
        masked: &mut Vec<A>,
    ) {
        let own = self.own(shares);
        let all = self.inputs::<C>(own.blocks);
        for operand in operands(Some(masks), C::INPUT.end - C::INPUT.start, false) {
            let factors = operand.factors.invariant("a mask has factors");
            multiply(x, factors, masks.width, masked);
            let x = Matrix::contiguous(masked, x.rows(), masks.width);
            for columns in Self::columns(&own, all, operand.blocks) {
                columns.products(simd, x, rows, (C::BLOCKS * own.blocks.apart, 0));
            }
        }
    }

    /// Adds the state's chains of step `t` if they read the state times masks or a gate.
    #[inline(never)]
    pub(super) fn masked_state_products<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        shares: Option<&Shares<'_, A>>,
        (h, masks): (&[A], Option<Masks<'_, A>>),
        rows: &mut [A],
        (t, [masked, gated]): (usize, [&mut Vec<A>; 2]),
    ) {
        let own = self.own(shares);
        let (features, Blocks { units, apart }) = (self.features(), own.blocks);
        let (width, batch, all) = (C::BLOCKS * apart, h.len() / features, self.hiddens::<C>(own.blocks));
        let of_own = shares.map_or(0..h.len(), |_| own.first..own.first + units);
        for operand in operands(masks, C::HIDDEN.end - C::HIDDEN.start, cell.gates_state()) {
            let mut read = h;
            if let Some(factors) = operand.factors {
                multiply(Matrix::contiguous(h, batch, features), factors, features, masked);
                read = &masked[..];
            }
            if operand.gated {
                gated.resize(h.len(), A::zero());
                cell.gate(simd, own.blocks, rows, &read[of_own.clone()], &mut gated[of_own.clone()]);
                if let Some(shares) = shares {
                    shares.member.exchange(of_own.clone(), gated);
                }
                read = &gated[..];
            }
            let read = Matrix::contiguous(read, batch, features);
            for columns in Self::columns(&own, all, operand.blocks) {
                columns.products_with(simd, None, read, rows, (width, t));
            }
        }
    }
}

impl<A: Element> Shares<'_, A> {
    /// The whole row of a step, in which all members' rows are put together: each has its own units of every block.
    #[inline(never)]
    pub(super) fn whole_row<'r>(
        &self,
        row: &[A],
        Blocks { apart, .. }: Blocks,
        room: &'r mut Vec<A>,
    ) -> &'r [A] {
        let Own { first, blocks: Blocks { units, apart: own_apart }, .. } = self.own;
        room.resize(row.len() / own_apart * apart, A::zero());
        for (all, own) in room.chunks_exact_mut(apart).zip(row.chunks_exact(own_apart)) {
            copy(&own[..units], &mut all[first..first + units]);
        }
        self.member.exchange_blocks(first..first + units, apart, room);
        room
    }
}

impl<A: Element> Columns<'_, A> {
    /// Makes these columns of rows of `width` elements, from step `t` on.
    #[inline(always)]
    fn products<S: Simd>(&self, simd: S, a: Matrix<'_, A>, rows: &mut [A], (width, t): (usize, usize)) {
        let Self { first, bias, weights } = *self;
        let chain = Chain { start: Start::Bias(bias), a, weights };
        run(simd, Product::new(&[chain], &mut rows[first..]).strided(width), t);
    }

    /// Makes these columns, of the state's chains, in step `t` of rows of `width` elements: together with the input's, or
    /// added to what the rows hold.
    #[inline(always)]
    fn products_with<S: Simd>(
        &self,
        simd: S,
        x: Option<(Columns<'_, A>, Matrix<'_, A>)>,
        h: Matrix<'_, A>,
        rows: &mut [A],
        (width, t): (usize, usize),
    ) {
        let rows = &mut rows[self.first..];
        let h = Chain { start: Start::Bias(self.bias), a: h, weights: self.weights };
        match x {
            None => run(simd, Product::new(&[h], rows).strided(width).added(), t),
            Some((Columns { bias, weights, .. }, a)) => {
                let x = Chain { start: Start::Bias(bias), a, weights };
                run(simd, Product::new(&[h, x], rows).strided(width), t);
            }
        }
    }
}

/// Makes a product of step `t`. Every other step reads the weights from their end, which caches still hold.
#[inline(always)]
pub(super) fn run<A: Element, S: Simd>(simd: S, mut product: Product<'_, A>, t: usize) {
    product.last_first = t % 2 == 1;
    product.run(simd);
}
