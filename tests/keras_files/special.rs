//! Layers among others that this crate does not have, and what may stand in a configuration.

use std::io::{Cursor, Read};

use ndarray::ArrayD;
use ndarray_rnn::io::keras::{DenseActivation, Model};
use ndarray_rnn::keras::{Activation, Bidirectional, LayerPair, SimpleRnn, SimpleRnnConfig};
use ndarray_rnn::{Embedding, EmbeddingConfig, Error, Linear, LinearConfig, Parameters};
use serde_json::Value;

use crate::common::TestResult;
use crate::refused::zipped;
use crate::{array, assert_close, assert_weights, batch, expected, fixture};

const FILES: [&str; 2] = ["special.keras", "special.h5"];

pub(crate) fn expect(expected: &Value, outputs: &[ArrayD<f32>]) -> TestResult {
    let all = expected["output"].as_array().ok_or("no outputs")?;
    assert_eq!(all.len(), outputs.len());
    outputs.iter().zip(all).try_for_each(|(output, expected)| assert_close(output, expected))
}

#[test]
fn layers_among_others() -> TestResult {
    let expected = &expected()?["special"];
    for file in FILES {
        let model = Model::read(fixture(file))?;
        for name in ["object", "plain", "general"] {
            let layer: SimpleRnn = model.layer(name)?;
            expect(&expected[name], &[layer.forward(&batch(&expected[name]["x"])?)?.0.into_dyn()])?;
        }
        // Within TimeDistributed, which applies it to each step of a longer series.
        let inside: SimpleRnn = model.layer("each/inside")?;
        expect(&expected["inside"], &[inside.call(&batch(&expected["inside"]["x"])?).last()?.0.into_dyn()])?;
        let both: Bidirectional = model.layer("both")?;
        assert_eq!(both.backward_layer().config().activation, Activation::Relu);
        expect(&expected["both"], &[both.forward(&batch(&expected["both"]["x"])?)?.0.into_dyn()])?;
        for name in ["dense", "head"] {
            let (dense, activation): (Linear, DenseActivation) = model.layer(name)?;
            assert_eq!(dense.config().bias, name == "head");
            let output = activation.apply(&dense.forward(&array(&expected[name]["x"])?)?)?;
            expect(&expected[name], &[output])?;
        }
    }
    Ok(())
}

/// Keras returns the outputs of each direction.
#[test]
fn outputs_that_are_not_merged() -> TestResult {
    let expected = &expected()?["special"]["pair"];
    for file in FILES {
        let pair = LayerPair::<f32>::from_keras(fixture(file), "pair")?;
        let (outputs, _) = pair.call(&batch(&expected["x"])?).forward()?;
        expect(expected, &outputs.map(|output| output.into_dyn()))?;
        let error = Bidirectional::<f32>::from_keras(fixture(file), "pair").err().ok_or("it was merged")?;
        let message = "Keras: pair.merge_mode: expected \"concat\", \"sum\", \"mul\" or \"ave\"; null is read as a \
                       LayerPair, got null";
        assert_eq!(error.to_string(), message);
        let error = LayerPair::<f32>::from_keras(fixture(file), "both").err().ok_or("it was taken apart")?;
        let message =
            "Keras: both.merge_mode: expected null; others are read as a Bidirectional, got \"concat\"";
        assert_eq!(error.to_string(), message);
    }
    Ok(())
}

/// Each is refused where it is asked for, and by its name; its weights are read.
#[test]
fn what_this_crate_does_not_have() -> TestResult {
    for file in FILES {
        let model = Model::read(fixture(file))?;
        let error = model.layer::<SimpleRnn>("custom").err();
        let named = |error: &Option<Error>, name: &str| matches!(error, Some(Error::UnknownName { what: "activation", actual, .. }) if actual == name);
        assert!(named(&error, "mine>relu"), "{error:?}");
        let error = model.layer::<SimpleRnn>("leaky").err().ok_or("a leaky one was taken")?.to_string();
        assert!(
            error.starts_with("Keras: leaky.activation: expected the name of an activation of Keras's"),
            "{error}"
        );
        assert!(error.contains("LeakyReLU"), "{error}");
        assert!(model.layer::<(Linear, DenseActivation)>("odd_dense").is_err());
        // A class of one's own is no SimpleRNN, and no Dense either.
        let namesake =
            model.layers().iter().find(|layer| layer.name() == "namesake").ok_or("no such layer")?;
        assert_eq!(namesake.class(), Some("mine>SimpleRNN"));
        assert_eq!(namesake.weights()?.len(), 2);
        assert!(model.layer::<SimpleRnn>("namesake").is_err());
        assert!(model.layer::<(Linear, DenseActivation)>("namesake").is_err());

        let mut layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(3, 3))?;
        model.load("custom", &mut layer)?;
        let mut linear = Linear::<f32>::zeros(LinearConfig::new(4, 3))?;
        model.load("odd_dense", &mut linear)?;
        assert!(layer.parameters().kernel().iter().chain(linear.parameters().weight()).all(|x| *x != 0.0));
        let masking = model.layers().iter().find(|layer| layer.name() == "masking").ok_or("no such layer")?;
        assert!(masking.config().is_some_and(|config| config.contains(r#""mask_value": "NaN""#)));
        assert!(model.layers().iter().any(|layer| layer.name() == r#"a "NaN" and -Infinity"#));
    }
    Ok(())
}

/// special.keras with text in its configuration replaced.
fn changed(changes: &[(&str, &str)]) -> TestResult<Model> {
    changed_in("special.keras", changes)
}

/// A `.keras` file with text in its configuration replaced.
pub(crate) fn changed_in(file: &str, changes: &[(&str, &str)]) -> TestResult<Model> {
    let mut whole = zip::ZipArchive::new(Cursor::new(std::fs::read(fixture(file))?))?;
    let mut parts = ["config.json", "model.weights.h5", "metadata.json"].map(|name| (name, Vec::new()));
    for (name, content) in &mut parts {
        whole.by_name(name)?.read_to_end(content)?;
    }
    for (from, to) in changes {
        for (_, content) in parts.iter_mut().filter(|(name, _)| name.ends_with(".json")) {
            *content = str::from_utf8(content)?.replacen(from, to, 1).into_bytes();
        }
    }
    Ok(Model::from_bytes(&zipped(&parts.each_ref().map(|(name, content)| (*name, &**content)))?)?)
}

#[test]
fn json_as_python_writes_it() -> TestResult {
    let model = Model::read(fixture("special.keras"))?;
    for (from, to) in [("{", "\u{feff}{"), ("NaN", "Infinity"), ("NaN", "-Infinity")] {
        let other = changed(&[(from, to)])?;
        assert_eq!(other.layers().len(), model.layers().len(), "{to:?}");
        assert_eq!(other.layer::<SimpleRnn>("plain")?, model.layer("plain")?);
    }
    Ok(())
}

#[test]
fn activations_in_every_form() -> TestResult {
    let plain: SimpleRnn = Model::read(fixture("special.keras"))?.layer("general")?;
    let own = r#""units": 2, "activation": "relu""#;
    for form in [
        r#"{"class_name": "function", "config": "relu"}"#,
        r#"{"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}"#,
        r#"{"module": "keras.layers", "class_name": "Activation", "config": {"activation": "relu"}}"#,
        r#"{"module": "keras.layers", "class_name": "ReLU", "config": {"max_value": null, "threshold": 0.0}}"#,
    ] {
        let model = changed(&[(own, &format!(r#""units": 2, "activation": {form}"#))])?;
        assert_eq!(model.layer::<SimpleRnn>("general")?, plain, "{form}");
    }
    let linear = changed(&[(own, r#""units": 2, "activation": null"#)])?.layer::<SimpleRnn>("general")?;
    assert_eq!(linear.config().to_string(), "SimpleRNN(2, activation=linear, go_backwards=True)");
    for form in [
        r#"{"class_name": "ReLU", "config": {"max_value": 6.0}}"#,
        r#"{"class_name": "function", "config": "mine>relu"}"#,
        r#"{"class_name": "function", "config": {"code": 1}}"#,
        r#""hard_sigmoid_2""#,
        "7",
    ] {
        let model = changed(&[(own, &format!(r#""units": 2, "activation": {form}"#))])?;
        assert!(model.layer::<SimpleRnn>("general").is_err(), "{form}");
        model.layer::<SimpleRnn>("plain")?;
    }
    Ok(())
}

/// The version of the file decides; without one hard_sigmoid has no meaning, and nothing else needs one.
#[test]
fn hard_sigmoid_is_that_of_the_version() -> TestResult {
    let hard = (r#""units": 2, "activation": "relu""#, r#""units": 2, "activation": "hard_sigmoid""#);
    for (version, name) in [("2.15.0", "hard_sigmoid_2"), ("3.0.0", "hard_sigmoid"), ("10.1", "hard_sigmoid")]
    {
        let layer: SimpleRnn = changed(&[hard, ("3.15.1", version)])?.layer("general")?;
        assert_eq!(layer.config().activation.to_string(), name, "{version}");
    }
    let model = changed(&[hard, ("keras_version", "other")])?;
    let error = model.layer::<SimpleRnn>("general").err().ok_or("a version was guessed")?;
    let message = "Keras: keras_version, for the hard_sigmoid of general: expected a version, got none";
    assert_eq!(error.to_string(), message);
    model.layer::<SimpleRnn>("plain")?;
    Ok(())
}

#[test]
fn the_weights_of_a_model_that_is_a_class() -> TestResult {
    let expected = &expected()?["subclassed"];
    let model = Model::read(fixture("subclassed.weights.h5"))?;
    let mut embedding = Embedding::<f32>::zeros(EmbeddingConfig::new(5, 3))?;
    model.load("embed", &mut embedding)?;
    assert_weights(&embedding, &expected["embed"])?;
    assert_eq!(embedding, Embedding::from_keras(fixture("subclassed.weights.h5"), "embed")?);

    let [forward, backward] = [false, true].map(|back| SimpleRnnConfig::new(3, 2).go_backwards(back));
    let layers = (SimpleRnn::zeros(forward)?, SimpleRnn::zeros(backward)?);
    let mut encoder = Bidirectional::<f32>::from_layers(layers.0, layers.1, Default::default())?;
    model.load("encoder", &mut encoder)?;
    assert_weights(&encoder, &expected["encoder"])?;
    let mut rnn = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 2))?;
    model.load("simple_rnn", &mut rnn)?;
    assert_weights(&rnn, &expected["simple_rnn"])?;

    let mut head = Linear::<f32>::zeros(LinearConfig::new(2, 2))?;
    model.load("head", &mut head)?;
    assert_eq!(head.parameters().weight().t().into_dyn(), array(&expected["head"][0])?);
    assert_eq!(head.parameters().bias().ok_or("no bias")?.view().into_dyn(), array(&expected["head"][1])?);

    let lstm = model.layers().iter().find(|layer| layer.path() == "lstm").ok_or("no LSTM")?;
    let arrays = lstm.weights()?.arrays::<f32>()?;
    for ((name, value), expected) in arrays.iter().zip(expected["lstm"].as_array().ok_or("no list")?) {
        assert_eq!(value, &array(expected)?, "{name}");
    }
    assert_eq!(head.named_parameters().len() + model.weights()?.len(), 2 + 1 + 6 + 3 + 3 + 2);
    Ok(())
}

/// Keras gives each layer of one model a name of its own; models within models may have namesakes.
#[test]
fn names_that_are_not_unique() -> TestResult {
    let model = changed(&[(r#""name": "general""#, r#""name": "plain""#)])?;
    let error = model.layer::<SimpleRnn>("plain").err().ok_or("one of two was taken")?;
    assert_eq!(
        error.to_string(),
        "Keras: plain: expected one SimpleRNN layer of this name, got plain and plain"
    );
    Ok(())
}

#[test]
fn outputs_without_axes_have_no_softmax() {
    let error = DenseActivation::Softmax.apply(&ndarray::arr0(1.0_f32)).err();
    assert_eq!(error, Some(Error::LowRank { array: "outputs", expected: 1, actual: 0 }));
}
