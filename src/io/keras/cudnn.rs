//! The weights of Keras 2's `CuDNNLSTM` and `CuDNNGRU`, as those of LSTM and GRU.
//!
//! Source: `_convert_rnn_weights` of <https://github.com/keras-team/keras/blob/2.1.6/keras/engine/topology.py>

use ndarray::{Array2, ArrayD, Dimension};

use super::layer::PARAMETERS;
use crate::error::Result;
use crate::io::{StateDict, Tensor};
use crate::keras::Architecture;
use crate::scalar::Scalar;

/// The arrays of a layer of a kind, those of cuDNN's layers converted.
///
/// Only those have two rows of biases in an array of one axis, and so a file of weights alone tells them apart too.
pub(super) fn converted<C: Architecture, A: Scalar>(weights: &StateDict) -> Result<StateDict> {
    let mut converted = StateDict::new();
    for (name, tensor) in weights.iter() {
        let (prefix, own) = name.split_at(name.rfind('.').map_or(0, |dot| dot + 1));
        let shape = |own: &str| weights.get(&format!("{prefix}{own}")).map(Tensor::shape);
        let is_cudnn = match (shape("recurrent_kernel"), shape("bias")) {
            (Some(&[units, columns]), Some(&[length])) => {
                C::GATES > 1
                    && units.checked_mul(C::GATES) == Some(columns)
                    && columns.checked_mul(2) == Some(length)
            }
            _ => false,
        };
        let tensor = match is_cudnn && PARAMETERS.contains(&own) {
            true if own == "bias" => Tensor::from_array(&bias::<C, A>(tensor.to_array(name)?))?,
            true => Tensor::from_array(&kernel::<C, A>(tensor.to_array(name)?))?,
            false => tensor.clone(),
        };
        converted.insert(name, tensor)?;
    }
    Ok(converted)
}

/// A kernel of Keras's: in the room of each gate's block, (rows, units), cuDNN has the block transposed, row by row.
fn kernel<C: Architecture, A: Scalar>(array: ArrayD<A>) -> ArrayD<A> {
    let &[rows, columns] = array.shape() else { return array };
    // One of another width is of no use, as whoever loads it says.
    if columns % C::GATES != 0 {
        return array;
    }
    let units = columns / C::GATES;
    let element = |(row, column): (usize, usize)| {
        let place = row + column % units * rows;
        array[[place / units, column / units * units + place % units]]
    };
    Array2::from_shape_fn((rows, columns), element).into_dyn()
}

/// The biases of Keras's: cuDNN has a row for the input and one for the state. Where Keras's layer has one row, that is
/// their sum.
fn bias<C: Architecture, A: Scalar>(array: ArrayD<A>) -> ArrayD<A> {
    let columns = array.len() / 2;
    let element = |(row, column): (usize, usize)| array[[row * columns + column]];
    let rows = Array2::from_shape_fn((2, columns), element);
    if C::BiasDim::NDIM == Some(1) { (&rows.row(0) + &rows.row(1)).into_dyn() } else { rows.into_dyn() }
}
