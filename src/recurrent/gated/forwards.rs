//! What a gated network computes, as plain loops over one sequence, one step and one unit after another.

use std::collections::BTreeMap;

use ndarray::{Array1, Array3};

use super::{Problem, row, set_row};
use crate::element::Element;
use crate::kernels::{Lanes, sigmoid, tanh};
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
    /// The final h and c.
    pub state: [Array3<A>; 2],
    /// The steps of each direction of each layer by (t, b): b counts the sequences that have this step, the longest first.
    pub steps: Vec<BTreeMap<(usize, usize), Step<A>>>,
}

/// What one step of one sequence read and made.
#[derive(Debug)]
pub struct Step<A> {
    pub x: Vec<A>,
    pub h: Vec<A>,
    /// By unit.
    pub units: Vec<Unit<A>>,
}

/// What one unit made in one step.
#[derive(Debug, Clone, Copy)]
pub struct Unit<A> {
    pub a: A,
    pub z: A,
    pub f: A,
    pub b: A,
    /// The c and the h before, or for h zero if it does not go on directly.
    pub c: A,
    pub p: A,
    /// The c after, and the output.
    pub next: A,
    pub y: A,
}

/// One chain of fused multiply-adds.
pub fn chain<'a, A: Element>(
    start: A,
    left: impl IntoIterator<Item = &'a A>,
    right: impl IntoIterator<Item = &'a A>,
) -> A {
    left.into_iter().zip(right).fold(start, |sum, (&left, &right)| left.mul_add(right, sum))
}

/// A function of vectors, of one number.
macro_rules! of_one {
    ($f:ident, $x:expr) => {{
        let mut y = [$x];
        $f(Lanes::<A, pulp::Scalar>::load(pulp::Scalar, &y)).store(&mut y);
        y[0]
    }};
}

impl<A: Scalar> Problem<A> {
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
                    let [mut h, mut c] = self.state.each_ref().map(|plane| row(plane, i, n));
                    for t in self.times(direction, n) {
                        if self.begins_anew(direction, t, n) {
                            [h, c] = self.reset_state.each_ref().map(|plane| row(plane, i, n));
                        }
                        let x = row(&input, t, n);
                        let step = self.step([layer, direction, n], x, h, &c);
                        h = self.hidden(self.cell(layer, direction), &step);
                        c = step.units.iter().map(|unit| unit.next).collect();
                        set_row(&mut output, [t, n, direction * features], &h);
                        steps.insert((t, b), step);
                    }
                    for (plane, last) in passed.state.iter_mut().zip([h, c]) {
                        set_row(plane, [i, n, 0], &last);
                    }
                }
                passed.steps.push(steps);
            }
            passed.inputs.push(input);
            passed.outputs.push(output);
        }
        passed
    }

    /// One step: a sum is `b_ih + W_ih x`, `b_hh + W_hh h`, or the first plus the second.
    fn step(&self, [layer, direction, n]: [usize; 3], x: Vec<A>, h: Vec<A>, c: &[A]) -> Step<A> {
        let CellParameters { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr } =
            self.cell(layer, direction);
        let read = self.read([layer, direction, n], &h);
        let units = c.len();
        let start = |bias: &Option<Array1<A>>, row: usize| bias.as_ref().map_or(A::zero(), |bias| bias[row]);
        // weight_ih has the blocks z, f, a; weight_hh b, f.
        let of_input = |block: usize, unit: usize| {
            let row = block * units + unit;
            chain(start(bias_ih, row), &x, weight_ih.row(row))
        };
        let of_state = |block: usize, unit: usize| {
            let row = block * units + unit;
            chain(start(bias_hh, row), &read[block], weight_hh.row(row))
        };
        let unit = |u: usize| {
            let (a, z) = (of_one!(tanh, of_input(2, u)), of_one!(sigmoid, of_input(0, u)));
            let f = of_one!(sigmoid, of_input(1, u) + of_state(1, u));
            let b = of_one!(tanh, of_state(0, u));
            let (c, p) = (c[u], if weight_hr.is_none() { h[u] } else { A::zero() });
            let next = f.mul_add(c, a * b);
            let y = of_one!(tanh, z.mul_add(p - next, next));
            Unit { a, z, f, b, c, p, next, y }
        };
        let units = (0..units).map(unit).collect();
        Step { x, h, units }
    }

    /// What the blocks of `weight_hh`, b and f, read of a hidden state. The masks are f's, then b's, or one for both.
    pub fn read(&self, [layer, direction, n]: [usize; 3], h: &[A]) -> [Vec<A>; 2] {
        let (i, masks) = (layer * self.sizes().num_directions + direction, self.masks.dim().1);
        [1, 0].map(|mask: usize| match masks.checked_sub(1) {
            None => h.to_vec(),
            Some(last) => {
                let factor = |k: usize| self.masks[[i, mask.min(last), n, k]];
                h.iter().enumerate().map(|(k, &h)| h * factor(k)).collect()
            }
        })
    }

    /// The hidden state that a step leaves.
    fn hidden(&self, cell: &CellParameters<A>, step: &Step<A>) -> Vec<A> {
        let y: Vec<_> = step.units.iter().map(|unit| unit.y).collect();
        match &cell.weight_hr {
            Some(weight) => weight.rows().into_iter().map(|row| chain(A::zero(), &y, row)).collect(),
            None => y,
        }
    }
}
