//! How the sequences of a batch become rows in steps, and rows become arrays again.

use std::cmp::Reverse;

use ndarray::{Array3, ArrayView2, ArrayView3, Axis, IntoDimension};

use crate::arrays::{array, elements_mut, standard};
use crate::element::Element;
use crate::error::{Error, Result, expect_shape};
use crate::kernels::copy;
use crate::planes::Planes;
use crate::steps::Steps;

/// How the sequences of a batch become rows in steps.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) steps: Steps,
    /// The sequence that is row b of every step, the longest first; `None` if it is sequence b.
    pub(crate) order: Option<Vec<usize>>,
}

impl Layout {
    /// Sequences of one length, in the caller's order.
    pub(crate) fn equal(len: usize, batch: usize) -> Self {
        Self { steps: Steps::Equal { len, batch }, order: None }
    }

    /// Sequences of some lengths, in any order.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are `batch` lengths, [`Error::EntryOutOfRange`] if one is over `len`.
    pub(crate) fn sorted(lengths: &[usize], len: usize, batch: usize) -> Result<Self> {
        expect_shape("lengths", &[batch], &[lengths.len()])?;
        if let Some((index, &actual)) = lengths.iter().enumerate().find(|&(_, &length)| length > len) {
            return Err(Error::EntryOutOfRange { list: "lengths", index, expected: 0..=len, actual });
        }
        Ok(Self::of_lengths(lengths))
    }

    /// Sequences of lengths that have been checked.
    pub(crate) fn of_lengths(lengths: &[usize]) -> Self {
        let mut order: Vec<_> = (0..lengths.len()).filter(|&n| lengths[n] > 0).collect();
        order.sort_by_key(|&n| Reverse(lengths[n]));
        let longest = order.first().map_or(0, |&n| lengths[n]);
        let mut batches = vec![0; longest];
        for &n in &order {
            batches[..lengths[n]].iter_mut().for_each(|batch| *batch += 1);
        }
        Self { steps: Steps::ragged(batches), order: Some(order) }
    }

    /// The rows of a state (count, N, width) in the order of the steps' rows.
    pub(crate) fn sorted_state<A: Element>(&self, state: &ArrayView3<'_, A>) -> Vec<A> {
        let Some(order) = &self.order else { return standard(state).into_raw_vec_and_offset().0 };
        let mut rows = Vec::with_capacity(state.len_of(Axis(0)) * order.len() * state.len_of(Axis(2)));
        for block in state.outer_iter() {
            order.iter().for_each(|&n| rows.extend(block.row(n)));
        }
        rows
    }

    /// Runs a pass over a state whose rows are put into the order of the steps' rows, and back afterwards. A
    /// sequence of no steps keeps its state.
    pub(crate) fn with_sorted_state<A: Element>(
        &self,
        state: &mut Planes<Array3<A>>,
        run: impl FnOnce(Planes<&mut [A]>),
    ) {
        let planes = state.as_mut();
        let Some(order) = &self.order else { return run(planes.map(|plane| elements_mut(plane))) };
        let mut sorted = state.as_ref().map(|plane| self.sorted_state(&plane.view()));
        run(sorted.as_mut().map(Vec::as_mut_slice));
        state.as_mut().zip(sorted).map(|(state, rows)| {
            let mut rows = rows.chunks_exact(state.len_of(Axis(2)).max(1));
            for mut block in state.outer_iter_mut() {
                for (&n, row) in order.iter().zip(&mut rows) {
                    block.row_mut(n).iter_mut().zip(row).for_each(|(to, &from)| *to = from);
                }
            }
        });
    }

    /// A mask (L, N) as a list with an entry for each row.
    pub(crate) fn gather_mask(&self, mask: &ArrayView2<'_, bool>) -> Vec<bool> {
        self.steps
            .places(0..self.steps.len())
            .map(|(t, b)| mask[[t, self.order.as_ref().map_or(b, |order| order[b])]])
            .collect()
    }

    /// Rows as an array (L, N, width), with `padding` behind the ends of sequences.
    pub(crate) fn scatter_rows<A: Element>(
        &self,
        rows: Vec<A>,
        (len, batch, width): (usize, usize, usize),
        padding: A,
    ) -> Array3<A> {
        if let (Steps::Equal { .. }, None) = (&self.steps, &self.order) {
            return array((len, batch, width).into_dimension(), rows);
        }
        let mut padded = vec![padding; len * batch * width];
        for ((t, b), row) in self.steps.places(0..self.steps.len()).zip(rows.chunks_exact(width)) {
            let n = self.order.as_ref().map_or(b, |order| order[b]);
            copy(row, &mut padded[(t * batch + n) * width..][..width]);
        }
        array((len, batch, width).into_dimension(), padded)
    }
}
