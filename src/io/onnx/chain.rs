//! Which recurrent node reads which in a graph.

use std::collections::BTreeMap;

use super::fold::{Factor, Fold, Part};
use super::graph::Operation;
use crate::error::Result;
use crate::scalar::Scalar;

/// How the nodes of a graph follow one another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Whether sequences and steps were exchanged on the way to the first node.
    pub(super) first_exchanged: bool,
    /// For every node but the first, whether it reads the outputs of the one before, both directions in one row.
    pub(super) follows: Vec<bool>,
    /// For every node, who reads its outputs but the node behind it, and what only moves them.
    pub(super) others: Vec<Option<String>>,
    /// Whether the graph exchanges sequences and steps of the last node's outputs; `None` if nobody reads these, as where
    /// the last states are enough.
    pub(super) last_exchanged: Option<bool>,
}

/// A node of the chain.
struct Link<'g> {
    operation: Operation<'g>,
    batch_first: bool,
}

impl<'g> Link<'g> {
    fn y(&self) -> Option<&'g str> {
        self.operation.outputs.first().copied().filter(|y| !y.is_empty())
    }

    /// Y as rows, both directions side by side; sequences first, or steps. `None` if `y` is not the whole Y.
    fn rows(&self, y: &Part<'g>, sequences_first: bool) -> Option<Part<'g>> {
        let [first, second, third, features] = y.axes.as_deref()? else { return None };
        let (steps, directions, sequences) =
            if self.batch_first { (second, third, first) } else { (first, second, third) };
        let rows = [directions.clone(), features.clone()].concat();
        let [first, second] = if sequences_first { [sequences, steps] } else { [steps, sequences] };
        let axes = Some(vec![first.clone(), second.clone(), rows]);
        Some(Part { origin: y.origin, fixed: Vec::new(), axes }.normalised())
    }
}

impl Chain {
    /// The chain of a graph's recurrent nodes, each with whether its layout has sequences first.
    pub(super) fn new<'g, A: Scalar>(
        fold: &mut Fold<'_, 'g, A>,
        nodes: Vec<(Operation<'g>, bool)>,
    ) -> Result<Self> {
        let links = nodes.into_iter().map(|(operation, batch_first)| Link { operation, batch_first });
        let links: Vec<_> = links.collect();
        let mut chain = Self::default();
        for (k, link) in links.iter().enumerate() {
            let x = link.operation.inputs.first().copied().unwrap_or_default();
            let x = part(fold, x)?;
            match k.checked_sub(1) {
                None => chain.first_exchanged = x.is_some_and(|x| is_exchanged(&x)),
                Some(below) => {
                    let below = &links[below];
                    let rows = rows(fold, below, link.batch_first)?;
                    chain.follows.push(rows.is_some() && rows == x.map(Part::normalised));
                }
            }
        }
        let readers = Readers::new(fold, &links)?;
        if let Some(last) = links.last() {
            let exchanged = rows(fold, last, !last.batch_first)?;
            let normalised = |(_, part): &(usize, Part<'g>)| Some(part.clone().normalised());
            let is = |moved| exchanged.is_some() && normalised(moved) == exchanged;
            let of_last = readers.moved.values().filter(|(k, _)| k + 1 == links.len());
            let read = of_last.count() > 1 || readers.others.last().is_some_and(Option::is_some);
            chain.last_exchanged = read.then(|| readers.moved.values().any(is));
        }
        chain.others = readers.others;
        Ok(chain)
    }
}

/// A value as a part of its origin; `None` for a constant.
fn part<'g, A: Scalar>(fold: &mut Fold<'_, 'g, A>, value: &'g str) -> Result<Option<Part<'g>>> {
    Ok(fold.value(value)?.part().cloned())
}

/// The rows of a node's Y.
fn rows<'g, A: Scalar>(
    fold: &mut Fold<'_, 'g, A>,
    link: &Link<'g>,
    sequences_first: bool,
) -> Result<Option<Part<'g>>> {
    let Some(y) = link.y() else { return Ok(None) };
    Ok(part(fold, y)?.and_then(|y| link.rows(&y, sequences_first)))
}

/// Whether the first two of three axes were exchanged.
fn is_exchanged(part: &Part<'_>) -> bool {
    let from = |axis: &[Factor<'_>]| match axis {
        [factor] => Some(factor.axis),
        _ => None,
    };
    let axes = part.axes.iter().flatten().map(|axis| from(axis)).collect::<Option<Vec<_>>>();
    axes.is_some_and(|axes| axes == [1, 0, 2])
}

/// The values that are Y of a node, or a part of it, moved; and who else reads them.
struct Readers<'g> {
    /// The node of each value, and which part of its Y the value is.
    moved: BTreeMap<&'g str, (usize, Part<'g>)>,
    others: Vec<Option<String>>,
}

impl<'g> Readers<'g> {
    fn new<A: Scalar>(fold: &mut Fold<'_, 'g, A>, links: &[Link<'g>]) -> Result<Self> {
        let mut moved = BTreeMap::new();
        for (k, link) in links.iter().enumerate() {
            if let Some(y) = link.y()
                && let Some(part) = part(fold, y)?
            {
                moved.insert(y, (k, part));
            }
        }
        let mut readers = Self { moved, others: vec![None; links.len()] };
        let places = links.iter().enumerate().map(|(k, link)| (link.operation.outputs.clone(), k));
        let places: BTreeMap<_, _> = places.collect();
        // Nodes stand in an order in which they can run: who reads a value comes after who makes it.
        for operation in fold.graph.operations() {
            let operation = operation?;
            readers.add(fold, &operation, places.get(&operation.outputs).copied());
        }
        for (value, &(k, _)) in &readers.moved {
            if fold.graph.is_output(value) {
                readers.others[k].get_or_insert_with(|| format!("the graph's output {value}"));
            }
        }
        Ok(readers)
    }

    /// Adds a node of the graph: the recurrent node at `place`, or another.
    fn add<A: Scalar>(
        &mut self,
        fold: &mut Fold<'_, 'g, A>,
        operation: &Operation<'g>,
        place: Option<usize>,
    ) {
        for (i, input) in operation.inputs.iter().enumerate() {
            let Some(&(k, ref y)) = self.moved.get(input) else { continue };
            let origin = y.origin;
            let read = match place {
                Some(place) => i == 0 && place == k + 1,
                None => operation.op() == "Shape" || self.moves(fold, operation, k, origin),
            };
            if !read {
                self.others[k].get_or_insert_with(|| operation.label());
            }
        }
    }

    /// Whether all that a node does is to move the Y that is called `origin`.
    fn moves<A: Scalar>(
        &mut self,
        fold: &mut Fold<'_, 'g, A>,
        operation: &Operation<'g>,
        k: usize,
        origin: &str,
    ) -> bool {
        if !MOVING.contains(&operation.op()) {
            return false;
        }
        let outputs = if operation.op() == "Dropout" { &operation.outputs[..1] } else { &operation.outputs };
        let named = outputs.iter().filter(|output| !output.is_empty());
        named.fold(true, |all, output| {
            let part = part(fold, output).ok().flatten().filter(|part| part.origin == origin);
            let moved = part.map(|part| self.moved.insert(output, (k, part)));
            all && moved.is_some()
        })
    }
}

/// The operations that may do nothing but move the elements of their input.
const MOVING: [&str; 12] = [
    "Cast",
    "Concat",
    "Dropout",
    "Expand",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];
