use std::fmt::Debug;

use ndarray::{Array2, Array3, Axis};

use super::super::Problem;
use super::sizes;
use crate::error::{Error, Result};
use crate::manual_seed;
use crate::recurrent::architecture::{Kind, Sizes};
use crate::recurrent::{GruCell, GruCellConfig, GruConfig, LstmCell, LstmCellConfig, LstmConfig};

/// 17 units and 6 features, 3 steps of 2 sequences.
fn lstm() -> Result<Problem<LstmConfig, f32>> {
    Problem::new(Sizes { proj_size: 6, ..sizes(2, 17) }, 3, 2)
}

/// Expects an array of the wrong shape to be named, with both shapes.
fn expect_shape<T: Debug>(result: Result<T>, name: &str, right: &[usize], wrong: &[usize]) {
    let error = result.expect_err(name);
    let named = matches!(&error, Error::Shape { array, expected, actual }
        if array == name && expected == right && actual == wrong);
    assert!(named, "{error:?} should be of {name}: {right:?}, not {wrong:?}");
}

#[test]
fn a_pass_of_an_lstm_names_the_plane_that_does_not_fit() -> Result<()> {
    let Problem { network, input, state, d_output, d_state, .. } = lstm()?;
    let ((h, c), (d_h, d_c)) = (LstmConfig::state(state), LstmConfig::state(d_state));
    // Each plane is as wide as the other should be.
    expect_shape(network.forward(&input, Some((&c, &c))), "h_0", &[1, 2, 6], &[1, 2, 17]);
    expect_shape(network.forward(&input, Some((&h, &h))), "c_0", &[1, 2, 17], &[1, 2, 6]);
    let (.., trace) = network.forward_train(&input, Some((&h, &c)), &mut manual_seed(0))?;
    let back = |d_h, d_c| network.backward(&trace, &d_output, Some((d_h, d_c)));
    expect_shape(back(&d_c, &d_c), "d_h_n", &[1, 2, 6], &[1, 2, 17]);
    expect_shape(back(&d_h, &d_h), "d_c_n", &[1, 2, 17], &[1, 2, 6]);
    back(&d_h, &d_c)?;
    let narrow = d_h.index_axis(Axis(1), 0).to_owned();
    let single = input.index_axis(Axis(1), 0).to_owned();
    expect_shape(network.forward(&single, Some((&narrow, &narrow))), "c_0", &[1, 17], &[1, 6]);
    let run = |h, c| network.run(&input).reset_state((h, c)).forward();
    expect_shape(run(&c, &c), "reset_state", &[1, 2, 6], &[1, 2, 17]);
    expect_shape(run(&h, &h), "reset_state", &[1, 2, 17], &[1, 2, 6]);
    Ok(())
}

#[test]
fn a_pass_of_a_gru_names_the_state_that_does_not_fit() -> Result<()> {
    let Problem { network, input, state, d_output, .. } = Problem::<GruConfig, f32>::new(sizes(2, 17), 3, 2)?;
    let narrow = Array3::zeros((1, 2, 6));
    expect_shape(network.forward(&input, Some(&narrow)), "h_0", &[1, 2, 17], &[1, 2, 6]);
    let (.., trace) = network.forward_train(&input, Some(&state.h), &mut manual_seed(0))?;
    let back = network.backward(&trace, &d_output, Some(&narrow));
    expect_shape(back, "d_h_n", &[1, 2, 17], &[1, 2, 6]);
    let run = network.run(&input).reset_state(&narrow).forward();
    expect_shape(run, "reset_state", &[1, 2, 17], &[1, 2, 6]);
    expect_shape(network.session(2)?.set_state(&narrow), "h", &[1, 2, 17], &[1, 2, 6]);
    Ok(())
}

#[test]
fn a_cell_names_the_plane_that_does_not_fit() -> Result<()> {
    let [x, fits, narrow] = [2, 17, 6].map(|width| Array2::<f32>::zeros((4, width)));
    let cell = LstmCell::new(LstmCellConfig::new(2, 17), &mut manual_seed(0))?;
    expect_shape(cell.forward(&x, Some((&narrow, &fits))), "h_0", &[4, 17], &[4, 6]);
    expect_shape(cell.forward(&x, Some((&fits, &narrow))), "c_0", &[4, 17], &[4, 6]);
    let (_, trace) = cell.forward_train(&x, Some((&fits, &fits)))?;
    expect_shape(cell.backward(&trace, (&narrow, &fits)), "d_h", &[4, 17], &[4, 6]);
    expect_shape(cell.backward(&trace, (&fits, &narrow)), "d_c", &[4, 17], &[4, 6]);

    let cell = GruCell::new(GruCellConfig::new(2, 17), &mut manual_seed(0))?;
    expect_shape(cell.forward(&x, Some(&narrow)), "hidden", &[4, 17], &[4, 6]);
    let (_, trace) = cell.forward_train(&x, Some(&fits))?;
    expect_shape(cell.backward(&trace, &narrow), "d_h", &[4, 17], &[4, 6]);
    Ok(())
}

#[test]
fn a_session_is_unchanged_after_an_error() -> Result<()> {
    let Problem { network, input, state, .. } = lstm()?;
    let (h, c) = LstmConfig::state(state);
    let mut session = network.session(2)?;
    session.set_state((&h, &c))?;
    let other = Array3::ones(h.dim());
    expect_shape(session.set_state((&other, &other)), "c", &[1, 2, 17], &[1, 2, 6]);
    expect_shape(session.set_state((&c, &c)), "h", &[1, 2, 6], &[1, 2, 17]);
    session.reset([0, 2]).expect_err("there are two sequences");
    session.step(&Array2::zeros((3, 2))).expect_err("there are two sequences");
    session.chunk(&Array3::zeros((1, 2, 3))).expect_err("the input is too wide");
    assert_eq!(session.state(), (&h, &c));
    let (output, state) = network.forward(&input, Some((&h, &c)))?;
    assert_eq!(session.chunk(&input)?, output);
    assert_eq!(session.state(), (&state.0, &state.1));
    Ok(())
}
