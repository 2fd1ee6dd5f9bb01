//! Schedules of the learning rate over whole curves, compared with torch's over the fixtures of `golden/schedules.py`;
//! groups of parameters; bad input.

use crate::common::TestResult;
use crate::common::golden::Golden;
use crate::common::training::{cases, expect_message, size, sizes};
use ndarray_rnn::optim::{
    Adam, AdamConfig, AnnealStrategy, CosineAnnealingLr, CosineAnnealingWarmRestarts, LinearLr, MultiStepLr,
    OneCycleConfig, OneCycleLr, PlateauConfig, PlateauMode, ReduceLrOnPlateau, Sgd, SgdConfig, ThresholdMode,
};
use ndarray_rnn::{Linear, LinearConfig, manual_seed};
use serde_json::Value;

fn fixture() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../golden/schedules.safetensors"))
}

/// Expects a curve, whose largest number gives the scale: cosines cancel to almost nothing.
fn expect_curve(
    golden: &Golden,
    name: &str,
    relative: f64,
    at: impl Fn(usize) -> ndarray_rnn::Result<f64>,
) -> TestResult {
    let expected = golden.array::<f64>(name)?;
    let scale = expected.iter().copied().fold(0.0, f64::max);
    for (epoch, &expected) in expected.iter().enumerate() {
        let actual = at(epoch)?;
        assert!(
            (actual - expected).abs() <= relative * scale,
            "{name} at {epoch}: {actual}, of torch {expected}"
        );
    }
    Ok(())
}

fn one_cycle(options: &Value) -> TestResult<OneCycleLr> {
    let number = |key: &str, default| options[key].as_f64().unwrap_or(default);
    let mut config = OneCycleConfig::new(0.1, size(&options["total_steps"])?);
    config.pct_start = number("pct_start", config.pct_start);
    config.base_momentum = number("base_momentum", config.base_momentum);
    config.max_momentum = number("max_momentum", config.max_momentum);
    config.div_factor = number("div_factor", config.div_factor);
    config.final_div_factor = number("final_div_factor", config.final_div_factor);
    if options["anneal_strategy"] == "linear" {
        config = config.anneal_strategy(AnnealStrategy::Linear);
    }
    Ok(OneCycleLr::new(config.three_phase(options["three_phase"] == true))?)
}

/// libm's powers and cosines differ from the C library's by a few ULP.
#[test]
fn curves_are_torchs() -> TestResult {
    let golden = fixture()?;
    let cases = cases::<f64>(&golden, "curve")?;
    assert_eq!(cases.len(), 53);
    for (name, case) in cases {
        let options = &case["options"];
        let number = |key: &str| options[key].as_f64().ok_or_else(|| format!("no {key}"));
        let rates = format!("{name}.rates");
        match case["scheduler"].as_str() {
            Some("MultiStepLR") => {
                let schedule = MultiStepLr::new(0.1, sizes(&options["milestones"])?, number("gamma")?)?;
                expect_curve(&golden, &rates, 1e-15, |epoch| Ok(schedule.lr(epoch)))?;
            }
            Some("LinearLR") => {
                let total = size(&options["total_iters"])?;
                let linear = LinearLr::new(0.1, number("start_factor")?, number("end_factor")?, total)?;
                expect_curve(&golden, &rates, 1e-15, |epoch| Ok(linear.lr(epoch)))?;
                // torch multiplies step by step.
                let cosine = CosineAnnealingLr::new(0.1, 20, 0.001)?;
                expect_curve(&golden, &format!("{name}.warm"), 1e-13, |epoch| {
                    Ok(if epoch < total { linear.lr(epoch) } else { cosine.lr(epoch - total) })
                })?;
            }
            Some("CosineAnnealingWarmRestarts") => {
                let (t_0, t_mult) = (size(&options["T_0"])?, size(&options["T_mult"])?);
                let schedule = CosineAnnealingWarmRestarts::new(0.1, t_0, t_mult, number("eta_min")?)?;
                expect_curve(&golden, &rates, 1e-15, |epoch| Ok(schedule.lr(epoch)))?;
            }
            Some("OneCycleLR") => {
                let schedule = one_cycle(options)?;
                expect_curve(&golden, &rates, 1e-15, |step| schedule.lr(step))?;
                expect_curve(&golden, &format!("{name}.momenta"), 1e-15, |step| schedule.momentum(step))?;
            }
            other => return Err(format!("no schedule {other:?}").into()),
        }
    }
    Ok(())
}

/// Two groups, one slow.
fn groups() -> TestResult<Sgd<f32>> {
    let linear = Linear::<f32>::zeros(LinearConfig::new(2, 1))?;
    let config = SgdConfig::new().lr(0.1);
    Ok(Sgd::new(config.clone(), &linear)?.group(config.lr(0.003), |name| name == "bias")?)
}

/// Bit for bit, in both groups.
#[test]
fn plateaus_are_torchs() -> TestResult {
    let golden = fixture()?;
    let cases = cases::<f64>(&golden, "plateau")?;
    assert_eq!(cases.len(), 14);
    let mut falls = 0;
    for (name, case) in cases {
        let options = &case["options"];
        let number = |key: &str, default| options[key].as_f64().unwrap_or(default);
        let count =
            |key: &str, default: usize| if options[key].is_u64() { size(&options[key]) } else { Ok(default) };
        let mut config = PlateauConfig::new();
        config.factor = number("factor", config.factor);
        config.threshold = number("threshold", config.threshold);
        config.min_lr = number("min_lr", config.min_lr);
        config.eps = number("eps", config.eps);
        config.patience = count("patience", config.patience)?;
        config.cooldown = count("cooldown", config.cooldown)?;
        if options["mode"] == "max" {
            config = config.mode(PlateauMode::Max);
        }
        if options["threshold_mode"] == "abs" {
            config = config.threshold_mode(ThresholdMode::Abs);
        }
        let (mut schedule, mut sgd) = (ReduceLrOnPlateau::new(config)?, groups()?);
        let rates = golden.array::<f64>(&format!("{name}.rates"))?;
        for (metric, rates) in golden.array::<f64>(&format!("{name}.metrics"))?.iter().zip(rates.outer_iter())
        {
            schedule.step(*metric, &mut sgd)?;
            assert_eq!([sgd.groups()[0].lr, sgd.groups()[1].lr], [rates[0], rates[1]], "{case}");
        }
        falls += usize::from(sgd.lr() < 0.1);
    }
    assert!(falls >= 12, "{falls}");
    Ok(())
}

/// A group moves as an optimiser of its own options would move it.
#[test]
fn groups_have_their_own_options() -> TestResult {
    let rng = &mut manual_seed(0);
    let mut draw = |inputs, outputs| Linear::<f64>::new(LinearConfig::new(inputs, outputs), rng);
    let (mut model, gradients) = ((draw(3, 4)?, draw(4, 2)?), (draw(3, 4)?, draw(4, 2)?));
    let (mut first, mut second) = model.clone();
    let (slow, fast) = (AdamConfig::new().lr(0.001), AdamConfig::adamw().lr(0.1).amsgrad(true));
    let mut alone = (Adam::new(slow.clone(), &first)?, Adam::new(fast.clone(), &second)?);
    let mut adam = Adam::new(slow, &model)?.group(fast.clone(), |name| name.starts_with("1."))?;
    for _ in 0..3 {
        adam.step(&mut model, &gradients)?;
        alone.0.step(&mut first, &gradients.0)?;
        alone.1.step(&mut second, &gradients.1)?;
    }
    assert_eq!(model, (first, second));

    let state = adam.state_dict();
    assert_eq!(state.groups[1].params, ["1.weight", "1.bias"]);
    let mut again = Adam::new(AdamConfig::new(), &model)?;
    again.load_state_dict(&state)?;
    assert_eq!(again, adam);
    adam.set_config(1, fast.clone().lr(0.2))?;
    assert_eq!((adam.lr(), adam.groups()[1].lr), (0.001, 0.2));
    adam.set_lr(0.5)?;
    assert_eq!([adam.groups()[0].lr, adam.groups()[1].lr], [0.5, 0.5]);
    Ok(())
}

#[test]
fn groups_say_what_is_wrong() -> TestResult {
    let sgd = groups()?;
    let group = |config, is_in: fn(&str) -> bool, message| {
        expect_message(sgd.clone().group(config, is_in), message);
    };
    group(SgdConfig::new(), |name| name == "bias", "duplicate parameter bias");
    group(
        SgdConfig::new(),
        |name| name == "head",
        "a group of parameters is not possible: it would have no parameters",
    );
    group(SgdConfig::new().lr(-1.0), |_| true, "lr must be finite and at least 0, got -1");
    let mut stepped = groups()?;
    let mut linear = Linear::<f32>::zeros(LinearConfig::new(2, 1))?;
    let gradient = linear.clone();
    stepped.step(&mut linear, &gradient)?;
    expect_message(
        stepped.clone().group(SgdConfig::new(), |name| name == "weight"),
        "a group of parameters is not possible: steps were made already",
    );
    let message = "set_config is not possible: the new options keep other buffers than the old ones";
    expect_message(stepped.set_config(1, SgdConfig::new().momentum(0.9)), message);
    let message = "group: index 2 is out of bounds, the number of groups is 2";
    expect_message(stepped.set_config(2, SgdConfig::new()), message);

    let mut state = stepped.state_dict();
    state.groups[1].params[0] = "weight".into();
    expect_message(stepped.load_state_dict(&state), "duplicate parameter weight");
    state.groups[1].params.clear();
    expect_message(stepped.load_state_dict(&state), "missing parameter bias: expected shape [1]");
    state.groups.clear();
    expect_message(stepped.load_state_dict(&state), "the number of groups must be greater than zero");
    Ok(())
}

#[test]
fn schedules_of_other_shapes_say_what_is_wrong() -> TestResult {
    expect_message(MultiStepLr::new(-0.1, [1], 0.5), "base_lr must be finite and at least 0, got -0.1");
    expect_message(LinearLr::new(0.1, 0.0, 1.0, 5), "start_factor must be a number in (0, 1], got 0");
    expect_message(LinearLr::new(0.1, 0.5, 1.5, 5), "end_factor must be a number in [0, 1], got 1.5");
    expect_message(LinearLr::new(0.1, 0.5, 1.0, 0), "total_iters must be greater than zero");
    expect_message(CosineAnnealingWarmRestarts::new(0.1, 0, 1, 0.0), "t_0 must be greater than zero");
    expect_message(CosineAnnealingWarmRestarts::new(0.1, 1, 0, 0.0), "t_mult must be greater than zero");
    let config = OneCycleConfig::new(0.1, 10);
    expect_message(
        OneCycleLr::new(config.pct_start(0.1)),
        "pct_start * total_steps must be another number than 1, got 1",
    );
    expect_message(OneCycleLr::new(config)?.lr(10), "step: index 10 is out of bounds, total_steps is 10");
    expect_message(
        ReduceLrOnPlateau::new(PlateauConfig::new().factor(1.0)),
        "factor must be a number in [0, 1), got 1",
    );
    Ok(())
}
