//! Backpropagation through time as plain loops, in the documented order of sums.

use std::collections::BTreeMap;

use ndarray::{Array3, ArrayD};

use super::forwards::{Passed, Step};
use super::steps::UnitBack;
use super::{Oracle, Problem, row, set_row};
use crate::parameters::{Parameters, zeros_of};
use crate::planes::Planes;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::parameters::{CellParameters, RecurrentParameters};
use crate::scalar::Scalar;

/// What the loops find.
#[derive(Debug)]
pub struct Found<A> {
    pub parameters: RecurrentParameters<A>,
    pub input: Array3<A>,
    /// Of the first state.
    pub state: Planes<Array3<A>>,
}

/// What one step passes on.
struct Back<A> {
    /// By unit, by torch's block: the gradient of the input's and of the state's sum.
    d_sums: Vec<Vec<[A; 2]>>,
    /// The gradient of the hidden state that the step left.
    d_h: Vec<A>,
}

/// Where a step is: its layer and direction, its place in time and in the batch.
#[derive(Clone, Copy)]
struct Place {
    layer: usize,
    direction: usize,
    t: usize,
    n: usize,
}

impl<A: Scalar> Found<A> {
    /// Every gradient under its name.
    pub fn named(self) -> Vec<(String, ArrayD<A>)> {
        named(&self.parameters, &self.input, self.state)
    }
}

/// Every gradient under its name.
pub fn named<A: Scalar>(
    parameters: &impl Parameters<Elem = A>,
    input: &Array3<A>,
    state: Planes<Array3<A>>,
) -> Vec<(String, ArrayD<A>)> {
    let mut all = parameters.state_dict();
    let others = [("input", Some(input.clone())), ("h_0", Some(state.h)), ("c_0", state.c)];
    all.extend(others.into_iter().filter_map(|(name, array)| Some((name.to_owned(), array?.into_dyn()))));
    all
}

impl<K: Oracle, A: Scalar> Problem<K, A> {
    /// The definition of the way back.
    pub fn backwards(&self, passed: &Passed<A>) -> Found<A> {
        let Sizes { num_layers, num_directions, .. } = self.sizes();
        let mut found = Found {
            parameters: zeros_of(self.network.parameters()),
            input: self.d_output.clone(),
            state: self.d_state.clone(),
        };
        for layer in (0..num_layers).rev() {
            let mut d_input = Array3::zeros(passed.inputs[layer].dim());
            for direction in 0..num_directions {
                let i = layer * num_directions + direction;
                let mut backs = BTreeMap::new();
                for (b, n) in self.order().into_iter().enumerate() {
                    let mut d_state = found.state.as_ref().map(|plane| row(plane, i, n));
                    for t in self.times(direction, n).into_iter().rev() {
                        let place = Place { layer, direction, t, n };
                        let step = &passed.steps[i][&(t, b)];
                        let back = self.step_back(place, step, (&found.input, &mut d_input), &mut d_state);
                        backs.insert((t, b), back);
                    }
                    found.state.as_mut().zip(d_state).map(|(plane, first)| set_row(plane, [i, n, 0], &first));
                }
                for (place, back) in &backs {
                    add_terms(&mut found.parameters.cells[i], &passed.steps[i][place], back);
                }
            }
            found.input = if layer > 0 { d_input * &self.between[layer - 1] } else { d_input };
        }
        found
    }

    /// From the gradient of a step's state to that of the state before it, and of its input.
    fn step_back(
        &self,
        place: Place,
        step: &Step<A>,
        (d_output, d_input): (&Array3<A>, &mut Array3<A>),
        d_state: &mut Planes<Vec<A>>,
    ) -> Back<A> {
        let Place { layer, direction, t, n } = place;
        let (cell, units) = (self.cell(layer, direction), step.units.len());
        let Planes { h: d_h, c: d_c } = d_state;
        for (k, d_h) in d_h.iter_mut().enumerate() {
            *d_h += d_output[[t, n, direction * self.sizes().features() + k]];
        }
        let of_h = d_h.clone();
        let d_y = match &cell.weight_hr {
            None => of_h.clone(),
            Some(weight) => (0..units)
                .map(|u| (0..of_h.len()).fold(A::zero(), |sum, k| of_h[k].mul_add(weight[[k, u]], sum)))
                .collect(),
        };
        d_h.fill(A::zero());
        let mut d_sums = Vec::new();
        for (u, unit) in step.units.iter().enumerate() {
            let of_c = d_c.as_ref().map_or(A::zero(), |d_c| d_c[u]);
            let UnitBack { d_sums: of_unit, d_before: [directly, before] } = K::back(unit, d_y[u], of_c);
            d_sums.push(of_unit);
            // No kind that projects its h has a way from one h to the next but for the sums.
            d_h.iter_mut().skip(u).take(1).for_each(|d_h| *d_h = directly);
            d_c.iter_mut().for_each(|d_c| d_c[u] = before);
        }
        self.through_weight_hh(place, &d_sums, d_h);
        let [order, _] = K::BLOCKS;
        for &block in order {
            for (u, d_sums) in d_sums.iter().enumerate() {
                for (k, &weight) in cell.weight_ih.row(block * units + u).iter().enumerate() {
                    d_input[[t, n, k]] = d_sums[block][0].mul_add(weight, d_input[[t, n, k]]);
                }
            }
        }
        if self.begins_anew(direction, t, n) {
            d_state.as_mut().map(|plane| plane.fill(A::zero()));
        }
        Back { d_sums, d_h: of_h }
    }

    /// Through the recurrent product: one chain over all blocks, from what came directly; with masks a chain from zero for
    /// each, times the mask and added.
    fn through_weight_hh(
        &self,
        Place { layer, direction, n, .. }: Place,
        d_sums: &[Vec<[A; 2]>],
        d_h: &mut [A],
    ) {
        let weight = &self.cell(layer, direction).weight_hh;
        let (i, units) = (layer * self.sizes().num_directions + direction, d_sums.len());
        let [_, order] = K::BLOCKS;
        let go = |blocks: &[usize], k: usize, start: A| {
            blocks.iter().fold(start, |start, &block| {
                let rows = d_sums.iter().enumerate();
                rows.fold(start, |d, (u, d_sums)| d_sums[block][1].mul_add(weight[[block * units + u, k]], d))
            })
        };
        for (k, d_h) in d_h.iter_mut().enumerate() {
            match self.masks.dim().1 {
                0 => *d_h = go(order, k, *d_h),
                masks => {
                    for (mask, blocks) in order.chunks(order.len() / masks).enumerate() {
                        *d_h = go(blocks, k, A::zero()).mul_add(self.masks[[i, mask, n, k]], *d_h);
                    }
                }
            }
        }
    }
}

/// Adds a step's terms to the parameters' gradient.
fn add_terms<A: Scalar>(d_cell: &mut CellParameters<A>, step: &Step<A>, back: &Back<A>) {
    let CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr } = d_cell;
    for (u, d_sums) in back.d_sums.iter().enumerate() {
        for (block, &[of_input, of_state]) in d_sums.iter().enumerate() {
            let row = block * back.d_sums.len() + u;
            bias_ih.iter_mut().for_each(|bias| bias[row] += of_input);
            bias_hh.iter_mut().for_each(|bias| bias[row] += of_state);
            let weights = weight_ih.row_mut(row);
            weights.into_iter().zip(&step.x).for_each(|(to, &x)| *to = of_input.mul_add(x, *to));
            let weights = weight_hh.row_mut(row);
            weights.into_iter().zip(&step.read[block]).for_each(|(to, &h)| *to = of_state.mul_add(h, *to));
        }
    }
    if let Some(weight) = weight_hr {
        for ((k, u), to) in weight.indexed_iter_mut() {
            *to = back.d_h[k].mul_add(step.units[u].y, *to);
        }
    }
}
