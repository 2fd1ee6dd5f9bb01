use ndarray::{Array2, Array3, ArrayD, Axis};

use super::super::backwards::named;
use super::super::{Oracle, Problem};
use super::backward::expect_equal;
use super::networks;
use crate::arrays::{elements, elements_mut};
use crate::engine::{BackReads, BackWrites, Course, Factors, Kept, Scratch};
use crate::error::Result;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::recurrent::parameters::CellParameters;
use crate::recurrent::sequences::{Form, Sequences};
use crate::rows::Source;
use crate::scalar::Scalar;

/// The engine forwards and back over all of a problem, as the fronts call it: what it finds, by name.
pub fn pass<K: Oracle, A: Scalar>(problem: &Problem<K, A>) -> Result<Vec<(String, ArrayD<A>)>> {
    let (network, masks) = (&problem.network, problem.masks.dim().1);
    let (stack, dim) = (network.stack()?, problem.input.dim());
    let layout = Layout::of_lengths(&problem.lengths)?;
    // By direction, mask, row of a step, feature.
    let factors = problem.masks.select(Axis(2), &problem.order()).into_iter().collect();
    let factors = Factors { between: Vec::new(), masks: [None, Some((factors, masks))] };
    let sorted = |plane: &Array3<A>| layout.sorted_state("reset_state", &plane.view());
    let course = Course {
        mask: Some(layout.gather_mask("resets", &problem.resets.view())?),
        reset_state: Some(problem.reset_state.as_ref().try_map(sorted)?),
        layout: layout.clone(),
    };
    let input = problem.input.view().into();
    let source = Source::grid(&input, layout.order.as_deref());
    let (mut state, mut kept) = (problem.state.clone(), None);
    layout.with_sorted_state(&mut state, |state| {
        kept = Some(Kept::of(
            stack,
            course,
            source,
            state,
            (factors, 0, |_| Ok(())),
            network.cache.spares(),
            |reads, writes, ready| K::forward(stack, reads, writes, &mut Scratch::default(), ready),
        )?);
        Ok(())
    })?;
    let kept = kept.expect("the pass ran");
    let padded = |rows: &[A], width| {
        let (name, shape) = ("rows", [dim.0, dim.1, width]);
        let form = Form { name, shape, layout: &layout, padding: A::zero(), batch_first: false };
        <Array3<A>>::of_rows(rows.to_vec(), form)
    };
    let output = padded(kept.output(), problem.d_output.dim().2)?;

    let mut parameters = network.parameters().try_zeros_like()?;
    let mut d_input = Array2::zeros((layout.steps.rows(), dim.2));
    let d_output = problem.d_output.view().into();
    let reads = BackReads {
        weights: network.back_weights()?,
        kept: &kept,
        d_output: Some(Source::grid(&d_output, layout.order.as_deref())),
    };
    let mut d_state = problem.d_state.clone();
    let cells = parameters.cells.iter_mut();
    let d_parameters = cells.map(|cell: &mut CellParameters<A>| cell.lend(K::ORDER)).collect();
    layout.with_sorted_state(&mut d_state, |d_state| {
        let d_input = Some(elements_mut(&mut d_input));
        K::backward(stack, &reads, BackWrites { d_state, d_input, d_parameters })
    })?;
    let d_input = padded(elements(&d_input), dim.2)?;
    let gradients = named(&parameters, &d_input, d_state);
    Ok(forwards(output, state).chain(gradients).collect())
}

/// What a pass forwards leaves, by name.
fn forwards<A: Scalar>(
    output: Array3<A>,
    state: Planes<Array3<A>>,
) -> impl Iterator<Item = (String, ArrayD<A>)> {
    let all = [("output", Some(output)), ("h_n", Some(state.h)), ("c_n", state.c)];
    all.into_iter().filter_map(|(name, array)| Some((name.to_owned(), array?.into_dyn())))
}

/// What the loops find of the same.
pub fn expected<K: Oracle, A: Scalar>(problem: &Problem<K, A>) -> Vec<(String, ArrayD<A>)> {
    let passed = problem.forwards();
    let gradients = problem.backwards(&passed).named();
    forwards(passed.output().clone(), passed.state).chain(gradients).collect()
}

/// One mask for all blocks, and one for each, forwards and back.
fn expect_masks<K: Oracle, A: Scalar>() -> Result<()> {
    let [_, blocks] = K::BLOCKS;
    for sizes in networks::<K>() {
        for (masks, batch) in [(1, 1), (blocks.len(), 1), (1, 7), (blocks.len(), 7)] {
            let problem = Problem::<K, A>::new(sizes, 6, batch)?.ragged()?;
            let mut problem = problem.with_resets().with_reset_state().with_masks(masks);
            problem.between.iter_mut().for_each(|factors| factors.fill(A::one()));
            let what = format!("{masks} masks, {}", problem.network.config());
            expect_equal(&pass(&problem)?, &expected(&problem), &what);
        }
    }
    Ok(())
}

of_every_kind!(masks_are_the_loops, expect_masks);
