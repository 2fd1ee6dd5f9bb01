//! Backpropagation through time as plain loops, in the documented order of sums.

use std::collections::BTreeMap;

use ndarray::{Array3, ArrayD};

use super::forwards::{Passed, Step};
use super::{Problem, row, set_row};
use crate::parameters::Parameters;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::parameters::{CellParameters, RecurrentParameters};
use crate::scalar::Scalar;

/// What the loops find.
#[derive(Debug)]
pub struct Found<A> {
    pub parameters: RecurrentParameters<A>,
    pub input: Array3<A>,
    /// Of the first h and c.
    pub state: [Array3<A>; 2],
}

/// What one step passes on.
struct Back<A> {
    /// The gradient of the sums of a, z, f and b, by unit.
    d_sums: Vec<[A; 4]>,
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
        named(&self.parameters, &self.input, &self.state)
    }
}

/// Every gradient under its name.
pub fn named<A: Scalar>(
    parameters: &impl Parameters<Elem = A>,
    input: &Array3<A>,
    [h_0, c_0]: &[Array3<A>; 2],
) -> Vec<(String, ArrayD<A>)> {
    let mut all = parameters.state_dict();
    let others = [("input", input), ("h_0", h_0), ("c_0", c_0)];
    all.extend(others.map(|(name, array)| (name.to_owned(), array.clone().into_dyn())));
    all
}

impl<A: Scalar> Problem<A> {
    /// The definition of the way back.
    pub fn backwards(&self, passed: &Passed<A>) -> Found<A> {
        let Sizes { num_layers, num_directions, .. } = self.sizes();
        let mut found = Found {
            parameters: self.network.parameters().zeros_like(),
            input: self.d_output.clone(),
            state: self.d_state.clone(),
        };
        for layer in (0..num_layers).rev() {
            let mut d_input = Array3::zeros(passed.inputs[layer].dim());
            for direction in 0..num_directions {
                let i = layer * num_directions + direction;
                let d_cell = &mut found.parameters.cells[i];
                let mut backs = BTreeMap::new();
                for (b, n) in self.order().into_iter().enumerate() {
                    let [mut d_h, mut d_c] = found.state.each_ref().map(|plane| row(plane, i, n));
                    for t in self.times(direction, n).into_iter().rev() {
                        let place = Place { layer, direction, t, n };
                        let step = &passed.steps[i][&(t, b)];
                        let back =
                            self.step_back(place, step, (&found.input, &mut d_input), [&mut d_h, &mut d_c]);
                        backs.insert((t, b), back);
                    }
                    for (plane, first) in found.state.iter_mut().zip([d_h, d_c]) {
                        set_row(plane, [i, n, 0], &first);
                    }
                }
                let order = self.order();
                for (&(t, b), back) in &backs {
                    let read = self.read([layer, direction, order[b]], &passed.steps[i][&(t, b)].h);
                    add_terms(d_cell, &passed.steps[i][&(t, b)], read, back);
                }
            }
            found.input = if layer > 0 { d_input * &self.between[layer - 1] } else { d_input };
        }
        found
    }

    /// From the gradient of a step's states to that of the states before it, and of its input.
    fn step_back(
        &self,
        place: Place,
        step: &Step<A>,
        (d_output, d_input): (&Array3<A>, &mut Array3<A>),
        [d_h, d_c]: [&mut Vec<A>; 2],
    ) -> Back<A> {
        let Place { layer, direction, t, n } = place;
        let (cell, units) = (self.cell(layer, direction), step.units.len());
        for (k, d_h) in d_h.iter_mut().enumerate() {
            *d_h += d_output[[t, n, direction * step.h.len() + k]];
        }
        let of_h = d_h.clone();
        let d_y = match &cell.weight_hr {
            None => of_h.clone(),
            Some(weight) => (0..units)
                .map(|u| (0..of_h.len()).fold(A::zero(), |sum, k| of_h[k].mul_add(weight[[k, u]], sum)))
                .collect(),
        };
        let one = A::one();
        let mut directly = vec![A::zero(); units];
        let d_sums: Vec<_> = (0..units)
            .map(|u| {
                let unit = step.units[u];
                let d_mix = d_y[u] * (-unit.y).mul_add(unit.y, one);
                let d_next = d_mix.mul_add(one - unit.z, d_c[u]);
                directly[u] = d_mix * unit.z;
                d_c[u] = d_next * unit.f;
                [
                    d_next * unit.b * (-unit.a).mul_add(unit.a, one),
                    d_mix * (unit.p - unit.next) * (unit.z * (one - unit.z)),
                    d_next * unit.c * (unit.f * (one - unit.f)),
                    d_next * unit.a * (-unit.b).mul_add(unit.b, one),
                ]
            })
            .collect();
        *d_h = if cell.weight_hr.is_none() { directly } else { vec![A::zero(); step.h.len()] };
        self.through_weight_hh(place, &d_sums, d_h);
        // weight_ih has the blocks z, f, a; the chain goes over a, z, f.
        for (sum, block) in [(0, 2), (1, 0), (2, 1)] {
            for (u, d_sums) in d_sums.iter().enumerate() {
                for (k, &weight) in cell.weight_ih.row(block * units + u).iter().enumerate() {
                    d_input[[t, n, k]] = d_sums[sum].mul_add(weight, d_input[[t, n, k]]);
                }
            }
        }
        if self.begins_anew(direction, t, n) {
            [d_h, d_c].into_iter().for_each(|plane| plane.fill(A::zero()));
        }
        Back { d_sums, d_h: of_h }
    }

    /// Through the recurrent product: one chain over f, then b, from what came directly; with masks a chain from zero for
    /// each, times the mask and added.
    fn through_weight_hh(&self, Place { layer, direction, n, .. }: Place, d_sums: &[[A; 4]], d_h: &mut [A]) {
        let weight = &self.cell(layer, direction).weight_hh;
        let (i, units) = (layer * self.sizes().num_directions + direction, d_sums.len());
        // The sum, and the block of weight_hh.
        let blocks: &[(usize, usize)] = &[(2, 1), (3, 0)];
        let go = |blocks: &[(usize, usize)], k: usize, start: A| {
            blocks.iter().fold(start, |start, &(sum, block)| {
                let rows = d_sums.iter().enumerate();
                rows.fold(start, |d, (u, d_sums)| d_sums[sum].mul_add(weight[[block * units + u, k]], d))
            })
        };
        for (k, d_h) in d_h.iter_mut().enumerate() {
            match self.masks.dim().1 {
                0 => *d_h = go(blocks, k, *d_h),
                masks => {
                    for (mask, blocks) in blocks.chunks(2 / masks).enumerate() {
                        *d_h = go(blocks, k, A::zero()).mul_add(self.masks[[i, mask, n, k]], *d_h);
                    }
                }
            }
        }
    }
}

/// Adds a step's terms to the parameters' gradient.
fn add_terms<A: Scalar>(d_cell: &mut CellParameters<A>, step: &Step<A>, read: [Vec<A>; 2], back: &Back<A>) {
    let CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr } = d_cell;
    for (u, d_sums) in back.d_sums.iter().enumerate() {
        let row = |block: usize| block * back.d_sums.len() + u;
        for (d_sum, block) in [(d_sums[1], 0), (d_sums[2], 1), (d_sums[0], 2)] {
            bias_ih.iter_mut().for_each(|bias| bias[row(block)] += d_sum);
            let weights = weight_ih.row_mut(row(block));
            weights.into_iter().zip(&step.x).for_each(|(to, &x)| *to = d_sum.mul_add(x, *to));
        }
        for (d_sum, block) in [(d_sums[3], 0), (d_sums[2], 1)] {
            bias_hh.iter_mut().for_each(|bias| bias[row(block)] += d_sum);
            let weights = weight_hh.row_mut(row(block));
            weights.into_iter().zip(&read[block]).for_each(|(to, &h)| *to = d_sum.mul_add(h, *to));
        }
    }
    if let Some(weight) = weight_hr {
        for ((k, u), to) in weight.indexed_iter_mut() {
            *to = back.d_h[k].mul_add(step.units[u].y, *to);
        }
    }
}
