use ndarray::{Array2, Array3, ArrayD, Axis};

use super::super::backwards::named;
use super::super::{GatedConfig, Problem};
use super::backward::expect_equal;
use super::networks;
use crate::arrays::{elements, elements_mut};
use crate::engine::{BackReads, BackWrites, Course, Factors, Kept, Scratch};
use crate::error::Result;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::recurrent::architecture::Kind;
use crate::recurrent::parameters::CellParameters;
use crate::rows::Source;
use crate::scalar::Scalar;

/// The engine forwards and back over all of a problem, as the fronts call it: what it finds, by name.
pub fn pass<A: Scalar>(problem: &Problem<A>) -> Result<Vec<(String, ArrayD<A>)>> {
    let (network, masks) = (&problem.network, problem.masks.dim().1);
    let (stack, dim) = (network.stack(), problem.input.dim());
    let layout = Layout::of_lengths(&problem.lengths);
    // By direction, mask, row of a step, feature.
    let factors = problem.masks.select(Axis(2), &problem.order()).into_iter().collect();
    let factors = Factors { between: Vec::new(), masks: [None, Some((factors, masks))] };
    let sorted = |plane: &Array3<A>| layout.sorted_state("reset_state", &plane.view());
    let [h, c] = problem.reset_state.each_ref().map(sorted);
    let course = Course {
        mask: Some(layout.gather_mask("resets", &problem.resets.view())?),
        reset_state: Some(Planes { h: h?, c: Some(c?) }),
        layout: layout.clone(),
    };
    let input = problem.input.view().into();
    let source = Source::grid(&input, layout.order.as_deref());
    let [h, c] = problem.state.clone();
    let (mut state, mut kept) = (Planes { h, c: Some(c) }, None);
    layout.with_sorted_state(&mut state, |state| {
        kept =
            Some(Kept::of(stack, course, source, state, factors, network.cache.spares(), |reads, writes| {
                GatedConfig::forward(stack, reads, writes, &mut Scratch::default());
            }));
    })?;
    let kept = kept.expect("the pass ran")?;
    let padded =
        |rows: &[A], width| layout.scatter_rows("rows", rows.to_vec(), [dim.0, dim.1, width], A::zero());
    let output = padded(kept.output(), problem.d_output.dim().2)?;

    let mut parameters = network.parameters().zeros_like();
    let mut d_input = Array2::zeros((layout.steps.rows(), dim.2));
    let d_output = problem.d_output.view().into();
    let reads = BackReads {
        weights: network.back_weights(),
        kept: &kept,
        d_output: Some(Source::grid(&d_output, layout.order.as_deref())),
    };
    let [h, c] = problem.d_state.clone();
    let mut d_state = Planes { h, c: Some(c) };
    let cells = parameters.cells.iter_mut();
    let d_parameters = cells.map(|cell: &mut CellParameters<A>| cell.lend(GatedConfig::ORDER)).collect();
    layout.with_sorted_state(&mut d_state, |d_state| {
        let d_input = Some(elements_mut(&mut d_input));
        GatedConfig::backward(stack, &reads, BackWrites { d_state, d_input, d_parameters });
    })?;
    let pair = |Planes { h, c }| [h, c.expect("there is a c")];
    let [h_n, c_n] = pair(state);
    let d_input = padded(elements(&d_input), dim.2)?;
    let gradients = named(&parameters, &d_input, &pair(d_state));
    Ok(forwards([&output, &h_n, &c_n]).into_iter().chain(gradients).collect())
}

/// What a pass forwards leaves, by name.
fn forwards<A: Scalar>(arrays: [&Array3<A>; 3]) -> Vec<(String, ArrayD<A>)> {
    let all = ["output", "h_n", "c_n"].into_iter().zip(arrays);
    all.map(|(name, array)| (name.to_owned(), array.clone().into_dyn())).collect()
}

/// What the loops find of the same.
pub fn expected<A: Scalar>(problem: &Problem<A>) -> Vec<(String, ArrayD<A>)> {
    let passed = problem.forwards();
    let ([h_n, c_n], output) = (&passed.state, passed.outputs.last().expect("there is a layer"));
    let gradients = problem.backwards(&passed).named();
    forwards([output, h_n, c_n]).into_iter().chain(gradients).collect()
}

/// One mask for all blocks, and one for each, forwards and back.
fn expect_masks<A: Scalar>() -> Result<()> {
    for sizes in networks() {
        for (masks, batch) in [(1, 1), (2, 1), (1, 7), (2, 7)] {
            let mut problem = Problem::<A>::new(sizes, 6, batch)?.ragged()?.with_resets().with_reset_state();
            problem.between.iter_mut().for_each(|factors| factors.fill(A::one()));
            let problem = problem.with_masks(masks);
            let what = format!("{masks} masks, {sizes:?}");
            expect_equal(&pass(&problem)?, &expected(&problem), &what);
        }
    }
    Ok(())
}

#[test]
fn masks_are_the_loops_f32() -> Result<()> {
    expect_masks::<f32>()
}

#[test]
fn masks_are_the_loops_f64() -> Result<()> {
    expect_masks::<f64>()
}
