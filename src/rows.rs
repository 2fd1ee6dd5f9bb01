//! Where the rows of sequences lie.
//!
//! [`Source`] finds a row by step and place in the step, whatever the array's layout and the order of the
//! sequences. A product reads rows by number, from a [`Matrix`] made of a source.

use std::ops::Range;

use ndarray::{Axis, CowArray, Ix3};

use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::{Matrix, copy};
use crate::room::grow;
use crate::steps::Steps;

/// The rows that a layer reads, wherever they lie.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a, A> {
    data: &'a [A],
    width: usize,
    place: Place<'a>,
    /// The first row of each step that is read.
    first: usize,
}

/// Where row b of step t starts.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// Rows lie one after another in the order of `steps`; the first is row `origin`.
    Rows { steps: &'a Steps, origin: usize },
    /// Row b of step t starts at `t * strides[0] + order[b] * strides[1]`.
    Grid { strides: [usize; 2], order: Option<&'a [usize]> },
    /// A table has where each row starts, in the order of `steps`.
    Table { steps: &'a Steps, offsets: &'a [usize] },
}

impl<'a, A: Element> Source<'a, A> {
    /// Rows one after another; the first is row `origin` of the steps.
    pub(crate) fn rows(data: &'a [A], width: usize, steps: &'a Steps, origin: usize) -> Self {
        Self { data, width, place: Place::Rows { steps, origin }, first: 0 }
    }

    /// The rows of an array (L, N, width) made by [`with_plain_rows`](crate::arrays::with_plain_rows). Row b of a
    /// step is sequence `order[b]`, or b without an order.
    pub(crate) fn grid(array: &'a CowArray<'_, A, Ix3>, order: Option<&'a [usize]>) -> Self {
        let (_, batch, width) = array.dim();
        let (data, strides) = match array.as_slice() {
            // An axis of one element may have any stride.
            Some(data) => (data, [batch * width, width]),
            None => {
                let strides = [Axis(0), Axis(1)].map(|axis| array.stride_of(axis).unsigned_abs());
                (array.as_slice_memory_order().invariant("an array of plain rows is dense"), strides)
            }
        };
        Self { data, width, place: Place::Grid { strides, order }, first: 0 }
    }

    /// Rows of `width` elements that start at `offsets`, in the order of the steps.
    pub(crate) fn table(data: &'a [A], width: usize, steps: &'a Steps, offsets: &'a [usize]) -> Self {
        Self { data, width, place: Place::Table { steps, offsets }, first: 0 }
    }

    /// The source without the first rows of every step.
    pub(crate) fn skip(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// Whether the rows of several steps need a table of where they start.
    pub(crate) fn is_scattered(&self, steps: &Steps) -> bool {
        steps.len() > 1 && !self.is_dense(steps, 0)
    }

    /// The first rows of step `t` as a matrix. `table` is room for where they start.
    #[inline(always)]
    pub(crate) fn of_step<'t>(
        &self,
        steps: &Steps,
        (t, rows): (usize, usize),
        table: &'t mut Vec<usize>,
    ) -> Matrix<'t, A>
    where
        'a: 't,
    {
        if let Some((data, distance)) = self.step(t, rows) {
            return Matrix::strided(data, rows, self.width, distance);
        }
        self.list_offsets(steps, t..t + 1, table);
        Matrix::gathered(self.data, table, self.width)
    }

    /// The rows of some steps as one matrix. `table` is room for where they start.
    pub(crate) fn matrix<'t>(
        &self,
        steps: &Steps,
        range: Range<usize>,
        table: &'t mut Vec<usize>,
    ) -> Matrix<'t, A>
    where
        'a: 't,
    {
        if let Some(rows) = self.dense(steps, range.clone()) {
            return Matrix::contiguous(rows, steps.start(range.end) - steps.start(range.start), self.width);
        }
        self.list_offsets(steps, range, table);
        Matrix::gathered(self.data, table, self.width)
    }

    /// Lists where the rows of some steps start.
    #[inline(never)]
    fn list_offsets(&self, steps: &Steps, range: Range<usize>, to: &mut Vec<usize>) {
        to.clear();
        to.extend(steps.places(range).map(|(t, b)| self.offset(t, b)));
    }

    /// Copies the rows of all steps, one after another.
    pub(crate) fn copy_to(self, steps: &Steps, to: &mut [A]) {
        if let Some(rows) = self.dense(steps, 0..steps.len()) {
            return copy(rows, to);
        }
        let places = steps.places(0..steps.len());
        places.zip(to.chunks_exact_mut(self.width)).for_each(|((t, b), to)| copy(self.row(t, b), to));
    }

    /// The rows of some steps, if they lie one after another.
    fn dense(&self, steps: &Steps, range: Range<usize>) -> Option<&'a [A]> {
        if !self.is_dense(steps, range.start) {
            return None;
        }
        let rows = steps.start(range.end) - steps.start(range.start);
        let start = if rows == 0 { 0 } else { self.offset(range.start, 0) };
        Some(&self.data[start..start + rows * self.width])
    }

    /// The width of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Row b of step t.
    #[inline(always)]
    pub(crate) fn row(&self, t: usize, b: usize) -> &'a [A] {
        &self.data[self.offset(t, b)..][..self.width]
    }

    /// Lists some columns of the first rows of step `t`.
    pub(crate) fn list(&self, t: usize, rows: usize, columns: Range<usize>, to: &mut Vec<&'a [A]>) {
        match self.step(t, rows) {
            Some((data, distance)) => to.extend(data.chunks(distance).map(|row| &row[columns.clone()])),
            None => to.extend((0..rows).map(|b| &self.row(t, b)[columns.clone()])),
        }
    }

    /// Some columns of the first rows of step `t`: a view if the rows lie one after another, else a copy in
    /// `room`.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if `room` cannot grow.
    #[inline(always)]
    pub(crate) fn columns<'r>(
        self,
        [t, rows]: [usize; 2],
        columns: Range<usize>,
        room: &'r mut Vec<A>,
    ) -> Result<&'r [A]>
    where
        'a: 'r,
    {
        if columns.len() == self.width
            && let Some((rows, distance)) = self.step(t, rows)
            && distance == columns.len()
        {
            return Ok(rows);
        }
        room.clear();
        grow("scratch", room, rows * columns.len())?;
        (0..rows).for_each(|b| room.extend_from_slice(&self.row(t, b)[columns.clone()]));
        Ok(room)
    }

    /// The first rows of step `t` and how far apart they start; `None` if there are no rows or no one distance.
    #[inline(always)]
    pub(crate) fn step(&self, t: usize, rows: usize) -> Option<(&'a [A], usize)> {
        let distance = match self.place {
            Place::Rows { .. } => self.width,
            Place::Grid { strides, order: None } => strides[1],
            _ => return None,
        };
        let (others, start) = (rows.checked_sub(1)?, self.offset(t, 0));
        Some((&self.data[start..start + others * distance + self.width], distance))
    }

    #[inline(always)]
    fn offset(&self, t: usize, b: usize) -> usize {
        let b = self.first + b;
        match self.place {
            Place::Rows { steps, origin } => (steps.start(t) + b - origin) * self.width,
            Place::Grid { strides, order } => t * strides[0] + order.map_or(b, |order| order[b]) * strides[1],
            Place::Table { steps, offsets } => offsets[steps.start(t) + b],
        }
    }

    /// Whether the rows of step `t` and of later steps lie one after another.
    fn is_dense(&self, steps: &Steps, t: usize) -> bool {
        let batch = steps.batch(t);
        match self.place {
            Place::Rows { steps: all, .. } => self.first == 0 && all.batch(t) == batch,
            Place::Grid { strides, order } => {
                let dense = strides == [batch * self.width, self.width];
                dense && order.is_none() && matches!(steps, Steps::Equal { .. })
            }
            Place::Table { .. } => false,
        }
    }
}
