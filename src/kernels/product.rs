//! The product of rows with packed weights, in register tiles.
//!
//! ```text
//! for each block of rows, each group of panels, each group of rows in the block:
//!     for each chain (start, a, w):
//!         tile[r][j] = start(r, j)
//!         for each k ascending: tile[r][j] = fma(a[r][k], w[k][j], tile[r][j])
//!         c[r][j] = tile[r][j] for the first chain, c[r][j] + tile[r][j] for the others
//! ```
//!
//! A tile is up to 6 rows by as many panels as the registers hold: 6 x 16 single-precision columns with AVX2, 6 x 64
//! with AVX-512, one row by four or eight panels for a single sequence.

use std::mem::size_of;

use pulp::{Simd, WithSimd};

use super::chain::Product;
use super::shape::{ROWS, fits, tallest, widest};
use super::tile::Tile;
use crate::element::Element;

impl<A: Element> Product<'_, A> {
    /// Makes the product on an instruction set.
    ///
    /// This function is compiled once for each instruction set, but not with its features, so that no tile can be
    /// inlined. Inlined, tiles would be compiled again wherever they are used, and the compiler would prepare
    /// every tile of a function before it runs one.
    #[inline(never)]
    pub(crate) fn run<S: Simd>(mut self, simd: S) {
        // The conditions are constant, so that tiles are compiled only for the number of vectors that a line has.
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
        let tallest = const { tallest::<S>(P) };
        if (1..=tallest).contains(&rows) {
            // One group of rows. To look for more would take longer than one narrow tile.
            let (widest, mut left) = (const { widest::<S>(P) }[rows], count);
            while left > 0 {
                let (panel, panels) = self.next_panels(&mut left, count, widest);
                self.tile_of_height::<S, P>(simd, TilePlace { row: 0, height: rows, panel, panels });
            }
            return;
        }
        let groups = rows.div_ceil(tallest);
        // Rows are balanced: 32 rows are 6 + 6 + 5 + 5 + 5 + 5.
        let (height, taller) = (rows / groups.max(1), rows % groups.max(1));
        let widest = const { widest::<S>(P) }[height + usize::from(taller > 0)];
        let together = (self.block / tallest).max(1);
        let mut first = 0;
        while first < groups {
            let end = groups.min(first.saturating_add(together));
            let mut left = count;
            while left > 0 {
                let (panel, panels) = self.next_panels(&mut left, count, widest);
                for group in first..end {
                    let row = group * height + group.min(taller);
                    let height = height + usize::from(group < taller);
                    self.tile_of_height::<S, P>(simd, TilePlace { row, height, panel, panels });
                }
            }
            first = end;
        }
    }

    /// Takes the panels of the next tile from those that are `left`: the first of them, and how many.
    #[inline(always)]
    fn next_panels(&self, left: &mut usize, count: usize, widest: usize) -> (usize, usize) {
        // A single row waits for its chains, for three panels no longer than for one.
        let three = *left == 3 && self.rows == 1 && widest > 3;
        let panels = if three { 3 } else { widest.min(1 << left.ilog2()) };
        let panel = if self.last_first { *left - panels } else { count - *left };
        *left -= panels;
        (panel, panels)
    }

    #[inline(always)]
    fn tile_of_height<S: Simd, const P: usize>(&mut self, simd: S, place: TilePlace) {
        match place.height {
            _ if const { tallest::<S>(P) == 1 } => self.tile_of_width::<S, P, 1>(simd, place),
            1 => self.tile_of_width::<S, P, 1>(simd, place),
            2 => self.tile_of_width::<S, P, 2>(simd, place),
            3 => self.tile_of_width::<S, P, 3>(simd, place),
            4 => self.tile_of_width::<S, P, 4>(simd, place),
            5 => self.tile_of_width::<S, P, 5>(simd, place),
            _ => self.tile_of_width::<S, P, ROWS>(simd, place),
        }
    }

    #[inline(always)]
    fn tile_of_width<S: Simd, const P: usize, const R: usize>(&mut self, simd: S, place: TilePlace) {
        let TilePlace { row, panel, panels, .. } = place;
        if const { fits::<S>(P, R, 8) } && panels == 8 {
            simd.vectorize(Tile::<A, P, R, 8> { product: self, row, panel });
        } else if const { fits::<S>(P, R, 4) } && panels == 4 {
            simd.vectorize(Tile::<A, P, R, 4> { product: self, row, panel });
        } else if const { R == 1 && fits::<S>(P, R, 4) } && panels == 3 {
            simd.vectorize(Tile::<A, P, R, 3> { product: self, row, panel });
        } else if const { fits::<S>(P, R, 2) } && panels == 2 {
            simd.vectorize(Tile::<A, P, R, 2> { product: self, row, panel });
        } else {
            simd.vectorize(Tile::<A, P, R, 1> { product: self, row, panel });
        }
    }
}

/// The number of vectors that fill a line.
const fn vectors_of_line<A: Element, S: Simd>() -> usize {
    size_of::<A::Line>() / size_of::<A::Vector<S>>()
}

/// A tile's place: its first row and panel, and how many of each.
#[derive(Clone, Copy)]
struct TilePlace {
    row: usize,
    height: usize,
    panel: usize,
    panels: usize,
}
