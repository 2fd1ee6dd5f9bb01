//! Writing an RNN node.

use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, Axis};

use super::builder::{Builder, floats, int, string, strings};
use super::unsupported;
use crate::error::Result;
use crate::kernels::Activation;
use crate::recurrent::Direction;
use crate::scalar::Scalar;

/// One direction of a node: weights (hidden_size, input) and (hidden_size, hidden_size), and both biases, if there are
/// any.
#[derive(Debug)]
pub(super) struct DirectionWeights<'a, A> {
    pub(super) direction: Direction,
    pub(super) activation: Activation,
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
}

/// Adds a node of one direction or two. Its weights are named `W`, `R` and `B`, each followed by `suffix`.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for an activation that the operator does not have.
pub(super) fn write<A: Scalar>(
    graph: &mut Builder,
    suffix: &str,
    cells: &[DirectionWeights<'_, A>],
    inputs: Inputs<'_>,
    outputs: [&str; 2],
) -> Result<()> {
    let (hidden, input) = cells.first().map_or((0, 0), |cell| cell.weight_ih.dim());
    let mut w = Array3::zeros((cells.len(), hidden, input));
    let mut r = Array3::zeros((cells.len(), hidden, hidden));
    let mut b = Array2::zeros((cells.len(), 2 * hidden));
    for (d, cell) in cells.iter().enumerate() {
        w.index_axis_mut(Axis(0), d).assign(&cell.weight_ih);
        r.index_axis_mut(Axis(0), d).assign(&cell.weight_hh);
        let biases: Array1<A> = cell.biases.iter().flatten().flatten().copied().collect();
        if !biases.is_empty() {
            b.row_mut(d).assign(&biases);
        }
    }
    let w = graph.constant(format!("W{suffix}"), &w.view().into_dyn());
    let r = graph.constant(format!("R{suffix}"), &r.view().into_dyn());
    let b = match cells.iter().any(|cell| cell.biases.is_some()) {
        true => graph.constant(format!("B{suffix}"), &b.view().into_dyn()),
        false => String::new(),
    };
    let direction = match cells {
        [_, _] => "bidirectional",
        [DirectionWeights { direction: Direction::Reverse, .. }] => "reverse",
        _ => "forward",
    };
    let (mut names, mut alphas, mut betas) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        let (name, alpha, beta) = activation(cell.activation)?;
        names.push(name);
        alphas.extend(alpha);
        betas.extend(beta);
    }
    let mut attributes = vec![
        int("hidden_size", hidden as i64),
        string("direction", direction),
        strings("activations", &names),
    ];
    let numbers = [("activation_alpha", alphas), ("activation_beta", betas)];
    attributes
        .extend(numbers.iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| floats(name, list)));
    let inputs = [inputs.x, &w, &r, &b, inputs.sequence_lens, inputs.initial_h];
    graph.node("RNN", &inputs, &outputs, attributes);
    Ok(())
}

/// ONNX's name of an activation, and the numbers that it takes.
fn activation(activation: Activation) -> Result<(&'static str, Option<f32>, Option<f32>)> {
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
            return Err(unsupported("RNN.activations", format!("{activation}, which the operator has not,")));
        }
    })
}
