//! The gated recurrent unit: `h' = (1 - z) n + z h`, with `n = tanh(n_x + r n_h)`, or, if the reset gate r stands before
//! the recurrent product, `n = tanh(n_x + n_h)`, n_h being made of `r h`.

use std::ops::Range;

use pulp::Simd;

use super::functions::Function;
use super::gates::{Gated, Gates, PEEPHOLES, ROW, SUMS};
use crate::element::Element;
use crate::kernels::Lanes;

/// The cell of a GRU.
pub type Gru = Gated<GruGates>;

/// Where the reset gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Behind the recurrent product.
    After,
    /// Before it.
    Before,
}

/// A row holds the sums n_x (of the input alone), r, z and n_h (of the state alone); in the place of the first three what
/// their functions keep, in that of n_h what the way back needs of it, then the h before.
#[derive(Debug, Clone, Copy)]
pub struct GruGates(pub(crate) Reset);

impl Gates for GruGates {
    const INPUT: Range<usize> = 0..3;
    const HIDDEN: Range<usize> = 1..4;
    const CARRIES: bool = false;
    const MAY_GATE: bool = true;
    const GATE: usize = 1;

    #[inline(always)]
    fn gates_state(self) -> bool {
        self.0 == Reset::Before
    }

    #[inline(always)]
    fn next<A: Element, S: Simd>(
        self,
        gate: impl Function,
        [candidate, _]: [impl Function; 2],
        [n_x, r_sum, z_sum, n_h, gated]: [Lanes<A, S>; ROW],
        [h, c]: [Lanes<A, S>; 2],
        _: Option<[Lanes<A, S>; PEEPHOLES]>,
    ) -> ([Lanes<A, S>; ROW], Lanes<A, S>, Lanes<A, S>) {
        let z = gate.value(z_sum);
        let (r_kept, n_sum, of_state) = match self.0 {
            Reset::After => {
                let r = gate.value(r_sum);
                (gate.kept(r_sum, r), r.mul_add(n_h, n_x), n_h)
            }
            Reset::Before => (r_sum, n_x + n_h, gated),
        };
        let n = candidate.value(n_sum);
        let row = [candidate.kept(n_sum, n), r_kept, gate.kept(z_sum, z), of_state, h];
        (row, z.mul_add(h - n, n), c)
    }

    #[inline(always)]
    fn back<A: Element, S: Simd>(
        self,
        gate: impl Function,
        [candidate, _]: [impl Function; 2],
        [n_kept, r_kept, z_kept, n_h, h]: [Lanes<A, S>; ROW],
        d_h: Lanes<A, S>,
        d_c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; SUMS], Lanes<A, S>, Lanes<A, S>) {
        let (n, z) = (candidate.again(n_kept), gate.again(z_kept));
        let d_n = candidate.slope(n_kept, d_h * (h.constant(1.0) - z));
        let d_z = gate.slope(z_kept, d_h * (h - n));
        let (d_r, d_n_h) = match self.0 {
            Reset::After => (gate.slope(r_kept, d_n * n_h), d_n * gate.again(r_kept)),
            // The engine asks for the gate's way back when it has the gradient of `r h`.
            Reset::Before => (h.constant(0.0), d_n),
        };
        ([d_n, d_r, d_z, d_n_h], d_h * z, d_c)
    }
}
