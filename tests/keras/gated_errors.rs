//! What a caller of Keras's LSTM and GRU can get wrong, beside what `errors` holds for every layer.

use ndarray::{Array2, Array3, ArrayD};
use ndarray_rnn::keras::{
    Activation, Bidirectional, Gru, GruCell, GruConfig, Initializer, Lstm, LstmCell, LstmConfig, MergeMode,
    set_random_seed,
};
use ndarray_rnn::{Error, Parameters, manual_seed};

use crate::common::{TestResult, expect_error, expect_shape_error};

fn lstm() -> TestResult<Lstm> {
    Ok(Lstm::new(LstmConfig::new(4, 2), &mut set_random_seed(0))?)
}

#[test]
fn configurations() -> TestResult {
    let zero = Error::ZeroSize { name: "units" };
    let text = "units must be greater than zero";
    expect_error(Lstm::<f32>::zeros(LstmConfig::new(4, 0)), &zero, text);
    expect_error(Gru::<f32>::zeros(GruConfig::new(4, 0)), &zero, text);
    for units in [usize::MAX, usize::MAX / 3, 1 << 60] {
        let huge = Gru::<f32>::zeros(GruConfig::new(4, units));
        assert!(matches!(huge, Err(Error::SizeOverflow { .. })), "{huge:?}");
    }
    // A bias of two rows is a matrix, one of one row is not.
    let orthogonal = |reset_after| {
        GruConfig::new(4, 2).reset_after(reset_after).bias_initializer(Initializer::orthogonal(1.0))
    };
    assert!(Gru::<f32>::zeros(orthogonal(true)).is_ok());
    let error = Error::Rank { array: "weight", expected: 2, actual: 1 };
    let text = "weight should be 2-D, but got 1-D";
    expect_error(Gru::<f32>::zeros(orthogonal(false)), &error, text);
    let config = LstmConfig::new(4, 2).bias_initializer(Initializer::orthogonal(1.0));
    expect_error(Lstm::<f32>::zeros(config), &error, text);
    Ok(())
}

/// Either plane of a state is named.
#[test]
fn states() -> TestResult {
    let layer = lstm()?;
    let input = Array3::ones((3, 5, 4));
    let (right, wrong) = (Array2::zeros((3, 2)), Array2::zeros((2, 2)));
    for (i, state) in [(&*wrong, &*right), (&*right, &*wrong)].into_iter().enumerate() {
        let name = format!("initial_state[{i}]");
        expect_shape_error(layer.call(&input).initial_state(state).forward(), &name, &[3, 2], &[2, 2]);
        let result = LstmCell::from(layer.clone()).forward(&Array2::ones((3, 4)), state);
        expect_shape_error(result, &name, &[3, 2], &[2, 2]);
    }
    let (output, _, trace) = layer.call(&input).last_train(&mut layer.seed_generator())?;
    for (i, state) in [(&*wrong, &*right), (&*right, &*wrong)].into_iter().enumerate() {
        let name = format!("d_state[{i}]");
        expect_shape_error(layer.backward(&trace, &output, Some(state)), &name, &[3, 2], &[2, 2]);
    }
    Ok(())
}

/// Masks of a cell with another number of gates, of another batch, of another size.
#[test]
fn masks() -> TestResult {
    let (x, h) = (Array2::ones((3, 4)), Array2::zeros((3, 2)));
    let of_lstm =
        |units| LstmCell::<f32>::zeros(LstmConfig::new(4, units).dropout(0.5).recurrent_dropout(0.5));
    let gru = GruCell::<f32>::zeros(GruConfig::new(4, 2).dropout(0.5).recurrent_dropout(0.5))?;
    let masks = |cell: &LstmCell, batch| cell.dropout_masks(batch, &mut cell.seed_generator());
    let result = gru.forward_train(&x, &h, &masks(&of_lstm(2)?, 3)?).map(drop);
    expect_shape_error(result, "dropout mask", &[3, 3, 4], &[4, 3, 4]);
    let cell = of_lstm(2)?;
    let result = cell.forward_train(&x, (&h, &h), &masks(&cell, 2)?).map(drop);
    expect_shape_error(result, "dropout mask", &[3, 4], &[2, 4]);
    let result = cell.forward_train(&x, (&h, &h), &masks(&of_lstm(3)?, 3)?).map(drop);
    expect_shape_error(result, "recurrent dropout mask", &[3, 2], &[3, 3]);
    Ok(())
}

/// Keras's numbers of masks: one for all gates; with recurrent dropout one for each gate. A rate of 1 drops nothing.
#[test]
fn numbers_of_masks() -> TestResult {
    for (dropout, recurrent_dropout, expected) in [
        (0.0, 0.0, [0, 0]),
        (0.5, 0.0, [1, 0]),
        (0.0, 0.5, [0, 4]),
        (0.5, 0.5, [4, 4]),
        (1.0, 0.0, [0, 0]),
        (1.0, 0.5, [0, 4]),
        (0.5, 1.0, [4, 0]),
    ] {
        let config = LstmConfig::new(4, 2).dropout(dropout).recurrent_dropout(recurrent_dropout);
        let cell = LstmCell::<f32>::zeros(config)?;
        let mut seeds = cell.seed_generator();
        let masks = cell.dropout_masks(3, &mut seeds)?;
        assert_eq!([masks.input().len(), masks.state().len()], expected);
        assert_eq!(seeds.count(), (expected[0] + expected[1]) as u64, "a draw for each mask");
    }
    Ok(())
}

#[test]
fn weights() -> TestResult {
    let mut layer = lstm()?;
    let before = layer.clone();
    let given = |shapes: [&[usize]; 3]| shapes.map(ArrayD::<f32>::ones);
    let result = layer.set_weights(given([&[4, 8], &[2, 6], &[8]]));
    expect_shape_error(result, "recurrent_kernel", &[2, 8], &[2, 6]);
    assert_eq!(layer, before);
    let mut gru = Gru::<f32>::zeros(GruConfig::new(4, 2))?;
    expect_shape_error(gru.set_weights(given([&[4, 6], &[2, 6], &[6]])), "bias", &[2, 6], &[6]);
    Ok(())
}

#[test]
fn the_way_back() -> TestResult {
    let layer = lstm()?;
    let (output, _, trace) = layer.call(&Array3::ones((3, 5, 4))).last_train(&mut layer.seed_generator())?;
    let other = Lstm::<f32>::zeros(layer.config().clone().recurrent_activation(Activation::HardSigmoid))?;
    let error = Error::ForeignTrace {
        expected: "LSTM(2, recurrent_activation=hard_sigmoid)".into(),
        actual: "LSTM(2)".into(),
    };
    let text = "the trace is of LSTM(2), not of LSTM(2, recurrent_activation=hard_sigmoid)";
    expect_error(other.backward(&trace, &output, None), &error, text);
    let mut changed = layer.clone();
    changed.named_parameters_mut()[2].1.fill(1.0);
    let text = "the trace is of other parameters: they may have changed since, or are another network's";
    expect_error(changed.backward(&trace, &output, None), &Error::StaleTrace, text);
    Ok(())
}

#[test]
fn conversions() -> TestResult {
    let refuses = |result: Result<(), Error>, expected: &str| {
        let refused = matches!(&result, Err(Error::Unsupported { reason, .. }) if *reason == expected);
        assert!(refused, "{result:?} should be refused: {expected}");
    };
    let rng = &mut manual_seed(0);
    let projected = ndarray_rnn::Lstm::<f32>::new(ndarray_rnn::LstmConfig::new(4, 3).proj_size(2), rng)?;
    refuses(Lstm::try_from(&projected).map(drop), "Keras's LSTM has no projection");
    let both = ndarray_rnn::Gru::<f32>::new(ndarray_rnn::GruConfig::new(4, 3).bidirectional(true), rng)?;
    refuses(Gru::try_from(&both).map(drop), "the network is not one layer in one direction");
    let one = ndarray_rnn::Gru::<f32>::new(ndarray_rnn::GruConfig::new(4, 3), rng)?;
    refuses(Bidirectional::try_from(&one).map(drop), "the network is not one layer in two directions");
    let deep = ndarray_rnn::Gru::<f32>::new(ndarray_rnn::GruConfig::new(4, 3).num_layers(2), rng)?;
    refuses(Bidirectional::try_from(&deep).map(drop), "the network is not one layer in two directions");

    let to_lstm =
        |config| Lstm::<f32>::zeros(config).and_then(|layer| ndarray_rnn::Lstm::try_from(&layer)).map(drop);
    let config = || LstmConfig::new(4, 2);
    let functions = "torch's gates have sigmoid and tanh only";
    refuses(to_lstm(config().activation(Activation::Relu)), functions);
    refuses(to_lstm(config().recurrent_activation(Activation::HardSigmoid)), functions);
    refuses(to_lstm(config().go_backwards(true)), "the layer goes backwards");
    refuses(to_lstm(config().dropout(0.1)), "torch's network has no dropout of inputs and states");
    refuses(to_lstm(config().recurrent_dropout(1.0)), "torch's network has no dropout of inputs and states");
    to_lstm(config().unit_forget_bias(false))?;
    let to_gru =
        |config| Gru::<f32>::zeros(config).and_then(|layer| ndarray_rnn::Gru::try_from(&layer)).map(drop);
    let before = "torch's GRU has its reset gate behind the recurrent product only";
    refuses(to_gru(GruConfig::new(4, 2).reset_after(false)), before);
    refuses(to_gru(GruConfig::new(4, 2).activation(Activation::Relu)), functions);
    let sum = Bidirectional::<f32, _>::new(config(), MergeMode::Sum, &mut set_random_seed(0))?;
    let differ = "the layers' outputs are not concatenated, or the layers differ";
    refuses(ndarray_rnn::Lstm::try_from(&sum).map(drop), differ);
    Ok(())
}
