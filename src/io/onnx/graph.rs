//! Reading a model's graph, as far as RNN nodes depend on it.

use std::collections::BTreeMap;

use super::FORMAT;
use super::proto::{NodeProto, TensorProto, tag};
use super::wire::{Fields, decode, text};
use crate::error::{Error, Result};
use crate::io::files::malformed;

/// A value copied more often than this counts as a copy of itself.
const MAX_COPIES: usize = 64;

/// The nodes and constants of a graph, found by the names of their values.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    nodes: Vec<&'a [u8]>,
    /// The node that makes each value.
    producers: BTreeMap<&'a str, usize>,
    initializers: BTreeMap<&'a str, &'a [u8]>,
}

impl<'a> Graph<'a> {
    /// The graph of a model's bytes.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (mut count, mut bytes_of_graph) = (0, &[][..]);
        for field in Fields::new("ModelProto", bytes) {
            if let (tag::MODEL_GRAPH, Some(bytes)) = field? {
                (count, bytes_of_graph) = (count + 1, bytes);
            }
        }
        if count != 1 {
            return Err(malformed(FORMAT, "ModelProto.graph", "one graph", count));
        }
        let mut graph = Self::default();
        for field in Fields::new("GraphProto", bytes_of_graph) {
            match field? {
                (tag::GRAPH_NODE, Some(bytes)) => graph.add_node(bytes)?,
                (tag::GRAPH_INITIALIZER, Some(bytes)) => graph.add_initializer(bytes)?,
                _ => {}
            }
        }
        Ok(graph)
    }

    /// Adds a node, unless it makes no value: a file could have more such nodes than memory holds.
    fn add_node(&mut self, bytes: &'a [u8]) -> Result<()> {
        let mut makes = false;
        for field in Fields::new("NodeProto", bytes) {
            if let (tag::NODE_OUTPUT, Some(name)) = field? {
                let name = text("NodeProto.output", name)?;
                if !name.is_empty() {
                    insert(&mut self.producers, name, self.nodes.len())?;
                    makes = true;
                }
            }
        }
        if makes {
            self.nodes.push(bytes);
        }
        Ok(())
    }

    fn add_initializer(&mut self, bytes: &'a [u8]) -> Result<()> {
        for field in Fields::new("TensorProto", bytes) {
            if let (tag::TENSOR_NAME, Some(name)) = field? {
                insert(&mut self.initializers, text("TensorProto.name", name)?, bytes)?;
            }
        }
        Ok(())
    }

    /// The nodes of an operation, in the graph's order.
    pub(super) fn nodes(&self, op_type: &str) -> Result<Vec<NodeProto>> {
        let mut nodes = Vec::new();
        for bytes in &self.nodes {
            let mut is_wanted = false;
            for field in Fields::new("NodeProto", bytes) {
                if let (tag::NODE_OP_TYPE, Some(name)) = field? {
                    is_wanted = name == op_type.as_bytes();
                }
            }
            if is_wanted {
                let node: NodeProto = decode("NodeProto", bytes)?;
                if matches!(node.domain(), "" | "ai.onnx") {
                    nodes.push(node);
                }
            }
        }
        Ok(nodes)
    }

    /// The value that `value` is a copy of, or `value` itself.
    pub(super) fn origin(&self, value: &str) -> Result<String> {
        let mut value = value.to_owned();
        for _ in 0..MAX_COPIES {
            let copy = self.node_of(&value)?.filter(|node| matches!(node.op_type(), "Identity" | "Dropout"));
            match copy.and_then(|mut copy| copy.input.drain(..).next()) {
                Some(input) => value = input,
                None => return Ok(value),
            }
        }
        Err(malformed(FORMAT, value, "an operation's result", "copies in a circle"))
    }

    /// The node that makes a value or the value that it is a copy of, if a node does.
    pub(super) fn producer(&self, value: &str) -> Result<Option<NodeProto>> {
        self.node_of(&self.origin(value)?)
    }

    /// A value's array, if the value is constant: an initializer, or the result of a Constant node.
    pub(super) fn constant(&self, value: &str) -> Result<Option<TensorProto>> {
        let value = self.origin(value)?;
        if let Some(bytes) = self.initializers.get(value.as_str()) {
            return decode("TensorProto", bytes).map(Some);
        }
        let node = self.node_of(&value)?.filter(|node| node.op_type() == "Constant");
        let mut attributes = node.into_iter().flat_map(|node| node.attribute);
        Ok(attributes.find(|attribute| attribute.name() == "value").and_then(|value| value.t))
    }

    fn node_of(&self, value: &str) -> Result<Option<NodeProto>> {
        let index = self.producers.get(value);
        index.map(|&index| decode("NodeProto", self.nodes[index])).transpose()
    }
}

fn insert<'a, V>(map: &mut BTreeMap<&'a str, V>, name: &'a str, value: V) -> Result<()> {
    match map.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(Error::DuplicateParameter { name: name.into() }),
    }
}
