//! The kinds of Keras's layers that ONNX has operators for.

use std::fmt::Debug;

use ndarray::{Array1, ArrayView2};

use super::operator::Kind;
use crate::keras::{
    Activation, Architecture, Bidirectional, GruConfig, Layer, LayerPair, LstmConfig, MergeMode,
    SimpleRnnConfig,
};
use crate::scalar::Scalar;

/// A kind of layer that nodes become, and that becomes nodes: that of [`SimpleRnn`](crate::keras::SimpleRnn),
/// [`Lstm`](crate::keras::Lstm) or [`Gru`](crate::keras::Gru). Sealed.
pub trait KerasKind: Architecture {
    /// The kind of nodes.
    #[doc(hidden)]
    const KIND: Kind;

    /// The activations of one direction of a node, in the operator's order.
    #[doc(hidden)]
    fn activations(&self) -> Vec<Activation>;

    /// Whether a GRU's reset gate stands behind the recurrent product.
    #[doc(hidden)]
    fn linear_before_reset(&self) -> bool {
        false
    }

    /// A layer of any size that has a node's activations and reset gate, if there is one.
    #[doc(hidden)]
    fn of_node(activations: &[Activation], linear_before_reset: bool) -> Option<Self>;
}

impl KerasKind for SimpleRnnConfig {
    const KIND: Kind = Kind::Rnn;

    fn activations(&self) -> Vec<Activation> {
        vec![self.activation]
    }

    fn of_node(activations: &[Activation], _: bool) -> Option<Self> {
        let &[activation] = activations else { return None };
        Some(Self::new(1, 1).activation(activation))
    }
}

impl KerasKind for LstmConfig {
    const KIND: Kind = Kind::Lstm;

    fn activations(&self) -> Vec<Activation> {
        vec![self.recurrent_activation, self.activation, self.activation]
    }

    fn of_node(activations: &[Activation], _: bool) -> Option<Self> {
        // Keras has one activation for the candidate and the cell state.
        match *activations {
            [gates, candidate, state] if candidate == state => {
                Some(Self::new(1, 1).recurrent_activation(gates).activation(state))
            }
            _ => None,
        }
    }
}

impl KerasKind for GruConfig {
    const KIND: Kind = Kind::Gru;

    fn activations(&self) -> Vec<Activation> {
        vec![self.recurrent_activation, self.activation]
    }

    fn linear_before_reset(&self) -> bool {
        self.reset_after
    }

    fn of_node(activations: &[Activation], linear_before_reset: bool) -> Option<Self> {
        let &[gates, candidate] = activations else { return None };
        let config = Self::new(1, 1).recurrent_activation(gates).activation(candidate);
        Some(config.reset_after(linear_before_reset))
    }
}

/// A layer that [`ExportKeras`](super::ExportKeras) writes: a [`Layer`] of any kind, a [`Bidirectional`] of two, or a
/// [`LayerPair`]. Sealed.
pub trait KerasLayer<A: Scalar>: Debug {
    /// Each direction.
    #[doc(hidden)]
    fn directions(&self) -> Vec<KerasDirection<'_, A>>;

    /// How the outputs of two directions become one, if they do.
    #[doc(hidden)]
    fn merge_mode(&self) -> Option<MergeMode> {
        None
    }
}

/// A layer of one direction, whatever its kind.
#[derive(Debug)]
pub struct KerasDirection<'a, A> {
    pub(super) kind: Kind,
    /// Keras's name of the class.
    pub(super) class: &'static str,
    pub(super) input_dim: usize,
    pub(super) units: usize,
    pub(super) go_backwards: bool,
    pub(super) zero_output_for_mask: bool,
    pub(super) activations: Vec<Activation>,
    pub(super) linear_before_reset: bool,
    /// Which of Keras's blocks each of the node's is.
    pub(super) blocks: Vec<usize>,
    pub(super) kernel: ArrayView2<'a, A>,
    pub(super) recurrent_kernel: ArrayView2<'a, A>,
    /// The biases of the input and of the state.
    pub(super) biases: Option<[Array1<A>; 2]>,
}

impl<C: KerasKind, A: Scalar> KerasLayer<A> for Layer<C, A> {
    fn directions(&self) -> Vec<KerasDirection<'_, A>> {
        let (config, parameters) = (self.config(), self.parameters());
        let options = config.options();
        let columns = parameters.kernel().ncols();
        let biases = parameters.bias().map(|bias| {
            // Where Keras has one row, it is the input's.
            let mut numbers = bias.iter().copied().chain(std::iter::repeat(A::zero()));
            [(); 2].map(|()| numbers.by_ref().take(columns).collect())
        });
        let mut blocks: Vec<_> = C::KIND.order().input.iter().copied().zip(C::ORDER.input).collect();
        blocks.sort();
        vec![KerasDirection {
            kind: C::KIND,
            class: C::CLASS,
            input_dim: options.input_dim,
            units: options.units,
            go_backwards: options.go_backwards,
            zero_output_for_mask: options.zero_output_for_mask,
            activations: config.activations(),
            linear_before_reset: config.linear_before_reset(),
            blocks: blocks.into_iter().map(|(_, &own)| own).collect(),
            kernel: parameters.kernel().view(),
            recurrent_kernel: parameters.recurrent_kernel().view(),
            biases,
        }]
    }
}

impl<C: KerasKind, A: Scalar> KerasLayer<A> for LayerPair<A, C> {
    fn directions(&self) -> Vec<KerasDirection<'_, A>> {
        LayerPair::directions(self).into_iter().flat_map(KerasLayer::directions).collect()
    }
}

impl<C: KerasKind, A: Scalar> KerasLayer<A> for Bidirectional<A, C> {
    fn directions(&self) -> Vec<KerasDirection<'_, A>> {
        KerasLayer::directions(self.layers())
    }

    fn merge_mode(&self) -> Option<MergeMode> {
        Some(Bidirectional::merge_mode(self))
    }
}
