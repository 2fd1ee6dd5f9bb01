//! The kinds of networks that ONNX has operators for.

use super::network::not_of;
use super::node::Node;
use super::operator::Kind;
use crate::error::Result;
use crate::kernels::Activation;
use crate::recurrent::{Architecture, GruConfig, Kind as _, LstmConfig, Nonlinearity, RnnConfig, Sizes};
use crate::scalar::Scalar;

/// A kind of network that nodes become, and that becomes nodes: that of [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm) or
/// [`Gru`](crate::Gru). Sealed.
pub trait NodeKind: Architecture {
    /// The kind of nodes.
    #[doc(hidden)]
    const KIND: Kind;

    /// The networks' class, for errors.
    #[doc(hidden)]
    const CLASS: &'static str;

    /// Which of a node's blocks each of torch's is.
    #[doc(hidden)]
    const BLOCKS: &'static [usize];

    /// The configuration of a network of which a node is a layer.
    #[doc(hidden)]
    fn of_node<A: Scalar>(node: &Node<A>, sizes: &Sizes) -> Result<Self>;

    /// The activation that a node names; `None` if it has its operator's.
    #[doc(hidden)]
    fn activation(&self) -> Option<Activation> {
        None
    }
}

impl NodeKind for RnnConfig {
    const KIND: Kind = Kind::Rnn;
    const CLASS: &'static str = "Rnn";
    const BLOCKS: &'static [usize] = &[0];

    fn of_node<A: Scalar>(node: &Node<A>, sizes: &Sizes) -> Result<Self> {
        for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
            if has_activations(node, &[nonlinearity.activation()]) {
                return Ok(Self::of_sizes(sizes).nonlinearity(nonlinearity));
            }
        }
        Err(other_activations::<Self, A>(node))
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.nonlinearity.activation())
    }
}

impl NodeKind for LstmConfig {
    const KIND: Kind = Kind::Lstm;
    const CLASS: &'static str = "Lstm";
    // torch has i, f, g and o.
    const BLOCKS: &'static [usize] = &[0, 2, 3, 1];

    fn of_node<A: Scalar>(node: &Node<A>, sizes: &Sizes) -> Result<Self> {
        if has_activations(node, &[Activation::Sigmoid, Activation::Tanh, Activation::Tanh]) {
            return Ok(Self::of_sizes(sizes));
        }
        Err(other_activations::<Self, A>(node))
    }
}

impl NodeKind for GruConfig {
    const KIND: Kind = Kind::Gru;
    const CLASS: &'static str = "Gru";
    // torch has r, z and n.
    const BLOCKS: &'static [usize] = &[1, 0, 2];

    fn of_node<A: Scalar>(node: &Node<A>, sizes: &Sizes) -> Result<Self> {
        if !node.linear_before_reset() {
            return Err(not_of::<Self, A>(node, "linear_before_reset 0"));
        }
        if has_activations(node, &[Activation::Sigmoid, Activation::Tanh]) {
            return Ok(Self::of_sizes(sizes));
        }
        Err(other_activations::<Self, A>(node))
    }
}

/// Whether each direction has the given activations.
fn has_activations<A: Scalar>(node: &Node<A>, activations: &[Activation]) -> bool {
    let expected = activations.iter().cycle().map(|&activation| activation.into());
    node.activations().iter().copied().zip(expected).all(|(own, expected)| own == expected)
}

fn other_activations<C: NodeKind, A: Scalar>(node: &Node<A>) -> crate::error::Error {
    not_of::<C, A>(node, format!("activations {:?}", node.activations()))
}
