//! Between a layer and the engine: nothing else in this room calls the engine.

use ndarray::{Array1, Array2, Array3, Axis, ShapeBuilder};

use super::architecture::{Architecture, Options};
use super::parameters::LayerParameters;
use super::planes::Planes;
use super::rows::Shown;
use crate::cell::Cell;
use crate::engine::{BackWeights, Backward, DirectionGradient, Forward, Share, Stack, Weights};
use crate::invariant::Invariant;
use crate::kernels::Plan;
use crate::scalar::Scalar;
use crate::sequence::{Layout, Source, standard};
use crate::spares::SharedSpares;

const DENSE: &str = "arrays made here are in standard layout";

/// The parameters as the engine's forward pass wants them.
pub(super) fn pack<C: Architecture, A: Scalar>(
    config: &C,
    parameters: &LayerParameters<C, A>,
    plan: Plan,
) -> Stack<A, C::Cell<A>> {
    let LayerParameters { kernel, recurrent_kernel, bias } = parameters;
    let bias = match bias {
        Some(bias) => bias.iter().copied().collect(),
        None => vec![A::zero(); kernel.ncols()],
    };
    let weights = Weights::new(&kernel.t(), &recurrent_kernel.t(), bias);
    Stack::new(vec![vec![weights]], config.cell(), config.options().units, plan)
}

/// The parameters as the engine's way back wants them.
pub(super) fn pack_back<C: Architecture, A: Scalar>(
    parameters: &LayerParameters<C, A>,
) -> Vec<Vec<BackWeights<A>>> {
    vec![vec![BackWeights::new(&parameters.kernel.t(), &parameters.recurrent_kernel.t())]]
}

/// What a pass in training mode leaves for the way back, all in the rows' order.
#[derive(Debug, Clone)]
pub(super) struct Kept<A> {
    /// Input rows, dropout applied.
    input: Vec<A>,
    /// What states are multiplied by before the recurrent product reads them, if recurrent dropout is on: (1, N, units).
    state_factors: Option<Array3<A>>,
    first: Planes<Array3<A>>,
    outputs: [Vec<A>; 1],
    sums: Vec<Vec<A>>,
}

impl<A> Kept<A> {
    /// The rows of outputs.
    pub(super) fn outputs(&self) -> &[A] {
        &self.outputs[0]
    }
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
        Shown::Every => vec![A::zero(); layout.steps.rows() * stack.hidden],
    };
    let wanted = (shown == Shown::Every).then_some(&mut outputs);
    let states = run::<C, A>(stack, layout, first, source, None, wanted, &mut []);
    (outputs, states)
}

/// A pass over rows of `input` that are `width` wide; `state_factors` is (N, units), in the caller's order.
pub(super) fn forward_train<C: Architecture, A: Scalar>(
    stack: &Stack<A, C::Cell<A>>,
    layout: &Layout,
    (input, width): (Vec<A>, usize),
    first: Planes<Array2<A>>,
    state_factors: Option<&Array2<A>>,
) -> (Planes<Array2<A>>, Kept<A>) {
    let sorted = |rows: &Array2<A>| layout.sorted_state(&rows.view().insert_axis(Axis(0)));
    let room = || vec![A::zero(); layout.steps.rows() * stack.hidden];
    let mut kept = Kept {
        input,
        state_factors: state_factors.map(sorted),
        first: first.as_ref().map(sorted),
        outputs: [room()],
        sums: stack.cell.keeps_sums().then(room).into_iter().collect(),
    };
    let Kept { input, state_factors, outputs: [outputs], sums, .. } = &mut kept;
    let source = Source::rows(input, width, &layout.steps, 0);
    let factors = state_factors.as_ref().map(|factors| factors.as_slice().invariant(DENSE));
    let states = run::<C, A>(stack, layout, first, source, factors, Some(outputs), sums);
    (states, kept)
}

/// Runs the engine forwards from a first state; returns the final one.
fn run<C: Architecture, A: Scalar>(
    stack: &Stack<A, C::Cell<A>>,
    layout: &Layout,
    first: Planes<Array2<A>>,
    source: Source<'_, A>,
    state_factors: Option<&[A]>,
    outputs: Option<&mut Vec<A>>,
    sums: &mut [Vec<A>],
) -> Planes<Array2<A>> {
    let mut h = first.h.insert_axis(Axis(0));
    layout.with_sorted_state(&mut h, |state| {
        let pass = Forward {
            output: outputs.map(|rows| Share::Whole(rows)),
            state_factors,
            sums: Share::wholes(sums),
            ..Forward::new(source, &layout.steps, state)
        };
        C::forward(stack, pass);
    });
    Planes { h: h.index_axis_move(Axis(0), 0), c: None }
}

/// What the way back leaves.
#[derive(Debug)]
pub(super) struct Back<C: Architecture, A> {
    pub(super) parameters: LayerParameters<C, A>,
    /// Of the input rows.
    pub(super) input: Vec<A>,
    /// Of the first state, in the caller's order.
    pub(super) state: Planes<Array2<A>>,
}

/// The way back of [`forward_train`], from the gradient of the rows of outputs and of the final state.
pub(super) fn backward<C: Architecture, A: Scalar>(
    config: &C,
    stack: &Stack<A, C::Cell<A>>,
    weights: &[Vec<BackWeights<A>>],
    (layout, kept): (&Layout, &Kept<A>),
    d_outputs: &[A],
    d_state: Planes<Array2<A>>,
) -> Back<C, A> {
    let Options { input_dim, units, use_bias, .. } = config.options();
    let columns = C::GATES * units;
    let mut input = vec![A::zero(); kept.input.len()];
    // The engine leaves a row for each unit, which is a column here.
    let mut kernel = Array2::zeros((input_dim, columns).f());
    let mut recurrent_kernel = Array2::zeros((units, columns).f());
    let mut bias = Array1::zeros(columns);
    let mut d_h = d_state.h.insert_axis(Axis(0));
    layout.with_sorted_state(&mut d_h, |d_state| {
        let pass = Backward {
            weights,
            steps: &layout.steps,
            resets: None,
            inputs: &kept.input,
            first: kept.first.h.as_slice().invariant(DENSE),
            outputs: &kept.outputs,
            factors: &[],
            state_factors: kept.state_factors.as_ref().map(|factors| factors.as_slice().invariant(DENSE)),
            kept: &kept.sums,
            d_output: Source::rows(d_outputs, units, &layout.steps, 0),
            d_state,
            d_input: Some(&mut input),
            spares: &SharedSpares::default(),
            d_parameters: vec![DirectionGradient {
                weight_ih: kernel.as_slice_memory_order_mut().invariant(DENSE),
                weight_hh: recurrent_kernel.as_slice_memory_order_mut().invariant(DENSE),
                bias: bias.as_slice_mut().invariant(DENSE),
            }],
        };
        C::backward(stack, pass);
    });
    let bias =
        bias.into_shape_with_order(config.bias_dim()).invariant("a bias has one number for each column");
    Back {
        parameters: LayerParameters {
            kernel: standard(&kernel),
            recurrent_kernel: standard(&recurrent_kernel),
            bias: use_bias.then_some(bias),
        },
        input,
        state: Planes { h: d_h.index_axis_move(Axis(0), 0), c: None },
    }
}
