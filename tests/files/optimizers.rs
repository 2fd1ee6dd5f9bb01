//! torch's optimisers go on here as they do there, and are written as torch reads them.
//!
//! `interop/torch_optimizers.py` makes the fixture, and checks that torch goes on from what is written here.

use ndarray::ArrayD;
use ndarray_rnn::io::{StateDict, pt};
use ndarray_rnn::optim::{
    Adam, AdamConfig, Algorithm, Optimizer, RmsProp, RmsPropConfig, Sgd, SgdConfig, StepLr,
};
use ndarray_rnn::{Linear, LinearConfig, manual_seed};

use crate::common::TestResult;
use crate::common::training::{difference, draw, expect_message, flat};
use crate::path;

type Model = (Linear<f32>, Linear<f32>);

fn model(file: &StateDict, name: &str) -> TestResult<Model> {
    let map = |i| Linear::from_state_dict(&file.under(&format!("{name}.parameters.{i}.")));
    Ok((map(0)?, map(1)?))
}

/// Goes on from a case of the file for five steps, and returns the optimiser as it was read.
fn follow<C: Algorithm + PartialEq>(
    file: &StateDict,
    name: &str,
    mut optimizer: Optimizer<C, f32>,
) -> TestResult<Optimizer<C, f32>> {
    optimizer.load_torch(file, &format!("{name}.optimizer."))?;
    let read = optimizer.clone();
    let mut model = model(file, name)?;
    let (mut gradients, mut rng) = (model.clone(), manual_seed(2));
    for _ in 0..5 {
        draw(&mut gradients.0, &mut rng)?;
        draw(&mut gradients.1, &mut rng)?;
        optimizer.step(&mut model, &gradients)?;
    }
    let name = format!("{name}.after");
    let after: ArrayD<f32> = file.get(&name).ok_or("no result")?.to_array(&name)?;
    // torch's square roots are not the same on every make of processor.
    assert!(difference(&flat(&model), &after, &name) <= 1e-6, "{name}");
    Ok(read)
}

#[test]
fn optimisers_of_torch_go_on_here_and_back() -> TestResult {
    let file = pt::read(path("optimizers.pt"))?;
    let model = model(&file, "sgd")?;
    let sgd = follow(&file, "sgd", Sgd::new(SgdConfig::new(), &model)?)?;
    assert_eq!(sgd.config(), &SgdConfig::new().lr(0.1).momentum(0.9).dampening(0.1).weight_decay(0.01));
    let plain = follow(&file, "plain", Sgd::new(SgdConfig::new(), &model)?)?;
    assert_eq!(plain.config(), &SgdConfig::new().lr(0.1).maximize(true));
    let adam = follow(&file, "adam", Adam::new(AdamConfig::new(), &model)?)?;
    assert_eq!(
        (adam.config(), adam.state_dict().step),
        (&AdamConfig::new().lr(0.03).betas(0.8, 0.99).eps(1e-6), 3)
    );
    let second = |name: &str| name.starts_with("1.");
    let config = AdamConfig::new();
    let adamw = follow(&file, "adamw", Adam::new(config.clone(), &model)?.group(config, second)?)?;
    let expected = AdamConfig::adamw().lr(0.02).amsgrad(true);
    assert_eq!(
        adamw.groups(),
        [expected, AdamConfig::adamw().amsgrad(false).lr(0.005).weight_decay(0.1).amsgrad(true)]
    );
    let config = RmsPropConfig::new();
    let rmsprop = follow(&file, "rmsprop", RmsProp::new(config.clone(), &model)?.group(config, second)?)?;
    let expected = RmsPropConfig::new().alpha(0.9).centered(true);
    assert_eq!(rmsprop.groups(), [expected.clone(), expected.momentum(0.5)]);

    let written = pt::Checkpoint::new()
        .optimizer("sgd", &sgd)
        .optimizer("plain", &plain)
        .optimizer("adam", &adam)
        .optimizer("adamw", &adamw)
        .optimizer("rmsprop", &rmsprop)
        .to_bytes()?;
    let committed = path("../written/optimizers.pt");
    assert_eq!(written, std::fs::read(&committed)?, "{}", committed.display());
    let again = pt::from_bytes(&written)?;
    let mut read = Adam::new(AdamConfig::new(), &model)?;
    read.load_torch(&again, "adam.")?;
    assert_eq!(read, adam);
    Ok(())
}

/// The learning rate is part of a state: a schedule goes on where it was.
#[test]
fn a_schedule_is_taken_up() -> TestResult {
    let mut model = Linear::<f32>::zeros(LinearConfig::new(2, 1))?;
    let gradients = model.clone();
    let mut sgd = Sgd::new(SgdConfig::new().lr(1.0), &model)?;
    let schedule = StepLr::new(1.0, 1, 0.1)?;
    for epoch in 0..3 {
        sgd.set_lr(schedule.lr(epoch))?;
        sgd.step(&mut model, &gradients)?;
    }
    let mut resumed = Sgd::new(SgdConfig::new().lr(1.0), &model)?;
    resumed.load_state_dict(&sgd.state_dict())?;
    assert_eq!((resumed.lr(), &resumed), (schedule.lr(2), &sgd));
    let bytes = pt::Checkpoint::new().optimizer("optimizer", &sgd).to_bytes()?;
    let mut resumed = Sgd::new(SgdConfig::new().lr(1.0), &model)?;
    resumed.load_torch(&pt::from_bytes(&bytes)?, "optimizer.")?;
    assert_eq!(resumed.lr(), sgd.lr());
    Ok(())
}

#[test]
fn other_optimisers_are_refused_by_name() -> TestResult {
    let file = pt::read(path("optimizers.pt"))?;
    let model = model(&file, "sgd")?;
    let mut adam = Adam::new(AdamConfig::new(), &model)?;
    let before = adam.clone();
    let mut refused = |file: &StateDict, prefix: &str, message: &str| {
        expect_message(adam.load_torch(file, prefix), &format!("torch optimizer state: {message}"));
        assert_eq!(adam, before);
    };
    refused(&file, "sgd.optimizer.", "param_groups.0.betas.0: expected a number, got nothing");
    refused(&file, "optimizer.", "param_groups: expected 1 groups, got 0 groups");
    refused(&file, "adamw.optimizer.", "param_groups: expected 1 groups, got 2 groups");
    let with = |name: &str, value: &str| {
        let mut file = file.clone();
        file.metadata_mut().insert(format!("adam.optimizer.{name}"), value.into());
        file
    };
    let prefix = "adam.optimizer.";
    refused(&with("param_groups.0.lr", "fast"), prefix, "param_groups.0.lr: expected a number, got fast");
    refused(&with("param_groups.0.params.1", "3"), prefix, "param_groups.0.params.1: expected 1, got 3");
    let message = "param_groups.0.param_names.0: expected 0.weight, got fc.bias";
    refused(&with("param_groups.0.param_names.0", "fc.bias"), prefix, message);
    let message = "param_groups.0.rho: an option of another optimiser is not supported";
    refused(&with("param_groups.0.rho", "1"), prefix, message);
    let mut sgd = Sgd::new(SgdConfig::new(), &model)?;
    expect_message(
        sgd.load_torch(&file, "rmsprop.optimizer."),
        "torch optimizer state: param_groups: expected 1 groups, got 2 groups",
    );
    let mut small = Adam::new(AdamConfig::new(), &model.0)?;
    expect_message(
        small.load_torch(&file, prefix),
        "torch optimizer state: param_groups.0.params: expected 2 parameters, [\"weight\", \"bias\"], got 4",
    );
    let twice = pt::Checkpoint::new().int("epoch", 1).float("epoch", 1.0).to_bytes();
    expect_message(twice, "duplicate parameter epoch");
    Ok(())
}
