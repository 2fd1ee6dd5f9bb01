//! What no memory can hold is an error. The arguments themselves are small: they are broadcast from one number,
//! but what they ask for is large.

use crate::common::{Real, TestResult, expect_error, in_both_types};
use ndarray::{Array, Array1, Array2, Array3, ArrayView, Dimension, IntoDimension};
use ndarray_rnn::loss::{CrossEntropyLoss, MseLoss};
use ndarray_rnn::{Error, Linear, LinearConfig, Result, Rnn, RnnCell, RnnCellConfig, RnnConfig, manual_seed};

const MANY: usize = 1 << 60;

#[track_caller]
fn expect_overflow<T>(result: Result<T>, name: &str, shape: &[usize]) {
    let message = format!("{name}: the shape {shape:?} holds more elements than memory can");
    expect_error(result, &Error::SizeOverflow { name: name.into(), shape: shape.into() }, &message);
}

/// The one number of an array, broadcast.
fn broadcast<A, D: Dimension>(one: &Array<A, D>, shape: D) -> TestResult<ArrayView<'_, A, D>> {
    Ok(one.broadcast(shape).ok_or("cannot be broadcast")?)
}

/// Runs a network `input` to `hidden` on a batch or sequence.
fn expect_too_large<A: Real>(
    [input, hidden]: [usize; 2],
    shape: [usize; 3],
    name: &str,
    too_large: [usize; 3],
) -> TestResult {
    let rnn = Rnn::<A>::new(RnnConfig::new(input, hidden), &mut manual_seed(0))?;
    let one = Array3::zeros((1, 1, 1));
    expect_overflow(rnn.forward(&broadcast(&one, shape.into_dimension())?, None), name, &too_large);
    Ok(())
}

fn results<A: Real>() -> TestResult {
    expect_too_large::<A>([4, 2], [1, MANY, 4], "h_0", [1, MANY, 2])?;
    expect_too_large::<A>([4, 2], [MANY, 1, 4], "output", [MANY, 1, 2])?;
    // What can be addressed need not fit into memory.
    expect_too_large::<A>([4, 2], [1 << 46, 1, 4], "output", [1 << 46, 1, 2])?;
    expect_too_large::<A>([4, 2], [1, 1 << 46, 4], "h_0", [1, 1 << 46, 2])?;
    let cell = RnnCell::<A>::new(RnnCellConfig::new(4, 2), &mut manual_seed(0))?;
    let one = Array2::zeros((1, 1));
    let input = broadcast(&one, (MANY, 4).into_dimension())?;
    expect_overflow(cell.forward(&input, None), "hidden", &[MANY, 2]);
    let linear = Linear::<A>::zeros(LinearConfig::new(4, 2))?;
    expect_overflow(linear.forward(&input), "output", &[MANY, 2]);
    let d_output = broadcast(&one, (MANY, 2).into_dimension())?;
    expect_overflow(linear.backward(&input, &d_output), "output", &[MANY, 2]);
    Ok(())
}

/// Wide inputs of narrow models: a copy of the input is too large, or its gradient.
fn inputs<A: Real>() -> TestResult {
    const ROWS: usize = 1 << 27;
    const WIDTH: usize = 1 << 20;
    expect_too_large::<A>([WIDTH, 1], [1, ROWS, WIDTH], "input", [1, ROWS, WIDTH])?;
    let (linear, one) = (Linear::<A>::zeros(LinearConfig::new(WIDTH, 1))?, Array2::zeros((1, 1)));
    let input = broadcast(&one, (ROWS, WIDTH).into_dimension())?;
    expect_overflow(linear.forward(&input), "input", &[ROWS, WIDTH]);
    let d_output = broadcast(&one, (ROWS, 1).into_dimension())?;
    expect_overflow(linear.backward(&input, &d_output), "d_input", &[ROWS, WIDTH]);
    Ok(())
}

fn gradients_of_losses<A: Real>() -> TestResult {
    let (one, target) = (Array2::<A>::zeros((1, 1)), Array1::zeros(1));
    let input = broadcast(&one, (MANY, 4).into_dimension())?;
    expect_overflow(MseLoss::new().forward(&input, &input), "gradient", &[MANY, 4]);
    expect_overflow(MseLoss::new().unreduced(&input, &input), "gradient", &[MANY, 4]);
    let targets = broadcast(&target, MANY.into_dimension())?;
    expect_overflow(CrossEntropyLoss::new().forward(&input, &targets), "gradient", &[MANY, 4]);
    let classes = broadcast(&one, (1, MANY).into_dimension())?;
    expect_overflow(CrossEntropyLoss::new().forward(&classes, &target), "gradient", &[1, MANY]);
    // An empty batch asks for one of its rows.
    let none = Array2::<A>::zeros((0, 1 << 46));
    expect_overflow(CrossEntropyLoss::new().forward(&none, &Array1::zeros(0)), "input", &[1 << 46]);
    Ok(())
}

in_both_types!(results, inputs, gradients_of_losses);
