//! One register tile of a product: its sums stay in registers from start to end.

#![expect(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "a loop is compiled for the instruction set; a closure or a call only where it is inlined, and it need not be"
)]

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::product::{Pair, Product, Start};
use crate::element::Element;

/// The most rows of a tile.
pub(super) const ROWS: usize = 6;

/// Whether the sums of a tile of `rows` by `panels` stay in registers: beside them stand one element of the left
/// operand and, unless each is used once only, the vectors of the right.
pub(super) const fn fits<S: Simd>(vectors: usize, rows: usize, panels: usize) -> bool {
    let sums = vectors * rows * panels;
    let operands = if rows == 1 { 1 } else { vectors * panels + 1 };
    // Twice as many sums as two units of a latency of four keep going are of no more use.
    sums + operands <= S::REGISTER_COUNT && (rows > 1 || sums <= 16)
}

/// The most panels of a tile of each height: 8, 4, 2 or 1.
pub(super) const fn widest<S: Simd>(vectors: usize) -> [usize; ROWS + 1] {
    let mut widest = [8; ROWS + 1];
    let mut rows = 1;
    while rows <= ROWS {
        while widest[rows] > 1 && !fits::<S>(vectors, rows, widest[rows]) {
            widest[rows] /= 2;
        }
        rows += 1;
    }
    widest
}

/// A tile of `R` rows by `Q` panels of `P` vectors, from a row and a panel on.
pub(super) struct Tile<'t, 'a, A: Element, const P: usize, const R: usize, const Q: usize> {
    pub(super) product: &'t mut Product<'a, A>,
    pub(super) row: usize,
    pub(super) panel: usize,
}

impl<A: Element, const P: usize, const R: usize, const Q: usize> WithSimd for Tile<'_, '_, A, P, R, Q> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let last = self.product.width - (self.panel + Q - 1) * A::PANEL;
        let whole = last >= A::PANEL;
        let start = if whole { self.start(simd, A::PANEL) } else { self.start(simd, last) };
        let sums = self.accumulate(simd, start);
        if whole {
            self.store(simd, &sums, A::PANEL);
        } else {
            self.store(simd, &sums, last);
        }
    }
}

/// The sums of a tile, in registers.
type Sums<A, S, const P: usize, const R: usize, const Q: usize> = [[[<A as Element>::Vector<S>; P]; Q]; R];

impl<A: Element, const P: usize, const R: usize, const Q: usize> Tile<'_, '_, A, P, R, Q> {
    /// Loads the sums' start values; the last panel has `last` columns.
    #[inline(always)]
    fn start<S: Simd>(&self, simd: S, last: usize) -> Sums<A, S, P, R, Q> {
        let mut sums = [[[A::splat(simd, A::zero()); P]; Q]; R];
        match self.product.start {
            Start::Zero => {}
            Start::Bias(bias) => {
                load_row(simd, &bias[self.columns(last)], &mut sums[0]);
                sums = [sums[0]; R];
            }
            Start::Output => {
                let (columns, width) = (self.columns(last), self.product.width);
                let mut rows = &self.product.c[self.row * width..][..R * width];
                for r in 0..R {
                    let row;
                    (row, rows) = rows.split_at(width);
                    load_row(simd, &row[columns.clone()], &mut sums[r]);
                }
            }
        }
        sums
    }

    /// The whole sums over k, four steps at a time: a loop has its own cost.
    #[inline(always)]
    fn accumulate<S: Simd>(&self, simd: S, mut sums: Sums<A, S, P, R, Q>) -> Sums<A, S, P, R, Q> {
        for pair in self.product.pairs {
            let depth = pair.1.depth();
            let fours = depth / 4 * 4;
            self.terms::<S, 4>(simd, pair, 0..fours, &mut sums);
            self.terms::<S, 1>(simd, pair, fours..depth, &mut sums);
        }
        sums
    }

    /// Adds the terms of some of a pair's k, `K` in each turn of the loop.
    #[inline(always)]
    fn terms<S: Simd, const K: usize>(
        &self,
        simd: S,
        (a, weights): &Pair<'_, A>,
        range: Range<usize>,
        sums: &mut Sums<A, S, P, R, Q>,
    ) {
        let turns = range.len() / K;
        if turns == 0 {
            return;
        }
        // All of one length that the compiler knows: no bounds are checked within the loop.
        let (mut rows, mut panels): ([&[[A; K]]; R], [&[[A::Line; K]]; Q]) = ([&[]; R], [&[]; Q]);
        for r in 0..R {
            rows[r] = &a.row(self.row + r)[range.clone()].as_chunks().0[..turns];
        }
        for q in 0..Q {
            panels[q] = &weights.panel(self.panel + q)[range.clone()].as_chunks().0[..turns];
        }
        for k in 0..turns {
            for i in 0..K {
                let (mut a, mut w) = ([A::zero(); R], [&panels[0][k][i]; Q]);
                for r in 0..R {
                    a[r] = rows[r][k][i];
                }
                for q in 0..Q {
                    w[q] = &panels[q][k][i];
                }
                step(simd, a, w, sums);
            }
        }
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, sums: &Sums<A, S, P, R, Q>, last: usize) {
        let (columns, width) = (self.columns(last), self.product.width);
        let mut rows = &mut self.product.c[self.row * width..][..R * width];
        for r in 0..R {
            let row;
            (row, rows) = rows.split_at_mut(width);
            let to = &mut row[columns.clone()];
            for q in 0..Q {
                let width = if q + 1 == Q { last } else { A::PANEL };
                store(simd, &sums[r][q], &mut to[q * A::PANEL..][..width]);
            }
        }
    }

    /// The columns of the tile, `last` of them in the last panel.
    #[inline(always)]
    fn columns(&self, last: usize) -> Range<usize> {
        let start = self.panel * A::PANEL;
        start..start + (Q - 1) * A::PANEL + last
    }
}

/// Panels of one row, side by side; the last may have fewer columns.
#[inline(always)]
fn load_row<A: Element, S: Simd, const P: usize, const Q: usize>(
    simd: S,
    row: &[A],
    sums: &mut [[A::Vector<S>; P]; Q],
) {
    for q in 0..Q {
        let width = if q + 1 == Q { row.len() - q * A::PANEL } else { A::PANEL };
        load(simd, &row[q * A::PANEL..][..width], &mut sums[q]);
    }
}

/// One k: every sum of the tile takes one product.
#[inline(always)]
fn step<A: Element, S: Simd, const P: usize, const R: usize, const Q: usize>(
    simd: S,
    a: [A; R],
    w: [&A::Line; Q],
    sums: &mut Sums<A, S, P, R, Q>,
) {
    let mut vectors = [[A::splat(simd, A::zero()); P]; Q];
    for q in 0..Q {
        load(simd, w[q], &mut vectors[q]);
    }
    for r in 0..R {
        let a = A::splat(simd, a[r]);
        for q in 0..Q {
            for p in 0..P {
                sums[r][q][p] = A::fma(simd, a, vectors[q][p], sums[r][q][p]);
            }
        }
    }
}

/// The elements of a line, or the first of them, as vectors.
#[inline(always)]
fn load<A: Element, S: Simd, const P: usize>(simd: S, line: &[A], vectors: &mut [A::Vector<S>; P]) {
    if line.len() == A::PANEL {
        let line = A::vectors::<S>(line);
        for p in 0..P {
            vectors[p] = line[p];
        }
    } else {
        for p in 0..P {
            if let Some(part) = part::<A, P>(p, line.len()) {
                vectors[p] = A::load_part(simd, &line[part]);
            }
        }
    }
}

/// The inverse of [`load`].
#[inline(always)]
fn store<A: Element, S: Simd, const P: usize>(simd: S, vectors: &[A::Vector<S>; P], line: &mut [A]) {
    if line.len() == A::PANEL {
        let line = A::vectors_mut::<S>(line);
        for p in 0..P {
            line[p] = vectors[p];
        }
    } else {
        for p in 0..P {
            if let Some(part) = part::<A, P>(p, line.len()) {
                A::store_part(simd, &mut line[part], vectors[p]);
            }
        }
    }
}

/// Where the elements of vector `p` of a line lie if only the first `len` are there, and if any of them are: a part takes
/// a jump, an empty one too.
#[inline(always)]
fn part<A: Element, const P: usize>(p: usize, len: usize) -> Option<Range<usize>> {
    let lanes = A::PANEL / P;
    (p * lanes < len).then(|| p * lanes..len.min((p + 1) * lanes))
}
