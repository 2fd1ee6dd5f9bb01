//! Keras's layers as models: ONNX Runtime ran the same bytes.

use ndarray::{Array2, Array3, ArrayD};
use ndarray_rnn::Parameters;
use ndarray_rnn::io::onnx::{ExportKeras, KerasLayer, Model};
use ndarray_rnn::keras::{Activation, Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig, set_random_seed};

use crate::common::golden::Golden;
use crate::common::{TestResult, largest_difference};
use crate::exports::three_axes;

enum Layer {
    SimpleRnn(Box<SimpleRnn<f32>>),
    Bidirectional(Box<Bidirectional<f32>>),
}

/// A layer, and the inputs and outputs of its model.
pub(crate) struct Case {
    pub(crate) name: String,
    layer: Layer,
    /// Lengths and states go in, states come out.
    extended: bool,
    sequences: bool,
}

impl Case {
    pub(crate) fn bytes(&self) -> TestResult<Vec<u8>> {
        let layer: KerasLayer<'_, f32> = match &self.layer {
            Layer::SimpleRnn(layer) => (&**layer).into(),
            Layer::Bidirectional(layer) => (&**layer).into(),
        };
        let export = ExportKeras::new(layer).return_sequences(self.sequences);
        let extended = export.sequence_lens(self.extended).initial_state(self.extended);
        Ok(extended.return_state(self.extended).to_bytes()?)
    }
}

/// Biases that are not zero.
fn changed<M: Parameters<Elem = f32>>(mut model: M) -> M {
    for (i, (_, mut value)) in model.named_parameters_mut().into_iter().enumerate() {
        value.iter_mut().for_each(|x| *x += i as f32 / 16.0);
    }
    model
}

const ACTIVATIONS: [Activation; 8] = [
    Activation::Tanh,
    Activation::Relu,
    Activation::Sigmoid,
    Activation::Linear,
    Activation::HardSigmoid,
    Activation::Elu,
    Activation::Softsign,
    Activation::Softplus,
];

pub(crate) fn cases() -> TestResult<Vec<Case>> {
    let rng = &mut set_random_seed(0);
    let mut cases = Vec::new();
    for activation in ACTIVATIONS {
        let config = SimpleRnnConfig::new(4, 3).activation(activation);
        let layer = Layer::SimpleRnn(Box::new(changed(SimpleRnn::new(config, rng)?)));
        cases.push(Case { name: format!("keras-{activation}"), layer, extended: false, sequences: true });
    }
    for bits in 0..8 {
        let (backwards, extended, sequences) = (bits & 1 == 1, bits & 2 == 2, bits & 4 == 4);
        let config = SimpleRnnConfig::new(4, 3).go_backwards(backwards).use_bias(!extended);
        let layer =
            Layer::SimpleRnn(Box::new(changed(SimpleRnn::new(config.zero_output_for_mask(sequences), rng)?)));
        cases.push(Case { name: format!("keras-options-{bits}"), layer, extended, sequences });
    }
    let modes = [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave];
    for (i, mode) in modes.into_iter().enumerate() {
        for extended in [false, true] {
            let forward = SimpleRnn::new(SimpleRnnConfig::new(4, 3).activation(Activation::Softsign), rng)?;
            let units = if mode == MergeMode::Concat { 2 } else { 3 };
            let backward = SimpleRnn::new(SimpleRnnConfig::new(4, units).go_backwards(true), rng)?;
            let layer =
                Layer::Bidirectional(Box::new(changed(Bidirectional::from_layers(forward, backward, mode)?)));
            let name = format!("keras-both-{i}{}", if extended { "-extended" } else { "" });
            cases.push(Case { name, layer, extended, sequences: extended });
        }
    }
    for bits in 0..4 {
        let (backwards, sequences) = (bits & 1 == 1, bits & 2 == 2);
        let config = SimpleRnnConfig::new(4, 3).go_backwards(backwards).zero_output_for_mask(!sequences);
        let layer = Layer::SimpleRnn(Box::new(changed(SimpleRnn::new(config, rng)?)));
        cases.push(Case { name: format!("keras-hidden-{bits}"), layer, extended: true, sequences });
    }
    let config = SimpleRnnConfig::new(4, 3).zero_output_for_mask(true);
    let layer = Bidirectional::new(config, MergeMode::Concat, rng)?;
    let layer = Layer::Bidirectional(Box::new(changed(layer)));
    cases.push(Case { name: "keras-both-hidden".into(), layer, extended: true, sequences: false });
    Ok(cases)
}

/// The arrays that ONNX Runtime was given and those that it computed.
struct Values<'a> {
    golden: &'a Golden,
    case: &'a Case,
}

impl Values<'_> {
    fn get(&self, name: &str) -> TestResult<ArrayD<f32>> {
        self.golden.array(&format!("ours.{}.{name}", self.case.name))
    }

    fn state(&self, name: &str) -> TestResult<Array2<f32>> {
        Ok(self.get(name)?.into_dimensionality()?)
    }

    fn expect(&self, name: &str, ours: &ArrayD<f32>) -> TestResult {
        let difference = largest_difference(ours, &self.get(name)?);
        assert!(difference < 1e-6, "{}: {name}: {difference}", self.case.name);
        Ok(())
    }
}

/// The first 2, 5 and 1 steps.
fn mask() -> Array2<bool> {
    Array2::from_shape_fn((3, 5), |(n, t)| t < [2, 5, 1][n])
}

fn run_simple(layer: &SimpleRnn<f32>, input: &Array3<f32>, values: &Values<'_>) -> TestResult {
    if !values.case.extended {
        let call = layer.call(input);
        return match values.case.sequences {
            true => values.expect("output", &call.forward()?.0.into_dyn()),
            false => values.expect("output", &call.last()?.0.into_dyn()),
        };
    }
    let (mask, first) = (mask(), values.state("initial_state")?);
    let call = layer.call(input).mask(&mask).initial_state(&first);
    let (output, state) = if values.case.sequences {
        let (output, state) = call.forward()?;
        (output.into_dyn(), state)
    } else {
        let (output, state) = call.last()?;
        (output.into_dyn(), state)
    };
    values.expect("output", &output)?;
    values.expect("state", &state.into_dyn())
}

fn run_both(layer: &Bidirectional<f32>, input: &Array3<f32>, values: &Values<'_>) -> TestResult {
    if !values.case.extended {
        return values.expect("output", &layer.call(input).last()?.0.into_dyn());
    }
    let mask = mask();
    let first = [values.state("forward_initial_state")?, values.state("backward_initial_state")?];
    let call = layer.call(input).mask(&mask).initial_state([&first[0], &first[1]]);
    let (output, [forward, backward]) = match values.case.sequences {
        true => call.forward().map(|(output, states)| (output.into_dyn(), states))?,
        false => call.last().map(|(output, states)| (output.into_dyn(), states))?,
    };
    values.expect("output", &output)?;
    values.expect("forward_state", &forward.into_dyn())?;
    values.expect("backward_state", &backward.into_dyn())
}

#[test]
fn onnx_runtime_computes_what_the_layers_compute() -> TestResult {
    let golden = crate::golden()?;
    for case in cases()? {
        let stored = golden.bytes(&format!("ours.{}.model", case.name))?;
        assert!(case.bytes()? == stored, "{}: not the bytes of the fixture", case.name);
        let values = Values { golden: &golden, case: &case };
        let input = three_axes(&golden, &format!("ours.{}.input", case.name))?;
        match &case.layer {
            Layer::SimpleRnn(layer) => run_simple(layer, &input, &values)?,
            Layer::Bidirectional(layer) => run_both(layer, &input, &values)?,
        }
    }
    Ok(())
}

#[test]
fn layers_read_back_with_their_bits() -> TestResult {
    for case in cases()? {
        let model = Model::<f32>::from_bytes(&case.bytes()?)?;
        let layers = match &case.layer {
            Layer::SimpleRnn(layer) => vec![&**layer],
            Layer::Bidirectional(layer) => vec![layer.forward_layer(), layer.backward_layer()],
        };
        assert_eq!(model.nodes().len(), layers.len());
        for (node, layer) in model.nodes().iter().zip(layers) {
            let read = node.to_simple_rnn()?;
            assert_eq!(read.parameters(), layer.parameters(), "{}", case.name);
            assert_eq!(read.config().activation, layer.config().activation);
            assert_eq!(read.config().go_backwards, layer.config().go_backwards);
        }
    }
    Ok(())
}
