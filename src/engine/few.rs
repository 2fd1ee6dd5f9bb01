//! The gradient of weights whose rows have few columns, as an outer product for each row.
//!
//! Turning and packing rows of few columns takes longer than adding them: with the product kernel, a training pass
//! of a network of two units takes a fifth longer.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::gradient::BlockRows;
use crate::element::Element;

/// The most columns whose terms are added row by row.
const FEW: usize = 8;

/// Whether rows of `width` elements are added one by one. Rows that are multiplied with `factors` are not.
pub(super) fn few(width: usize, factors: bool) -> bool {
    width <= FEW && !factors
}

/// Rows of gradients of sums: each row has `blocks` blocks of `units` units, and of each block the units `own` are
/// this thread's.
#[derive(Debug)]
pub(super) struct GradientRows<'a, A> {
    pub(super) rows: &'a [A],
    pub(super) blocks: usize,
    pub(super) units: usize,
    pub(super) own: Range<usize>,
}

/// Adds the outer products of some blocks of each row with the matching row of `right`. All of these have one width.
pub(super) struct Outer<'a, 'g, A> {
    pub(super) rows: &'a GradientRows<'a, A>,
    pub(super) blocks: Range<usize>,
    pub(super) right: &'a [&'a [A]],
    pub(super) to: &'a mut BlockRows<'g, A>,
}

impl<A: Element> WithSimd for Outer<'_, '_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rows, blocks, right, to } = self;
        let width = right.first().map_or(0, |row| row.len());
        for (i, block) in blocks.enumerate() {
            let (units, to) = (rows.units_of(block), to.block(i));
            match width {
                1 => rows.add_outer_of_width::<1>(units, right, to),
                2 => rows.add_outer_of_width::<2>(units, right, to),
                3 => rows.add_outer_of_width::<3>(units, right, to),
                4 => rows.add_outer_of_width::<4>(units, right, to),
                5 => rows.add_outer_of_width::<5>(units, right, to),
                6 => rows.add_outer_of_width::<6>(units, right, to),
                7 => rows.add_outer_of_width::<7>(units, right, to),
                _ => rows.add_outer_of_width::<FEW>(units, right, to),
            }
        }
    }
}

impl<A: Element> GradientRows<'_, A> {
    /// Where this thread's units of a block lie in a row.
    fn units_of(&self, block: usize) -> Range<usize> {
        block * self.units + self.own.start..block * self.units + self.own.end
    }

    /// Adds this thread's units of each row, block by block, to `to`.
    #[inline(always)]
    pub(super) fn add_to(&self, to: &mut [A]) {
        let Self { rows, blocks, units, ref own } = *self;
        // The blocks of whole rows are added as one.
        let whole = own.len() == units;
        let (each, own) = if whole { (blocks * units, 0..blocks * units) } else { (units, own.clone()) };
        for row in rows.chunks_exact(blocks * units) {
            for (to, block) in to.chunks_exact_mut(own.len()).zip(row.chunks_exact(each)) {
                to.iter_mut().zip(&block[own.clone()]).for_each(|(to, &term)| *to += term);
            }
        }
    }

    /// The outer products of one block, for a width that the compiler knows. Two units together, since the sums of one wait
    /// for each other.
    #[inline(always)]
    fn add_outer_of_width<const W: usize>(&self, units: Range<usize>, right: &[&[A]], to: &mut [A]) {
        let (pairs, last) = to.as_chunks_mut::<W>().0.as_chunks_mut::<2>();
        for (unit, to) in units.clone().step_by(2).zip(pairs) {
            self.add_outer_of_units(unit, right, to);
        }
        for to in last.as_chunks_mut::<1>().0 {
            self.add_outer_of_units(units.end - 1, right, to);
        }
    }

    /// The outer products of some units, whose sums stay in registers.
    #[inline(always)]
    fn add_outer_of_units<const W: usize, const U: usize>(
        &self,
        first: usize,
        right: &[&[A]],
        to: &mut [[A; W]; U],
    ) {
        let mut sums = *to;
        for (left, right) in self.rows.chunks_exact(self.blocks * self.units).zip(right) {
            let (left, right) = (&left[first..first + U], &right[..W]);
            for u in 0..U {
                for j in 0..W {
                    sums[u][j] = left[u].mul_add(right[j], sums[u][j]);
                }
            }
        }
        *to = sums;
    }
}
