//! Keras's layers as models: ONNX Runtime ran the same bytes.

use ndarray::{Array2, Array3, ArrayD, ArrayRef2, Axis};
use ndarray_rnn::io::onnx::{ExportKeras, KerasKind, Model};
use ndarray_rnn::keras::{
    Activation, Bidirectional, GruConfig, Layer, LayerPair, LstmConfig, MergeMode, SimpleRnnConfig,
    set_random_seed,
};
use ndarray_rnn::{Direction, Parameters};

use crate::common::golden::Golden;
use crate::common::{TestResult, largest_difference};
use crate::exports::three_axes;

/// A kind of layer, and what its models are tested with.
pub(crate) trait Kind: KerasKind {
    /// What the names of its cases begin with.
    const PREFIX: &'static str;

    /// Of 4 features; the activation is also that of the gates of every other layer, by `number`, which also tells where the
    /// reset gate stands. The flags are `go_backwards`, `use_bias` and `zero_output_for_mask`.
    fn of(units: usize, activation: Activation, number: u32, flags: [bool; 3]) -> Self;

    fn state_of<T>(planes: Vec<T>) -> Option<Self::State<T>>;

    fn planes_of<T>(state: Self::State<T>) -> Vec<T>;

    /// What the names of the planes end in.
    const PLANES: &'static [&'static str] = &[""];
}

macro_rules! kind {
    ($config:ident, $prefix:literal, $more:expr, [$($plane:ident),+] => $state:tt $(, $names:expr)?) => {
        impl Kind for $config {
            const PREFIX: &'static str = $prefix;
            $(const PLANES: &'static [&'static str] = $names;)?

            fn of(units: usize, activation: Activation, number: u32, flags: [bool; 3]) -> Self {
                let [go_backwards, use_bias, zero_output_for_mask] = flags;
                let config = $config::new(4, units).activation(activation).go_backwards(go_backwards);
                $more(config.use_bias(use_bias).zero_output_for_mask(zero_output_for_mask), activation, number)
            }

            fn state_of<T>(planes: Vec<T>) -> Option<Self::State<T>> {
                let mut planes = planes.into_iter();
                $(let $plane = planes.next()?;)+
                planes.next().is_none().then_some($state)
            }

            fn planes_of<T>(state: Self::State<T>) -> Vec<T> {
                let $state = state;
                vec![$($plane),+]
            }
        }
    };
}

kind!(SimpleRnnConfig, "keras", |config, _, _| config, [h] => h);
// The cell state of gates of softplus, which are above 1, grows without bound.
kind!(LstmConfig, "keras-lstm", |config: LstmConfig, activation, number| {
    if number % 2 == 1 && activation != Activation::Softplus { config.recurrent_activation(activation) } else { config }
}, [h, c] => (h, c), &["_h", "_c"]);
kind!(GruConfig, "keras-gru", |config: GruConfig, activation, number: u32| {
    let config = config.reset_after(number.count_ones().is_multiple_of(2));
    if number % 2 == 1 { config.recurrent_activation(activation) } else { config }
}, [h] => h);

enum Of<C: Kind> {
    One(Box<Layer<C, f32>>),
    Both(Box<Bidirectional<f32, C>>),
    Pair(Box<LayerPair<f32, C>>),
}

/// A layer, and the inputs and outputs of its model.
pub(crate) struct Case<C: Kind> {
    pub(crate) name: String,
    layer: Of<C>,
    /// Lengths and states go in, states come out.
    extended: bool,
    sequences: bool,
}

impl<C: Kind> Case<C> {
    pub(crate) fn bytes(&self) -> TestResult<Vec<u8>> {
        let export = match &self.layer {
            Of::One(layer) => ExportKeras::new(&**layer),
            Of::Both(layer) => ExportKeras::new(&**layer),
            Of::Pair(layers) => ExportKeras::new(&**layers),
        };
        let extended = export.sequence_lens(self.extended).initial_state(self.extended);
        Ok(extended.return_sequences(self.sequences).return_state(self.extended).to_bytes()?)
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

pub(crate) fn cases<C: Kind>() -> TestResult<Vec<Case<C>>> {
    let rng = &mut set_random_seed(0);
    let mut cases = Vec::new();
    let tanh = Activation::Tanh;
    let mut add = |name: String, layer, extended, sequences| {
        cases.push(Case { name: format!("{}-{name}", C::PREFIX), layer, extended, sequences });
    };
    for (i, activation) in (0..).zip(ACTIVATIONS) {
        let config = C::of(3, activation, i, [false, true, false]);
        add(activation.to_string(), Of::One(Box::new(changed(Layer::new(config, rng)?))), false, true);
    }
    for bits in 0..8 {
        let (backwards, extended, sequences) = (bits & 1 == 1, bits & 2 == 2, bits & 4 == 4);
        let config = C::of(3, tanh, bits, [backwards, !extended, sequences]);
        let layer = Of::One(Box::new(changed(Layer::new(config, rng)?)));
        add(format!("options-{bits}"), layer, extended, sequences);
    }
    let modes = [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave];
    for (i, mode) in (0..).zip(modes) {
        for extended in [false, true] {
            let forward = Layer::new(C::of(3, Activation::Softsign, i, [false, true, false]), rng)?;
            let units = if mode == MergeMode::Concat { 2 } else { 3 };
            let backward = Layer::new(C::of(units, tanh, 0, [true, true, false]), rng)?;
            let layer = Bidirectional::from_layers(forward, backward, mode)?;
            let name = format!("both-{i}{}", if extended { "-extended" } else { "" });
            add(name, Of::Both(Box::new(changed(layer))), extended, extended);
        }
    }
    for bits in 0..4 {
        let (backwards, sequences) = (bits & 1 == 1, bits & 2 == 2);
        let config = C::of(3, tanh, bits, [backwards, true, !sequences]);
        add(format!("hidden-{bits}"), Of::One(Box::new(changed(Layer::new(config, rng)?))), true, sequences);
    }
    let layer = Bidirectional::new(C::of(3, tanh, 0, [false, true, true]), MergeMode::Concat, rng)?;
    add("both-hidden".into(), Of::Both(Box::new(changed(layer))), true, false);
    for extended in [false, true] {
        let layer: Bidirectional<f32, C> =
            Bidirectional::new(C::of(2, tanh, 0, [false, true, false]), MergeMode::Concat, rng)?;
        let name = format!("pair{}", if extended { "-extended" } else { "" });
        add(name, Of::Pair(Box::new(changed(layer.layers().clone()))), extended, extended);
    }
    Ok(cases)
}

/// The arrays that ONNX Runtime was given and those that it computed.
struct Values<'a, C: Kind> {
    golden: &'a Golden,
    case: &'a Case<C>,
}

impl<C: Kind> Values<'_, C> {
    fn get(&self, name: &str) -> TestResult<ArrayD<f32>> {
        self.golden.array(&format!("ours.{}.{name}", self.case.name))
    }

    /// The planes of a state.
    fn state(&self, name: &str) -> TestResult<Vec<Array2<f32>>> {
        let plane = |plane: &&str| Ok(self.get(&format!("{name}{plane}"))?.into_dimensionality()?);
        C::PLANES.iter().map(plane).collect()
    }

    fn expect(&self, name: &str, ours: &ArrayD<f32>) -> TestResult {
        let difference = largest_difference(ours, &self.get(name)?);
        assert!(difference < 1e-6, "{}: {name}: {difference}", self.case.name);
        Ok(())
    }

    fn expect_state(&self, name: &str, ours: C::State<Array2<f32>>) -> TestResult {
        let ours = C::planes_of(ours).into_iter().zip(C::PLANES);
        ours.into_iter()
            .try_for_each(|(ours, plane)| self.expect(&format!("{name}{plane}"), &ours.into_dyn()))
    }
}

/// A state for a call.
fn lent<C: Kind>(planes: &[Array2<f32>]) -> TestResult<C::State<&ArrayRef2<f32>>> {
    Ok(C::state_of(planes.iter().map(|plane| &**plane).collect()).ok_or("another number of planes")?)
}

/// The first 2, 5 and 1 steps.
fn mask() -> Array2<bool> {
    Array2::from_shape_fn((3, 5), |(n, t)| t < [2, 5, 1][n])
}

fn run_one<C: Kind>(layer: &Layer<C, f32>, input: &Array3<f32>, values: &Values<'_, C>) -> TestResult {
    if !values.case.extended {
        let call = layer.call(input);
        return match values.case.sequences {
            true => values.expect("output", &call.forward()?.0.into_dyn()),
            false => values.expect("output", &call.last()?.0.into_dyn()),
        };
    }
    let (mask, first) = (mask(), values.state("initial_state")?);
    let call = layer.call(input).mask(&mask).initial_state(lent::<C>(&first)?);
    let (output, state) = if values.case.sequences {
        let (output, state) = call.forward()?;
        (output.into_dyn(), state)
    } else {
        let (output, state) = call.last()?;
        (output.into_dyn(), state)
    };
    values.expect("output", &output)?;
    values.expect_state("state", state)
}

fn run_both<C: Kind>(
    layer: &Bidirectional<f32, C>,
    input: &Array3<f32>,
    values: &Values<'_, C>,
) -> TestResult {
    if !values.case.extended {
        return values.expect("output", &layer.call(input).last()?.0.into_dyn());
    }
    let mask = mask();
    let first = [values.state("forward_initial_state")?, values.state("backward_initial_state")?];
    let call = layer.call(input).mask(&mask).initial_state([lent::<C>(&first[0])?, lent::<C>(&first[1])?]);
    let (output, [forward, backward]) = match values.case.sequences {
        true => call.forward().map(|(output, states)| (output.into_dyn(), states))?,
        false => call.last().map(|(output, states)| (output.into_dyn(), states))?,
    };
    values.expect("output", &output)?;
    values.expect_state("forward_state", forward)?;
    values.expect_state("backward_state", backward)
}

fn run_pair<C: Kind>(layers: &LayerPair<f32, C>, input: &Array3<f32>, values: &Values<'_, C>) -> TestResult {
    let (outputs, states) = if values.case.extended {
        let mask = mask();
        let first = [values.state("forward_initial_state")?, values.state("backward_initial_state")?];
        let call = layers.call(input).mask(&mask);
        let call = call.initial_state([lent::<C>(&first[0])?, lent::<C>(&first[1])?]);
        let (outputs, states) = call.forward()?;
        (outputs.map(|output| output.into_dyn()), states)
    } else {
        let (outputs, states) = layers.call(input).last()?;
        (outputs.map(|output| output.into_dyn()), states)
    };
    for (way, (output, state)) in ["forward", "backward"].into_iter().zip(outputs.iter().zip(states)) {
        values.expect(&format!("{way}_output"), output)?;
        if values.case.extended {
            values.expect_state(&format!("{way}_state"), state)?;
        }
    }
    Ok(())
}

fn onnx_runtime_computes_what_the_layers_compute<C: Kind>() -> TestResult {
    let golden = crate::golden()?;
    for case in cases::<C>()? {
        let stored = golden.bytes(&format!("ours.{}.model", case.name))?;
        assert!(case.bytes()? == stored, "{}: not the bytes of the fixture", case.name);
        let values = Values { golden: &golden, case: &case };
        let input = three_axes(&golden, &format!("ours.{}.input", case.name))?;
        match &case.layer {
            Of::One(layer) => run_one(layer, &input, &values)?,
            Of::Both(layer) => run_both(layer, &input, &values)?,
            Of::Pair(layers) => run_pair(layers, &input, &values)?,
        }
    }
    Ok(())
}

fn layers_read_back_with_their_bits<C: Kind>() -> TestResult {
    for case in cases::<C>()? {
        let model = Model::<f32>::from_bytes(&case.bytes()?)?;
        let layers = match &case.layer {
            Of::One(layer) => vec![&**layer],
            Of::Both(layer) => vec![layer.forward_layer(), layer.backward_layer()],
            Of::Pair(_) => continue,
        };
        assert_eq!(model.nodes().len(), layers.len());
        for (node, layer) in model.nodes().iter().zip(layers) {
            let read: Layer<C, f32> = node.to_layer()?;
            assert_eq!(read.parameters(), layer.parameters(), "{}", case.name);
            // A node does not say what hidden steps show.
            let text =
                |layer: &Layer<C, f32>| layer.config().to_string().replace(", zero_output_for_mask=True", "");
            assert_eq!(text(&read), text(layer), "{}", case.name);

            let x = Array3::from_shape_fn((2, 5, 4), |(n, t, i)| ((n * 20 + t * 4 + i) as f32).sin());
            let rows = x.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned();
            let y = node.run(&rows).forward()?.y.index_axis_move(Axis(1), 0).permuted_axes([1, 0, 2]);
            let mut output = read.forward(&x)?.0;
            if node.directions() == [Direction::Reverse] {
                output.invert_axis(Axis(1));
            }
            assert_eq!(output, y, "{}", case.name);
        }
    }
    Ok(())
}

of_every_kind! {
    onnx_runtime_computes_what_the_layers_compute: simple_rnn_there of SimpleRnnConfig, lstm_there of LstmConfig, gru_there of GruConfig;
    layers_read_back_with_their_bits: simple_rnn_back of SimpleRnnConfig, lstm_back of LstmConfig, gru_back of GruConfig;
}
