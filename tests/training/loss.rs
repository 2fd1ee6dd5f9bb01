//! Losses and their gradients: finite differences, edges, bad input. `loss_golden.rs` compares them with torch.

use crate::common::TestResult;
use crate::common::training::{expect_message, uniform_in};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix2, arr0, array};
use ndarray_rnn::loss::{
    BceWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, Loss, MseLoss, NllLoss, Reduction, SmoothL1Loss,
};
use ndarray_rnn::manual_seed;
use proptest::prelude::*;

const STEP: f64 = 1e-6;

/// Expects a gradient to be the slope between the values on both sides of every element.
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
