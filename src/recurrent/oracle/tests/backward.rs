use ndarray::{Array3, ArrayD};

use super::super::backwards::named;
use super::super::problem::{DROPOUT, lent};
use super::super::{Oracle, Problem, bits};
use super::forward::run;
use super::{problems, sizes};
use crate::error::Result;
use crate::manual_seed;
use crate::packed::{PackedSequence, Packing};
use crate::parameters::Parameters;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::{GruConfig, LstmConfig, RnnConfig};
use crate::scalar::Scalar;

/// Every gradient of the public way back under its name.
pub fn gradients<K: Oracle, A: Scalar>(problem: &Problem<K, A>) -> Result<Vec<(String, ArrayD<A>)>> {
    let Problem { network, d_output, d_state, .. } = problem;
    let (.., trace) = run(problem).forward_train(&mut manual_seed(DROPOUT))?;
    let gradients = network.backward(&trace, d_output, Some(lent::<K, _, _>(d_state)))?;
    let alone = network.backward_parameters(&trace, d_output, Some(lent::<K, _, _>(d_state)))?;
    assert_eq!(alone, gradients.parameters, "of the parameters alone");
    Ok(named(&gradients.parameters, &gradients.input, K::planes(gradients.state)))
}

/// Expects gradients to be those of the loops.
pub fn expect_equal<A: Scalar>(actual: &[(String, ArrayD<A>)], expected: &[(String, ArrayD<A>)], what: &str) {
    assert_eq!(actual.len(), expected.len());
    for ((name, actual), (expected_name, expected)) in actual.iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert_eq!(bits(actual), bits(expected), "{name}, {what}");
    }
}

fn expect_every_backward<K: Oracle, A: Scalar>() -> Result<()> {
    for problem in problems::<K, A>()? {
        let expected = problem.backwards(&problem.forwards()).named();
        expect_equal(&gradients(&problem)?, &expected, &problem.network.config().to_string());
    }
    Ok(())
}

of_every_kind!(every_way_back_is_the_loops, expect_every_backward);

/// The way back of a packed sequence is that of the padded one.
fn expect_packed<K: Oracle>(proj_size: usize) -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, proj_size, ..sizes(4, 19) };
    let mut problem = Problem::<K, f32>::new(two, 6, 4)?;
    problem.lengths = vec![2, 6, 1, 3];
    let pack = |array: &Array3<f32>| {
        PackedSequence::from_padded(array, &problem.lengths, Packing::new().enforce_sorted(false))
    };
    let (Problem { network, state, d_state, .. }, input) = (&problem, pack(&problem.input)?);
    let run = network.run(&input).state(lent::<K, _, _>(state));
    let (.., trace) = run.forward_train(&mut manual_seed(0))?;
    let d_state = Some(lent::<K, _, _>(d_state));
    let actual = network.backward(&trace, &pack(&problem.d_output)?, d_state)?;
    let expected = problem.backwards(&problem.forwards());
    assert_eq!(actual.input.data(), pack(&expected.input)?.data());
    assert_eq!(actual.parameters, expected.parameters);
    assert_eq!(K::planes(actual.state), expected.state);
    Ok(())
}

#[test]
fn the_way_back_of_a_packed_sequence_is_the_loops() -> Result<()> {
    expect_packed::<LstmConfig>(6)?;
    expect_packed::<GruConfig>(0)
}

/// A loss whose gradient is what a problem brings: every output times its `d_output`, and the final states likewise.
fn loss<K: Oracle>(problem: &Problem<K, f64>) -> f64 {
    let passed = problem.forwards();
    let dot = |values: &Array3<f64>, factors| values.iter().zip(factors).map(|(x, d)| x * d).sum::<f64>();
    let of_state = passed.state.as_ref().zip(problem.d_state.as_ref()).map(|(plane, d)| dot(plane, d));
    dot(passed.output(), &problem.d_output) + of_state.h + of_state.c.unwrap_or(0.0)
}

/// The loss after a change of one number, known by its gradient's name and place.
fn loss_with<K: Oracle>(problem: &Problem<K, f64>, name: &str, index: usize, change: f64) -> f64 {
    let mut problem = problem.clone();
    let array = match name {
        "input" => Some(&mut problem.input),
        "h_0" => Some(&mut problem.state.h),
        "c_0" => problem.state.c.as_mut(),
        _ => None,
    };
    let parameters = problem.network.named_parameters_mut().into_iter();
    let all = parameters.chain(array.map(|array| (name.to_owned(), array.view_mut().into_dyn())));
    for (_, mut array) in all.filter(|(of, _)| of == name) {
        array.iter_mut().skip(index).take(1).for_each(|number| *number += change);
    }
    loss(&problem)
}

/// Expects the loops' gradients to be the loss's differences: of dropout, masks, resets and projections too.
fn expect_derivative<K: Oracle>(proj_size: usize, masks: usize) -> Result<()> {
    const STEP: f64 = 1e-5;
    let two = Sizes { num_layers: 2, num_directions: 2, proj_size, dropout: 0.5, ..sizes(2, 3) };
    let problem = Problem::<K, f64>::new(two, 4, 3)?.ragged()?;
    let problem = problem.with_resets().with_reset_state().with_masks(masks);
    for (name, gradient) in problem.backwards(&problem.forwards()).named() {
        for (i, &actual) in gradient.iter().enumerate() {
            let [up, down] = [STEP, -STEP].map(|change| loss_with(&problem, &name, i, change));
            let expected = (up - down) / (2.0 * STEP);
            let error = (actual - expected).abs() / expected.abs().max(1e-2);
            let what = format!("{name}[{i}] of {}, {masks} masks", problem.network.config());
            assert!(error < 1e-7, "{what}: {actual}, {expected}");
        }
    }
    Ok(())
}

#[test]
fn the_loops_are_the_derivative() -> Result<()> {
    for masks in [0, 1] {
        expect_derivative::<RnnConfig>(0, masks)?;
    }
    for (proj_size, masks) in [(0, 0), (2, 1), (0, 4)] {
        expect_derivative::<LstmConfig>(proj_size, masks)?;
    }
    for masks in [0, 1, 3] {
        expect_derivative::<GruConfig>(0, masks)?;
    }
    Ok(())
}
