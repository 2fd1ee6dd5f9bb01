//! Activations with numbers of their own, which ONNX's recurrent nodes may have. They run forward only.

use pulp::{Simd, WithSimd};

use super::formulas::{elu, relu};
use super::lanes::{Lanes, vectorize};
use super::tanh::tanh;
use crate::element::Element;

/// An activation of ONNX's recurrent operators with numbers of its own.
///
/// ```
/// use ndarray_rnn::io::onnx::Numbered;
///
/// // What ONNX Runtime takes for an Elu without activation_alpha.
/// let elu = Numbered::Elu { alpha: 1.0 };
/// assert_eq!(format!("{elu:?}"), "Elu { alpha: 1.0 }");
/// ```
///
/// Source: <https://onnx.ai/onnx/operators/onnx__LSTM.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's formula has its numbers")]
pub enum Numbered {
    /// alpha x + beta.
    Affine { alpha: f32, beta: f32 },
    /// x where x >= 0, alpha x elsewhere.
    LeakyRelu { alpha: f32 },
    /// x where x > alpha, 0 elsewhere.
    ThresholdedRelu { alpha: f32 },
    /// alpha tanh(beta x).
    ScaledTanh { alpha: f32, beta: f32 },
    /// min(max(alpha x + beta, 0), 1).
    HardSigmoid { alpha: f32, beta: f32 },
    /// x where x >= 0, alpha (exp(x) - 1) elsewhere.
    Elu { alpha: f32 },
}

impl Numbered {
    /// The values of as many numbers as a vector holds.
    #[inline(always)]
    fn of<A: Element, S: Simd>(self, x: Lanes<A, S>) -> Lanes<A, S> {
        let number = |n: f32| x.constant(n.into());
        let zero = x.constant(0.0);
        match self {
            Self::Affine { alpha, beta } => x.mul_add(number(alpha), number(beta)),
            Self::LeakyRelu { alpha } => zero.select_le(x, x, number(alpha) * x),
            Self::ThresholdedRelu { alpha } => x.select_le(number(alpha), zero, x),
            Self::ScaledTanh { alpha, beta } => number(alpha) * tanh(number(beta) * x),
            Self::HardSigmoid { alpha, beta } => relu(x.mul_add(number(alpha), number(beta))).at_most(1.0),
            Self::Elu { alpha } => zero.select_le(x, x, number(alpha) * elu(x)),
        }
    }

    /// `to[i] = f(from[i])`. Not inlined, as [`Activation::map`](super::Activation::map).
    #[inline(never)]
    pub(crate) fn map<A: Element, S: Simd>(self, simd: S, from: &[A], to: &mut [A]) {
        vectorize::<A, _, _>(simd, Map { activation: self, from, to });
    }
}

struct Map<'a, A> {
    activation: Numbered,
    from: &'a [A],
    to: &'a mut [A],
}

impl<A: Element> WithSimd for Map<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let count = Lanes::<A, S>::COUNT;
        for (from, to) in self.from.chunks(count).zip(self.to.chunks_mut(count)) {
            self.activation.of(Lanes::load(simd, from)).store(to);
        }
    }
}
