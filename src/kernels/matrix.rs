//! The rows of a left operand, wherever they lie.

use crate::element::Element;

/// Rows of one width within a slice. They start at a regular distance, or where a table says.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, A> {
    data: &'a [A],
    width: usize,
    offsets: Offsets<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Offsets<'a> {
    Regular { rows: usize, distance: usize },
    Table(&'a [usize]),
}

impl<'a, A: Element> Matrix<'a, A> {
    /// `rows` rows of `width` elements, one after another.
    #[inline(always)]
    #[must_use]
    pub fn contiguous(data: &'a [A], rows: usize, width: usize) -> Self {
        Self::strided(data, rows, width, width)
    }

    /// `rows` rows of `width` elements that start `distance` elements apart.
    #[inline(always)]
    #[must_use]
    pub fn strided(data: &'a [A], rows: usize, width: usize, distance: usize) -> Self {
        let offsets = Offsets::Regular { rows, distance };
        Self { data, width, offsets }
    }

    /// Rows of `width` elements that start at `offsets`.
    #[inline(always)]
    #[must_use]
    pub fn gathered(data: &'a [A], offsets: &'a [usize], width: usize) -> Self {
        let offsets = Offsets::Table(offsets);
        Self { data, width, offsets }
    }

    /// The number of rows.
    #[inline(always)]
    #[must_use]
    pub fn rows(&self) -> usize {
        match self.offsets {
            Offsets::Regular { rows, .. } => rows,
            Offsets::Table(table) => table.len(),
        }
    }

    /// Row `i`.
    #[inline(always)]
    #[must_use]
    pub fn row(&self, i: usize) -> &'a [A] {
        let start = match self.offsets {
            Offsets::Regular { distance, .. } => i * distance,
            Offsets::Table(table) => table[i],
        };
        &self.data[start..start + self.width]
    }
}
