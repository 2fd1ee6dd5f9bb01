//! What the tests of training share: their fixture, drawn arrays, comparisons.

use ndarray::{Array, ArrayD, Dimension, ShapeBuilder};
use ndarray_rnn::optim::{CosineAnnealingLr, ExponentialLr, StepLr};
use ndarray_rnn::random::{self, Mt19937};
use ndarray_rnn::{Linear, LinearConfig, Parameters, Scalar, manual_seed};
use rand::Rng;
use serde_json::Value;

use super::golden::Golden;
use super::{Real, TestResult};

/// The fixture that `training.py` wrote.
pub(crate) fn fixture() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../golden/training.safetensors"))
}

/// The cases of a group of the fixture that have an element type, numbered.
pub(crate) fn cases<A: Real>(golden: &Golden, group: &str) -> TestResult<Vec<(String, Value)>> {
    let cases = golden.metadata[group].as_array().ok_or("no such group")?;
    let numbered = cases.iter().enumerate().map(|(i, case)| (format!("{group}.{i}"), case.clone()));
    let cases: Vec<_> = numbered.filter(|(_, case)| case["dtype"] == A::NAME).collect();
    assert!(!cases.is_empty(), "no cases of {group}");
    Ok(cases)
}

/// A whole number of a case.
pub(crate) fn size(value: &Value) -> TestResult<usize> {
    Ok(value.as_u64().ok_or("no whole number")?.try_into()?)
}

/// A list of whole numbers of a case.
pub(crate) fn sizes(value: &Value) -> TestResult<Vec<usize>> {
    value.as_array().ok_or("no list")?.iter().map(size).collect()
}

/// Values drawn as torch draws them.
pub(crate) fn uniform_in<A: Scalar, D: Dimension>(
    shape: impl ShapeBuilder<Dim = D>,
    [low, high]: [f64; 2],
    rng: &mut impl Rng,
) -> TestResult<Array<A, D>> {
    let mut array = Array::zeros(shape);
    random::uniform(&mut array, low, high, rng)?;
    Ok(array)
}

/// The model that the fixtures train, from its seed, and the generator after it.
pub(crate) fn model<A: Scalar>(case: &Value) -> TestResult<(Linear<A>, Mt19937)> {
    let mut rng = manual_seed(case["seed"].as_u64().ok_or("no seed")?);
    Ok((Linear::new(LinearConfig::new(5, 3), &mut rng)?, rng))
}

/// The schedule of a case: the learning rate of each epoch.
pub(crate) fn schedule(case: &Value) -> TestResult<Box<dyn Fn(usize) -> f64>> {
    let base_lr = case["lr"].as_f64().ok_or("no lr")?;
    let options = &case["schedule"];
    let number = |key: &str| options[key].as_f64().ok_or_else(|| format!("no {key}"));
    Ok(match case["scheduler"].as_str() {
        Some("StepLR") => {
            let schedule = StepLr::new(base_lr, size(&options["step_size"])?, number("gamma")?)?;
            Box::new(move |epoch| schedule.lr(epoch))
        }
        Some("ExponentialLR") => {
            let schedule = ExponentialLr::new(base_lr, number("gamma")?)?;
            Box::new(move |epoch| schedule.lr(epoch))
        }
        Some("CosineAnnealingLR") => {
            let schedule = CosineAnnealingLr::new(base_lr, size(&options["T_max"])?, number("eta_min")?)?;
            Box::new(move |epoch| schedule.lr(epoch))
        }
        other => return Err(format!("no schedule {other:?}").into()),
    })
}

/// Draws a gradient for every parameter.
pub(crate) fn draw<A: Scalar>(gradients: &mut Linear<A>, rng: &mut Mt19937) -> TestResult {
    for (_, mut gradient) in gradients.named_parameters_mut() {
        let drawn = uniform_in(gradient.raw_dim(), [-1.0, 1.0], rng)?;
        gradient.assign(&drawn);
    }
    Ok(())
}

/// Every element of a model, one parameter after another.
pub(crate) fn flat<A: Scalar>(model: &impl Parameters<Elem = A>) -> ArrayD<A> {
    let elements =
        model.named_parameters().into_iter().flat_map(|(_, value)| value.iter().copied().collect::<Vec<_>>());
    elements.collect::<ndarray::Array1<A>>().into_dyn()
}

/// The largest difference of two arrays of one shape, relative to the largest finite value expected. Where NaN is
/// expected, NaN is no difference, and likewise an infinity.
#[track_caller]
pub(crate) fn difference<A: Scalar>(actual: &ArrayD<A>, expected: &ArrayD<A>, what: &str) -> f64 {
    assert_eq!(actual.shape(), expected.shape(), "{what}: shape");
    let sizes = expected.iter().map(|x| x.into_f64().abs()).filter(|size| size.is_finite());
    let scale = sizes.fold(f64::MIN_POSITIVE, f64::max);
    let differences = actual.iter().zip(expected).map(|(a, e)| {
        let (a, e) = (a.into_f64(), e.into_f64());
        if a == e || a.is_nan() && e.is_nan() {
            0.0
        } else if a.is_finite() && e.is_finite() {
            (a - e).abs() / scale
        } else {
            f64::INFINITY
        }
    });
    differences.fold(0.0, f64::max)
}

/// Expects an error with this text.
#[track_caller]
pub(crate) fn expect_message<T>(result: ndarray_rnn::Result<T>, message: &str) {
    assert_eq!(result.map(|_| ()).map_err(|error| error.to_string()), Err(message.into()));
}
