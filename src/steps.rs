//! How rows fall into time steps.
//!
//! The engine knows only rows, grouped into steps. Step t has `batch(t)` rows, never more than step t-1, and row b
//! of every step is of the same sequence.

use std::ops::Range;

use crate::error::Result;
use crate::room::room;

/// Rows grouped into steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steps {
    /// `len` steps of `batch` rows each.
    Equal {
        /// The number of steps.
        len: usize,
        /// The number of rows of each step.
        batch: usize,
    },
    /// Steps that never grow: where each starts, and where the last ends.
    Ragged {
        /// One entry more than there are steps.
        starts: Vec<usize>,
    },
}

impl Steps {
    /// Up to `count` steps of these numbers of rows, none larger than the one before.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds a number for each step.
    pub(crate) fn ragged(count: usize, batch_sizes: impl IntoIterator<Item = usize>) -> Result<Self> {
        let mut starts = room("lengths", &[count.saturating_add(1)])?;
        let mut end = 0;
        starts.push(end);
        for batch in batch_sizes.into_iter().take(count) {
            end += batch;
            starts.push(end);
        }
        Ok(Self::Ragged { starts })
    }

    /// The number of steps.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Equal { len, .. } => *len,
            Self::Ragged { starts } => starts.len() - 1,
        }
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.start(self.len())
    }

    /// The first row of step `t`; for `t = len`, the end of the last step.
    #[inline(always)]
    pub(crate) fn start(&self, t: usize) -> usize {
        match self {
            Self::Equal { batch, .. } => t * batch,
            Self::Ragged { starts } => starts[t],
        }
    }

    /// The number of rows of step `t`; 0 if there is no such step.
    #[inline(always)]
    pub(crate) fn batch(&self, t: usize) -> usize {
        match self {
            Self::Equal { len, batch } => {
                if t < *len {
                    *batch
                } else {
                    0
                }
            }
            Self::Ragged { starts } => {
                let end = t.checked_add(1).and_then(|next| starts.get(next));
                end.map_or(0, |end| end - starts[t])
            }
        }
    }

    /// Step and row of each row of some steps, in order.
    pub(crate) fn places(&self, steps: Range<usize>) -> impl Iterator<Item = (usize, usize)> + Clone {
        steps.flat_map(|t| (0..self.batch(t)).map(move |b| (t, b)))
    }

    /// Some rows of every step, as steps of their own.
    ///
    /// # Errors
    /// As [`ragged`](Self::ragged).
    pub(crate) fn narrow(&self, rows: &Range<usize>) -> Result<Self> {
        match self {
            Self::Equal { len, .. } => Ok(Self::Equal { len: *len, batch: rows.len() }),
            Self::Ragged { .. } => {
                let batches = (0..self.len()).map(|t| self.batch(t).clamp(rows.start, rows.end) - rows.start);
                Self::ragged(self.len(), batches.take_while(|&batch| batch > 0))
            }
        }
    }

    /// Splits the rows of every step into `count` ranges of about equal work.
    pub(crate) fn ranges(&self, count: usize) -> Vec<Range<usize>> {
        let batch = self.batch(0);
        // Wide enough for a product of two sizes.
        let (rows, mut next, mut done) = (self.rows() as u128, 0, 0);
        let mut range = |i: usize| {
            let start = next;
            while next < batch && (i + 1 == count || done * (count as u128) < rows * (i + 1) as u128) {
                done += self.len_of(next) as u128;
                next += 1;
            }
            start..next
        };
        (0..count).map(&mut range).collect()
    }

    /// The number of steps that have row `b`.
    pub(crate) fn len_of(&self, b: usize) -> usize {
        match self {
            Self::Equal { len, .. } => *len,
            Self::Ragged { starts } => starts.windows(2).take_while(|step| step[1] - step[0] > b).count(),
        }
    }

    /// Cuts the next steps off `left`, from its end if `reverse`: one step or more, of up to about `rows` rows.
    #[inline(always)]
    pub(crate) fn cut(&self, left: &mut Range<usize>, rows: usize, reverse: bool) -> Option<Range<usize>> {
        if left.start >= left.end {
            return None;
        }
        // Counting takes longer than a small step.
        let count = if left.len() == 1 { 1 } else { self.fitting(left, rows, reverse).clamp(1, left.len()) };
        Some(cut(left, count, reverse))
    }

    /// Cuts the next steps that have `batch` rows or more each off `left`, from its end if `reverse`.
    #[inline(always)]
    pub(crate) fn cut_large(&self, left: &mut Range<usize>, batch: usize, reverse: bool) -> Range<usize> {
        let large = |t: &usize| self.batch(*t) >= batch;
        let count = match self {
            Self::Equal { .. } => left.len(),
            Self::Ragged { .. } if reverse => left.clone().rev().take_while(large).count(),
            Self::Ragged { .. } => left.clone().take_while(large).count(),
        };
        cut(left, count, reverse)
    }

    /// How many of the first steps, or of the last if `reverse`, have up to `rows` rows together.
    fn fitting(&self, of: &Range<usize>, rows: usize, reverse: bool) -> usize {
        match self {
            Self::Equal { batch, .. } => rows / (*batch).max(1),
            Self::Ragged { starts } if reverse => {
                let (starts, end) = (&starts[of.clone()], starts[of.end]);
                starts.len() - starts.partition_point(|start| end - start > rows)
            }
            Self::Ragged { starts } => {
                let (ends, start) = (&starts[of.start + 1..=of.end], starts[of.start]);
                ends.partition_point(|end| end - start <= rows)
            }
        }
    }

    /// Cuts rows of `width` elements into those of each step.
    ///
    /// # Errors
    /// As [`ragged`](Self::ragged).
    pub(crate) fn pieces<'a, A>(&self, mut rows: &'a mut [A], width: usize) -> Result<Vec<&'a mut [A]>> {
        let mut pieces = room("lengths", &[self.len()])?;
        for t in 0..self.len() {
            let (piece, rest) = rows.split_at_mut(self.batch(t) * width);
            pieces.push(piece);
            rows = rest;
        }
        Ok(pieces)
    }
}

/// Cuts a number of steps off `left`, from its end if `reverse`.
#[inline(always)]
fn cut(left: &mut Range<usize>, count: usize, reverse: bool) -> Range<usize> {
    if reverse {
        left.end -= count;
        return left.end..left.end + count;
    }
    left.start += count;
    left.start - count..left.start
}
