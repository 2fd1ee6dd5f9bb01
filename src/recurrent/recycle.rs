//! What a trace keeps the memory of.

use ndarray::{Array, Dimension};

use super::parameters::{RnnCellParameters, RnnParameters};
use super::train::Gradients;
use crate::scalar::Scalar;
use crate::spares::Spares;

/// What [`Trace::recycle`](super::Trace::recycle) takes: an array, the gradients of the parameters, or all gradients of
/// a pass. Sealed.
pub trait Recycle<A>: private::Recycle<A> {}

impl<A, T: private::Recycle<A>> Recycle<A> for T {}

impl<A: Scalar, D: Dimension> private::Recycle<A> for Array<A, D> {
    fn give(self, spares: &mut Spares<A>) {
        spares.give(self.into_raw_vec_and_offset().0);
    }
}

impl<A: Scalar> private::Recycle<A> for RnnParameters<A> {
    fn give(self, spares: &mut Spares<A>) {
        for RnnCellParameters { weight_ih, weight_hh, bias_ih, bias_hh } in self.cells {
            [weight_ih, weight_hh].into_iter().for_each(|weight| weight.give(spares));
            [bias_ih, bias_hh].into_iter().flatten().for_each(|bias| bias.give(spares));
        }
    }
}

impl<A: Scalar, D: Dimension, S: Dimension> private::Recycle<A> for Gradients<A, D, S> {
    fn give(self, spares: &mut Spares<A>) {
        // Nothing would take h_0's.
        self.parameters.give(spares);
        self.input.give(spares);
    }
}

mod private {
    use crate::spares::Spares;

    pub trait Recycle<A> {
        /// Hands over the memory.
        fn give(self, spares: &mut Spares<A>);
    }
}
