//! The functions of a cell's gates and states, for as many numbers as a vector holds.

use std::fmt;

use pulp::Simd;

use crate::element::Element;
#[cfg(feature = "onnx")]
use crate::invariant::Invariant;
#[cfg(feature = "onnx")]
use crate::kernels::Numbered;
use crate::kernels::{Activation, Lanes, sigmoid, sigmoid_derivative, tanh, tanh_derivative};

/// A function of a sum, and its way back.
pub trait Function: Copy + Send + Sync {
    /// Whether the type stands for any function, chosen when the loops run, and its cells may have peepholes.
    const ANY: bool = false;

    /// The value.
    fn value<A: Element, S: Simd>(self, sum: Lanes<A, S>) -> Lanes<A, S>;

    /// What the way back needs, of the sum and the value.
    fn kept<A: Element, S: Simd>(self, _sum: Lanes<A, S>, value: Lanes<A, S>) -> Lanes<A, S> {
        value
    }

    /// The value again, of what was kept.
    fn again<A: Element, S: Simd>(self, kept: Lanes<A, S>) -> Lanes<A, S> {
        kept
    }

    /// The gradient of the sum, of what was kept and the gradient of the value.
    fn slope<A: Element, S: Simd>(self, kept: Lanes<A, S>, d_value: Lanes<A, S>) -> Lanes<A, S>;
}

/// The logistic function.
#[derive(Debug, Clone, Copy)]
pub struct Sigmoid;

/// The hyperbolic tangent.
#[derive(Debug, Clone, Copy)]
pub struct Tanh;

impl Function for Sigmoid {
    #[inline(always)]
    fn value<A: Element, S: Simd>(self, sum: Lanes<A, S>) -> Lanes<A, S> {
        sigmoid(sum)
    }

    #[inline(always)]
    fn slope<A: Element, S: Simd>(self, y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
        sigmoid_derivative(y, d)
    }
}

impl Function for Tanh {
    #[inline(always)]
    fn value<A: Element, S: Simd>(self, sum: Lanes<A, S>) -> Lanes<A, S> {
        tanh(sum)
    }

    #[inline(always)]
    fn slope<A: Element, S: Simd>(self, y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
        tanh_derivative(y, d)
    }
}

/// An activation of a network, a layer or a node of ONNX.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AnyActivation {
    /// One that Keras names too.
    Standard(Activation),
    /// One of ONNX alone, forward only.
    #[cfg(feature = "onnx")]
    Numbered(Numbered),
}

/// As the activation shows itself.
impl fmt::Debug for AnyActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(activation) => activation.fmt(f),
            #[cfg(feature = "onnx")]
            Self::Numbered(activation) => activation.fmt(f),
        }
    }
}

impl From<Activation> for AnyActivation {
    fn from(activation: Activation) -> Self {
        Self::Standard(activation)
    }
}

impl AnyActivation {
    /// As [`Activation::derives_from_sums`].
    #[inline(always)]
    pub(super) fn derives_from_sums(self) -> bool {
        match self {
            Self::Standard(activation) => activation.derives_from_sums(),
            #[cfg(feature = "onnx")]
            Self::Numbered(_) => false,
        }
    }

    /// The values of as many numbers as a vector holds.
    #[inline(always)]
    fn of<A: Element, S: Simd>(self, x: Lanes<A, S>) -> Lanes<A, S> {
        let [mut from, mut to] = [A::Line::default(); 2];
        let lanes = ..Lanes::<A, S>::COUNT;
        x.store(&mut from[lanes]);
        self.map(x.simd(), &from[lanes], &mut to[lanes]);
        Lanes::load(x.simd(), &to[lanes])
    }

    /// `to[i] = f(from[i])`.
    #[inline(always)]
    pub(super) fn map<A: Element, S: Simd>(self, simd: S, from: &[A], to: &mut [A]) {
        match self {
            Self::Standard(activation) => activation.map(simd, from, to),
            #[cfg(feature = "onnx")]
            Self::Numbered(activation) => activation.map(simd, from, to),
        }
    }

    /// The activation, of which there is a way back.
    #[inline(always)]
    pub(super) fn standard(self) -> Activation {
        match self {
            Self::Standard(activation) => activation,
            #[cfg(feature = "onnx")]
            Self::Numbered(_) => None.invariant("ONNX's nodes, which alone have numbers, do not run back"),
        }
    }
}

/// Any activation, of a sum that is limited to [-clip, clip] first if there is a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    pub(crate) activation: AnyActivation,
    pub(crate) clip: Option<f32>,
}

impl From<Activation> for Bounded {
    fn from(activation: Activation) -> Self {
        Self { activation: activation.into(), clip: None }
    }
}

/// To choose among activations takes some nanoseconds for each vector.
impl Function for Bounded {
    const ANY: bool = true;

    #[inline(always)]
    fn value<A: Element, S: Simd>(self, sum: Lanes<A, S>) -> Lanes<A, S> {
        let sum = match self.clip {
            Some(clip) => sum.at_least((-clip).into()).at_most(clip.into()),
            None => sum,
        };
        self.activation.of(sum)
    }

    #[inline(always)]
    fn kept<A: Element, S: Simd>(self, sum: Lanes<A, S>, value: Lanes<A, S>) -> Lanes<A, S> {
        if self.activation.derives_from_sums() { sum } else { value }
    }

    #[inline(always)]
    fn again<A: Element, S: Simd>(self, kept: Lanes<A, S>) -> Lanes<A, S> {
        if self.activation.derives_from_sums() { self.activation.of(kept) } else { kept }
    }

    #[inline(always)]
    fn slope<A: Element, S: Simd>(self, kept: Lanes<A, S>, d_value: Lanes<A, S>) -> Lanes<A, S> {
        debug_assert!(self.clip.is_none(), "ONNX's nodes, which alone have a clip, do not run back");
        self.activation.standard().slope(kept, d_value)
    }
}
