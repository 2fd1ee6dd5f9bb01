//! The oracle: every sequence alone, in pieces, each of which ends where the next begins anew.

use ndarray::{Array2, Array3, ArrayRef2, Axis};
use ndarray_rnn::{Parameters, Result, Rnn, Scalar};

use crate::case::{Batch, Number};

/// What a run over a batch must return, in the shapes it returns.
#[derive(Debug)]
pub struct Alone<A> {
    /// The outputs of every layer.
    pub layers: Vec<Array3<A>>,
    pub h_n: Array3<A>,
    pub last: Array2<A>,
}

impl<A: Number> Alone<A> {
    pub fn of(batch: &Batch<A>) -> Result<Self> {
        let mut h_n = batch.first_state();
        let mut layers = Vec::new();
        for count in 1..=batch.rnn.config().num_layers {
            let outputs = outputs(&first_layers(&batch.rnn, count)?, batch, &mut h_n)?;
            layers.push(outputs);
        }
        let last = last(batch, &layers[layers.len() - 1]);
        let layers = layers.into_iter().map(|outputs| batch.axes(outputs)).collect();
        Ok(Self { layers, h_n, last })
    }

    /// The outputs of the last layer.
    pub fn output(&self) -> &Array3<A> {
        &self.layers[self.layers.len() - 1]
    }
}

/// The first layers of a network, as a network of their own.
pub fn first_layers<A: Scalar>(rnn: &Rnn<A>, count: usize) -> Result<Rnn<A>> {
    let mut first = Rnn::zeros(rnn.config().clone().num_layers(count))?;
    let names: Vec<_> = first.named_parameters().into_iter().map(|(name, _)| name).collect();
    first.load_state_dict(rnn.state_dict().into_iter().filter(|(name, _)| names.contains(name)))?;
    Ok(first)
}

/// The outputs of the first layers of the batch's network, (L, N, width). Their final states go to `h_n`.
fn outputs<A: Number>(layers: &Rnn<A>, batch: &Batch<A>, h_n: &mut Array3<A>) -> Result<Array3<A>> {
    let (config, first, new) = (layers.config(), batch.first_state(), batch.new_state());
    let width = config.num_directions() * config.hidden_size;
    let mut outputs = Array3::from_elem((batch.len, batch.lengths.len(), width), batch.padding);
    for (n, sequence) in batch.sequences.iter().enumerate() {
        let rows = config.num_layers * config.num_directions();
        let state = |states: &Array3<A>| {
            states.index_axis(Axis(1), n).select(Axis(0), &(0..rows).collect::<Vec<_>>())
        };
        let starts = |t: usize| batch.starts.as_ref().is_some_and(|starts| starts[[t, n]]);
        let (output, last) = one(layers, sequence, starts, &state(&first), &state(&new))?;
        for (t, row) in output.outer_iter().enumerate() {
            outputs.index_axis_mut(Axis(0), t).index_axis_mut(Axis(0), n).assign(&row);
        }
        for (i, row) in last.outer_iter().enumerate() {
            h_n.index_axis_mut(Axis(0), i).index_axis_mut(Axis(0), n).assign(&row);
        }
    }
    Ok(outputs)
}

/// One sequence, piece by piece.
///
/// Forward, the first piece begins with the first state, unless the sequence begins anew there; every other piece
/// begins with the new state. In reverse the last piece begins with the first state. There is no piece that ends
/// before step 0.
fn one<A: Number>(
    layers: &Rnn<A>,
    sequence: &ArrayRef2<A>,
    starts: impl Fn(usize) -> bool,
    first: &Array2<A>,
    new: &Array2<A>,
) -> Result<(Array2<A>, Array2<A>)> {
    let len = sequence.nrows();
    let mut cuts: Vec<_> = (0..len).filter(|&t| t == 0 || starts(t)).collect();
    cuts.push(len);
    let mut output = Array2::zeros((len, layers.config().num_directions() * layers.config().hidden_size));
    let mut h_n = first.clone();
    for piece in cuts.windows(2).filter(|piece| piece[0] < piece[1]) {
        let times: Vec<_> = (piece[0]..piece[1]).collect();
        let is_first = piece[0] == 0;
        let is_last = piece[1] == len;
        let forward = if is_first && !starts(0) { first } else { new };
        let reverse = if is_last { first } else { new };
        let h_0 = by_direction(layers, forward, reverse);
        let (rows, h) = layers.forward(&sequence.select(Axis(0), &times), Some(&h_0))?;
        for (t, row) in times.iter().zip(rows.outer_iter()) {
            output.row_mut(*t).assign(&row);
        }
        let forward = if is_last { &h } else { &h_n };
        let reverse = if is_first { &h } else { &h_n };
        h_n = by_direction(layers, forward, reverse);
    }
    Ok((output, h_n))
}

/// The forward directions' rows of `forward`, and the reverse directions' rows of `reverse`.
fn by_direction<A: Number>(layers: &Rnn<A>, forward: &Array2<A>, reverse: &Array2<A>) -> Array2<A> {
    let directions = layers.config().num_directions();
    Array2::from_shape_fn(forward.dim(), |(i, j)| match i % directions {
        0 => forward[[i, j]],
        _ => reverse[[i, j]],
    })
}

/// Each sequence's last output: forward that of its last step, in reverse that of step 0.
fn last<A: Number>(batch: &Batch<A>, outputs: &Array3<A>) -> Array2<A> {
    let config = batch.rnn.config();
    let (hidden, directions) = (config.hidden_size, config.num_directions());
    let first = batch.first_state();
    Array2::from_shape_fn((batch.lengths.len(), directions * hidden), |(n, j)| match batch.lengths[n] {
        0 => first[[(config.num_layers - 1) * directions + j / hidden, n, j % hidden]],
        length if j < hidden => outputs[[length - 1, n, j]],
        _ => outputs[[0, n, j]],
    })
}
