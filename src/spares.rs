//! Memory that passes use again.

use std::cmp::Reverse;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::element::Element;

/// Vectors that are no longer needed, for a training pass and the way back from it. What they hold means nothing.
#[derive(Debug)]
pub struct Spares<A> {
    vectors: Vec<Vec<A>>,
    /// How many were asked for since the pass began.
    taken: usize,
}

impl<A> Default for Spares<A> {
    fn default() -> Self {
        Self { vectors: Vec::new(), taken: 0 }
    }
}

impl<A: Element> Spares<A> {
    /// A vector of `len` elements, whatever these are.
    pub(crate) fn take(&mut self, len: usize) -> Vec<A> {
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
    pub(crate) fn empty(&mut self, len: usize) -> Vec<A> {
        match self.find(len) {
            Some(mut spare) => {
                spare.clear();
                spare
            }
            None => Vec::with_capacity(len),
        }
    }

    /// A vector of `len` times a value.
    pub(crate) fn filled(&mut self, len: usize, value: A) -> Vec<A> {
        match self.find(len) {
            Some(mut spare) => {
                spare.clear();
                spare.resize(len, value);
                spare
            }
            None => vec![value; len],
        }
    }

    /// Keeps a vector for later, if it has any room.
    pub(crate) fn give(&mut self, spare: Vec<A>) {
        if spare.capacity() > 0 {
            self.vectors.push(spare);
        }
    }

    /// For the next pass: as many as the last one asked for, the largest.
    pub(crate) fn renew(&mut self) {
        let taken = mem::take(&mut self.taken);
        if self.vectors.len() > taken {
            self.vectors.sort_by_key(|spare| Reverse(spare.capacity()));
            self.vectors.truncate(taken);
        }
    }

    /// The smallest vector that has room for `len` elements.
    fn find(&mut self, len: usize) -> Option<Vec<A>> {
        self.taken += 1;
        let large = self.vectors.iter().enumerate().filter(|(_, spare)| spare.capacity() >= len);
        let (place, _) = large.min_by_key(|(_, spare)| spare.capacity())?;
        Some(self.vectors.swap_remove(place))
    }
}

/// Spares that several ways back may ask for at once.
#[derive(Debug)]
pub struct SharedSpares<A>(Mutex<Spares<A>>);

impl<A> From<Spares<A>> for SharedSpares<A> {
    fn from(spares: Spares<A>) -> Self {
        Self(Mutex::new(spares))
    }
}

impl<A> Default for SharedSpares<A> {
    fn default() -> Self {
        Spares::default().into()
    }
}

/// A copy has no spares of its own.
impl<A> Clone for SharedSpares<A> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<A> SharedSpares<A> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Spares<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut Spares<A> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> Spares<A> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
