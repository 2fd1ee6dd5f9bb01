//! Cells: pointwise maps from gate sums and state to the next state.
//!
//! A cell knows neither time nor matrices: the engine makes every sum `W_ih x + b + W_hh h` and hands it over.

mod elman;

pub use elman::Elman;

use pulp::Simd;

use crate::element::Element;

/// One kind of recurrent cell.
pub trait Cell<A: Element>: Copy + Send + Sync {
    /// Gate sums a unit has.
    const GATES: usize;
    /// States a unit has; a row of state begins with the hidden state.
    const STATES: usize;

    /// Maps rows of `GATES * hidden` sums and of `STATES * hidden` previous states to the next states, in place; what
    /// is left of the sums does not matter.
    fn forward<S: Simd>(self, simd: S, sums: &mut [A], state: &mut [A]);

    /// Whether the way back reads the sums: a pass to be run back keeps them then.
    fn keeps_sums(self) -> bool;

    /// The way back: from the sums, if they were kept, the next states and the gradient of rows of them, `d_state`, to the
    /// gradient of the sums; `d_state` becomes what of the previous states' gradient does not come through the sums.
    fn backward<S: Simd>(self, simd: S, sums: &[A], next: &[A], d_state: &mut [A], d_sums: &mut [A]);
}
