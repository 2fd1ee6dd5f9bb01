//! Layers of Keras made of nodes.

use super::keras_kinds::KerasKind;
use super::node::Node;
use super::unsupported;
use crate::cell::AnyActivation;
use crate::error::Result;
use crate::keras::{Bidirectional, Layer, MergeMode};
use crate::recurrent::Direction;
use crate::scalar::Scalar;

impl<A: Scalar> Node<A> {
    /// The layer of a node of one direction, with `go_backwards` if the direction is reverse: of a node of RNN a
    /// [`SimpleRnn`](crate::keras::SimpleRnn), of LSTM a [`Lstm`](crate::keras::Lstm), of GRU a
    /// [`Gru`](crate::keras::Gru), with `reset_after` if `linear_before_reset` is 1.
    ///
    /// Layer and node give outputs and states of the same bits where the layer has as many rows of biases as the node, or
    /// the state's biases are zero. Elsewhere, with a SimpleRnn, an Lstm, and a Gru without `reset_after`, the layer's bias
    /// is the sum of the node's two, which moves the last bits. A layer with `go_backwards` returns its outputs with the
    /// last step first, as in Keras; the node returns the first step first.
    ///
    /// ```
    /// use ndarray_rnn::io::onnx::{ExportKeras, Model};
    /// use ndarray_rnn::keras::{Lstm, LstmConfig, set_random_seed};
    ///
    /// let lstm = Lstm::<f32>::new(LstmConfig::new(4, 2), &mut set_random_seed(0))?;
    /// let model = Model::<f32>::from_bytes(&ExportKeras::new(&lstm).to_bytes()?)?;
    /// let read: Lstm = model.nodes()[0].to_layer()?;
    /// assert_eq!(read.parameters(), lstm.parameters());
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for two directions; for another operator than the layer's;
    /// for clip, peepholes and `input_forget`; for an activation that Keras does not have, and for an LSTM whose cell state
    /// has another than its candidate; and for lengths or a first state other than zero that the model fixes or computes.
    pub fn to_layer<C: KerasKind>(&self) -> Result<Layer<C, A>> {
        match self.directions() {
            [_] => self.layer(0),
            _ => Err(self.not_of::<C>("two directions in")),
        }
    }

    /// The layers of a node of two directions, merged by concatenation; each as of [`to_layer`](Self::to_layer).
    ///
    /// # Errors
    /// As [`to_layer`](Self::to_layer), for one direction.
    pub fn to_bidirectional<C: KerasKind>(&self) -> Result<Bidirectional<A, C>> {
        match self.directions() {
            [_, _] => Bidirectional::from_layers(self.layer(0)?, self.layer(1)?, MergeMode::Concat),
            _ => Err(self.not_of::<C>("one direction in a Bidirectional of")),
        }
    }

    fn not_of<C: KerasKind>(&self, feature: &str) -> crate::error::Error {
        unsupported(self.name(), format!("{feature} a layer of class {}", C::CLASS))
    }

    /// The layer of one direction.
    fn layer<C: KerasKind>(&self, d: usize) -> Result<Layer<C, A>> {
        if self.operator().kind != C::KIND {
            return Err(self.not_of::<C>(&format!("the operator {} in", self.op_type())));
        }
        self.expect_free(&format!("a layer of class {}", C::CLASS))?;
        let own = self.operator().activations.len();
        let own = &self.activations()[d * own..][..own];
        let standard = own.iter().map(|activation| match *activation {
            AnyActivation::Standard(activation) => Some(activation),
            AnyActivation::Numbered(_) => None,
        });
        let standard: Option<Vec<_>> = standard.collect();
        let config = standard.and_then(|own| C::of_node(&own, self.linear_before_reset()));
        let config = config.ok_or_else(|| self.not_of::<C>(&format!("activations {own:?} in")))?;
        let cell = &self.cells()[d];
        let config = config.sized([self.input_size(), self.hidden_size()], cell.bias_ih.is_some());
        let [forwards, backwards] = config.both_ways();
        let config = if self.directions()[d] == Direction::Reverse { backwards } else { forwards };
        Layer::of_cell(config, cell, C::KIND.order())
    }
}
