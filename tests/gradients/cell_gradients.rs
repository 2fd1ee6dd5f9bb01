//! The way back of a cell: the same bits as that of a network over one step, which torch's gradients prove, and
//! over many steps the network's gradients.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ndarray::{Array, Array1, Array2, Array3, ArrayD, ArrayRef2, Axis, Dimension};
use ndarray_rnn::{
    Error, Nonlinearity, Parameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, Scalar, manual_seed, random,
};

fn uniform<A: Scalar>(shape: (usize, usize), seed: u64) -> Array2<A> {
    let mut array = Array2::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(seed)).unwrap();
    array
}

/// A cell and a network of one layer with the same parameters.
fn pair<A: Scalar>(nonlinearity: Nonlinearity, bias: bool) -> (RnnCell<A>, Rnn<A>) {
    let cell = RnnCellConfig::new(5, 7).nonlinearity(nonlinearity).bias(bias);
    let rnn = RnnConfig::new(5, 7).nonlinearity(nonlinearity).bias(bias);
    (RnnCell::new(cell, &mut manual_seed(0)).unwrap(), Rnn::new(rnn, &mut manual_seed(0)).unwrap())
}

fn values<D: Dimension, A: Scalar>(array: &Array<A, D>) -> Vec<A> {
    array.iter().copied().collect()
}

fn a_step_equals_a_network_of_one_step<A: Scalar>(batch: usize) {
    for (nonlinearity, bias) in [(Nonlinearity::Tanh, true), (Nonlinearity::Relu, false)] {
        let (cell, rnn) = pair::<A>(nonlinearity, bias);
        let (x, h, d) = (uniform::<A>((batch, 5), 1), uniform((batch, 7), 2), uniform((batch, 7), 3));
        let first = |array: &ArrayRef2<A>| array.to_owned().insert_axis(Axis(0));
        let (output, _, trace) =
            rnn.forward_train(&first(&x), Some(&first(&h)), &mut manual_seed(0)).unwrap();
        let expected = rnn.backward(&trace, &first(&d), None).unwrap();

        let (next, trace) = cell.forward_train(&x, Some(&h)).unwrap();
        let gradients = cell.backward(&trace, &d).unwrap();
        assert_eq!(values(&next), values(&output));
        assert_eq!(values(&gradients.input), values(&expected.input));
        assert_eq!(values(&gradients.state), values(&expected.state));
        let names = gradients.parameters.state_dict().into_iter().map(|(name, value)| (name + "_l0", value));
        assert_eq!(names.collect::<Vec<_>>(), expected.parameters.state_dict());
    }
}

#[test]
fn a_step_equals_a_network_of_one_step_f32_and_f64() {
    for batch in [0, 1, 4, 13] {
        a_step_equals_a_network_of_one_step::<f32>(batch);
        a_step_equals_a_network_of_one_step::<f64>(batch);
    }
}

/// Many steps of a batch at once, as `uniform` draws them.
fn steps(len: usize, batch: usize, width: usize, seed: u64) -> Array3<f64> {
    uniform((len * batch, width), seed).into_shape_with_order((len, batch, width)).unwrap()
}

/// Within 1e-12 of the largest value, since the sums over steps run in another order.
#[track_caller]
fn expect_close(actual: &ArrayD<f64>, expected: &ArrayD<f64>, what: &str) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for (actual, expected) in actual.iter().zip(expected) {
        let distance = (actual - expected).abs();
        assert!(distance <= 1e-12 * largest, "{what}: {actual}, expected {expected}");
    }
}

/// The caller adds the parameters' gradients step by step, and hands the state's gradient on.
fn chained_steps_equal_a_network(nonlinearity: Nonlinearity, bias: bool, batch: usize) {
    let (cell, rnn) = pair::<f64>(nonlinearity, bias);
    let (x, h_0) = (steps(9, batch, 5, 1), steps(1, batch, 7, 2));
    let (d_output, d_h_n) = (steps(9, batch, 7, 3), steps(1, batch, 7, 4));
    let (output, _, trace) = rnn.forward_train(&x, Some(&h_0), &mut manual_seed(0)).unwrap();
    let expected = rnn.backward(&trace, &d_output, Some(&d_h_n)).unwrap();

    let mut h = h_0.index_axis_move(Axis(0), 0);
    let mut traces = Vec::new();
    for (x, output) in x.outer_iter().zip(output.outer_iter()) {
        let (next, trace) = cell.forward_train(&x, Some(&h)).unwrap();
        assert_eq!(next, output);
        traces.push(trace);
        h = next;
    }
    let mut d_h = d_h_n.index_axis_move(Axis(0), 0);
    let mut sums: Vec<_> = cell.state_dict().into_iter().map(|(_, value)| value * 0.0).collect();
    for (t, trace) in traces.iter().enumerate().rev() {
        let gradients = cell.backward(trace, &(&d_h + &d_output.index_axis(Axis(0), t))).unwrap();
        let d_x = expected.input.index_axis(Axis(0), t).to_owned();
        expect_close(&gradients.input.into_dyn(), &d_x.into_dyn(), "input");
        let parameters = gradients.parameters.state_dict();
        sums.iter_mut().zip(&parameters).for_each(|(sum, (_, gradient))| *sum += gradient);
        d_h = gradients.state;
    }
    expect_close(&d_h.into_dyn(), &expected.state.index_axis_move(Axis(0), 0).into_dyn(), "h_0");
    for (sum, (name, expected)) in sums.iter().zip(expected.parameters.state_dict()) {
        expect_close(sum, &expected, &name);
    }
}

#[test]
fn chained_steps_have_the_gradients_of_a_network() {
    for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
        for (bias, batch) in [(true, 1), (false, 1), (true, 4), (false, 4)] {
            chained_steps_equal_a_network(nonlinearity, bias, batch);
        }
    }
}

#[test]
fn one_row_equals_a_batch_of_one() {
    let (cell, _) = pair::<f64>(Nonlinearity::Tanh, true);
    let (x, d) = (uniform::<f64>((1, 5), 1), uniform::<f64>((1, 7), 3));
    let batch = cell.backward(&cell.forward_train(&x, None).unwrap().1, &d).unwrap();
    let row = |array: &Array2<f64>| array.row(0).to_owned();
    let (_, trace) = cell.forward_train(&row(&x), None).unwrap();
    let alone = cell.backward(&trace, &row(&d)).unwrap();
    assert_eq!(alone.parameters, batch.parameters);
    assert_eq!((alone.input, alone.state), (row(&batch.input), row(&batch.state)));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (cell, _) = pair::<f32>(Nonlinearity::Tanh, true);
    let (other, _) = pair::<f32>(Nonlinearity::Relu, true);
    let (_, trace) = cell.forward_train(&Array2::ones((3, 5)), None).unwrap();
    let foreign = other.backward(&trace, &Array2::ones((3, 7))).unwrap_err();
    let (expected, actual) = (other.to_string(), cell.to_string());
    assert_eq!(foreign, Error::ForeignTrace { expected, actual });
    let mut changed = cell.clone();
    changed.named_parameters_mut()[0].1.fill(1.0);
    assert_eq!(changed.backward(&trace, &Array2::ones((3, 7))).unwrap_err(), Error::StaleTrace);
    let shape = cell.backward(&trace, &Array2::ones((2, 7))).unwrap_err();
    assert_eq!(shape, Error::Shape { array: "d_h".into(), expected: vec![3, 7], actual: vec![2, 7] });
    let rank = cell.backward(&trace, &Array1::ones(7)).unwrap_err();
    assert_eq!(rank, Error::Rank { array: "d_h", expected: 2, actual: 1 });
}
