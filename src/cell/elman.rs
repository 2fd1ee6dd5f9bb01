//! Elman's cell: `h_t = act(sum)`.

use std::ops::Range;

use pulp::Simd;

use super::{AnyActivation, Cell, KeptRows, Units};
use crate::element::Element;
use crate::kernels::Blocks;

/// Elman's cell: a row is one block, the sum.
///
/// Its passes are not inlined. Inlined, the loop over time would prepare the loops of every activation at every
/// step.
#[derive(Debug, Clone, Copy)]
pub struct Elman {
    activation: AnyActivation,
    /// The bound on every sum's absolute value before the activation, if there is one.
    clip: Option<f32>,
}

impl Elman {
    pub(crate) fn new(activation: impl Into<AnyActivation>) -> Self {
        Self { activation: activation.into(), clip: None }
    }

    /// The same cell with a bound on the sums.
    #[cfg(feature = "onnx")]
    pub(crate) fn clip(self, clip: Option<f32>) -> Self {
        Self { clip, ..self }
    }
}

impl<A: Element> Cell<A> for Elman {
    const BLOCKS: usize = 1;
    const INPUT: Range<usize> = 0..1;
    const HIDDEN: Range<usize> = 0..1;
    const CARRIES: bool = false;

    fn keeps(self) -> bool {
        self.activation.derives_from_sums()
    }

    #[inline(never)]
    fn forward<S: Simd>(self, simd: S, _: &Units<'_, A>, rows: &mut [A], h: &mut [A], _: &mut [A]) {
        if let Some(clip) = self.clip {
            let bound = A::from_f64(clip.into());
            rows.iter_mut().for_each(|sum| *sum = clipped(*sum, bound));
        }
        self.activation.map(simd, rows, h);
    }

    #[inline(never)]
    fn backward<S: Simd>(
        self,
        simd: S,
        _: Blocks,
        kept: KeptRows<'_, A>,
        d_h: &mut [A],
        _: &mut [A],
        d_sums: &mut [A],
    ) {
        debug_assert!(self.clip.is_none(), "ONNX's nodes, which alone have a clip, do not run back");
        self.activation.standard().derive(simd, [kept.rows, kept.h], d_h, d_sums);
        d_h.fill(A::zero());
    }
}

/// The value, limited to [-bound, bound]; NaN stays NaN.
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
