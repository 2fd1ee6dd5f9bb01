//! Cells: pointwise maps from a row of sums and a state to the next state.
//!
//! A cell knows neither time nor matrices. The engine makes the sums of a step, `b_ih + W_ih x` and `b_hh + W_hh h`, and
//! hands them over as a row of blocks, one number for each unit in each block.

mod elman;
mod functions;
mod gates;
mod gru;
mod loops;
mod lstm;

pub use elman::Elman;
pub use functions::AnyActivation;
#[cfg(feature = "onnx")]
pub use functions::Bounded;
pub use gru::{Gru, GruGates, Reset};
pub use lstm::{Forget, Lstm, LstmGates};

use std::ops::Range;

use pulp::Simd;

use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::Blocks;

/// One kind of recurrent cell.
///
/// [`forward`](Self::forward) leaves in a row exactly what [`backward`](Self::backward) needs: activated gates,
/// previous states. So the way back of a row reads no other row.
pub trait Cell<A: Element>: Copy + Send + Sync {
    /// The number of blocks of a row. Blocks that hold sums come first.
    const BLOCKS: usize;
    /// The blocks that take `b_ih + W_ih x`.
    const INPUT: Range<usize>;
    /// The blocks that take `b_hh + W_hh h`. A block in both ranges takes the sum of the two.
    const HIDDEN: Range<usize>;
    /// Whether a cell state c goes from step to step beside the hidden state h.
    const CARRIES: bool;

    /// Whether the last block of [`HIDDEN`](Self::HIDDEN) takes its chain over the hidden state times a gate, which is
    /// made of the other blocks.
    #[inline(always)]
    fn gates_state(self) -> bool {
        false
    }

    /// Makes what that block's chain goes over, of some rows in which the other blocks hold their sums, and of the hidden
    /// state. Comes before [`forward`](Self::forward).
    fn gate<S: Simd>(self, _: S, _: Blocks, _: &mut [A], _h: &[A], _operand: &mut [A]) {
        no_gate();
    }

    /// The way back of [`gate`](Self::gate), after [`backward`](Self::backward), from the gradient of its result: sets the
    /// gradient of the gate's sum, and adds to that of the hidden state. `factors` are those of the hidden state's mask,
    /// if there is one.
    fn gate_back<S: Simd>(
        self,
        _: S,
        _: Blocks,
        (_rows, _factors): (&[A], Option<&[A]>),
        _d_operand: &[A],
        _d_h: &mut [A],
        _d_sums: &mut [A],
    ) {
        no_gate();
    }

    /// Whether the way back reads the rows. If it does, a pass in training keeps them.
    fn keeps(self) -> bool;

    /// Turns rows of sums and previous states into the next states, in place. `c` is empty if the cell carries
    /// none.
    fn forward<S: Simd>(self, simd: S, units: &Units<'_, A>, rows: &mut [A], h: &mut [A], c: &mut [A]);

    /// The way back of some rows.
    ///
    /// Before the call `d_h` and `d_c` hold the gradients of the next states. After it they hold those parts of
    /// the previous states' gradients that do not come through the sums. `d_sums` takes the gradient of every sum:
    /// rows of the blocks that hold sums, `blocks.units` numbers each, one after another.
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

/// The units that a cell's step makes.
#[derive(Debug, Clone, Copy)]
pub struct Units<'a, A> {
    /// Their number, and how rows fall into blocks.
    pub blocks: Blocks,
    /// The first of them.
    pub first: usize,
    /// ONNX's peepholes of all units, which only some LSTMs have: for i, f and o, as far apart as the blocks of all units
    /// are. Empty if there are none.
    pub peepholes: &'a [A],
}

/// What the way back of a cell reads of a step.
#[derive(Debug, Clone, Copy)]
pub struct KeptRows<'a, A> {
    /// What the cell left in the rows; empty unless the cell keeps them.
    pub rows: &'a [A],
    /// The cell's output: h, before any projection.
    pub h: &'a [A],
}

/// What a cell that gates no state answers to who asks for its gate.
fn no_gate() {
    None::<()>.invariant("only a cell that gates the state is asked for its gate");
}
