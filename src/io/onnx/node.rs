//! One recurrent node.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Array3, ArrayView1, Axis};

use super::attributes::Attributes;
use super::engine::Engine;
use super::fold::Fold;
use super::graph::Operation;
use super::inputs::{Given, Inputs};
use super::operator::Operator;
use super::{FORMAT, unsupported};
use crate::arrays::try_standard;
use crate::cell::AnyActivation;
use crate::error::{Result, expect_positive, expect_shape};
use crate::io::files::malformed;
use crate::planes::Planes;
use crate::recurrent::{CellParameters, Direction};
use crate::room::get_or_make;
use crate::scalar::Scalar;

/// A recurrent node of a model, with its weights: of the operator RNN, LSTM or GRU, with everything that the operator has.
///
/// Sources: <https://onnx.ai/onnx/operators/onnx__RNN.html>, <https://onnx.ai/onnx/operators/onnx__LSTM.html>,
/// <https://onnx.ai/onnx/operators/onnx__GRU.html>
#[derive(Debug, Clone)]
pub struct Node<A: Scalar> {
    name: String,
    operator: &'static Operator,
    attributes: Attributes,
    /// One for each direction, of which there is one at least.
    cells: Vec<CellParameters<A>>,
    /// (directions, 3 hidden_size).
    peepholes: Option<Array2<A>>,
    /// (directions, N, hidden_size), `initial_c` with an LSTM.
    first_state: Planes<Given<Array3<A>>>,
    sequence_lens: Given<Vec<usize>>,
    /// Each direction, its weights packed for the engine: made at the first use.
    engines: OnceLock<Vec<Engine<A>>>,
}

impl<A: Scalar> Node<A> {
    /// The node's name, or the name of its first output if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The operator: `RNN`, `LSTM` or `GRU`.
    #[must_use]
    pub fn op_type(&self) -> &'static str {
        self.operator.op_type
    }

    /// The directions in which the node runs.
    #[must_use]
    pub fn directions(&self) -> &[Direction] {
        self.attributes.directions
    }

    /// The activations of each direction: one with an RNN; with a GRU that of the gates and that of the candidate; with
    /// an LSTM also that of the cell state.
    #[must_use]
    pub fn activations(&self) -> &[AnyActivation] {
        &self.attributes.activations
    }

    /// The bound of every sum's absolute value before the activation, if there is one. An LSTM's cell state has no bound.
    #[must_use]
    pub fn clip(&self) -> Option<f32> {
        self.attributes.clip
    }

    /// Whether an LSTM's forget gate is 1 - i.
    #[must_use]
    pub fn input_forget(&self) -> bool {
        self.attributes.input_forget
    }

    /// Whether a GRU's reset gate stands behind the recurrent product, as in torch.
    #[must_use]
    pub fn linear_before_reset(&self) -> bool {
        self.attributes.linear_before_reset
    }

    /// Whether the node's `layout` is 1: inputs, outputs and states have the axis of the sequences first.
    #[must_use]
    pub fn batch_first(&self) -> bool {
        self.attributes.batch_first
    }

    /// The weights and biases of each direction, in ONNX's order of gates: i, o, f and c with an LSTM, z, r and h with a
    /// GRU.
    #[must_use]
    pub fn cells(&self) -> &[CellParameters<A>] {
        &self.cells
    }

    /// An LSTM's peepholes, (directions, 3 hidden_size): the weights of the cell state in the sums of i, o and f.
    #[must_use]
    pub fn peepholes(&self) -> Option<&Array2<A>> {
        self.peepholes.as_ref()
    }

    /// The first hidden state that the model fixes, if that is not zero: (directions, N, hidden_size), or (directions, 1,
    /// hidden_size) if the graph repeats the state of one sequence for each of them, however many they are.
    #[must_use]
    pub fn initial_h(&self) -> Option<&Array3<A>> {
        self.first_state.h.stored().map(|stored| &stored.array)
    }

    /// As [`initial_h`](Self::initial_h), an LSTM's first cell state.
    #[must_use]
    pub fn initial_c(&self) -> Option<&Array3<A>> {
        self.first_state.c.as_ref()?.stored().map(|stored| &stored.array)
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

    pub(super) fn operator(&self) -> &'static Operator {
        self.operator
    }

    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Each direction, packed at the first call.
    ///
    /// # Errors
    /// As [`Engine::pack`].
    pub(super) fn engines(&self) -> Result<&[Engine<A>]> {
        let pack = || (0..self.cells.len()).map(|d| Engine::pack(self, d)).collect();
        Ok(get_or_make(&self.engines, pack)?)
    }

    pub(super) fn first_state(&self) -> Planes<&Given<Array3<A>>> {
        self.first_state.as_ref()
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
        let b: Option<Array2<A>> = inputs.rows("B", &[directions, 2 * rows])?;
        let peepholes = inputs.rows("P", &[directions, 3 * hidden])?;
        let (axes, time) = if attributes.batch_first { ([1, 0, 2], 1) } else { ([0, 1, 2], 0) };
        let carries = operator.input("initial_c").is_some();
        let planes = Planes::new(carries, || ()).named(["initial_h", "initial_c"]);
        let first_state = planes.try_map(|(name, ())| inputs.state(name, axes, [directions, hidden]))?;
        let sequence_lens = inputs.lens(time)?;
        let cells = (0..directions).map(|d| {
            let biases = b.as_ref().map(|b| halves(b.row(d), rows)).transpose()?;
            let (bias_ih, bias_hh) = biases.unzip();
            let weight = |name, weight: &Array3<A>| try_standard(name, &weight.index_axis(Axis(0), d));
            let (weight_ih, weight_hh) = (weight("W", &w)?, weight("R", &r)?);
            Ok(CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr: None })
        });
        let cells = cells.collect::<Result<_>>()?;
        let engines = OnceLock::new();
        Ok(Self { name, operator, attributes, cells, peepholes, first_state, sequence_lens, engines })
    }
}

/// Equal names, operators, attributes and constants.
impl<A: Scalar> PartialEq for Node<A> {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator, &self.attributes) == (&other.name, other.operator, &other.attributes)
            && (&self.cells, &self.peepholes, &self.first_state, &self.sequence_lens)
                == (&other.cells, &other.peepholes, &other.first_state, &other.sequence_lens)
    }
}

/// The rows of B as the biases of the input's and of the state's weights.
fn halves<A: Scalar>(row: ArrayView1<'_, A>, rows: usize) -> Result<(Array1<A>, Array1<A>)> {
    let (ih, hh) = row.split_at(Axis(0), rows);
    Ok((try_standard("B", &ih)?, try_standard("B", &hh)?))
}
