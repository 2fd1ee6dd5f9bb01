//! Cells of gates: what one unit computes in one step.

use std::ops::Range;

use pulp::Simd;

use super::functions::{Bounded, Function, Sigmoid, Tanh};
use super::loops::{Backward, Forward, Gate, GateBack, Unit};
use super::{Cell, KeptRows, Units, no_gate};
use crate::element::Element;
use crate::kernels::{Activation, Blocks, Lanes, vectorize};

/// The sums of a unit.
pub(super) const SUMS: usize = 4;
/// The blocks of a row: one for each sum, and one more.
pub(super) const ROW: usize = 5;
/// The peepholes of a unit.
pub(super) const PEEPHOLES: usize = 3;

/// What a cell of four sums computes, for as many units as a vector holds.
///
/// The functions are inlined into loops over rows and units that are compiled for each instruction set. `gate` is the
/// function of its gates, `of_state` those of the candidate and of c'.
pub trait Gates: Copy + Send + Sync {
    /// As [`Cell::INPUT`].
    const INPUT: Range<usize>;
    /// As [`Cell::HIDDEN`].
    const HIDDEN: Range<usize>;
    /// As [`Cell::CARRIES`].
    const CARRIES: bool;
    /// Whether a gate may multiply the hidden state; if not, its loops are not compiled.
    const MAY_GATE: bool;
    /// The block of that gate.
    const GATE: usize;

    /// As [`Cell::gates_state`].
    #[inline(always)]
    fn gates_state(self) -> bool {
        false
    }

    /// From a row of sums and the h and c before: the row that [`back`](Self::back) needs, the next h and the next c. `c` is
    /// zero, and the next c counts for nothing, if the cell carries none. If the cell gates the state, the gate's block
    /// holds what its function keeps, and the last block the gated state.
    fn next<A: Element, S: Simd>(
        self,
        gate: impl Function,
        of_state: [impl Function; 2],
        row: [Lanes<A, S>; ROW],
        before: [Lanes<A, S>; 2],
        peepholes: Option<[Lanes<A, S>; PEEPHOLES]>,
    ) -> ([Lanes<A, S>; ROW], Lanes<A, S>, Lanes<A, S>);

    /// From the row that [`next`](Self::next) left and the gradients of the next h and c: the gradients of the sums, and
    /// those parts of the gradients of the h and c before that do not come through the sums.
    fn back<A: Element, S: Simd>(
        self,
        gate: impl Function,
        of_state: [impl Function; 2],
        row: [Lanes<A, S>; ROW],
        d_h: Lanes<A, S>,
        d_c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; SUMS], Lanes<A, S>, Lanes<A, S>);
}

/// A cell of gates, with its functions.
#[derive(Debug, Clone, Copy)]
pub struct Gated<G> {
    gates: G,
    /// Those of the gates, of the candidate and of c'; sigmoid and tanh, which are compiled into the loops, if `None`.
    functions: Option<[Bounded; 3]>,
}

impl<G> Gated<G> {
    /// With sigmoid and tanh.
    pub(crate) fn new(gates: G) -> Self {
        Self { gates, functions: None }
    }

    /// With other functions of the gates, of the candidate and of c'.
    #[must_use]
    pub(crate) fn functions(self, functions: [impl Into<Bounded>; 3]) -> Self {
        let functions = functions.map(Into::into);
        let standard = [Activation::Sigmoid, Activation::Tanh, Activation::Tanh];
        if functions == standard.map(Bounded::from) { self } else { self.bounded(functions) }
    }

    /// With functions of the gates, of the candidate and of c' that are chosen when the loops run: what a cell with a clip
    /// or peepholes needs.
    #[must_use]
    pub(crate) fn bounded(self, functions: [Bounded; 3]) -> Self {
        Self { functions: Some(functions), ..self }
    }
}

/// Runs a loop over rows and units with the cell's functions. The loop is lent: to move it takes as long as a vector of sigmoids.
/// A loop for any function has the code of every function. It is not compiled for wide vectors in software: the crate would
/// take 2 s longer to build.
macro_rules! run {
    ($simd:ident, $cell:ident, $loop:ident { $($field:ident),* }) => {
        match $cell.functions {
            None => {
                let unit = Unit { gates: $cell.gates, gate: Sigmoid, of_state: [Tanh; 2] };
                vectorize::<A, _, _>($simd, &mut $loop { unit, $($field),* });
            }
            Some([gate, candidate, carried]) => {
                let unit = Unit { gates: $cell.gates, gate, of_state: [candidate, carried] };
                $simd.vectorize(&mut $loop { unit, $($field),* });
            }
        }
    };
}

impl<A: Element, G: Gates> Cell<A> for Gated<G> {
    const BLOCKS: usize = ROW;
    const INPUT: Range<usize> = G::INPUT;
    const HIDDEN: Range<usize> = G::HIDDEN;
    const CARRIES: bool = G::CARRIES;

    #[inline(always)]
    fn gates_state(self) -> bool {
        self.gates.gates_state()
    }

    fn keeps(self) -> bool {
        true
    }

    #[inline(always)]
    fn gate<S: Simd>(self, simd: S, blocks: Blocks, rows: &mut [A], h: &[A], operand: &mut [A]) {
        if const { G::MAY_GATE } {
            run!(simd, self, Gate { blocks, rows, h, operand });
        } else {
            no_gate();
        }
    }

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, units: &Units<'_, A>, rows: &mut [A], h: &mut [A], c: &mut [A]) {
        // The loops of sigmoid and tanh are compiled without peepholes.
        debug_assert!(self.functions.is_some() || units.peepholes.is_empty(), "peepholes need `bounded`");
        run!(simd, self, Forward { units, rows, h, c });
    }

    #[inline(always)]
    fn backward<S: Simd>(
        self,
        simd: S,
        blocks: Blocks,
        KeptRows { rows, .. }: KeptRows<'_, A>,
        d_h: &mut [A],
        d_c: &mut [A],
        d_sums: &mut [A],
    ) {
        run!(simd, self, Backward { blocks, rows, d_h, d_c, d_sums });
    }

    #[inline(always)]
    fn gate_back<S: Simd>(
        self,
        simd: S,
        blocks: Blocks,
        (rows, factors): (&[A], Option<&[A]>),
        d_operand: &[A],
        d_h: &mut [A],
        d_sums: &mut [A],
    ) {
        if const { G::MAY_GATE } {
            run!(simd, self, GateBack { blocks, rows, factors, d_operand, d_h, d_sums });
        } else {
            no_gate();
        }
    }
}
