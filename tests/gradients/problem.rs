//! The problem of all tests: a network, its arguments, and the cotangents of its results, drawn from a seed.

use std::error::Error;

use ndarray::{Array, ArrayD, Axis, Dimension};
use ndarray_rnn::{
    Gradients, Nonlinearity, Parameters, RecurrentParameters, Rnn, RnnConfig, Run, Scalar, SequenceDim,
    Trace, manual_seed, random,
};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::strategy::Just;
use proptest::test_runner::{Config, RngSeed};
use rand::Rng;

pub(crate) type TestResult<T = ()> = Result<T, Box<dyn Error>>;

/// What a problem is made of.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) config: RnnConfig,
    pub(crate) seq_len: usize,
    /// Ignored for a single sequence.
    pub(crate) batch: usize,
    pub(crate) h_0: bool,
    pub(crate) d_h_n: bool,
    pub(crate) lengths: bool,
    pub(crate) resets: bool,
    pub(crate) reset_state: bool,
    pub(crate) seed: u64,
}

/// A network, its arguments and the cotangents.
#[derive(Debug, Clone)]
pub(crate) struct Problem<A: Scalar, D: SequenceDim> {
    pub(crate) rnn: Rnn<A>,
    pub(crate) input: Array<A, D>,
    pub(crate) h_0: Option<Array<A, D>>,
    pub(crate) lengths: Option<Vec<usize>>,
    pub(crate) resets: Option<Array<bool, D::Smaller>>,
    pub(crate) reset_state: Option<Array<A, D>>,
    pub(crate) d_output: Array<A, D>,
    pub(crate) d_h_n: Option<Array<A, D>>,
    pub(crate) dropout_seed: u64,
}

impl Options {
    /// With an input and nothing else.
    pub(crate) fn new(config: RnnConfig, seq_len: usize, batch: usize) -> Self {
        let (h_0, d_h_n, lengths, resets, reset_state) = (false, false, false, false, false);
        Self { config, seq_len, batch, h_0, d_h_n, lengths, resets, reset_state, seed: 0 }
    }

    /// With every argument that a pass can have.
    pub(crate) fn with_everything(self) -> Self {
        Self { h_0: true, d_h_n: true, lengths: true, resets: true, reset_state: true, ..self }
    }

    /// Draws the problem: parameters, input, first state and cotangents in the order of the fixtures, then the
    /// rest.
    pub(crate) fn problem<A: Scalar, D: SequenceDim>(&self) -> TestResult<Problem<A, D>> {
        let mut rng = manual_seed(self.seed);
        let rnn = Rnn::new(self.config.clone(), &mut rng)?;
        let (sequence, state) = (self.sequence::<D>(), self.state::<D>());
        let (inputs, outputs) =
            (self.config.input_size, self.config.num_directions() * self.config.hidden_size);
        let input = uniform(&[&sequence[..], &[inputs]].concat(), &mut rng)?;
        let h_0 = self.h_0.then(|| uniform(&state, &mut rng)).transpose()?;
        let d_output = uniform(&[&sequence[..], &[outputs]].concat(), &mut rng)?;
        let d_h_n = self.d_h_n.then(|| uniform(&state, &mut rng)).transpose()?;
        let reset_state = self.reset_state.then(|| uniform(&state, &mut rng)).transpose()?;
        let resets = self.resets.then(|| mask(&sequence, &mut rng)).transpose()?;
        let lengths = self.lengths.then(|| self.draw_lengths::<D>(&mut rng));
        let dropout_seed = self.seed + 1;
        Ok(Problem { rnn, input, h_0, lengths, resets, reset_state, d_output, d_h_n, dropout_seed })
    }

    fn draw_lengths<D: SequenceDim>(&self, rng: &mut impl Rng) -> Vec<usize> {
        let batch = if is_single::<D>() { 1 } else { self.batch };
        (0..batch).map(|_| rng.next_u32() as usize % (self.seq_len + 1)).collect()
    }

    /// The axes before the features.
    fn sequence<D: SequenceDim>(&self) -> Vec<usize> {
        match (is_single::<D>(), self.config.batch_first) {
            (true, _) => vec![self.seq_len],
            (false, false) => vec![self.seq_len, self.batch],
            (false, true) => vec![self.batch, self.seq_len],
        }
    }

    fn state<D: SequenceDim>(&self) -> Vec<usize> {
        let rows = self.config.num_layers * self.config.num_directions();
        let batch = if is_single::<D>() { vec![] } else { vec![self.batch] };
        [vec![rows], batch, vec![self.config.hidden_size]].concat()
    }
}

/// Every gradient of a network's pass over an array.
pub(crate) type Whole<A, D> = Gradients<RecurrentParameters<A>, Array<A, D>, Array<A, D>>;

/// The trace of a pass over an array.
pub(crate) type TraceOf<A, D> = Trace<RnnConfig, A, Array<A, D>>;

impl<A: Scalar, D: SequenceDim> Problem<A, D> {
    /// The pass with all its options.
    pub(crate) fn run(&self) -> Run<'_, RnnConfig, A, Array<A, D>> {
        let mut run = self.rnn.run(&self.input);
        if let Some(h_0) = &self.h_0 {
            run = run.state(h_0);
        }
        if let Some(lengths) = &self.lengths {
            run = run.lengths(lengths);
        }
        if let Some(resets) = &self.resets {
            run = run.resets(resets);
        }
        if let Some(reset_state) = &self.reset_state {
            run = run.reset_state(reset_state);
        }
        run
    }

    pub(crate) fn forward(&self) -> ndarray_rnn::Result<(Array<A, D>, Array<A, D>, TraceOf<A, D>)> {
        self.run().forward_train(&mut manual_seed(self.dropout_seed))
    }

    pub(crate) fn backward<O>(&self, trace: &Trace<RnnConfig, A, O>) -> ndarray_rnn::Result<Whole<A, D>> {
        self.rnn.backward(trace, &self.d_output, self.d_h_n.as_deref())
    }

    pub(crate) fn gradients(&self) -> ndarray_rnn::Result<Whole<A, D>> {
        self.backward(&self.forward()?.2)
    }
}

/// Whether the arrays are of a single sequence.
pub(crate) fn is_single<D: SequenceDim>() -> bool {
    D::NDIM == Some(2)
}

/// Uniform in (-1, 1).
pub(crate) fn uniform<A: Scalar, D: Dimension>(
    shape: &[usize],
    rng: &mut impl Rng,
) -> TestResult<Array<A, D>> {
    let mut array = ArrayD::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, rng)?;
    Ok(array.into_dimensionality()?)
}

fn mask<D: Dimension>(shape: &[usize], rng: &mut impl Rng) -> TestResult<Array<bool, D>> {
    Ok(ArrayD::from_shape_simple_fn(shape, || rng.next_u32().is_multiple_of(4)).into_dimensionality()?)
}

/// Every gradient under its name.
pub(crate) fn named<A: Scalar, D: SequenceDim>(gradients: &Whole<A, D>) -> Vec<(String, ArrayD<A>)> {
    let parameters = gradients.parameters.named_parameters().into_iter();
    let parameters = parameters.map(|(name, gradient)| (name, gradient.into_owned()));
    let others = [("input", gradients.input.clone()), ("h_0", gradients.state.clone())];
    parameters.chain(others.map(|(name, gradient)| (name.to_string(), gradient.into_dyn()))).collect()
}

/// An array's shape and bits: -0 is not 0, but every NaN is NaN (its payload is no promise).
pub(crate) fn bits<A: Scalar, D: Dimension>(array: &Array<A, D>) -> (Vec<usize>, Vec<u64>) {
    let bits = |x: &A| if x.is_nan() { f64::NAN } else { x.into_f64() }.to_bits();
    (array.shape().to_vec(), array.iter().map(bits).collect())
}

/// Expects every gradient to be the same bit for bit.
#[track_caller]
pub(crate) fn expect_same<A: Scalar, D: SequenceDim>(
    actual: &Whole<A, D>,
    expected: &Whole<A, D>,
    what: &str,
) {
    for ((name, actual), (_, expected)) in named(actual).iter().zip(named(expected)) {
        assert_eq!(bits(actual), bits(&expected), "{name}, {what}");
    }
}

/// As [`expect_same`], of the parameters.
#[track_caller]
pub(crate) fn expect_same_parameters<A: Scalar>(
    actual: &impl Parameters<Elem = A>,
    expected: &impl Parameters<Elem = A>,
    what: &str,
) {
    for ((name, actual), (_, expected)) in actual.named_parameters().iter().zip(expected.named_parameters()) {
        assert_eq!(bits(&actual.to_owned()), bits(&expected.to_owned()), "{name}, {what}");
    }
}

/// The largest difference of two arrays of one shape, relative to the largest value expected.
#[track_caller]
pub(crate) fn difference<A: Scalar>(actual: &ArrayD<A>, expected: &ArrayD<A>) -> f64 {
    assert_eq!(actual.shape(), expected.shape());
    let scale = expected.iter().map(|x| x.into_f64().abs()).fold(f64::MIN_POSITIVE, f64::max);
    let pairs = actual.iter().zip(expected);
    let differences = pairs.map(|(a, e)| (a.into_f64() - e.into_f64()).abs() / scale);
    // A maximum would drop a NaN.
    differences.fold(0.0, |largest, d| if d <= largest { largest } else { d })
}

/// Entry i of an axis, as an array of its own.
pub(crate) fn take<A: Clone, D: Dimension + ndarray::RemoveAxis>(
    array: &Array<A, D>,
    axis: usize,
    i: usize,
) -> Array<A, D::Smaller> {
    array.index_axis(Axis(axis), i).as_standard_layout().into_owned()
}

/// Small networks of every kind, without dropout.
pub(crate) fn configs() -> impl Strategy<Value = RnnConfig> {
    let nonlinearity = prop_oneof![Just(Nonlinearity::Tanh), Just(Nonlinearity::Relu)];
    let flags = any::<(bool, bool, bool)>();
    (1..=4_usize, 1..=4_usize, 1..=3_usize, nonlinearity, flags).prop_map(
        |(input, hidden, layers, nonlinearity, (bias, batch_first, bidirectional))| {
            let config = RnnConfig::new(input, hidden).num_layers(layers).nonlinearity(nonlinearity);
            config.bias(bias).batch_first(batch_first).bidirectional(bidirectional)
        },
    )
}

/// Small problems of every kind, each argument given or not, with dropout or without.
pub(crate) fn small() -> impl Strategy<Value = Options> {
    let dropout = prop_oneof![Just(0.0), Just(0.4)];
    let flags = any::<[bool; 5]>();
    (configs(), dropout, 1..=6_usize, 1..=4_usize, flags, 0..1_000_000_u64).prop_map(
        |(config, dropout, seq_len, batch, [h_0, d_h_n, lengths, resets, reset_state], seed)| {
            let config = config.dropout(dropout);
            Options { config, seq_len, batch, h_0, d_h_n, lengths, resets, reset_state, seed }
        },
    )
}

/// Runs the same cases every time.
pub(crate) fn cases(count: u32) -> Config {
    Config { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..Config::with_cases(count) }
}
