//! The recurrent operators: a row of the table says what a node of the operator has.

/// A recurrent operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) op_type: &'static str,
    /// How many blocks of `hidden_size` rows W and R have.
    pub(super) gates: usize,
    /// The names of the inputs, in their order.
    pub(super) inputs: &'static [&'static str],
    /// The names of the outputs, in their order.
    pub(super) outputs: &'static [&'static str],
    /// The attributes, of every version of the operator.
    pub(super) attributes: &'static [&'static str],
    /// The activations of one direction of a node that names none.
    pub(super) activations: &'static [&'static str],
}

/// Every operator whose nodes are read.
static OPERATORS: [Operator; 1] = [Operator {
    op_type: "RNN",
    gates: 1,
    inputs: &["X", "W", "R", "B", "sequence_lens", "initial_h"],
    outputs: &["Y", "Y_h"],
    attributes: &[
        "activation_alpha",
        "activation_beta",
        "activations",
        "clip",
        "direction",
        "hidden_size",
        "layout",
        "output_sequence",
    ],
    activations: &["Tanh"],
}];

impl Operator {
    /// The operator of a name, if nodes of it are read.
    pub(super) fn of(op_type: &str) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.op_type == op_type)
    }

    /// The place of an input in a node's list; `None` if the operator has no input of that name.
    pub(super) fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|&input| input == name)
    }
}
