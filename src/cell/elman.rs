//! Elman's cell: `h_t = act(sum)`.

use pulp::Simd;

use super::Cell;
use crate::element::Element;
use crate::kernels::Activation;

/// Elman's cell, one gate and one state.
#[derive(Debug, Clone, Copy)]
pub struct Elman {
    pub(crate) activation: Activation,
}

impl<A: Element> Cell<A> for Elman {
    const GATES: usize = 1;
    const STATES: usize = 1;

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, sums: &[A], state: &mut [A]) {
        self.activation.map(simd, sums, state);
    }

    fn keeps_sums(self) -> bool {
        self.activation.derives_from_sums()
    }

    #[inline(always)]
    fn backward<S: Simd>(self, simd: S, sums: &[A], next: &[A], d_state: &mut [A], d_sums: &mut [A]) {
        self.activation.derive(simd, sums, next, d_state, d_sums);
        d_state.fill(A::zero());
    }
}
