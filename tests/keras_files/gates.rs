//! LSTM and GRU layers with every option, in every place that a model has for them.

use ndarray_rnn::io::keras::{FromConfig, FromKeras, Model};
use ndarray_rnn::keras::{Bidirectional, Gru, GruConfig, Layer, LayerPair, Lstm, LstmConfig, Stacked};
use ndarray_rnn::{Error, FileError};

use crate::common::TestResult;
use crate::special::{changed_in, expect};
use crate::{batch, expect_loads, expected, fixture};

const FILES: [&str; 2] = ["gates.keras", "gates.h5"];

#[track_caller]
fn expect_outputs<C: FromConfig>(names: &[(&str, &str)]) -> TestResult {
    let expected = &expected()?["gates"];
    for file in FILES {
        for (name, options) in names {
            let layer = Layer::<C, f32>::from_keras(fixture(file), *name)?;
            assert_eq!(layer.config().to_string(), *options, "{file}: {name}");
            let expected = &expected[name];
            expect(expected, &[layer.forward(&batch(&expected["x"])?)?.0.into_dyn()])?;
        }
    }
    Ok(())
}

#[test]
fn layers_of_every_option() -> TestResult {
    expect_outputs::<LstmConfig>(&[
        ("lstm", "LSTM(3, activation=relu, recurrent_activation=hard_sigmoid, unit_forget_bias=False)"),
        ("bare", "LSTM(2, use_bias=False, dropout=0.25, recurrent_dropout=0.5, go_backwards=True)"),
        ("lstm_cell", "LSTM(2, recurrent_activation=elu)"),
        ("inner/second", "LSTM(3)"),
        ("each/inside", "LSTM(2)"),
    ])?;
    expect_outputs::<GruConfig>(&[
        ("gru", "GRU(3, activation=softsign, recurrent_activation=hard_sigmoid)"),
        ("before", "GRU(2, reset_after=False, go_backwards=True)"),
        ("gru_cell", "GRU(3, reset_after=False, go_backwards=True)"),
        ("inner/gru", "GRU(2)"),
    ])
}

#[test]
fn both_directions() -> TestResult {
    fn expect_both<C: FromConfig>(model: &Model, name: &str) -> TestResult {
        let expected = &expected()?["gates"][name];
        let both: Bidirectional<f32, C> = model.layer(name)?;
        expect(expected, &[both.forward(&batch(&expected["x"])?)?.0.into_dyn()])
    }
    let expected = &expected()?["gates"]["pair"];
    for file in FILES {
        let model = Model::read(fixture(file))?;
        expect_both::<LstmConfig>(&model, "both_lstm")?;
        expect_both::<GruConfig>(&model, "both_gru")?;
        let both: Bidirectional<f32, GruConfig> = model.layer("both_gru")?;
        assert!(both.forward_layer().config().reset_after && !both.backward_layer().config().reset_after);
        let pair: LayerPair<f32, GruConfig> = model.layer("pair")?;
        let (outputs, _) = pair.call(&batch(&expected["x"])?).forward()?;
        expect(expected, &outputs.map(|output| output.into_dyn()))?;
    }
    Ok(())
}

#[test]
fn cells_of_several_kinds() -> TestResult {
    for file in FILES {
        let model = Model::read(fixture(file))?;
        for name in ["stacked", "deep"] {
            let expected = &expected()?["gates"][name];
            let stacked: Stacked = model.layer(name)?;
            expect(expected, &[stacked.forward(&batch(&expected["x"])?)?.0.into_dyn()])?;
        }
    }
    Ok(())
}

/// A file of weights alone has the same for each layer.
#[test]
fn weights_alone() -> TestResult {
    fn expect_same<L>(name: &str, group: &str) -> TestResult
    where
        L: FromKeras<Loaded = L> + ndarray_rnn::io::keras::LoadKeras + Clone + PartialEq,
    {
        let layer: L = Model::read(fixture("gates.keras"))?.layer(name)?;
        for file in FILES {
            expect_loads(&Model::read(fixture(file))?, name, &layer)?;
        }
        expect_loads(&Model::read(fixture("gates.weights.h5"))?, group, &layer)
    }
    expect_same::<Lstm>("lstm", "lstm")?;
    expect_same::<Lstm>("bare", "bare")?;
    expect_same::<Lstm>("lstm_cell", "lstm_cell")?;
    expect_same::<Lstm>("each/inside", "inside")?;
    expect_same::<Gru>("before", "before")?;
    expect_same::<Gru>("gru_cell", "gru_cell")?;
    expect_same::<Bidirectional<f32, LstmConfig>>("both_lstm", "both_lstm")?;
    expect_same::<Bidirectional<f32, GruConfig>>("both_gru", "both_gru")?;
    expect_same::<Stacked>("deep", "deep")
}

/// What a file does not say is what its version of Keras meant.
#[test]
fn options_that_the_file_lacks() -> TestResult {
    let gates = (r#""recurrent_activation": "hard_sigmoid""#, r#""other": 0"#);
    for (version, expected) in [("1.2.2", "hard_sigmoid_2"), ("3.0.0", "sigmoid")] {
        let layer: Lstm = changed_in("gates.keras", &[gates, ("3.15.1", version)])?.layer("lstm")?;
        assert_eq!(layer.config().recurrent_activation.to_string(), expected, "{version}");
    }
    let model = changed_in("gates.keras", &[gates, ("3.15.1", "2.6.0")])?;
    let error = model.layer::<Lstm>("lstm").err().ok_or("a default was guessed")?;
    let message = "Keras: lstm.recurrent_activation: expected an activation, for which versions 2 have two defaults, \
                   got none";
    assert_eq!(error.to_string(), message);

    let reset = (r#""reset_after": true"#, r#""other": 0"#);
    assert!(changed_in("gates.keras", &[reset])?.layer::<Gru>("gru")?.config().reset_after);
    // A layer without the option has a bias of one row.
    let error = changed_in("gates.keras", &[reset, ("3.15.1", "2.1.2")])?.layer::<Gru>("gru").err();
    let expected = Error::Shape { array: "bias".into(), expected: vec![9], actual: vec![2, 9] };
    assert_eq!(error, Some(expected));
    let reset = (r#""reset_after": false"#, r#""other": 0"#);
    let layer: Gru = changed_in("gates.keras", &[reset, ("3.15.1", "2.1.2")])?.layer("before")?;
    assert!(!layer.config().reset_after);
    Ok(())
}

#[test]
fn kinds_are_told_apart() -> TestResult {
    for file in ["gates.keras", "gates.h5", "gates.weights.h5"] {
        let model = Model::read(fixture(file))?;
        let mut layer = Gru::<f32>::zeros(GruConfig::new(3, 3))?;
        let error = model.load("lstm", &mut layer).err();
        assert!(
            matches!(error, Some(Error::File(FileError::NotFound { name: "GRU layer", .. }))),
            "{error:?}"
        );
        let mut layer = Gru::<f32>::zeros(GruConfig::new(3, 2))?;
        let error = model.load("before", &mut layer).err();
        let expected = Error::Shape { array: "bias".into(), expected: vec![2, 6], actual: vec![6] };
        assert_eq!(error, Some(expected));
    }
    Ok(())
}

/// A list of cells that holds something else is refused; the other cells alone would be another layer.
#[test]
fn cells_that_are_none_are_refused() -> TestResult {
    for (to, message) in
        [("\"cells\": [null, {", "a list of cells"), ("\"cells\": [{\"no_class_name_here\": 1}, {", "a cell")]
    {
        let model = changed_in("gates.keras", &[("\"cells\": [{", to)])?;
        let error = model.layer::<Stacked>("stacked").err().ok_or("refused")?.to_string();
        assert!(error.contains("stacked.cells") && error.contains(message), "{to}: {error}");
    }
    Ok(())
}
