//! The product of rows with packed weights, in register tiles.
//!
//! ```text
//! for each block of rows, each group of panels, each group of rows in the block:
//!     tile[r][j] = start(r, j)
//!     for each pair (a, w), k ascending: tile[r][j] = fma(a[r][k], w[k][j], tile[r][j])
//!     c[r][j] = tile[r][j]
//! ```
//!
//! A tile is up to 6 rows by as many panels as the registers hold: 6 x 16 single-precision columns with AVX2, 6 x 64
//! with AVX-512, one row by four or eight panels for a single sequence.

#![expect(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "a loop is compiled for the instruction set; a closure or a call only where it is inlined, and it need not be"
)]

use std::mem::size_of;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{Matrix, PanelsRef};
use crate::element::Element;

/// The most rows of a tile.
const ROWS: usize = 6;

/// See [`Product::block`].
const BLOCK: usize = 192;

/// Where each sum starts.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, A> {
    /// At a value for each column.
    Bias(&'a [A]),
    /// At what the output holds.
    Output,
}

/// A left operand and the weights of its terms.
pub type Pair<'a, A> = (Matrix<'a, A>, PanelsRef<'a, A>);

/// `c[r][j] = start + sum over k ascending of a[r][k] * w[k][j]`, the terms of one pair after those of another; `c` is
/// row-major and contiguous.
#[derive(Debug)]
pub struct Product<'a, A: Element> {
    pairs: &'a [Pair<'a, A>],
    rows: usize,
    width: usize,
    start: Start<'a, A>,
    c: &'a mut [A],
    /// Whether the last columns are made first. Every other time so, weights that no cache holds whole are read from it
    /// in part: it still has those of the end.
    pub last_first: bool,
    /// Rows whose tiles share a panel while it is in the nearest cache that holds it: a multiple of six.
    pub block: usize,
}

impl<'a, A: Element> Product<'a, A> {
    /// The product of pairs, one or more, of as many rows each and as many columns, into `c` of rows by columns
    /// elements.
    #[inline(always)]
    #[must_use]
    pub fn new(pairs: &'a [Pair<'a, A>], start: Start<'a, A>, c: &'a mut [A]) -> Self {
        let (rows, width) = pairs.first().map_or((0, 0), |(a, weights)| (a.rows(), weights.width()));
        Self { pairs, rows, width, start, c, last_first: false, block: BLOCK }
    }
}

impl<A: Element> Product<'_, A> {
    /// Makes the product on an instruction set.
    ///
    /// Compiled once for each, and not for the instruction set itself, so that no tile can be inlined: the tiles would
    /// be compiled again wherever they are used, and within one function the compiler prepares every tile before it
    /// runs one.
    #[inline(never)]
    pub(crate) fn run<S: Simd>(mut self, simd: S) {
        // Constant conditions, so that no tile is compiled for another number of vectors than a line has.
        if const { vectors_of_line::<A, S>() == 1 } {
            self.tiles::<S, 1>(simd);
        } else if const { vectors_of_line::<A, S>() == 2 } {
            self.tiles::<S, 2>(simd);
        } else if const { vectors_of_line::<A, S>() == 4 } {
            self.tiles::<S, 4>(simd);
        } else if const { vectors_of_line::<A, S>() == 8 } {
            self.tiles::<S, 8>(simd);
        } else {
            self.tiles::<S, 16>(simd);
        }
    }
}

impl<A: Element> WithSimd for Product<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.run(simd);
    }
}

impl<A: Element> Product<'_, A> {
    #[inline(always)]
    fn tiles<S: Simd, const P: usize>(&mut self, simd: S) {
        let (rows, count) = (self.rows, self.width.div_ceil(A::PANEL));
        let groups = rows.div_ceil(ROWS);
        // Balanced: 32 rows are 6 + 6 + 5 + 5 + 5 + 5. A division takes longer than a small tile.
        let (height, taller) = if groups > 1 { (rows / groups, rows % groups) } else { (rows, 0) };
        let widest = const { widest::<S>(P) }[height + usize::from(taller > 0)];
        let together = (self.block / ROWS).max(1);
        let mut first = 0;
        while first < groups {
            let end = groups.min(first.saturating_add(together));
            let mut left = count;
            while left > 0 {
                let mut panels = widest;
                while panels > left {
                    panels /= 2;
                }
                let panel = if self.last_first { left - panels } else { count - left };
                for group in first..end {
                    let row = group * height + group.min(taller);
                    let height = height + usize::from(group < taller);
                    self.tile_of_height::<S, P>(simd, Place { row, height, panel, panels });
                }
                left -= panels;
            }
            first = end;
        }
    }

    #[inline(always)]
    fn tile_of_height<S: Simd, const P: usize>(&mut self, simd: S, place: Place) {
        match place.height {
            1 => self.tile_of_width::<S, P, 1>(simd, place),
            2 => self.tile_of_width::<S, P, 2>(simd, place),
            3 => self.tile_of_width::<S, P, 3>(simd, place),
            4 => self.tile_of_width::<S, P, 4>(simd, place),
            5 => self.tile_of_width::<S, P, 5>(simd, place),
            _ => self.tile_of_width::<S, P, ROWS>(simd, place),
        }
    }

    #[inline(always)]
    fn tile_of_width<S: Simd, const P: usize, const R: usize>(&mut self, simd: S, place: Place) {
        if const { fits::<S>(P, R, 8) } && place.panels == 8 {
            simd.vectorize(Tile::<A, P, R, 8> { product: self, place });
        } else if const { fits::<S>(P, R, 4) } && place.panels == 4 {
            simd.vectorize(Tile::<A, P, R, 4> { product: self, place });
        } else if const { fits::<S>(P, R, 2) } && place.panels == 2 {
            simd.vectorize(Tile::<A, P, R, 2> { product: self, place });
        } else {
            simd.vectorize(Tile::<A, P, R, 1> { product: self, place });
        }
    }
}

/// How many vectors fill a line.
const fn vectors_of_line<A: Element, S: Simd>() -> usize {
    size_of::<A::Line>() / size_of::<A::Vector<S>>()
}

/// Whether the sums of a tile of `rows` by `panels` stay in registers: beside them stand one element of the left
/// operand and, unless each is used once only, the vectors of the right.
const fn fits<S: Simd>(vectors: usize, rows: usize, panels: usize) -> bool {
    let sums = vectors * rows * panels;
    let operands = if rows == 1 { 1 } else { vectors * panels + 1 };
    // Twice as many sums as two units of a latency of four keep going are of no more use.
    sums + operands <= S::REGISTER_COUNT && (rows > 1 || sums <= 16)
}

/// The most panels of a tile of each height: 8, 4, 2 or 1.
const fn widest<S: Simd>(vectors: usize) -> [usize; ROWS + 1] {
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

/// A tile's place: its first row and panel, and how many of each.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    height: usize,
    panel: usize,
    panels: usize,
}

/// A tile of `R` rows by `Q` panels of `P` vectors.
struct Tile<'t, 'a, A: Element, const P: usize, const R: usize, const Q: usize> {
    product: &'t mut Product<'a, A>,
    place: Place,
}

impl<A: Element, const P: usize, const R: usize, const Q: usize> WithSimd for Tile<'_, '_, A, P, R, Q> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Place { panel, .. } = self.place;
        let last = self.product.width - (panel + Q - 1) * A::PANEL;
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
            Start::Bias(bias) => {
                load_row(simd, &bias[self.columns(last)], &mut sums[0]);
                sums = [sums[0]; R];
            }
            Start::Output => {
                for r in 0..R {
                    load_row(simd, &self.product.c[self.row(r)][self.columns(last)], &mut sums[r]);
                }
            }
        }
        sums
    }

    /// The whole sums over k, four steps at a time.
    #[inline(always)]
    fn accumulate<S: Simd>(&self, simd: S, mut sums: Sums<A, S, P, R, Q>) -> Sums<A, S, P, R, Q> {
        for (a, weights) in self.product.pairs {
            // All of one length that the compiler knows: no bounds are checked within the loops.
            let (fours, rest) = (weights.depth() / 4, weights.depth() % 4);
            let (mut rows, mut last_of_rows): ([&[[A; 4]]; R], [&[A]; R]) = ([&[]; R], [&[]; R]);
            for r in 0..R {
                let (whole, last) = a.row(self.place.row + r).as_chunks();
                (rows[r], last_of_rows[r]) = (&whole[..fours], &last[..rest]);
            }
            let (mut panels, mut last_of_panels): ([&[[A::Line; 4]]; Q], [&[A::Line]; Q]) =
                ([&[]; Q], [&[]; Q]);
            for q in 0..Q {
                let (whole, last) = weights.panel(self.place.panel + q).as_chunks();
                (panels[q], last_of_panels[q]) = (&whole[..fours], &last[..rest]);
            }
            for k in 0..fours {
                for i in 0..4 {
                    let (mut a, mut w) = ([A::zero(); R], [&panels[0][k][i]; Q]);
                    for r in 0..R {
                        a[r] = rows[r][k][i];
                    }
                    for q in 0..Q {
                        w[q] = &panels[q][k][i];
                    }
                    step(simd, a, w, &mut sums);
                }
            }
            for k in 0..rest {
                let (mut a, mut w) = ([A::zero(); R], [&last_of_panels[0][k]; Q]);
                for r in 0..R {
                    a[r] = last_of_rows[r][k];
                }
                for q in 0..Q {
                    w[q] = &last_of_panels[q][k];
                }
                step(simd, a, w, &mut sums);
            }
        }
        sums
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, sums: &Sums<A, S, P, R, Q>, last: usize) {
        for r in 0..R {
            let (row, columns) = (self.row(r), self.columns(last));
            let to = &mut self.product.c[row][columns];
            for q in 0..Q {
                let width = if q + 1 == Q { last } else { A::PANEL };
                store(simd, &sums[r][q], &mut to[q * A::PANEL..][..width]);
            }
        }
    }

    /// The range of row `r` of the tile within the output.
    #[inline(always)]
    fn row(&self, r: usize) -> Range<usize> {
        let width = self.product.width;
        let start = (self.place.row + r) * width;
        start..start + width
    }

    /// The columns of the tile, `last` of them in the last panel.
    #[inline(always)]
    fn columns(&self, last: usize) -> Range<usize> {
        let start = self.place.panel * A::PANEL;
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
    let lanes = A::PANEL / P;
    if line.len() == A::PANEL {
        let line = A::vectors::<S>(line);
        for p in 0..P {
            vectors[p] = line[p];
        }
    } else {
        // Of the vectors there are, no more: each takes a jump.
        for p in 0..P {
            if p * lanes < line.len() {
                let rest = &line[p * lanes..];
                vectors[p] = A::load_part(simd, &rest[..rest.len().min(lanes)]);
            }
        }
    }
}

/// The inverse of [`load`].
#[inline(always)]
fn store<A: Element, S: Simd, const P: usize>(simd: S, vectors: &[A::Vector<S>; P], line: &mut [A]) {
    let lanes = A::PANEL / P;
    if line.len() == A::PANEL {
        let line = A::vectors_mut::<S>(line);
        for p in 0..P {
            line[p] = vectors[p];
        }
    } else {
        for p in 0..P {
            if p * lanes < line.len() {
                let rest = &mut line[p * lanes..];
                let width = rest.len().min(lanes);
                A::store_part(simd, &mut rest[..width], vectors[p]);
            }
        }
    }
}
