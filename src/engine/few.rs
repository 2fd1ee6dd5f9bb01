//! The gradient of weights whose rows have few columns, as an outer product for each row.
//!
//! Turning and packing rows of few columns takes longer than adding them: with the product kernel, a training pass
//! of a network of two units takes a fifth longer.

use std::ops::Range;

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

impl<A: Element> GradientRows<'_, A> {
    /// Adds the outer products of some blocks of each row with the matching row of `width` elements.
    #[inline(always)]
    pub(super) fn add_outer<'r>(
        &self,
        blocks: Range<usize>,
        width: usize,
        right: impl Iterator<Item = &'r [A]> + Clone,
        to: &mut BlockRows<'_, A>,
    ) {
        for (i, block) in blocks.enumerate() {
            let (units, to, right) = (self.units_of(block), to.block(i), right.clone());
            match width {
                1 => self.add_outer_of_width::<1>(units, right, to),
                2 => self.add_outer_of_width::<2>(units, right, to),
                3 => self.add_outer_of_width::<3>(units, right, to),
                4 => self.add_outer_of_width::<4>(units, right, to),
                5 => self.add_outer_of_width::<5>(units, right, to),
                6 => self.add_outer_of_width::<6>(units, right, to),
                7 => self.add_outer_of_width::<7>(units, right, to),
                _ => self.add_outer_of_width::<FEW>(units, right, to),
            }
        }
    }

    /// Where this thread's units of a block lie in a row.
    fn units_of(&self, block: usize) -> Range<usize> {
        block * self.units + self.own.start..block * self.units + self.own.end
    }

    /// As [`add_outer`](Self::add_outer), for a width that the compiler knows, so that the sums of a unit stay in
    /// registers.
    #[inline(always)]
    fn add_outer_of_width<'r, const W: usize>(
        &self,
        units: Range<usize>,
        right: impl Iterator<Item = &'r [A]> + Clone,
        to: &mut [A],
    ) {
        for (unit, to) in units.zip(to.as_chunks_mut::<W>().0) {
            let mut sums = *to;
            for (left, right) in self.rows.chunks_exact(self.blocks * self.units).zip(right.clone()) {
                let (left, right) = (left[unit], &right[..W]);
                for j in 0..W {
                    sums[j] = left.mul_add(right[j], sums[j]);
                }
            }
            *to = sums;
        }
    }
}
