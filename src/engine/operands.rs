//! What the products of a step read: the input and the hidden state, times masks, times a gate of the cell's.

use std::ops::Range;

use super::place::Place;
use crate::element::Element;
use crate::kernels::Matrix;

/// The factors that an operand is multiplied with before a product reads it, the same at every step. They are rows by
/// direction, then mask, then row of a step.
#[derive(Debug, Clone, Copy)]
pub struct Masks<'a, A> {
    pub(crate) factors: &'a [A],
    /// The number of masks: one for all blocks, or one for each block.
    pub(crate) count: usize,
    /// The number of rows in a step of the whole pass.
    pub(crate) batch: usize,
    /// The width of the operand.
    pub(crate) width: usize,
    /// The first row of each step that is read.
    pub(crate) first: usize,
}

/// What some blocks of sums read.
#[derive(Debug, Clone)]
pub(super) struct Operand<'a, A> {
    /// The blocks, counted from the first that a product fills.
    pub(super) blocks: Range<usize>,
    /// The factors of its rows.
    pub(super) factors: Option<&'a [A]>,
    /// Whether the cell's gate multiplies it.
    pub(super) gated: bool,
}

impl<'a, A: Element> Masks<'a, A> {
    /// The masks without the first rows of every step.
    pub(super) fn skip(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// The masks of direction `i` alone.
    pub(super) fn of_direction(self, i: usize) -> Self {
        let len = self.count * self.batch * self.width;
        Self { factors: &self.factors[i * len..][..len], ..self }
    }

    /// The masks of the rows of a place.
    pub(super) fn of(&self, place: Place) -> Self {
        self.skip(place.first).of_direction(place.i)
    }

    /// The factors of one mask.
    fn factors(&self, mask: usize) -> &'a [A] {
        let first = (mask * self.batch + self.first) * self.width;
        &self.factors[first..(mask + 1) * self.batch * self.width]
    }
}

/// The operands of a product that fills so many blocks. The last block reads its operand times the cell's gate, if it is
/// `gated`.
pub(super) fn operands<'a, A: Element>(
    masks: Option<Masks<'a, A>>,
    blocks: usize,
    gated: bool,
) -> impl DoubleEndedIterator<Item = Operand<'a, A>> {
    let each = masks.filter(|masks| masks.count > 1);
    debug_assert!(each.is_none_or(|masks| masks.count == blocks));
    let plain = blocks - usize::from(gated);
    let parts = if each.is_some() { blocks } else { usize::from(plain > 0) + usize::from(gated) };
    (0..parts).map(move |i| {
        let blocks = match each {
            Some(_) => i..i + 1,
            None if i == 0 && plain > 0 => 0..plain,
            None => plain..blocks,
        };
        let factors = masks.map(|masks| masks.factors(if each.is_some() { i } else { 0 }));
        Operand { factors, gated: gated && blocks.start == plain, blocks }
    })
}

/// Multiplies rows with factors.
#[inline(never)]
pub(super) fn multiply<A: Element>(rows: Matrix<'_, A>, factors: &[A], width: usize, to: &mut Vec<A>) {
    to.clear();
    for (i, factors) in factors.chunks_exact(width).take(rows.rows()).enumerate() {
        to.extend(rows.row(i).iter().zip(factors).map(|(&x, &factor)| x * factor));
    }
}
