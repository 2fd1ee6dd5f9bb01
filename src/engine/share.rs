//! The part of an array's rows that one worker writes.

use std::ops::Range;

use crate::element::Element;
use crate::error::Result;
use crate::kernels::{copied, copy};
use crate::room::{grow, resize, room};
use crate::steps::Steps;

/// A worker's rows: all rows of an array, or the worker's share of each step.
#[derive(Debug)]
pub enum Share<'a, A> {
    /// All rows.
    Whole(&'a mut [A]),
    /// The rows of each step.
    Pieces(Vec<&'a mut [A]>),
    /// None: what is written is lost.
    Nowhere,
}

/// A [`Share`], borrowed.
#[derive(Debug)]
pub(super) enum ShareMut<'b, 'a, A> {
    Whole(&'b mut [A]),
    Pieces(&'b mut [&'a mut [A]]),
    Nowhere,
}

impl<'a, A> Share<'a, A> {
    /// Each array as a whole.
    pub(crate) fn wholes(arrays: &'a mut [Vec<A>]) -> Vec<Self> {
        arrays.iter_mut().map(|rows| Self::Whole(rows)).collect()
    }

    /// As many shares of no rows.
    pub(super) fn nowhere(count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::Nowhere).collect()
    }

    /// Splits rows of `width` elements among workers. Each worker takes a range of each step's rows; together the
    /// ranges are `0..batch(0)`.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds a number for each step.
    pub(super) fn split(self, width: usize, steps: &Steps, ranges: &[Range<usize>]) -> Result<Vec<Self>> {
        let pieces = match self {
            Self::Whole(rows) => steps.pieces(rows, width)?,
            Self::Pieces(pieces) => pieces,
            Self::Nowhere => return Ok(Self::nowhere(ranges.len())),
        };
        let shares = ranges.iter().map(|_| room("lengths", &[pieces.len()]));
        let mut shares = shares.collect::<Result<Vec<_>>>()?;
        for mut rows in pieces {
            let (batch, mut done) = (rows.len() / width, 0);
            for (range, share) in ranges.iter().zip(&mut shares) {
                let end = range.end.min(batch).max(done);
                let (piece, rest) = rows.split_at_mut((end - done) * width);
                share.push(piece);
                (rows, done) = (rest, end);
            }
        }
        Ok(shares.into_iter().map(Self::Pieces).collect())
    }

    /// A copy of a whole array.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds it.
    pub(super) fn copied(&self) -> Result<Vec<A>>
    where
        A: Copy,
    {
        match self {
            Self::Whole(rows) => copied("state", rows),
            Self::Pieces(pieces) => Ok(pieces.concat()),
            Self::Nowhere => Ok(Vec::new()),
        }
    }

    pub(super) fn borrow(&mut self) -> ShareMut<'_, 'a, A> {
        match self {
            Self::Whole(rows) => ShareMut::Whole(rows),
            Self::Pieces(pieces) => ShareMut::Pieces(pieces),
            Self::Nowhere => ShareMut::Nowhere,
        }
    }
}

impl<'b, A> ShareMut<'b, '_, A> {
    /// The share of step `t`. In the whole array its rows are `range`.
    #[inline(always)]
    pub(super) fn step(&mut self, t: usize, range: Range<usize>) -> &mut [A] {
        match self {
            Self::Whole(rows) => &mut rows[range],
            Self::Pieces(pieces) => pieces[t],
            Self::Nowhere => &mut [],
        }
    }

    /// Copies rows to the share of step `t`, if there is one. In the whole array they are `range`.
    #[inline(always)]
    pub(super) fn store(&mut self, t: usize, range: Range<usize>, rows: &[A])
    where
        A: Copy,
    {
        if !matches!(self, Self::Nowhere) {
            let width = rows.len() / range.len();
            copy(rows, self.step(t, range.start * width..range.end * width));
        }
    }

    /// The rows of some steps. In the whole array they are `range`. If there is no whole array they are in `room`,
    /// and [`put`](Self::put) copies them from there; `room` then holds their values if they were `written`
    /// before, and any values otherwise.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if `room` cannot grow.
    #[inline(always)]
    pub(super) fn rows<'r>(
        &'r mut self,
        steps: Range<usize>,
        range: Range<usize>,
        written: bool,
        room: &'r mut Vec<A>,
    ) -> Result<&'r mut [A]>
    where
        A: Default + Copy,
    {
        match self {
            Self::Whole(rows) => Ok(&mut rows[range]),
            Self::Pieces(pieces) => {
                if written {
                    room.clear();
                    grow("scratch", room, range.len())?;
                    pieces[steps].iter().for_each(|piece| room.extend_from_slice(piece));
                }
                resize("scratch", room, range.len())?;
                Ok(room)
            }
            Self::Nowhere => {
                resize("scratch", room, range.len())?;
                Ok(room)
            }
        }
    }

    /// Copies the rows of some steps from the room of [`rows`](Self::rows) to their pieces, if there are pieces.
    #[inline(always)]
    pub(super) fn put(&mut self, steps: Range<usize>, room: &[A])
    where
        A: Copy,
    {
        if let Self::Pieces(pieces) = self {
            let mut rest = room;
            for piece in &mut pieces[steps] {
                let (rows, behind) = rest.split_at(piece.len());
                copy(rows, piece);
                rest = behind;
            }
        }
    }

    /// As [`step`](Self::step), for as long as the share was borrowed.
    pub(super) fn into_step(self, t: usize, range: Range<usize>) -> &'b mut [A] {
        match self {
            Self::Whole(rows) => &mut rows[range],
            Self::Pieces(pieces) => pieces[t],
            Self::Nowhere => &mut [],
        }
    }
}

/// Some columns of a layer's output rows.
#[derive(Debug)]
pub(super) struct Target<'a, 't, A> {
    /// The rows, by step.
    pub(super) rows: ShareMut<'a, 't, A>,
    /// The first of the rows.
    pub(super) origin: usize,
    /// The rows' width.
    pub(super) width: usize,
    /// The first of the columns.
    pub(super) column: usize,
}

impl<A: Element> Target<'_, '_, A> {
    /// Copies rows of hidden states to the rows of step `t`, which are `range` among all rows.
    #[inline(always)]
    pub(super) fn store(&mut self, t: usize, range: Range<usize>, h: &[A], features: usize) {
        let [start, end] = [range.start, range.end].map(|row| (row - self.origin) * self.width);
        let rows = self.rows.step(t, start..end);
        if self.width == features {
            copy(h, rows);
        } else {
            store_columns(h, features, rows, self.width, self.column);
        }
    }
}

/// Copies rows to some columns of other rows.
#[inline(never)]
fn store_columns<A: Element>(from: &[A], features: usize, rows: &mut [A], width: usize, column: usize) {
    for (row, from) in rows.chunks_exact_mut(width).zip(from.chunks_exact(features)) {
        copy(from, &mut row[column..column + features]);
    }
}
