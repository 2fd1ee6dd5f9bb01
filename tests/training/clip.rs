//! Clipping of gradients and schedules of the learning rate: against torch, at the edges, bad input.

use crate::common::training::{cases, difference, draw, expect_message, fixture, flat, model, schedule};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};
use ndarray::{ArrayD, aview1};
use ndarray_rnn::optim::{
    CosineAnnealingLr, ExponentialLr, MaxNorm, StepLr, clip_grad_norm, clip_grad_value,
};
use ndarray_rnn::{Linear, LinearConfig, Parameters, Rnn, RnnConfig, manual_seed};

/// libm's powers and cosine differ from the C library's by a few ULP.
#[test]
fn schedules_are_torchs() -> TestResult {
    let golden = fixture()?;
    let cases = cases::<f64>(&golden, "schedule")?;
    assert_eq!(cases.len(), 14);
    for (name, case) in cases {
        let lr = schedule(&case)?;
        let expected = golden.array::<f64>(&format!("{name}.rates"))?;
        assert_eq!(expected.len(), 41);
        for (epoch, &expected) in expected.iter().enumerate() {
            assert!((lr(epoch) - expected).abs() <= 1e-15 * expected, "{case} at {epoch}: {}", lr(epoch));
        }
    }
    Ok(())
}

/// torch multiplies step by step, and so does this.
#[test]
fn a_rate_of_zero_stays_zero() -> TestResult {
    assert_eq!(ExponentialLr::new(0.0, 2.0)?.lr(5000), 0.0);
    assert_eq!(StepLr::new(0.0, 1, 10.0)?.lr(5000), 0.0);
    Ok(())
}

#[test]
fn schedules_say_what_is_wrong() {
    expect_message(StepLr::new(0.1, 0, 0.5), "step_size must be greater than zero");
    expect_message(StepLr::new(-0.1, 1, 0.5), "base_lr must be finite and at least 0, got -0.1");
    expect_message(ExponentialLr::new(0.1, f64::NAN), "gamma must be finite and at least 0, got NaN");
    expect_message(CosineAnnealingLr::new(0.1, 0, 0.0), "t_max must be greater than zero");
    expect_message(CosineAnnealingLr::new(0.1, 1, -1.0), "eta_min must be finite and at least 0, got -1");
}

fn clipping<A: Real>(tolerance: f64) -> TestResult {
    let golden = fixture()?;
    let mut worst = 0.0_f64;
    for (name, case) in cases::<A>(&golden, "clip")? {
        let (mut gradients, mut rng) = model::<A>(&case)?;
        draw(&mut gradients, &mut rng)?;
        if let Some(clip_value) = case["clip_value"].as_f64() {
            clip_grad_value(&mut gradients, clip_value)?;
        } else {
            let norm_type = case["norm_type"].as_f64().unwrap_or(f64::INFINITY);
            let max_norm = case["max_norm"].as_f64().ok_or("no max_norm")?;
            let norm = clip_grad_norm(&mut gradients, strict(max_norm, norm_type))?;
            let expected = golden.array(&format!("{name}.total_norm"))?;
            worst = worst.max(difference(&ArrayD::from_elem(vec![1], norm), &expected, &name));
        }
        let expected = golden.array(&format!("{name}.gradients"))?;
        worst = worst.max(difference(&flat(&gradients), &expected, &name));
    }
    println!("clipping in {}: {worst:e}", A::NAME);
    assert!(worst <= tolerance, "{worst:e}");
    Ok(())
}

/// torch rounds after every sum, norm and factor: some four roundings.
#[test]
fn clipping_is_torchs() -> TestResult {
    clipping::<f32>(3e-7)?;
    clipping::<f64>(5e-16)
}

const NORM_TYPES: [f64; 4] = [1.0, 2.0, 3.0, f64::INFINITY];

/// A gradient with these elements.
fn gradient<A: Real>(elements: &[f64]) -> TestResult<Linear<A>> {
    let mut gradient = Linear::zeros(LinearConfig::new(elements.len(), 1).bias(false))?;
    for (_, mut weight) in gradient.named_parameters_mut() {
        weight.assign(&aview1(elements).mapv(A::narrow));
    }
    Ok(gradient)
}

/// Expects a model's elements, bit for bit.
#[track_caller]
fn expect_elements<A: Real>(model: &impl Parameters<Elem = A>, expected: &[f64], what: &str) {
    assert_same_bits(&flat(model), &aview1(expected).mapv(A::narrow).into_dyn(), what);
}

/// Expects a value within the roundings of a few operations.
#[track_caller]
fn expect_near<A: Real>(actual: A, expected: f64, what: &str) {
    let distance = (actual.wide() - expected).abs();
    assert!(distance <= 4.0 * A::epsilon().wide() * expected.abs(), "{what}: {actual}, expected {expected}");
}

/// The norm is that of all elements as one vector.
fn norm(elements: &[f64], norm_type: f64) -> f64 {
    let sizes = elements.iter().map(|g| g.abs());
    if norm_type.is_infinite() {
        sizes.fold(0.0, f64::max)
    } else {
        sizes.map(|g| g.powf(norm_type)).sum::<f64>().powf(1.0 / norm_type)
    }
}

/// A norm that must be finite.
fn strict(max_norm: f64, norm_type: f64) -> MaxNorm {
    MaxNorm::new(max_norm).norm_type(norm_type).error_if_nonfinite(true)
}

/// What is trained together is clipped together: one norm, one factor.
fn a_tuple_is_clipped_as_one<A: Real>() -> TestResult {
    let rng = &mut manual_seed(0);
    let given = (Rnn::<A>::new(RnnConfig::new(3, 4), rng)?, Linear::new(LinearConfig::new(4, 2), rng)?);
    let elements: Vec<_> = flat(&given).iter().map(|g| g.wide()).collect();
    for norm_type in NORM_TYPES {
        let total = norm(&elements, norm_type);
        for max_norm in [total / 3.0, total * 3.0] {
            let (mut gradients, what) = (given.clone(), format!("norm {norm_type} to {max_norm}"));
            expect_near(clip_grad_norm(&mut gradients, strict(max_norm, norm_type))?, total, &what);
            let scale = (max_norm / (total + 1e-6)).min(1.0);
            flat(&gradients).iter().zip(&elements).for_each(|(&g, e)| expect_near(g, e * scale, &what));
        }
    }
    Ok(())
}

/// The least and the largest bound, and gradients that are zero, where 1e-6 keeps the factor finite.
fn bounds_and_gradients_at_the_edges<A: Real>() -> TestResult {
    let (some, zeros) = ([3.0, -4.0, 0.5], [0.0, -0.0, 0.0]);
    let edges = [
        (0.0, some, [0.0, -0.0, 0.0]),
        (f64::INFINITY, some, some),
        (0.0, zeros, zeros),
        (1.0, zeros, zeros),
        (f64::INFINITY, zeros, zeros),
    ];
    for norm_type in NORM_TYPES {
        for (max_norm, given, expected) in edges {
            let (mut gradients, what) = (gradient::<A>(&given)?, format!("{given:?} to {max_norm}"));
            expect_near(
                clip_grad_norm(&mut gradients, strict(max_norm, norm_type))?,
                norm(&given, norm_type),
                &what,
            );
            expect_elements(&gradients, &expected, &what);
        }
    }
    Ok(())
}

/// A NaN makes the norm NaN wherever it stands, and with the norm every element, as in torch.
fn a_nan_makes_all_nan_or_an_error<A: Real>() -> TestResult {
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    for given in
        [[nan, 3.0, -4.0], [3.0, nan, -4.0], [3.0, -4.0, nan], [infinity, nan, 1.0], [nan, 1.0, infinity]]
    {
        for norm_type in NORM_TYPES {
            let (mut gradients, what) = (gradient::<A>(&given)?, format!("{given:?} in norm {norm_type}"));
            let result = clip_grad_norm(&mut gradients, strict(1.0, norm_type));
            expect_message(result, "total_norm must be finite, got NaN");
            expect_elements(&gradients, &given, &what);
            assert!(
                clip_grad_norm(&mut gradients, MaxNorm::new(1.0).norm_type(norm_type))?.is_nan(),
                "{what}"
            );
            expect_elements(&gradients, &[nan; 3], &what);
        }
    }
    Ok(())
}

/// As in torch an infinity becomes NaN and the rest 0; or it is an error.
fn an_infinity_is_scaled_or_an_error<A: Real>() -> TestResult {
    for infinity in [f64::INFINITY, f64::NEG_INFINITY] {
        for norm_type in NORM_TYPES {
            let (given, what) = ([1.0, infinity], format!("{infinity} in norm {norm_type}"));
            let mut gradients = gradient::<A>(&given)?;
            let result = clip_grad_norm(&mut gradients, strict(1.0, norm_type));
            expect_message(result, "total_norm must be finite, got inf");
            expect_elements(&gradients, &given, &what);
            assert_eq!(
                clip_grad_norm(&mut gradients, MaxNorm::new(1.0).norm_type(norm_type))?,
                A::infinity(),
                "{what}"
            );
            expect_elements(&gradients, &[0.0, f64::NAN], &what);
        }
    }
    Ok(())
}

/// A bound of zero or infinity is no error. NaN stays, infinities are limited.
fn values_are_limited<A: Real>() -> TestResult {
    let infinity = f64::INFINITY;
    let given = [f64::NAN, infinity, -infinity, 3.0, -0.5, -0.0];
    for (clip_value, expected) in [
        (1.0, [f64::NAN, 1.0, -1.0, 1.0, -0.5, -0.0]),
        (0.0, [f64::NAN, 0.0, -0.0, 0.0, -0.0, -0.0]),
        (infinity, given),
    ] {
        let mut gradients = gradient::<A>(&given)?;
        clip_grad_value(&mut gradients, clip_value)?;
        expect_elements(&gradients, &expected, &format!("clip_value {clip_value}"));
    }
    Ok(())
}

in_both_types!(
    a_tuple_is_clipped_as_one,
    bounds_and_gradients_at_the_edges,
    a_nan_makes_all_nan_or_an_error,
    an_infinity_is_scaled_or_an_error,
    values_are_limited,
);

/// torch takes norms of order zero and below, which are no norms.
#[test]
fn clipping_says_what_is_wrong() -> TestResult {
    let given = [3.0, -4.0, f64::NAN, f64::INFINITY];
    let mut gradients = gradient::<f64>(&given)?;
    for (wrong, got) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
        let norm = clip_grad_norm(&mut gradients, strict(wrong, 2.0));
        expect_message(norm, &format!("max_norm must be at least 0, got {got}"));
        let norm = clip_grad_norm(&mut gradients, strict(1.0, wrong));
        expect_message(norm, &format!("norm_type must be greater than 0, got {got}"));
        let value = clip_grad_value(&mut gradients, wrong);
        expect_message(value, &format!("clip_value must be at least 0, got {got}"));
        expect_elements(&gradients, &given, got);
    }
    let norm = clip_grad_norm(&mut gradients, strict(1.0, 0.0));
    expect_message(norm, "norm_type must be greater than 0, got 0");
    expect_elements(&gradients, &given, "0");
    Ok(())
}
