//! Models as lists of named arrays: torch's names and order, typed access, the state dict, the printed form.
//!
//! A state dict is taken over entirely or not at all. Whatever is wrong with it, the error says what was expected
//! and what came, and the model stays as it was.

use crate::common::{Real, TestResult, in_both_types};
use ndarray::{Array1, Array2, ArrayD};
use ndarray_rnn::{
    Direction, Error, Gru, GruCellConfig, GruConfig, Lstm, LstmCellConfig, LstmConfig, Nonlinearity,
    Parameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, manual_seed,
};

use Direction::{Forward, Reverse};

type StateDict<A> = Vec<(String, ArrayD<A>)>;

/// Two layers, two directions.
fn model<A: Real>(seed: u64) -> TestResult<Rnn<A>> {
    Ok(Rnn::new(RnnConfig::new(3, 2).num_layers(2).bidirectional(true), &mut manual_seed(seed))?)
}

fn shapes<M: Parameters>(model: &M) -> Vec<(String, Vec<usize>)> {
    model.named_parameters().into_iter().map(|(name, value)| (name, value.shape().to_vec())).collect()
}

fn named<const N: usize>(shapes: [(&str, &[usize]); N]) -> Vec<(String, Vec<usize>)> {
    shapes.into_iter().map(|(name, shape)| (name.into(), shape.into())).collect()
}

#[test]
fn names_order_and_shapes_of_a_network() -> TestResult {
    let expected = named([
        ("weight_ih_l0", &[2, 3]),
        ("weight_hh_l0", &[2, 2]),
        ("bias_ih_l0", &[2]),
        ("bias_hh_l0", &[2]),
        ("weight_ih_l0_reverse", &[2, 3]),
        ("weight_hh_l0_reverse", &[2, 2]),
        ("bias_ih_l0_reverse", &[2]),
        ("bias_hh_l0_reverse", &[2]),
        ("weight_ih_l1", &[2, 4]),
        ("weight_hh_l1", &[2, 2]),
        ("bias_ih_l1", &[2]),
        ("bias_hh_l1", &[2]),
        ("weight_ih_l1_reverse", &[2, 4]),
        ("weight_hh_l1_reverse", &[2, 2]),
        ("bias_ih_l1_reverse", &[2]),
        ("bias_hh_l1_reverse", &[2]),
    ]);
    let mut rnn = model::<f32>(0)?;
    assert_eq!(shapes(&rnn), expected);
    assert_eq!(shapes(rnn.parameters()), expected);
    let mutable = rnn.named_parameters_mut().into_iter();
    assert_eq!(mutable.map(|(name, value)| (name, value.shape().to_vec())).collect::<Vec<_>>(), expected);
    let loaded = rnn.state_dict().into_iter();
    assert_eq!(loaded.map(|(name, value)| (name, value.shape().to_vec())).collect::<Vec<_>>(), expected);
    Ok(())
}

#[test]
fn names_order_and_shapes_of_a_cell() -> TestResult {
    let weights = [("weight_ih", &[2, 3][..]), ("weight_hh", &[2, 2])];
    let cell = RnnCell::<f32>::zeros(RnnCellConfig::new(3, 2).bias(false))?;
    assert_eq!(shapes(&cell), named(weights));
    let cell = RnnCell::<f32>::zeros(RnnCellConfig::new(3, 2))?;
    let [ih, hh] = weights;
    assert_eq!(shapes(&cell), named([ih, hh, ("bias_ih", &[2]), ("bias_hh", &[2])]));
    Ok(())
}

/// The typed arrays are the named ones, and there are no other typed arrays.
fn typed_access_of_a_network<A: Real>() -> TestResult {
    let rnn = model::<A>(1)?;
    let mut named = rnn.state_dict().into_iter();
    let mut next = |name: &str| {
        let (found, value) = named.next().ok_or("too few parameters")?;
        assert_eq!(found, name);
        TestResult::Ok(value)
    };
    for layer in 0..2 {
        for (direction, suffix) in [(Forward, ""), (Reverse, "_reverse")] {
            let matrix = |a: Option<&Array2<A>>| a.map(|a| a.clone().into_dyn());
            let vector = |a: Option<&Array1<A>>| a.map(|a| a.clone().into_dyn());
            let end = format!("l{layer}{suffix}");
            assert_eq!(
                matrix(rnn.parameters().weight_ih(layer, direction)),
                Some(next(&format!("weight_ih_{end}"))?)
            );
            assert_eq!(
                matrix(rnn.parameters().weight_hh(layer, direction)),
                Some(next(&format!("weight_hh_{end}"))?)
            );
            assert_eq!(
                vector(rnn.parameters().bias_ih(layer, direction)),
                Some(next(&format!("bias_ih_{end}"))?)
            );
            assert_eq!(
                vector(rnn.parameters().bias_hh(layer, direction)),
                Some(next(&format!("bias_hh_{end}"))?)
            );
        }
    }
    Ok(())
}

#[test]
fn typed_access_outside_is_none() -> TestResult {
    let both = model::<f32>(0)?;
    let forward = Rnn::<f32>::zeros(RnnConfig::new(3, 2).num_layers(3).bias(false))?;
    assert!(
        forward.parameters().weight_ih(2, Forward).is_some()
            && forward.parameters().weight_hh(2, Forward).is_some()
    );
    assert!(
        forward.parameters().bias_ih(0, Forward).is_none()
            && forward.parameters().bias_hh(0, Forward).is_none()
    );
    for layer in [0, 1, 2, 3, usize::MAX / 2, usize::MAX] {
        assert!(
            forward.parameters().weight_ih(layer, Reverse).is_none()
                && forward.parameters().weight_hh(layer, Reverse).is_none()
        );
    }
    for layer in [3, usize::MAX / 2 + 1, usize::MAX] {
        for direction in [Forward, Reverse] {
            assert!(
                both.parameters().weight_ih(layer, direction).is_none()
                    && both.parameters().weight_hh(layer, direction).is_none()
            );
            assert!(
                both.parameters().bias_ih(layer, direction).is_none()
                    && both.parameters().bias_hh(layer, direction).is_none()
            );
            assert!(forward.parameters().weight_ih(layer, direction).is_none());
        }
    }
    Ok(())
}

#[test]
fn typed_access_of_a_cell() -> TestResult {
    let cell = RnnCell::<f32>::new(RnnCellConfig::new(3, 2), &mut manual_seed(0))?;
    let values: Vec<_> = cell.state_dict().into_iter().map(|(_, value)| value).collect();
    assert_eq!(cell.parameters().weight_ih().view().into_dyn(), values[0]);
    assert_eq!(cell.parameters().weight_hh().view().into_dyn(), values[1]);
    assert_eq!(cell.parameters().bias_ih().map(|b| b.clone().into_dyn()).as_ref(), values.get(2));
    assert_eq!(cell.parameters().bias_hh().map(|b| b.clone().into_dyn()).as_ref(), values.get(3));
    let cell = RnnCell::<f32>::zeros(RnnCellConfig::new(3, 2).bias(false))?;
    assert!(cell.parameters().bias_ih().is_none() && cell.parameters().bias_hh().is_none());
    Ok(())
}

/// A state dict is taken in any order, from views and in any memory layout. The model then equals the one that was
/// saved.
fn state_dict_round_trip<A: Real>() -> TestResult {
    let saved = model::<A>(0)?;
    let mut loaded = model::<A>(1)?;
    assert_ne!(loaded, saved);
    loaded.load_state_dict(saved.state_dict().into_iter().rev())?;
    assert_eq!(loaded, saved);

    let mut loaded = model::<A>(1)?;
    loaded.load_state_dict(saved.named_parameters())?;
    assert_eq!(loaded.state_dict(), saved.state_dict());

    let mut loaded = model::<A>(1)?;
    let column_major = |value: ArrayD<A>| value.t().as_standard_layout().into_owned().reversed_axes();
    loaded
        .load_state_dict(saved.state_dict().into_iter().map(|(name, value)| (name, column_major(value))))?;
    assert_eq!(loaded, saved);

    let mut cell = RnnCell::<A>::zeros(RnnCellConfig::new(3, 2))?;
    let saved = RnnCell::<A>::new(RnnCellConfig::new(3, 2), &mut manual_seed(0))?;
    cell.load_state_dict(saved.state_dict())?;
    assert_eq!(cell, saved);
    Ok(())
}

/// Spoils a state dict, then expects just this error and an unchanged model.
fn expect_refused<A: Real>(
    spoil: impl FnOnce(&mut StateDict<A>),
    error: &Error,
    message: &str,
) -> TestResult {
    let mut rnn = model::<A>(1)?;
    let mut state_dict = model::<A>(0)?.state_dict();
    spoil(&mut state_dict);
    assert_eq!(rnn.load_state_dict(state_dict).as_ref(), Err(error));
    assert_eq!(error.to_string(), message);
    assert_eq!(rnn, model(1)?, "after {message}");
    Ok(())
}

fn state_dict_misses_a_parameter<A: Real>() -> TestResult {
    let error = Error::MissingParameter { name: "weight_ih_l1_reverse".into(), expected: vec![2, 4] };
    let message = "missing parameter weight_ih_l1_reverse: expected shape [2, 4]";
    expect_refused::<A>(|state_dict| drop(state_dict.remove(12)), &error, message)?;
    let error = Error::MissingParameter { name: "weight_ih_l0".into(), expected: vec![2, 3] };
    expect_refused::<A>(Vec::clear, &error, "missing parameter weight_ih_l0: expected shape [2, 3]")
}

fn state_dict_has_an_unexpected_parameter<A: Real>() -> TestResult {
    let expected: Vec<_> = shapes(&model::<A>(0)?).into_iter().map(|(name, _)| name).collect();
    let message = format!("unexpected parameter weight_ih_l2 of shape [2, 4]: the model has {expected:?}");
    let error = Error::UnexpectedParameter { name: "weight_ih_l2".into(), actual: vec![2, 4], expected };
    let extra = || ("weight_ih_l2".into(), ArrayD::zeros(vec![2, 4]));
    expect_refused::<A>(|state_dict| state_dict.push(extra()), &error, &message)?;
    expect_refused::<A>(|state_dict| state_dict.insert(0, extra()), &error, &message)
}

fn state_dict_repeats_a_parameter<A: Real>() -> TestResult {
    let error = Error::DuplicateParameter { name: "bias_hh_l0".into() };
    let repeat = |state_dict: &mut StateDict<A>| state_dict.push(state_dict[3].clone());
    expect_refused(repeat, &error, "duplicate parameter bias_hh_l0")
}

/// The last parameter is checked too, when all others could have been copied, and so is a shape of as many
/// elements.
fn state_dict_has_a_misshaped_parameter<A: Real>() -> TestResult {
    let shapes: [(usize, &str, &[usize], &[usize]); 4] = [
        (0, "weight_ih_l0", &[2, 3], &[3, 4]),
        (0, "weight_ih_l0", &[2, 3], &[3, 2]),
        (15, "bias_hh_l1_reverse", &[2], &[3]),
        (15, "bias_hh_l1_reverse", &[2], &[2, 1]),
    ];
    for (index, name, expected, actual) in shapes {
        let error = Error::Shape { array: name.into(), expected: expected.into(), actual: actual.into() };
        let message = format!("{name}: expected shape {expected:?}, got {actual:?}");
        expect_refused::<A>(|state_dict| state_dict[index].1 = ArrayD::zeros(actual), &error, &message)?;
    }
    Ok(())
}

#[test]
fn display_is_torchs() {
    let config = RnnConfig::new(4, 2);
    let full = config.clone().num_layers(2).bias(false).batch_first(true).dropout(0.25).bidirectional(true);
    let texts = [
        (config.clone(), "RNN(4, 2)"),
        (full, "RNN(4, 2, num_layers=2, bias=False, batch_first=True, dropout=0.25, bidirectional=True)"),
        (config.clone().num_layers(3), "RNN(4, 2, num_layers=3)"),
        (config.clone().dropout(0.5), "RNN(4, 2, dropout=0.5)"),
        (config.nonlinearity(Nonlinearity::Relu), "RNN(4, 2, nonlinearity=relu)"),
    ];
    for (config, text) in texts {
        assert_eq!(config.to_string(), text);
        assert_eq!(Rnn::<f32>::zeros(config).map(|rnn| rnn.to_string()).as_deref(), Ok(text));
    }
}

#[test]
fn display_of_a_cell_is_torchs() {
    let config = RnnCellConfig::new(4, 2);
    let texts = [
        (config.clone(), "RNNCell(4, 2)"),
        (config.clone().bias(false), "RNNCell(4, 2, bias=False)"),
        (config.nonlinearity(Nonlinearity::Relu), "RNNCell(4, 2, nonlinearity=relu)"),
    ];
    for (config, text) in texts {
        assert_eq!(config.to_string(), text);
        assert_eq!(RnnCell::<f64>::zeros(config).map(|cell| cell.to_string()).as_deref(), Ok(text));
    }
}

/// What differs from torch's default is shown, so these are the defaults, too. The texts are torch's.
#[test]
fn display_of_gates_is_torchs() {
    let lstm = LstmConfig::new(3, 4);
    let full = lstm.clone().num_layers(2).bias(false).batch_first(true).dropout(0.25).bidirectional(true);
    let texts = [
        (lstm.clone(), "LSTM(3, 4)"),
        (
            full.proj_size(1),
            "LSTM(3, 4, proj_size=1, num_layers=2, bias=False, batch_first=True, dropout=0.25, bidirectional=True)",
        ),
        (
            lstm.clone().proj_size(2).num_layers(2).bidirectional(true),
            "LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)",
        ),
    ];
    for (config, text) in texts {
        assert_eq!(config.to_string(), text);
        assert_eq!(Lstm::<f32>::zeros(config).map(|lstm| lstm.to_string()).as_deref(), Ok(text));
    }
    let gru = GruConfig::new(3, 4);
    let full = gru.clone().num_layers(3).bias(false).batch_first(true).dropout(0.25).bidirectional(true);
    let texts = [
        (gru.clone(), "GRU(3, 4)"),
        (full, "GRU(3, 4, num_layers=3, bias=False, batch_first=True, dropout=0.25, bidirectional=True)"),
        (
            gru.num_layers(2).batch_first(true).dropout(0.5),
            "GRU(3, 4, num_layers=2, batch_first=True, dropout=0.5)",
        ),
    ];
    for (config, text) in texts {
        assert_eq!(config.to_string(), text);
        assert_eq!(Gru::<f32>::zeros(config).map(|gru| gru.to_string()).as_deref(), Ok(text));
    }
    let cells = [
        (LstmCellConfig::new(3, 4).to_string(), "LSTMCell(3, 4)"),
        (LstmCellConfig::new(3, 4).bias(false).to_string(), "LSTMCell(3, 4, bias=False)"),
        (GruCellConfig::new(3, 4).to_string(), "GRUCell(3, 4)"),
        (GruCellConfig::new(3, 4).bias(false).to_string(), "GRUCell(3, 4, bias=False)"),
    ];
    for (shown, text) in cells {
        assert_eq!(shown, text);
    }
}

/// The projection comes after the biases of its direction, as in torch.
#[test]
fn names_order_and_shapes_of_a_projected_network() -> TestResult {
    let config = LstmConfig::new(3, 5).num_layers(2).bidirectional(true).proj_size(2);
    let mut expected = Vec::new();
    for (layer, input) in [(0, 3), (1, 4)] {
        for direction in ["", "_reverse"] {
            let of_direction: [(&str, &[usize]); 5] = [
                ("weight_ih", &[20, input]),
                ("weight_hh", &[20, 2]),
                ("bias_ih", &[20]),
                ("bias_hh", &[20]),
                ("weight_hr", &[2, 5]),
            ];
            let name = |name: &str| format!("{name}_l{layer}{direction}");
            expected.extend(of_direction.map(|(part, shape)| (name(part), shape.to_vec())));
        }
    }
    assert_eq!(shapes(&Lstm::<f32>::zeros(config)?), expected);
    Ok(())
}

in_both_types!(
    typed_access_of_a_network,
    state_dict_round_trip,
    state_dict_misses_a_parameter,
    state_dict_has_an_unexpected_parameter,
    state_dict_repeats_a_parameter,
    state_dict_has_a_misshaped_parameter,
);
