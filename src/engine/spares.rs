//! Memory that the training passes and single steps of a network use again.
//!
//! An allocator may give large arrays back to the system when they are freed. When they are asked for again, the
//! system hands out zeroed pages, at the cost of a page fault for every 4 kB.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stack::Scratch;
use crate::element::Element;
use crate::error::Result;
use crate::room::{expect_room, zero_elements};

/// Vectors that are free to be used again, for all passes of a network. Their elements mean nothing.
#[derive(Debug)]
pub struct Spares<A>(Mutex<Shelf<A>>);

/// The vectors, for one who has locked them: a lock takes as long as a small product.
#[derive(Debug)]
pub(crate) struct Shelf<A> {
    vectors: Vec<Vec<A>>,
    /// How many of the vectors, from the first on, were there when the last pass began.
    old: usize,
    /// What single steps work in, one for each of the steps that ran at one time.
    #[expect(clippy::vec_box, reason = "a step moves a box in 2 instructions, what is in it in 90")]
    scratch: Vec<Box<Scratch<A>>>,
}

impl<A> Default for Spares<A> {
    fn default() -> Self {
        Self(Mutex::new(Shelf { vectors: Vec::new(), old: 0, scratch: Vec::new() }))
    }
}

impl<A> Spares<A> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shelf<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut lacking = 0_usize;
        let found = lists.map(|(count, width)| {
            let mut find = || {
                let spare = self.spare(rows.saturating_mul(width));
                lacking = lacking.saturating_add(if spare.is_none() { width } else { 0 });
                spare
            };
            (width, (0..count).map(|_| find()).collect::<Vec<_>>())
        });
        expect_room::<A>(name, &[rows, lacking])?;
        let mut taken = [(); N].map(|()| Vec::new());
        for ((width, spares), list) in found.into_iter().zip(&mut taken) {
            for spare in spares {
                list.push(spare.map_or_else(|| zero_elements(name, &[rows, width]), Ok)?);
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

    /// What a single step works in.
    pub(crate) fn take_scratch(&mut self) -> Box<Scratch<A>> {
        self.scratch.pop().unwrap_or_default()
    }

    /// Keeps what a single step worked in.
    pub(crate) fn give_scratch(&mut self, scratch: Box<Scratch<A>>) {
        self.scratch.push(scratch);
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
