//! Finite differences of the loss `sum(output * d_output) + sum(h_n * d_h_n)`, with all arguments at once.
//!
//! They are central differences with a step of 1e-5 in `f64`, whose own error is some 1e-10. Each element must
//! agree within 1e-7, relative where the gradient is larger than 1.

use ndarray::{Array, Ix2, Ix3};
use ndarray_rnn::{Parameters, SequenceDim};
use proptest::prelude::{ProptestConfig, TestCaseError, proptest};

use crate::problem::{Options, Problem, TestResult, cases, small};

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

fn weighted<D: SequenceDim>(values: &Array<f64, D>, weights: &Array<f64, D>) -> f64 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

/// The loss. Its dropout mask is the same each time.
fn loss<D: SequenceDim>(problem: &Problem<f64, D>) -> TestResult<f64> {
    let (output, h_n, _) = problem.forward()?;
    let of_state = problem.d_h_n.as_ref().map_or(0.0, |d_h_n| weighted(&h_n, d_h_n));
    Ok(weighted(&output, &problem.d_output) + of_state)
}

/// Compares the gradient of each of some elements with the difference of the loss when that element is moved.
fn compare<'g, D: SequenceDim>(
    problem: &Problem<f64, D>,
    name: &str,
    gradient: impl Iterator<Item = &'g f64>,
    shift: impl Fn(&mut Problem<f64, D>, usize, f64),
) -> TestResult {
    for (i, &gradient) in gradient.enumerate() {
        let loss_at = |by| {
            let mut moved = problem.clone();
            shift(&mut moved, i, by);
            loss(&moved)
        };
        let difference = (loss_at(STEP)? - loss_at(-STEP)?) / (2.0 * STEP);
        let distance = (difference - gradient).abs() / gradient.abs().max(1.0);
        if distance.is_nan() || distance > TOLERANCE {
            return Err(format!("{name}[{i}] is {gradient}, by difference {difference}").into());
        }
    }
    Ok(())
}

fn shift<D: SequenceDim>(array: &mut Array<f64, D>, i: usize, by: f64) {
    array.iter_mut().skip(i).take(1).for_each(|x| *x += by);
}

fn compare_all<D: SequenceDim>(options: &Options) -> TestResult {
    let problem = options.problem::<f64, D>()?;
    let gradients = problem.gradients()?;
    compare(&problem, "input", gradients.input.iter(), |problem, i, by| shift(&mut problem.input, i, by))?;
    let h_0 = gradients.state.iter().filter(|_| options.h_0);
    compare(&problem, "h_0", h_0, |problem, i, by| {
        problem.h_0.iter_mut().for_each(|h_0| shift(h_0, i, by));
    })?;
    for (parameter, (name, gradient)) in gradients.parameters.named_parameters().iter().enumerate() {
        compare(&problem, name, gradient.iter(), |problem, i, by| {
            let mut parameters = problem.rnn.named_parameters_mut();
            parameters[parameter].1.iter_mut().skip(i).take(1).for_each(|x| *x += by);
        })?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(48) as ProptestConfig)]

    #[test]
    fn gradients_are_finite_differences(options in small()) {
        compare_all::<Ix3>(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn gradients_are_finite_differences_for_one_sequence(options in small()) {
        compare_all::<Ix2>(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn gradients_are_finite_differences_with_everything(options in small()) {
        let options = options.with_everything();
        compare_all::<Ix3>(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}
