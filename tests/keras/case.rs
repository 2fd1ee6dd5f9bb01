//! A case of the fixtures: its layer, its input, its mask.

use ndarray::{Array2, Array3, ArrayRef, Dimension};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig};

use crate::common::golden::{Case, Golden};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult};

/// The configuration, with dropout if the case has it.
pub(crate) fn config(case: &Case) -> TestResult<SimpleRnnConfig> {
    Ok(SimpleRnnConfig::new(case.size("input_dim")?, case.size("units")?)
        .activation(case.parse("activation")?)
        .use_bias(case.flag("use_bias")?)
        .zero_output_for_mask(case.flag("zero_output_for_mask")?)
        .dropout(case.number("dropout").unwrap_or(0.0))
        .recurrent_dropout(case.number("recurrent_dropout").unwrap_or(0.0))
        .seed(case.index as i64))
}

pub(crate) fn layer<A: Real>(case: &Case, numbers: &mut Numbers) -> TestResult<SimpleRnn<A>> {
    let config = config(case)?.go_backwards(case.flag("go_backwards")?);
    let mut layer = SimpleRnn::zeros(config)?;
    fill(&mut layer, numbers);
    Ok(layer)
}

pub(crate) fn bidirectional<A: Real>(case: &Case, numbers: &mut Numbers) -> TestResult<Bidirectional<A>> {
    let (forward, backward) = (config(case)?, config(case)?.go_backwards(true));
    let mode = match case.text("merge_mode") {
        Some("sum") => MergeMode::Sum,
        Some("mul") => MergeMode::Mul,
        Some("ave") => MergeMode::Ave,
        _ => MergeMode::Concat,
    };
    let mut layer =
        Bidirectional::from_layers(SimpleRnn::zeros(forward)?, SimpleRnn::zeros(backward)?, mode)?;
    fill(&mut layer, numbers);
    Ok(layer)
}

/// The next numbers, divided so that outputs stay of order one.
pub(crate) fn fill<A: Real>(model: &mut impl Parameters<Elem = A>, numbers: &mut Numbers) {
    for (name, mut value) in model.named_parameters_mut() {
        let drawn = numbers.draw::<A, _>(value.raw_dim());
        let units = value.shape()[value.ndim() - 1] as f64;
        let divisor = if name.ends_with("recurrent_kernel") { f64::max(2.0, units / 2.0) } else { 2.0 };
        value.zip_mut_with(&drawn, |to, &from| *to = from / A::narrow(divisor));
    }
}

pub(crate) fn input<A: Real>(case: &Case, numbers: &mut Numbers) -> TestResult<Array3<A>> {
    Ok(numbers.draw((case.size("batch")?, case.size("len")?, case.size("input_dim")?)))
}

pub(crate) fn state<A: Real>(case: &Case, numbers: &mut Numbers) -> TestResult<Array2<A>> {
    Ok(numbers.draw((case.size("batch")?, case.size("units")?)))
}

/// The function `mask_of` of `golden/simple_rnn.py`.
pub(crate) fn mask(case: &Case) -> TestResult<Option<Array2<bool>>> {
    let shape = (case.size("batch")?, case.size("len")?);
    Ok(match case.text("mask") {
        Some("holes") => Some(Array2::from_shape_fn(shape, |(n, t)| (n * 5 + t * 3) % 4 != 1 && n != 2)),
        Some("leading") => Some(Array2::from_shape_fn(shape, |(n, t)| t > n)),
        _ => None,
    })
}

/// The numbers of a case, compared one after another as they are taken.
pub(crate) struct Expected<A> {
    name: String,
    left: std::vec::IntoIter<A>,
    tolerance: f64,
}

impl<A: Real> Expected<A> {
    pub(crate) fn of(golden: &Golden, case: &Case, tolerance: f64) -> TestResult<Self> {
        let numbers: Vec<_> = golden.array(&case.index.to_string())?.into_iter().collect();
        Ok(Self { name: format!("{case:?}"), left: numbers.into_iter(), tolerance })
    }

    /// Compares the next numbers with an array. The tolerance is relative to `scale`.
    #[track_caller]
    fn next<D: Dimension>(&mut self, what: &str, actual: &ArrayRef<A, D>, relative: bool) -> TestResult {
        let expected: Vec<_> = self.left.by_ref().take(actual.len()).collect();
        assert_eq!(expected.len(), actual.len(), "{what} of {}", self.name);
        let largest = expected.iter().fold(1.0, |largest: f64, x| largest.max(x.wide().abs()));
        let tolerance = if relative { self.tolerance * largest } else { self.tolerance };
        for (&a, e) in actual.iter().zip(expected) {
            let difference = (a.wide() - e.wide()).abs();
            assert!(
                difference <= tolerance,
                "{what}: {a} is not {e}, off by {difference:e}, of {}",
                self.name
            );
        }
        Ok(())
    }

    /// Expects an output or state within the tolerance.
    #[track_caller]
    pub(crate) fn value<D: Dimension>(&mut self, what: &str, actual: &ArrayRef<A, D>) -> TestResult {
        self.next(what, actual, false)
    }

    /// Expects a gradient within the tolerance, relative to its largest number or to 1.
    #[track_caller]
    pub(crate) fn gradient<D: Dimension>(&mut self, what: &str, actual: &ArrayRef<A, D>) -> TestResult {
        self.next(what, actual, true)
    }

    /// Expects that no numbers are left.
    #[track_caller]
    pub(crate) fn end(mut self) {
        assert!(self.left.next().is_none(), "numbers left of {}", self.name);
    }
}
