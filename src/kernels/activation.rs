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

impl Activation {
    /// `d_from[i] = f'(from[i]) * d_to[i]`, f' in terms of `to[i] = f(from[i])`.
    #[inline(always)]
    pub(crate) fn derive<A: Element, S: Simd>(self, simd: S, to: &[A], d_to: &[A], d_from: &mut [A]) {
        match self {
            Self::Tanh => simd.vectorize(Derive { to, d_to, d_from, f: tanh_derivative }),
            Self::Relu => simd.vectorize(Derive { to, d_to, d_from, f: relu_derivative }),
        }
    }
}

/// As [`Map`], for a function of two values.
struct Derive<'a, A, F> {
    to: &'a [A],
    d_to: &'a [A],
    d_from: &'a mut [A],
    f: F,
}

impl<A: Element, F: Fn(A, A) -> A> WithSimd for Derive<'_, A, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let pairs = self.to.iter().zip(self.d_to);
        self.d_from.iter_mut().zip(pairs).for_each(|(d_from, (&to, &d_to))| *d_from = (self.f)(to, d_to));
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

/// (1 - tanh^2) d, the difference rounded once.
#[inline(always)]
fn tanh_derivative<A: Element>(y: A, d: A) -> A {
    d * (-y).mul_add(y, A::one())
}

/// d where relu is positive; a NaN passes it on, as in torch.
#[inline(always)]
fn relu_derivative<A: Element>(y: A, d: A) -> A {
    if y <= A::zero() { A::zero() } else { d }
}
