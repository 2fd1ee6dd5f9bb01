//! Elman's cell: `h_t = act(sum)`.

use pulp::Simd;

use super::Cell;
use crate::element::Element;
use crate::kernels::Activation;

/// Elman's cell, one gate and one state.
///
/// Its passes are not inlined: the loop over time would prepare the loops of every activation at every step.
#[derive(Debug, Clone, Copy)]
pub struct Elman {
    activation: Activation,
    /// What bounds every sum from both sides before the activation, if anything does.
    clip: Option<f32>,
}

impl Elman {
    pub(crate) fn new(activation: Activation) -> Self {
        Self { activation, clip: None }
    }

    /// With a bound for the sums.
    #[cfg(feature = "onnx")]
    pub(crate) fn clip(self, clip: Option<f32>) -> Self {
        Self { clip, ..self }
    }
}

impl<A: Element> Cell<A> for Elman {
    const GATES: usize = 1;
    const STATES: usize = 1;

    #[inline(never)]
    fn forward<S: Simd>(self, simd: S, sums: &mut [A], state: &mut [A]) {
        if let Some(clip) = self.clip {
            let bound = A::from_f64(clip.into());
            sums.iter_mut().for_each(|sum| *sum = clipped(*sum, bound));
        }
        self.activation.map(simd, sums, state);
    }

    fn keeps_sums(self) -> bool {
        self.clip.is_some() || self.activation.derives_from_sums()
    }

    #[inline(never)]
    fn backward<S: Simd>(self, simd: S, sums: &[A], next: &[A], d_state: &mut [A], d_sums: &mut [A]) {
        self.activation.derive(simd, sums, next, d_state, d_sums);
        if let Some(clip) = self.clip {
            let bound = A::from_f64(clip.into());
            let outside = d_sums.iter_mut().zip(sums).filter(|(_, sum)| sum.abs() > bound);
            outside.for_each(|(d_sum, _)| *d_sum = A::zero());
        }
        d_state.fill(A::zero());
    }
}

/// The value, at most the bound in either direction; NaN stays NaN.
#[inline(always)]
fn clipped<A: Element>(value: A, bound: A) -> A {
    if value > bound {
        bound
    } else if value < -bound {
        -bound
    } else {
        value
    }
}
