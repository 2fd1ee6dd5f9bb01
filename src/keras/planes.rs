//! A layer's state as the engine has it.

use crate::error::Result;

/// The arrays of a state: h, and beside it c where a kind of layer carries one.
#[derive(Debug, Clone)]
pub struct Planes<T> {
    pub(super) h: T,
    pub(super) c: Option<T>,
}

impl<T> Planes<T> {
    /// One value for each plane.
    pub(super) fn new(carries: bool, mut value: impl FnMut() -> T) -> Self {
        Self { h: value(), c: carries.then(value) }
    }

    pub(super) fn as_ref(&self) -> Planes<&T> {
        Planes { h: &self.h, c: self.c.as_ref() }
    }

    pub(super) fn map<S>(self, mut f: impl FnMut(T) -> S) -> Planes<S> {
        Planes { h: f(self.h), c: self.c.map(f) }
    }

    pub(super) fn try_map<S>(self, mut f: impl FnMut(T) -> Result<S>) -> Result<Planes<S>> {
        Ok(Planes { h: f(self.h)?, c: self.c.map(f).transpose()? })
    }
}
