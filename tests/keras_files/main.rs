//! Keras's files, compared with what Keras reads from them.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/mutations.rs"]
mod mutated;

mod gates;
mod mutations;
mod refused;
mod special;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array3, ArrayD, Ix2, Ix3};
use ndarray_rnn::io::keras::{LoadKeras, Model, Weights};
use ndarray_rnn::keras::{
    Activation, Bidirectional, Gru, GruConfig, Lstm, LstmConfig, MergeMode, SimpleRnn, SimpleRnnConfig,
    Stacked, set_random_seed,
};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Error, FileError, Linear, LinearConfig, Parameters, manual_seed,
};
use serde_json::Value;

use common::{Real, TestResult, in_both_types, largest_difference};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/fixtures/keras").join(name)
}

fn expected() -> TestResult<Value> {
    Ok(serde_json::from_slice(&fs::read(fixture("expected.json"))?)?)
}

fn array(value: &Value) -> TestResult<ArrayD<f32>> {
    let shape: Vec<usize> = serde_json::from_value(value["shape"].clone())?;
    let values: Vec<f64> = serde_json::from_value(value["values"].clone())?;
    Ok(ArrayD::from_shape_vec(shape, values.iter().map(|&x| f32::narrow(x)).collect())?)
}

fn batch(value: &Value) -> TestResult<Array3<f32>> {
    Ok(array(value)?.into_dimensionality::<Ix3>()?)
}

#[track_caller]
fn assert_weights(model: &impl Parameters<Elem = f32>, expected: &Value) -> TestResult {
    let weights = expected.as_array().ok_or("no list of weights")?;
    assert_eq!(model.named_parameters().len(), weights.len());
    for ((name, value), expected) in model.named_parameters().into_iter().zip(weights) {
        assert_eq!(value, array(expected)?, "{name}");
    }
    Ok(())
}

#[track_caller]
fn assert_close(actual: &ArrayD<f32>, expected: &Value) -> TestResult {
    assert!(largest_difference(actual, &array(expected)?) < 1e-6);
    Ok(())
}

#[test]
fn layers_are_read_as_keras_describes_them() -> TestResult {
    let expected = &expected()?["model"];
    for file in ["model.keras", "model.h5"] {
        let first = SimpleRnn::from_keras(fixture(file), "first")?;
        assert_weights(&first, &expected["first"]["weights"])?;
        let output = first.call(&batch(&expected["first"]["x"])?).forward()?.0;
        assert_close(&output.into_dyn(), &expected["first"]["output"])?;

        let both = Bidirectional::<f32>::from_keras(fixture(file), "both")?;
        assert_eq!(both.merge_mode(), MergeMode::Sum);
        assert_weights(&both, &expected["both"]["weights"])?;
        let output = both.call(&batch(&expected["both"]["x"])?).forward()?.0;
        assert_close(&output.into_dyn(), &expected["both"]["output"])?;

        let last = SimpleRnn::from_keras(fixture(file), "last")?;
        let described = SimpleRnnConfig::new(2, 2)
            .activation(Activation::Sigmoid)
            .use_bias(false)
            .go_backwards(true)
            .dropout(0.25);
        assert_eq!(last.config().to_string(), described.to_string());
        assert_weights(&last, &expected["last"]["weights"])?;
        assert_close(
            &last.call(&batch(&expected["last"]["x"])?).last()?.0.into_dyn(),
            &expected["last"]["output"],
        )?;

        assert_eq!(first, SimpleRnn::from_keras(fixture(file), 0)?);
        assert_eq!(last, SimpleRnn::from_keras(fixture(file), 1)?);
        assert_eq!(both, Bidirectional::<f32>::from_keras(fixture(file), 0)?);
    }
    Ok(())
}

#[test]
fn weights_load_by_name_and_by_number() -> TestResult {
    let expected = &expected()?["model"];
    for file in ["model.weights.h5", "model.keras", "model.h5", "old.h5"] {
        for by_name in [true, false] {
            let mut first = SimpleRnn::zeros(SimpleRnnConfig::new(4, 3))?;
            let mut both = Bidirectional::from_layers(
                SimpleRnn::zeros(SimpleRnnConfig::new(3, 2))?,
                SimpleRnn::zeros(SimpleRnnConfig::new(3, 2).go_backwards(true))?,
                MergeMode::Sum,
            )?;
            if by_name {
                first.load_weights(fixture(file), "first")?;
                both.load_weights(fixture(file), "both")?;
            } else {
                first.load_weights(fixture(file), 0)?;
                both.load_weights(fixture(file), 0)?;
            }
            assert_weights(&first, &expected["first"]["weights"])?;
            assert_weights(&both, &expected["both"]["weights"])?;
        }
    }
    Ok(())
}

#[test]
fn models_in_models_and_other_layers() -> TestResult {
    let expected = expected()?;
    let expected = expected["nested"].as_array().ok_or("no list of layers")?;
    let model = Model::read(fixture("nested.keras"))?;
    for (i, expected) in expected.iter().enumerate() {
        let layer: SimpleRnn = model.layer(i)?;
        assert_weights(&layer, &expected["weights"])?;
        let call = layer.call(&batch(&expected["x"])?).forward();
        let output = if i == 2 {
            layer.call(&batch(&expected["x"])?).last()?.0.into_dyn()
        } else {
            call?.0.into_dyn()
        };
        assert_close(&output, &expected["output"])?;
    }
    // A file of weights does not order its classes: the inner model comes before the layers.
    let weights = Model::read(fixture("nested.weights.h5"))?;
    let names = |model: &Model| {
        let of_class = model.layers().iter().filter(|layer| layer.class() == Some("SimpleRNN"));
        of_class.map(|layer| layer.name().to_owned()).collect::<Vec<_>>()
    };
    let (mut described, mut found) = (names(&model), names(&weights));
    described.sort();
    found.sort();
    assert_eq!((described.len(), &described), (3, &found));
    let classes: Vec<_> = model.layers().iter().filter_map(|layer| layer.class()).collect();
    assert_eq!(classes, ["InputLayer", "SimpleRNN", "InputLayer", "SimpleRNN", "LSTM", "SimpleRNN"]);
    Ok(())
}

#[test]
fn element_types() -> TestResult {
    let expected = &expected()?["dtypes"];
    let model = Model::read(fixture("dtypes.weights.h5"))?;
    for (layer, name) in model.layers().iter().zip(["float64", "float16", "bfloat16"]) {
        let kernel = layer.weights()?.get("kernel").ok_or("no kernel")?;
        assert_eq!(kernel.dtype().to_string(), name);
    }
    // Smaller floats are exact in `f32`; `f64` is converted only on demand.
    for name in ["float16", "bfloat16"] {
        let mut layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 4))?;
        model.load(name, &mut layer)?;
        assert_weights(&layer, &expected[name])?;
    }
    let mut layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 4))?;
    let error = model.load("float64", &mut layer).err();
    assert!(matches!(error, Some(Error::File(FileError::Dtype { .. }))), "{error:?}");
    assert_eq!(layer, SimpleRnn::zeros(SimpleRnnConfig::new(4, 4))?);
    model.layers()[0].weights()?.to::<f32>()?.load_into(&mut layer)?;
    assert_weights(&layer, &expected["float64"])?;
    let mut layer = SimpleRnn::<f64>::zeros(SimpleRnnConfig::new(4, 4))?;
    model.load("float64", &mut layer)?;
    Ok(())
}

/// The layers of the model that `tests/interop/keras_files.py` loads our weights into.
#[derive(Debug, PartialEq)]
struct Ours<A: Real> {
    table: Embedding<A>,
    first: SimpleRnn<A>,
    both: Bidirectional<A>,
    lstm: Lstm<A>,
    gru: Gru<A>,
    before: Gru<A>,
    both_lstm: Bidirectional<A, LstmConfig>,
    both_gru: Bidirectional<A, GruConfig>,
    cells: Stacked<A>,
    sequential: Stacked<A>,
    last: SimpleRnn<A>,
    head: Linear<A>,
}

/// Parameters of one's own, biases that are not zero among them.
fn filled<M: Parameters<Elem = A>, A: Real>(layer: Result<M, Error>) -> Result<M, Error> {
    let mut layer = layer?;
    for (i, (_, mut value)) in layer.named_parameters_mut().into_iter().enumerate() {
        value.iter_mut().for_each(|x| *x += A::narrow((i + 1) as f64 / 64.0));
    }
    Ok(layer)
}

impl<A: Real> Ours<A> {
    fn new() -> TestResult<Self> {
        let rng = &mut set_random_seed(0);
        Ok(Self {
            table: filled(Embedding::new(EmbeddingConfig::new(6, 4), &mut manual_seed(0)))?,
            first: filled(SimpleRnn::new(SimpleRnnConfig::new(4, 3), rng))?,
            both: filled(Bidirectional::new(SimpleRnnConfig::new(3, 2), MergeMode::Concat, rng))?,
            lstm: filled(Lstm::new(LstmConfig::new(4, 3), rng))?,
            gru: filled(Gru::new(GruConfig::new(3, 2), rng))?,
            before: filled(Gru::new(GruConfig::new(2, 3).reset_after(false), rng))?,
            both_lstm: filled(Bidirectional::new(LstmConfig::new(3, 2), MergeMode::Concat, rng))?,
            both_gru: filled(Bidirectional::new(GruConfig::new(4, 2), MergeMode::Sum, rng))?,
            // Two of the same kind are apart, and a kind stands before another that is earlier in the alphabet.
            cells: filled(Stacked::new([
                Lstm::new(LstmConfig::new(2, 3), rng)?.into(),
                Gru::new(GruConfig::new(3, 2).use_bias(false), rng)?.into(),
                SimpleRnn::new(SimpleRnnConfig::new(2, 3), rng)?.into(),
                Lstm::new(LstmConfig::new(3, 2), rng)?.into(),
            ]))?,
            sequential: filled(Stacked::new([
                Bidirectional::new(LstmConfig::new(2, 2), MergeMode::Ave, rng)?.into(),
                Gru::new(GruConfig::new(2, 2).go_backwards(true), rng)?.into(),
            ]))?,
            last: filled(SimpleRnn::new(
                SimpleRnnConfig::new(2, 2).use_bias(false).activation(Activation::Relu),
                rng,
            ))?,
            head: filled(Linear::new(LinearConfig::new(2, 3), &mut manual_seed(1)))?,
        })
    }

    fn weights(&self) -> Weights<'_, A> {
        let weights = Weights::new().layer(&self.table).layer(&self.first).layer(&self.both);
        let weights = weights.layer(&self.lstm).layer(&self.gru).layer(&self.before);
        let weights = weights.layer(&self.both_lstm).layer(&self.both_gru).layer(&self.cells);
        let weights = self.sequential.layers().iter().fold(weights, Weights::layer);
        weights.layer(&self.last).layer(&self.head)
    }
}

/// For tests/interop/keras_files.py.
#[test]
#[ignore = "writes a file"]
fn write_weights() -> TestResult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop/keras");
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join("ours.weights.h5"), Ours::<f32>::new()?.weights().to_bytes()?)?)
}

#[test]
fn keras_loaded_these_very_bytes_and_computes_the_same() -> TestResult {
    let ours = Ours::<f32>::new()?;
    assert!(
        ours.weights().to_bytes()? == fs::read(fixture("ours.weights.h5"))?,
        "not the bytes of the fixture"
    );
    let expected = &expected()?["ours"];
    let indices = array(&expected["x"])?.mapv(|x| x as usize).into_dimensionality::<Ix2>()?;
    let x = ours.first.forward(&ours.table.forward(&indices)?)?.0;
    let x = ours.lstm.forward(&ours.both.forward(&x)?.0)?.0;
    let x = ours.before.forward(&ours.gru.forward(&x)?.0)?.0;
    let x = ours.both_gru.forward(&ours.both_lstm.forward(&x)?.0)?.0;
    let x = ours.sequential.forward(&ours.cells.forward(&x)?.0)?.0;
    let output = ours.head.forward(&ours.last.call(&x).last()?.0)?;
    assert_close(&output.into_dyn(), &expected["output"])
}

/// A layer of a file loads into one of other weights.
fn expect_loads<M: LoadKeras + Clone + PartialEq>(model: &Model, name: &str, layer: &M) -> TestResult {
    let mut copy = layer.clone();
    copy.named_parameters_mut().into_iter().for_each(|(_, mut value)| value.mapv_inplace(|x| x + x));
    assert!(copy != *layer);
    model.load(name, &mut copy)?;
    assert!(copy == *layer, "{name}");
    Ok(())
}

fn weights_written_read_back<A: Real>() -> TestResult {
    let ours = Ours::<A>::new()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ours.weights.h5");
    ours.weights().write(&path)?;
    let model = Model::read(&path)?;
    expect_loads(&model, "simple_rnn", &ours.first)?;
    expect_loads(&model, "bidirectional", &ours.both)?;
    expect_loads(&model, "lstm", &ours.lstm)?;
    expect_loads(&model, "gru", &ours.gru)?;
    expect_loads(&model, "gru_1", &ours.before)?;
    expect_loads(&model, "bidirectional_1", &ours.both_lstm)?;
    expect_loads(&model, "bidirectional_2", &ours.both_gru)?;
    expect_loads(&model, "rnn", &ours.cells)?;
    expect_loads(&model, "simple_rnn_1", &ours.last)?;
    expect_loads(&model, "embedding", &ours.table)?;
    expect_loads(&model, "dense", &ours.head)
}

in_both_types!(weights_written_read_back);

/// Layers of a Sequential each have a group of their own; what no `RNN` of cells is has none.
#[test]
fn stacked_layers_that_are_no_cells() -> TestResult {
    let ours = Ours::<f32>::new()?;
    let message = |layer: Stacked| {
        let error = Weights::new().layer(&layer).to_bytes().err();
        error.map_or("written".into(), |error| error.to_string())
    };
    let refused = |class: &str| {
        format!(
            "Keras: RNN of stacked cells: a {class} layer that is no cell taken forwards, is not supported"
        )
    };
    let [both, backwards] = [0, 1].map(|i| ours.sequential.layers()[i].clone());
    assert_eq!(message(Stacked::new([both])?), refused("Bidirectional"));
    assert_eq!(message(Stacked::new([backwards])?), refused("GRU"));
    assert_eq!(message(ours.cells.clone()), "written");
    // Whether outputs are merged is no matter of weights.
    let pair = Weights::new().layer(ours.both.layers()).to_bytes()?;
    assert_eq!(pair, Weights::new().layer(&ours.both).to_bytes()?);

    // Of other cells than the file's: fewer, more, or of other kinds.
    let model = Model::from_bytes(&ours.weights().to_bytes()?)?;
    let cells = ours.cells.layers();
    let mut others = [
        Stacked::new(cells[..3].to_vec())?,
        Stacked::new([cells, &cells[2..3]].concat())?,
        Stacked::new([0, 3, 2, 3].map(|i| cells[i].clone()))?,
    ];
    for other in &mut others {
        let before = other.clone();
        assert!(model.load("rnn", other).is_err());
        assert_eq!(*other, before);
    }
    Ok(())
}
