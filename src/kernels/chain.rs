//! What a product is: chains of fused multiply-adds, and where their sums go.

use super::{Matrix, PanelsRef};
use crate::element::Element;

/// See [`Product::block`].
const BLOCK: usize = 192;

/// Where a chain starts.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, A> {
    /// At 0.
    Zero,
    /// At a value for each column; faster where more values fill the last panel up.
    Bias(&'a [A]),
    /// At the element that the output holds.
    Output,
}

/// One chain of fused multiply-adds for each element of the output:
/// `((start + a[r][0] * w[0][j]) + a[r][1] * w[1][j]) + ...`.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a, A: Element> {
    /// Where the chain starts.
    pub start: Start<'a, A>,
    /// The rows of the left operand.
    pub a: Matrix<'a, A>,
    /// The right operand.
    pub weights: PanelsRef<'a, A>,
}

/// `c[r][j] = chain(r, j)`, or the sum of several chains in their order, or what `c` holds plus that sum.
#[derive(Debug)]
pub struct Product<'a, A: Element> {
    pub(super) chains: &'a [Chain<'a, A>],
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) c: &'a mut [A],
    /// How far apart the rows of the output start.
    pub(super) distance: usize,
    /// Whether the chains are added to what the output holds.
    pub(super) added: bool,
    /// Whether the last columns are made first. If every other product does so, weights too large for a cache are
    /// partly read from it, since it still holds those of the end.
    pub last_first: bool,
    /// How many rows' tiles share a panel while it is in the nearest cache that holds it: a multiple of six.
    pub block: usize,
}

impl<'a, A: Element> Product<'a, A> {
    /// The sum of one or more chains into rows of `c`, one after another. All chains have as many rows and
    /// columns.
    #[inline(always)]
    #[must_use]
    pub fn new(chains: &'a [Chain<'a, A>], c: &'a mut [A]) -> Self {
        let (rows, width) = chains.first().map_or((0, 0), |chain| (chain.a.rows(), chain.weights.width()));
        Self { chains, rows, width, c, distance: width, added: false, last_first: false, block: BLOCK }
    }

    /// Writes the first columns of rows that start `distance` elements apart.
    #[inline(always)]
    #[must_use]
    pub fn strided(self, distance: usize) -> Self {
        Self { distance, ..self }
    }

    /// Adds to what the output holds.
    #[inline(always)]
    #[must_use]
    pub fn added(self) -> Self {
        Self { added: true, ..self }
    }
}
