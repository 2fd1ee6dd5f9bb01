//! Networks of any size and kind with something to run them on, for properties.

use ndarray::{Array3, ArrayView3, Axis};
use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, manual_seed};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};

use super::{Real, TestResult, uniform};

/// A network and what it runs on. Every number follows from the seed.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) config: RnnConfig,
    pub(crate) len: usize,
    pub(crate) batch: usize,
    pub(crate) h_0: bool,
    pub(crate) seed: u32,
}

/// The network, its input in the shape that the network takes, and its first state.
pub(crate) struct Run<A: Real> {
    pub(crate) rnn: Rnn<A>,
    pub(crate) input: Array3<A>,
    pub(crate) h_0: Option<Array3<A>>,
}

impl Setup {
    pub(crate) fn draw<A: Real>(&self) -> TestResult<Run<A>> {
        let (config, rng) = (self.config.clone(), &mut manual_seed(self.seed));
        let state = (config.num_layers * config.num_directions(), self.batch, config.hidden_size);
        let [first, second] =
            if config.batch_first { [self.batch, self.len] } else { [self.len, self.batch] };
        let input = uniform((first, second, config.input_size), rng)?;
        let h_0 = self.h_0.then(|| uniform(state, rng)).transpose()?;
        Ok(Run { rnn: Rnn::new(config, rng)?, input, h_0 })
    }

    /// The same setup in one direction.
    pub(crate) fn unidirectional(&self) -> Self {
        Self { config: self.config.clone().bidirectional(false), ..self.clone() }
    }

    /// The axis of time in input and output.
    pub(crate) fn time_axis(&self) -> Axis {
        Axis(usize::from(self.config.batch_first))
    }

    /// The axis of sequences in input and output.
    pub(crate) fn batch_axis(&self) -> Axis {
        Axis(usize::from(!self.config.batch_first))
    }

    /// An input or output as (L, N, width).
    pub(crate) fn time_major<'a, A>(&self, array: &'a Array3<A>) -> ArrayView3<'a, A> {
        let mut view = array.view();
        if self.config.batch_first {
            view.swap_axes(0, 1);
        }
        view
    }
}

impl<A: Real> Run<A> {
    pub(crate) fn forward(&self) -> TestResult<(Array3<A>, Array3<A>)> {
        Ok(self.rnn.forward(&self.input, self.h_0.as_deref())?)
    }

    /// The first state, or zeros if none is given.
    pub(crate) fn first_state(&self, batch: usize) -> Array3<A> {
        let config = self.rnn.config();
        let shape = (config.num_layers * config.num_directions(), batch, config.hidden_size);
        self.h_0.clone().unwrap_or_else(|| Array3::zeros(shape))
    }
}

/// Sizes on both sides of every vector, panel and tile, and now and then no sequence at all.
fn setups() -> impl Strategy<Value = Setup> {
    let sizes = (1..=70_usize, 1..=70_usize, 1..=3_usize, 1..=20_usize, 0..=9_usize);
    let flags = any::<[bool; 5]>();
    (sizes, flags, any::<u32>()).prop_map(|((input, hidden, layers, len, batch), flags, seed)| {
        let [bias, batch_first, bidirectional, relu, h_0] = flags;
        let config = RnnConfig::new(input, hidden)
            .num_layers(layers)
            .bias(bias)
            .batch_first(batch_first)
            .bidirectional(bidirectional)
            .nonlinearity(if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh });
        Setup { config, len, batch, h_0, seed }
    })
}

/// Runs a check on `cases` values: always the same ones, unless PROPTEST_RNG_SEED says otherwise.
pub(crate) fn for_all<S: Strategy<Value: std::fmt::Debug + 'static>>(
    cases: u32,
    values: S,
    check: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> TestResult {
    let mut config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0);
    }
    Ok(TestRunner::new(config).run(&values, check)?)
}

/// Runs a check on `cases` setups.
pub(crate) fn for_setups(cases: u32, check: impl Fn(&Setup) -> TestResult) -> TestResult {
    for_all(cases, setups(), |setup| check(&setup).map_err(|error| TestCaseError::fail(error.to_string())))
}
