//! What a network computes, as plain loops over one sequence, one step and one unit after another.

use std::collections::BTreeMap;

use ndarray::{Array1, Array3};

use super::steps::Unit;
use super::{Oracle, Problem, row, set_row};
use crate::element::Element;
use crate::planes::Planes;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::parameters::CellParameters;
use crate::scalar::Scalar;

/// What the loops find.
#[derive(Debug)]
pub struct Passed<A> {
    /// What every layer reads.
    pub inputs: Vec<Array3<A>>,
    /// What every layer puts out; zero behind a sequence's end.
    pub outputs: Vec<Array3<A>>,
    /// The final state.
    pub state: Planes<Array3<A>>,
    /// The steps of each direction of each layer by (t, b): b counts the sequences that have this step, the longest first.
    pub steps: Vec<BTreeMap<(usize, usize), Step<A>>>,
}

/// What one step of one sequence read and made.
#[derive(Debug)]
pub struct Step<A> {
    pub x: Vec<A>,
    /// The h before, as each of torch's blocks of `weight_hh` reads it.
    pub read: Vec<Vec<A>>,
    /// By unit.
    pub units: Vec<Unit<A>>,
}

/// One chain of fused multiply-adds.
pub fn chain<'a, A: Element>(
    start: A,
    left: impl IntoIterator<Item = &'a A>,
    right: impl IntoIterator<Item = &'a A>,
) -> A {
    left.into_iter().zip(right).fold(start, |sum, (&left, &right)| left.mul_add(right, sum))
}

impl<A> Passed<A> {
    /// What the last layer puts out.
    pub fn output(&self) -> &Array3<A> {
        self.outputs.last().expect("there is a layer")
    }
}

impl<K: Oracle, A: Scalar> Problem<K, A> {
    /// The definition of a pass.
    pub fn forwards(&self) -> Passed<A> {
        let Sizes { num_layers, num_directions, .. } = self.sizes();
        let features = self.sizes().features();
        let (len, batch, _) = self.input.dim();
        let mut passed = Passed { inputs: vec![], outputs: vec![], state: self.state.clone(), steps: vec![] };
        for layer in 0..num_layers {
            let input = match passed.outputs.last() {
                Some(below) => below * &self.between[layer - 1],
                None => self.input.clone(),
            };
            let mut output = Array3::zeros((len, batch, num_directions * features));
            for direction in 0..num_directions {
                let i = layer * num_directions + direction;
                let mut steps = BTreeMap::new();
                for (b, n) in self.order().into_iter().enumerate() {
                    let mut state = self.state.as_ref().map(|plane| row(plane, i, n));
                    for t in self.times(direction, n) {
                        if self.begins_anew(direction, t, n) {
                            state = self.reset_state.as_ref().map(|plane| row(plane, i, n));
                        }
                        let step = self.step([layer, direction, n], row(&input, t, n), &state);
                        state.h = projected(self.cell(layer, direction), &step);
                        state.c = state.c.map(|_| step.units.iter().map(|unit| unit.c).collect());
                        set_row(&mut output, [t, n, direction * features], &state.h);
                        steps.insert((t, b), step);
                    }
                    passed.state.as_mut().zip(state).map(|(plane, last)| set_row(plane, [i, n, 0], &last));
                }
                passed.steps.push(steps);
            }
            passed.inputs.push(input);
            passed.outputs.push(output);
        }
        passed
    }

    /// One step. The sums are `b_ih + W_ih x` and `b_hh + W_hh h`; what becomes of them is the kind's business.
    fn step(&self, [layer, direction, n]: [usize; 3], x: Vec<A>, state: &Planes<Vec<A>>) -> Step<A> {
        let CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, .. } = self.cell(layer, direction);
        let read = self.read([layer, direction, n], &state.h);
        let units = self.sizes().hidden_size;
        let start = |bias: &Option<Array1<A>>, row: usize| bias.as_ref().map_or(A::zero(), |bias| bias[row]);
        let unit = |u: usize| {
            let of_input = |block: usize| {
                let row = block * units + u;
                chain(start(bias_ih, row), &x, weight_ih.row(row))
            };
            let of_state = |block: usize| {
                let row = block * units + u;
                chain(start(bias_hh, row), &read[block], weight_hh.row(row))
            };
            // A projected h has no element of this unit, and no kind that projects reads one.
            let own = |plane: &Vec<A>| plane.get(u).copied().unwrap_or(A::zero());
            <K as Oracle>::step(of_input, of_state, [own(&state.h), state.c.as_ref().map_or(A::zero(), own)])
        };
        let units = (0..units).map(unit).collect();
        Step { x, read, units }
    }

    /// What torch's blocks of `weight_hh` read of a hidden state.
    fn read(&self, [layer, direction, n]: [usize; 3], h: &[A]) -> Vec<Vec<A>> {
        let (i, masks) = (layer * self.sizes().num_directions + direction, self.masks.dim().1);
        let [_, order] = K::BLOCKS;
        let of_block = |block: usize| {
            let Some(last) = masks.checked_sub(1) else { return h.to_vec() };
            let place = order.iter().position(|&of| of == block).expect("the order lists every block");
            h.iter().enumerate().map(|(k, &h)| h * self.masks[[i, place.min(last), n, k]]).collect()
        };
        (0..order.len()).map(of_block).collect()
    }
}

/// The hidden state that a step leaves.
fn projected<A: Scalar>(cell: &CellParameters<A>, step: &Step<A>) -> Vec<A> {
    let y: Vec<_> = step.units.iter().map(|unit| unit.y).collect();
    match &cell.weight_hr {
        Some(weight) => weight.rows().into_iter().map(|row| chain(A::zero(), &y, row)).collect(),
        None => y,
    }
}
