//! The functions of a cell's gates and states, for as many numbers as a vector holds.

use pulp::Simd;

use crate::element::Element;
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

/// Any activation, of a sum that is limited to [-clip, clip] first if there is a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    pub(crate) activation: Activation,
    pub(crate) clip: Option<f32>,
}

impl From<Activation> for Bounded {
    fn from(activation: Activation) -> Self {
        Self { activation, clip: None }
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
        self.activation.slope(kept, d_value)
    }
}
