//! A case of the fixtures: its layer, its input, its mask.

use ndarray::{Array2, Array3, ArrayRef, Dimension};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{Bidirectional, Layer, MergeMode};

use super::kind::{self, Kind};
use crate::common::golden::{Case, Golden};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult};

/// The configuration: the options that the case has.
fn config<C: Kind>(case: &Case) -> TestResult<C> {
    let flag = |name: &str, default| if case.value[name].is_null() { Ok(default) } else { case.flag(name) };
    let rate = |name| case.number(name).unwrap_or(0.0);
    let config = C::new(case.size("input_dim")?, case.size("units")?)
        .activation(case.text("activation").unwrap_or("tanh").parse()?)
        .use_bias(flag("use_bias", true)?)
        .zero_output_for_mask(flag("zero_output_for_mask", false)?)
        .rates(rate("dropout"), rate("recurrent_dropout"))
        .go_backwards(flag("go_backwards", false)?)
        .seed(case.index as i64);
    config.own(case)
}

pub(crate) fn layer<C: Kind, A: Real>(case: &Case, numbers: &mut Numbers) -> TestResult<Layer<C, A>> {
    let mut layer = Layer::zeros(config(case)?)?;
    fill::<C, A>(&mut layer, numbers);
    Ok(layer)
}

pub(crate) fn bidirectional<C: Kind, A: Real>(
    case: &Case,
    numbers: &mut Numbers,
) -> TestResult<Bidirectional<A, C>> {
    let (forward, backward) = (config::<C>(case)?, config::<C>(case)?.go_backwards(true));
    let mode = match case.text("merge_mode") {
        Some("sum") => MergeMode::Sum,
        Some("mul") => MergeMode::Mul,
        Some("ave") => MergeMode::Ave,
        _ => MergeMode::Concat,
    };
    let mut layer = Bidirectional::from_layers(Layer::zeros(forward)?, Layer::zeros(backward)?, mode)?;
    fill::<C, A>(&mut layer, numbers);
    Ok(layer)
}

/// The next numbers, divided so that outputs stay of order one.
pub(crate) fn fill<C: Kind, A: Real>(model: &mut impl Parameters<Elem = A>, numbers: &mut Numbers) {
    for (name, mut value) in model.named_parameters_mut() {
        let drawn = numbers.draw::<A, _>(value.raw_dim());
        let rows = value.shape()[0] as f64;
        let recurrent = name.ends_with("recurrent_kernel");
        let divisor = if recurrent { C::DIVISOR.max(rows / 2.0) } else { C::DIVISOR };
        value.zip_mut_with(&drawn, |to, &from| *to = from / A::narrow(divisor));
    }
}

pub(crate) fn input<A: Real>(case: &Case, numbers: &mut Numbers) -> TestResult<Array3<A>> {
    Ok(numbers.draw((case.size("batch")?, case.size("len")?, case.size("input_dim")?)))
}

/// The first state, if the case has one.
pub(crate) fn state<C: Kind, A: Real>(
    case: &Case,
    numbers: &mut Numbers,
) -> TestResult<Option<Vec<Array2<A>>>> {
    let (batch, units) = (case.size("batch")?, case.size("units")?);
    Ok(case.flag("initial_state")?.then(|| kind::state::<C, A>(numbers, batch, units)))
}

/// The function `mask_of` of `golden/keras_layers.py`.
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
    /// Of outputs and states, and of gradients.
    tolerances: [f64; 2],
}

impl<A: Real> Expected<A> {
    pub(crate) fn of(golden: &Golden, case: &Case, tolerances: [f64; 2]) -> TestResult<Self> {
        let numbers: Vec<_> = golden.array(&case.index.to_string())?.into_iter().collect();
        Ok(Self { name: format!("{case:?}"), left: numbers.into_iter(), tolerances })
    }

    /// Compares the next numbers with an array: outputs and states, or gradients.
    #[track_caller]
    fn next<D: Dimension>(&mut self, what: &str, actual: &ArrayRef<A, D>, gradient: bool) -> TestResult {
        let expected: Vec<_> = self.left.by_ref().take(actual.len()).collect();
        assert_eq!(expected.len(), actual.len(), "{what} of {}", self.name);
        let largest = expected.iter().fold(1.0, |largest: f64, x| largest.max(x.wide().abs()));
        let [value, relative] = self.tolerances;
        let tolerance = if gradient { relative * largest } else { value };
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
