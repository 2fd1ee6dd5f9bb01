//! One recurrent node.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Array3, ArrayView1, Axis};

use super::attributes::Attributes;
use super::fold::Fold;
use super::graph::Operation;
use super::inputs::{Given, Inputs};
use super::operator::Operator;
use super::{FORMAT, unsupported};
use crate::arrays::standard;
use crate::cell::Elman;
use crate::engine::Stack;
use crate::error::{Result, expect_positive, expect_shape};
use crate::io::files::malformed;
use crate::kernels::Activation;
use crate::recurrent::{CellParameters, Direction};
use crate::scalar::Scalar;

/// A recurrent node of a model, with its weights.
///
/// Source: <https://onnx.ai/onnx/operators/onnx__RNN.html>
#[derive(Debug, Clone)]
pub struct Node<A: Scalar> {
    name: String,
    operator: &'static Operator,
    attributes: Attributes,
    /// One for each direction, of which there is one at least.
    cells: Vec<CellParameters<A>>,
    /// (directions, N, hidden_size).
    initial_h: Given<Array3<A>>,
    sequence_lens: Given<Vec<usize>>,
    /// Each direction, its weights packed for the engine: made at the first use.
    stacks: OnceLock<Vec<Stack<A, Elman>>>,
}

impl<A: Scalar> Node<A> {
    /// The node's name, or the name of its first output if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The operator: `RNN`.
    #[must_use]
    pub fn op_type(&self) -> &'static str {
        self.operator.op_type
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

    /// The first state that the model fixes, if that is not zero: (directions, N, hidden_size), or (directions, 1,
    /// hidden_size) if the graph repeats the state of one sequence for each of them, however many they are.
    #[must_use]
    pub fn initial_h(&self) -> Option<&Array3<A>> {
        self.initial_h.stored().map(|stored| &stored.array)
    }

    /// The sequences' lengths that the model fixes, if they are not all of the sequences' steps: N numbers, or one if
    /// the graph repeats it for each sequence, however many they are.
    #[must_use]
    pub fn sequence_lens(&self) -> Option<&[usize]> {
        self.sequence_lens.stored().map(|stored| &stored.array[..])
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

    pub(super) fn first_state(&self) -> &Given<Array3<A>> {
        &self.initial_h
    }

    pub(super) fn lens(&self) -> &Given<Vec<usize>> {
        &self.sequence_lens
    }

    /// A node of a graph.
    pub(super) fn parse<'g>(
        operator: &'static Operator,
        operation: &Operation<'g>,
        fold: &mut Fold<'_, 'g, A>,
    ) -> Result<Self> {
        let name = operation.label();
        let extra =
            |values: &[&str], known: &[&str]| values.iter().skip(known.len()).any(|name| !name.is_empty());
        if extra(&operation.inputs, operator.inputs) || extra(&operation.outputs, operator.outputs) {
            return Err(unsupported(&name, "an input or output that the operator does not have"));
        }
        let attributes = Attributes::parse(&name, operation, operator)?;
        let mut inputs = Inputs { name: &name, operator, operation, fold };
        let (w, r) = (inputs.weight("W")?, inputs.weight("R")?);
        let (directions, input, hidden) = (attributes.directions.len(), w.dim().2, r.dim().2);
        expect_positive("hidden_size", hidden)?;
        expect_positive("input_size", input)?;
        let rows = operator.gates.saturating_mul(hidden);
        expect_shape(&inputs.field("W"), &[directions, rows, input], w.shape())?;
        expect_shape(&inputs.field("R"), &[directions, rows, hidden], r.shape())?;
        if let Some(actual) = attributes.hidden_size.filter(|&size| size != hidden) {
            return Err(malformed(FORMAT, format!("{name}.hidden_size"), hidden.to_string(), actual));
        }
        let b: Option<Array2<A>> = inputs.bias(&[directions, 2 * rows])?;
        let (axes, time) = if attributes.batch_first { ([1, 0, 2], 1) } else { ([0, 1, 2], 0) };
        let initial_h = inputs.state("initial_h", axes, [directions, hidden])?;
        let sequence_lens = inputs.lens(time)?;
        let cells = (0..directions).map(|d| {
            let biases = b.as_ref().map(|b| halves(b.row(d), rows));
            let (bias_ih, bias_hh) = biases.unzip();
            let [weight_ih, weight_hh] = [&w, &r].map(|weight| standard(&weight.index_axis(Axis(0), d)));
            CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr: None }
        });
        let cells = cells.collect();
        Ok(Self { name, operator, attributes, cells, initial_h, sequence_lens, stacks: OnceLock::new() })
    }
}

/// Equal names, operators, attributes and constants.
impl<A: Scalar> PartialEq for Node<A> {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator, &self.attributes) == (&other.name, other.operator, &other.attributes)
            && (&self.cells, &self.initial_h, &self.sequence_lens)
                == (&other.cells, &other.initial_h, &other.sequence_lens)
    }
}

/// The rows of B as the biases of the input's and of the state's weights.
fn halves<A: Scalar>(row: ArrayView1<'_, A>, rows: usize) -> (Array1<A>, Array1<A>) {
    let (ih, hh) = row.split_at(Axis(0), rows);
    (standard(&ih), standard(&hh))
}
