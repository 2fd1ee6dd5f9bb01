//! Weights packed for the product kernel.

use std::array::from_fn;
use std::ops::Range;

use ndarray::ArrayRef2;

use crate::element::Element;
use crate::error::Result;
use crate::room::{filled_elements, grow, resize, room};

/// How the columns of a product fall into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// The columns of a block.
    pub units: usize,
    /// How far apart blocks start.
    pub apart: usize,
}

impl Blocks {
    /// `count` blocks of `units` columns. A single block is as wide as its units; of several blocks each begins a
    /// panel.
    #[must_use]
    pub fn of<A: Element>(units: usize, count: usize) -> Self {
        Self { units, apart: if count == 1 { units } else { units.next_multiple_of(A::PANEL) } }
    }

    /// The number of panels of a block.
    #[must_use]
    pub fn panels<A: Element>(self) -> usize {
        self.units.div_ceil(A::PANEL)
    }
}

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
    /// Packs `weight`, of shape (k, n), as it lies. Backward passes multiply by it.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds the panels.
    pub fn straight(weight: &ArrayRef2<A>) -> Result<Self> {
        Self::straight_blocks(weight, weight.nrows(), &[0])
    }

    /// As [`straight`](Self::straight), for blocks of `units` rows each: those that `order` lists, in its order.
    pub(crate) fn straight_blocks(weight: &ArrayRef2<A>, units: usize, order: &[usize]) -> Result<Self> {
        let (mut panels, width) = (Self::default(), weight.ncols());
        let mut turned = Vec::new();
        if !weight.is_standard_layout() {
            turned = room("weights", weight.shape())?;
            weight.iter().for_each(|&value| turned.push(value));
        }
        let weight = weight.as_slice().unwrap_or(&turned);
        let row = |i: usize| &weight[(order[i / units] * units + i % units) * width..][..width];
        panels.fill(width, (0..order.len() * units).map(row))?;
        Ok(panels)
    }

    /// Packs rows of `width` elements in place of what was packed before.
    ///
    /// # Errors
    /// As [`straight`](Self::straight).
    pub(crate) fn fill<'r>(
        &mut self,
        width: usize,
        rows: impl ExactSizeIterator<Item = &'r [A]> + Clone,
    ) -> Result<()> {
        let lines = width.div_ceil(A::PANEL) * rows.len();
        grow("weights", &mut self.lines, lines)?;
        self.depth = rows.len();
        self.width = width;
        self.lines.resize(lines, A::Line::default());
        let panels = self.lines.chunks_exact_mut(self.depth.max(1));
        for (panel, start) in panels.zip((0..width).step_by(A::PANEL)) {
            let whole = width - start >= A::PANEL;
            for (line, row) in panel.iter_mut().zip(rows.clone()) {
                if whole {
                    // The compiler knows the number of elements, so this is no call.
                    line[..A::PANEL].copy_from_slice(&row[start..][..A::PANEL]);
                } else {
                    *line = A::Line::default();
                    line[..width - start].copy_from_slice(&row[start..]);
                }
            }
        }
        Ok(())
    }

    /// Packs the transpose of `weight`, of shape (n, k). Forward passes multiply by it.
    ///
    /// # Errors
    /// As [`straight`](Self::straight).
    pub fn transposed(weight: &ArrayRef2<A>) -> Result<Self> {
        Self::transposed_blocks(weight, Blocks::of::<A>(weight.nrows(), 1), &[0])
    }

    /// As [`transposed`](Self::transposed), for blocks of rows: those that `order` lists, in its order. Columns
    /// between two blocks are zero.
    pub(crate) fn transposed_blocks(weight: &ArrayRef2<A>, blocks: Blocks, order: &[usize]) -> Result<Self> {
        let (depth, each) = (weight.ncols(), blocks.panels::<A>());
        let mut lines = filled_elements("weights", &[order.len(), each, depth], A::Line::default())?;
        for (i, panel) in lines.chunks_exact_mut(depth.max(1)).enumerate() {
            let (block, start) = (order[i / each], i % each * A::PANEL);
            for (lane, unit) in (start..blocks.units.min(start + A::PANEL)).enumerate() {
                let row = weight.row(block * blocks.units + unit);
                panel.iter_mut().zip(row).for_each(|(line, &value)| line[lane] = value);
            }
        }
        Ok(Self { lines, depth, width: order.len() * blocks.apart })
    }

    /// All panels.
    #[must_use]
    pub fn all(&self) -> PanelsRef<'_, A> {
        PanelsRef { lines: &self.lines, distance: self.depth, depth: self.depth, width: self.width }
    }
}

/// Neighbouring panels, borrowed: some of the columns, and some of their k.
#[derive(Debug, Clone, Copy)]
pub struct PanelsRef<'a, A: Element> {
    /// From the first k of the first panel on.
    lines: &'a [A::Line],
    /// How far apart panels start.
    distance: usize,
    /// The k of each panel.
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

    /// Some of the panels.
    pub(crate) fn part(&self, panels: Range<usize>) -> Self {
        let lines = &self.lines[panels.start * self.distance..];
        let columns = panels.start * A::PANEL..self.width.min(panels.end * A::PANEL);
        Self { lines, width: columns.len(), ..*self }
    }

    /// Some of the k.
    pub(crate) fn rows(&self, rows: Range<usize>) -> Self {
        debug_assert!(rows.end <= self.depth);
        Self { lines: &self.lines[rows.start..], depth: rows.len(), ..*self }
    }

    /// One panel: `depth` lines.
    #[inline(always)]
    pub(super) fn panel(&self, index: usize) -> &'a [A::Line] {
        &self.lines[index * self.distance..][..self.depth]
    }
}

/// Turns some columns into rows. The columns are of rows of `width` elements, one after another.
///
/// # Errors
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds them.
pub(crate) fn transpose<A: Element>(
    rows: &[A],
    width: usize,
    columns: Range<usize>,
    to: &mut Vec<A>,
) -> Result<()> {
    /// How many rows are turned together, so that whole parts of cache lines are written.
    const TOGETHER: usize = 8;
    let count = rows.len() / width;
    resize("scratch", to, columns.len() * count)?;
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
    for (i, row) in (turned..).zip(rest.chunks_exact(width)) {
        let column = to.iter_mut().skip(i).step_by(count);
        column.zip(&row[columns.clone()]).for_each(|(to, &element)| *to = element);
    }
    Ok(())
}
