//! Memory that the passes of a network use again.
//!
//! An allocator may give large arrays back to the system when they are freed. When they are asked for again, the
//! system hands out zeroed pages, at the cost of a page fault for every 4 kB.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stack::Scratch;
use crate::element::Element;
use crate::error::Result;
use crate::room::{expect_room, zero_elements};

/// What all passes of a network use again.
#[derive(Debug, Default)]
pub struct Spares<A> {
    shelf: Mutex<Shelf<A>>,
    /// What passes and single steps work in: one for each of those that run at one time. A fifth makes its own.
    scratch: [Mutex<Scratch<A>>; 4],
}

/// Vectors that are free to be used again, for one who has locked them. Their elements mean nothing.
#[derive(Debug, Default)]
pub(crate) struct Shelf<A> {
    vectors: Vec<Vec<A>>,
    /// How many of the vectors, from the first on, were there when the last pass began.
    old: usize,
}

impl<A> Spares<A> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shelf<A>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Element> Spares<A> {
    /// Lends what a pass works in. To ask the system for it takes a tenth of the time of a pass of two units, to lock it 10 ns.
    #[inline(always)]
    pub(crate) fn with_scratch<T>(&self, run: impl FnOnce(&mut Scratch<A>) -> T) -> T {
        let Some(mut scratch) = self.scratch.iter().find_map(|scratch| scratch.try_lock().ok()) else {
            return run(&mut Scratch::default());
        };
        let result = run(&mut scratch);
        scratch.renew();
        result
    }
}

impl<A: Element> Shelf<A> {
    /// A vector for the elements of an array of this name, whatever these are.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds it.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<A>> {
        let len = shape.iter().fold(1, |len: usize, &axis| len.saturating_mul(axis));
        self.spare(len).map_or_else(|| zero_elements(name, shape), Ok)
    }

    /// As [`take`](Self::take), for lists of arrays: of each the number of arrays, and the width of their rows.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) with this name if no memory holds them all together.
    pub(crate) fn try_take_all<const N: usize>(
        &mut self,
        name: &str,
        rows: usize,
        lists: [(usize, usize); N],
    ) -> Result<[Vec<Vec<A>>; N]> {
        let (mut lacking, mut taken) = (0_usize, [const { Vec::new() }; N]);
        for (list, (count, width)) in taken.iter_mut().zip(lists) {
            let find = |_| self.spare(rows.saturating_mul(width)).unwrap_or_default();
            *list = (0..count).map(find).collect();
            let unfound = list.iter().filter(|vector| vector.is_empty()).count();
            lacking = lacking.saturating_add(unfound.saturating_mul(width));
        }
        if lacking > 0 {
            expect_room::<A>(name, &[rows, lacking])?;
            for (list, (_, width)) in taken.iter_mut().zip(lists) {
                for vector in list.iter_mut().filter(|vector| vector.is_empty()) {
                    *vector = zero_elements(name, &[rows, width])?;
                }
            }
        }
        Ok(taken)
    }

    /// A vector that was given back, with `len` elements.
    fn spare(&mut self, len: usize) -> Option<Vec<A>> {
        let mut spare = self.find(len)?;
        spare.resize(len, A::zero());
        Some(spare)
    }

    /// Keeps a vector for later, if it has any room.
    pub(crate) fn give(&mut self, spare: Vec<A>) {
        if spare.capacity() > 0 {
            self.vectors.push(spare);
        }
    }

    /// Begins the next pass, without what the last one had no use for.
    pub(crate) fn renew(&mut self) {
        self.vectors.drain(..self.old);
        self.old = self.vectors.len();
    }

    /// The places and capacities of the vectors that have room for `len` elements, and not for many more.
    fn fitting(&self, len: usize) -> impl Iterator<Item = (usize, usize)> {
        let fitting = len.max(1)..=len.saturating_mul(2);
        let capacities = self.vectors.iter().map(Vec::capacity).enumerate();
        capacities.filter(move |(_, capacity)| fitting.contains(capacity))
    }

    /// The smallest vector that has room for `len` elements, and not for many more.
    fn find(&mut self, len: usize) -> Option<Vec<A>> {
        let (mut place, _) = self.fitting(len).min_by_key(|&(_, capacity)| capacity)?;
        if place < self.old {
            // The old vectors stay the first.
            self.old -= 1;
            self.vectors.swap(place, self.old);
            place = self.old;
        }
        Some(self.vectors.swap_remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes that run at one time, each with room for as many elements as those that began before it.
    fn nested(spares: &Spares<f32>, begun: usize, capacities: &mut Vec<usize>) {
        spares.with_scratch(|scratch| {
            capacities.push(scratch.room.rows.capacity());
            scratch.room.rows.reserve_exact(begun);
            scratch.ready = 1;
            if begun < 6 {
                nested(spares, begun + 1, capacities);
            }
        });
    }

    #[test]
    fn four_passes_at_one_time_find_the_memory_of_earlier_ones() {
        let (spares, mut capacities) = (Spares::default(), Vec::new());
        nested(&spares, 1, &mut capacities);
        nested(&spares, 1, &mut capacities);
        assert_eq!(capacities, [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0]);
    }

    #[test]
    fn the_next_pass_looks_for_memory_and_finds_no_rows_of_a_whole_pass() {
        let spares = Spares::<f32>::default();
        spares.with_scratch(|scratch| (scratch.ready, scratch.below) = (1, vec![0.0; 1 << 18]));
        spares.with_scratch(|scratch| {
            assert_eq!((scratch.ready, scratch.below.capacity()), (0, 1 << 18));
            scratch.below = vec![0.0; (1 << 18) + 1];
        });
        spares.with_scratch(|scratch| assert_eq!(scratch.below.capacity(), 0));
    }
}
