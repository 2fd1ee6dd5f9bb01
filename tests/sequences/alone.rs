//! The oracle: every sequence alone, in pieces, each of which ends where the next begins anew.

use ndarray::{Array2, Array3, ArrayRef2, Axis};
use ndarray_rnn::{Parameters, Recurrent, Result, Scalar};

use crate::case::{Batch, Number};
use crate::common::kinds::{Network, Shape};

/// What a run over a batch must return, in the shapes it returns.
#[derive(Debug)]
pub struct Alone<A> {
    /// The outputs of every layer.
    pub layers: Vec<Array3<A>>,
    /// The planes of the final state.
    pub state: Vec<Array3<A>>,
    pub last: Array2<A>,
}

impl<A: Number> Alone<A> {
    pub fn of<C: Network>(batch: &Batch<C, A>) -> Result<Self> {
        let mut state = batch.first_state();
        let mut layers = Vec::new();
        for count in 1..=batch.shape().num_layers {
            let outputs = outputs(&first_layers(&batch.network, count)?, batch, &mut state)?;
            layers.push(outputs);
        }
        let last = last(batch, &layers[layers.len() - 1]);
        let layers = layers.into_iter().map(|outputs| batch.axes(outputs)).collect();
        Ok(Self { layers, state, last })
    }

    /// The outputs of the last layer.
    pub fn output(&self) -> &Array3<A> {
        &self.layers[self.layers.len() - 1]
    }
}

/// The first layers of a network, as a network of their own.
pub fn first_layers<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    count: usize,
) -> Result<Recurrent<C, A>> {
    let mut first = Recurrent::zeros(network.config().with_layers(count))?;
    let names: Vec<_> = first.named_parameters().into_iter().map(|(name, _)| name).collect();
    first.load_state_dict(network.state_dict().into_iter().filter(|(name, _)| names.contains(name)))?;
    Ok(first)
}

/// The outputs of the first layers of the batch's network, (L, N, width). Their final states go to `state`.
fn outputs<C: Network, A: Number>(
    layers: &Recurrent<C, A>,
    batch: &Batch<C, A>,
    state: &mut [Array3<A>],
) -> Result<Array3<A>> {
    let (shape, first, new) = (layers.config().shape(), batch.first_state(), batch.new_state());
    let dim = (batch.len, batch.lengths.len(), shape.output_size());
    let mut outputs = Array3::from_elem(dim, batch.padding);
    for (n, sequence) in batch.sequences.iter().enumerate() {
        let rows: Vec<_> = (0..shape.num_layers * shape.directions()).collect();
        let of_sequence = |planes: &[Array3<A>]| -> Vec<_> {
            planes.iter().map(|plane| plane.index_axis(Axis(1), n).select(Axis(0), &rows)).collect()
        };
        let starts = |t: usize| batch.starts.as_ref().is_some_and(|starts| starts[[t, n]]);
        let (output, last) = one(layers, sequence, starts, &of_sequence(&first), &of_sequence(&new))?;
        for (t, row) in output.outer_iter().enumerate() {
            outputs.index_axis_mut(Axis(0), t).index_axis_mut(Axis(0), n).assign(&row);
        }
        for (plane, last) in state.iter_mut().zip(last) {
            for (i, row) in last.outer_iter().enumerate() {
                plane.index_axis_mut(Axis(0), i).index_axis_mut(Axis(0), n).assign(&row);
            }
        }
    }
    Ok(outputs)
}

/// One sequence, piece by piece.
///
/// Forward, the first piece begins with the first state, unless the sequence begins anew there; every other piece
/// begins with the new state. In reverse the last piece begins with the first state. There is no piece that ends
/// before step 0.
fn one<C: Network, A: Number>(
    layers: &Recurrent<C, A>,
    sequence: &ArrayRef2<A>,
    starts: impl Fn(usize) -> bool,
    first: &[Array2<A>],
    new: &[Array2<A>],
) -> Result<(Array2<A>, Vec<Array2<A>>)> {
    let (len, shape) = (sequence.nrows(), layers.config().shape());
    let mut cuts: Vec<_> = (0..len).filter(|&t| t == 0 || starts(t)).collect();
    cuts.push(len);
    let mut output = Array2::zeros((len, shape.output_size()));
    let mut last = first.to_vec();
    for piece in cuts.windows(2).filter(|piece| piece[0] < piece[1]) {
        let times: Vec<_> = (piece[0]..piece[1]).collect();
        let is_first = piece[0] == 0;
        let is_last = piece[1] == len;
        let forward = if is_first && !starts(0) { first } else { new };
        let reverse = if is_last { first } else { new };
        let state = by_direction(&shape, forward, reverse);
        let (rows, state) = layers.forward(&sequence.select(Axis(0), &times), Some(C::lend(&state)))?;
        for (t, row) in times.iter().zip(rows.outer_iter()) {
            output.row_mut(*t).assign(&row);
        }
        let state = C::split(state);
        let forward = if is_last { &state } else { &last };
        let reverse = if is_first { &state } else { &last };
        last = by_direction(&shape, forward, reverse);
    }
    Ok((output, last))
}

/// The forward directions' rows of `forward`, and the reverse directions' rows of `reverse`, plane by plane.
fn by_direction<A: Number>(shape: &Shape, forward: &[Array2<A>], reverse: &[Array2<A>]) -> Vec<Array2<A>> {
    let planes = forward.iter().zip(reverse);
    let chosen = planes.map(|(forward, reverse)| {
        Array2::from_shape_fn(forward.dim(), |(i, j)| match i % shape.directions() {
            0 => forward[[i, j]],
            _ => reverse[[i, j]],
        })
    });
    chosen.collect()
}

/// Each sequence's last output: forward that of its last step, in reverse that of step 0.
fn last<C: Network, A: Number>(batch: &Batch<C, A>, outputs: &Array3<A>) -> Array2<A> {
    let shape = batch.shape();
    let (features, directions) = (shape.features(), shape.directions());
    let h_0 = &batch.first_state()[0];
    Array2::from_shape_fn((batch.lengths.len(), directions * features), |(n, j)| match batch.lengths[n] {
        0 => h_0[[(shape.num_layers - 1) * directions + j / features, n, j % features]],
        length if j < features => outputs[[length - 1, n, j]],
        _ => outputs[[0, n, j]],
    })
}
