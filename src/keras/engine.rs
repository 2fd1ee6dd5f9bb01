//! Between a layer and the engine: nothing else in this room calls the engine.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView1, Axis};

use super::architecture::{Architecture, Options};
use super::parameters::LayerParameters;
use crate::arrays::{elements, elements_mut, try_standard};
use crate::engine::{
    BackReads, BackWeights, BackWrites, Course, DirectionGradient, DirectionParameters, Factors, Kept, Reads,
    Ready, Share, Spares, Stack, Writes,
};
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::Plan;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::room::{room, zeros};
use crate::rows::Source;
use crate::scalar::{Compiled, Scalar};

/// The parameters as the engine reads them: Keras's kernels are torch's turned; the state's chains start at zero, but for a
/// bias of two rows.
fn view<C: Architecture, A: Scalar>(parameters: &LayerParameters<C, A>) -> DirectionParameters<'_, A> {
    let LayerParameters { kernel, recurrent_kernel, bias } = parameters;
    let mut biases =
        bias.iter().flat_map(|bias| elements(bias).chunks_exact(kernel.ncols())).map(ArrayView1::from);
    DirectionParameters {
        weight_ih: kernel.t(),
        weight_hh: recurrent_kernel.t(),
        bias_ih: biases.next(),
        bias_hh: biases.next(),
        weight_hr: None,
        peepholes: None,
        order: C::ORDER,
    }
}

/// The parameters as the engine's forward pass wants them.
pub(super) fn pack<C: Architecture, A: Scalar>(
    config: &C,
    parameters: &LayerParameters<C, A>,
    plan: Plan,
) -> Result<Stack<A, C::Cell<A>>> {
    Ok(Stack::new(vec![view(parameters).pack::<C::Cell<A>>()?], 1, config.cell(), plan))
}

/// The parameters as the engine's way back wants them.
pub(super) fn pack_back<C: Architecture, A: Scalar>(
    parameters: &LayerParameters<C, A>,
) -> Result<Vec<Vec<BackWeights<A>>>> {
    Ok(vec![vec![view(parameters).pack_back()?]])
}

/// A pass of a layer over the rows of `source`. Leaves the rows of outputs in `output`, if they are wanted, and returns the
/// final state; `first` and final states have one row for each sequence, in the caller's order.
pub(super) fn forward<C: Architecture, A: Scalar>(
    (stack, spares): (&Stack<A, C::Cell<A>>, &Spares<A>),
    layout: &Layout,
    source: Source<'_, A>,
    first: Planes<Array2<A>>,
    output: Option<&mut [A]>,
) -> Result<Planes<Array2<A>>> {
    let mut state = first.map(|plane| plane.insert_axis(Axis(0)));
    layout.with_sorted_state(&mut state, |state| {
        let (reads, output) = (Reads::new(source, &layout.steps), output.map(Share::Whole));
        let writes = Writes { output, ..Writes::new(state) };
        spares.with_scratch(|scratch| C::Cell::run(stack, reads, writes, scratch, None))
    })?;
    Ok(of_one_layer(state))
}

/// A pass over rows of `input` that are `width` wide, with masks of input and state, in the caller's order.
pub(super) fn forward_train<C: Architecture, A: Scalar>(
    (stack, spares): (&Stack<A, C::Cell<A>>, &Arc<Spares<A>>),
    layout: &Layout,
    (input, width): (&[A], usize),
    first: Planes<Array2<A>>,
    [input_masks, state_masks]: [&[Array2<A>]; 2],
) -> Result<(Planes<Array2<A>>, Box<Kept<A>>)> {
    let masks = [sorted(layout, input_masks, C::ORDER.input)?, sorted(layout, state_masks, C::ORDER.hidden)?];
    let factors = Factors { between: Vec::new(), masks };
    let source = Source::rows(input, width, &layout.steps, 0);
    let course = Course::of(layout.copied()?);
    let mut state = first.map(|plane| plane.insert_axis(Axis(0)));
    let mut kept = None;
    layout.with_sorted_state(&mut state, |state| {
        let run = |reads: Reads<'_, A>, writes: Writes<'_, A>, ready: Option<Ready<'_>>| {
            spares.with_scratch(|scratch| C::Cell::run(stack, reads, writes, scratch, ready))
        };
        kept = Some(Kept::of(stack, course, source, state, (factors, 0, |_| Ok(())), spares, run)?);
        Ok(())
    })?;
    Ok((of_one_layer(state), kept.invariant("the pass ran")))
}

/// Masks, if there are any, as the engine reads them: one for all blocks, or for each of the cell's blocks that of Keras's
/// block; and their number.
fn sorted<A: Scalar>(
    layout: &Layout,
    masks: &[Array2<A>],
    order: &[usize],
) -> Result<Option<(Vec<A>, usize)>> {
    let order = if masks.len() == 1 { &[0] } else { order };
    let order = &order[..masks.len().min(order.len())];
    let mut rows = room("trace", &[order.len(), masks.first().map_or(0, |mask| mask.len())])?;
    for &block in order {
        rows.extend(layout.sorted_state("trace", &masks[block].view().insert_axis(Axis(0)))?);
    }
    Ok((!masks.is_empty()).then_some((rows, masks.len())))
}

/// A state (1, N, units) without its first axis.
fn of_one_layer<A: Scalar>(state: Planes<Array3<A>>) -> Planes<Array2<A>> {
    state.map(|plane| plane.index_axis_move(Axis(0), 0))
}

/// The way back of [`forward_train`], from the gradient of the rows of outputs, zero if there is none, and of the final
/// state. Returns that of the parameters, of the input rows, and of the first state; states are in the caller's order.
pub(super) fn backward<C: Architecture, A: Scalar>(
    config: &C,
    stack: &Stack<A, C::Cell<A>>,
    weights: &[Vec<BackWeights<A>>],
    kept: &Kept<A>,
    d_outputs: Option<&[A]>,
    d_state: Planes<Array2<A>>,
) -> Result<(LayerParameters<C, A>, Vec<A>, Planes<Array2<A>>)> {
    let Options { input_dim, units, use_bias, .. } = config.options();
    let (columns, layout) = (C::GATES * units, &kept.course.layout);
    let mut input = layout.zero_rows("d_input", input_dim)?;
    // The engine leaves a row for each unit, which is a column here.
    let mut kernel: Array2<A> = zeros("d_kernel", (columns, input_dim))?;
    let mut recurrent_kernel: Array2<A> = zeros("d_recurrent_kernel", (columns, units))?;
    let mut bias = zeros("d_bias", config.bias_dim())?;
    let mut d_state = d_state.map(|plane| plane.insert_axis(Axis(0)));
    let mut biases = elements_mut(&mut bias).chunks_exact_mut(columns).filter(|_| use_bias);
    let gradient = DirectionGradient {
        weight_ih: elements_mut(&mut kernel),
        weight_hh: elements_mut(&mut recurrent_kernel),
        bias_ih: biases.next(),
        bias_hh: biases.next(),
        weight_hr: None,
        order: C::ORDER,
    };
    let d_output = d_outputs.map(|rows| Source::rows(rows, units, &layout.steps, 0));
    layout.with_sorted_state(&mut d_state, |d_state| {
        let writes = BackWrites { d_state, d_input: Some(&mut input), d_parameters: vec![gradient] };
        C::Cell::run_back(stack, &BackReads { weights, kept, d_output }, writes)
    })?;
    let turned = |name, gradient: Array2<A>| try_standard(name, &gradient.t());
    let kernel = turned("d_kernel", kernel)?;
    let recurrent_kernel = turned("d_recurrent_kernel", recurrent_kernel)?;
    let parameters = LayerParameters { kernel, recurrent_kernel, bias: use_bias.then_some(bias) };
    Ok((parameters, input, of_one_layer(d_state)))
}
