use ndarray::{Array3, ArrayRef3, Axis, Slice, concatenate};

use super::super::forwards::Passed;
use super::super::problem::{DROPOUT, lent};
use super::super::{Oracle, Problem, bits};
use super::{problems, sizes};
use crate::error::Result;
use crate::packed::{PackedSequence, Packing, Padding};
use crate::parameters::Parameters;
use crate::planes::Planes;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::{GruConfig, LstmConfig, Run};
use crate::scalar::Scalar;
use crate::{Recurrent, manual_seed};

/// The public pass over a problem.
pub fn run<K: Oracle, A: Scalar>(problem: &Problem<K, A>) -> Run<'_, K, A, ArrayRef3<A>> {
    let run = problem.network.run(&*problem.input).state(lent::<K, _, _>(&problem.state));
    let run = run.lengths(&problem.lengths).resets(&problem.resets);
    run.reset_state(lent::<K, _, _>(&problem.reset_state))
}

/// Expects a state to have the bits of the loops' one.
pub fn expect_state<K: Oracle, A: Scalar>(
    state: K::State<Array3<A>>,
    expected: &Planes<Array3<A>>,
    what: &str,
) {
    let [state, expected] = [&K::planes(state), expected].map(|state| state.as_ref().map(bits));
    assert_eq!(state, expected, "the state, {what}");
}

/// Every way to run a batch.
fn expect_forward<K: Oracle, A: Scalar>(problem: &Problem<K, A>) -> Result<()> {
    let trained = problem.forwards();
    let mut plain = problem.clone();
    plain.between.iter_mut().for_each(|factors| factors.fill(A::one()));
    let passed = plain.forwards();
    let what = problem.network.config().to_string();

    let (output, state) = run(problem).forward()?;
    assert_eq!(bits(&output), bits(passed.output()), "{what}");
    expect_state::<K, A>(state, &passed.state, &what);

    let (outputs, state) = run(problem).states()?;
    let actual: Vec<_> = outputs.iter().map(bits).collect();
    assert_eq!(actual, passed.outputs.iter().map(bits).collect::<Vec<_>>(), "states, {what}");
    expect_state::<K, A>(state, &passed.state, &what);

    let (last, state) = run(problem).last()?;
    let count = passed.state.h.len_of(Axis(0));
    let tops: Vec<_> = passed.state.h.outer_iter().skip(count - problem.sizes().num_directions).collect();
    assert_eq!(bits(&last), bits(&concatenate(Axis(1), &tops).expect("as many rows")), "{what}");
    expect_state::<K, A>(state, &passed.state, &what);

    let (output, state, _) = run(problem).forward_train(&mut manual_seed(DROPOUT))?;
    assert_eq!(bits(&output), bits(trained.output()), "in training, {what}");
    expect_state::<K, A>(state, &trained.state, &what);
    if problem.lengths.len() == 1 {
        expect_single(&plain, &passed)?;
    }
    if problem.lengths.iter().min() > Some(&0) {
        expect_packed(&plain, &passed)?;
    }
    Ok(())
}

/// One sequence without a batch axis.
fn expect_single<K: Oracle, A: Scalar>(problem: &Problem<K, A>, passed: &Passed<A>) -> Result<()> {
    let single = |array: &Array3<A>| array.index_axis(Axis(1), 0).to_owned();
    let [state, reset_state] = [&problem.state, &problem.reset_state].map(|state| state.as_ref().map(single));
    let (input, resets) = (single(&problem.input), problem.resets.column(0).to_owned());
    let run = problem.network.run(&input).state(lent::<K, _, _>(&state)).lengths(&problem.lengths);
    let (output, state) = run.resets(&resets).reset_state(lent::<K, _, _>(&reset_state)).forward()?;
    assert_eq!(bits(&output), bits(passed.output()));
    let state = K::state(K::planes(state).map(|plane| plane.insert_axis(Axis(1))));
    expect_state::<K, A>(state, &passed.state, "of one sequence");
    Ok(())
}

/// The same sequences packed.
fn expect_packed<K: Oracle, A: Scalar>(problem: &Problem<K, A>, passed: &Passed<A>) -> Result<()> {
    let packed =
        PackedSequence::from_padded(&problem.input, &problem.lengths, Packing::new().enforce_sorted(false))?;
    let longest = packed.max_len();
    let resets = problem.resets.slice_axis(Axis(0), Slice::from(..longest)).to_owned();
    let run = problem.network.run(&packed).state(lent::<K, _, _>(&problem.state)).resets(&resets);
    let (output, state) = run.reset_state(lent::<K, _, _>(&problem.reset_state)).forward()?;
    let padding = Padding::default().total_length(problem.input.len_of(Axis(0)));
    let (output, _) = output.to_padded(padding)?;
    assert_eq!(bits(&output), bits(passed.output()), "packed");
    expect_state::<K, A>(state, &passed.state, "packed");
    Ok(())
}

fn expect_every_forward<K: Oracle, A: Scalar>() -> Result<()> {
    problems::<K, A>()?.iter().try_for_each(expect_forward)
}

of_every_kind!(every_pass_is_the_loops, expect_every_forward);

/// A first state that is not given is zero in both planes.
#[test]
fn a_first_state_is_zero() -> Result<()> {
    let problem = Problem::<LstmConfig, f32>::new(Sizes { proj_size: 6, ..sizes(2, 17) }, 4, 3)?;
    let zeros = problem.state.as_ref().map(|plane| Array3::zeros(plane.dim()));
    let expected = problem.network.forward(&problem.input, Some(lent::<LstmConfig, _, _>(&zeros)))?;
    assert_eq!(problem.network.forward(&problem.input, None)?, expected);
    Ok(())
}

/// A chain is added to nothing where only the input or only the state has one: what is zero keeps its sign. With z = 0 and
/// h = -1 a GRU's next h, `fma(0, h - n, n)`, has that of n.
#[test]
fn a_sum_of_one_chain_keeps_its_sign() -> Result<()> {
    let (units, mut problem) = (17, Problem::<GruConfig, f32>::new(sizes(3, 17), 1, 6)?);
    for (name, mut value) in problem.network.named_parameters_mut() {
        let bias = if name == "bias_ih_l0" { [0.0, -1e3, -0.0] } else { [0.0, 0.0, -0.0] };
        let blocks = value.axis_chunks_iter_mut(Axis(0), units).zip(bias);
        blocks.for_each(|(mut block, bias)| block.fill(if name.starts_with("bias") { bias } else { 0.0 }));
    }
    problem.input.fill(-1.0);
    problem.state.h.fill(-1.0);
    let (_, h_n) = run(&problem).forward()?;
    assert!(h_n.iter().all(|&h| h == 0.0 && h.is_sign_negative()), "{h_n}");
    expect_state::<GruConfig, _>(h_n, &problem.forwards().state, "of zeros");
    Ok(())
}

/// Expects a network of two layers, each in two directions, to have parameters of torch's names, in torch's order, and of
/// the shapes that follow from the width of what a layer reads.
fn expect_names<K: Oracle>(
    one: Sizes,
    shapes: impl Fn(usize) -> Vec<(&'static str, Vec<usize>)>,
) -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, ..one };
    let network = Recurrent::<K>::new(K::of_sizes(&two), &mut manual_seed(0))?;
    let actual = network.state_dict().into_iter().map(|(name, value)| (name, value.shape().to_vec()));
    let above = 2 * two.features();
    let layers = [("_l0", 2), ("_l0_reverse", 2), ("_l1", above), ("_l1_reverse", above)];
    let expected = layers.into_iter().flat_map(|(layer, inputs)| {
        shapes(inputs).into_iter().map(move |(name, shape)| (format!("{name}{layer}"), shape))
    });
    assert_eq!(actual.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let mut other = Recurrent::<K>::zeros(network.config().clone())?;
    other.load_state_dict(network.state_dict())?;
    assert_eq!(other, network);
    Ok(())
}

#[test]
fn parameters_have_torchs_names() -> Result<()> {
    expect_names::<LstmConfig>(Sizes { proj_size: 6, ..sizes(2, 17) }, |inputs| {
        vec![
            ("weight_ih", vec![68, inputs]),
            ("weight_hh", vec![68, 6]),
            ("bias_ih", vec![68]),
            ("bias_hh", vec![68]),
            ("weight_hr", vec![6, 17]),
        ]
    })?;
    expect_names::<GruConfig>(sizes(2, 17), |inputs| {
        vec![
            ("weight_ih", vec![51, inputs]),
            ("weight_hh", vec![51, 17]),
            ("bias_ih", vec![51]),
            ("bias_hh", vec![51]),
        ]
    })
}
