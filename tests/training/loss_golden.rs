//! Losses and their gradients, compared with torch's over the fixtures of `golden/losses.py`.

use crate::common::golden::Golden;
use crate::common::training::{cases, difference, size, sizes, uniform_in};
use crate::common::{Real, TestResult};
use ndarray::{Array1, ArrayD, Axis, IxDyn};
use ndarray_rnn::loss::{
    BceWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, Loss, Losses, MseLoss, NllLoss, Reduction,
    SmoothL1Loss,
};
use ndarray_rnn::manual_seed;
use ndarray_rnn::random::Mt19937;
use serde_json::Value;

type Outcome<A> = (ArrayD<A>, ArrayD<A>);

/// Values and gradient, with the cotangent drawn for losses that are not reduced, then spoilt.
fn outcome<A: Real>(
    case: &Value,
    rng: &mut Mt19937,
    reduced: impl Fn(Reduction) -> ndarray_rnn::Result<Loss<A, IxDyn>>,
    unreduced: impl Fn() -> ndarray_rnn::Result<Losses<A, IxDyn, IxDyn>>,
    spoil: impl Fn(&mut ArrayD<A>),
) -> TestResult<Outcome<A>> {
    let reduction = match case["reduction"].as_str() {
        Some("mean") => Reduction::Mean,
        Some("sum") => Reduction::Sum,
        _ => {
            let losses = unreduced()?;
            let mut cotangent = uniform_in(losses.values.raw_dim(), [-1.0, 1.0], rng)?;
            spoil(&mut cotangent);
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
    let mut target = target.mapv(|u| (u * classes as f64) as usize);
    if case["target"].is_u64() {
        target.fill(size(&case["target"])?);
    }
    let ignored = if case["ignore_index"].is_u64() { Some(size(&case["ignore_index"])?) } else { None };
    let spoil = |cotangent: &mut ArrayD<A>| spoil(case, &target, ignored, cotangent);
    if case["loss"] == "nll" {
        log_softmax(&mut input, axis);
        let mut loss = NllLoss::new();
        loss = weights(&case["weight"]).map_or(loss.clone(), |weight| loss.weight(weight));
        loss = ignored.map_or(loss.clone(), |index| loss.ignore_index(index));
        let reduced = |reduction| loss.clone().reduction(reduction).forward(&input, &target);
        return outcome(case, rng, reduced, || loss.unreduced(&input, &target), spoil);
    }
    let smoothing = case["label_smoothing"].as_f64().unwrap_or(0.0);
    let mut loss = CrossEntropyLoss::new().label_smoothing(smoothing);
    loss = weights(&case["weight"]).map_or(loss.clone(), |weight| loss.weight(weight));
    loss = ignored.map_or(loss.clone(), |index| loss.ignore_index(index));
    let reduced = |reduction| loss.clone().reduction(reduction).forward(&input, &target);
    outcome(case, rng, reduced, || loss.unreduced(&input, &target), spoil)
}

/// Puts the case's cotangent where targets are ignored, or everywhere.
fn spoil<A: Real>(case: &Value, target: &ArrayD<usize>, ignored: Option<usize>, cotangent: &mut ArrayD<A>) {
    let value = match case["cotangent"].as_str() {
        Some("inf") => f64::INFINITY,
        Some("nan") => f64::NAN,
        _ => return,
    };
    for (cotangent, &target) in cotangent.iter_mut().zip(target) {
        if case["everywhere"] == true || Some(target) == ignored {
            *cotangent = A::from_f64(value);
        }
    }
}

/// The value in `f64`, as the fixtures have it.
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
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y), |_| {})
        }
        Some("l1") => {
            let loss = L1Loss::new();
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y), |_| {})
        }
        Some("smooth_l1") => {
            let loss = SmoothL1Loss::new().beta(case["beta"].as_f64().ok_or("no beta")?);
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y), |_| {})
        }
        Some("huber") => {
            let loss = HuberLoss::new().delta(case["delta"].as_f64().ok_or("no delta")?);
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y), |_| {})
        }
        Some("bce_with_logits") => {
            let loss = weights(&case["pos_weight"])
                .map_or(BceWithLogitsLoss::new(), |weight| BceWithLogitsLoss::new().pos_weight(weight));
            outcome(case, rng, |r| loss.clone().reduction(r).forward(x, y), || loss.unreduced(x, y), |_| {})
        }
        other => Err(format!("no loss {other:?}").into()),
    }
}

fn beside_torch<A: Real>(tolerance: f64) -> TestResult {
    let golden = Golden::parse(include_bytes!("../golden/losses.safetensors"))?;
    let cases = cases::<A>(&golden, "loss")?;
    assert_eq!(cases.len(), 351);
    let mut worst = 0.0_f64;
    for (name, case) in cases {
        let mut rng = manual_seed(case["seed"].as_u64().ok_or("no seed")?);
        let of_classes = case["loss"] == "cross_entropy" || case["loss"] == "nll";
        let (values, gradient) = if of_classes {
            class_case::<A>(&case, &mut rng)?
        } else {
            pointwise_case::<A>(&case, &mut rng)?
        };
        let expected: ArrayD<A> = golden.array(&format!("{name}.value"))?;
        // The fixture has a list of one number where the array has no axes.
        let values = values.into_shape_with_order(expected.raw_dim())?;
        let here = difference(&values, &expected, &name);
        let here = here.max(difference(&gradient, &golden.array(&format!("{name}.gradient"))?, &name));
        assert!(here <= tolerance, "{here:e}: {case}");
        worst = worst.max(here);
    }
    println!("losses in {}: {worst:e}", A::NAME);
    Ok(())
}

/// torch computes in `f32` throughout: a few of its roundings, and fewer digits of what the softmax lacks to 1
/// where it is almost right.
#[test]
fn losses_are_torchs_in_f32() -> TestResult {
    beside_torch::<f32>(3e-6)
}

#[test]
fn losses_are_torchs_in_f64() -> TestResult {
    beside_torch::<f64>(2e-15)
}
