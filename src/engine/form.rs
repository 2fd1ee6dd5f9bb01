//! What the way back must know of a stack.

use super::gradient::SharedBlocks;
use super::stack::Stack;
use crate::cell::Cell;
use crate::element::Element;
use crate::kernels::{Blocks, Plan};
use crate::planes::Planes;

/// The sizes of a stack, and its cell's properties, whatever the type of the cell.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) plan: Plan,
    pub(super) blocks: Blocks,
    /// The blocks that hold sums.
    pub(super) sums: SharedBlocks,
    /// The widths of the planes of a state.
    pub(super) widths: Planes<usize>,
    /// The number of layers, and of each layer's directions.
    pub(super) depth: usize,
    pub(super) directions: usize,
    /// The width of a row that the cell leaves.
    pub(super) row_width: usize,
    /// Whether the cell's outputs are projected.
    pub(super) projected: bool,
    /// As [`Cell::keeps`].
    pub(super) keeps: bool,
    /// As [`Cell::gates_state`].
    pub(super) gates_state: bool,
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// The stack's form.
    pub(super) fn form(&self) -> Form {
        Form {
            plan: self.plan,
            blocks: self.weights[0].blocks,
            sums: SharedBlocks { input: C::INPUT, hidden: C::HIDDEN },
            widths: self.widths(),
            depth: self.depth(),
            directions: self.directions(),
            row_width: self.row_width(),
            projected: self.is_projected(),
            keeps: self.cell.keeps(),
            gates_state: self.cell.gates_state(),
        }
    }
}

impl Form {
    /// The number of directions of all layers together.
    pub(super) fn count(&self) -> usize {
        self.depth * self.directions
    }

    /// The width of the hidden state.
    pub(super) fn features(&self) -> usize {
        self.widths.h
    }

    /// The width of a layer's output rows.
    pub(super) fn width(&self) -> usize {
        self.directions * self.features()
    }

    /// The width of a row of gradients of sums.
    pub(super) fn sums_width(&self) -> usize {
        self.sums.sums() * self.blocks.units
    }
}
