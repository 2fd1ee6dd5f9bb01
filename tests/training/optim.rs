//! Optimisers, compared with torch; saved state; bad input changes nothing.
//!
//! torch's kernels fuse `add(alpha)`, `addcmul` and `lerp`, but not `addcdiv`. Computed in the same way,
//! parameters are equal bit for bit after every step. The exceptions are Adam's and RMSprop's in `f64`, where one
//! in a hundred of torch's square roots (MKL's) is not the nearest number.

use crate::common::golden::Golden;
use crate::common::training::{cases, difference, draw, expect_message, fixture, flat, model, schedule};
use crate::common::{Real, TestResult};
use ndarray::{Array2, ArrayD, ArrayViewD, ArrayViewMutD, Axis};
use ndarray_rnn::optim::{Adam, AdamConfig, Algorithm, Optimizer, RmsProp, RmsPropConfig, Sgd, SgdConfig};
use ndarray_rnn::{Linear, LinearConfig, Parameters, Rnn, RnnConfig, manual_seed};
use serde_json::Value;

/// Makes as many steps beside torch as the fixture has. Returns their number and the largest difference.
fn follow<A: Real>(
    golden: &Golden,
    (name, case): &(String, Value),
    config: impl Algorithm,
) -> TestResult<(usize, f64)> {
    let (mut linear, mut rng) = model::<A>(case)?;
    let mut gradients = linear.clone();
    let mut optimizer = Optimizer::new(config, &linear)?;
    let lr = case["scheduler"].is_string().then(|| schedule(case)).transpose()?;
    let expected = golden.array::<A>(&format!("{name}.parameters"))?;
    let mut worst = 0.0_f64;
    for (step, expected) in expected.outer_iter().enumerate() {
        draw(&mut gradients, &mut rng)?;
        if let Some(lr) = &lr {
            optimizer.set_lr(lr(step))?;
        }
        optimizer.step(&mut linear, &gradients)?;
        worst = worst.max(difference(&flat(&linear), &expected.to_owned(), name));
    }
    Ok((expected.len_of(Axis(0)), worst))
}

fn sgd(options: &Value) -> SgdConfig {
    let number = |key: &str, default| options[key].as_f64().unwrap_or(default);
    let mut config = SgdConfig::new();
    config.lr = number("lr", config.lr);
    config.momentum = number("momentum", config.momentum);
    config.dampening = number("dampening", config.dampening);
    config.weight_decay = number("weight_decay", config.weight_decay);
    config.nesterov(options["nesterov"] == true).maximize(options["maximize"] == true)
}

fn adam(mut config: AdamConfig, options: &Value) -> AdamConfig {
    let number = |key: &str, default| options[key].as_f64().unwrap_or(default);
    config.lr = number("lr", config.lr);
    config.eps = number("eps", config.eps);
    config.weight_decay = number("weight_decay", config.weight_decay);
    if let [Some(beta1), Some(beta2)] = [0, 1].map(|i| options["betas"][i].as_f64()) {
        config = config.betas(beta1, beta2);
    }
    config.amsgrad(options["amsgrad"] == true).maximize(options["maximize"] == true)
}

fn rmsprop(options: &Value) -> RmsPropConfig {
    let number = |key: &str, default| options[key].as_f64().unwrap_or(default);
    let mut config = RmsPropConfig::new();
    config.lr = number("lr", config.lr);
    config.alpha = number("alpha", config.alpha);
    config.eps = number("eps", config.eps);
    config.weight_decay = number("weight_decay", config.weight_decay);
    config.momentum = number("momentum", config.momentum);
    config.centered(options["centered"] == true).maximize(options["maximize"] == true)
}

/// Follows the cases of a group, and expects this number of cases and steps.
fn follow_all<A: Real>(group: &str, [count, steps]: [usize; 2], tolerance_of_roots: f64) -> TestResult {
    let golden = fixture()?;
    let cases = cases::<A>(&golden, group)?;
    assert_eq!(cases.len(), count);
    for case in &cases {
        let options = &case.1["options"];
        let (followed, difference) = match case.1["optimizer"].as_str() {
            Some("SGD") => follow::<A>(&golden, case, sgd(options))?,
            Some("Adam") => follow::<A>(&golden, case, adam(AdamConfig::new(), options))?,
            Some("AdamW") => follow::<A>(&golden, case, adam(AdamConfig::adamw(), options))?,
            Some("RMSprop") => follow::<A>(&golden, case, rmsprop(options))?,
            other => return Err(format!("no optimiser {other:?}").into()),
        };
        let tolerance = if case.1["optimizer"] == "SGD" { 0.0 } else { tolerance_of_roots };
        println!("{difference:e}: {}", case.1);
        assert_eq!(followed, steps, "{}", case.1);
        assert!(difference <= tolerance, "{difference:e}: {}", case.1);
    }
    Ok(())
}

#[test]
fn fifty_steps_are_torchs_in_f32() -> TestResult {
    follow_all::<f32>("optimizer", [31, 50], 0.0)
}

#[test]
fn fifty_steps_are_torchs_in_f64() -> TestResult {
    follow_all::<f64>("optimizer", [31, 50], 1e-15)
}

#[test]
fn scheduled_steps_are_torchs() -> TestResult {
    follow_all::<f32>("scheduled", [2, 20], 0.0)?;
    follow_all::<f64>("scheduled", [2, 20], 1e-15)
}

#[test]
fn options_say_what_is_wrong() -> TestResult {
    let (linear, _) = model::<f64>(&serde_json::json!({ "seed": 0 }))?;
    for lr in [-1e-3, f64::NAN, f64::INFINITY] {
        let message = format!("lr must be finite and at least 0, got {lr}");
        expect_message(Sgd::new(SgdConfig::new().lr(lr), &linear), &message);
    }
    let sgd = |config, message| expect_message(Sgd::new(config, &linear), message);
    let nesterov = SgdConfig::new().nesterov(true);
    sgd(nesterov.clone(), "momentum must be greater than 0 with nesterov, got 0");
    sgd(nesterov.momentum(0.9).dampening(0.1), "dampening must be 0 with nesterov, got 0.1");
    sgd(SgdConfig::new().momentum(-0.9), "momentum must be finite and at least 0, got -0.9");
    sgd(SgdConfig::new().dampening(f64::NAN), "dampening must be finite, got NaN");
    sgd(SgdConfig::new().weight_decay(-1.0), "weight_decay must be finite and at least 0, got -1");
    let adam = |config, message| expect_message(Adam::new(config, &linear), message);
    adam(AdamConfig::new().lr(-1.0), "lr must be finite and at least 0, got -1");
    adam(AdamConfig::new().eps(-1.0), "eps must be finite and at least 0, got -1");
    adam(AdamConfig::new().betas(1.0, 0.9), "beta1 must be a number in [0, 1), got 1");
    adam(AdamConfig::adamw().betas(0.9, f64::NAN), "beta2 must be a number in [0, 1), got NaN");
    adam(AdamConfig::adamw().weight_decay(-1.0), "weight_decay must be finite and at least 0, got -1");
    let rmsprop = |config, message| expect_message(RmsProp::new(config, &linear), message);
    rmsprop(RmsPropConfig::new().alpha(-1.0), "alpha must be finite and at least 0, got -1");
    rmsprop(RmsPropConfig::new().momentum(f64::NAN), "momentum must be finite and at least 0, got NaN");
    Ok(())
}

/// torch's kernels refuse a number that overflows their type.
#[test]
fn options_must_fit_the_parameters_type() -> TestResult {
    let wide = Linear::<f64>::zeros(LinearConfig::new(5, 3))?;
    let linear = Linear::<f32>::zeros(LinearConfig::new(5, 3))?;
    let message = |name| format!("{name} must be finite in the type of the parameters, got {}", 1e39);
    assert!(Sgd::new(SgdConfig::new().lr(1e39).dampening(-1e39), &wide).is_ok());
    expect_message(Sgd::new(SgdConfig::new().lr(1e39), &linear), &message("lr"));
    expect_message(Sgd::new(SgdConfig::new().dampening(1e39), &linear), &message("dampening"));
    expect_message(Adam::new(AdamConfig::new().eps(1e39), &linear), &message("eps"));
    expect_message(RmsProp::new(RmsPropConfig::new().weight_decay(1e39), &linear), &message("weight_decay"));
    let mut sgd = Sgd::new(SgdConfig::new().lr(0.1), &linear)?;
    expect_message(sgd.set_lr(1e39), &message("lr"));
    for lr in [f64::NAN, f64::INFINITY] {
        expect_message(sgd.set_lr(lr), &format!("lr must be finite and at least 0, got {lr}"));
    }
    assert_eq!(sgd.lr(), 0.1);
    Ok(())
}

#[test]
fn a_bad_step_changes_nothing() -> TestResult {
    let (mut linear, mut rng) = model::<f64>(&serde_json::json!({ "seed": 0 }))?;
    let mut optimizer = Adam::new(AdamConfig::new(), &linear)?;
    let gradients = linear.clone();
    optimizer.step(&mut linear, &gradients)?;
    let before = (linear.clone(), optimizer.clone());

    let mut check = |gradients: &Linear<f64>, message| {
        expect_message(optimizer.step(&mut linear, gradients), message);
        assert_eq!((&linear, &optimizer), (&before.0, &before.1), "{message}");
    };
    let wide = Linear::new(LinearConfig::new(5, 4), &mut rng)?;
    check(&wide, "gradient of weight: expected shape [3, 5], got [4, 5]");
    let unbiased = Linear::new(LinearConfig::new(5, 3).bias(false), &mut rng)?;
    check(&unbiased, "missing parameter gradient of bias: expected shape [3]");

    let rnn = Rnn::<f64>::new(RnnConfig::new(5, 3), &mut rng)?;
    let message =
        "unexpected parameter gradient of weight_ih_l0 of shape [3, 5]: the model has [\"weight\", \"bias\"]";
    expect_message(optimizer.step(&mut linear, &rnn), message);
    let mut other = wide.clone();
    expect_message(optimizer.step(&mut other, &wide), "weight: expected shape [3, 5], got [4, 5]");
    expect_message(optimizer.set_lr(-1.0), "lr must be finite and at least 0, got -1");
    assert_eq!((&linear, &optimizer, &other), (&before.0, &before.1, &wide));
    Ok(())
}

#[test]
fn a_step_without_bias_meets_a_gradient_with_one() -> TestResult {
    let mut rng = manual_seed(0);
    let mut linear = Linear::<f32>::new(LinearConfig::new(5, 3).bias(false), &mut rng)?;
    let gradients = Linear::new(LinearConfig::new(5, 3), &mut rng)?;
    let before = linear.clone();
    let result = Sgd::new(SgdConfig::new(), &linear)?.step(&mut linear, &gradients);
    expect_message(result, "unexpected parameter gradient of bias of shape [3]: the model has [\"weight\"]");
    assert_eq!(linear, before);
    Ok(())
}

/// Saves after ten steps; the copy goes on as the original does.
fn saved_and_restored(config: impl Algorithm + PartialEq) -> TestResult {
    let (mut linear, mut rng) = model::<f32>(&serde_json::json!({ "seed": 0 }))?;
    let mut gradients = linear.clone();
    let mut optimizer = Optimizer::new(config.clone(), &linear)?;
    for _ in 0..10 {
        draw(&mut gradients, &mut rng)?;
        optimizer.step(&mut linear, &gradients)?;
    }
    let mut copy = linear.clone();
    let mut restored = Optimizer::new(config, &copy)?;
    restored.load_state_dict(&optimizer.state_dict())?;
    assert_eq!(restored, optimizer);
    for _ in 0..3 {
        draw(&mut gradients, &mut rng)?;
        optimizer.step(&mut linear, &gradients)?;
        restored.step(&mut copy, &gradients)?;
        assert_eq!(copy, linear);
    }
    Ok(())
}

#[test]
fn saved_state_goes_on() -> TestResult {
    saved_and_restored(SgdConfig::new().momentum(0.9))?;
    saved_and_restored(AdamConfig::new().amsgrad(true))?;
    saved_and_restored(RmsPropConfig::new().momentum(0.9).centered(true))
}

#[test]
fn a_bad_state_changes_nothing() -> TestResult {
    let (linear, _) = model::<f32>(&serde_json::json!({ "seed": 0 }))?;
    let mut optimizer = RmsProp::new(RmsPropConfig::new().momentum(0.9).centered(true), &linear)?;
    let good = optimizer.state_dict();
    let names: Vec<_> = good.arrays.iter().map(|(name, _)| &name[..]).collect();
    let buffers = ["square_avg", "momentum_buffer", "grad_avg"];
    let expected =
        ["weight", "bias"].iter().flat_map(|name| buffers.map(|buffer| format!("{name}.{buffer}")));
    assert_eq!(names, expected.collect::<Vec<_>>());

    let mut bad = good.clone();
    bad.step = 7;
    bad.arrays[0].1.fill(1.0);
    bad.arrays[5].1 = ArrayD::zeros(vec![4]);
    expect_message(optimizer.load_state_dict(&bad), "bias.grad_avg: expected shape [3], got [4]");
    bad.arrays.pop();
    expect_message(optimizer.load_state_dict(&bad), "missing parameter bias.grad_avg: expected shape [3]");
    assert_eq!(optimizer.state_dict(), good);
    Ok(())
}

/// A step acts on each element: a tuple's members move as they would alone.
#[test]
fn a_tuple_of_models_is_a_model() -> TestResult {
    let mut rng = manual_seed(0);
    let rnn = Rnn::<f32>::new(RnnConfig::new(4, 5), &mut rng)?;
    let linear = Linear::<f32>::new(LinearConfig::new(5, 3), &mut rng)?;
    let mut model = (rnn.clone(), (linear.clone(), linear.clone(), linear.clone()));
    let names: Vec<_> = model.named_parameters().into_iter().map(|(name, _)| name).collect();
    let expected = [
        ["0.weight_ih_l0", "0.weight_hh_l0", "0.bias_ih_l0", "0.bias_hh_l0"].to_vec(),
        ["1.0.weight", "1.0.bias", "1.1.weight", "1.1.bias", "1.2.weight", "1.2.bias"].to_vec(),
    ];
    assert_eq!(names, expected.concat());
    let mutable: Vec<_> = model.named_parameters_mut().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, mutable);

    let gradients = model.clone();
    Adam::new(AdamConfig::new(), &model)?.step(&mut model, &gradients)?;
    let mut alone = linear.clone();
    Adam::new(AdamConfig::new(), &alone)?.step(&mut alone, &linear)?;
    assert_eq!(model.1, (alone.clone(), alone.clone(), alone));
    assert_ne!(model.0, rnn);
    Ok(())
}

/// A model of a user's own, whose array lies column by column.
#[derive(Clone)]
struct Columns(Array2<f32>);

impl Parameters for Columns {
    type Elem = f32;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, f32>)> {
        vec![("weight".into(), self.0.view().into_dyn())]
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, f32>)> {
        vec![("weight".into(), self.0.view_mut().into_dyn())]
    }
}

#[test]
fn memory_layout_does_not_matter() -> TestResult {
    let mut rng = manual_seed(0);
    let mut rows = Linear::<f32>::new(LinearConfig::new(5, 3).bias(false), &mut rng)?;
    let mut columns =
        Columns(rows.parameters().weight().t().as_standard_layout().into_owned().reversed_axes());
    assert!(!columns.0.is_standard_layout());
    let gradients = Linear::new(LinearConfig::new(5, 3).bias(false), &mut rng)?;
    Sgd::new(SgdConfig::new(), &rows)?.step(&mut rows, &gradients)?;
    Sgd::new(SgdConfig::new(), &columns)?.step(&mut columns, &gradients)?;
    assert_eq!(columns.0, rows.parameters().weight());
    Ok(())
}
