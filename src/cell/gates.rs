//! Cells of gates: what one unit computes in one step, and the loops over rows and units around it.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{Cell, KeptRows};
use crate::element::Element;
use crate::kernels::{Blocks, Lanes};

/// The sums of a unit.
pub(super) const SUMS: usize = 4;
/// What a unit leaves in its row: something for each sum, then the state before.
pub(super) const KEPT: usize = 5;

/// What a cell of four sums computes, for as many units as a vector holds.
///
/// Every such type is a [`Cell`]. Its functions are inlined into loops over rows and units that are compiled for each
/// instruction set.
pub trait Gates: Copy + Send + Sync {
    /// As [`Cell::INPUT`].
    const INPUT: Range<usize>;
    /// As [`Cell::HIDDEN`].
    const HIDDEN: Range<usize>;
    /// As [`Cell::CARRIES`].
    const CARRIES: bool;

    /// From the sums and the state before: the next h and c, and what [`back`](Self::back) needs. `c` is zero, and the
    /// next c counts for nothing, if the cell carries none.
    fn next<A: Element, S: Simd>(
        self,
        sums: [Lanes<A, S>; SUMS],
        h: Lanes<A, S>,
        c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; KEPT], Lanes<A, S>, Lanes<A, S>);

    /// From what [`next`](Self::next) kept and the gradients of the next h and c: the gradients of the sums, and those
    /// parts of the gradients of the h and c before that do not come through the sums.
    fn back<A: Element, S: Simd>(
        self,
        kept: [Lanes<A, S>; KEPT],
        d_h: Lanes<A, S>,
        d_c: Lanes<A, S>,
    ) -> ([Lanes<A, S>; SUMS], Lanes<A, S>, Lanes<A, S>);
}

impl<A: Element, G: Gates> Cell<A> for G {
    const BLOCKS: usize = KEPT;
    const INPUT: Range<usize> = G::INPUT;
    const HIDDEN: Range<usize> = G::HIDDEN;
    const CARRIES: bool = G::CARRIES;

    fn keeps(self) -> bool {
        true
    }

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, blocks: Blocks, rows: &mut [A], h: &mut [A], c: &mut [A]) {
        simd.vectorize(Forward { gates: self, blocks, rows, h, c });
    }

    #[inline(always)]
    fn backward<S: Simd>(
        self,
        simd: S,
        blocks: Blocks,
        kept: KeptRows<'_, A>,
        d_h: &mut [A],
        d_c: &mut [A],
        d_sums: &mut [A],
    ) {
        simd.vectorize(Backward { gates: self, blocks, rows: kept.rows, d_h, d_c, d_sums });
    }
}

struct Forward<'a, A, G> {
    gates: G,
    blocks: Blocks,
    rows: &'a mut [A],
    h: &'a mut [A],
    c: &'a mut [A],
}

impl<A: Element, G: Gates> WithSimd for Forward<'_, A, G> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { gates, blocks: Blocks { units, apart }, rows, h, c } = self;
        let lanes = Lanes::<A, S>::COUNT;
        // Each block begins a line, so a row is a number of whole vectors.
        for (n, row) in rows.chunks_exact_mut(KEPT * apart).enumerate() {
            let row = A::vectors_mut::<S>(row);
            for k in 0..units.div_ceil(lanes) {
                let own = n * units + k * lanes..n * units + units.min((k + 1) * lanes);
                let mut sums = [Lanes::splat(simd, 0.0); SUMS];
                for block in 0..SUMS {
                    sums[block] = Lanes::new(simd, row[block * apart / lanes + k]);
                }
                let before = Lanes::load(simd, &h[own.clone()]);
                let carried =
                    if G::CARRIES { Lanes::load(simd, &c[own.clone()]) } else { Lanes::splat(simd, 0.0) };
                let (kept, next, carried) = gates.next(sums, before, carried);
                next.store(&mut h[own.clone()]);
                if G::CARRIES {
                    carried.store(&mut c[own]);
                }
                for block in 0..KEPT {
                    row[block * apart / lanes + k] = kept[block].vector();
                }
            }
        }
    }
}

struct Backward<'a, A, G> {
    gates: G,
    blocks: Blocks,
    rows: &'a [A],
    d_h: &'a mut [A],
    d_c: &'a mut [A],
    d_sums: &'a mut [A],
}

impl<A: Element, G: Gates> WithSimd for Backward<'_, A, G> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { gates, blocks: Blocks { units, apart }, rows, d_h, d_c, d_sums } = self;
        let lanes = Lanes::<A, S>::COUNT;
        let rows = rows.chunks_exact(KEPT * apart).zip(d_sums.chunks_exact_mut(SUMS * units));
        for (n, (row, d_sums)) in rows.enumerate() {
            let row = A::vectors::<S>(row);
            for k in 0..units.div_ceil(lanes) {
                let of_row = k * lanes..units.min((k + 1) * lanes);
                let own = n * units + of_row.start..n * units + of_row.end;
                let mut kept = [Lanes::splat(simd, 0.0); KEPT];
                for block in 0..KEPT {
                    kept[block] = Lanes::new(simd, row[block * apart / lanes + k]);
                }
                let d_next = Lanes::load(simd, &d_h[own.clone()]);
                let d_carried =
                    if G::CARRIES { Lanes::load(simd, &d_c[own.clone()]) } else { Lanes::splat(simd, 0.0) };
                let (sums, d_before, d_carried) = gates.back(kept, d_next, d_carried);
                d_before.store(&mut d_h[own.clone()]);
                if G::CARRIES {
                    d_carried.store(&mut d_c[own]);
                }
                for block in 0..SUMS {
                    sums[block].store(&mut d_sums[block * units..][of_row.clone()]);
                }
            }
        }
    }
}
