//! Every invalid argument of a constructor gets its typed error, with the facts in fields and in the text, and
//! nothing panics.
//!
//! Checks run in torch's order, so that of several mistakes the error names the one that torch names. Where torch
//! has a text with the same facts, the text is torch's. `run_errors.rs` has the errors of runs; `random.rs`,
//! `parameters.rs` and `state_dict.rs` have those of draws, initialisers and state dicts.

use crate::common::kinds::{Cell, Network, Shape};
use crate::common::{NOT_FINITE, Real, TestResult, expect_error, in_both_types};
use ndarray_rnn::{
    Error, GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, Recurrent, RecurrentCell, RnnCellConfig,
    RnnConfig, manual_seed,
};

/// Constructs with a generator and without; an error must leave the generator as it was.
#[track_caller]
fn expect_no_network<C: Network, A: Real>(config: C, error: &Error, message: &str) {
    expect_error(Recurrent::<C, A>::zeros(config.clone()), error, message);
    let mut rng = manual_seed(0);
    expect_error(Recurrent::<C, A>::new(config, &mut rng), error, message);
    assert_eq!(rng, manual_seed(0), "drawn before {message}");
}

#[track_caller]
fn expect_no_networks<A: Real>(shape: Shape, error: &Error, message: &str) {
    expect_no_network::<_, A>(RnnConfig::of(shape), error, message);
    expect_no_network::<_, A>(LstmConfig::of(shape), error, message);
    expect_no_network::<_, A>(GruConfig::of(shape), error, message);
}

#[track_caller]
fn expect_no_cell<C: Cell, A: Real>(config: C, error: &Error, message: &str) {
    expect_error(RecurrentCell::<C, A>::zeros(config.clone()), error, message);
    let mut rng = manual_seed(0);
    expect_error(RecurrentCell::<C, A>::new(config, &mut rng), error, message);
    assert_eq!(rng, manual_seed(0), "drawn before {message}");
}

fn dropout_outside_its_range<A: Real>() -> TestResult {
    for dropout in NOT_FINITE.into_iter().chain([-0.1, 1.1, -f64::MIN_POSITIVE, 1.0 + f64::EPSILON]) {
        let error = Error::OutOfRange { name: "dropout", expected: "a number in [0, 1]", actual: dropout };
        let message = format!("dropout must be a number in [0, 1], got {dropout}");
        for (shape, num_layers) in [(Shape::new(4, 2), 1), (Shape::new(4, 2), 2), (Shape::new(0, 0), 0)] {
            expect_no_networks::<A>(Shape { num_layers, dropout, ..shape }, &error, &message);
        }
    }
    for (dropout, num_layers) in [(0.0, 1), (-0.0, 2), (0.5, 1), (0.5, 2), (1.0, 1), (1.0, 2)] {
        let shape = Shape { dropout, num_layers, ..Shape::new(4, 2) };
        Recurrent::<_, A>::zeros(RnnConfig::of(shape))?;
        Recurrent::<_, A>::zeros(LstmConfig::of(shape))?;
        Recurrent::<_, A>::zeros(GruConfig::of(shape))?;
    }
    Ok(())
}

/// torch's texts, in torch's order: `input_size`, `hidden_size`, `num_layers`.
fn sizes_of_zero<A: Real>() -> TestResult {
    let zero = |name| Error::ZeroSize { name };
    for (input, hidden, layers, name) in [
        (0, 2, 1, "input_size"),
        (0, 0, 0, "input_size"),
        (0, usize::MAX, 0, "input_size"),
        (4, 0, 1, "hidden_size"),
        (4, 0, 0, "hidden_size"),
        (4, 2, 0, "num_layers"),
        (usize::MAX, usize::MAX, 0, "num_layers"),
    ] {
        let message = format!("{name} must be greater than zero");
        // A projection that is too wide comes last.
        let shape = Shape { num_layers: layers, proj_size: usize::MAX, ..Shape::new(input, hidden) };
        expect_no_networks::<A>(shape, &zero(name), &message);
        if name != "num_layers" {
            expect_no_cell::<_, A>(RnnCellConfig::of(input, hidden, true), &zero(name), &message);
            expect_no_cell::<_, A>(LstmCellConfig::of(input, hidden, true), &zero(name), &message);
            expect_no_cell::<_, A>(GruCellConfig::of(input, hidden, true), &zero(name), &message);
        }
    }
    Ok(())
}

/// torch says "proj_size has to be smaller than hidden_size".
fn projections_too_wide<A: Real>() -> TestResult {
    for (hidden, proj) in [(4, 4), (4, 5), (1, 1), (4, usize::MAX)] {
        let error = Error::OutOfRange {
            name: "proj_size",
            expected: "smaller than hidden_size, or 0",
            actual: proj as f64,
        };
        let message = format!("proj_size must be smaller than hidden_size, or 0, got {}", proj as f64);
        let config = LstmConfig::new(3, hidden).proj_size(proj);
        expect_no_network::<_, A>(config.clone(), &error, &message);
        expect_no_network::<_, A>(config.num_layers(3).bidirectional(true), &error, &message);
    }
    for (hidden, proj) in [(4, 3), (2, 1), (1, 0)] {
        Recurrent::<_, A>::zeros(LstmConfig::new(3, hidden).proj_size(proj))?;
    }
    Ok(())
}

const LARGE: usize = 1 << 40;

/// Products that overflow, or that overflow when counted in bytes.
fn networks_too_large<A: Real>() -> TestResult {
    for (input, hidden, layers) in [
        (usize::MAX, usize::MAX, 1),
        (usize::MAX, 1, 1),
        (1, usize::MAX, 1),
        (LARGE, LARGE, 1),
        (1, LARGE, 1),
        (1 << 62, 2, 1),
        (usize::MAX / 2 + 1, 2, 1),
        (1, 1, usize::MAX),
        (2, 1 << 20, LARGE),
        (usize::MAX, usize::MAX, usize::MAX),
    ] {
        for both in [false, true] {
            let directions = if both { 2 } else { 1 };
            let shape = vec![layers, directions, hidden, input];
            let message = format!("parameters: the shape {shape:?} holds more elements than memory can");
            let error = Error::SizeOverflow { name: "parameters".into(), shape };
            let shape = Shape { num_layers: layers, bidirectional: both, ..Shape::new(input, hidden) };
            expect_no_networks::<A>(shape, &error, &message);
            expect_no_networks::<A>(Shape { bias: false, ..shape }, &error, &message);
            expect_no_networks::<A>(Shape { proj_size: hidden / 2, ..shape }, &error, &message);
        }
    }
    Ok(())
}

/// Layers whose parameters could be addressed, but would take long to make.
fn networks_too_deep<A: Real>() -> TestResult {
    for layers in [65_537, 1 << 24, LARGE, 1 << 50] {
        let (name, expected, actual) = ("num_layers", "at most 65536", layers as f64);
        let error = Error::OutOfRange { name, expected, actual };
        let message = format!("num_layers must be at most 65536, got {layers}");
        expect_no_networks::<A>(Shape { num_layers: layers, ..Shape::new(1, 1) }, &error, &message);
    }
    Ok(())
}

fn cells_too_large<A: Real>() -> TestResult {
    for (input, hidden) in
        [(usize::MAX, usize::MAX), (LARGE, LARGE), (2, usize::MAX), (usize::MAX, 2), (2, 1 << 62)]
    {
        for bias in [true, false] {
            let error = |gates: usize| {
                let shape = vec![hidden.saturating_mul(gates), input];
                let message = format!("weight_ih: the shape {shape:?} holds more elements than memory can");
                (Error::SizeOverflow { name: "weight_ih".into(), shape }, message)
            };
            let [one, three, four] = [1, 3, 4].map(error);
            expect_no_cell::<_, A>(RnnCellConfig::of(input, hidden, bias), &one.0, &one.1);
            expect_no_cell::<_, A>(GruCellConfig::of(input, hidden, bias), &three.0, &three.1);
            expect_no_cell::<_, A>(LstmCellConfig::of(input, hidden, bias), &four.0, &four.1);
        }
    }
    Ok(())
}

in_both_types!(
    dropout_outside_its_range,
    sizes_of_zero,
    projections_too_wide,
    networks_too_large,
    networks_too_deep,
    cells_too_large,
);
