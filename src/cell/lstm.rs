//! The long short-term memory: `c' = f c + i g`, `h' = o tanh(c')`.

use std::ops::Range;

use pulp::Simd;

use super::functions::Function;
use super::gates::{Gated, Gates, PEEPHOLES, ROW, SUMS};
use crate::element::Element;
use crate::kernels::Lanes;

/// The cell of an LSTM.
pub type Lstm = Gated<LstmGates>;

/// A row holds the sums of the gates i, f, o and of the candidate g; in their place what their functions keep, then the c
/// before.
#[derive(Debug, Clone, Copy)]
pub struct LstmGates {
    pub(crate) forget: Forget,
}

/// Where the forget gate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// From its own sum.
    Gate,
    /// It is 1 - i: ONNX's `input_forget`, forward only.
    #[cfg(feature = "onnx")]
    Coupled,
}

impl Gates for LstmGates {
    const INPUT: Range<usize> = 0..4;
    const HIDDEN: Range<usize> = 0..4;
    const CARRIES: bool = true;
    const MAY_GATE: bool = false;
    const GATE: usize = 0;

    #[inline(always)]
    fn next<A: Element, S: Simd>(
        self,
        gate: impl Function,
        [candidate, carried]: [impl Function; 2],
        [mut i_sum, mut f_sum, mut o_sum, g_sum, _]: [Lanes<A, S>; ROW],
        [_, c]: [Lanes<A, S>; 2],
        peepholes: Option<[Lanes<A, S>; PEEPHOLES]>,
    ) -> ([Lanes<A, S>; ROW], Lanes<A, S>, Lanes<A, S>) {
        if let Some([of_i, of_f, _]) = peepholes {
            (i_sum, f_sum) = (of_i.mul_add(c, i_sum), of_f.mul_add(c, f_sum));
        }
        let (g, i) = (candidate.value(g_sum), gate.value(i_sum));
        let f = match self.forget {
            Forget::Gate => gate.value(f_sum),
            #[cfg(feature = "onnx")]
            Forget::Coupled => i.constant(1.0) - i,
        };
        let next = f.mul_add(c, i * g);
        if let Some([.., of_o]) = peepholes {
            o_sum = of_o.mul_add(next, o_sum);
        }
        let o = gate.value(o_sum);
        let row =
            [gate.kept(i_sum, i), gate.kept(f_sum, f), gate.kept(o_sum, o), candidate.kept(g_sum, g), c];
        (row, o * carried.value(next), next)
    }

    #[inline(always)]
    fn back<A: Element, S: Simd>(
        self,
        gate: impl Function,
        [candidate, carried]: [impl Function; 2],
        [i_kept, f_kept, o_kept, g_kept, c]: [Lanes<A, S>; ROW],
        d_h: Lanes<A, S>,
        d_c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; SUMS], Lanes<A, S>, Lanes<A, S>) {
        debug_assert!(self.forget == Forget::Gate, "ONNX's nodes, which alone couple gates, do not run back");
        let (i, f, o) = (gate.again(i_kept), gate.again(f_kept), gate.again(o_kept));
        let g = candidate.again(g_kept);
        // To make c' and its function again takes less time than to keep them.
        let next = f.mul_add(c, i * g);
        let y = carried.value(next);
        let d_next = carried.slope(carried.kept(next, y), d_h * o) + d_c;
        let sums = [
            gate.slope(i_kept, d_next * g),
            gate.slope(f_kept, d_next * c),
            gate.slope(o_kept, d_h * y),
            candidate.slope(g_kept, d_next * i),
        ];
        (sums, c.constant(0.0), d_next * f)
    }
}
