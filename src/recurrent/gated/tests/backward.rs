use ndarray::{Array3, ArrayD};

use super::super::backwards::named;
use super::super::problem::DROPOUT;
use super::super::{Problem, bits};
use super::{problems, sizes};
use crate::error::Result;
use crate::manual_seed;
use crate::packed::{PackedSequence, Packing};
use crate::parameters::Parameters;
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;

/// Every gradient of the public way back under its name.
pub fn gradients<A: Scalar>(problem: &Problem<A>) -> Result<Vec<(String, ArrayD<A>)>> {
    let ([h, c], [h_reset, c_reset], [d_h, d_c]) = (&problem.state, &problem.reset_state, &problem.d_state);
    let run = problem.network.run(&problem.input).state((h, c)).lengths(&problem.lengths);
    let run = run.resets(&problem.resets).reset_state((h_reset, c_reset));
    let (.., trace) = run.forward_train(&mut manual_seed(DROPOUT))?;
    let gradients = problem.network.backward(&trace, &problem.d_output, Some((d_h, d_c)))?;
    let alone = problem.network.backward_parameters(&trace, &problem.d_output, Some((d_h, d_c)))?;
    assert_eq!(alone, gradients.parameters, "of the parameters alone");
    Ok(named(&gradients.parameters, &gradients.input, &gradients.state.into()))
}

/// Expects gradients to be those of the loops.
pub fn expect_equal<A: Scalar>(actual: &[(String, ArrayD<A>)], expected: &[(String, ArrayD<A>)], what: &str) {
    assert_eq!(actual.len(), expected.len());
    for ((name, actual), (expected_name, expected)) in actual.iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert_eq!(bits(actual), bits(expected), "{name}, {what}");
    }
}

fn expect_every_backward<A: Scalar>() -> Result<()> {
    for problem in problems::<A>()? {
        let expected = problem.backwards(&problem.forwards()).named();
        expect_equal(&gradients(&problem)?, &expected, &format!("{:?}", problem.sizes()));
    }
    Ok(())
}

#[test]
fn every_way_back_is_the_loops_f32() -> Result<()> {
    expect_every_backward::<f32>()
}

#[test]
fn every_way_back_is_the_loops_f64() -> Result<()> {
    expect_every_backward::<f64>()
}

/// The way back of a packed sequence is that of the padded one.
#[test]
fn the_way_back_of_a_packed_sequence_is_the_loops() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, proj_size: 6, ..sizes(4, 19) };
    let mut problem = Problem::<f32>::new(two, 6, 4)?;
    problem.lengths = vec![2, 6, 1, 3];
    let pack = |array: &Array3<f32>| {
        PackedSequence::from_padded(array, &problem.lengths, Packing::new().enforce_sorted(false))
    };
    let (Problem { network, state: [h, c], d_state: [d_h, d_c], .. }, input) =
        (&problem, pack(&problem.input)?);
    let (.., trace) = network.run(&input).state((h, c)).forward_train(&mut manual_seed(0))?;
    let actual = network.backward(&trace, &pack(&problem.d_output)?, Some((d_h, d_c)))?;
    let expected = problem.backwards(&problem.forwards());
    assert_eq!(actual.input.data(), pack(&expected.input)?.data());
    assert_eq!(actual.parameters, expected.parameters);
    assert_eq!(actual.state, expected.state.into());
    Ok(())
}

/// A loss whose gradient is what a problem brings: every output times its `d_output`, and the final states likewise.
fn loss(problem: &Problem<f64>) -> f64 {
    let passed = problem.forwards();
    let [h_n, c_n] = &passed.state;
    let [d_h, d_c] = &problem.d_state;
    let outputs = &passed.outputs[passed.outputs.len() - 1];
    let pairs = [(outputs, &problem.d_output), (h_n, d_h), (c_n, d_c)];
    pairs.into_iter().flat_map(|(values, factors)| values.iter().zip(factors)).map(|(x, d)| x * d).sum()
}

/// The loss after a change of one number, known by its gradient's name and place.
fn loss_with(problem: &Problem<f64>, name: &str, index: usize, change: f64) -> f64 {
    let mut problem = problem.clone();
    let array = match name {
        "input" => Some(&mut problem.input),
        "h_0" => Some(&mut problem.state[0]),
        "c_0" => Some(&mut problem.state[1]),
        _ => None,
    };
    let parameters = problem.network.named_parameters_mut().into_iter();
    let all = parameters.chain(array.map(|array| (name.to_owned(), array.view_mut().into_dyn())));
    for (_, mut array) in all.filter(|(of, _)| of == name) {
        array.iter_mut().skip(index).take(1).for_each(|number| *number += change);
    }
    loss(&problem)
}

/// The loops' gradients are the loss's differences: of dropout, masks, resets and projections too.
#[test]
fn the_loops_are_the_derivative() -> Result<()> {
    const STEP: f64 = 1e-5;
    let two = Sizes { num_layers: 2, num_directions: 2, dropout: 0.5, ..sizes(2, 3) };
    for (proj_size, masks) in [(0, 0), (2, 0), (0, 1), (2, 2), (0, 2)] {
        let problem = Problem::<f64>::new(Sizes { proj_size, ..two }, 4, 3)?.ragged()?;
        let problem = problem.with_resets().with_reset_state().with_masks(masks);
        for (name, gradient) in problem.backwards(&problem.forwards()).named() {
            for (i, &actual) in gradient.iter().enumerate() {
                let [up, down] = [STEP, -STEP].map(|change| loss_with(&problem, &name, i, change));
                let expected = (up - down) / (2.0 * STEP);
                let error = (actual - expected).abs() / expected.abs().max(1e-2);
                assert!(
                    error < 1e-7,
                    "{name}[{i}], {proj_size} features, {masks} masks: {actual}, {expected}"
                );
            }
        }
    }
    Ok(())
}
