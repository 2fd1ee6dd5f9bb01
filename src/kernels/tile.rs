//! One register tile of a product: its sums stay in registers from start to end.

#![expect(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "a loop is compiled for the instruction set; a closure or a call only where it is inlined, and it need not be"
)]

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::chain::{Chain, Product, Start};
use super::shape::fit_twice;
use crate::element::{Element, in_software};

/// A tile of `R` rows by `Q` panels of `P` vectors, with its first row and its first panel.
pub(super) struct Tile<'t, 'a, A: Element, const P: usize, const R: usize, const Q: usize> {
    pub(super) product: &'t mut Product<'a, A>,
    pub(super) row: usize,
    pub(super) panel: usize,
}

impl<A: Element, const P: usize, const R: usize, const Q: usize> WithSimd for Tile<'_, '_, A, P, R, Q> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut added = self.product.added;
        // One panel may have few columns. To keep its sums aside takes less time than to load and store parts of vectors.
        if const { Q == 1 || fit_twice::<S>(P, R, Q) } {
            let mut total = [[[A::splat(simd, A::zero()); P]; Q]; R];
            if added || matches!(self.product.chains, [Chain { start: Start::Output, .. }, ..]) {
                self.load(simd, &mut total);
            }
            for chain in self.product.chains {
                let sums = self.accumulate(simd, chain, Some(&total));
                total = if added { plus::<A, S, P, R, Q>(simd, &total, &sums) } else { sums };
                added = true;
            }
            self.store(simd, &total);
        } else {
            // The sums of the chain before wait in the output.
            for chain in self.product.chains {
                let sums = self.accumulate(simd, chain, None);
                if added {
                    self.add(simd, &sums);
                } else {
                    self.store(simd, &sums);
                }
                added = true;
            }
        }
    }
}

/// The sums of a tile, in registers.
type Sums<A, S, const P: usize, const R: usize, const Q: usize> = [[[<A as Element>::Vector<S>; P]; Q]; R];

impl<A: Element, const P: usize, const R: usize, const Q: usize> Tile<'_, '_, A, P, R, Q> {
    /// A chain's sums over all of its k, four k in each turn of the loop, since a turn has its own cost. `output` is what the
    /// output holds, if that is at hand.
    #[inline(always)]
    fn accumulate<S: Simd>(
        &self,
        simd: S,
        chain: &Chain<'_, A>,
        output: Option<&Sums<A, S, P, R, Q>>,
    ) -> Sums<A, S, P, R, Q> {
        let mut sums = [[[A::splat(simd, A::zero()); P]; Q]; R];
        match chain.start {
            Start::Zero => {}
            Start::Bias(bias) => {
                let whole = self.columns(A::PANEL);
                if whole.end <= bias.len() {
                    load_row(simd, &bias[whole], &mut sums[0]);
                } else {
                    load_row(simd, &bias[whole.start..], &mut sums[0]);
                }
                sums = [sums[0]; R];
            }
            Start::Output => match output {
                Some(output) => sums = *output,
                None => self.load(simd, &mut sums),
            },
        }
        if const { in_software::<S>() } {
            for r in 0..R {
                for q in 0..Q {
                    let (a, lines) = (chain.a.row(self.row + r), chain.weights.panel(self.panel + q));
                    A::add_chain::<S, P>(a, lines, &mut sums[r][q]);
                }
            }
            return sums;
        }
        let depth = chain.weights.depth();
        let (mut rows, mut panels): ([&[A]; R], [&[A::Line]; Q]) = ([&[]; R], [&[]; Q]);
        for r in 0..R {
            rows[r] = &chain.a.row(self.row + r)[..depth];
        }
        for q in 0..Q {
            panels[q] = chain.weights.panel(self.panel + q);
        }
        terms::<A, S, P, R, Q, 4>(simd, rows, panels, depth / 4, &mut sums);
        if !depth.is_multiple_of(4) {
            for r in 0..R {
                rows[r] = rows[r].as_chunks::<4>().1;
            }
            for q in 0..Q {
                panels[q] = panels[q].as_chunks::<4>().1;
            }
            terms::<A, S, P, R, Q, 1>(simd, rows, panels, depth % 4, &mut sums);
        }
        sums
    }

    /// Loads what the output holds.
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, sums: &mut Sums<A, S, P, R, Q>) {
        // Whole panels have code of their own, without a branch for each row.
        let last = self.last_columns();
        if last == A::PANEL {
            self.load_columns(simd, A::PANEL, sums);
        } else {
            self.load_columns(simd, last, sums);
        }
    }

    #[inline(always)]
    fn load_columns<S: Simd>(&self, simd: S, last: usize, sums: &mut Sums<A, S, P, R, Q>) {
        let (columns, distance) = (self.columns(last), self.product.distance);
        let mut rows = &self.product.c[self.row * distance..];
        for r in 0..R {
            load_row(simd, &rows[columns.clone()], &mut sums[r]);
            if r + 1 < R {
                rows = &rows[distance..];
            }
        }
    }

    /// Writes the sums to the output.
    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, sums: &Sums<A, S, P, R, Q>) {
        let last = self.last_columns();
        if last == A::PANEL {
            self.store_columns::<S, false>(simd, A::PANEL, sums);
        } else {
            self.store_columns::<S, false>(simd, last, sums);
        }
    }

    /// Adds the sums to the output.
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, sums: &Sums<A, S, P, R, Q>) {
        let last = self.last_columns();
        if last == A::PANEL {
            self.store_columns::<S, true>(simd, A::PANEL, sums);
        } else {
            self.store_columns::<S, true>(simd, last, sums);
        }
    }

    #[inline(always)]
    fn store_columns<S: Simd, const ADDED: bool>(
        &mut self,
        simd: S,
        last: usize,
        sums: &Sums<A, S, P, R, Q>,
    ) {
        let (columns, distance) = (self.columns(last), self.product.distance);
        let mut rows = &mut self.product.c[self.row * distance..];
        for r in 0..R {
            let to = &mut rows[columns.clone()];
            for q in 0..Q {
                let to = &mut to[q * A::PANEL..][..if q + 1 == Q { last } else { A::PANEL }];
                let mut line = sums[r][q];
                if ADDED {
                    let mut before = line;
                    load(simd, to, &mut before);
                    for p in 0..P {
                        line[p] = <A as Element>::add(simd, before[p], line[p]);
                    }
                }
                store(simd, &line, to);
            }
            if r + 1 < R {
                rows = &mut rows[distance..];
            }
        }
    }

    /// How many columns the last panel of the tile has.
    #[inline(always)]
    fn last_columns(&self) -> usize {
        (self.product.width - (self.panel + Q - 1) * A::PANEL).min(A::PANEL)
    }

    /// The columns of the tile, `last` of them in the last panel.
    #[inline(always)]
    fn columns(&self, last: usize) -> Range<usize> {
        let start = self.panel * A::PANEL;
        start..start + (Q - 1) * A::PANEL + last
    }
}

/// Adds the terms of the first k of rows and panels: `K` in each turn of the loop.
#[inline(always)]
fn terms<A: Element, S: Simd, const P: usize, const R: usize, const Q: usize, const K: usize>(
    simd: S,
    rows: [&[A]; R],
    panels: [&[A::Line]; Q],
    turns: usize,
    sums: &mut Sums<A, S, P, R, Q>,
) {
    // The compiler knows that all have one length, and checks no bounds within the loop.
    let (mut row_turns, mut panel_turns): ([&[[A; K]]; R], [&[[A::Line; K]]; Q]) = ([&[]; R], [&[]; Q]);
    for r in 0..R {
        row_turns[r] = &rows[r].as_chunks().0[..turns];
    }
    for q in 0..Q {
        panel_turns[q] = &panels[q].as_chunks().0[..turns];
    }
    for k in 0..turns {
        for i in 0..K {
            let (mut a, mut w) = ([A::zero(); R], [&panel_turns[0][k][i]; Q]);
            for r in 0..R {
                a[r] = row_turns[r][k][i];
            }
            for q in 0..Q {
                w[q] = &panel_turns[q][k][i];
            }
            step(simd, a, w, sums);
        }
    }
}

/// The sums of two chains.
#[inline(always)]
fn plus<A: Element, S: Simd, const P: usize, const R: usize, const Q: usize>(
    simd: S,
    a: &Sums<A, S, P, R, Q>,
    b: &Sums<A, S, P, R, Q>,
) -> Sums<A, S, P, R, Q> {
    let mut sums = *a;
    for r in 0..R {
        for q in 0..Q {
            for p in 0..P {
                sums[r][q][p] = <A as Element>::add(simd, a[r][q][p], b[r][q][p]);
            }
        }
    }
    sums
}

/// One row of panels side by side; the last may have fewer columns.
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

/// Every sum of the tile takes its product for one k.
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

/// The elements of a line, or its first elements, as vectors.
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

/// Writes the vectors to a line, or to its first elements.
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

/// Where the elements of vector `p` of a line lie if only the first `len` elements are there; `None` if none of
/// the vector's are. A load or store of a part takes a jump, even if the part is empty.
#[inline(always)]
fn part<A: Element, const P: usize>(p: usize, len: usize) -> Option<Range<usize>> {
    let lanes = A::PANEL / P;
    (p * lanes < len).then(|| p * lanes..len.min((p + 1) * lanes))
}
