//! A state, in one plane or two.

use crate::error::Result;
use crate::invariant::Invariant;

/// A hidden state h and, if the cell carries one, a cell state c. They are two arrays because a recurrent product
/// reads h and not c, and because they may differ in width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planes<T> {
    /// The hidden state.
    pub h: T,
    /// The cell state.
    pub c: Option<T>,
}

impl<T> Planes<T> {
    /// One value for each plane.
    pub(crate) fn new(carries: bool, mut value: impl FnMut() -> T) -> Self {
        Self { h: value(), c: carries.then(value) }
    }

    /// Applies a function to each plane.
    #[inline(always)]
    pub(crate) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Planes<U> {
        Planes { h: f(self.h), c: self.c.map(f) }
    }

    /// Each plane with its name.
    #[inline(always)]
    pub(crate) fn named(self, [h, c]: [&str; 2]) -> Planes<(&str, T)> {
        Planes { h: (h, self.h), c: self.c.map(|plane| (c, plane)) }
    }

    /// Pairs each plane with that of another state of the same kind.
    #[inline(always)]
    pub(crate) fn zip<U>(self, other: Planes<U>) -> Planes<(T, U)> {
        Planes { h: (self.h, other.h), c: self.c.zip(other.c) }
    }

    #[inline(always)]
    pub(crate) fn as_ref(&self) -> Planes<&T> {
        Planes { h: &self.h, c: self.c.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn as_mut(&mut self) -> Planes<&mut T> {
        Planes { h: &mut self.h, c: self.c.as_mut() }
    }

    /// Applies a function that may fail to each plane.
    #[inline(always)]
    pub(crate) fn try_map<U>(self, mut f: impl FnMut(T) -> Result<U>) -> Result<Planes<U>> {
        Ok(Planes { h: f(self.h)?, c: self.c.map(f).transpose()? })
    }
}

/// A state as a caller has it: h alone, or the pair (h, c) of a cell that carries a c.
pub trait AsPlanes<T>: Sized {
    #[doc(hidden)]
    fn into_planes(self) -> Planes<T>;

    #[doc(hidden)]
    fn planes_mut(&mut self) -> Planes<&mut T>;

    #[doc(hidden)]
    fn of_planes(planes: Planes<T>) -> Self;
}

impl<T> AsPlanes<T> for T {
    #[inline(always)]
    fn into_planes(self) -> Planes<T> {
        Planes { h: self, c: None }
    }

    #[inline(always)]
    fn planes_mut(&mut self) -> Planes<&mut T> {
        Planes { h: self, c: None }
    }

    #[inline(always)]
    fn of_planes(planes: Planes<T>) -> T {
        planes.h
    }
}

impl<T> AsPlanes<T> for (T, T) {
    #[inline(always)]
    fn into_planes(self) -> Planes<T> {
        Planes { h: self.0, c: Some(self.1) }
    }

    #[inline(always)]
    fn planes_mut(&mut self) -> Planes<&mut T> {
        Planes { h: &mut self.0, c: Some(&mut self.1) }
    }

    #[inline(always)]
    fn of_planes(planes: Planes<T>) -> (T, T) {
        (planes.h, planes.c.invariant("a cell that carries a c has it"))
    }
}
