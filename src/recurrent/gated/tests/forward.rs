use ndarray::{Array3, Axis, Slice, concatenate};

use super::super::forwards::Passed;
use super::super::problem::DROPOUT;
use super::super::{GatedConfig, Problem, bits};
use super::{problems, sizes};
use crate::error::Result;
use crate::packed::{PackedSequence, Packing, Padding};
use crate::parameters::Parameters;
use crate::recurrent::Run;
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;
use crate::{Recurrent, manual_seed};

/// The public pass over a problem.
fn run<A: Scalar>(problem: &Problem<A>) -> Run<'_, GatedConfig, A, Array3<A>> {
    let ([h, c], [h_reset, c_reset]) = (&problem.state, &problem.reset_state);
    let run = problem.network.run(&problem.input).state((h, c)).lengths(&problem.lengths);
    run.resets(&problem.resets).reset_state((h_reset, c_reset))
}

fn expect_state<A: Scalar>(state: &(Array3<A>, Array3<A>), passed: &Passed<A>, what: &str) {
    assert_eq!(bits(&state.0), bits(&passed.state[0]), "h_n, {what}");
    assert_eq!(bits(&state.1), bits(&passed.state[1]), "c_n, {what}");
}

/// Every way to run a batch.
fn expect_forward<A: Scalar>(problem: &Problem<A>) -> Result<()> {
    let trained = problem.forwards();
    let mut plain = problem.clone();
    plain.between.iter_mut().for_each(|factors| factors.fill(A::one()));
    let passed = plain.forwards();
    let what = format!("{:?}", problem.sizes());
    let last = |passed: &Passed<A>| bits(&passed.outputs[passed.outputs.len() - 1]);

    let (output, state) = run(problem).forward()?;
    assert_eq!(bits(&output), last(&passed), "{what}");
    expect_state(&state, &passed, &what);

    let (outputs, state) = run(problem).states()?;
    let actual: Vec<_> = outputs.iter().map(bits).collect();
    assert_eq!(actual, passed.outputs.iter().map(bits).collect::<Vec<_>>(), "states, {what}");
    expect_state(&state, &passed, &what);

    let (last_output, state) = run(problem).last()?;
    let count = passed.state[0].len_of(Axis(0));
    let tops: Vec<_> = passed.state[0].outer_iter().skip(count - problem.sizes().num_directions).collect();
    assert_eq!(bits(&last_output), bits(&concatenate(Axis(1), &tops).expect("as many rows")), "{what}");
    expect_state(&state, &passed, &what);

    let (output, state, _) = run(problem).forward_train(&mut manual_seed(DROPOUT))?;
    assert_eq!(bits(&output), last(&trained), "in training, {what}");
    expect_state(&state, &trained, &what);
    if problem.lengths.len() == 1 {
        expect_single(&plain, &passed)?;
    }
    if problem.lengths.iter().min() > Some(&0) {
        expect_packed(&plain, &passed)?;
    }
    Ok(())
}

/// One sequence without a batch axis.
fn expect_single<A: Scalar>(problem: &Problem<A>, passed: &Passed<A>) -> Result<()> {
    let [h, c] = problem.state.each_ref().map(Problem::single);
    let [h_reset, c_reset] = problem.reset_state.each_ref().map(Problem::single);
    let resets = problem.resets.column(0).to_owned();
    let input = Problem::single(&problem.input);
    let run = problem.network.run(&input).state((&h, &c)).lengths(&problem.lengths);
    let (output, (h_n, c_n)) = run.resets(&resets).reset_state((&h_reset, &c_reset)).forward()?;
    assert_eq!(bits(&output), bits(&passed.outputs[passed.outputs.len() - 1]));
    expect_state(&(h_n.insert_axis(Axis(1)), c_n.insert_axis(Axis(1))), passed, "of one sequence");
    Ok(())
}

/// The same sequences packed.
fn expect_packed<A: Scalar>(problem: &Problem<A>, passed: &Passed<A>) -> Result<()> {
    let packed =
        PackedSequence::from_padded(&problem.input, &problem.lengths, Packing::new().enforce_sorted(false))?;
    let longest = packed.max_len();
    let resets = problem.resets.slice_axis(Axis(0), Slice::from(..longest)).to_owned();
    let ([h, c], [h_reset, c_reset]) = (&problem.state, &problem.reset_state);
    let run = problem.network.run(&packed).state((h, c)).resets(&resets).reset_state((h_reset, c_reset));
    let (output, state) = run.forward()?;
    let padding = Padding::default().total_length(problem.input.len_of(Axis(0)));
    let (output, _) = output.to_padded(padding)?;
    assert_eq!(bits(&output), bits(&passed.outputs[passed.outputs.len() - 1]), "packed");
    expect_state(&state, passed, "packed");
    Ok(())
}

fn expect_every_forward<A: Scalar>() -> Result<()> {
    problems::<A>()?.iter().try_for_each(expect_forward)
}

#[test]
fn every_pass_is_the_loops_f32() -> Result<()> {
    expect_every_forward::<f32>()
}

#[test]
fn every_pass_is_the_loops_f64() -> Result<()> {
    expect_every_forward::<f64>()
}

/// A first state that is not given is zero in both planes.
#[test]
fn a_first_state_is_zero() -> Result<()> {
    let problem = Problem::<f32>::new(Sizes { proj_size: 6, ..sizes(2, 17) }, 4, 3)?;
    let zeros = problem.state.each_ref().map(|plane| Array3::zeros(plane.dim()));
    let expected = problem.network.forward(&problem.input, Some((&zeros[0], &zeros[1])))?;
    assert_eq!(problem.network.forward(&problem.input, None)?, expected);
    Ok(())
}

/// A chain is added to nothing where the input has none: what is zero keeps its sign, which c shows.
#[test]
fn a_sum_of_the_state_alone_keeps_its_sign() -> Result<()> {
    let mut problem = Problem::<f32>::new(sizes(3, 17), 1, 6)?;
    for (name, mut value) in problem.network.named_parameters_mut() {
        match &name[..] {
            "weight_hh_l0" => value.fill(0.0),
            "bias_hh_l0" => value.fill(-0.0),
            _ => {}
        }
    }
    problem.state[0].fill(-1.0);
    problem.state[1].fill(-0.0);
    let passed = problem.forwards();
    assert!(passed.state[1].iter().any(|c| c.is_sign_negative()), "a and b of either sign meet");
    let (_, state) = run(&problem).forward()?;
    expect_state(&state, &passed, "of zeros");
    Ok(())
}

/// torch's names, in torch's order, of two matrices of different numbers of blocks.
#[test]
fn parameters_have_torchs_names() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, proj_size: 6, ..sizes(2, 17) };
    let network = &Problem::<f32>::new(two, 1, 1)?.network;
    let shapes: Vec<_> =
        network.state_dict().into_iter().map(|(name, value)| (name, value.shape().to_vec())).collect();
    let of_layer = |layer: &str, inputs: usize| {
        let shapes = [
            ("weight_ih", vec![51, inputs]),
            ("weight_hh", vec![34, 6]),
            ("bias_ih", vec![51]),
            ("bias_hh", vec![34]),
            ("weight_hr", vec![6, 17]),
        ];
        shapes.map(|(name, shape)| (format!("{name}{layer}"), shape))
    };
    let layers = [("_l0", 2), ("_l0_reverse", 2), ("_l1", 12), ("_l1_reverse", 12)];
    assert_eq!(shapes, layers.map(|(layer, inputs)| of_layer(layer, inputs)).concat());
    let mut other = Recurrent::<GatedConfig>::zeros(*network.config())?;
    other.load_state_dict(network.state_dict())?;
    assert_eq!(&other, network);
    Ok(())
}
