//! Networks made of recurrent nodes.

use ndarray::Array1;

use super::inputs::{Given, GraphInput};
use super::node::Node;
use super::unsupported;
use crate::error::{Error, Result, expect_shape};
use crate::kernels::Activation;
use crate::parameters::Parameters;
use crate::recurrent::{Direction, Kind, Nonlinearity, RecurrentParameters, Rnn, RnnConfig};
use crate::scalar::Scalar;

/// The network whose layers are the given nodes, of which there is one at least.
pub(super) fn rnn<A: Scalar>(nodes: &[Node<A>], batch_first: bool) -> Result<Rnn<A>> {
    let first = &nodes[0];
    let cells = || nodes.iter().flat_map(Node::cells);
    let config = RnnConfig::new(first.input_size(), first.hidden_size())
        .num_layers(nodes.len())
        .nonlinearity(nonlinearity(first)?)
        .bias(cells().any(|cell| cell.bias_ih.is_some()))
        .batch_first(batch_first)
        .bidirectional(first.directions().len() == 2);
    for (k, node) in nodes.iter().enumerate() {
        expect_layer(first, node)?;
        let expected = [config.hidden_size, config.sizes().layer_input_size(k)];
        expect_shape(&format!("{}.W", node.name()), &expected, &[node.hidden_size(), node.input_size()])?;
    }
    if nodes.len() > 1 {
        expect_states_in_order(nodes)?;
    }
    let mut cells: Vec<_> = cells().cloned().collect();
    if config.bias {
        // Where a node has no bias, the network's is zero.
        let zero = || Some(Array1::zeros(config.hidden_size));
        for cell in &mut cells {
            cell.bias_ih = cell.bias_ih.take().or_else(zero);
            cell.bias_hh = cell.bias_hh.take().or_else(zero);
        }
    }
    let parameters = RecurrentParameters { cells, directions: config.num_directions() };
    let mut rnn = Rnn::zeros(config)?;
    rnn.load_state_dict(parameters.named_parameters())?;
    Ok(rnn)
}

/// The nonlinearity of all directions.
fn nonlinearity<A: Scalar>(node: &Node<A>) -> Result<Nonlinearity> {
    match node.activations() {
        [Activation::Tanh, rest @ ..] if rest.iter().all(|&other| other == Activation::Tanh) => {
            Ok(Nonlinearity::Tanh)
        }
        [Activation::Relu, rest @ ..] if rest.iter().all(|&other| other == Activation::Relu) => {
            Ok(Nonlinearity::Relu)
        }
        others => Err(not_an_rnn(node, format!("activations {others:?}"))),
    }
}

/// Checks that a node is a layer of a network whose first layer is `first`.
fn expect_layer<A: Scalar>(first: &Node<A>, node: &Node<A>) -> Result<()> {
    if node.directions() == [Direction::Reverse] {
        return Err(not_an_rnn(node, "direction reverse"));
    }
    if node.directions() != first.directions() {
        return Err(not_an_rnn(node, format!("another direction than {}", first.name())));
    }
    if node.activations() != first.activations() {
        return Err(not_an_rnn(node, format!("other activations than {}", first.name())));
    }
    node.expect_free("a network of class Rnn")
}

/// Checks that layers that read their first states from one input of the graph read them in the layers' order, as a
/// network does.
fn expect_states_in_order<A: Scalar>(nodes: &[Node<A>]) -> Result<()> {
    for (k, node) in nodes.iter().enumerate() {
        let Given::Caller(GraphInput { name, start }) = node.first_state() else { continue };
        let before = nodes[..k]
            .iter()
            .filter(|node| matches!(node.first_state(), Given::Caller(input) if input.name == *name));
        let expected: usize = before.map(|node| node.directions().len()).sum();
        if *start != expected {
            let feature = format!("a first state that begins at {start} of {name}, and not at {expected},");
            return Err(not_an_rnn(node, feature));
        }
    }
    Ok(())
}

impl<A: Scalar> Node<A> {
    /// Checks that a node has nothing that neither networks nor layers have.
    pub(super) fn expect_free(&self, place: &str) -> Result<()> {
        let refuse = |feature: String| Err(unsupported(self.name(), format!("{feature} in {place}")));
        if let Some(clip) = self.clip() {
            return refuse(format!("clip {clip}"));
        }
        match self.first_state() {
            Given::Stored(_) => return refuse("an initial_h that is a constant other than zero".into()),
            Given::Computed(how) => return refuse(format!("an initial_h {how}")),
            Given::Absent | Given::Caller(_) => {}
        }
        match self.lens() {
            Given::Stored(_) => refuse("sequence_lens that are constants".into()),
            Given::Computed(how) => refuse(format!("sequence_lens {how}")),
            Given::Absent | Given::Caller(_) => Ok(()),
        }
    }
}

pub(super) fn not_an_rnn<A: Scalar>(node: &Node<A>, feature: impl Into<String>) -> Error {
    unsupported(node.name(), format!("{} in a network of class Rnn", feature.into()))
}
