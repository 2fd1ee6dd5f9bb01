//! One optimiser's step of one parameter, compiled for an instruction set.

use pulp::{Simd, WithSimd};

use super::adam::AdamStep;
use super::rmsprop::RmsPropStep;
use super::sgd::SgdStep;
use crate::element::Element;

/// The change of one parameter.
#[derive(Debug)]
pub enum Update<'a, A> {
    Sgd(SgdStep<'a, A>),
    Adam(AdamStep<'a, A>),
    RmsProp(RmsPropStep<'a, A>),
}

impl<A: Element> WithSimd for Update<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self {
            Self::Sgd(step) => step.run(),
            Self::Adam(step) => step.run(),
            Self::RmsProp(step) => step.run(),
        }
    }
}

/// torch's `lerp`: a step of a weight from `start` to `end`, from the nearer of the two.
#[inline(always)]
pub(super) fn lerp<A: Element>(start: A, end: A, weight: A) -> A {
    if weight.abs() < A::from_f64(0.5) {
        weight.mul_add(end - start, start)
    } else {
        (weight - A::one()).mul_add(end - start, end)
    }
}
