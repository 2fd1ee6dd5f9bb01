//! Networks that add: every weight is 1 and the activation is relu, so a state is the sum of the inputs since it
//! began.

use ndarray::{Array3, ArrayView2, Axis, array};
use ndarray_rnn::{Nonlinearity, Parameters, Result, Rnn, RnnConfig};

const NAN: f32 = f32::NAN;

/// A network of one layer that adds forward and, in its second column, in reverse.
fn adder(config: RnnConfig) -> Result<Rnn<f32>> {
    let config = config.nonlinearity(Nonlinearity::Relu).bias(false).bidirectional(true);
    let mut rnn = Rnn::zeros(config)?;
    rnn.named_parameters_mut().into_iter().for_each(|(_, mut weight)| weight.fill(1.0));
    Ok(rnn)
}

/// One column of an array whose last axis is the direction.
fn direction(array: &Array3<f32>, direction: usize) -> ArrayView2<'_, f32> {
    array.index_axis(Axis(2), direction)
}

/// Three sequences, (N, L, 1): 1, 2 and 10, 20, 30 and none.
fn ragged() -> Array3<f32> {
    array![[[1.0], [2.0], [NAN]], [[10.0], [20.0], [30.0]], [[NAN], [NAN], [NAN]]]
}

#[test]
fn reverse_starts_at_each_sequences_own_end() -> Result<()> {
    let rnn = adder(RnnConfig::new(1, 1).batch_first(true))?;
    let h_0 = array![[[100.0], [200.0], [300.0]], [[1000.0], [2000.0], [3000.0]]];
    let ragged = ragged();
    let run = || rnn.run(&ragged).lengths(&[2, 3, 0]).padding_value(-1.0).state(&h_0);

    let (output, h_n) = run().forward()?;
    let forwards = array![[101.0, 103.0, -1.0], [210.0, 230.0, 260.0], [-1.0, -1.0, -1.0]];
    let reverse = array![[1003.0, 1002.0, -1.0], [2060.0, 2050.0, 2030.0], [-1.0, -1.0, -1.0]];
    assert_eq!((direction(&output, 0), direction(&output, 1)), (forwards.view(), reverse.view()));
    assert_eq!(h_n, array![[[103.0], [260.0], [300.0]], [[1003.0], [2060.0], [3000.0]]]);

    let (last, same) = run().last()?;
    assert_eq!(last, array![[103.0, 1003.0], [260.0, 2060.0], [300.0, 3000.0]]);
    assert_eq!(same, h_n);
    Ok(())
}

#[test]
fn a_reset_parts_both_directions() -> Result<()> {
    let rnn = adder(RnnConfig::new(1, 1))?;
    let (input, mask) = (array![[1.0], [2.0], [3.0], [4.0]], array![false, false, true, false]);
    let (h_0, state) = (array![[10.0], [20.0]], array![[100.0], [200.0]]);

    let (output, h_n) = rnn.run(&input).resets(&mask).forward()?;
    assert_eq!(output, array![[1.0, 3.0], [3.0, 2.0], [3.0, 7.0], [7.0, 4.0]]);
    assert_eq!(h_n, array![[7.0], [3.0]]);

    let (output, h_n) = rnn.run(&input).resets(&mask).state(&h_0).forward()?;
    assert_eq!(output, array![[11.0, 3.0], [13.0, 2.0], [3.0, 27.0], [7.0, 24.0]]);
    assert_eq!(h_n, array![[7.0], [3.0]]);

    let (output, h_n) = rnn.run(&input).resets(&mask).state(&h_0).reset_state(&state).forward()?;
    assert_eq!(output, array![[11.0, 203.0], [13.0, 202.0], [103.0, 27.0], [107.0, 24.0]]);
    assert_eq!(h_n, array![[107.0], [203.0]]);
    assert_eq!(rnn.run(&input).resets(&mask).state(&h_0).reset_state(&state).last()?.0, array![107.0, 203.0]);
    Ok(())
}

#[test]
fn a_reset_at_the_start_overrides_h_0_forwards_only() -> Result<()> {
    let rnn = adder(RnnConfig::new(1, 1))?;
    let (input, mask) = (array![[1.0], [2.0], [3.0]], array![true, false, false]);
    let h_0 = array![[10.0], [20.0]];
    let (output, h_n) = rnn.run(&input).resets(&mask).state(&h_0).forward()?;
    assert_eq!(output, array![[1.0, 26.0], [3.0, 25.0], [6.0, 23.0]]);
    assert_eq!(h_n, array![[6.0], [26.0]]);
    Ok(())
}

/// A reset right behind a sequence's end acts neither on it nor on a neighbour that goes on.
#[test]
fn resets_meet_lengths() -> Result<()> {
    let rnn = adder(RnnConfig::new(1, 1).batch_first(true))?;
    let ragged = ragged();
    let mask = array![[false, true, true], [false, false, true], [true, true, true]];
    let (output, h_n) = rnn.run(&ragged).lengths(&[2, 3, 0]).resets(&mask).forward()?;
    let forwards = array![[1.0, 2.0, 0.0], [10.0, 30.0, 30.0], [0.0, 0.0, 0.0]];
    let reverse = array![[1.0, 2.0, 0.0], [30.0, 20.0, 30.0], [0.0, 0.0, 0.0]];
    assert_eq!((direction(&output, 0), direction(&output, 1)), (forwards.view(), reverse.view()));
    assert_eq!(h_n, array![[[2.0], [30.0], [0.0]], [[1.0], [30.0], [0.0]]]);
    Ok(())
}

/// A second layer adds the first layer's two directions, and then their sums forward and in reverse.
#[test]
fn states_of_two_layers() -> Result<()> {
    let rnn = adder(RnnConfig::new(1, 1).num_layers(2))?;
    let input = array![[1.0], [2.0], [3.0], [NAN]];
    let mask = array![false, false, true, true];
    let (layers, h_n) = rnn.run(&input).lengths(&[3]).resets(&mask).states()?;
    assert_eq!(layers[0], array![[1.0, 3.0], [3.0, 2.0], [3.0, 3.0], [0.0, 0.0]]);
    assert_eq!(layers[1], array![[4.0, 9.0], [9.0, 5.0], [6.0, 6.0], [0.0, 0.0]]);
    assert_eq!(h_n, array![[3.0], [3.0], [6.0], [9.0]]);
    Ok(())
}
