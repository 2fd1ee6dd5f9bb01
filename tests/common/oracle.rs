//! The recurrence as the crate defines it, written as plain loops over named arrays.
//!
//! Every sum is two chains of fused multiply-adds, each in ascending order, and one addition: the input's from `b_ih`, the
//! state's from `b_hh`. Whatever the crate does to be fast must give these bits.

use std::collections::BTreeMap;

use ndarray::{Array3, ArrayD, ArrayRef3, arr1};
use ndarray_rnn::{Nonlinearity, Parameters, Rnn, RnnCell, RnnCellConfig};

use super::{Real, TestResult};

/// tanh with the crate's bits, taken from a cell of one unit. Its input weight is 1 and all else is zero or -0.
pub(crate) fn tanh_of_cell<A: Real>(x: A) -> TestResult<A> {
    let mut cell = RnnCell::<A>::zeros(RnnCellConfig::new(1, 1))?;
    for (name, mut value) in cell.named_parameters_mut() {
        value.fill(if name == "weight_ih" { A::one() } else { -A::zero() });
    }
    Ok(cell.forward(&arr1(&[x]), None)?[0])
}

/// A network's parameters by name.
struct Net<A> {
    parameters: BTreeMap<String, ArrayD<A>>,
    hidden: usize,
    nonlinearity: Nonlinearity,
}

/// `output` and `h_n` of a network over an input (L, N, input_size), whatever its `batch_first`.
pub(crate) fn forward<A: Real>(
    rnn: &Rnn<A>,
    input: &ArrayRef3<A>,
    h_0: &ArrayRef3<A>,
) -> TestResult<(Array3<A>, Array3<A>)> {
    let config = rnn.config();
    let directions = if config.bidirectional { 2 } else { 1 };
    let net = Net {
        parameters: rnn.state_dict().into_iter().collect(),
        hidden: config.hidden_size,
        nonlinearity: config.nonlinearity,
    };
    let (len, batch, _) = input.dim();
    let mut below = input.to_owned();
    let mut h_n = h_0.to_owned();
    for layer in 0..config.num_layers {
        let mut output = Array3::zeros((len, batch, directions * net.hidden));
        for direction in 0..directions {
            let suffix = format!("l{layer}{}", if direction == 1 { "_reverse" } else { "" });
            let index = layer * directions + direction;
            for n in 0..batch {
                let mut h: Vec<A> = (0..net.hidden).map(|j| h_0[[index, n, j]]).collect();
                for step in 0..len {
                    let t = if direction == 1 { len - 1 - step } else { step };
                    let x: Vec<A> = (0..below.dim().2).map(|k| below[[t, n, k]]).collect();
                    h = net.step(&suffix, &x, &h)?;
                    (0..net.hidden).for_each(|j| output[[t, n, direction * net.hidden + j]] = h[j]);
                }
                (0..net.hidden).for_each(|j| h_n[[index, n, j]] = h[j]);
            }
        }
        below = output;
    }
    Ok((below, h_n))
}

impl<A: Real> Net<A> {
    /// One step of one direction of one layer.
    fn step(&self, suffix: &str, x: &[A], h: &[A]) -> TestResult<Vec<A>> {
        let parameter = |kind: &str| self.parameters.get(&format!("{kind}_{suffix}"));
        let (Some(w_ih), Some(w_hh)) = (parameter("weight_ih"), parameter("weight_hh")) else {
            return Err(format!("no weights {suffix}").into());
        };
        (0..self.hidden)
            .map(|j| {
                let bias = |kind| parameter(kind).map_or(A::zero(), |bias| bias[[j]]);
                // Plain slices: nothing optimises these loops.
                let chain = |a: &[A], w: &ArrayD<A>, mut sum: A| {
                    let w = &w.as_slice().ok_or("weights in standard layout")?[j * a.len()..];
                    for k in 0..a.len() {
                        sum = a[k].mul_add(w[k], sum);
                    }
                    TestResult::Ok(sum)
                };
                self.act(chain(x, w_ih, bias("bias_ih"))? + chain(h, w_hh, bias("bias_hh"))?)
            })
            .collect()
    }

    fn act(&self, sum: A) -> TestResult<A> {
        match self.nonlinearity {
            Nonlinearity::Tanh => tanh_of_cell(sum),
            Nonlinearity::Relu if sum.is_nan() => Ok(sum),
            Nonlinearity::Relu => Ok(if sum > A::zero() { sum } else { A::zero() }),
        }
    }
}
