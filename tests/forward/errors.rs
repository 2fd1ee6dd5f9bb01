//! Every invalid argument gets its typed error, with the facts in fields and in the text, and nothing panics.
//!
//! Checks run in torch's order, so that of several mistakes the error names the one that torch names. Where torch
//! has a text with the same facts, the text is torch's. `random.rs`, `parameters.rs` and `state_dict.rs` have the
//! errors of draws, initialisers and state dicts.

use crate::common::{NOT_FINITE, Real, TestResult, expect_error, in_both_types};
use ndarray::{Array, ArrayD, Dimension, Ix1, Ix2, Ix3};
use ndarray_rnn::{CellDim, Error, Result, Rnn, RnnCell, RnnCellConfig, RnnConfig, SequenceDim, manual_seed};

// Constructors

/// Constructs with a generator and without; an error must leave the generator as it was.
#[track_caller]
fn expect_no_rnn<A: Real>(config: RnnConfig, error: &Error, message: &str) {
    expect_error(Rnn::<A>::zeros(config.clone()), error, message);
    let mut rng = manual_seed(0);
    expect_error(Rnn::<A>::new(config, &mut rng), error, message);
    assert_eq!(rng, manual_seed(0), "drawn before {message}");
}

#[track_caller]
fn expect_no_cell<A: Real>(config: RnnCellConfig, error: &Error, message: &str) {
    expect_error(RnnCell::<A>::zeros(config.clone()), error, message);
    let mut rng = manual_seed(0);
    expect_error(RnnCell::<A>::new(config, &mut rng), error, message);
    assert_eq!(rng, manual_seed(0), "drawn before {message}");
}

fn dropout_outside_its_range<A: Real>() -> TestResult {
    for dropout in NOT_FINITE.into_iter().chain([-0.1, 1.1, -f64::MIN_POSITIVE, 1.0 + f64::EPSILON]) {
        let error = Error::OutOfRange { name: "dropout", expected: "a number in [0, 1]", actual: dropout };
        let message = format!("dropout must be a number in [0, 1], got {dropout}");
        for config in [RnnConfig::new(4, 2), RnnConfig::new(4, 2).num_layers(2), RnnConfig::new(0, 0)] {
            expect_no_rnn::<A>(config.dropout(dropout), &error, &message);
        }
    }
    for dropout in [0.0, -0.0, 0.5, 1.0] {
        Rnn::<A>::zeros(RnnConfig::new(4, 2).dropout(dropout))?;
        Rnn::<A>::zeros(RnnConfig::new(4, 2).num_layers(2).dropout(dropout))?;
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
        expect_no_rnn::<A>(RnnConfig::new(input, hidden).num_layers(layers), &zero(name), &message);
        if name != "num_layers" {
            expect_no_cell::<A>(RnnCellConfig::new(input, hidden), &zero(name), &message);
        }
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
            let config = RnnConfig::new(input, hidden).num_layers(layers).bidirectional(both);
            expect_no_rnn::<A>(config.clone(), &error, &message);
            expect_no_rnn::<A>(config.bias(false), &error, &message);
        }
    }
    Ok(())
}

/// Layers whose parameters could be addressed, but whose list finds no memory.
fn networks_too_deep<A: Real>() -> TestResult {
    for layers in [LARGE, 1 << 50] {
        let result = Rnn::<A>::new(RnnConfig::new(1, 1).num_layers(layers), &mut manual_seed(0));
        let Err(Error::SizeOverflow { name, shape }) = result else {
            return Err(format!("{layers} layers").into());
        };
        assert_eq!(name, "parameters");
        assert!(shape.contains(&layers), "{shape:?}");
    }
    Ok(())
}

fn cells_too_large<A: Real>() -> TestResult {
    for (input, hidden) in
        [(usize::MAX, usize::MAX), (LARGE, LARGE), (2, usize::MAX), (usize::MAX, 2), (2, 1 << 62)]
    {
        let shape = vec![hidden, input];
        let message = format!("weight_ih: the shape {shape:?} holds more elements than memory can");
        let error = Error::SizeOverflow { name: "weight_ih".into(), shape };
        expect_no_cell::<A>(RnnCellConfig::new(input, hidden), &error, &message);
        expect_no_cell::<A>(RnnCellConfig::new(input, hidden).bias(false), &error, &message);
    }
    Ok(())
}

// Forward

fn zeros<A: Real, D: Dimension>(shape: &[usize]) -> TestResult<Array<A, D>> {
    Ok(ArrayD::zeros(shape).into_dimensionality()?)
}

/// Runs two layers in two directions, 4 features to 2, on zeros of these shapes. Returns the shapes of `output`
/// and `h_n`.
fn shapes<A: Real>(
    batch_first: bool,
    input: &[usize],
    h_0: Option<&[usize]>,
) -> TestResult<Result<[Vec<usize>; 2]>> {
    fn run<A: Real, D: SequenceDim>(
        rnn: &Rnn<A>,
        input: &[usize],
        h_0: Option<&[usize]>,
    ) -> TestResult<Result<[Vec<usize>; 2]>> {
        let h_0 = h_0.map(zeros::<A, D>).transpose()?;
        let result = rnn.forward(&zeros::<A, D>(input)?, h_0.as_deref());
        Ok(result.map(|(output, h_n)| [output.shape().to_vec(), h_n.shape().to_vec()]))
    }
    let config = RnnConfig::new(4, 2).num_layers(2).bidirectional(true).batch_first(batch_first);
    let rnn = Rnn::<A>::new(config, &mut manual_seed(0))?;
    if input.len() == 2 { run::<A, Ix2>(&rnn, input, h_0) } else { run::<A, Ix3>(&rnn, input, h_0) }
}

/// The text is torch's.
fn input_of_another_width<A: Real>() -> TestResult {
    for (input, actual) in [
        (&[5, 3, 6][..], 6),
        (&[5, 3, 0], 0),
        (&[5, 0, 6], 6),
        (&[5, 6], 6),
        (&[4, 1], 1),
        // Of several mistakes the error names the first that torch finds.
        (&[0, 3, 6], 6),
        (&[0, 6], 6),
    ] {
        let error = Error::Width { array: "input", size: "input_size", expected: 4, actual };
        let message = format!("input.size(-1) must be equal to input_size. Expected 4, got {actual}");
        for batch_first in [false, true] {
            expect_error(shapes::<A>(batch_first, input, None)?, &error, &message);
            let h_0: &[usize] = if input.len() == 2 { &[1, 1] } else { &[1, 1, 1] };
            expect_error(shapes::<A>(batch_first, input, Some(h_0))?, &error, &message);
        }
    }
    Ok(())
}

/// A state is never batch first; layers times directions come first. torch's text says the same of "hidden size".
fn first_state_of_another_shape<A: Real>() -> TestResult {
    for (batch_first, input, expected, actual) in [
        (false, &[5, 3, 4][..], &[4, 3, 2][..], &[2, 3, 2][..]),
        (false, &[5, 3, 4], &[4, 3, 2], &[4, 5, 2]),
        (false, &[5, 3, 4], &[4, 3, 2], &[3, 4, 2]),
        (false, &[5, 3, 4], &[4, 3, 2], &[4, 3, 4]),
        (false, &[5, 3, 4], &[4, 3, 2], &[4, 3, 0]),
        (true, &[5, 3, 4], &[4, 5, 2], &[4, 3, 2]),
        (true, &[5, 3, 4], &[4, 5, 2], &[5, 4, 2]),
        (false, &[5, 0, 4], &[4, 0, 2], &[4, 1, 2]),
        (false, &[5, 1, 4], &[4, 1, 2], &[4, 0, 2]),
        (false, &[5, 4], &[4, 2], &[2, 2]),
        (false, &[5, 4], &[4, 2], &[4, 3]),
        (true, &[5, 4], &[4, 2], &[5, 2]),
        // Of two mistakes the error names the first.
        (false, &[0, 3, 4], &[4, 3, 2], &[4, 1, 2]),
    ] {
        let error = Error::Shape { array: "h_0".into(), expected: expected.into(), actual: actual.into() };
        let message = format!("h_0: expected shape {expected:?}, got {actual:?}");
        expect_error(shapes::<A>(batch_first, input, Some(actual))?, &error, &message);
        if input[0] > 0 {
            assert!(shapes::<A>(batch_first, input, Some(expected))?.is_ok(), "{expected:?}");
        }
    }
    Ok(())
}

fn no_time_step<A: Real>() -> TestResult {
    for (batch_first, shape, h_0) in [
        (false, &[0, 3, 4][..], &[4, 3, 2][..]),
        (true, &[3, 0, 4], &[4, 3, 2]),
        (false, &[0, 0, 4], &[4, 0, 2]),
        (false, &[0, 4], &[4, 2]),
        (true, &[0, 4], &[4, 2]),
    ] {
        let error = Error::EmptySequence { array: "input", shape: shape.into() };
        let message = format!("input: expected sequence length to be larger than 0, got shape {shape:?}");
        expect_error(shapes::<A>(batch_first, shape, None)?, &error, &message);
        expect_error(shapes::<A>(batch_first, shape, Some(h_0))?, &error, &message);
    }
    Ok(())
}

/// A batch of no sequences is no mistake.
fn no_sequence<A: Real>() -> TestResult {
    for h_0 in [None, Some(&[4, 0, 2][..])] {
        assert_eq!(shapes::<A>(false, &[5, 0, 4], h_0)?, Ok([vec![5, 0, 4], vec![4, 0, 2]]));
        assert_eq!(shapes::<A>(true, &[0, 5, 4], h_0)?, Ok([vec![0, 5, 4], vec![4, 0, 2]]));
    }
    // However many steps it has.
    assert_eq!(shapes::<A>(false, &[1 << 40, 0, 4], None)?, Ok([vec![1 << 40, 0, 4], vec![4, 0, 2]]));
    assert_eq!(next_shape::<A>(&[0, 4], None)?, Ok(vec![0, 2]));
    assert_eq!(next_shape::<A>(&[0, 4], Some(&[0, 2]))?, Ok(vec![0, 2]));
    Ok(())
}

// The cell

/// Runs a cell, 4 features to 2, on zeros of these shapes. Returns the shape of the next state.
fn next_shape<A: Real>(input: &[usize], hidden: Option<&[usize]>) -> TestResult<Result<Vec<usize>>> {
    fn run<A: Real, D: CellDim>(
        cell: &RnnCell<A>,
        input: &[usize],
        hidden: Option<&[usize]>,
    ) -> TestResult<Result<Vec<usize>>> {
        let hidden = hidden.map(zeros::<A, D>).transpose()?;
        let result = cell.forward(&zeros::<A, D>(input)?, hidden.as_deref());
        Ok(result.map(|next| next.shape().to_vec()))
    }
    let cell = RnnCell::<A>::new(RnnCellConfig::new(4, 2), &mut manual_seed(0))?;
    if input.len() == 1 { run::<A, Ix1>(&cell, input, hidden) } else { run::<A, Ix2>(&cell, input, hidden) }
}

fn cell_input_of_another_width<A: Real>() -> TestResult {
    for input in [&[3, 5][..], &[0, 5], &[5]] {
        let error = Error::Width { array: "input", size: "input_size", expected: 4, actual: 5 };
        let message = "input.size(-1) must be equal to input_size. Expected 4, got 5";
        expect_error(next_shape::<A>(input, None)?, &error, message);
        let hidden: &[usize] = if input.len() == 1 { &[1] } else { &[1, 1] };
        expect_error(next_shape::<A>(input, Some(hidden))?, &error, message);
    }
    Ok(())
}

fn cell_state_of_another_shape<A: Real>() -> TestResult {
    for (input, expected, actual) in [
        (&[3, 4][..], &[3, 2][..], &[5, 2][..]),
        (&[3, 4], &[3, 2], &[3, 5]),
        (&[3, 4], &[3, 2], &[2, 3]),
        (&[3, 4], &[3, 2], &[1, 2]),
        (&[3, 4], &[3, 2], &[0, 2]),
        (&[4], &[2], &[5]),
        (&[4], &[2], &[1]),
    ] {
        let error = Error::Shape { array: "hidden".into(), expected: expected.into(), actual: actual.into() };
        let message = format!("hidden: expected shape {expected:?}, got {actual:?}");
        expect_error(next_shape::<A>(input, Some(actual))?, &error, &message);
        assert_eq!(next_shape::<A>(input, Some(expected))?, Ok(expected.to_vec()));
    }
    Ok(())
}

in_both_types!(
    dropout_outside_its_range,
    sizes_of_zero,
    networks_too_large,
    networks_too_deep,
    cells_too_large,
    input_of_another_width,
    first_state_of_another_shape,
    no_time_step,
    no_sequence,
    cell_input_of_another_width,
    cell_state_of_another_shape,
);
