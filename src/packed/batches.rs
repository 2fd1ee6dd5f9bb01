//! Which row of a packed batch belongs to which step of which sequence.

use crate::error::{Error, Result, expect_shape};
use crate::invariant::Invariant;
use crate::kernels::copied;
use crate::order::longest_first;
use crate::room::{collected, filled_elements, room, zero_elements};

/// How the rows of sequences of different lengths, longest first, fall into steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batches {
    /// How many sequences reach each step: at least one, and never more than reach the step before.
    pub(super) batch_sizes: Vec<usize>,
    /// The order of the sequences; `None` for the caller's order.
    pub(super) order: Option<Order>,
}

/// A permutation of sequences: the caller's number of each place, and the place of each of the caller's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) sorted: Vec<usize>,
    pub(super) unsorted: Vec<usize>,
}

impl Batches {
    /// Packs sequences of these lengths, each from 1 to `longest`.
    pub(super) fn new(lengths: &[usize], longest: usize, enforce_sorted: bool) -> Result<Self> {
        if lengths.is_empty() {
            return Err(Error::ZeroSize { name: "number of sequences" });
        }
        expect_lengths(lengths, 1, longest)?;
        if enforce_sorted {
            expect_sorted("lengths", lengths)?;
            return Ok(Self { batch_sizes: count_by_step(lengths)?, order: None });
        }
        let sorted = longest_first(lengths)?;
        let descending = collected("lengths", sorted.iter().map(|&n| lengths[n]))?;
        let unsorted = inverse(&sorted)?;
        Ok(Self { batch_sizes: count_by_step(&descending)?, order: Some(Order { sorted, unsorted }) })
    }

    /// Checks that the parts fit each other and data of so many rows.
    pub(super) fn from_parts(
        batch_sizes: Vec<usize>,
        sorted_indices: Option<Vec<usize>>,
        [rows, features]: [usize; 2],
    ) -> Result<Self> {
        let Some(&batch) = batch_sizes.first() else {
            return Err(Error::EmptySequence { array: "batch_sizes", shape: vec![0] });
        };
        if let Some(index) = batch_sizes.iter().position(|&size| size == 0) {
            let expected = 1..=batch.max(1);
            return Err(Error::EntryOutOfRange { list: "batch_sizes", index, expected, actual: 0 });
        }
        expect_sorted("batch_sizes", &batch_sizes)?;
        expect_shape("data", &[total(&batch_sizes), features], &[rows, features])?;
        // Rows without features take no memory, so any number of sequences may come; `lengths` needs memory for each.
        drop(room::<usize>("lengths", &[batch])?);
        let order = match sorted_indices {
            None => None,
            Some(sorted) => {
                expect_shape("sorted_indices", &[batch], &[sorted.len()])?;
                Some(Order { unsorted: inverse(&sorted)?, sorted })
            }
        };
        Ok(Self { batch_sizes, order })
    }

    /// The number of sequences.
    pub(super) fn batch(&self) -> usize {
        self.batch_sizes[0]
    }

    /// The number of rows, at most `usize::MAX`.
    pub(super) fn rows(&self) -> usize {
        total(&self.batch_sizes)
    }

    /// A copy.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds it.
    pub(super) fn copied(&self) -> Result<Self> {
        let order = |Order { sorted, unsorted }: &Order| -> Result<_> {
            Ok(Order { sorted: copied("lengths", sorted)?, unsorted: copied("lengths", unsorted)? })
        };
        let order = self.order.as_ref().map(order).transpose()?;
        Ok(Self { batch_sizes: copied("batch_sizes", &self.batch_sizes)?, order })
    }

    /// The step of each row, and the caller's number of its sequence.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let steps = self.batch_sizes.iter().enumerate();
        steps.flat_map(move |(t, &batch)| (0..batch).map(move |place| (t, self.sequence(place))))
    }

    /// The sequences' lengths, in the caller's order.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds them.
    pub(super) fn lengths(&self) -> Result<Vec<usize>> {
        let mut lengths = zero_elements("lengths", &[self.batch()])?;
        let mut place = self.batch();
        for (t, &batch) in self.batch_sizes.iter().enumerate() {
            for ended in batch..place {
                lengths[self.sequence(ended)] = t;
            }
            place = batch;
        }
        (0..place).for_each(|place| lengths[self.sequence(place)] = self.batch_sizes.len());
        Ok(lengths)
    }

    /// The caller's number of the sequence at a place.
    fn sequence(&self, place: usize) -> usize {
        self.order.as_ref().map_or(place, |order| order.sorted[place])
    }
}

/// Checks that there is a length for each sequence.
pub(super) fn expect_one_each(lengths: &[usize], batch: usize) -> Result<()> {
    expect_shape("lengths", &[batch], &[lengths.len()])
}

/// Checks that every length is in a range.
pub(super) fn expect_lengths(lengths: &[usize], shortest: usize, longest: usize) -> Result<()> {
    let expected = shortest..=longest;
    match lengths.iter().position(|length| !expected.contains(length)) {
        None => Ok(()),
        Some(index) => {
            let actual = lengths[index];
            Err(Error::EntryOutOfRange { list: "lengths", index, expected, actual })
        }
    }
}

fn expect_sorted(list: &'static str, entries: &[usize]) -> Result<()> {
    match entries.windows(2).position(|pair| pair[0] < pair[1]) {
        None => Ok(()),
        Some(i) => {
            let (previous, actual) = (entries[i], entries[i + 1]);
            Err(Error::NotSorted { list, index: i + 1, previous, actual })
        }
    }
}

/// How many sequences reach each step, given their lengths, the longest first; there is one length at least.
fn count_by_step(descending: &[usize]) -> Result<Vec<usize>> {
    let longest = descending[0];
    // Rows without features take no memory, so a sequence may have any length; every step takes memory here.
    let mut batch_sizes = room("batch_sizes", &[longest])?;
    let mut batch = descending.len();
    for t in 0..longest {
        while descending[batch - 1] <= t {
            batch -= 1;
        }
        batch_sizes.push(batch);
    }
    Ok(batch_sizes)
}

/// The sum, at most `usize::MAX`: no array has as many rows.
fn total(batch_sizes: &[usize]) -> usize {
    batch_sizes.iter().fold(0, |sum, &size| sum.saturating_add(size))
}

/// The inverse of `sorted_indices`, if it is a permutation.
fn inverse(sorted: &[usize]) -> Result<Vec<usize>> {
    let list = "sorted_indices";
    let mut inverse = filled_elements(list, &[sorted.len()], None)?;
    for (index, &actual) in sorted.iter().enumerate() {
        let expected = 0..=sorted.len() - 1;
        match inverse.get_mut(actual) {
            None => return Err(Error::EntryOutOfRange { list, index, expected, actual }),
            Some(Some(_)) => return Err(Error::RepeatedEntry { list, index, actual }),
            Some(place) => *place = Some(index),
        }
    }
    let place =
        |place: Option<usize>| place.invariant("as many different numbers below a count are all of them");
    collected(list, inverse.into_iter().map(place))
}
