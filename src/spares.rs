//! Memory that passes use again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array, Dimension};

use crate::element::Element;

/// Vectors that are no longer needed, for a training pass and the way back from it. What they hold means nothing.
#[derive(Debug)]
pub struct Spares<A> {
    vectors: Vec<Vec<A>>,
    /// How many of them, the first, were there when the pass began.
    old: usize,
}

impl<A> Default for Spares<A> {
    fn default() -> Self {
        Self { vectors: Vec::new(), old: 0 }
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

    /// A vector of `len` times a value.
    pub(crate) fn filled(&mut self, len: usize, value: A) -> Vec<A> {
        self.refilled(len, value).unwrap_or_else(|| vec![value; len])
    }

    /// An array of zeros.
    pub(crate) fn zeros<D: Dimension>(&mut self, dim: D) -> Array<A, D> {
        match self.refilled(dim.size(), A::zero()) {
            Some(spare) => Array::from_shape_vec(dim, spare).unwrap_or_default(),
            None => Array::zeros(dim),
        }
    }

    /// A spare with `len` times a value, if there is any.
    fn refilled(&mut self, len: usize, value: A) -> Option<Vec<A>> {
        let mut spare = self.find(len)?;
        spare.clear();
        spare.resize(len, value);
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

    /// The smallest vector that has room for `len` elements, and not for many more: it may become a caller's array.
    fn find(&mut self, len: usize) -> Option<Vec<A>> {
        let fitting = len.max(1)..=len.saturating_mul(2);
        let vectors = self.vectors.iter().enumerate();
        let fitting = vectors.filter(|(_, spare)| fitting.contains(&spare.capacity()));
        let (mut place, _) = fitting.min_by_key(|(_, spare)| spare.capacity())?;
        if place < self.old {
            // The old ones stay the first.
            self.old -= 1;
            self.vectors.swap(place, self.old);
            place = self.old;
        }
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
