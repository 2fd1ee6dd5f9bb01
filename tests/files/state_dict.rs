//! State dicts as values, and the errors of state dicts that are no network.

use ndarray::{Array1, Array2, array};
use ndarray_rnn::io::{StateDict, Tensor};
use ndarray_rnn::{
    Error, FileError, Gru, GruCell, GruCellConfig, GruConfig, Linear, LinearConfig, Lstm, LstmCell,
    LstmCellConfig, LstmConfig, Nonlinearity, Parameters, Rnn, RnnCell, RnnCellConfig, RnnConfig,
    manual_seed,
};

use crate::common::TestResult;

fn dict(config: RnnConfig) -> TestResult<StateDict> {
    let mut dict = StateDict::new();
    dict.add("", &Rnn::<f32>::new(config, &mut manual_seed(0))?)?;
    Ok(dict)
}

fn without(dict: &StateDict, name: &str) -> TestResult<StateDict> {
    let mut rest = StateDict::new();
    dict.iter()
        .filter(|(other, _)| *other != name)
        .try_for_each(|(name, tensor)| rest.insert(name, tensor.clone()))?;
    Ok(rest)
}

/// Replaces one array.
fn with(dict: &StateDict, name: &str, tensor: Tensor) -> TestResult<StateDict> {
    let mut changed = without(dict, name)?;
    changed.insert(name, tensor)?;
    Ok(changed)
}

/// Nothing of a model is added if one of its names is there already.
#[test]
fn names_are_unique() -> TestResult {
    let mut dict = StateDict::new();
    dict.insert("head.bias", Tensor::from_array(&array![1.0_f32])?)?;
    let before = dict.clone();
    let head = Linear::<f32>::zeros(LinearConfig::new(2, 1))?;
    let error = Error::DuplicateParameter { name: "head.bias".into() };
    assert_eq!(dict.add("head.", &head), Err(error.clone()));
    assert_eq!(dict.insert("head.bias", Tensor::from_array(&array![2.0_f32])?), Err(error));
    assert_eq!(dict, before);
    dict.add("tail.", &head)?;
    assert_eq!(dict.names().collect::<Vec<_>>(), ["head.bias", "tail.weight", "tail.bias"]);
    Ok(())
}

#[track_caller]
fn expect_no_network(dict: &StateDict, error: impl Into<Error>) {
    assert_eq!(Rnn::<f32>::from_state_dict(dict, Nonlinearity::Tanh).err(), Some(error.into()));
}

/// Everything that can be wrong with a file that should be a network.
#[test]
fn what_is_no_network_is_refused() -> TestResult {
    let both = dict(RnnConfig::new(3, 2).num_layers(2).bidirectional(true))?;
    let present = ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0"];
    let mut prefixed = StateDict::new();
    prefixed.add("rnn.", &Rnn::<f32>::zeros(RnnConfig::new(3, 2))?)?;
    let present = present.map(str::to_owned).into();
    let (name, prefix, found_under) = ("weight_ih_l0".into(), String::new(), vec!["rnn.".into()]);
    expect_no_network(&prefixed, FileError::MissingWeights { name, prefix, found_under, present });

    let missing = |name: &str, expected: &[usize]| Error::MissingParameter {
        name: name.into(),
        expected: expected.into(),
    };
    expect_no_network(&without(&both, "weight_hh_l1")?, missing("weight_hh_l1", &[2, 2]));
    expect_no_network(&without(&both, "weight_ih_l1_reverse")?, missing("weight_ih_l1_reverse", &[2, 4]));
    expect_no_network(&without(&both, "bias_hh_l0")?, missing("bias_hh_l0", &[2]));

    let zeros = |rows, columns| Tensor::from_array(&Array2::<f32>::zeros((rows, columns)));
    let shape = |array: &str, expected: &[usize], actual: &[usize]| Error::Shape {
        array: array.into(),
        expected: expected.into(),
        actual: actual.into(),
    };
    expect_no_network(&with(&both, "weight_ih_l0", zeros(8, 3)?)?, shape("weight_ih_l0", &[2, 3], &[8, 3]));
    expect_no_network(&with(&both, "weight_ih_l1", zeros(2, 2)?)?, shape("weight_ih_l1", &[2, 4], &[2, 2]));
    let vector = Tensor::from_array(&Array1::<f32>::zeros(3))?;
    expect_no_network(&with(&both, "bias_ih_l0", vector.clone())?, shape("bias_ih_l0", &[2], &[3]));
    let rank = Error::Rank { array: "weight_hh_l0", expected: 2, actual: 1 };
    expect_no_network(&with(&both, "weight_hh_l0", vector)?, rank);
    let single = dict(RnnConfig::new(3, 2))?;
    expect_no_network(&with(&single, "weight_ih_l0", zeros(2, 0)?)?, Error::ZeroSize { name: "input_size" });

    let extra = with(&both, "weight_ih_l3", zeros(2, 4)?)?;
    let error = Rnn::<f32>::from_state_dict(&extra, Nonlinearity::Tanh).err();
    assert!(matches!(error, Some(Error::UnexpectedParameter { name, .. }) if name == "weight_ih_l3"));
    Ok(())
}

/// A model that a dict does not fit stays as it was.
#[test]
fn a_model_is_loaded_entirely_or_not_at_all() -> TestResult {
    let mut rnn = Rnn::<f32>::new(RnnConfig::new(3, 2), &mut manual_seed(1))?;
    let before = rnn.clone();
    let good = dict(RnnConfig::new(3, 2))?;
    for bad in [good.to::<f64>()?, without(&good, "bias_hh_l0")?, dict(RnnConfig::new(3, 3))?] {
        assert!(bad.load_into(&mut rnn).is_err());
        assert_eq!(rnn, before);
    }
    good.load_into(&mut rnn)?;
    assert_eq!(rnn.state_dict(), good.arrays()?);
    Ok(())
}

/// The arrays of a model.
fn dict_of(model: &impl Parameters<Elem = f32>) -> Result<StateDict, Error> {
    let mut dict = StateDict::new();
    dict.add("", model)?;
    Ok(dict)
}

/// Weights of each kind, of every shape, read as every kind: as their own they are read, as another they are named.
#[test]
fn the_wrong_kind_is_named() -> TestResult {
    for (input, hidden, deep) in [(1, 1, false), (3, 4, false), (4, 3, true), (12, 3, true)] {
        let (layers, rng) = (1 + usize::from(deep), &mut manual_seed(0));
        let rnn = RnnConfig::new(input, hidden).num_layers(layers).bidirectional(deep).bias(!deep);
        let gru = GruConfig::new(input, hidden).num_layers(layers).bidirectional(deep).bias(!deep);
        let lstm = LstmConfig::new(input, hidden).num_layers(layers).bidirectional(deep).bias(!deep);
        let (rnn, gru) = (Rnn::<f32>::new(rnn, rng)?, Gru::<f32>::new(gru, rng)?);
        let mut all = vec![("Rnn", dict_of(&rnn)?), ("Gru", dict_of(&gru)?)];
        for proj_size in [0, 1, hidden - 1].into_iter().filter(|&proj_size| proj_size < hidden) {
            let lstm = Lstm::<f32>::new(lstm.clone().proj_size(proj_size), rng)?;
            let dict = dict_of(&lstm)?;
            assert_eq!(Lstm::from_state_dict(&dict)?, lstm);
            all.push(("Lstm", dict));
        }
        assert_eq!(Rnn::from_state_dict(&all[0].1, Nonlinearity::Tanh)?, rnn);
        assert_eq!(Gru::from_state_dict(&all[1].1)?, gru);
        for (kind, dict) in &all {
            let read = [
                ("Rnn", Rnn::<f32>::from_state_dict(dict, Nonlinearity::Tanh).err()),
                ("Gru", Gru::<f32>::from_state_dict(dict).err()),
                ("Lstm", Lstm::<f32>::from_state_dict(dict).err()),
            ];
            expect_kind(kind, "", read);
        }
        let cells = [
            ("Rnn", dict_of(&RnnCell::<f32>::new(RnnCellConfig::new(input, hidden), rng)?)?),
            ("Gru", dict_of(&GruCell::<f32>::new(GruCellConfig::new(input, hidden).bias(false), rng)?)?),
            ("Lstm", dict_of(&LstmCell::<f32>::new(LstmCellConfig::new(input, hidden), rng)?)?),
        ];
        for (kind, dict) in &cells {
            let read = [
                ("Rnn", RnnCell::<f32>::from_state_dict(dict, Nonlinearity::Tanh).err()),
                ("Gru", GruCell::<f32>::from_state_dict(dict).err()),
                ("Lstm", LstmCell::<f32>::from_state_dict(dict).err()),
            ];
            expect_kind(kind, "Cell", read);
        }
    }
    Ok(())
}

/// Expects an error of every other kind, which names both.
fn expect_kind(kind: &str, suffix: &str, read: [(&str, Option<Error>); 3]) {
    let weights = match kind {
        "Rnn" => "an RNN's weights (one gate)",
        "Gru" => "a GRU's weights (three gates)",
        _ => "an LSTM's weights (four gates)",
    };
    for (as_kind, error) in read {
        let message = format!("these are {weights}: use `{kind}{suffix}`, not `{as_kind}{suffix}`");
        let expected = (as_kind != kind).then_some(message);
        assert_eq!(error.map(|error| error.to_string()), expected);
    }
}

/// Weights of no kind are refused by their shape.
#[test]
fn weights_of_no_kind_are_refused() -> TestResult {
    let mut dict = StateDict::new();
    dict.insert("weight_ih_l0", Tensor::from_array(&Array2::<f32>::zeros((10, 3)))?)?;
    dict.insert("weight_hh_l0", Tensor::from_array(&Array2::<f32>::zeros((10, 5)))?)?;
    let shape = |expected: [usize; 2], actual: [usize; 2]| {
        Some(Error::Shape { array: "weight_ih_l0".into(), expected: expected.into(), actual: actual.into() })
    };
    assert_eq!(Lstm::<f32>::from_state_dict(&dict).err(), shape([20, 3], [10, 3]));
    assert_eq!(Gru::<f32>::from_state_dict(&dict).err(), shape([15, 3], [10, 3]));
    Ok(())
}
