//! Activations, element by element.

use pulp::{Simd, WithSimd};

use super::tanh::{tanh_f32, tanh_f64};
use crate::element::Element;

/// The function from a gate's sum to its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// tanh(x): correctly rounded in `f32`, within 1 ULP in `f64`.
    Tanh,
    /// max(0, x); NaN stays NaN, -0 becomes 0.
    Relu,
}

impl Activation {
    /// `to[i] = f(from[i])`.
    #[inline(always)]
    pub(crate) fn map<A: Element, S: Simd>(self, simd: S, from: &[A], to: &mut [A]) {
        match self {
            Self::Tanh => simd.vectorize(Map { from, to, f: tanh }),
            Self::Relu => simd.vectorize(Map { from, to, f: relu }),
        }
    }
}

/// `f` over a slice, compiled for an instruction set.
struct Map<'a, A, F> {
    from: &'a [A],
    to: &'a mut [A],
    f: F,
}

impl<A: Element, F: Fn(A) -> A> WithSimd for Map<'_, A, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.to.iter_mut().zip(self.from).for_each(|(to, &from)| *to = (self.f)(from));
    }
}

#[inline(always)]
fn relu<A: Element>(x: A) -> A {
    if x <= A::zero() { A::zero() } else { x }
}

#[inline(always)]
fn tanh<A: Element>(x: A) -> A {
    // The conversions are exact there and back, and compile to nothing.
    if A::SINGLE {
        A::from_f64(tanh_f32(x.into_f64() as f32).into())
    } else {
        A::from_f64(tanh_f64(x.into_f64()))
    }
}
