//! Between a layer and the engine: nothing else in this room calls the engine.

use std::sync::Arc;

use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, ShapeBuilder};

use super::architecture::{Architecture, Options};
use super::parameters::LayerParameters;
use super::rows::Shown;
use crate::arrays::{elements_mut, standard};
use crate::engine::{
    BackReads, BackWeights, BackWrites, Course, DirectionGradient, DirectionParameters, Factors, Kept, Reads,
    Share, Spares, Stack, Writes,
};
use crate::invariant::Invariant;
use crate::kernels::Plan;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::rows::Source;
use crate::scalar::Scalar;

/// The parameters as the engine reads them: Keras's arrays are torch's turned, and the state's chains start at zero.
fn view<C: Architecture, A: Scalar>(parameters: &LayerParameters<C, A>) -> DirectionParameters<'_, A> {
    let LayerParameters { kernel, recurrent_kernel, bias } = parameters;
    let bias =
        bias.as_ref().map(|bias| bias.view().into_dimensionality().invariant("of one kernel, one bias"));
    DirectionParameters {
        weight_ih: kernel.t(),
        weight_hh: recurrent_kernel.t(),
        bias_ih: bias,
        bias_hh: None,
        weight_hr: None,
        order: C::ORDER,
    }
}

/// The parameters as the engine's forward pass wants them.
pub(super) fn pack<C: Architecture, A: Scalar>(
    config: &C,
    parameters: &LayerParameters<C, A>,
    plan: Plan,
) -> Stack<A, C::Cell<A>> {
    Stack::new(vec![vec![view(parameters).pack::<C::Cell<A>>()]], config.cell(), plan)
}

/// The parameters as the engine's way back wants them.
pub(super) fn pack_back<C: Architecture, A: Scalar>(
    parameters: &LayerParameters<C, A>,
) -> Vec<Vec<BackWeights<A>>> {
    vec![vec![view(parameters).pack_back()]]
}

/// A pass of a layer over the rows of `source`. Returns the rows of outputs, none unless every step's are shown, and the
/// final state; `first` and final states have one row for each sequence, in the caller's order.
pub(super) fn forward<C: Architecture, A: Scalar>(
    stack: &Stack<A, C::Cell<A>>,
    layout: &Layout,
    source: Source<'_, A>,
    first: Planes<Array2<A>>,
    shown: Shown,
) -> (Vec<A>, Planes<Array2<A>>) {
    let mut outputs = match shown {
        Shown::Last => Vec::new(),
        Shown::Every => vec![A::zero(); layout.steps.rows() * stack.features()],
    };
    let output = (shown == Shown::Every).then(|| Share::Whole(&mut outputs));
    let mut state = first.map(|plane| plane.insert_axis(Axis(0)));
    layout.with_sorted_state(&mut state, |state| {
        C::forward(stack, Reads::new(source, &layout.steps), Writes { output, ..Writes::new(state) });
    });
    (outputs, of_one_layer(state))
}

/// A pass over rows of `input` that are `width` wide; `state_factors` is (N, units), in the caller's order.
pub(super) fn forward_train<C: Architecture, A: Scalar>(
    (stack, spares): (&Stack<A, C::Cell<A>>, &Arc<Spares<A>>),
    layout: &Layout,
    (input, width): (&[A], usize),
    first: Planes<Array2<A>>,
    state_factors: Option<&Array2<A>>,
) -> (Planes<Array2<A>>, Box<Kept<A>>) {
    let sorted = |rows: &ArrayRef2<A>| layout.sorted_state(&rows.view().insert_axis(Axis(0)));
    let factors = Factors { between: Vec::new(), state: state_factors.map(|factors| (sorted(factors), 1)) };
    let source = Source::rows(input, width, &layout.steps, 0);
    let (course, mut kept) = (Course::of(layout.clone()), None);
    let mut state = first.map(|plane| plane.insert_axis(Axis(0)));
    layout.with_sorted_state(&mut state, |state| {
        let run = |reads: Reads<'_, A>, writes: Writes<'_, A>| C::forward(stack, reads, writes);
        kept = Some(Kept::of(stack, course, source, state, factors, spares, run));
    });
    (of_one_layer(state), kept.invariant("the pass ran"))
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
) -> (LayerParameters<C, A>, Vec<A>, Planes<Array2<A>>) {
    let Options { input_dim, units, use_bias, .. } = config.options();
    let (columns, layout) = (C::GATES * units, &kept.course.layout);
    let mut input = vec![A::zero(); layout.steps.rows() * input_dim];
    // The engine leaves a row for each unit, which is a column here.
    let dense = "arrays made here are dense";
    let mut kernel = Array2::zeros((input_dim, columns).f());
    let mut recurrent_kernel = Array2::zeros((units, columns).f());
    let mut bias = Array1::zeros(columns);
    let mut d_state = d_state.map(|plane| plane.insert_axis(Axis(0)));
    let gradient = DirectionGradient {
        weight_ih: kernel.as_slice_memory_order_mut().invariant(dense),
        weight_hh: recurrent_kernel.as_slice_memory_order_mut().invariant(dense),
        bias_ih: use_bias.then(|| elements_mut(&mut bias)),
        bias_hh: None,
        weight_hr: None,
        order: C::ORDER,
    };
    let d_output = d_outputs.map(|rows| Source::rows(rows, units, &layout.steps, 0));
    layout.with_sorted_state(&mut d_state, |d_state| {
        let writes = BackWrites { d_state, d_input: Some(&mut input), d_parameters: vec![gradient] };
        C::backward(stack, &BackReads { weights, kept, d_output }, writes);
    });
    let bias =
        bias.into_shape_with_order(config.bias_dim()).invariant("a bias has one number for each column");
    let (kernel, recurrent_kernel) = (standard(&kernel), standard(&recurrent_kernel));
    let parameters = LayerParameters { kernel, recurrent_kernel, bias: use_bias.then_some(bias) };
    (parameters, input, of_one_layer(d_state))
}
