//! Weights packed for the product kernel.

use std::array::from_fn;
use std::ops::Range;

use ndarray::{ArrayRef2, Axis};

use crate::element::Element;

/// A right operand of shape (k, n) as panels of one cache line's columns: for each panel, for each k, the
/// panel's elements side by side; the last panel is filled up with zeros.
#[derive(Debug, Clone)]
pub struct Panels<A: Element> {
    lines: Vec<A::Line>,
    depth: usize,
    width: usize,
}

impl<A: Element> Default for Panels<A> {
    fn default() -> Self {
        Self { lines: Vec::new(), depth: 0, width: 0 }
    }
}

impl<A: Element> Panels<A> {
    /// Packs `weight`, of shape (k, n), as it lies: what a backward pass multiplies by.
    #[must_use]
    pub fn straight(weight: &ArrayRef2<A>) -> Self {
        let mut panels = Self::default();
        let weight = weight.as_standard_layout();
        let rows = weight.as_slice().unwrap_or_default().chunks_exact(weight.ncols().max(1));
        panels.fill(weight.ncols(), rows);
        panels
    }

    /// Packs rows of `width` elements in place of what was packed before.
    pub(crate) fn fill<'r>(&mut self, width: usize, rows: impl ExactSizeIterator<Item = &'r [A]> + Clone) {
        self.depth = rows.len();
        self.width = width;
        self.lines.resize(width.div_ceil(A::PANEL) * self.depth, A::Line::default());
        let panels = self.lines.chunks_exact_mut(self.depth.max(1));
        for (panel, start) in panels.zip((0..width).step_by(A::PANEL)) {
            let whole = width - start >= A::PANEL;
            for (line, row) in panel.iter_mut().zip(rows.clone()) {
                if whole {
                    // As many elements as the compiler knows: no call.
                    line[..A::PANEL].copy_from_slice(&row[start..][..A::PANEL]);
                } else {
                    *line = A::Line::default();
                    line[..width - start].copy_from_slice(&row[start..]);
                }
            }
        }
    }

    /// Packs the transpose of `weight`, of shape (n, k): what a forward pass multiplies by.
    #[must_use]
    pub fn transposed(weight: &ArrayRef2<A>) -> Self {
        let (width, depth) = weight.dim();
        let mut lines = vec![A::Line::default(); width.div_ceil(A::PANEL) * depth];
        if depth > 0 {
            let blocks = weight.axis_chunks_iter(Axis(0), A::PANEL);
            for (panel, block) in lines.chunks_exact_mut(depth).zip(blocks) {
                for (lane, row) in block.outer_iter().enumerate() {
                    panel.iter_mut().zip(row).for_each(|(line, &value)| line[lane] = value);
                }
            }
        }
        Self { lines, depth, width }
    }

    /// All panels.
    #[must_use]
    pub fn all(&self) -> PanelsRef<'_, A> {
        PanelsRef { lines: &self.lines, depth: self.depth, width: self.width }
    }
}

/// Neighbouring panels, borrowed: some of the columns.
#[derive(Debug, Clone, Copy)]
pub struct PanelsRef<'a, A: Element> {
    lines: &'a [A::Line],
    depth: usize,
    width: usize,
}

impl<'a, A: Element> PanelsRef<'a, A> {
    /// The length k of the sums.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of panels.
    #[must_use]
    pub fn count(&self) -> usize {
        self.width.div_ceil(A::PANEL)
    }

    /// Some of the panels.
    pub(crate) fn part(&self, panels: Range<usize>) -> Self {
        let lines = &self.lines[panels.start * self.depth..panels.end * self.depth];
        let columns = panels.start * A::PANEL..self.width.min(panels.end * A::PANEL);
        Self { lines, depth: self.depth, width: columns.len() }
    }

    /// One panel: `depth` lines.
    #[inline(always)]
    pub(super) fn panel(&self, index: usize) -> &'a [A::Line] {
        &self.lines[index * self.depth..][..self.depth]
    }
}

/// Turns some columns of rows of `width` elements, one behind the other, into rows.
pub(crate) fn transpose<A: Element>(rows: &[A], width: usize, columns: Range<usize>, to: &mut Vec<A>) {
    /// Rows that are turned together, so that whole parts of cache lines are written.
    const TOGETHER: usize = 8;
    let count = rows.len() / width;
    to.resize(columns.len() * count, A::zero());
    let blocks = rows.chunks_exact(TOGETHER * width);
    let (rest, turned) = (blocks.remainder(), count / TOGETHER * TOGETHER);
    for (block, rows) in blocks.enumerate() {
        let rows: [&[A]; TOGETHER] = from_fn(|i| &rows[i * width..][columns.clone()]);
        for (j, to) in to.chunks_exact_mut(count).enumerate() {
            let to = &mut to[block * TOGETHER..][..TOGETHER];
            for i in 0..TOGETHER {
                to[i] = rows[i][j];
            }
        }
    }
    for (j, to) in columns.zip(to.chunks_exact_mut(count)) {
        to[turned..].iter_mut().zip(rest.chunks_exact(width)).for_each(|(to, row)| *to = row[j]);
    }
}
