//! The parameters of both directions.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::parameters::SimpleRnnParameters;
use crate::parameters::{Parameters, joined};
use crate::scalar::Scalar;

/// The parameters of a [`Bidirectional`](super::Bidirectional), or their gradient: `forward.kernel`, ...,
/// `backward.kernel`, ..., in the order of Keras's `get_weights`.
#[derive(Debug, Clone, PartialEq)]
pub struct BidirectionalParameters<A> {
    /// Of the forward layer.
    pub forward: SimpleRnnParameters<A>,
    /// Of the backward layer.
    pub backward: SimpleRnnParameters<A>,
}

impl<A: Scalar> Parameters for BidirectionalParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        joined([("forward", self.forward.named_parameters()), ("backward", self.backward.named_parameters())])
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        joined([
            ("forward", self.forward.named_parameters_mut()),
            ("backward", self.backward.named_parameters_mut()),
        ])
    }
}
