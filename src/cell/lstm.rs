//! The long short-term memory: `c' = f c + i g`, `h' = o tanh(c')`.

use std::ops::Range;

use pulp::Simd;

use super::gates::{Gates, KEPT, SUMS};
use crate::element::Element;
use crate::kernels::{Lanes, sigmoid, tanh};

/// The cell of an LSTM. A row holds the sums of the gates i, f, o and g, in their place the gates, then the c before.
#[derive(Debug, Clone, Copy)]
pub struct Lstm;

impl Gates for Lstm {
    const INPUT: Range<usize> = 0..4;
    const HIDDEN: Range<usize> = 0..4;
    const CARRIES: bool = true;

    #[inline(always)]
    fn next<A: Element, S: Simd>(
        self,
        [i, f, o, g]: [Lanes<A, S>; SUMS],
        _: Lanes<A, S>,
        c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; KEPT], Lanes<A, S>, Lanes<A, S>) {
        let (i, f, o, g) = (sigmoid(i), sigmoid(f), sigmoid(o), tanh(g));
        let next = f.mul_add(c, i * g);
        ([i, f, o, g, c], o * tanh(next), next)
    }

    #[inline(always)]
    fn back<A: Element, S: Simd>(
        self,
        [i, f, o, g, c]: [Lanes<A, S>; KEPT],
        d_h: Lanes<A, S>,
        d_c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; SUMS], Lanes<A, S>, Lanes<A, S>) {
        let (zero, one) = (c.constant(0.0), c.constant(1.0));
        // To make c' and its tanh again takes less time than to keep them.
        let t = tanh(f.mul_add(c, i * g));
        let d_next = (d_h * o).mul_add((-t).mul_add(t, one), d_c);
        let sums = [
            d_next * g * (i * (one - i)),
            d_next * c * (f * (one - f)),
            d_h * t * (o * (one - o)),
            d_next * i * (-g).mul_add(g, one),
        ];
        (sums, zero, d_next * f)
    }
}
