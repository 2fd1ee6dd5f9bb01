//! Reading a model's graph, as far as recurrent nodes depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::operator::Operator;
use super::proto::{AttributeProto, Dim, DimensionProto, ValueInfoProto, tag};
use super::wire::{Fields, MAX_FIELDS, decode, text};
use super::{FORMAT, unsupported};
use crate::error::{Error, Result};
use crate::io::files::{expect_at_most, malformed};

/// The most kinds of operations that an error lists.
const MAX_KINDS: usize = 20;

/// A node of the graph. An empty name stands for an input or output that the node does without.
#[derive(Debug, Clone)]
pub(super) struct Operation<'g> {
    name: &'g str,
    op_type: &'g str,
    domain: &'g str,
    pub(super) inputs: Vec<&'g str>,
    pub(super) outputs: Vec<&'g str>,
    attributes: Vec<&'g [u8]>,
}

impl<'g> Operation<'g> {
    fn parse(bytes: &'g [u8]) -> Result<Self> {
        let (mut name, mut op_type, mut domain) = ("", "", "");
        let (mut inputs, mut outputs, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        for (count, field) in Fields::new("NodeProto", bytes).enumerate() {
            expect_at_most(FORMAT, "the number of fields of a NodeProto", MAX_FIELDS, count + 1)?;
            match field? {
                (tag::NODE_INPUT, Some(bytes)) => inputs.push(text("NodeProto.input", bytes)?),
                (tag::NODE_OUTPUT, Some(bytes)) => outputs.push(text("NodeProto.output", bytes)?),
                (tag::NODE_NAME, Some(bytes)) => name = text("NodeProto.name", bytes)?,
                (tag::NODE_OP_TYPE, Some(bytes)) => op_type = text("NodeProto.op_type", bytes)?,
                (tag::NODE_ATTRIBUTE, Some(bytes)) => attributes.push(bytes),
                (tag::NODE_DOMAIN, Some(bytes)) => domain = text("NodeProto.domain", bytes)?,
                _ => {}
            }
        }
        Ok(Self { name, op_type, domain, inputs, outputs, attributes })
    }

    /// The operator's name; empty if the operator is none of ONNX's own.
    pub(super) fn op(&self) -> &'g str {
        if matches!(self.domain, "" | "ai.onnx") { self.op_type } else { "" }
    }

    /// The operator's name with its domain, if that is not ONNX's own.
    pub(super) fn kind(&self) -> String {
        if self.op().is_empty() { format!("{}.{}", self.domain, self.op_type) } else { self.op_type.into() }
    }

    /// The node's name, or the name of its first output if it has none.
    pub(super) fn label(&self) -> String {
        let first = || self.outputs.iter().find(|output| !output.is_empty());
        if self.name.is_empty() { first().copied().unwrap_or_default() } else { self.name }.into()
    }

    /// Which of the outputs a value is.
    pub(super) fn place_of(&self, output: &str) -> usize {
        self.outputs.iter().position(|&name| name == output).unwrap_or(usize::MAX)
    }

    /// The attributes, in their order.
    pub(super) fn attributes(&self) -> impl Iterator<Item = Result<AttributeProto>> {
        self.attributes.iter().map(|bytes| decode_attribute(bytes))
    }

    /// The attribute of a name, if there is one.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<AttributeProto>> {
        let mut found = None;
        for bytes in &self.attributes {
            for field in Fields::new("AttributeProto", bytes) {
                if let (tag::ATTRIBUTE_NAME, Some(field)) = field?
                    && field == name.as_bytes()
                {
                    if found.is_some() {
                        return Err(malformed(
                            FORMAT,
                            format!("{}.{name}", self.label()),
                            "one of its name",
                            2,
                        ));
                    }
                    found = Some(*bytes);
                }
            }
        }
        found.map(decode_attribute).transpose()
    }
}

fn decode_attribute(bytes: &[u8]) -> Result<AttributeProto> {
    decode("AttributeProto", bytes)
}

/// Who makes a value.
#[derive(Debug)]
pub(super) enum Maker<'g> {
    Initializer(&'g [u8]),
    Node(Operation<'g>),
    /// The value is an input of the graph.
    Input,
    Nothing,
}

/// The nodes and constants of a graph, found by the names of their values.
#[derive(Debug, Default)]
pub(super) struct Graph<'g> {
    nodes: Vec<&'g [u8]>,
    /// The node that makes each value.
    producers: BTreeMap<&'g str, usize>,
    initializers: BTreeMap<&'g str, &'g [u8]>,
    inputs: BTreeSet<&'g str>,
    outputs: BTreeSet<&'g str>,
    /// The types of inputs and of other values.
    types: BTreeMap<&'g str, &'g [u8]>,
}

impl<'g> Graph<'g> {
    /// The graph of a model's bytes.
    pub(super) fn parse(bytes: &'g [u8]) -> Result<Self> {
        let (mut count, mut bytes_of_graph) = (0, &[][..]);
        for field in Fields::new("ModelProto", bytes) {
            match field? {
                (tag::MODEL_GRAPH, Some(bytes)) => (count, bytes_of_graph) = (count + 1, bytes),
                (tag::MODEL_FUNCTION, Some(bytes)) => {
                    refuse_recurrent("function", bytes, tag::FUNCTION_NODE)?;
                }
                _ => {}
            }
        }
        if count != 1 {
            return Err(malformed(FORMAT, "ModelProto.graph", "one graph", count));
        }
        let mut graph = Self::default();
        for field in Fields::new("GraphProto", bytes_of_graph) {
            match field? {
                (tag::GRAPH_NODE, Some(bytes)) => graph.add_node(bytes)?,
                (tag::GRAPH_INITIALIZER, Some(bytes)) => {
                    if let Some(name) = name_of("TensorProto", bytes, tag::TENSOR_NAME)? {
                        insert(&mut graph.initializers, name, bytes)?;
                    }
                }
                (field @ (tag::GRAPH_INPUT | tag::GRAPH_OUTPUT | tag::GRAPH_VALUE_INFO), Some(bytes)) => {
                    graph.add_type(field, bytes)?;
                }
                _ => {}
            }
        }
        Ok(graph)
    }

    /// Adds a node, unless it makes no value: a file could have more such nodes than memory holds.
    fn add_node(&mut self, bytes: &'g [u8]) -> Result<()> {
        let mut makes = false;
        for field in Fields::new("NodeProto", bytes) {
            match field? {
                (tag::NODE_OUTPUT, Some(name)) if !name.is_empty() => {
                    insert(&mut self.producers, text("NodeProto.output", name)?, self.nodes.len())?;
                    makes = true;
                }
                (tag::NODE_ATTRIBUTE, Some(attribute)) => refuse_in_subgraphs(attribute)?,
                _ => {}
            }
        }
        if makes {
            self.nodes.push(bytes);
        }
        Ok(())
    }

    fn add_type(&mut self, field: u32, bytes: &'g [u8]) -> Result<()> {
        let Some(name) = name_of("ValueInfoProto", bytes, tag::VALUE_NAME)? else { return Ok(()) };
        match field {
            tag::GRAPH_INPUT => drop(self.inputs.insert(name)),
            tag::GRAPH_OUTPUT => drop(self.outputs.insert(name)),
            _ => {}
        }
        self.types.entry(name).or_insert(bytes);
        Ok(())
    }

    /// The nodes, in the graph's order.
    pub(super) fn operations(&self) -> impl Iterator<Item = Result<Operation<'g>>> {
        self.nodes.iter().map(|bytes| Operation::parse(bytes))
    }

    /// The recurrent nodes, in the graph's order.
    pub(super) fn recurrent(&self) -> Result<Vec<(&'static Operator, Operation<'g>)>> {
        let mut found = Vec::new();
        for bytes in &self.nodes {
            if recurrent_operator(bytes)?.is_some() {
                let operation = Operation::parse(bytes)?;
                found.extend(Operator::of(operation.op()).map(|operator| (operator, operation)));
            }
        }
        Ok(found)
    }

    /// The kinds of operations, each once, in the order of the nodes; the first twenty.
    pub(super) fn kinds(&self) -> Result<Vec<String>> {
        let mut kinds = Vec::new();
        for operation in self.operations() {
            let kind = operation?.kind();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            if kinds.len() == MAX_KINDS {
                break;
            }
        }
        Ok(kinds)
    }

    /// Who makes a value. An initializer that is an input too counts as an initializer.
    pub(super) fn maker(&self, value: &str) -> Result<Maker<'g>> {
        if let Some(bytes) = self.initializers.get(value) {
            return Ok(Maker::Initializer(bytes));
        }
        if let Some(&index) = self.producers.get(value) {
            return Operation::parse(self.nodes[index]).map(Maker::Node);
        }
        Ok(if self.inputs.contains(value) { Maker::Input } else { Maker::Nothing })
    }

    /// The inputs of the graph that the X of a recurrent node depends on.
    pub(super) fn data_inputs(&self) -> Result<BTreeSet<&'g str>> {
        let x = |node: &Operation<'g>| node.inputs.first().copied();
        let (mut left, mut seen, mut inputs) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        left.extend(self.recurrent()?.iter().filter_map(|(_, node)| x(node)));
        while let Some(value) = left.pop() {
            if !seen.insert(value) {
                continue;
            }
            match self.maker(value)? {
                Maker::Input => drop(inputs.insert(value)),
                // A shape is none of the elements.
                Maker::Node(node) if node.op() == "Shape" => {}
                Maker::Node(node) if Operator::of(node.op()).is_some() => left.extend(x(&node)),
                Maker::Node(node) => left.extend(node.inputs),
                Maker::Initializer(_) | Maker::Nothing => {}
            }
        }
        Ok(inputs)
    }

    pub(super) fn is_output(&self, value: &str) -> bool {
        self.outputs.contains(value)
    }

    /// Every initializer with its name, in the file's order.
    pub(super) fn initializers(&self) -> Vec<(&'g str, &'g [u8])> {
        let mut list: Vec<_> = self.initializers.iter().map(|(&name, &bytes)| (name, bytes)).collect();
        list.sort_by_key(|(_, bytes)| bytes.as_ptr());
        list
    }

    /// The element type and the lengths of a value, as far as the graph says them.
    pub(super) fn declared(&self, value: &str) -> Result<(Option<i32>, Option<Vec<Option<i64>>>)> {
        let Some(bytes) = self.types.get(value) else { return Ok((None, None)) };
        let info: ValueInfoProto = decode("ValueInfoProto", bytes)?;
        let Some(tensor) = info.r#type.and_then(|kind| kind.tensor_type) else { return Ok((None, None)) };
        let length = |dim: DimensionProto| match dim.value {
            Some(Dim::Value(length @ 0..)) => Some(length),
            _ => None,
        };
        let dims = tensor.shape.map(|shape| shape.dim.into_iter().map(length).collect());
        Ok((tensor.elem_type, dims))
    }
}

fn insert<'g, V>(map: &mut BTreeMap<&'g str, V>, name: &'g str, value: V) -> Result<()> {
    match map.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(Error::DuplicateParameter { name: name.into() }),
    }
}

/// The name among a message's fields.
fn name_of<'g>(message: &'static str, bytes: &'g [u8], tag: u32) -> Result<Option<&'g str>> {
    let mut found = None;
    for field in Fields::new(message, bytes) {
        if let (field, Some(name)) = field?
            && field == tag
        {
            found = Some(text(message, name)?);
        }
    }
    Ok(found)
}

/// The recurrent operator of a node, if it is one of ONNX's own.
fn recurrent_operator(node: &[u8]) -> Result<Option<&'static Operator>> {
    let (mut operator, mut own) = (None, true);
    for field in Fields::new("NodeProto", node) {
        match field? {
            (tag::NODE_OP_TYPE, Some(name)) => operator = str::from_utf8(name).ok().and_then(Operator::of),
            (tag::NODE_DOMAIN, Some(domain)) => own = matches!(domain, b"" | b"ai.onnx"),
            _ => {}
        }
    }
    Ok(operator.filter(|_| own))
}

/// Refuses an attribute whose graph has recurrent nodes.
fn refuse_in_subgraphs(attribute: &[u8]) -> Result<()> {
    for field in Fields::new("AttributeProto", attribute) {
        if let (tag::ATTRIBUTE_GRAPH | tag::ATTRIBUTE_GRAPHS, Some(graph)) = field? {
            refuse_recurrent("subgraph", graph, tag::GRAPH_NODE)?;
        }
    }
    Ok(())
}

/// Refuses a graph or function, called `place`, that has recurrent nodes. Graphs stand in nodes of graphs to any depth,
/// so those that are left stand in a list.
fn refuse_recurrent(place: &str, graph: &[u8], node_tag: u32) -> Result<()> {
    let mut left = vec![(graph, node_tag)];
    while let Some((graph, node_tag)) = left.pop() {
        for field in Fields::new("GraphProto", graph) {
            let (field, Some(node)) = field? else { continue };
            if field != node_tag {
                continue;
            }
            if let Some(operator) = recurrent_operator(node)? {
                let label = Operation::parse(node)?.label();
                return Err(unsupported(&label, format!("a node of {} in a {place}", operator.op_type)));
            }
            for field in Fields::new("NodeProto", node) {
                let (tag::NODE_ATTRIBUTE, Some(attribute)) = field? else { continue };
                for field in Fields::new("AttributeProto", attribute) {
                    if let (tag::ATTRIBUTE_GRAPH | tag::ATTRIBUTE_GRAPHS, Some(graph @ [_, ..])) = field? {
                        left.push((graph, tag::GRAPH_NODE));
                    }
                }
            }
        }
    }
    Ok(())
}
