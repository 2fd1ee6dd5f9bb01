//! One model, saved by six versions of Keras: each layer's output for the output of the layer below, by that version.

use ndarray::{Array2, Array3, ArrayD, Ix3};
use ndarray_rnn::io::keras::{DenseActivation, Model};
use ndarray_rnn::keras::{Activation, Bidirectional, Gru, GruConfig, Lstm, LstmConfig, SimpleRnn, Stacked};
use ndarray_rnn::{Embedding, Error, Linear};
use serde_json::Value;

use crate::common::TestResult;
use crate::{array, assert_close, fixture};

const VERSIONS: [&str; 6] = ["1.2.2", "2.1.6", "2.6.0", "2.12.0", "3.8.0", "3.15.1"];

/// A version's model and what it computed.
struct Version {
    name: &'static str,
    model: Model,
    expected: Value,
}

impl Version {
    fn all() -> impl Iterator<Item = TestResult<Self>> {
        VERSIONS.into_iter().map(Self::read)
    }

    fn read(name: &'static str) -> TestResult<Self> {
        let expected: Value = serde_json::from_slice(&std::fs::read(fixture(&format!("{name}.json")))?)?;
        let file = expected["file"].as_str().ok_or("no file")?;
        Ok(Self { name, model: Model::read(fixture(file))?, expected })
    }

    /// The same file without its configuration, if it is one of the old format.
    fn bare(&self) -> TestResult<Option<Model>> {
        let file = self.expected["file"].as_str().ok_or("no file")?;
        if !file.ends_with(".h5") {
            return Ok(None);
        }
        let mut bytes = std::fs::read(fixture(file))?;
        let attribute = b"model_config";
        let at = bytes.windows(attribute.len()).position(|window| window == attribute);
        bytes[at.ok_or("no configuration")?] = b'n';
        Ok(Some(Model::from_bytes(&bytes)?))
    }

    fn is_oldest(&self) -> bool {
        self.name.starts_with("1.")
    }

    /// The output of a layer for all steps.
    fn output(&self, layer: &str) -> TestResult<Array3<f32>> {
        Ok(array(&self.expected["outputs"][layer])?.into_dimensionality::<Ix3>()?)
    }

    #[track_caller]
    fn expect(&self, layer: &str, output: ArrayD<f32>) -> TestResult {
        println!("{} {layer}", self.name);
        assert_close(&output, &self.expected["outputs"][layer])
    }
}

#[test]
fn every_layer_computes_what_its_version_computes() -> TestResult {
    for version in Version::all() {
        let version = version?;
        let model = &version.model;
        let x: Vec<Vec<usize>> = serde_json::from_value(version.expected["x"].clone())?;
        let x = Array2::from_shape_vec((x.len(), x[0].len()), x.concat())?;
        version.expect("embedding", model.layer::<Embedding>("embedding")?.forward(&x)?.into_dyn())?;

        let first: SimpleRnn = model.layer("first")?;
        let hard = if version.name < "3" { Activation::HardSigmoid2 } else { Activation::HardSigmoid };
        assert_eq!(first.config().activation, hard);
        version.expect("first", first.forward(&version.output("embedding")?)?.0.into_dyn())?;

        let both: Bidirectional = model.layer("both")?;
        version.expect("both", both.forward(&version.output("first")?)?.0.into_dyn())?;

        let inner: [SimpleRnn; 2] = [model.layer("inner/first")?, model.layer("inner/second")?];
        assert_eq!(
            (inner[0].config().activation, model.layer("second")),
            (Activation::Relu, Ok(inner[1].clone()))
        );
        let between = inner[0].forward(&version.output("gru")?)?.0;
        version.expect("inner", inner[1].forward(&between)?.0.into_dyn())?;

        if !version.is_oldest() {
            let general: SimpleRnn = model.layer("general")?;
            version.expect("general", general.forward(&version.output("inner")?)?.0.into_dyn())?;
            let stacked: Stacked = model.layer("stacked")?;
            version.expect("stacked", stacked.forward(&version.output("general")?)?.0.into_dyn())?;
        }
        let (dense, activation): (Linear, DenseActivation) = model.layer("dense")?;
        assert_eq!(activation, DenseActivation::Softmax);
        let below = array(&version.expected["outputs"]["lstm"])?;
        version.expect("dense", activation.apply(&dense.forward(&below)?)?)?;
    }
    Ok(())
}

/// Keras 1 has an array for each gate, in another order. hard_sigmoid was the default until Keras 2.3, and the reset gate
/// stood before the product until TensorFlow's Keras 2.
#[test]
fn layers_with_gates() -> TestResult {
    for version in Version::all() {
        let version = version?;
        let old = ["1.2.2", "2.1.6"].contains(&version.name);
        let gates = if old { Activation::HardSigmoid2 } else { Activation::Sigmoid };
        let gru: Gru = version.model.layer("gru")?;
        assert_eq!((gru.config().recurrent_activation, gru.config().reset_after), (gates, !old));
        version.expect("gru", gru.forward(&version.output("both")?)?.0.into_dyn())?;

        let lstm: Lstm = version.model.layer("lstm")?;
        assert_eq!(lstm.config().recurrent_activation, gates);
        let below = version.output(if version.is_oldest() { "inner" } else { "stacked" })?;
        version.expect("lstm", lstm.call(&below).last()?.0.into_dyn())?;
    }
    Ok(())
}

/// Of each file every array, under its path there.
#[test]
fn every_weight_is_read() -> TestResult {
    for version in Version::all() {
        let version = version?;
        let weights = version.model.weights()?;
        let (count, name) = match version.name {
            "1.2.2" => (39, "lstm/lstm_W_i:0"),
            "2.1.6" => (33, "lstm/lstm/kernel:0"),
            "2.6.0" => (33, "lstm/lstm/lstm_cell/kernel:0"),
            "2.12.0" => (33, "_layer_checkpoint_dependencies/lstm/cell/vars/0"),
            "3.8.0" => (33, "layers/lstm/cell/vars/0"),
            _ => (33, "lstm/outer/lstm/lstm_cell/kernel"),
        };
        assert_eq!(weights.len(), count, "{}: {:?}", version.name, weights.names().collect::<Vec<_>>());
        assert!(weights.get(name).is_some(), "{}: {:?}", version.name, weights.names().collect::<Vec<_>>());
    }
    Ok(())
}

/// A file without a configuration, as `save_weights` of Keras 1 and 2 writes it: its layers are known by their arrays.
#[test]
fn the_same_files_without_a_description() -> TestResult {
    for version in Version::all() {
        let version = version?;
        let Some(bare) = version.bare()? else { continue };
        let Version { name, model, .. } = version;
        assert_eq!(bare.weights()?, model.weights()?, "{name}");
        for path in ["first", "inner/first", "inner/second"] {
            let whole: SimpleRnn = model.layer(path)?;
            let mut copy = SimpleRnn::zeros(whole.config().clone())?;
            bare.load(path, &mut copy)?;
            assert_eq!(copy, whole, "{name}: {path}");
        }
        let whole: Bidirectional = model.layer("both")?;
        let zeros =
            [whole.forward_layer(), whole.backward_layer()].map(|way| SimpleRnn::zeros(way.config().clone()));
        let [forward, backward] = zeros;
        let mut copy = Bidirectional::from_layers(forward?, backward?, whole.merge_mode())?;
        bare.load("both", &mut copy)?;
        assert_eq!(copy, whole, "{name}");
        crate::expect_loads(&bare, "lstm", &model.layer::<Lstm>("lstm")?)?;
        crate::expect_loads(&bare, "gru", &model.layer::<Gru>("gru")?)?;
        let [whole, bare] =
            [&model, &bare].map(|model| model.layers().iter().find(|layer| layer.path() == "dense"));
        assert_eq!(whole.ok_or("none")?.weights()?, bare.ok_or("none")?.weights()?, "{name}");
    }
    Ok(())
}

/// Keras 1's `consume_less="gpu"` has one array for all gates, and Keras 2's layers of cuDNN have theirs in another order.
#[test]
fn gates_whose_weights_lie_in_another_way() -> TestResult {
    for (name, gates) in [("1.2.2-gates", Activation::HardSigmoid2), ("2.1.6-gates", Activation::Sigmoid)] {
        let version = Version::read(name)?;
        let model = &version.model;
        let x: Vec<Vec<Vec<f32>>> = serde_json::from_value(version.expected["x"].clone())?;
        let x = Array3::from_shape_vec((2, 5, 4), x.concat().concat())?;
        let (lstm, back): (Lstm, Lstm) = (model.layer("lstm")?, model.layer("back")?);
        let gru: Gru = model.layer("gru")?;
        let both_lstm: Bidirectional<f32, LstmConfig> = model.layer("both_lstm")?;
        let both_gru: Bidirectional<f32, GruConfig> = model.layer("both_gru")?;
        assert_eq!((lstm.config().recurrent_activation, gru.config().recurrent_activation), (gates, gates));
        assert_eq!(gru.config().reset_after, name.starts_with('2'));
        assert!(back.config().go_backwards && both_lstm.backward_layer().config().go_backwards);

        version.expect("lstm", lstm.forward(&x)?.0.into_dyn())?;
        version.expect("gru", gru.forward(&version.output("lstm")?)?.0.into_dyn())?;
        version.expect("back", back.forward(&version.output("gru")?)?.0.into_dyn())?;
        version.expect("both_lstm", both_lstm.forward(&version.output("back")?)?.0.into_dyn())?;
        version.expect("both_gru", both_gru.forward(&version.output("both_lstm")?)?.0.into_dyn())?;

        let bare = version.bare()?.ok_or("of the new format")?;
        crate::expect_loads(&bare, "lstm", &lstm)?;
        crate::expect_loads(&bare, "back", &back)?;
        crate::expect_loads(&bare, "gru", &gru)?;
        crate::expect_loads(&bare, "both_lstm", &both_lstm)?;
        crate::expect_loads(&bare, "both_gru", &both_gru)?;
    }
    Ok(())
}

/// As in Keras, the weights of cuDNN's GRU are not those of a GRU without `reset_after`.
#[test]
fn layers_of_cudnn_are_of_one_kind() -> TestResult {
    let model = Version::read("2.1.6-gates")?.model;
    let classes: Vec<_> = model.layers().iter().filter_map(|layer| layer.class()).collect();
    let both = ["Bidirectional(CuDNNLSTM)", "Bidirectional(CuDNNGRU)"];
    assert_eq!(classes, [&["CuDNNLSTM", "CuDNNGRU", "CuDNNLSTM"], &both[..]].concat());
    assert!(model.layer::<Gru>("lstm").is_err() && model.layer::<Lstm>("gru").is_err());
    let mut before = Gru::<f32>::zeros(GruConfig::new(3, 3).reset_after(false))?;
    let error = model.load("gru", &mut before).err();
    let expected = Error::Shape { array: "bias".into(), expected: vec![9], actual: vec![2, 9] };
    assert_eq!(error, Some(expected));
    // A kernel of another width is loaded nowhere.
    let mut other = Lstm::<f32>::zeros(LstmConfig::new(5, 3))?;
    assert!(matches!(model.load("lstm", &mut other), Err(Error::Shape { array, .. }) if array == "kernel"));
    Ok(())
}
