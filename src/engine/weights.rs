//! The gradient of one direction's parameters.

use std::mem;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::resets::Resets;
use crate::element::Element;
use crate::kernels::{Matrix, Panels, Plan, Product, Start, transpose};
use crate::sequence::Source;
use crate::steps::Steps;

/// What the gradient of a direction's parameters is made of: the gradient of every sum, and what the sum read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a, A> {
    pub(super) steps: &'a Steps,
    pub(super) reverse: bool,
    /// The gradient of the sums, rows of `units`.
    pub(super) d_sums: &'a [A],
    pub(super) units: usize,
    /// The layer's input rows, their width, and the dropout factors that they were multiplied with.
    pub(super) inputs: &'a [A],
    pub(super) width: usize,
    pub(super) factors: Option<&'a [A]>,
    /// The layer's output rows, and the direction's first column in them.
    pub(super) outputs: Source<'a, A>,
    pub(super) column: usize,
    /// The first states, and their width.
    pub(super) first: &'a [A],
    pub(super) hidden: usize,
    /// What the recurrent product read each row of states multiplied with.
    pub(super) state_factors: Option<&'a [A]>,
    pub(super) resets: Option<Resets<'a, A>>,
}

/// The gradient of some units' parameters; to be filled with zeros before.
#[derive(Debug)]
pub(super) struct Gradient<'a, A> {
    pub(super) units: Range<usize>,
    pub(super) weight_ih: &'a mut [A],
    pub(super) weight_hh: &'a mut [A],
    pub(super) bias: &'a mut [A],
}

impl<A: Element> Terms<'_, A> {
    /// Adds the terms of every row in ascending order of (t, b), whichever way time ran.
    #[inline(always)]
    pub(super) fn add_to(&self, plan: Plan, gradient: Gradient<'_, A>) {
        let rows = plan.terms.max(self.hidden.min(plan.terms.saturating_mul(2)));
        plan.arch.dispatch(Add { terms: self, gradient, rows });
    }

    /// Lists the states that the rows of step t came from; `zeros` is a state too.
    fn previous<'r>(&'r self, t: usize, zeros: &'r [A], to: &mut Vec<&'r [A]>) {
        // The step before in the direction's own time, which for the first is none there is and has no rows; and the step
        // whose mask stands between the two.
        let (before, border) = if self.reverse { (t + 1, t + 1) } else { (t.wrapping_sub(1), t) };
        let (batch, listed) = (self.steps.batch(t), to.len());
        let going_on = self.steps.batch(before).min(batch);
        let columns = self.column..self.column + self.hidden;
        let state = |states: &'r [A], b: usize| &states[b * self.hidden..][..self.hidden];
        self.outputs.list(before, going_on, columns, to);
        to.extend((going_on..batch).map(|b| state(self.first, b)));
        if let Some(resets) = &self.resets {
            let anew = (0..self.steps.batch(border).min(batch)).filter(|&b| resets.at(border, b));
            anew.for_each(|b| to[listed + b] = resets.states.map_or(zeros, |states| state(states, b)));
        }
    }
}

struct Add<'t, 'a, A> {
    terms: &'t Terms<'t, A>,
    gradient: Gradient<'a, A>,
    /// About how many rows' terms are added together.
    rows: usize,
}

impl<'t, A: Element> WithSimd for Add<'t, '_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { terms, gradient: Gradient { units, weight_ih, weight_hh, bias }, rows } = self;
        let (steps, width, hidden) = (terms.steps, terms.width, terms.hidden);
        let (mut room, mut states) = (Room::default(), Vec::new());
        let zeros = vec![A::zero(); if terms.resets.is_some() { hidden } else { 0 }];
        let mut left = 0..steps.len();
        while let Some(chunk) = steps.cut(&mut left, rows, false) {
            let start = if chunk.start == 0 { Start::Zero } else { Start::Output };
            let rows = steps.start(chunk.start)..steps.start(chunk.end);
            let all = rows.start * terms.units..rows.end * terms.units;
            let d_sums = DSums { all: &terms.d_sums[all], width: terms.units, units: units.clone() };
            for row in d_sums.rows() {
                bias.iter_mut().zip(row).for_each(|(d_bias, &d_sum)| *d_bias += d_sum);
            }
            room.turn(&d_sums, width.max(hidden));
            let inputs = terms.inputs[rows.start * width..rows.end * width].chunks_exact(width);
            let factors = terms.factors.map(|factors| factors[rows.start * width..].chunks_exact(width));
            room.add(simd, &d_sums, inputs, factors, start, weight_ih);
            states.clear();
            states.reserve(rows.len());
            chunk.clone().for_each(|t| terms.previous(t, &zeros, &mut states));
            let row = |b: usize, factors: &'t [A]| &factors[b * hidden..][..hidden];
            let factors = terms.state_factors.map(|all| steps.places(chunk).map(move |(_, b)| row(b, all)));
            room.add(simd, &d_sums, states.iter().copied(), factors, start, weight_hh);
        }
    }
}

/// The gradient of some units' sums, in some rows.
struct DSums<'a, A> {
    /// Of all units, `width`.
    all: &'a [A],
    width: usize,
    units: Range<usize>,
}

impl<'a, A: Element> DSums<'a, A> {
    #[inline(always)]
    fn rows(&self) -> impl Iterator<Item = &'a [A]> {
        self.all.chunks_exact(self.width).map(|row| &row[self.units.clone()])
    }
}

/// Room that chunks reuse.
#[derive(Default)]
struct Room<A: Element> {
    /// The gradient of the sums, a row for each unit; none where rows have few columns.
    d_sums: Vec<A>,
    rows: Vec<A>,
    panels: Panels<A>,
}

/// The most columns whose terms are added row by row: to turn and to pack the rows takes longer.
const FEW: usize = 8;

impl<A: Element> Room<A> {
    /// Turns the gradient of sums that read rows of up to `width` elements, if these are not few.
    fn turn(&mut self, d_sums: &DSums<'_, A>, width: usize) {
        self.d_sums.clear();
        if width > FEW {
            transpose(d_sums.all, d_sums.width, d_sums.units.clone(), &mut self.d_sums);
        }
    }

    /// Adds the gradient of sums times rows, themselves multiplied with `factors` if there are any, to where `gradient`
    /// starts.
    #[inline(always)]
    fn add<'r, S: Simd>(
        &mut self,
        simd: S,
        d_sums: &DSums<'_, A>,
        rows: impl ExactSizeIterator<Item = &'r [A]> + Clone,
        factors: Option<impl Iterator<Item = &'r [A]>>,
        start: Start<'_, A>,
        gradient: &mut [A],
    ) {
        let width = gradient.len() / d_sums.units.len();
        let Some(factors) = factors else {
            return self.add_terms(simd, d_sums, rows, start, gradient);
        };
        let mut terms = mem::take(&mut self.rows);
        terms.clear();
        for (row, factors) in rows.zip(factors) {
            terms.extend(row.iter().zip(factors).map(|(&x, &factor)| x * factor));
        }
        self.add_terms(simd, d_sums, terms.chunks_exact(width), start, gradient);
        self.rows = terms;
    }

    #[inline(always)]
    fn add_terms<'r, S: Simd>(
        &mut self,
        simd: S,
        d_sums: &DSums<'_, A>,
        rows: impl ExactSizeIterator<Item = &'r [A]> + Clone,
        start: Start<'_, A>,
        gradient: &mut [A],
    ) {
        let (units, count) = (d_sums.units.len(), rows.len());
        let width = gradient.len() / units;
        if self.d_sums.is_empty() {
            return match width {
                1 => add_outer::<A, 1>(d_sums.rows(), rows, gradient),
                2 => add_outer::<A, 2>(d_sums.rows(), rows, gradient),
                3 => add_outer::<A, 3>(d_sums.rows(), rows, gradient),
                4 => add_outer::<A, 4>(d_sums.rows(), rows, gradient),
                5 => add_outer::<A, 5>(d_sums.rows(), rows, gradient),
                6 => add_outer::<A, 6>(d_sums.rows(), rows, gradient),
                7 => add_outer::<A, 7>(d_sums.rows(), rows, gradient),
                _ => add_outer::<A, FEW>(d_sums.rows(), rows, gradient),
            };
        }
        self.panels.fill(width, rows);
        let a = Matrix::contiguous(&self.d_sums, units, count);
        Product::new(&[(a, self.panels.all())], start, gradient).run(simd);
    }
}

/// Adds the outer product of every two rows, the second of `W` elements: a number that the compiler knows.
#[inline(always)]
fn add_outer<'l, 'r, A: Element, const W: usize>(
    left: impl Iterator<Item = &'l [A]>,
    right: impl Iterator<Item = &'r [A]>,
    to: &mut [A],
) {
    let to = to.as_chunks_mut::<W>().0;
    for (left, right) in left.zip(right) {
        let Some(right) = right.first_chunk::<W>() else { return };
        for (to, &left) in to.iter_mut().zip(left) {
            for j in 0..W {
                to[j] = left.mul_add(right[j], to[j]);
            }
        }
    }
}
