//! The product of rows with packed weights, in register tiles.
//!
//! ```text
//! for each block of rows, each group of panels, each group of rows in the block:
//!     tile[r][j] = start(r, j)
//!     for k ascending: tile[r][j] = fma(a[r][k], w[k][j], tile[r][j])
//!     c[r][j] = tile[r][j]
//! ```
//!
//! A tile is up to 6 rows by as many panels as the registers hold: 6 x 16 single-precision columns with AVX2, 6 x 64
//! with AVX-512, one row by four or eight panels for a single sequence.

use std::array;
use std::mem::size_of;

use pulp::{Arch, Simd, WithSimd};

use super::{Matrix, PanelsRef};
use crate::element::Element;

/// The most rows of a tile.
const ROWS: usize = 6;

/// Rows whose tiles share a panel while it is in the first-level cache: a multiple of [`ROWS`].
const BLOCK: usize = 48;

/// Where each sum starts.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, A> {
    /// At a value for each column.
    Bias(&'a [A]),
    /// At what the output holds.
    Output,
}

/// `c[r][j] = start + sum over k ascending of a[r][k] * w[k][j]`, `c` row-major and contiguous.
#[derive(Debug)]
pub struct Product<'a, A: Element> {
    /// The left operand.
    pub a: Matrix<'a, A>,
    /// The right operand.
    pub weights: PanelsRef<'a, A>,
    /// The sums' start.
    pub start: Start<'a, A>,
    /// The output, `a.rows()` by `weights.width()`.
    pub c: &'a mut [A],
}

impl<A: Element> Product<'_, A> {
    /// Makes the product on an instruction set.
    ///
    /// Compiled once for each: inlined, all the tiles would be compiled again wherever they are used.
    #[inline(never)]
    pub(crate) fn run<S: Simd>(self, simd: S) {
        simd.vectorize(self);
    }

    /// As [`run`](Self::run), on an instruction set that is chosen now.
    pub(crate) fn run_on(self, arch: Arch) {
        struct Once<'a, A: Element>(Product<'a, A>);

        impl<A: Element> WithSimd for Once<'_, A> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                self.0.run(simd);
            }
        }

        arch.dispatch(Once(self));
    }
}

impl<A: Element> WithSimd for Product<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
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

impl<A: Element> Product<'_, A> {
    #[inline(always)]
    fn tiles<S: Simd, const P: usize>(&mut self, simd: S) {
        let rows = self.a.rows();
        let groups = rows.div_ceil(ROWS);
        // A division takes longer than a small tile.
        let tallest = if groups > 1 { rows.div_ceil(groups) } else { rows };
        let start = |group: usize| if groups > 1 { group * rows / groups } else { group * rows };
        for first in (0..groups).step_by(BLOCK / ROWS) {
            let block = first..groups.min(first + BLOCK / ROWS);
            let mut panel = 0;
            while panel < self.weights.count() {
                let panels = panels_of_tile::<S, P>(tallest, self.weights.count() - panel);
                for group in block.clone() {
                    // Balanced groups: 32 rows are 6 + 6 + 5 + 5 + 5 + 5.
                    let row = start(group);
                    let place = Place { row, height: start(group + 1) - row, panel, panels };
                    self.tile_of_height::<S, P>(simd, place);
                }
                panel += panels;
            }
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
            Tile::<A, P, R, 8> { product: self, place }.run(simd);
        } else if const { fits::<S>(P, R, 4) } && place.panels == 4 {
            Tile::<A, P, R, 4> { product: self, place }.run(simd);
        } else if const { fits::<S>(P, R, 2) } && place.panels == 2 {
            Tile::<A, P, R, 2> { product: self, place }.run(simd);
        } else {
            Tile::<A, P, R, 1> { product: self, place }.run(simd);
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

/// How many panels a tile of a height takes, of those that are left.
#[inline(always)]
fn panels_of_tile<S: Simd, const P: usize>(height: usize, left: usize) -> usize {
    let wide = |&panels: &usize| panels <= left && fits::<S>(P, height, panels);
    [8, 4, 2].into_iter().find(wide).unwrap_or(1)
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

impl<A: Element, const P: usize, const R: usize, const Q: usize> Tile<'_, '_, A, P, R, Q> {
    /// A call of its own: within one function of all tiles the compiler prepares every tile before it runs one.
    #[inline(never)]
    fn run<S: Simd>(self, simd: S) {
        if (self.place.panel + Q) * A::PANEL <= self.product.weights.width() {
            simd.vectorize(self);
        } else {
            simd.vectorize(Edge(self));
        }
    }
}

impl<A: Element, const P: usize, const R: usize, const Q: usize> WithSimd for Tile<'_, '_, A, P, R, Q> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sums = self.accumulate(simd, self.start(|slice| vectors::<A, S, P>(slice)));
        self.store(&sums, |sums, slice| A::vectors_mut::<S>(slice).copy_from_slice(sums));
    }
}

/// A [`Tile`] whose last panel is not full.
struct Edge<'t, 'a, A: Element, const P: usize, const R: usize, const Q: usize>(Tile<'t, 'a, A, P, R, Q>);

impl<A: Element, const P: usize, const R: usize, const Q: usize> WithSimd for Edge<'_, '_, A, P, R, Q> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let start = self.0.start(|slice| {
            let mut line = A::Line::default();
            line[..slice.len()].copy_from_slice(slice);
            vectors::<A, S, P>(&line)
        });
        let sums = self.0.accumulate(simd, start);
        self.0.store(&sums, |sums, slice| {
            let mut line = A::Line::default();
            A::vectors_mut::<S>(&mut line).copy_from_slice(sums);
            slice.copy_from_slice(&line[..slice.len()]);
        });
    }
}

/// The sums of a tile, in registers.
type Sums<A, S, const P: usize, const R: usize, const Q: usize> = [[[<A as Element>::Vector<S>; P]; Q]; R];

impl<A: Element, const P: usize, const R: usize, const Q: usize> Tile<'_, '_, A, P, R, Q> {
    /// Loads the sums' start values.
    #[inline(always)]
    fn start<V: Copy>(&self, load: impl Fn(&[A]) -> [V; P]) -> [[[V; P]; Q]; R] {
        array::from_fn(|r| {
            array::from_fn(|q| match self.product.start {
                Start::Bias(bias) => load(&bias[self.columns(q)]),
                Start::Output => load(&self.product.c[self.row(r)][self.columns(q)]),
            })
        })
    }

    /// The whole sums over k, four steps at a time so that slice bounds are checked once in four.
    #[inline(always)]
    fn accumulate<S: Simd>(&self, simd: S, start: Sums<A, S, P, R, Q>) -> Sums<A, S, P, R, Q> {
        // A copy that nothing else points to stays in registers.
        let mut sums = start.map(|sums| sums.map(|sums| sums.map(|sum| sum)));
        let Product { a, weights, .. } = &self.product;
        let rows: [_; R] = array::from_fn(|r| a.row(self.place.row + r).as_chunks::<4>());
        let panels: [_; Q] = array::from_fn(|q| weights.panel(self.place.panel + q).as_chunks::<4>());
        for k in 0..weights.depth() / 4 {
            let a: [&[A; 4]; R] = array::from_fn(|r| &rows[r].0[k]);
            let w: [&[A::Line; 4]; Q] = array::from_fn(|q| &panels[q].0[k]);
            for i in 0..4 {
                step(simd, array::from_fn(|r| a[r][i]), array::from_fn(|q| &w[q][i]), &mut sums);
            }
        }
        for i in 0..weights.depth() % 4 {
            step(simd, array::from_fn(|r| rows[r].1[i]), array::from_fn(|q| &panels[q].1[i]), &mut sums);
        }
        sums
    }

    #[inline(always)]
    fn store<V>(self, sums: &[[[V; P]; Q]; R], store: impl Fn(&[V; P], &mut [A])) {
        for (r, sums) in sums.iter().enumerate() {
            for (q, sums) in sums.iter().enumerate() {
                let (row, columns) = (self.row(r), self.columns(q));
                store(sums, &mut self.product.c[row][columns]);
            }
        }
    }

    /// The range of row `r` of the tile within the output.
    #[inline(always)]
    fn row(&self, r: usize) -> std::ops::Range<usize> {
        let width = self.product.weights.width();
        let start = (self.place.row + r) * width;
        start..start + width
    }

    /// The columns of panel `q` of the tile, fewer in the last panel.
    #[inline(always)]
    fn columns(&self, q: usize) -> std::ops::Range<usize> {
        let start = (self.place.panel + q) * A::PANEL;
        start..self.product.weights.width().min(start + A::PANEL)
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
    let w: [[A::Vector<S>; P]; Q] = array::from_fn(|q| vectors::<A, S, P>(w[q]));
    for r in 0..R {
        let a = A::splat(simd, a[r]);
        for q in 0..Q {
            for p in 0..P {
                sums[r][q][p] = A::fma(simd, a, w[q][p], sums[r][q][p]);
            }
        }
    }
}

/// A line's elements as `P` vectors.
#[inline(always)]
fn vectors<A: Element, S: Simd, const P: usize>(line: &[A]) -> [A::Vector<S>; P] {
    let vectors = A::vectors::<S>(line);
    array::from_fn(|p| vectors[p])
}
