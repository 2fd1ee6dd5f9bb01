//! Memory that passes use again.

use std::cmp::Reverse;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::element::Element;

/// Vectors that are no longer needed, for a training pass and the way back from it. What they hold means nothing.
#[derive(Debug)]
pub struct Spares<A>(Mutex<Pool<A>>);

#[derive(Debug)]
struct Pool<A> {
    vectors: Vec<Vec<A>>,
    /// How many were asked for since the pass began.
    taken: usize,
}

impl<A> Default for Spares<A> {
    fn default() -> Self {
        Self(Mutex::new(Pool { vectors: Vec::new(), taken: 0 }))
    }
}

/// A copy has no spares of its own.
impl<A> Clone for Spares<A> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<A: Element> Spares<A> {
    /// A vector of `len` elements, whatever these are.
    pub(crate) fn take(&self, len: usize) -> Vec<A> {
        match self.find(len) {
            Some(mut spare) => {
                spare.resize(len, A::zero());
                spare
            }
            // Zeros of the system's are not written before they are used.
            None => vec![A::zero(); len],
        }
    }

    /// A vector without elements that has room for `len`.
    pub(crate) fn empty(&self, len: usize) -> Vec<A> {
        match self.find(len) {
            Some(mut spare) => {
                spare.clear();
                spare
            }
            None => Vec::with_capacity(len),
        }
    }

    /// Keeps a vector for later, if it has any room.
    pub(crate) fn give(&self, spare: Vec<A>) {
        if spare.capacity() > 0 {
            self.lock().vectors.push(spare);
        }
    }

    /// For the next pass: as many as the last one asked for, the largest.
    pub(crate) fn renewed(self) -> Self {
        let mut pool = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if pool.vectors.len() > pool.taken {
            pool.vectors.sort_by_key(|spare| Reverse(spare.capacity()));
            pool.vectors.truncate(pool.taken);
        }
        pool.taken = 0;
        Self(Mutex::new(pool))
    }

    /// The smallest vector that has room for `len` elements.
    fn find(&self, len: usize) -> Option<Vec<A>> {
        let mut pool = self.lock();
        pool.taken += 1;
        let large = pool.vectors.iter().enumerate().filter(|(_, spare)| spare.capacity() >= len);
        let (place, _) = large.min_by_key(|(_, spare)| spare.capacity())?;
        Some(pool.vectors.swap_remove(place))
    }

    fn lock(&self) -> MutexGuard<'_, Pool<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
