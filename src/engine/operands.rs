//! What a recurrent product reads of the hidden state.

use std::ops::Range;

use crate::element::Element;

/// The factors that the hidden state is multiplied with before a recurrent product reads it, the same at every
/// step. They are rows by direction, then mask, then row of a step.
#[derive(Debug, Clone, Copy)]
pub struct Masks<'a, A> {
    pub(crate) factors: &'a [A],
    /// The number of masks: one for all blocks, or one for each block.
    pub(crate) count: usize,
    /// The number of rows in a step of the whole pass.
    pub(crate) batch: usize,
    /// The width of the hidden state.
    pub(crate) features: usize,
    /// The first row of each step that is read.
    pub(crate) first: usize,
}

impl<'a, A: Element> Masks<'a, A> {
    /// The masks without the first rows of every step.
    pub(super) fn skip(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// The masks of direction `i` alone.
    pub(super) fn of_direction(self, i: usize) -> Self {
        let len = self.count * self.batch * self.features;
        Self { factors: &self.factors[i * len..][..len], ..self }
    }

    /// Each operand: the blocks, out of `blocks`, that read it, and the factors of its rows.
    pub(super) fn operands(self, blocks: usize) -> impl Iterator<Item = (Range<usize>, &'a [A])> {
        debug_assert!(self.count == 1 || self.count == blocks);
        let each = blocks / self.count;
        (0..self.count).map(move |m| {
            let first = (m * self.batch + self.first) * self.features;
            (m * each..(m + 1) * each, &self.factors[first..(m + 1) * self.batch * self.features])
        })
    }
}

/// Multiplies rows with factors.
#[inline(never)]
pub(super) fn multiply<A: Element>(rows: &[A], factors: &[A], to: &mut Vec<A>) {
    to.clear();
    to.extend(rows.iter().zip(factors).map(|(&h, &factor)| h * factor));
}
