//! The RNN nodes of a model, and networks of them.

use std::path::Path;

use ndarray::Array1;

use super::graph::Graph;
use super::links::{Links, Shape, ValueOrigin};
use super::node::Node;
use super::tensor::unsupported;
use super::{FORMAT, proto::NodeProto};
use crate::error::{Error, FileError, Result, expect_shape};
use crate::io::budget::Budget;
use crate::io::files;
use crate::kernels::Activation;
use crate::parameters::Parameters;
use crate::recurrent::{Direction, Kind, Nonlinearity, RecurrentParameters, Rnn, RnnConfig};
use crate::scalar::Scalar;

/// The RNN nodes of an ONNX model, in the graph's order, with their weights.
///
/// Weights must be constants of the model: initializers, or results of Constant nodes. Half-precision weights become
/// `f32`. Nodes within subgraphs and functions are not read.
#[derive(Debug, Clone, PartialEq)]
pub struct Model<A: Scalar> {
    nodes: Vec<Node<A>>,
    /// The origin of what each node reads.
    origins: Vec<ValueOrigin>,
    /// Whether the graph exchanges sequences and steps of the last node's outputs.
    swapped: bool,
}

impl<A: Scalar> Model<A> {
    /// The nodes of a file.
    ///
    /// # Errors
    /// [`FileError::System`] for a file that cannot be read; as [`from_bytes`](Self::from_bytes).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_bytes(&files::read(path.as_ref())?)
    }

    /// The nodes of a file's bytes.
    ///
    /// # Errors
    /// [`FileError::Malformed`] for bytes that are no ONNX model; [`FileError::Unsupported`] for an activation or
    /// attribute that this crate does not have, and for a weight that is no constant; [`FileError::Dtype`] for weights
    /// of another element type; [`Error::Shape`](crate::Error::Shape) for weights whose shapes do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let graph = Graph::parse(bytes)?;
        let protos = graph.nodes("RNN")?;
        let mut budget = Budget::new(FORMAT, bytes.len());
        let nodes: Result<Vec<_>> =
            protos.iter().map(|proto| Node::parse(proto, &graph, &mut budget)).collect();
        let nodes = nodes?;
        let links = Links::new(&graph, &protos, nodes.iter().map(shape).collect());
        let input = |proto: &NodeProto| links.origin_of(proto.input.first().map_or("", String::as_str));
        let origins = protos.iter().map(input).collect::<Result<_>>()?;
        let swapped = match nodes.len() {
            0 => false,
            count => links.is_swapped(count - 1)?,
        };
        Ok(Self { nodes, origins, swapped })
    }

    /// The nodes in the graph's order.
    #[must_use]
    pub fn nodes(&self) -> &[Node<A>] {
        &self.nodes
    }

    /// The network whose layers are the nodes, each of which reads the one before. It is `batch_first` if the graph
    /// takes and gives sequences first.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if there is no node; [`FileError::Unsupported`] for what an [`Rnn`] does not have:
    /// activations other than tanh and relu, or different ones; clip; a reverse direction alone; a first state or
    /// lengths stored in the model; nodes that do not read one another.
    pub fn to_rnn(&self) -> Result<Rnn<A>> {
        for (i, (node, origin)) in self.nodes.iter().zip(&self.origins).enumerate().skip(1) {
            if *origin != (ValueOrigin { node: Some(i - 1), batch_first: node.batch_first() }) {
                let before = self.nodes[i - 1].name();
                return Err(unsupported(
                    node.name(),
                    format!("an input that is not the outputs of {before}"),
                ));
            }
        }
        let batch_first = self.nodes.iter().zip(&self.origins).next().is_some_and(|(node, origin)| {
            let last = self.nodes.last().is_some_and(Node::batch_first);
            node.batch_first() != origin.batch_first && last != self.swapped
        });
        rnn(&self.nodes, batch_first)
    }
}

impl<A: Scalar> Node<A> {
    /// The network whose one layer is this node.
    ///
    /// # Errors
    /// As [`Model::to_rnn`].
    pub fn to_rnn(&self) -> Result<Rnn<A>> {
        rnn(std::slice::from_ref(self), self.batch_first())
    }
}

impl<A: Scalar> Rnn<A> {
    /// The network of an ONNX model's RNN nodes, such as [`Export`](crate::io::onnx::Export) or torch writes it.
    ///
    /// For a model of several networks, or of other nodes, see [`Model`].
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::to_rnn`].
    pub fn from_onnx(path: impl AsRef<Path>) -> Result<Self> {
        Model::read(path)?.to_rnn()
    }
}

fn shape<A: Scalar>(node: &Node<A>) -> Shape {
    Shape { directions: node.directions().len(), hidden: node.hidden_size(), batch_first: node.batch_first() }
}

/// The network whose layers are the given nodes.
fn rnn<A: Scalar>(nodes: &[Node<A>], batch_first: bool) -> Result<Rnn<A>> {
    let Some(first) = nodes.first() else {
        return Err(FileError::NotFound { name: "RNN node", present: Vec::new() }.into());
    };
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
    node.expect_no_constants("a network of class Rnn")
}

impl<A: Scalar> Node<A> {
    /// Checks that a node has nothing that neither networks nor layers have.
    pub(super) fn expect_no_constants(&self, place: &str) -> Result<()> {
        let refuse = |feature: String| Err(unsupported(self.name(), format!("{feature} in {place}")));
        if let Some(clip) = self.clip() {
            return refuse(format!("clip {clip}"));
        }
        if self.initial_h().is_some_and(|h| h.iter().any(|&h| h != A::zero())) {
            return refuse("an initial_h that is a constant other than zero".into());
        }
        if self.sequence_lens().is_some() {
            return refuse("sequence_lens that are constants".into());
        }
        Ok(())
    }
}

fn not_an_rnn<A: Scalar>(node: &Node<A>, feature: impl Into<String>) -> Error {
    unsupported(node.name(), format!("{} in a network of class Rnn", feature.into()))
}
