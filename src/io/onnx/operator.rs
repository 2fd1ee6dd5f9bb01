//! The recurrent operators: a row of the table says what a node of the operator has.

use crate::engine::Order;

/// A recurrent operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) op_type: &'static str,
    pub(super) kind: Kind,
    /// How many blocks of `hidden_size` rows W and R have.
    pub(super) gates: usize,
    /// The names of the inputs, in their order.
    pub(super) inputs: &'static [&'static str],
    /// The names of the outputs, in their order.
    pub(super) outputs: &'static [&'static str],
    /// The attributes that only this operator has, of every version; all have those of [`ATTRIBUTES`].
    own_attributes: &'static [&'static str],
    /// The activations of one direction of a node that names none.
    pub(super) activations: &'static [&'static str],
}

/// Which cell runs the nodes of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rnn,
    Lstm,
    Gru,
}

impl Kind {
    /// The operator's name.
    pub(super) fn op_type(self) -> &'static str {
        OPERATORS[self as usize].op_type
    }

    /// Which block of W and R each of the cell's blocks is.
    pub(super) fn order(self) -> Order {
        match self {
            Self::Rnn => Order::ONE,
            // ONNX has i, o, f and c; the cell i, f, o and the candidate.
            Self::Lstm => Order { input: &[0, 2, 1, 3], hidden: &[0, 2, 1, 3] },
            // ONNX has z, r and h. The cell has the candidate, r and z of the input; r, z and the candidate of the state.
            Self::Gru => Order { input: &[2, 1, 0], hidden: &[1, 0, 2] },
        }
    }
}

/// The attributes of every operator and version. `output_sequence` of the first says whether Y is wanted; naming the output
/// says the same.
const ATTRIBUTES: [&str; 8] = [
    "activation_alpha",
    "activation_beta",
    "activations",
    "clip",
    "direction",
    "hidden_size",
    "layout",
    "output_sequence",
];

/// Every operator whose nodes are read, in the order of [`Kind`].
static OPERATORS: [Operator; 3] = [
    Operator {
        op_type: "RNN",
        kind: Kind::Rnn,
        gates: 1,
        inputs: &["X", "W", "R", "B", "sequence_lens", "initial_h"],
        outputs: &["Y", "Y_h"],
        own_attributes: &[],
        activations: &["Tanh"],
    },
    Operator {
        op_type: "LSTM",
        kind: Kind::Lstm,
        gates: 4,
        inputs: &["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"],
        outputs: &["Y", "Y_h", "Y_c"],
        own_attributes: &["input_forget"],
        activations: &["Sigmoid", "Tanh", "Tanh"],
    },
    Operator {
        op_type: "GRU",
        kind: Kind::Gru,
        gates: 3,
        inputs: &["X", "W", "R", "B", "sequence_lens", "initial_h"],
        outputs: &["Y", "Y_h"],
        own_attributes: &["linear_before_reset"],
        activations: &["Sigmoid", "Tanh"],
    },
];

impl Operator {
    /// The operator of a name, if nodes of it are read.
    pub(super) fn of(op_type: &str) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.op_type == op_type)
    }

    /// The place of an input in a node's list; `None` if the operator has no input of that name.
    pub(super) fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|&input| input == name)
    }

    /// Whether nodes may have an attribute.
    pub(super) fn has_attribute(&self, name: &str) -> bool {
        ATTRIBUTES.contains(&name) || self.own_attributes.contains(&name)
    }
}
