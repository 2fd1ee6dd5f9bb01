//! The gated recurrent unit, its reset gate behind the recurrent product: `n = tanh(n_x + r n_h)`,
//! `h' = (1 - z) n + z h`.

use std::ops::Range;

use pulp::Simd;

use super::gates::{Gates, KEPT, SUMS};
use crate::element::Element;
use crate::kernels::{Lanes, sigmoid, tanh};

/// The cell of a GRU. A row holds the sums n_x (of the input alone), r, z and n_h (of the state alone); in the place of
/// the first three n, r and z, then the h before.
#[derive(Debug, Clone, Copy)]
pub struct Gru;

impl Gates for Gru {
    const INPUT: Range<usize> = 0..3;
    const HIDDEN: Range<usize> = 1..4;
    const CARRIES: bool = false;

    #[inline(always)]
    fn next<A: Element, S: Simd>(
        self,
        [n_x, r, z, n_h]: [Lanes<A, S>; SUMS],
        h: Lanes<A, S>,
        c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; KEPT], Lanes<A, S>, Lanes<A, S>) {
        let (r, z) = (sigmoid(r), sigmoid(z));
        let n = tanh(r.mul_add(n_h, n_x));
        ([n, r, z, n_h, h], z.mul_add(h - n, n), c)
    }

    #[inline(always)]
    fn back<A: Element, S: Simd>(
        self,
        [n, r, z, n_h, h]: [Lanes<A, S>; KEPT],
        d_h: Lanes<A, S>,
        d_c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; SUMS], Lanes<A, S>, Lanes<A, S>) {
        let one = h.constant(1.0);
        let d_n = d_h * (one - z) * (-n).mul_add(n, one);
        let sums = [d_n, d_n * n_h * (r * (one - r)), d_h * (h - n) * (z * (one - z)), d_n * r];
        (sums, d_h * z, d_c)
    }
}
