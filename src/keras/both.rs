//! The parameters of both directions.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::parameters::SimpleRnnParameters;
use crate::parameters::Parameters;
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
        named([self.forward.named_parameters(), self.backward.named_parameters()])
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        named([self.forward.named_parameters_mut(), self.backward.named_parameters_mut()])
    }
}

/// Names and arrays, each name behind its layer's.
pub(super) fn named<V>(layers: [Vec<(String, V)>; 2]) -> Vec<(String, V)> {
    let layers = ["forward", "backward"].into_iter().zip(layers);
    layers
        .flat_map(|(layer, arrays)| arrays.into_iter().map(move |(name, v)| (format!("{layer}.{name}"), v)))
        .collect()
}
