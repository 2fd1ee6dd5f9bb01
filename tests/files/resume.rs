//! Training that is stopped, written, read and continued gives the same bits.

use std::fmt::Debug;

use ndarray::{Array2, Array3};
use ndarray_rnn::io::{StateDict, Tensor};
use ndarray_rnn::keras::{
    self, Activation, Bidirectional, MergeMode, SeedGenerator, SimpleRnn, SimpleRnnCell, SimpleRnnConfig,
};
use ndarray_rnn::loss::MseLoss;
use ndarray_rnn::optim::{
    Adam, AdamConfig, Optimizer, OptimizerState, ParamGroup, RmsProp, RmsPropConfig, Sgd, SgdConfig,
};
use ndarray_rnn::random::{Mt19937, NormalRng, WithSpare};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Gru, GruCell, GruCellConfig, GruConfig, Linear, LinearConfig, Lstm, LstmCell,
    LstmCellConfig, LstmConfig, Nonlinearity, Parameters, Recurrent, Rnn, RnnCell, RnnCellConfig, RnnConfig,
    manual_seed, parameters, random,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::common::TestResult;
use crate::common::kinds::{Network, Shape};
use crate::{FORMATS, Format};

parameters! {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Net { rnn: Rnn, head: Linear }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Checkpoint {
    net: Net,
    adam: Adam<f32>,
    rng: Mt19937,
}

impl Checkpoint {
    fn new() -> TestResult<Self> {
        let mut rng = manual_seed(0);
        let config = RnnConfig::new(3, 5).num_layers(2).dropout(0.5).bidirectional(true).batch_first(true);
        let rnn = Rnn::new(config, &mut rng)?;
        let net = Net { rnn, head: Linear::new(LinearConfig::new(10, 2), &mut rng)? };
        let adam = Adam::new(AdamConfig::adamw().amsgrad(true), &net)?;
        Ok(Self { net, adam, rng })
    }

    /// One training step, with data and dropout from the generator.
    fn step(&mut self) -> TestResult {
        let Self { net, adam, rng } = self;
        let mut input = Array3::<f32>::zeros((4, 6, 3));
        random::uniform(&mut input, -1.0, 1.0, rng)?;
        let (output, _, trace) = net.rnn.forward_train(&input, None, rng)?;
        let loss = MseLoss::new().forward(&net.head.forward(&output)?, &Array3::ones((4, 6, 2)))?;
        let head = net.head.backward(&output, &loss.gradient)?;
        let rnn = net.rnn.backward_parameters(&trace, &head.input, None)?;
        adam.step(net, &Net { rnn, head: head.parameters })?;
        Ok(())
    }
}

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> TestResult<T> {
    Ok(serde_json::from_str(&serde_json::to_string(value)?)?)
}

/// A format of bytes that does not describe itself.
fn through_bytes<T: Serialize + DeserializeOwned>(value: &T) -> TestResult<T> {
    Ok(postcard::from_bytes(&postcard::to_allocvec(value)?)?)
}

#[test]
fn training_is_taken_up() -> TestResult {
    let mut whole = Checkpoint::new()?;
    let mut stopped = whole.clone();
    for i in 0..10 {
        whole.step()?;
        stopped.step()?;
        stopped = if i % 2 == 0 { through_json(&stopped)? } else { through_bytes(&stopped)? };
        assert_eq!((&stopped.net, &stopped.adam), (&whole.net, &whole.adam), "step {i}");
    }
    Ok(())
}

/// A network's configuration as JSON, its parameters and the optimiser's state as a state dict.
struct Saved {
    config: String,
    arrays: Vec<u8>,
    step: u64,
    groups: Vec<ParamGroup<AdamConfig>>,
}

fn save<C: Network + Serialize>(
    network: &Recurrent<C>,
    adam: &Adam<f32>,
    format: Format,
) -> TestResult<Saved> {
    let mut dict = StateDict::new();
    dict.add("network.", network)?;
    let state = adam.state_dict();
    for (name, array) in &state.arrays {
        dict.insert(format!("adam.{name}"), Tensor::from_array(array)?)?;
    }
    let config = serde_json::to_string(network.config())?;
    Ok(Saved { config, arrays: (format.to_bytes)(&dict)?, step: state.step, groups: state.groups })
}

fn restore<C: Network + DeserializeOwned>(
    saved: &Saved,
    format: Format,
) -> TestResult<(Recurrent<C>, Adam<f32>)> {
    let dict = (format.from_bytes)(&saved.arrays)?;
    let mut network = Recurrent::zeros(serde_json::from_str(&saved.config)?)?;
    dict.under("network.").load_into(&mut network)?;
    let mut adam = Adam::new(AdamConfig::new(), &network)?;
    let arrays = dict.under("adam.");
    let arrays = arrays.iter().map(|(name, tensor)| Ok((name.to_owned(), tensor.to_array(name)?)));
    let (arrays, groups) = (arrays.collect::<TestResult<_>>()?, saved.groups.clone());
    adam.load_state_dict(&OptimizerState { groups, step: saved.step, arrays })?;
    Ok((network, adam))
}

/// One training step over a ragged batch, with data and dropout from the generator.
fn train<C: Network>(network: &mut Recurrent<C>, adam: &mut Adam<f32>, rng: &mut Mt19937) -> TestResult {
    let mut input = Array3::<f32>::zeros((4, 6, 3));
    random::uniform(&mut input, -1.0, 1.0, rng)?;
    let (output, state, trace) = network.run(&input).lengths(&[6, 2, 0, 5]).forward_train(rng)?;
    let state = C::split(state);
    let gradients = network.backward_parameters(&trace, &output, Some(C::lend(&state)))?;
    Ok(adam.step(network, &gradients)?)
}

fn network_is_taken_up<C: Network + Serialize + DeserializeOwned>() -> TestResult {
    let shape = Shape { num_layers: 2, dropout: 0.5, proj_size: 2, ..Shape::new(3, 5) };
    let config = C::of(Shape { bidirectional: true, batch_first: true, ..shape });
    for format in FORMATS {
        let mut rng = manual_seed(0);
        let mut whole = Recurrent::new(config.clone(), &mut rng)?;
        let mut adam = Adam::new(AdamConfig::new().lr(0.01), &whole)?;
        let (mut stopped, mut stopped_adam, mut stopped_rng) = (whole.clone(), adam.clone(), rng.clone());
        for i in 0..5 {
            train(&mut whole, &mut adam, &mut rng)?;
            train(&mut stopped, &mut stopped_adam, &mut stopped_rng)?;
            (stopped, stopped_adam) = restore(&save(&stopped, &stopped_adam, format)?, format)?;
            stopped_rng = through_bytes(&stopped_rng)?;
            assert_eq!((&stopped, &stopped_adam), (&whole, &adam), "step {i}, {}", format.name);
        }
    }
    Ok(())
}

/// The configuration and the generator through serde, the arrays through every file format.
#[test]
fn networks_of_every_kind_are_taken_up() -> TestResult {
    network_is_taken_up::<RnnConfig>()?;
    network_is_taken_up::<LstmConfig>()?;
    network_is_taken_up::<GruConfig>()
}

#[track_caller]
fn expect_same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> TestResult {
    assert_eq!(&through_json(value)?, value);
    assert_eq!(&through_bytes(value)?, value);
    Ok(())
}

#[test]
fn every_model_and_optimiser_comes_back() -> TestResult {
    let rng = &mut manual_seed(1);
    expect_same(&Rnn::<f64>::new(RnnConfig::new(2, 3).nonlinearity(Nonlinearity::Relu).bias(false), rng)?)?;
    expect_same(&RnnCell::<f32>::new(RnnCellConfig::new(2, 3), rng)?)?;
    expect_same(&RnnCell::<f64>::new(RnnCellConfig::new(2, 3).bias(false), rng)?)?;
    let lstm =
        LstmConfig::new(2, 3).num_layers(2).bidirectional(true).proj_size(1).batch_first(true).dropout(0.5);
    expect_same(&Lstm::<f32>::new(lstm, rng)?)?;
    expect_same(&LstmCell::<f64>::new(LstmCellConfig::new(2, 3), rng)?)?;
    expect_same(&Gru::<f64>::new(GruConfig::new(2, 3).num_layers(2).bias(false).dropout(0.25), rng)?)?;
    expect_same(&GruCell::<f32>::new(GruCellConfig::new(2, 3).bias(false), rng)?)?;
    let linear = Linear::<f64>::new(LinearConfig::new(2, 3), rng)?;
    expect_same(&linear)?;
    expect_same(&Embedding::<f32>::new(EmbeddingConfig::new(4, 2).padding_idx(1), rng)?)?;
    let simple = SimpleRnnConfig::new(2, 3).activation(Activation::HardSigmoid).dropout(0.5).use_bias(false);
    expect_same(&SimpleRnn::<f32>::new(simple.clone(), rng)?)?;
    expect_same(&SimpleRnnCell::<f64>::new(SimpleRnnConfig::new(2, 3), rng)?)?;
    expect_same(&Bidirectional::<f32>::new(simple, MergeMode::Ave, rng)?)?;
    let lstm = keras::LstmConfig::new(2, 3).recurrent_activation(Activation::Elu).unit_forget_bias(false);
    expect_same(&keras::Lstm::<f64>::new(lstm.clone(), rng)?)?;
    expect_same(&keras::LstmCell::<f32>::new(lstm.clone(), rng)?)?;
    expect_same(&Bidirectional::<f32, _>::new(lstm, MergeMode::Concat, rng)?)?;
    for reset_after in [false, true] {
        let gru = keras::GruConfig::new(2, 3).reset_after(reset_after).dropout(0.5);
        expect_same(&keras::Gru::<f32>::new(gru.clone(), rng)?)?;
        expect_same(&keras::GruCell::<f64>::new(gru, rng)?)?;
    }
    expect_same(&SeedGenerator::new(-3).after(5))?;
    expect_same(rng)?;
    let mut kept = WithSpare::new(rng.clone());
    *kept.spare() = Some(0.1);
    expect_same(&kept)?;
    expect_same(&Sgd::new(SgdConfig::new(), &linear)?)?;
    expect_same(&Sgd::new(SgdConfig::new().momentum(0.5).nesterov(true), &linear)?)?;
    expect_same(&RmsProp::new(RmsPropConfig::new().centered(true).momentum(0.5), &linear)?)?;
    expect_same(&Adam::new(AdamConfig::new(), &linear)?)?;
    expect_same(&Adam::new(AdamConfig::new(), &linear)?.state_dict())
}

#[track_caller]
fn expect_refused<T: DeserializeOwned + Debug>(json: &serde_json::Value, message: &str) {
    let error = serde_json::from_value::<T>(json.clone()).expect_err("refused");
    assert_eq!(error.to_string(), message);
}

/// Parameters that do not fit the configuration, however large it says they are.
#[test]
fn models_that_contradict_themselves_are_refused() -> TestResult {
    let good = serde_json::to_value(Rnn::<f32>::zeros(RnnConfig::new(2, 3))?)?;
    let with = |key: &str, value: serde_json::Value| {
        let mut bad = good.clone();
        bad["config"][key] = value;
        bad
    };
    expect_refused::<Rnn>(
        &with("hidden_size", 1_000_000_000.into()),
        "the parameters are of RNN(2, 3), not of RNN(2, 1000000000)",
    );
    expect_refused::<Rnn>(
        &with("num_layers", 2.into()),
        "the parameters are of RNN(2, 3), not of RNN(2, 3, num_layers=2)",
    );
    expect_refused::<Rnn>(&with("dropout", 2.into()), "dropout must be a number in [0, 1], got 2");
    expect_refused::<Rnn>(
        &with("proj_size", 0.into()),
        "unknown field `proj_size`, expected one of `input_size`, `hidden_size`, `num_layers`, `nonlinearity`, `bias`, \
         `batch_first`, `dropout`, `bidirectional`",
    );
    let both = Bidirectional::<f32>::new(SimpleRnnConfig::new(2, 3), MergeMode::Sum, &mut manual_seed(0))?;
    let mut both = serde_json::to_value(both)?;
    both["backward"] = both["forward"].clone();
    expect_refused::<Bidirectional>(
        &both,
        "Bidirectional is not possible: the forward layer must go forwards and the backward layer backwards",
    );
    both["forward"]["config"]["units"] = 1_000_000_000.into();
    expect_refused::<Bidirectional>(
        &both,
        "the parameters are of SimpleRNN(3), not of SimpleRNN(1000000000)",
    );
    let mut gru = serde_json::to_value(keras::Gru::<f32>::zeros(keras::GruConfig::new(2, 3))?)?;
    expect_refused::<keras::Lstm>(
        &gru,
        "unknown field `reset_after`, expected one of `input_dim`, `units`, `activation`, `recurrent_activation`, \
         `unit_forget_bias`, `use_bias`, `kernel_initializer`, `recurrent_initializer`, `bias_initializer`, `dropout`, \
         `recurrent_dropout`, `go_backwards`, `zero_output_for_mask`, `seed`",
    );
    gru["config"]["reset_after"] = false.into();
    expect_refused::<keras::Gru>(&gru, "bias: expected shape [9], got [2, 9]");
    let simple = serde_json::to_value(SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(2, 3))?)?;
    gru["parameters"] = simple["parameters"].clone();
    expect_refused::<keras::Gru>(&gru, "kernel: expected shape [2, 9], got [2, 3]");
    let mut missing = good.clone();
    missing["parameters"].as_object_mut().ok_or("no map")?.remove("weight_hh_l0");
    expect_refused::<Rnn>(
        &missing,
        "no weight_hh_l0 among the names [\"bias_hh_l0\", \"bias_ih_l0\", \"weight_ih_l0\"]",
    );
    Ok(())
}

#[test]
fn optimisers_that_contradict_themselves_are_refused() -> TestResult {
    let linear = Linear::<f32>::zeros(LinearConfig::new(2, 3))?;
    let good = serde_json::to_value(Adam::new(AdamConfig::new(), &linear)?)?;
    type Restored = Optimizer<AdamConfig, f32>;
    let mut bad = good.clone();
    bad["groups"][0]["lr"] = (-1.0).into();
    expect_refused::<Restored>(&bad, "lr must be finite and at least 0, got -1");
    let mut bad = good.clone();
    bad["groups"][0]["amsgrad"] = true.into();
    expect_refused::<Restored>(&bad, "missing parameter weight.max_exp_avg_sq: expected shape [3, 2]");
    let mut bad = good.clone();
    bad["parameters"][0]["shape"] = serde_json::json!([2, 3]);
    expect_refused::<Restored>(&bad, "weight.exp_avg: expected shape [2, 3], got [3, 2]");
    let mut bad = good;
    let buffers = bad["parameters"][1]["buffers"].as_array_mut().ok_or("no buffers")?;
    buffers.push(buffers[0].clone());
    expect_refused::<Restored>(
        &bad,
        "unexpected parameter bias.exp_avg of shape [3]: the model has [\"bias.exp_avg\", \"bias.exp_avg_sq\"]",
    );
    expect_refused::<Mt19937>(
        &serde_json::json!([1, 2, 3]),
        "torch generator state: length: expected 5056 bytes, got 3 bytes",
    );
    Ok(())
}

/// Numbers that JSON does not have are kept by formats that have them.
#[test]
fn infinite_numbers_come_back_as_bytes() -> TestResult {
    let mut linear = Linear::<f32>::zeros(LinearConfig::new(2, 1).bias(false))?;
    let values = Array2::from_shape_vec((1, 2), vec![f32::NEG_INFINITY, -0.0])?;
    linear.load_state_dict([("weight", values)])?;
    let again = through_bytes(&linear)?;
    assert_eq!(again, linear);
    assert!(again.parameters().weight()[[0, 1]].is_sign_negative());
    Ok(())
}
