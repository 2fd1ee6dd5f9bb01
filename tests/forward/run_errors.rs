//! What a run of a network or a cell refuses, in torch's order and with torch's texts, and that nothing panics.

use std::iter;

use crate::common::kinds::{Cell, Network, Shape};
use crate::common::{Real, TestResult, expect_error, in_both_types};
use ndarray::{Array, ArrayD, Dimension, Ix1, Ix2, Ix3};
use ndarray_rnn::{
    CellDim, Error, GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, Recurrent, RecurrentCell, Result,
    RnnCellConfig, RnnConfig, SequenceDim, manual_seed,
};

fn zeros<A: Real, D: Dimension>(shape: &[usize]) -> TestResult<Array<A, D>> {
    Ok(ArrayD::zeros(shape).into_dimensionality()?)
}

/// The planes of a state, as zeros.
fn planes<A: Real, D: Dimension>(shapes: Option<&[Vec<usize>]>) -> TestResult<Option<Vec<Array<A, D>>>> {
    shapes.map(|shapes| shapes.iter().map(|shape| zeros(shape)).collect()).transpose()
}

/// Shapes, such as those of the output and the planes of the final state.
type Shapes = Vec<Vec<usize>>;

/// Two layers in two directions, 4 features to 2. An LSTM projects 3 units to 2.
fn two_by_two<C: Network>(batch_first: bool) -> C {
    // Only an LSTM has a c.
    let shape =
        if C::PLANES.len() > 1 { Shape { proj_size: 2, ..Shape::new(4, 3) } } else { Shape::new(4, 2) };
    C::of(Shape { num_layers: 2, bidirectional: true, batch_first, ..shape })
}

/// Runs such a network on zeros of these shapes: input and the planes of a state.
fn shapes<C: Network, A: Real>(
    batch_first: bool,
    input: &[usize],
    state: Option<&[Vec<usize>]>,
) -> TestResult<Result<Shapes>> {
    fn run<C: Network, A: Real, D: SequenceDim>(
        network: &Recurrent<C, A>,
        input: &[usize],
        state: Option<&[Vec<usize>]>,
    ) -> TestResult<Result<Shapes>> {
        let (input, state) = (zeros::<A, D>(input)?, planes::<A, D>(state)?);
        let result = network.forward(&input, state.as_deref().map(C::lend));
        // Every way to end a run says the same.
        let run = || state.iter().fold(network.run(&input), |run, state| run.state(C::lend(state)));
        let mut rng = manual_seed(0);
        assert_eq!(run().last().err(), result.as_ref().err().cloned());
        assert_eq!(run().states().err(), result.as_ref().err().cloned());
        assert_eq!(run().forward_train(&mut rng).err(), result.as_ref().err().cloned());
        assert_eq!(rng, manual_seed(0), "drawn");
        Ok(result.map(|(output, state)| {
            let planes = C::split(state);
            iter::once(output).chain(planes).map(|array| array.shape().to_vec()).collect()
        }))
    }
    let network = Recurrent::<C, A>::new(two_by_two(batch_first), &mut manual_seed(0))?;
    if input.len() == 2 {
        run::<C, A, Ix2>(&network, input, state)
    } else {
        run::<C, A, Ix3>(&network, input, state)
    }
}

/// The shapes of the planes of a state that is as long as `leading` says.
fn state_shapes<C: Network>(leading: &[usize]) -> Shapes {
    let widths = two_by_two::<C>(false).shape().widths::<C>();
    widths.into_iter().map(|width| [leading, &[width]].concat()).collect()
}

/// The text is torch's.
fn input_width<C: Network, A: Real>() -> TestResult {
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
            expect_error(shapes::<C, A>(batch_first, input, None)?, &error, &message);
            let state = vec![vec![1; input.len()]; C::PLANES.len()];
            expect_error(shapes::<C, A>(batch_first, input, Some(&state))?, &error, &message);
        }
    }
    Ok(())
}

/// A state is never batch first; layers times directions come first. torch's texts name "hidden size", of an LSTM
/// `hidden[0]` and `hidden[1]`, and h before c.
fn state_shape<C: Network, A: Real>() -> TestResult {
    for (batch_first, input, expected, actual) in [
        (false, &[5, 3, 4][..], &[4, 3][..], &[2, 3][..]),
        (false, &[5, 3, 4], &[4, 3], &[4, 5]),
        (false, &[5, 3, 4], &[4, 3], &[3, 4]),
        (true, &[5, 3, 4], &[4, 5], &[4, 3]),
        (true, &[5, 3, 4], &[4, 5], &[5, 4]),
        (false, &[5, 0, 4], &[4, 0], &[4, 1]),
        (false, &[5, 1, 4], &[4, 1], &[4, 0]),
        (false, &[5, 4], &[4], &[2]),
        (true, &[5, 4], &[4], &[5]),
        // Of two mistakes the error names the first.
        (false, &[0, 3, 4], &[4, 3], &[4, 1]),
    ] {
        let (fits, other) = (state_shapes::<C>(expected), state_shapes::<C>(actual));
        if input[0] > 0 {
            assert!(shapes::<C, A>(batch_first, input, Some(&fits))?.is_ok(), "{expected:?}");
        }
        for (i, plane) in C::PLANES.iter().enumerate() {
            let widths = [1, 0, 5].map(|width| [expected, &[width]].concat());
            for wrong in widths.into_iter().chain([other[i].clone()]) {
                let error = Error::Shape {
                    array: format!("{plane}_0"),
                    expected: fits[i].clone(),
                    actual: wrong.clone(),
                };
                let message = format!("{plane}_0: expected shape {:?}, got {wrong:?}", fits[i]);
                let mut state = fits.clone();
                // Of two planes that do not fit the error names the first.
                state[i..].fill(wrong);
                expect_error(shapes::<C, A>(batch_first, input, Some(&state))?, &error, &message);
            }
        }
    }
    Ok(())
}

fn steps<C: Network, A: Real>() -> TestResult {
    for (batch_first, shape, leading) in [
        (false, &[0, 3, 4][..], &[4, 3][..]),
        (true, &[3, 0, 4], &[4, 3]),
        (false, &[0, 0, 4], &[4, 0]),
        (false, &[0, 4], &[4]),
        (true, &[0, 4], &[4]),
    ] {
        let error = Error::EmptySequence { array: "input", shape: shape.into() };
        let message = format!("input: expected sequence length to be larger than 0, got shape {shape:?}");
        expect_error(shapes::<C, A>(batch_first, shape, None)?, &error, &message);
        let state = state_shapes::<C>(leading);
        expect_error(shapes::<C, A>(batch_first, shape, Some(&state))?, &error, &message);
    }
    Ok(())
}

/// A batch of no sequences is no mistake.
fn none<C: Network, A: Real>() -> TestResult {
    let state = state_shapes::<C>(&[4, 0]);
    let results = |output: &[usize]| Ok(iter::once(output.to_vec()).chain(state.clone()).collect());
    for first in [None, Some(&state[..])] {
        assert_eq!(shapes::<C, A>(false, &[5, 0, 4], first)?, results(&[5, 0, 4]));
        assert_eq!(shapes::<C, A>(true, &[0, 5, 4], first)?, results(&[0, 5, 4]));
    }
    // However many steps it has.
    let network = Recurrent::<C, A>::new(two_by_two(false), &mut manual_seed(0))?;
    assert_eq!(network.forward(&zeros::<A, Ix3>(&[1 << 40, 0, 4])?, None)?.0.shape(), [1 << 40, 0, 4]);
    Ok(())
}

/// Runs a cell, 4 features to 2, on zeros of these shapes. Returns the shapes of the planes of the next state.
fn next_shapes<C: Cell, A: Real>(
    input: &[usize],
    state: Option<&[Vec<usize>]>,
) -> TestResult<Result<Shapes>> {
    fn run<C: Cell, A: Real, D: CellDim>(
        cell: &RecurrentCell<C, A>,
        input: &[usize],
        state: Option<&[Vec<usize>]>,
    ) -> TestResult<Result<Shapes>> {
        let (input, state) = (zeros::<A, D>(input)?, planes::<A, D>(state)?);
        let result = cell.forward(&input, state.as_deref().map(C::lend));
        let training = cell.forward_train(&input, state.as_deref().map(C::lend));
        assert_eq!(training.err(), result.as_ref().err().cloned());
        Ok(result.map(|next| C::split(next).iter().map(|plane| plane.shape().to_vec()).collect()))
    }
    let cell = RecurrentCell::<C, A>::new(C::of(4, 2, true), &mut manual_seed(0))?;
    if input.len() == 1 {
        run::<C, A, Ix1>(&cell, input, state)
    } else {
        run::<C, A, Ix2>(&cell, input, state)
    }
}

fn cell_input_width<C: Cell, A: Real>() -> TestResult {
    for input in [&[3, 5][..], &[0, 5], &[5]] {
        let error = Error::Width { array: "input", size: "input_size", expected: 4, actual: 5 };
        let message = "input.size(-1) must be equal to input_size. Expected 4, got 5";
        expect_error(next_shapes::<C, A>(input, None)?, &error, message);
        let state = vec![vec![1; input.len()]; C::PLANES.len()];
        expect_error(next_shapes::<C, A>(input, Some(&state))?, &error, message);
    }
    Ok(())
}

/// torch's argument of an RNN cell and a GRU cell is called `hidden`.
fn cell_state_shape<C: Cell, A: Real>() -> TestResult {
    let names = if C::PLANES.len() > 1 { &["h_0", "c_0"][..] } else { &["hidden"] };
    for (input, expected, actual) in [
        (&[3, 4][..], &[3, 2][..], &[5, 2][..]),
        (&[3, 4], &[3, 2], &[3, 5]),
        (&[3, 4], &[3, 2], &[2, 3]),
        (&[3, 4], &[3, 2], &[1, 2]),
        (&[3, 4], &[3, 2], &[0, 2]),
        (&[4], &[2], &[5]),
        (&[4], &[2], &[1]),
    ] {
        let fits = vec![expected.to_vec(); names.len()];
        assert_eq!(next_shapes::<C, A>(input, Some(&fits))?, Ok(fits.clone()));
        for (i, name) in names.iter().enumerate() {
            let array = (*name).to_string();
            let error = Error::Shape { array, expected: expected.into(), actual: actual.into() };
            let message = format!("{name}: expected shape {expected:?}, got {actual:?}");
            let mut state = fits.clone();
            state[i..].fill(actual.into());
            expect_error(next_shapes::<C, A>(input, Some(&state))?, &error, &message);
        }
    }
    Ok(())
}

/// A batch of no rows is no mistake.
fn no_rows<C: Cell, A: Real>() -> TestResult {
    let none = vec![vec![0, 2]; C::PLANES.len()];
    assert_eq!(next_shapes::<C, A>(&[0, 4], None)?, Ok(none.clone()));
    assert_eq!(next_shapes::<C, A>(&[0, 4], Some(&none))?, Ok(none));
    Ok(())
}

/// Makes checks of every kind of network or cell.
macro_rules! every {
    ($($name:ident: $check:ident of $($config:ident),+;)+) => {
        $(fn $name<A: Real>() -> TestResult {
            $($check::<$config, A>()?;)+
            Ok(())
        })+
    };
}

every! {
    input_of_another_width: input_width of RnnConfig, LstmConfig, GruConfig;
    first_state_of_another_shape: state_shape of RnnConfig, LstmConfig, GruConfig;
    no_time_step: steps of RnnConfig, LstmConfig, GruConfig;
    no_sequence: none of RnnConfig, LstmConfig, GruConfig;
    cell_input_of_another_width: cell_input_width of RnnCellConfig, LstmCellConfig, GruCellConfig;
    cell_state_of_another_shape: cell_state_shape of RnnCellConfig, LstmCellConfig, GruCellConfig;
    no_row: no_rows of RnnCellConfig, LstmCellConfig, GruCellConfig;
}

in_both_types!(
    input_of_another_width,
    first_state_of_another_shape,
    no_time_step,
    no_sequence,
    cell_input_of_another_width,
    cell_state_of_another_shape,
    no_row,
);
