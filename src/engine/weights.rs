//! The gradient of one direction's parameters.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::resets::Resets;
use crate::element::Element;
use crate::kernels::{Chain, Matrix, Panels, Plan, Product, Start, transpose};
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
    pub(super) fn previous<'r>(&'r self, t: usize, zeros: &'r [A], to: &mut Vec<&'r [A]>) {
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
            let d_sums = &terms.d_sums[rows.start * terms.units..rows.end * terms.units];
            for row in d_sums.chunks_exact(terms.units) {
                bias.iter_mut().zip(&row[units.clone()]).for_each(|(d_bias, &d_sum)| *d_bias += d_sum);
            }
            transpose(d_sums, terms.units, units.clone(), &mut room.d_sums);
            let inputs = terms.inputs[rows.start * width..rows.end * width].chunks_exact(width);
            let factors = terms.factors.map(|factors| factors[rows.start * width..].chunks_exact(width));
            room.add(simd, width, inputs, factors, start, weight_ih);
            states.clear();
            states.reserve(rows.len());
            chunk.clone().for_each(|t| terms.previous(t, &zeros, &mut states));
            let row = |b: usize, factors: &'t [A]| &factors[b * hidden..][..hidden];
            let factors = terms.state_factors.map(|all| steps.places(chunk).map(move |(_, b)| row(b, all)));
            room.add(simd, hidden, states.iter().copied(), factors, start, weight_hh);
        }
    }
}

/// Room that chunks reuse.
#[derive(Default)]
struct Room<A: Element> {
    /// The gradient of the sums, a row for each unit.
    d_sums: Vec<A>,
    rows: Vec<A>,
    panels: Panels<A>,
}

impl<A: Element> Room<A> {
    /// Adds `d_sums` times rows of `width` elements, themselves multiplied with `factors` if there are any, to where
    /// `gradient` starts.
    #[inline(always)]
    fn add<'r, S: Simd>(
        &mut self,
        simd: S,
        width: usize,
        rows: impl ExactSizeIterator<Item = &'r [A]> + Clone,
        factors: Option<impl Iterator<Item = &'r [A]>>,
        start: Start<'_, A>,
        gradient: &mut [A],
    ) {
        let count = rows.len();
        if let Some(factors) = factors {
            self.rows.clear();
            for (row, factors) in rows.zip(factors) {
                self.rows.extend(row.iter().zip(factors).map(|(&x, &factor)| x * factor));
            }
            self.panels.fill(width, self.rows.chunks_exact(width));
        } else {
            self.panels.fill(width, rows);
        }
        let a = Matrix::contiguous(&self.d_sums, gradient.len() / width, count);
        Product::new(&[Chain { start, a, weights: self.panels.all() }], gradient).run(simd);
    }
}
