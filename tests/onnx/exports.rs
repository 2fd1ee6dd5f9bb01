//! The models that the crate writes: ONNX Runtime ran the same bytes.

use std::fs;

use ndarray::{Array3, ArrayD, Ix3};
use ndarray_rnn::io::onnx::{Export, Model, NodeKind};
use ndarray_rnn::{
    Error, FileError, GruConfig, LstmConfig, Nonlinearity, Recurrent, Rnn, RnnConfig, manual_seed,
};

use crate::common::golden::Golden;
use crate::common::{Real, TestResult, in_both_types, largest_difference};

/// A kind of network, and what its models are tested with.
pub(crate) trait Exported: NodeKind {
    /// What the names of its cases begin with.
    const PREFIX: &'static str;

    /// A configuration with the options of a case's bits: depth, both directions, `batch_first`, no biases.
    fn of_bits(bits: [bool; 4]) -> Self;

    /// A state of its planes.
    fn state_of<T>(h: T, c: Option<T>) -> Option<Self::State<T>>;

    /// The planes of a state.
    fn planes_of<T>(state: Self::State<T>) -> (T, Option<T>);
}

macro_rules! exported {
    ($config:ident, $prefix:literal, $more:expr, ($h:ident, $c:ident) => $state:expr, $pattern:pat => $planes:expr) => {
        impl Exported for $config {
            const PREFIX: &'static str = $prefix;

            fn of_bits([deep, both_ways, batch_first, plain]: [bool; 4]) -> Self {
                let config = $config::new(4, 3)
                    .num_layers(if deep { 3 } else { 1 })
                    .bidirectional(both_ways)
                    .batch_first(batch_first)
                    .bias(!plain);
                $more(config, plain)
            }

            fn state_of<T>($h: T, $c: Option<T>) -> Option<Self::State<T>> {
                $state
            }

            fn planes_of<T>($pattern: Self::State<T>) -> (T, Option<T>) {
                $planes
            }
        }
    };
}

fn with_relu(config: RnnConfig, relu: bool) -> RnnConfig {
    config.nonlinearity(if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh })
}

exported!(RnnConfig, "", with_relu, (h, _c) => Some(h), h => (h, None));
exported!(LstmConfig, "lstm-", |config, _| config, (h, c) => Some((h, c?)), (h, c) => (h, Some(c)));
exported!(GruConfig, "gru-", |config, _| config, (h, _c) => Some(h), h => (h, None));

/// One network, and the inputs that its model takes.
pub(crate) struct Case<C: NodeKind> {
    pub(crate) name: String,
    network: Recurrent<C, f32>,
    sequence_lens: bool,
    state: bool,
}

impl<C: Exported> Case<C> {
    pub(crate) fn bytes(&self) -> TestResult<Vec<u8>> {
        Ok(Export::new(&self.network).sequence_lens(self.sequence_lens).state(self.state).to_bytes()?)
    }

    /// Compares the network's outputs and last states with those of ONNX Runtime.
    fn compare(&self, golden: &Golden) -> TestResult {
        let array = |name: &str| three_axes(golden, &format!("ours.{}.{name}", self.name));
        let input = array("input")?;
        let c = if C::PREFIX == "lstm-" { Some(array("c_n")?) } else { None };
        let first = match (self.state, &c) {
            (false, _) => None,
            (true, None) => Some((array("h_0")?, None)),
            (true, Some(_)) => Some((array("h_0")?, Some(array("c_0")?))),
        };
        let mut run = self.network.run(&input);
        if let Some((h, c)) = &first {
            run = run.state(C::state_of(&**h, c.as_deref()).ok_or("no state")?);
        }
        if self.sequence_lens {
            run = run.lengths(&[2, 5, 1]);
        }
        let (output, state) = run.forward()?;
        let (h_n, c_n) = C::planes_of(state);
        assert!(largest_difference(&output, &array("output")?) < 1e-6, "{}: output", self.name);
        assert!(largest_difference(&h_n, &array("h_n")?) < 1e-6, "{}: h_n", self.name);
        if let (Some(ours), Some(theirs)) = (&c_n, &c) {
            assert!(largest_difference(ours, theirs) < 1e-6, "{}: c_n", self.name);
        }
        assert_eq!(c_n.is_some(), c.is_some());
        Ok(())
    }
}

/// Every combination of the options that change a model's nodes; with LSTMs and GRUs there are biases in every other
/// model, so that each option meets both.
pub(crate) fn cases<C: Exported>() -> TestResult<Vec<Case<C>>> {
    (0..if C::PREFIX.is_empty() { 64_u32 } else { 32 })
        .map(|seed| {
            let bits = if C::PREFIX.is_empty() {
                seed
            } else {
                seed & 7 | (seed.count_ones() & 1) << 3 | (seed & 24) << 1
            };
            let flag = |bit: u32| bits >> bit & 1 == 1;
            let words = ["deep", "both-ways", "batch-first", "relu-without-bias", "lens", "state"];
            let words = words.iter().enumerate().filter(|&(bit, _)| flag(bit as u32));
            let words = words
                .map(|(_, word)| if C::PREFIX.is_empty() { word } else { word.trim_start_matches("relu-") });
            let name = words.fold(format!("{}{seed:02}", C::PREFIX), |name, word| format!("{name}-{word}"));
            let config = C::of_bits([flag(0), flag(1), flag(2), flag(3)]);
            let network = Recurrent::new(config, &mut manual_seed(seed))?;
            Ok(Case { name, network, sequence_lens: flag(4), state: flag(5) })
        })
        .collect()
}

fn models_are_the_bytes_that_onnx_runtime_ran<C: Exported>() -> TestResult {
    let golden = super::golden()?;
    for case in cases::<C>()? {
        let stored = golden.bytes(&format!("ours.{}.model", case.name))?;
        assert!(case.bytes()? == stored, "{}: not the bytes of the fixture", case.name);
    }
    Ok(())
}

fn onnx_runtime_computes_the_same<C: Exported>() -> TestResult {
    let golden = super::golden()?;
    cases::<C>()?.iter().try_for_each(|case| case.compare(&golden))
}

fn models_read_back_as_the_networks<C: Exported>() -> TestResult {
    for case in cases::<C>()? {
        assert_eq!(Model::from_bytes(&case.bytes()?)?.to_network::<C>()?, case.network, "{}", case.name);
    }
    Ok(())
}

of_every_kind! {
    models_are_the_bytes_that_onnx_runtime_ran: bytes_of_rnn of RnnConfig, bytes_of_lstm of LstmConfig, bytes_of_gru of GruConfig;
    onnx_runtime_computes_the_same: rnn_there of RnnConfig, lstm_there of LstmConfig, gru_there of GruConfig;
    models_read_back_as_the_networks: rnn_back of RnnConfig, lstm_back of LstmConfig, gru_back of GruConfig;
}

fn a_model_is_of_the_network_s_element_type<A: Real>() -> TestResult {
    let rnn = Rnn::<A>::new(RnnConfig::new(4, 3).num_layers(2), &mut manual_seed(0))?;
    let bytes = Export::new(&rnn).to_bytes()?;
    assert_eq!(Model::from_bytes(&bytes)?.to_network()?, rnn);
    let other = if A::NAME == "f32" {
        Model::<f64>::from_bytes(&bytes).err()
    } else {
        Model::<f32>::from_bytes(&bytes).err()
    };
    let (expected, actual) = if A::NAME == "f32" { ("float64", "float32") } else { ("float32", "float64") };
    let error =
        FileError::Dtype { name: "RNN_Y_l0.W".into(), expected: expected.into(), actual: actual.into() };
    assert_eq!(other, Some(Error::File(error)));
    Ok(())
}

in_both_types!(a_model_is_of_the_network_s_element_type);

#[test]
fn files_are_written_and_read_by_path() -> TestResult {
    fn by_path<C: Exported>() -> TestResult {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("network.onnx");
        let network = Recurrent::<C, f32>::new(C::of_bits([true, true, false, false]), &mut manual_seed(0))?;
        Export::new(&network).write(&path)?;
        assert_eq!(fs::read(&path)?, Export::new(&network).to_bytes()?);
        assert_eq!(Recurrent::<C, f32>::from_onnx(&path)?, network);
        Ok(())
    }
    by_path::<RnnConfig>()?;
    by_path::<LstmConfig>()?;
    by_path::<GruConfig>()
}

#[test]
fn a_projection_is_refused() -> TestResult {
    let lstm = Recurrent::<_, f32>::new(LstmConfig::new(4, 3).proj_size(2), &mut manual_seed(0))?;
    let error = Export::new(&lstm).to_bytes().err().ok_or("written")?.to_string();
    let expected = "ONNX: LSTM: a projection of the state within the steps, proj_size 2, is not supported";
    assert_eq!(error, expected);
    Ok(())
}

pub(crate) fn three_axes(golden: &Golden, name: &str) -> TestResult<Array3<f32>> {
    let array: ArrayD<f32> = golden.array(name)?;
    Ok(array.into_dimensionality::<Ix3>()?)
}
