//! Losses and their gradients: against torch, against finite differences, at the edges; bad input.

mod common;

use common::training::{cases, difference, expect_message, fixture, size, sizes, uniform_in};
use common::{Real, TestResult};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix2, IxDyn, arr0, array};
use ndarray_rnn::loss::{
    BceWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, Loss, Losses, MseLoss, NllLoss, Reduction,
    SmoothL1Loss,
};
use ndarray_rnn::manual_seed;
use ndarray_rnn::random::Mt19937;
use proptest::prelude::*;
use serde_json::Value;

type Outcome<A> = (ArrayD<A>, ArrayD<A>);

/// Values and gradient, with the cotangent drawn for losses that are not reduced.
fn outcome<A: Real>(
    case: &Value,
    rng: &mut Mt19937,
    reduced: impl Fn(Reduction) -> ndarray_rnn::Result<Loss<A, IxDyn>>,
    unreduced: impl Fn() -> ndarray_rnn::Result<Losses<A, IxDyn, IxDyn>>,
) -> TestResult<Outcome<A>> {
    let reduction = match case["reduction"].as_str() {
        Some("mean") => Reduction::Mean,
        Some("sum") => Reduction::Sum,
        _ => {
            let losses = unreduced()?;
            let cotangent = uniform_in(losses.values.raw_dim(), [-1.0, 1.0], rng)?;
            let gradient = losses.backward(&cotangent)?;
            return Ok((losses.values, gradient));
        }
    };
    let loss = reduced(reduction)?;
    Ok((ArrayD::from_elem(vec![1], loss.value), loss.gradient))
}

fn weights(value: &Value) -> Option<Vec<f64>> {
    value.as_array().map(|weights| weights.iter().filter_map(Value::as_f64).collect())
}

fn class_case<A: Real>(case: &Value, rng: &mut Mt19937) -> TestResult<Outcome<A>> {
    let shape = sizes(&case["shape"])?;
    let scale = case["scale"].as_f64().ok_or("no scale")?;
    let mut input: ArrayD<A> = uniform_in(&shape[..], [-scale, scale], rng)?;
    let axis = Axis(usize::from(shape.len() > 1));
    let mut rest = shape.clone();
    let classes = rest.remove(axis.index());
    let target: ArrayD<f64> = uniform_in(&rest[..], [0.0, 1.0], rng)?;
    let target = target.mapv(|u| (u * classes as f64) as usize);
    let ignored = if case["ignore_index"].is_u64() { Some(size(&case["ignore_index"])?) } else { None };
    if case["loss"] == "nll" {
        log_softmax(&mut input, axis);
        let mut loss = NllLoss::new();
        loss = weights(&case["weight"]).map_or(loss.clone(), |weight| loss.weight(weight));
        loss = ignored.map_or(loss.clone(), |index| loss.ignore_index(index));
        let reduced = |reduction| loss.clone().reduction(reduction).forward(&input, &target);
        return outcome(case, rng, reduced, || loss.unreduced(&input, &target));
    }
    let smoothing = case["label_smoothing"].as_f64().unwrap_or(0.0);
    let mut loss = CrossEntropyLoss::new().label_smoothing(smoothing);
    loss = weights(&case["weight"]).map_or(loss.clone(), |weight| loss.weight(weight));
    loss = ignored.map_or(loss.clone(), |index| loss.ignore_index(index));
    let reduced = |reduction| loss.clone().reduction(reduction).forward(&input, &target);
    outcome(case, rng, reduced, || loss.unreduced(&input, &target))
}

/// In `f64`, as the fixtures have it.
fn log_softmax<A: Real>(input: &mut ArrayD<A>, axis: Axis) {
    for mut row in input.lanes_mut(axis) {
        let sum: f64 = row.iter().map(|x| libm::exp(x.into_f64())).sum();
        row.mapv_inplace(|x| A::from_f64(x.into_f64() - libm::log(sum)));
    }
}

fn pointwise_case<A: Real>(case: &Value, rng: &mut Mt19937) -> TestResult<Outcome<A>> {
    let shape = sizes(&case["shape"])?;
    let scale = case["scale"].as_f64().unwrap_or(1.0);
    let mut input: ArrayD<A> = uniform_in(&shape[..], [-scale, scale], rng)?;
    let low = if case["loss"] == "bce_with_logits" { 0.0 } else { -scale };
    let mut target = uniform_in(&shape[..], [low, if low == 0.0 { 1.0 } else { scale }], rng)?;
    if case["grid"] == true {
        input = Array1::from_iter((-4..5).map(|i| A::from_f64(f64::from(i) / 2.0))).into_dyn();
        target.fill(A::zero());
    }
    let (x, y) = (&input, &target);
    match case["loss"].as_str() {
        Some("mse") => {
            let loss = MseLoss::new();
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y))
        }
        Some("l1") => {
            let loss = L1Loss::new();
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y))
        }
        Some("smooth_l1") => {
            let loss = SmoothL1Loss::new().beta(case["beta"].as_f64().ok_or("no beta")?);
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y))
        }
        Some("huber") => {
            let loss = HuberLoss::new().delta(case["delta"].as_f64().ok_or("no delta")?);
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y))
        }
        Some("bce_with_logits") => {
            let loss = weights(&case["pos_weight"])
                .map_or(BceWithLogitsLoss::new(), |weight| BceWithLogitsLoss::new().pos_weight(weight));
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y))
        }
        other => Err(format!("no loss {other:?}").into()),
    }
}

fn beside_torch<A: Real>(tolerance: f64) -> TestResult {
    let golden = fixture()?;
    let mut worst = 0.0_f64;
    for (name, case) in cases::<A>(&golden, "loss")? {
        let mut rng = manual_seed(case["seed"].as_u64().ok_or("no seed")?);
        let of_classes = case["loss"] == "cross_entropy" || case["loss"] == "nll";
        let (values, gradient) = if of_classes {
            class_case::<A>(&case, &mut rng)?
        } else {
            pointwise_case::<A>(&case, &mut rng)?
        };
        let expected: ArrayD<A> = golden.array(&format!("{name}.value"))?;
        // The fixture has a list of one where there are no axes.
        let values = values.into_shape_with_order(expected.raw_dim())?;
        let here = difference(&values, &expected, &name);
        let here = here.max(difference(&gradient, &golden.array(&format!("{name}.gradient"))?, &name));
        assert!(here <= tolerance, "{here:e}: {case}");
        worst = worst.max(here);
    }
    println!("losses in {}: {worst:e}", A::NAME);
    Ok(())
}

/// torch computes in `f32` throughout: a few of its roundings, and where the softmax is almost right fewer digits of
/// what it lacks.
#[test]
fn losses_are_torchs_in_f32() -> TestResult {
    beside_torch::<f32>(3e-6)
}

#[test]
fn losses_are_torchs_in_f64() -> TestResult {
    beside_torch::<f64>(2e-15)
}

const STEP: f64 = 1e-6;

/// Expects a gradient to be the slope of the values on both sides of every element.
fn check_slopes(
    x: &Array2<f64>,
    f: impl Fn(&Array2<f64>) -> ndarray_rnn::Result<Loss<f64, Ix2>>,
) -> TestResult {
    let gradient = f(x)?.gradient;
    for (index, &expected) in gradient.indexed_iter() {
        let at = |step: f64| {
            let mut moved = x.clone();
            moved[index] += step;
            f(&moved).map(|loss| loss.value)
        };
        let slope = (at(STEP)? - at(-STEP)?) / (2.0 * STEP);
        assert!((slope - expected).abs() <= 1e-7, "{slope} and {expected} at {index:?} of {x}");
    }
    Ok(())
}

fn matrix(low: f64, high: f64) -> impl Strategy<Value = Array2<f64>> {
    let values = prop::array::uniform12(low..high);
    values.prop_map(|values| Array2::from_shape_fn((3, 4), |(i, j)| values[4 * i + j]))
}

fn reduction() -> impl Strategy<Value = Reduction> {
    prop_oneof![Just(Reduction::Mean), Just(Reduction::Sum)]
}

/// Moves inputs that finite differences would carry over a kink.
fn off_kinks(x: &Array2<f64>, y: &Array2<f64>, kink: f64) -> Array2<f64> {
    let near = |d: f64| [0.0, kink].iter().any(|k| (d.abs() - k).abs() < 10.0 * STEP);
    ndarray::Zip::from(x).and(y).map_collect(|&x, &y| if near(x - y) { x + 1e-3 } else { x })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn gradients_are_slopes_of_pointwise_losses(
        x in matrix(-3.0, 3.0), y in matrix(-3.0, 3.0), knee in 0.1..2.0, r in reduction()
    ) {
        let check = || -> TestResult {
            let x = off_kinks(&x, &y, knee);
            check_slopes(&x, |x| MseLoss::new().reduction(r).forward(x, &y))?;
            check_slopes(&x, |x| L1Loss::new().reduction(r).forward(x, &y))?;
            check_slopes(&x, |x| SmoothL1Loss::new().beta(knee).reduction(r).forward(x, &y))?;
            check_slopes(&x, |x| HuberLoss::new().delta(knee).reduction(r).forward(x, &y))
        };
        check().map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn gradients_are_slopes_of_entropies(
        x in matrix(-3.0, 3.0), y in matrix(0.0, 1.0), classes in prop::array::uniform3(0_usize..4),
        weight in prop::array::uniform4(0.1..2.0), smoothing in 0.0..1.0, r in reduction()
    ) {
        let check = || -> TestResult {
            let t = Array1::from_iter(classes);
            check_slopes(&x, |x| BceWithLogitsLoss::new().pos_weight(weight).reduction(r).forward(x, &y))?;
            let nll = NllLoss::new().weight(weight).reduction(r);
            check_slopes(&x, |x| nll.forward(x, &t))?;
            let entropy = CrossEntropyLoss::new().weight(weight).label_smoothing(smoothing).reduction(r);
            check_slopes(&x, |x| entropy.forward(x, &t))?;
            let entropy = entropy.ignore_index(classes[0]).reduction(Reduction::Sum);
            check_slopes(&x, |x| entropy.forward(x, &t))
        };
        check().map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

#[test]
fn sums_of_nothing_are_torchs() -> TestResult {
    let (logits, target) = (Array2::<f32>::ones((2, 3)), array![7, 7]);
    let ignoring = CrossEntropyLoss::new().ignore_index(7);
    let loss = ignoring.forward(&logits, &target)?;
    assert!(loss.value.is_nan());
    assert_eq!(loss.gradient, Array2::<f32>::zeros((2, 3)));
    assert_eq!(ignoring.reduction(Reduction::Sum).forward(&logits, &target)?.value, 0.0);
    let empty = Array2::<f32>::zeros((0, 3));
    assert!(MseLoss::new().forward(&empty, &empty)?.value.is_nan());
    assert!(CrossEntropyLoss::new().forward(&empty, &array![])?.value.is_nan());
    Ok(())
}

#[test]
fn one_row_needs_no_batch() -> TestResult {
    let row = array![0.5_f64, -1.0, 2.0];
    let alone = CrossEntropyLoss::new().forward(&row, &arr0(2))?;
    let batch = CrossEntropyLoss::new().forward(&row.view().insert_axis(Axis(0)), &array![2])?;
    assert_eq!(alone.value, batch.value);
    assert_eq!(alone.gradient, batch.gradient.row(0));
    Ok(())
}

/// An impossible class costs nothing unless it is the target.
#[test]
fn masked_logits_are_no_nan() -> TestResult {
    let logits = array![[0.0_f64, f64::NEG_INFINITY]];
    let loss = CrossEntropyLoss::new().forward(&logits, &array![0])?;
    assert_eq!((loss.value, loss.gradient), (0.0, array![[0.0, 0.0]]));
    assert_eq!(CrossEntropyLoss::new().forward(&logits, &array![1])?.value, f64::INFINITY);
    Ok(())
}

#[test]
fn memory_layout_does_not_matter() -> TestResult {
    let mut rng = manual_seed(5);
    let x: Array2<f32> = uniform_in((4, 6), [-2.0, 2.0], &mut rng)?;
    let y: Array2<f32> = uniform_in((4, 6), [-2.0, 2.0], &mut rng)?;
    let columns = |a: &Array2<f32>| a.t().as_standard_layout().into_owned().reversed_axes();
    let (x2, y2) = (columns(&x), columns(&y));
    assert!(!x2.is_standard_layout());
    assert_eq!(MseLoss::new().forward(&x2, &y2)?, MseLoss::new().forward(&x, &y)?);
    assert_eq!(HuberLoss::new().unreduced(&x2, &y)?, HuberLoss::new().unreduced(&x, &y2)?);
    let entropy = CrossEntropyLoss::new().label_smoothing(0.1);
    let target = array![0, 5, 2, 2];
    assert_eq!(entropy.forward(&x2, &target)?, entropy.forward(&x, &target)?);
    assert_eq!(entropy.unreduced(&x2, &target)?, entropy.unreduced(&x, &target)?);
    Ok(())
}

/// The definition: one chain of additions in `f64`, rounded once.
#[test]
fn the_mean_is_one_chain() -> TestResult {
    let mut rng = manual_seed(6);
    let x: Array1<f32> = uniform_in(1000, [-2.0, 2.0], &mut rng)?;
    let y: Array1<f32> = uniform_in(1000, [-2.0, 2.0], &mut rng)?;
    let mut sum = 0.0;
    for (&x, &y) in x.iter().zip(&y) {
        let d = f64::from(x) - f64::from(y);
        sum += d * d;
    }
    assert_eq!(MseLoss::new().forward(&x, &y)?.value, (sum / 1000.0) as f32);
    Ok(())
}

#[test]
fn bad_shapes_are_reported() {
    let (x, y) = (Array2::<f64>::zeros((2, 3)), Array2::<f64>::zeros((3, 2)));
    let message = "target: expected shape [2, 3], got [3, 2]";
    expect_message(MseLoss::new().forward(&x, &y), message);
    expect_message(MseLoss::new().unreduced(&x, &y), message);
    expect_message(L1Loss::new().forward(&x, &y), message);
    expect_message(SmoothL1Loss::new().forward(&x, &y), message);
    expect_message(HuberLoss::new().unreduced(&x, &y), message);
    expect_message(BceWithLogitsLoss::new().forward(&x, &y), message);
    let weighted = BceWithLogitsLoss::new().pos_weight([1.0, 2.0]);
    expect_message(weighted.forward(&x, &x), "pos_weight: expected shape [3], got [2]");
    let entropy = CrossEntropyLoss::new();
    expect_message(entropy.forward(&x, &array![0]), "target: expected shape [2], got [1]");
    expect_message(entropy.weight([1.0]).forward(&x, &array![0, 0]), "weight: expected shape [3], got [1]");
    let message = "input should be at least 1-D, but got 0-D";
    expect_message(NllLoss::new().forward(&arr0(1.0), &arr0(0)), message);
    expect_message(CrossEntropyLoss::new().unreduced(&arr0(1.0), &arr0(0)), message);
    let (scalar, target) = (ArrayD::<f64>::zeros(vec![]), ArrayD::zeros(vec![]));
    expect_message(CrossEntropyLoss::new().forward(&scalar, &target), message);
}

#[test]
fn bad_values_are_reported() -> TestResult {
    let x = Array2::<f32>::zeros((2, 3));
    let target = array![0, 3];
    let message = "target: index 3 is out of bounds, num_classes is 3";
    expect_message(CrossEntropyLoss::new().forward(&x, &target), message);
    expect_message(NllLoss::new().unreduced(&x, &target), message);
    CrossEntropyLoss::new().ignore_index(3).forward(&x, &target)?;
    for (smoothing, shown) in [(-0.1, "-0.1"), (1.1, "1.1"), (f64::NAN, "NaN")] {
        let message = format!("label_smoothing must be a number in [0, 1], got {shown}");
        expect_message(
            CrossEntropyLoss::new().label_smoothing(smoothing).forward(&x, &array![0, 0]),
            &message,
        );
    }
    for (delta, shown) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN")] {
        let message = format!("delta must be greater than 0, got {shown}");
        expect_message(HuberLoss::new().delta(delta).forward(&x, &x), &message);
    }
    for (beta, shown) in [(-1.0, "-1"), (f64::NAN, "NaN")] {
        let message = format!("beta must be at least 0, got {shown}");
        expect_message(SmoothL1Loss::new().beta(beta).forward(&x, &x), &message);
    }
    let losses = CrossEntropyLoss::new().unreduced(&x, &array![0, 0])?;
    expect_message(losses.backward(&array![1.0]), "d_values: expected shape [2], got [1]");
    Ok(())
}
