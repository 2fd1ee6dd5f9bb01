//! What is refused, and by which name. Nothing is changed then.

use std::io::{Cursor, Read, Write};

use ndarray_rnn::io::keras::Model;
use ndarray_rnn::keras::{Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig};
use ndarray_rnn::{Error, FileError};

use crate::common::{TestResult, expect_error};
use crate::fixture;

/// A zip archive.
pub(crate) fn zipped(entries: &[(&str, &[u8])]) -> TestResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::DEFAULT)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

#[test]
fn layers_that_are_not_there() -> TestResult {
    let layers =
        ["first (SimpleRNN)", "both (Bidirectional(SimpleRNN))", "last (SimpleRNN)", "dense (Dense)"];
    let input = "input_layer (InputLayer)";
    let present: Vec<String> = [&[input], &layers[..]].concat().into_iter().map(str::to_owned).collect();
    let error = Error::File(FileError::NotFound { name: "SimpleRNN layer", present });
    let message = "no SimpleRNN layer among the names [\"input_layer (InputLayer)\", \"first (SimpleRNN)\", \
                   \"both (Bidirectional(SimpleRNN))\", \"last (SimpleRNN)\", \"dense (Dense)\"]";
    for file in ["model.keras", "model.h5"] {
        expect_error(SimpleRnn::<f32>::from_keras(fixture(file), "both"), &error, message);
        expect_error(SimpleRnn::<f32>::from_keras(fixture(file), 2), &error, message);
        assert!(Bidirectional::<f32>::from_keras(fixture(file), "first").is_err());
    }
    Ok(())
}

#[test]
fn weights_without_a_description() -> TestResult {
    let feature =
        "a file of weights without a description of the layer, except to load the weights into a layer,";
    let error =
        FileError::Unsupported { format: "Keras", field: "first".into(), feature: feature.to_owned() };
    let message = format!("Keras: first: {feature} is not supported");
    expect_error(SimpleRnn::<f32>::from_keras(fixture("model.weights.h5"), "first"), &error.into(), &message);
    Ok(())
}

#[test]
fn weights_of_another_layer() -> TestResult {
    let mut layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 2))?;
    let shape = layer.load_weights(fixture("model.weights.h5"), "first").err();
    let expected = Error::Shape { array: "kernel".into(), expected: vec![4, 2], actual: vec![4, 3] };
    assert_eq!(shape, Some(expected));
    let mut layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 3).use_bias(false))?;
    let error = layer.load_weights(fixture("model.weights.h5"), "first").err();
    assert!(matches!(error, Some(Error::UnexpectedParameter { .. })), "{error:?}");
    assert_eq!(layer, SimpleRnn::zeros(SimpleRnnConfig::new(4, 3).use_bias(false))?);
    let forward = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(3, 2))?;
    let backward = SimpleRnn::zeros(SimpleRnnConfig::new(3, 2).go_backwards(true).use_bias(false))?;
    let mut layer = Bidirectional::from_layers(forward, backward, MergeMode::Sum)?;
    let before = layer.clone();
    assert!(layer.load_weights(fixture("model.weights.h5"), "both").is_err());
    assert_eq!(layer, before);
    Ok(())
}

#[test]
fn what_is_no_file_of_keras() -> TestResult {
    for bytes in [&b""[..], b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x93NUMPY"] {
        let error = Model::from_bytes(bytes).err();
        assert!(
            matches!(error, Some(Error::File(FileError::Malformed { format: "Keras", .. }))),
            "{error:?}"
        );
    }
    let whole = std::fs::read(fixture("ours.weights.h5"))?;
    let error = Model::from_bytes(&whole[..whole.len() - 1]).err().map(|error| error.to_string());
    let expected = "Keras: file: expected 13856 bytes, as the superblock says, got 13855 bytes";
    assert_eq!(error.as_deref(), Some(expected));
    let missing = Model::read(fixture("no such file")).err();
    assert!(matches!(missing, Some(Error::File(FileError::System { operation: "read", .. }))), "{missing:?}");
    Ok(())
}

/// model.h5 with some text of its configuration replaced by text of the same length.
fn replaced(from: &str, to: &str) -> TestResult<Vec<u8>> {
    let mut bytes = std::fs::read(fixture("model.h5"))?;
    assert_eq!(from.len(), to.len());
    let found = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = found.ok_or("no such text")?;
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    Ok(bytes)
}

/// What is not understood is an error where it is needed, and leaves the other layers and all weights readable.
#[test]
fn descriptions_are_checked() -> TestResult {
    let bytes = replaced(r#""activation": "tanh""#, r#""activation": "tank""#)?;
    let model = Model::from_bytes(&bytes)?;
    let error = model.layer::<SimpleRnn>("first").err();
    assert!(
        matches!(&error, Some(Error::UnknownName { what: "activation", actual, .. }) if actual == "tank"),
        "{error:?}"
    );
    assert_eq!(model.layer::<SimpleRnn>("last")?, SimpleRnn::from_keras(fixture("model.h5"), "last")?);
    assert_eq!(model.weights()?, Model::read(fixture("model.h5"))?.weights()?);

    let bytes = replaced(r#""merge_mode": "sum""#, r#""merge_mode": "sub""#)?;
    let error = Model::from_bytes(&bytes)?.layer::<Bidirectional>("both").err().ok_or("sub was merged")?;
    let expected = r#""concat", "sum", "mul" or "ave"; null is read as a LayerPair"#;
    assert_eq!(error.to_string(), format!("Keras: both.merge_mode: expected {expected}, got \"sub\""));
    let error = Model::from_bytes(&replaced(r#"{"class_name""#, r#"["class_name""#)?).err();
    assert!(matches!(error, Some(Error::File(FileError::Malformed { .. }))), "{error:?}");
    Ok(())
}

#[test]
fn options_of_other_types() -> TestResult {
    for (from, to, name, expected, actual) in [
        (r#""use_bias": true"#, r#""use_bias": null"#, "use_bias", "true or false", "null"),
        (r#""units": 3,"#, r#""units":"3""#, "units", "a size", "other"),
        (r#""dropout": 0.0"#, r#""dropout":null"#, "dropout", "a number", "null"),
        (r#""dropout": 0.0"#, r#""dropout": NaN"#, "dropout", "a number", "\"NaN\""),
    ] {
        let Ok(model) = Model::from_bytes(&replaced(from, to)?) else {
            // Without the comma it is no JSON.
            assert_eq!(actual, "other");
            continue;
        };
        let error = model.layer::<SimpleRnn>("first").err().ok_or("it was taken")?;
        assert_eq!(error.to_string(), format!("Keras: first.{name}: expected {expected}, got {actual}"));
        model.layer::<SimpleRnn>("last")?;
    }
    Ok(())
}

/// A layer that the configuration describes and the weights lack.
#[test]
fn a_layer_without_weights() -> TestResult {
    let mut whole = zip::ZipArchive::new(Cursor::new(std::fs::read(fixture("model.keras"))?))?;
    let mut config = Vec::new();
    whole.by_name("config.json")?.read_to_end(&mut config)?;
    let weights = std::fs::read(fixture("dtypes.weights.h5"))?;
    let model = Model::from_bytes(&zipped(&[("config.json", &config), ("model.weights.h5", &weights)])?)?;
    let message = "Keras: both: expected an array forward.kernel, got none";
    let error = model.layer::<Bidirectional>("both").err().ok_or("nothing is missing")?;
    assert_eq!(error.to_string(), message);
    Ok(())
}

/// A text of 16 KiB that 3000 items of a list refer to: 48 MB.
#[test]
fn texts_that_are_repeated_without_end() -> TestResult {
    let bytes = std::fs::read(fixture("bomb.h5"))?;
    crate::mutated::expect_modest(bytes.len(), || {
        let error = Model::from_bytes(&bytes).err();
        assert!(matches!(error, Some(Error::File(FileError::TooLarge { .. }))), "{error:?}");
    })
    .map_err(|error| error.to_string())?;
    Ok(())
}
