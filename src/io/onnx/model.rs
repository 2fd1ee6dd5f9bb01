//! The recurrent nodes of a model.

use std::collections::BTreeMap;
use std::path::Path;

use super::chain::Chain;
use super::external::Folder;
use super::fold::Fold;
use super::graph::Graph;
use super::kinds::NodeKind;
use super::network::network;
use super::node::Node;
use super::proto::{StringStringEntryProto, tag};
use super::tensor::tensor;
use super::wire::{Fields, decode};
use super::{FORMAT, unsupported};
use crate::error::{Error, FileError, Result};
use crate::io::budget::Budget;
use crate::io::files::malformed;
use crate::io::recognise::expect_format;
use crate::io::{StateDict, files};
use crate::recurrent::Recurrent;
use crate::scalar::Scalar;

/// The recurrent nodes of an ONNX model, in the graph's order, with their weights.
///
/// An input of a node is an input of the graph, an array of the model, or what the graph computes from arrays alone, as
/// exporters compute weights from a module's parameters and a first state of zeros from the number of sequences. Of
/// whatever else the graph computes the weights are refused here, lengths and first states where the node runs without
/// them. Half-precision weights become `f32`. Arrays may be in files beside the model, in its folder or below.
///
/// Other nodes are not run; [`read`] gives the arrays of those that stand around, such as `fc.weight`.
#[derive(Debug, Clone, PartialEq)]
pub struct Model<A: Scalar> {
    /// One at least.
    nodes: Vec<Node<A>>,
    chain: Chain,
}

impl<A: Scalar> Model<A> {
    /// The nodes of a file.
    ///
    /// # Errors
    /// [`FileError::System`] for a file that cannot be read; as [`from_bytes`](Self::from_bytes).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_with(path, &StateDict::new())
    }

    /// As [`read`](Self::read), for a model that has weights among its inputs, which are not in the file: they are
    /// the arrays of their names in `weights`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with(path: impl AsRef<Path>, weights: &StateDict) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&files::read(path)?, weights, Folder::of(path))
    }

    /// The nodes of a file's bytes.
    ///
    /// # Errors
    /// [`FileError::Malformed`] for bytes that are no ONNX model; [`FileError::NotFound`] with the kinds of nodes that
    /// there are, if none is recurrent; [`FileError::Unsupported`] for an activation or attribute that this crate does
    /// not have, for weights that are no constants, for recurrent nodes in a subgraph or function, and for arrays in
    /// other files; [`FileError::Dtype`] for weights of another element type;
    /// [`Error::Shape`](crate::Error::Shape) for weights whose shapes do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, &StateDict::new())
    }

    /// As [`from_bytes`](Self::from_bytes), with `weights` as in [`read_with`](Self::read_with).
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_bytes_with(bytes: &[u8], weights: &StateDict) -> Result<Self> {
        Self::parse(bytes, weights, Folder::default())
    }

    fn parse(bytes: &[u8], weights: &StateDict, mut folder: Folder) -> Result<Self> {
        expect_format(FORMAT, bytes)?;
        let graph = Graph::parse(bytes)?;
        let operations = graph.recurrent()?;
        if operations.is_empty() {
            return Err(no_node(&graph)?);
        }
        let mut budget = Budget::new(FORMAT, bytes.len());
        weights.iter().for_each(|(_, tensor)| budget.grow(tensor.bytes().len()));
        let sequences = operations.iter().filter_map(|(_, node)| node.inputs.first().copied()).collect();
        let mut fold = Fold::new(&graph, weights, &mut folder, &mut budget, sequences)?;
        let mut nodes = Vec::new();
        for (operator, operation) in &operations {
            nodes.push(Node::parse(operator, operation, &mut fold)?);
        }
        let layouts = nodes.iter().map(Node::batch_first);
        let links = operations.into_iter().map(|(_, operation)| operation).zip(layouts).collect();
        let chain = Chain::new(&mut fold, links)?;
        Ok(Self { nodes, chain })
    }

    /// The nodes in the graph's order.
    #[must_use]
    pub fn nodes(&self) -> &[Node<A>] {
        &self.nodes
    }

    /// The nodes, of whatever kinds, if each but the first reads all outputs of the one before, which nothing else reads:
    /// run one after the other, they compute what the graph computes from the input of the first.
    ///
    /// ```no_run
    /// use ndarray_rnn::io::onnx::Model;
    /// use ndarray_rnn::{GruConfig, LstmConfig};
    ///
    /// let model = Model::<f32>::read("model.onnx")?;
    /// let [lstm, gru] = model.stacked()? else { panic!("not two layers") };
    /// let (lstm, gru) = (lstm.to_network::<LstmConfig>()?, gru.to_network::<GruConfig>()?);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError::Unsupported`] with the name of the first node that is not so.
    pub fn stacked(&self) -> Result<&[Node<A>]> {
        for (k, pair) in self.nodes.windows(2).enumerate() {
            let [below, node] = pair else { continue };
            if !self.chain.follows[k] {
                let feature = format!("an input that is not the outputs of {}", below.name());
                return Err(unsupported(node.name(), feature));
            }
            if let Some(reader) = &self.chain.others[k] {
                let feature = format!("outputs that {reader} reads beside {}", node.name());
                return Err(unsupported(below.name(), format!("{feature}, in a stack of layers,")));
            }
        }
        Ok(&self.nodes)
    }

    /// The network whose layers are the nodes, each of which reads the one before: an [`Rnn`](crate::Rnn),
    /// [`Lstm`](crate::Lstm) or [`Gru`](crate::Gru). It is `batch_first` if the graph takes sequences first, and gives
    /// none or gives them first.
    ///
    /// # Errors
    /// [`FileError::Unsupported`] for what the network does not have: another operator; activations other than torch's;
    /// clip, peepholes, `input_forget`, a GRU without `linear_before_reset`; a reverse direction alone; lengths or a first
    /// state that the model fixes or computes; nodes that do not read one another, or whose outputs others read too.
    ///
    /// ```
    /// use ndarray_rnn::io::onnx::{Export, Model};
    /// use ndarray_rnn::{Gru, GruConfig, manual_seed};
    ///
    /// let gru = Gru::<f32>::new(GruConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
    /// let model = Model::<f32>::from_bytes(&Export::new(&gru).to_bytes()?)?;
    /// assert_eq!(model.to_network::<GruConfig>()?, gru);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn to_network<C: NodeKind>(&self) -> Result<Recurrent<C, A>> {
        let nodes = self.stacked()?;
        let layout = |node: Option<&Node<A>>| node.is_some_and(Node::batch_first);
        let takes = layout(self.nodes.first()) != self.chain.first_exchanged;
        let last = layout(self.nodes.last());
        let gives = self.chain.last_exchanged.is_none_or(|exchanged| last != exchanged);
        network(nodes, takes && gives)
    }
}

impl<A: Scalar> Node<A> {
    /// The network whose one layer is this node.
    ///
    /// # Errors
    /// As [`Model::to_network`].
    pub fn to_network<C: NodeKind>(&self) -> Result<Recurrent<C, A>> {
        network(std::slice::from_ref(self), self.batch_first())
    }
}

impl<C: NodeKind, A: Scalar> Recurrent<C, A> {
    /// The network of an ONNX model's recurrent nodes, such as [`Export`](crate::io::onnx::Export) or torch writes it.
    ///
    /// For a model of several networks, or of other nodes, see [`Model`].
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::to_network`].
    pub fn from_onnx(path: impl AsRef<Path>) -> Result<Self> {
        Model::read(path)?.to_network()
    }
}

/// The arrays of a model's file, its initializers, under their names, and the file's metadata. Arrays of text or complex
/// numbers are left out.
///
/// torch's exporter keeps a module's names, such as `fc.weight`, except for weights that it folds into others, such as
/// those of recurrent nodes. With `do_constant_folding=False` it keeps all names, and the dict holds the module:
///
/// ```no_run
/// use ndarray_rnn::io::onnx;
/// use ndarray_rnn::{Linear, Rnn};
///
/// let rnn = Rnn::<f32>::from_onnx("model.onnx")?;
/// let head = Linear::<f32>::from_state_dict(&onnx::read("model.onnx")?.under("fc."))?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// # Errors
/// [`FileError::System`] for a file that cannot be read; as [`from_bytes`].
pub fn read(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    initializers(&files::read(path)?, Folder::of(path))
}

/// The arrays that [`read`] gives, of a file's bytes.
///
/// # Errors
/// [`FileError::Malformed`] for bytes that are no ONNX model, and for two entries of metadata of one key; [`FileError::Unsupported`] for an array in another file.
pub fn from_bytes(bytes: &[u8]) -> Result<StateDict> {
    initializers(bytes, Folder::default())
}

fn initializers(bytes: &[u8], mut folder: Folder) -> Result<StateDict> {
    expect_format(FORMAT, bytes)?;
    let mut dict = StateDict::new();
    let mut budget = Budget::new(FORMAT, bytes.len());
    for (name, bytes) in Graph::parse(bytes)?.initializers() {
        match tensor(name, decode("TensorProto", bytes)?, &mut folder, &mut budget) {
            Ok(tensor) => dict.insert(name, tensor)?,
            Err(Error::File(FileError::Dtype { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    *dict.metadata_mut() = metadata(bytes, &mut budget)?;
    Ok(dict)
}

/// The bytes that an entry of metadata is counted with beside its text.
const ENTRY: usize = 128;

/// The text that a model holds beside its graph.
fn metadata(bytes: &[u8], budget: &mut Budget) -> Result<BTreeMap<String, String>> {
    let mut metadata = BTreeMap::new();
    for field in Fields::new("ModelProto", bytes) {
        let (tag::MODEL_METADATA, Some(entry)) = field? else { continue };
        budget.take("metadata_props", entry.len().saturating_add(ENTRY))?;
        let StringStringEntryProto { key, value } = decode("StringStringEntryProto", entry)?;
        let key = key.unwrap_or_default();
        let field = format!("metadata_props.{key}");
        if metadata.insert(key, value.unwrap_or_default()).is_some() {
            return Err(malformed(FORMAT, field, "one of its name", 2));
        }
    }
    Ok(metadata)
}

/// The error for a graph without recurrent nodes.
fn no_node(graph: &Graph<'_>) -> Result<Error> {
    let kinds = graph.kinds()?;
    let has = |kind: &str| kinds.iter().any(|other| other == kind);
    if (has("MatMul") || has("Gemm")) && has("Add") && has("Tanh") {
        let feature = "a network unrolled into MatMul, Add and Tanh nodes, as torch.onnx.export writes it by default: \
                       with dynamo=False it keeps the recurrent node; this graph";
        return Ok(unsupported("graph", feature));
    }
    Ok(FileError::NotFound { name: "RNN, LSTM or GRU node", present: kinds }.into())
}
