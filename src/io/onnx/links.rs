//! Which RNN node reads which in a graph.

use std::collections::BTreeMap;

use super::graph::Graph;
use super::proto::{AttributeProto, NodeProto};
use super::tensor::integers;
use crate::error::Result;

/// Turns (L, N, features) into (N, L, features), and back.
const SWAP: [i64; 3] = [1, 0, 2];

/// Turns Y (L, directions, N, hidden_size) into (L, N, directions, hidden_size).
const BESIDE: [i64; 4] = [0, 2, 1, 3];

/// A value whose axes were exchanged more often than this counts as no node's.
const MAX_SWAPS: usize = 8;

/// The properties of an RNN node on which it depends whether another node reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) directions: usize,
    pub(super) hidden: usize,
    pub(super) batch_first: bool,
}

/// The origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueOrigin {
    /// The RNN node whose outputs the value holds, both directions in one row; `None` if it holds no node's outputs.
    pub(super) node: Option<usize>,
    /// Whether sequences come first; without a node, whether sequences and steps were exchanged.
    pub(super) batch_first: bool,
}

/// The RNN nodes of a graph by the names of their outputs Y.
#[derive(Debug)]
pub(super) struct Links<'a, 'g> {
    graph: &'a Graph<'g>,
    shapes: Vec<Shape>,
    by_y: BTreeMap<&'a str, usize>,
}

impl<'a, 'g> Links<'a, 'g> {
    pub(super) fn new(graph: &'a Graph<'g>, nodes: &'a [NodeProto], shapes: Vec<Shape>) -> Self {
        let outputs = nodes.iter().map(|node| node.output.first().map_or("", String::as_str));
        // A node may leave Y out.
        let by_y = outputs.zip(0..).filter(|(y, _)| !y.is_empty()).collect();
        Self { graph, shapes, by_y }
    }

    /// The origin of a value.
    pub(super) fn origin_of(&self, value: &str) -> Result<ValueOrigin> {
        let (mut value, mut swapped) = (value.to_owned(), false);
        for _ in 0..MAX_SWAPS {
            let Some(node) = self.graph.producer(&value)? else { break };
            if !is_transpose(&node, &SWAP) {
                let node = self.outputs(&node)?;
                let batch_first = node.is_some_and(|i| self.shapes[i].batch_first);
                return Ok(ValueOrigin { node, batch_first: batch_first != swapped });
            }
            swapped = !swapped;
            value = first_input(&node).into();
        }
        Ok(ValueOrigin { node: None, batch_first: swapped })
    }

    /// Whether the graph exchanges sequences and steps of a node's rows.
    pub(super) fn is_swapped(&self, node: usize) -> Result<bool> {
        let origin = ValueOrigin { node: Some(node), batch_first: self.shapes[node].batch_first };
        for reader in self.graph.nodes("Transpose")? {
            if is_transpose(&reader, &SWAP) && self.origin_of(first_input(&reader))? == origin {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The RNN node whose Y the node `node` turns into rows, if it does.
    fn outputs(&self, node: &NodeProto) -> Result<Option<usize>> {
        match node.op_type() {
            "Squeeze" => {
                let source = self.source(first_input(node))?;
                let axes = self.list(node, "axes")?;
                Ok(source.filter(|&i| {
                    let Shape { directions, batch_first, .. } = self.shapes[i];
                    let axis = if batch_first { 2 } else { 1 };
                    directions == 1 && (axes == Some(vec![axis]) || axes == Some(vec![axis - 4]))
                }))
            }
            "Reshape" => {
                let below = self.graph.producer(first_input(node))?;
                let beside = below.filter(|below| is_transpose(below, &BESIDE));
                let source = self.source(beside.as_ref().map_or(first_input(node), first_input))?;
                let Some(shape) = self.list(node, "shape")? else { return Ok(None) };
                Ok(source.filter(|&i| {
                    let Shape { directions, hidden, batch_first } = self.shapes[i];
                    let widths = [-1, (directions * hidden) as i64];
                    let kept = matches!(*shape, [0, 0, width] if widths.contains(&width));
                    kept && batch_first != beside.is_some()
                }))
            }
            _ => Ok(None),
        }
    }

    /// The RNN node whose Y a value is, if it is any node's.
    fn source(&self, value: &str) -> Result<Option<usize>> {
        Ok(self.by_y.get(self.graph.origin(value)?.as_str()).copied())
    }

    /// A constant list of whole numbers: the second input, or in old versions of the operators an attribute.
    fn list(&self, node: &NodeProto, attribute: &str) -> Result<Option<Vec<i64>>> {
        match node.input.get(1) {
            Some(value) => self.graph.constant(value)?.map(|proto| integers(value, proto)).transpose(),
            None => Ok(node.attribute.iter().find(|a| a.name() == attribute).map(|a| a.ints.clone())),
        }
    }
}

fn first_input(node: &NodeProto) -> &str {
    node.input.first().map_or("", String::as_str)
}

fn is_transpose(node: &NodeProto, permutation: &[i64]) -> bool {
    let permuted = |a: &AttributeProto| a.name() == "perm" && a.ints == permutation;
    node.op_type() == "Transpose" && node.attribute.iter().any(permuted)
}
