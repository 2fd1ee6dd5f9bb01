//! Changed files: they are read or refused, without a panic, within memory in proportion to the file.

use ndarray_rnn::io::keras::{DenseActivation, FromConfig, Model};
use ndarray_rnn::keras::{
    Bidirectional, Gru, GruConfig, Layer, LayerPair, Lstm, LstmConfig, SimpleRnn, SimpleRnnConfig, Stacked,
};
use ndarray_rnn::{Embedding, Linear};
use proptest::prelude::*;

use crate::common::TestResult;
use crate::fixture;
use crate::mutated::{change, expect_modest};
use crate::refused::zipped;

const FILES: [&str; 21] = [
    "model.keras",
    "model.h5",
    "model.weights.h5",
    "dtypes.weights.h5",
    "old.h5",
    "ours.weights.h5",
    "special.keras",
    "special.h5",
    "subclassed.weights.h5",
    "gates.keras",
    "gates.h5",
    "gates.weights.h5",
    "classifier.keras",
    "keras-1.2.2.h5",
    "keras-2.1.6.h5",
    "keras-2.6.0.h5",
    "keras-2.12.0.keras",
    "keras-3.8.0.keras",
    "keras-3.15.1.h5",
    "keras-1.2.2-gates.h5",
    "keras-2.1.6-gates.h5",
];

/// Reads a file, and makes all that can be made of it.
fn read(bytes: &[u8]) {
    let Ok(model) = Model::from_bytes(bytes) else { return };
    let _ = model.weights();
    for i in 0..model.layers().len() {
        of_kind::<SimpleRnnConfig>(&model, i);
        of_kind::<LstmConfig>(&model, i);
        of_kind::<GruConfig>(&model, i);
        drop(model.layer::<Stacked>(i));
        drop(model.layer::<Embedding>(i));
        drop(model.layer::<(Linear, DenseActivation)>(i));
        if let Ok(mut layer) = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 3)) {
            drop(model.load(i, &mut layer));
        }
        if let Ok(mut layer) = Lstm::<f32>::zeros(LstmConfig::new(4, 3)) {
            drop(model.load(i, &mut layer));
            let mut cells = Stacked::new([layer.into()]);
            drop(cells.as_mut().map(|cells| model.load(i, cells)));
        }
        if let Ok(mut layer) = Gru::<f32>::zeros(GruConfig::new(3, 3)) {
            drop(model.load(i, &mut layer));
        }
    }
}

/// Makes the layers of a kind.
fn of_kind<C: FromConfig>(model: &Model, i: usize) {
    drop(model.layer::<Layer<C, f32>>(i));
    drop(model.layer::<Bidirectional<f32, C>>(i));
    drop(model.layer::<LayerPair<f32, C>>(i));
}

/// Configurations that zip packs to almost nothing, and that would take much memory.
#[test]
fn of_configurations_without_end() -> TestResult {
    let weights = std::fs::read(fixture("ours.weights.h5"))?;
    let list = |element: &str, count: usize| {
        let layers = vec![element; count].join(",");
        format!(r#"{{"class_name":"Sequential","config":{{"layers":[{layers}]}}}}"#)
    };
    let nested =
        |open: &str, close: &str, count: usize| format!(r#"{}{}"#, open.repeat(count), close.repeat(count));
    let name = "n".repeat(1 << 18);
    let inner = list(r#"{"class_name":"Dense","config":{"name":"d"}}"#, 5000);
    for (config, read_well) in [
        (list("1", 400_000), true),
        (list(r#"{"class_name":"a"}"#, 40_000), false),
        (list(r#"{"class_name":"SimpleRNN","config":{}}"#, 20_000), false),
        (
            inner.replacen(
                "{",
                &format!(r#"{{"class_name":"Model","config":{{"layers":[{{"name":"{name}","#),
                1,
            ) + "]}}",
            false,
        ),
        (nested(r#"{"class_name":"M","config":{"layers":["#, "]}}", 20_000), false),
        (nested(r#"{"class_name":"T","config":{"layer":"#, "}}", 20_000), false),
        (nested("[", "]", 400_000), false),
        (list("NaN", 200_000), true),
        (list("{\"x\":\"NaN\"}", 60_000), true),
    ] {
        let bytes = zipped(&[("config.json", config.as_bytes()), ("model.weights.h5", &weights)])?;
        let head: String = config.chars().take(80).collect();
        expect_modest(bytes.len(), || assert_eq!(Model::from_bytes(&bytes).is_ok(), read_well, "{head}"))
            .map_err(|error| format!("{head}: {error}"))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn of_files(file in prop::sample::select(&FILES), changes in prop::collection::vec(change(), 1..5)) {
        let mut bytes = std::fs::read(fixture(file)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        changes.into_iter().for_each(|change| change.apply(&mut bytes));
        expect_modest(bytes.len(), || read(&bytes))?;
    }

    #[test]
    fn of_nothing(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [b"\x89HDF\r\n\x1a\n", &*tail].concat();
        expect_modest(bytes.len(), || read(&bytes))?;
    }
}
