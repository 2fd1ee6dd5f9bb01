//! Clipping of gradients and schedules of the learning rate: against torch, at the edges, bad input.

mod common;

use common::training::{cases, difference, draw, expect_message, fixture, flat, model, schedule};
use common::{Real, TestResult};
use ndarray::{ArrayD, array};
use ndarray_rnn::optim::{CosineAnnealingLr, ExponentialLr, StepLr, clip_grad_norm, clip_grad_value};
use ndarray_rnn::{Linear, LinearConfig, Parameters};

/// libm's powers and cosine are not the C library's: a few ULP.
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
            let norm = clip_grad_norm(&mut gradients, max_norm, norm_type, true)?;
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

/// torch rounds after every sum, norm and factor: four roundings or so.
#[test]
fn clipping_is_torchs() -> TestResult {
    clipping::<f32>(3e-7)?;
    clipping::<f64>(5e-16)
}

#[test]
fn a_norm_that_is_not_finite_is_reported_when_asked() -> TestResult {
    let mut gradients = Linear::<f32>::zeros(LinearConfig::new(2, 1).bias(false))?;
    gradients.load_state_dict([("weight", array![[1.0, f32::INFINITY]])])?;
    let before = gradients.clone();
    for norm_type in [1.0, 2.0, f64::INFINITY] {
        let result = clip_grad_norm(&mut gradients, 1.0, norm_type, true);
        expect_message(result, "total_norm must be finite, got inf");
        assert_eq!(gradients, before);
    }
    assert_eq!(clip_grad_norm(&mut gradients, 1.0, 2.0, false)?, f32::INFINITY);
    assert_eq!(gradients.parameters().weight()[[0, 0]], 0.0);
    assert!(gradients.parameters().weight()[[0, 1]].is_nan());
    assert!(clip_grad_norm(&mut gradients, 1.0, f64::INFINITY, false)?.is_nan());
    Ok(())
}

#[test]
fn clipping_says_what_is_wrong() -> TestResult {
    let (mut gradients, _) = model::<f64>(&serde_json::json!({ "seed": 0 }))?;
    let before = gradients.clone();
    let clip = &mut gradients;
    expect_message(clip_grad_norm(clip, -1.0, 2.0, true), "max_norm must be at least 0, got -1");
    expect_message(clip_grad_norm(clip, f64::NAN, 2.0, true), "max_norm must be at least 0, got NaN");
    expect_message(clip_grad_norm(clip, 1.0, 0.0, true), "norm_type must be greater than 0, got 0");
    expect_message(clip_grad_value(clip, -1.0), "clip_value must be at least 0, got -1");
    assert_eq!(gradients, before);
    Ok(())
}
