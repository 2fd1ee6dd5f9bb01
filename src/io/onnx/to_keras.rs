//! Layers of Keras made of nodes.

use super::node::Node;
use super::operator::Kind;
use super::unsupported;
use crate::cell::AnyActivation;
use crate::error::Result;
use crate::keras::{Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig};
use crate::recurrent::Direction;
use crate::scalar::Scalar;

impl<A: Scalar> Node<A> {
    /// The layer of a node of one direction, with `go_backwards` if the direction is reverse. Layer and node give
    /// outputs and states of the same bits.
    ///
    /// A layer with `go_backwards` returns its outputs with the last step first, as in Keras; the node returns the
    /// first step first.
    ///
    /// # Errors
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for two directions, for another operator than RNN, for clip,
    /// for an activation that Keras does not have, and for lengths or a
    /// first state other than zero that the model fixes or computes.
    pub fn to_simple_rnn(&self) -> Result<SimpleRnn<A>> {
        match self.directions() {
            [_] => self.simple_rnn(0),
            _ => Err(unsupported(self.name(), "two directions in a layer of class SimpleRnn")),
        }
    }

    /// The layers of a node of two directions, merged by concatenation. Layers and node give outputs and states of the
    /// same bits.
    ///
    /// # Errors
    /// As [`to_simple_rnn`](Self::to_simple_rnn), for one direction.
    pub fn to_bidirectional(&self) -> Result<Bidirectional<A>> {
        match self.directions() {
            [_, _] => Bidirectional::from_layers(self.simple_rnn(0)?, self.simple_rnn(1)?, MergeMode::Concat),
            _ => Err(unsupported(self.name(), "one direction in a layer of class Bidirectional")),
        }
    }

    /// The layer of one direction.
    fn simple_rnn(&self, d: usize) -> Result<SimpleRnn<A>> {
        let refuse =
            |feature: String| Err(unsupported(self.name(), format!("{feature} in a layer of Keras")));
        if self.operator().kind != Kind::Rnn {
            return refuse(format!("the operator {}", self.op_type()));
        }
        self.expect_free("a layer of Keras")?;
        let AnyActivation::Standard(activation) = self.activations()[d] else {
            return refuse(format!("the activation {:?}", self.activations()[d]));
        };
        let cell = &self.cells()[d];
        let config = SimpleRnnConfig::new(self.input_size(), self.hidden_size())
            .activation(activation)
            .use_bias(cell.bias_ih.is_some())
            .go_backwards(self.directions()[d] == Direction::Reverse);
        SimpleRnn::of_cell(config, cell)
    }
}
