//! One RNN node.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Array3, ArrayView1, Axis};

use super::FORMAT;
use super::attributes::Attributes;
use super::constants::{Constants, Input};
use super::graph::Graph;
use super::proto::NodeProto;
use crate::arrays::standard;
use crate::cell::Elman;
use crate::engine::Stack;
use crate::error::{Result, expect_positive, expect_shape};
use crate::invariant::Invariant;
use crate::io::budget::Budget;
use crate::io::files::malformed;
use crate::kernels::Activation;
use crate::recurrent::{CellParameters, Direction};
use crate::scalar::Scalar;

/// An RNN node of a model, with its weights.
///
/// Source: <https://onnx.ai/onnx/operators/onnx__RNN.html>
#[derive(Debug, Clone)]
pub struct Node<A: Scalar> {
    name: String,
    attributes: Attributes,
    /// One for each direction, of which there is one at least.
    cells: Vec<CellParameters<A>>,
    /// (directions, N, hidden_size).
    initial_h: Option<Array3<A>>,
    sequence_lens: Option<Vec<usize>>,
    /// Each direction, its weights packed for the engine: made at the first use.
    stacks: OnceLock<Vec<Stack<A, Elman>>>,
}

impl<A: Scalar> Node<A> {
    /// The node's name, or the name of its first output if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directions in which the node runs.
    #[must_use]
    pub fn directions(&self) -> &[Direction] {
        self.attributes.directions
    }

    /// The activation of each direction.
    #[must_use]
    pub fn activations(&self) -> &[Activation] {
        &self.attributes.activations
    }

    /// The bound of every sum's absolute value before the activation, if there is one.
    #[must_use]
    pub fn clip(&self) -> Option<f32> {
        self.attributes.clip
    }

    /// Whether the node's `layout` is 1: inputs, outputs and states have the axis of the sequences first.
    #[must_use]
    pub fn batch_first(&self) -> bool {
        self.attributes.batch_first
    }

    /// The weights and biases of each direction.
    #[must_use]
    pub fn cells(&self) -> &[CellParameters<A>] {
        &self.cells
    }

    /// The first state stored in the model, (directions, N, hidden_size), if there is one.
    #[must_use]
    pub fn initial_h(&self) -> Option<&Array3<A>> {
        self.initial_h.as_ref()
    }

    /// The sequences' lengths stored in the model, if there are any.
    #[must_use]
    pub fn sequence_lens(&self) -> Option<&[usize]> {
        self.sequence_lens.as_deref()
    }

    /// The number of features of X.
    #[must_use]
    pub fn input_size(&self) -> usize {
        self.cells[0].weight_ih.ncols()
    }

    /// The number of features of the hidden state.
    #[must_use]
    pub fn hidden_size(&self) -> usize {
        self.cells[0].weight_hh.ncols()
    }

    pub(super) fn stacks(&self) -> &[Stack<A, Elman>] {
        self.stacks.get_or_init(|| self.pack())
    }

    /// A node of a graph.
    pub(super) fn parse(node: &NodeProto, graph: &Graph<'_>, budget: &mut Budget) -> Result<Self> {
        let name = match node.name() {
            "" => {
                let named = node.output.iter().find(|output| !output.is_empty());
                named.invariant("a node without a named output is left out of the graph").clone()
            }
            name => name.into(),
        };
        let attributes = Attributes::parse(&name, node)?;
        let mut constants = Constants { name: &name, node, graph, budget };
        let (w, r): (Array3<A>, Array3<A>) = (constants.weight(Input::W)?, constants.weight(Input::R)?);
        let (directions, [_, hidden, input]) = (attributes.directions.len(), w.dim().into());
        expect_positive("hidden_size", hidden)?;
        expect_positive("input_size", input)?;
        expect_shape(&constants.field(Input::W), &[directions, hidden, input], w.shape())?;
        expect_shape(&constants.field(Input::R), &[directions, hidden, hidden], r.shape())?;
        if let Some(actual) = attributes.hidden_size.filter(|&size| size != hidden) {
            return Err(malformed(FORMAT, format!("{name}.hidden_size"), hidden.to_string(), actual));
        }
        let b: Option<Array2<A>> = constants.bias(&[directions, 2 * hidden])?;
        let initial_h = constants.state()?.map(|h| first_state(&name, h, &attributes, hidden)).transpose()?;
        let sequence_lens = constants.lens()?;
        let cells = (0..directions).map(|d| {
            let biases = b.as_ref().map(|b| halves(b.row(d), hidden));
            let (bias_ih, bias_hh) = biases.unzip();
            let [weight_ih, weight_hh] = [&w, &r].map(|weight| standard(&weight.index_axis(Axis(0), d)));
            CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr: None }
        });
        let cells = cells.collect();
        Ok(Self { name, attributes, cells, initial_h, sequence_lens, stacks: OnceLock::new() })
    }
}

/// Equal names, attributes and constants.
impl<A: Scalar> PartialEq for Node<A> {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.attributes, &self.cells) == (&other.name, &other.attributes, &other.cells)
            && (&self.initial_h, &self.sequence_lens) == (&other.initial_h, &other.sequence_lens)
    }
}

/// A constant first state as (directions, N, hidden_size).
fn first_state<A: Scalar>(
    name: &str,
    mut state: Array3<A>,
    attributes: &Attributes,
    hidden: usize,
) -> Result<Array3<A>> {
    if attributes.batch_first {
        state.swap_axes(0, 1);
    }
    let shape = [attributes.directions.len(), state.dim().1, hidden];
    expect_shape(&format!("{name}.initial_h"), &shape, state.shape())?;
    Ok(standard(&state))
}

/// A row of B as the biases of the input's and of the state's weights.
fn halves<A: Scalar>(row: ArrayView1<'_, A>, hidden: usize) -> (Array1<A>, Array1<A>) {
    let (ih, hh) = row.split_at(Axis(0), hidden);
    (standard(&ih), standard(&hh))
}
