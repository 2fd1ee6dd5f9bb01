//! The kernels of the way back, called by a table.
//!
//! What prepares these calls depends neither on the instruction set nor, but for a few numbers, on the cell. So it is
//! compiled once for each element type, and not for each of three cells on each of three instruction sets as well: that
//! took a fifth of the time in which the crate is compiled. A call by the table takes about a nanosecond.

use pulp::{Simd, WithSimd};

use super::few::{GradientRows, Outer};
use crate::cell::{Cell, KeptRows};
use crate::element::Element;
use crate::error::Result;
use crate::kernels::{Blocks, Product};

/// The kernels of one instruction set.
pub(super) trait Kernels<A: Element> {
    /// Makes a product.
    fn product(&self, product: Product<'_, A>);

    /// Changes elements one by one.
    fn change(&self, change: Change<'_, A>);

    /// Adds outer products: see [`Outer`].
    fn add_outer(&self, outer: Outer<'_, '_, A>);
}

impl<A: Element, S: Simd> Kernels<A> for S {
    fn product(&self, product: Product<'_, A>) {
        product.run(*self);
    }

    fn change(&self, change: Change<'_, A>) {
        self.vectorize(change);
    }

    fn add_outer(&self, outer: Outer<'_, '_, A>) {
        self.vectorize(outer);
    }
}

/// A change of each element of a slice.
pub(super) enum Change<'a, A> {
    /// `to[i] += terms[i]`.
    Add { terms: &'a [A], to: &'a mut [A] },
    /// `to[i] += row[i]` for each row, `i` over this thread's units of every block.
    AddRows { rows: &'a GradientRows<'a, A>, to: &'a mut [A] },
    /// `to[i] *= factors[i]`.
    Multiply { factors: &'a [A], to: &'a mut [A] },
    /// `to[i] += terms[i] * factors[i]`, rounded once.
    AddProducts { terms: &'a [A], factors: &'a [A], to: &'a mut [A] },
}

impl<A: Element> WithSimd for Change<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self {
            Self::Add { terms, to } => to.iter_mut().zip(terms).for_each(|(to, &term)| *to += term),
            Self::AddRows { rows, to } => rows.add_to(to),
            Self::Multiply { factors, to } => {
                to.iter_mut().zip(factors).for_each(|(to, &factor)| *to *= factor);
            }
            Self::AddProducts { terms, factors, to } => {
                let terms = terms.iter().zip(factors);
                to.iter_mut().zip(terms).for_each(|(to, (&term, &factor))| *to = term.mul_add(factor, *to));
            }
        }
    }
}

/// The way back of a cell on one instruction set.
pub(super) trait CellBack<A: Element> {
    /// The kernels of the instruction set.
    fn kernels(&self) -> &dyn Kernels<A>;

    /// As [`Cell::backward`].
    fn back(&self, blocks: Blocks, kept: KeptRows<'_, A>, d_h: &mut [A], d_c: &mut [A], d_sums: &mut [A]);

    /// As [`Cell::gate_back`].
    fn gate_back(
        &self,
        blocks: Blocks,
        kept: (&[A], Option<&[A]>),
        d_operand: &[A],
        d_h: &mut [A],
        d_sums: &mut [A],
    );
}

/// A cell, and the instruction set that it runs on.
struct CellOn<C, S> {
    cell: C,
    simd: S,
}

impl<A: Element, C: Cell<A>, S: Simd> CellBack<A> for CellOn<C, S> {
    fn kernels(&self) -> &dyn Kernels<A> {
        &self.simd
    }

    fn back(&self, blocks: Blocks, kept: KeptRows<'_, A>, d_h: &mut [A], d_c: &mut [A], d_sums: &mut [A]) {
        self.cell.backward(self.simd, blocks, kept, d_h, d_c, d_sums);
    }

    fn gate_back(
        &self,
        blocks: Blocks,
        kept: (&[A], Option<&[A]>),
        d_operand: &[A],
        d_h: &mut [A],
        d_sums: &mut [A],
    ) {
        self.cell.gate_back(self.simd, blocks, kept, d_operand, d_h, d_sums);
    }
}

/// What is to be done with a cell on the way back.
pub(super) type Work<'w, A> = &'w mut dyn FnMut(&dyn CellBack<A>) -> Result<()>;

/// Hands a cell on an instruction set to some work.
pub(super) struct WithCell<'w, A, C> {
    pub(super) cell: C,
    pub(super) work: Work<'w, A>,
}

impl<A: Element, C: Cell<A>> WithSimd for WithCell<'_, A, C> {
    type Output = Result<()>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Result<()> {
        (self.work)(&CellOn { cell: self.cell, simd })
    }
}
