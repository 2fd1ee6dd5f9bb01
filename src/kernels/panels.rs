//! Weights packed for the product kernel.

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

impl<A: Element> Panels<A> {
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

    /// Packs `weight` as it lies, of shape (k, n): what a backward pass multiplies by.
    #[must_use]
    pub fn straight(weight: &ArrayRef2<A>) -> Self {
        let (depth, width) = weight.dim();
        let mut lines = vec![A::Line::default(); width.div_ceil(A::PANEL) * depth];
        if depth > 0 {
            let blocks = weight.axis_chunks_iter(Axis(1), A::PANEL);
            for (panel, block) in lines.chunks_exact_mut(depth).zip(blocks) {
                for (line, row) in panel.iter_mut().zip(block.outer_iter()) {
                    line.iter_mut().zip(row).for_each(|(to, &value)| *to = value);
                }
            }
        }
        Self { lines, depth, width }
    }

    /// The length k of the sums.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number n of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of panels.
    pub(super) fn count(&self) -> usize {
        self.width.div_ceil(A::PANEL)
    }

    /// One panel: `depth` lines.
    #[inline(always)]
    pub(super) fn panel(&self, index: usize) -> &[A::Line] {
        &self.lines[index * self.depth..][..self.depth]
    }
}
