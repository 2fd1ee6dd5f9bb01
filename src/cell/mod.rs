//! Cells: pointwise maps from a row of sums and a state to the next state.
//!
//! A cell knows neither time nor matrices. The engine makes the sums of a step, `b_ih + W_ih x` and `b_hh + W_hh h`, and
//! hands them over as a row of blocks, one number for each unit in each block.

mod elman;

pub use elman::Elman;

use std::ops::Range;

use pulp::Simd;

use crate::element::Element;
use crate::kernels::Blocks;

/// One kind of recurrent cell.
///
/// What [`forward`](Self::forward) leaves in a row is what [`backward`](Self::backward) wants of it: activated gates, the
/// previous state. So the way back reads its own row only.
pub trait Cell<A: Element>: Copy + Send + Sync {
    /// The blocks of a row. Those that hold sums come first.
    const BLOCKS: usize;
    /// The blocks that `b_ih + W_ih x` goes to.
    const INPUT: Range<usize>;
    /// The blocks that `b_hh + W_hh h` goes to. A block of both ranges takes the sum of both.
    const HIDDEN: Range<usize>;
    /// Whether a cell state c goes from step to step beside the hidden state h.
    const CARRIES: bool;

    /// Whether the way back reads the rows: a pass to be run back keeps them then.
    fn keeps(self) -> bool;

    /// Maps rows of sums, and of previous states, to the next states, in place. `c` is empty if there is none.
    fn forward<S: Simd>(self, simd: S, blocks: Blocks, rows: &mut [A], h: &mut [A], c: &mut [A]);

    /// The way back of some rows.
    ///
    /// `d_h` and `d_c` go from the gradients of the next states to what of the previous states' gradients does not come
    /// through the sums. `d_sums` takes the gradient of every sum: rows of as many blocks as there are sums, of
    /// `blocks.units` numbers each, one behind the other.
    fn backward<S: Simd>(
        self,
        simd: S,
        blocks: Blocks,
        kept: KeptRows<'_, A>,
        d_h: &mut [A],
        d_c: &mut [A],
        d_sums: &mut [A],
    );
}

/// What the way back of a cell reads of a step.
#[derive(Debug, Clone, Copy)]
pub struct KeptRows<'a, A> {
    /// What the cell left in the rows; empty unless the cell keeps them.
    pub rows: &'a [A],
    /// The cell's output: h, before any projection.
    pub h: &'a [A],
}

/// The number of blocks that hold sums.
pub(crate) const fn sums<A: Element, C: Cell<A>>() -> usize {
    if C::INPUT.end > C::HIDDEN.end { C::INPUT.end } else { C::HIDDEN.end }
}
