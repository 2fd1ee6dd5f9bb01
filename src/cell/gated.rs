//! A cell for tests alone: the smallest that asks the engine for everything a [`Cell`] may ask for.
//!
//! ```text
//! a = tanh(W x + b)                           of the input alone
//! z = sigmoid(W x + b)                        of the input alone
//! f = sigmoid((W x + b) + (W h + b))          of both
//! b = tanh(W h + b)                           of the hidden state alone
//! c' = fma(f, c, a b)
//! y = tanh(fma(z, p - c', c'))                p = h if it goes on directly, 0 if y is projected
//! ```
//!
//! A row keeps a, z, f and b in the place of their sums, then c and p.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{Cell, KeptRows};
use crate::element::Element;
use crate::kernels::{Blocks, Lanes, sigmoid, tanh};

/// The blocks of a row, in memory order.
const A: usize = 0;
const Z: usize = 1;
const F: usize = 2;
const B: usize = 3;
const C: usize = 4;
const P: usize = 5;

/// The test's cell.
#[derive(Debug, Clone, Copy)]
pub struct Gated {
    /// Whether the hidden state goes on directly: only where the output is not projected.
    pub(crate) direct: bool,
}

impl<E: Element> Cell<E> for Gated {
    const BLOCKS: usize = 6;
    const INPUT: Range<usize> = 0..3;
    const HIDDEN: Range<usize> = 2..4;
    const CARRIES: bool = true;

    fn keeps(self) -> bool {
        true
    }

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, blocks: Blocks, rows: &mut [E], h: &mut [E], c: &mut [E]) {
        simd.vectorize(Forward { direct: self.direct, blocks, rows, h, c });
    }

    #[inline(always)]
    fn backward<S: Simd>(
        self,
        simd: S,
        blocks: Blocks,
        kept: KeptRows<'_, E>,
        d_h: &mut [E],
        d_c: &mut [E],
        d_sums: &mut [E],
    ) {
        simd.vectorize(Backward { direct: self.direct, blocks, kept, d_h, d_c, d_sums });
    }
}

struct Forward<'a, E> {
    direct: bool,
    blocks: Blocks,
    rows: &'a mut [E],
    h: &'a mut [E],
    c: &'a mut [E],
}

impl<E: Element> WithSimd for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Blocks { units, apart } = self.blocks;
        let states = self.h.chunks_exact_mut(units).zip(self.c.chunks_exact_mut(units));
        for (row, (h, c)) in self.rows.chunks_exact_mut(6 * apart).zip(states) {
            for start in (0..units).step_by(Lanes::<E, S>::COUNT) {
                let own = start..units.min(start + Lanes::<E, S>::COUNT);
                let of = |block: usize| block * apart + own.start..block * apart + own.end;
                let load = |block| Lanes::<E, S>::load(simd, &row[of(block)]);
                let (a, z, f, b) = (tanh(load(A)), sigmoid(load(Z)), sigmoid(load(F)), tanh(load(B)));
                let before = Lanes::load(simd, &c[own.clone()]);
                let p =
                    if self.direct { Lanes::load(simd, &h[own.clone()]) } else { Lanes::splat(simd, 0.0) };
                let next = f.mul_add(before, a * b);
                tanh(z.mul_add(p - next, next)).store(&mut h[own.clone()]);
                next.store(&mut c[own.clone()]);
                for (block, value) in [(A, a), (Z, z), (F, f), (B, b), (C, before), (P, p)] {
                    value.store(&mut row[of(block)]);
                }
            }
        }
    }
}

struct Backward<'a, E> {
    direct: bool,
    blocks: Blocks,
    kept: KeptRows<'a, E>,
    d_h: &'a mut [E],
    d_c: &'a mut [E],
    d_sums: &'a mut [E],
}

impl<E: Element> WithSimd for Backward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Blocks { units, apart } = self.blocks;
        let one = Lanes::<E, S>::splat(simd, 1.0);
        let kept = self.kept.rows.chunks_exact(6 * apart).zip(self.kept.h.chunks_exact(units));
        let states = self.d_h.chunks_exact_mut(units).zip(self.d_c.chunks_exact_mut(units));
        let rows = kept.zip(states).zip(self.d_sums.chunks_exact_mut(4 * units));
        for (((row, y), (d_h, d_c)), d_sums) in rows {
            for start in (0..units).step_by(Lanes::<E, S>::COUNT) {
                let own = start..units.min(start + Lanes::<E, S>::COUNT);
                let load = |block| Lanes::load(simd, &row[block * apart..][own.clone()]);
                let [a, z, f, b, before, p] = [A, Z, F, B, C, P].map(load);
                let y = Lanes::load(simd, &y[own.clone()]);
                let next = f.mul_add(before, a * b);
                let d_mix = Lanes::load(simd, &d_h[own.clone()]) * (-y).mul_add(y, one);
                let d_next = d_mix.mul_add(one - z, Lanes::load(simd, &d_c[own.clone()]));
                let through_h = if self.direct { d_mix * z } else { Lanes::splat(simd, 0.0) };
                through_h.store(&mut d_h[own.clone()]);
                (d_next * f).store(&mut d_c[own.clone()]);
                let sums = [
                    (A, d_next * b * (-a).mul_add(a, one)),
                    (Z, d_mix * (p - next) * (z * (one - z))),
                    (F, d_next * before * (f * (one - f))),
                    (B, d_next * a * (-b).mul_add(b, one)),
                ];
                for (block, value) in sums {
                    value.store(&mut d_sums[block * units..][own.clone()]);
                }
            }
        }
    }
}
