//! How the sequences of a batch become rows in steps, and rows become arrays again.

use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut3, Axis};

use crate::arrays::{elements_mut, try_standard};
use crate::element::Element;
use crate::error::{Error, Result, expect_shape};
use crate::invariant::Invariant;
use crate::kernels::{copied, copy};
use crate::order::longest_first;
use crate::planes::Planes;
use crate::room::{room, zero_elements};
use crate::steps::Steps;

/// How the sequences of a batch become rows in steps.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) steps: Steps,
    /// The sequence that is row b of every step, the longest first; `None` if it is sequence b.
    pub(crate) order: Option<Vec<usize>>,
}

impl Layout {
    /// Sequences of one length, in the caller's order. Without sequences there are no steps, however long they would be.
    pub(crate) fn equal(len: usize, batch: usize) -> Self {
        let len = if batch == 0 { 0 } else { len };
        Self { steps: Steps::Equal { len, batch }, order: None }
    }

    /// A copy.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds it.
    pub(crate) fn copied(&self) -> Result<Self> {
        let steps = match &self.steps {
            &Steps::Equal { len, batch } => Steps::Equal { len, batch },
            Steps::Ragged { starts } => Steps::Ragged { starts: copied("lengths", starts)? },
        };
        let order = self.order.as_ref().map(|order| copied("lengths", order)).transpose()?;
        Ok(Self { steps, order })
    }

    /// Sequences of some lengths, in any order.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are `batch` lengths, [`Error::EntryOutOfRange`] if one is over `len`,
    /// [`Error::SizeOverflow`] if no memory holds a number for each step.
    pub(crate) fn sorted(lengths: &[usize], len: usize, batch: usize) -> Result<Self> {
        expect_shape("lengths", &[batch], &[lengths.len()])?;
        if let Some((index, &actual)) = lengths.iter().enumerate().find(|&(_, &length)| length > len) {
            return Err(Error::EntryOutOfRange { list: "lengths", index, expected: 0..=len, actual });
        }
        Self::of_lengths(lengths)
    }

    /// Sequences of lengths that have been checked.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds a number for each step.
    pub(crate) fn of_lengths(lengths: &[usize]) -> Result<Self> {
        let order = longest_first(lengths)?;
        let longest = order.first().map_or(0, |&n| lengths[n]);
        let mut starts = zero_elements("lengths", &[longest.saturating_add(1)])?;
        for &n in &order {
            starts[1..=lengths[n]].iter_mut().for_each(|batch| *batch += 1);
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        Ok(Self { steps: Steps::Ragged { starts }, order: Some(order) })
    }

    /// The rows of a state (count, N, width), called `name`, in the order of the steps' rows.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds them.
    pub(crate) fn sorted_state<A: Element>(&self, name: &str, state: &ArrayView3<'_, A>) -> Result<Vec<A>> {
        let Some(order) = &self.order else {
            return Ok(try_standard(name, state)?.into_raw_vec_and_offset().0);
        };
        let mut rows = room(name, &[state.len_of(Axis(0)), order.len(), state.len_of(Axis(2))])?;
        for block in state.outer_iter() {
            order.iter().for_each(|&n| rows.extend(block.row(n)));
        }
        Ok(rows)
    }

    /// Runs a pass over a state whose rows are put into the order of the steps' rows, and back afterwards. A
    /// sequence of no steps keeps its state.
    ///
    /// # Errors
    /// As [`sorted_state`](Self::sorted_state), before the pass runs, and those of the pass. The state is unchanged then, if
    /// it was sorted.
    pub(crate) fn with_sorted_state<A: Element>(
        &self,
        state: &mut Planes<Array3<A>>,
        run: impl FnOnce(Planes<&mut [A]>) -> Result<()>,
    ) -> Result<()> {
        let planes = state.as_mut();
        let Some(order) = &self.order else {
            return run(planes.map(|plane| elements_mut(plane)));
        };
        let mut sorted = state.as_ref().try_map(|plane| self.sorted_state("state", &plane.view()))?;
        run(sorted.as_mut().map(Vec::as_mut_slice))?;
        state.as_mut().zip(sorted).map(|(state, rows)| {
            let mut rows = rows.chunks_exact(state.len_of(Axis(2)).max(1));
            for mut block in state.outer_iter_mut() {
                for (&n, row) in order.iter().zip(&mut rows) {
                    block.row_mut(n).iter_mut().zip(row).for_each(|(to, &from)| *to = from);
                }
            }
        });
        Ok(())
    }

    /// A mask (L, N), called `name`, as a list by row.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds it.
    pub(crate) fn gather_mask(&self, name: &str, mask: &ArrayView2<'_, bool>) -> Result<Vec<bool>> {
        let mut rows = room(name, &[self.steps.rows()])?;
        rows.extend(self.steps.places(0..self.steps.len()).map(|(t, b)| mask[[t, self.sequence(b)]]));
        Ok(rows)
    }

    /// Zeros for a row of `width` elements for each of the steps' rows.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] for rows, called `name`, that no memory holds.
    pub(crate) fn zero_rows<A: Element>(&self, name: &str, width: usize) -> Result<Vec<A>> {
        match self.steps {
            Steps::Equal { len, batch } => zero_elements(name, &[len, batch, width]),
            Steps::Ragged { .. } => zero_elements(name, &[self.steps.rows(), width]),
        }
    }

    /// Whether rows lie as an array (L, N, width) has them.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.steps, Steps::Equal { .. }) && self.order.is_none()
    }

    /// Copies rows to their places in an array (L, N, width) whose own rows are contiguous.
    pub(crate) fn scatter_rows<A: Element>(&self, rows: &[A], mut to: ArrayViewMut3<'_, A>) {
        if self.is_plain()
            && let Some(to) = to.as_slice_mut()
        {
            return copy(rows, to);
        }
        let width = to.len_of(Axis(2));
        for ((t, b), row) in self.steps.places(0..self.steps.len()).zip(rows.chunks_exact(width)) {
            let mut to = to.index_axis_mut(Axis(0), t);
            let mut to = to.index_axis_mut(Axis(0), self.sequence(b));
            copy(row, to.as_slice_mut().invariant("rows are contiguous"));
        }
    }

    /// The sequence that is row `b` of every step.
    pub(crate) fn sequence(&self, b: usize) -> usize {
        self.order.as_ref().map_or(b, |order| order[b])
    }
}
