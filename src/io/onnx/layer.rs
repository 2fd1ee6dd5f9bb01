//! Writing a recurrent node.

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis};

use super::builder::{Builder, floats, int, string, strings};
use super::network::reordered;
use super::operator::Kind;
use super::unsupported;
use crate::error::Result;
use crate::kernels::Activation;
use crate::recurrent::Direction;
use crate::room::zeros;
use crate::scalar::Scalar;

/// What the directions of a node have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) kind: Kind,
    /// Whether a GRU's reset gate stands behind the recurrent product.
    pub(super) linear_before_reset: bool,
    /// Which of the owner's blocks of rows each of the node's is.
    pub(super) blocks: &'a [usize],
    /// What the names of the weights end in.
    pub(super) suffix: &'a str,
}

/// One direction of a node: weights (blocks hidden_size, input) and (blocks hidden_size, hidden_size), and both biases, if
/// there are any.
#[derive(Debug)]
pub(super) struct DirectionWeights<'a, A> {
    pub(super) direction: Direction,
    /// The activations, in the operator's order; none where they are the operator's own.
    pub(super) activations: Vec<Activation>,
    pub(super) weight_ih: ArrayView2<'a, A>,
    pub(super) weight_hh: ArrayView2<'a, A>,
    pub(super) biases: Option<[ArrayView1<'a, A>; 2]>,
}

/// The names of a node's inputs that are no weights; an empty name stands for an input that the node does without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) x: &'a str,
    pub(super) sequence_lens: &'a str,
    pub(super) initial_h: &'a str,
    pub(super) initial_c: &'a str,
}

/// Adds a node of one direction or two. Its weights are named `W`, `R` and `B`, each followed by the suffix.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for an activation that the operator does not have.
pub(super) fn write<A: Scalar>(
    graph: &mut Builder,
    Form { kind, linear_before_reset, blocks, suffix }: Form<'_>,
    cells: &[DirectionWeights<'_, A>],
    inputs: Inputs<'_>,
    outputs: &[&str],
) -> Result<()> {
    let (rows, input) = cells.first().map_or((0, 0), |cell| cell.weight_ih.dim());
    let hidden = rows / blocks.len();
    let mut w: Array3<A> = zeros("W", (cells.len(), rows, input))?;
    let mut r: Array3<A> = zeros("R", (cells.len(), rows, hidden))?;
    let mut b: Array2<A> = zeros("B", (cells.len(), 2 * rows))?;
    for (d, cell) in cells.iter().enumerate() {
        w.index_axis_mut(Axis(0), d).assign(&reordered("W", &cell.weight_ih, blocks)?);
        r.index_axis_mut(Axis(0), d).assign(&reordered("R", &cell.weight_hh, blocks)?);
        let mut b = b.row_mut(d);
        for (mut to, bias) in b.axis_chunks_iter_mut(Axis(0), rows).zip(cell.biases.iter().flatten()) {
            to.assign(&reordered("B", bias, blocks)?);
        }
    }
    let w = graph.constant(format!("W{suffix}"), &w.view().into_dyn())?;
    let r = graph.constant(format!("R{suffix}"), &r.view().into_dyn())?;
    let b = match cells.iter().any(|cell| cell.biases.is_some()) {
        true => graph.constant(format!("B{suffix}"), &b.view().into_dyn())?,
        false => String::new(),
    };
    let direction = match cells {
        [_, _] => "bidirectional",
        [DirectionWeights { direction: Direction::Reverse, .. }] => "reverse",
        _ => "forward",
    };
    let (mut names, mut alphas, mut betas) = (Vec::new(), Vec::new(), Vec::new());
    for &of_cell in cells.iter().flat_map(|cell| &cell.activations) {
        let (name, alpha, beta) = activation(kind, of_cell)?;
        names.push(name);
        alphas.extend(alpha);
        betas.extend(beta);
    }
    let mut attributes = vec![int("hidden_size", hidden as i64), string("direction", direction)];
    if !names.is_empty() {
        attributes.push(strings("activations", &names));
    }
    if kind == Kind::Gru {
        attributes.push(int("linear_before_reset", linear_before_reset.into()));
    }
    let numbers = [("activation_alpha", alphas), ("activation_beta", betas)];
    attributes
        .extend(numbers.iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| floats(name, list)));
    let inputs = [inputs.x, &w, &r, &b, inputs.sequence_lens, inputs.initial_h, inputs.initial_c];
    graph.node(kind.op_type(), &inputs, outputs, attributes);
    Ok(())
}

/// ONNX's name of an activation, and the numbers that it takes.
fn activation(kind: Kind, activation: Activation) -> Result<(&'static str, Option<f32>, Option<f32>)> {
    Ok(match activation {
        Activation::Tanh => ("Tanh", None, None),
        Activation::Relu => ("Relu", None, None),
        Activation::Sigmoid => ("Sigmoid", None, None),
        Activation::Softsign => ("Softsign", None, None),
        Activation::Softplus => ("Softplus", None, None),
        Activation::Elu => ("Elu", Some(1.0), None),
        Activation::Linear => ("Affine", Some(1.0), Some(0.0)),
        Activation::HardSigmoid => ("HardSigmoid", Some(1.0 / 6.0), Some(0.5)),
        Activation::HardSigmoid2 => ("HardSigmoid", Some(0.2), Some(0.5)),
        Activation::Selu | Activation::Gelu | Activation::Silu => {
            let field = format!("{}.activations", kind.op_type());
            return Err(unsupported(&field, format!("{activation}, which the operator has not,")));
        }
    })
}
