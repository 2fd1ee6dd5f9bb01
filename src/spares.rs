//! Memory that passes use again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::element::Element;

/// Vectors that are no longer needed, for a training pass and the way back from it. What they hold means nothing.
#[derive(Debug)]
pub struct Spares<A>(Mutex<Pool<A>>);

#[derive(Debug)]
struct Pool<A> {
    /// The smallest first.
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
            let vectors = &mut self.lock().vectors;
            let place = vectors.partition_point(|other| other.capacity() < spare.capacity());
            vectors.insert(place, spare);
        }
    }

    /// For the next pass: as many as the last one asked for, the largest.
    pub(crate) fn renewed(self) -> Self {
        let mut pool = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let surplus = pool.vectors.len().saturating_sub(pool.taken);
        pool.vectors.drain(..surplus);
        pool.taken = 0;
        Self(Mutex::new(pool))
    }

    /// The smallest vector that has room for `len` elements.
    fn find(&self, len: usize) -> Option<Vec<A>> {
        let mut pool = self.lock();
        pool.taken += 1;
        let place = pool.vectors.partition_point(|spare| spare.capacity() < len);
        (place < pool.vectors.len()).then(|| pool.vectors.remove(place))
    }

    fn lock(&self) -> MutexGuard<'_, Pool<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
