//! The gradient of one direction's parameters.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::direction::Resets;
use crate::element::Element;
use crate::kernels::{Matrix, Panels, Product, Start};
use crate::sequence::Source;
use crate::steps::Steps;

/// Rows whose terms are added together.
const CHUNK: usize = 256;

/// What the gradient of a direction's parameters is made of: the gradient of every sum, and what the sum read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a, A> {
    pub(super) steps: &'a Steps,
    pub(super) reverse: bool,
    /// The gradient of the sums, rows of `units`.
    pub(super) d_sums: &'a [A],
    pub(super) units: usize,
    /// The layer's input rows, and the dropout factors that they were multiplied with.
    pub(super) inputs: Source<'a, A>,
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
    pub(super) fn add_to(&self, arch: Arch, gradient: Gradient<'_, A>) {
        arch.dispatch(Add { terms: self, gradient });
    }

    /// Row b of step t of the layer's input, with its dropout.
    fn input(&self, t: usize, b: usize, row: &mut [A]) {
        row.copy_from_slice(self.inputs.row(t, b));
        if let Some(factors) = self.factors {
            let factors = &factors[(self.steps.start(t) + b) * row.len()..][..row.len()];
            row.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= factor);
        }
    }

    /// What the recurrent product read for row b of step t.
    fn read(&self, t: usize, b: usize, row: &mut [A]) {
        self.previous(t, b, row);
        if let Some(factors) = self.state_factors {
            row.iter_mut().zip(&factors[b * self.hidden..]).for_each(|(h, &factor)| *h *= factor);
        }
    }

    /// The state that row b of step t came from.
    fn previous(&self, t: usize, b: usize, row: &mut [A]) {
        // The step before in the direction's own time, and the step whose mask stands between the two.
        let (before, border) = if self.reverse { (Some(t + 1), t + 1) } else { (t.checked_sub(1), t) };
        let state =
            |states: &[A], row: &mut [A]| row.copy_from_slice(&states[b * self.hidden..][..self.hidden]);
        if b < self.steps.batch(border) && self.resets.is_some_and(|resets| resets.at(border, b)) {
            match self.resets.and_then(|resets| resets.states) {
                Some(states) => state(states, row),
                None => row.fill(A::zero()),
            }
            return;
        }
        match before.filter(|&before| b < self.steps.batch(before)) {
            Some(before) => {
                row.copy_from_slice(&self.outputs.row(before, b)[self.column..self.column + self.hidden]);
            }
            None => state(self.first, row),
        }
    }
}

struct Add<'t, 'a, A> {
    terms: &'t Terms<'t, A>,
    gradient: Gradient<'a, A>,
}

impl<A: Element> WithSimd for Add<'_, '_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { terms, gradient } = self;
        let (steps, units) = (terms.steps, gradient.units);
        let mut room = Room::default();
        let mut left = 0..steps.len();
        while let Some(chunk) = steps.cut(&mut left, CHUNK, false) {
            let rows = steps.start(chunk.start)..steps.start(chunk.end);
            let d_sums =
                terms.d_sums[rows.start * terms.units..rows.end * terms.units].chunks_exact(terms.units);
            let d_sums = d_sums.map(|row| &row[units.clone()]);
            for row in d_sums.clone() {
                gradient.bias.iter_mut().zip(row).for_each(|(d_bias, &d_sum)| *d_bias += d_sum);
            }
            transpose(d_sums, units.len(), &mut room.d_sums);
            let places = || chunk.clone().flat_map(|t| (0..steps.batch(t)).map(move |b| (t, b)));
            room.add(
                simd,
                places(),
                terms.inputs.width(),
                |t, b, row| terms.input(t, b, row),
                gradient.weight_ih,
            );
            room.add(simd, places(), terms.hidden, |t, b, row| terms.read(t, b, row), gradient.weight_hh);
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
    /// Adds `d_sums` times rows of `width` elements to `gradient`.
    #[inline(always)]
    fn add<S: Simd>(
        &mut self,
        simd: S,
        places: impl Iterator<Item = (usize, usize)> + Clone,
        width: usize,
        fill: impl Fn(usize, usize, &mut [A]),
        gradient: &mut [A],
    ) {
        let count = places.clone().count();
        self.rows.resize(count * width, A::zero());
        places.zip(self.rows.chunks_exact_mut(width)).for_each(|((t, b), row)| fill(t, b, row));
        self.panels.fill(width, self.rows.chunks_exact(width));
        let a = Matrix::contiguous(&self.d_sums, gradient.len() / width, count);
        Product::new(a, self.panels.all(), Start::Output, gradient).run(simd);
    }
}

/// Turns rows of `width` elements into `width` rows.
fn transpose<'a, A: Element>(rows: impl ExactSizeIterator<Item = &'a [A]>, width: usize, to: &mut Vec<A>) {
    /// Rows that are turned together, so that whole parts of cache lines are written.
    const TOGETHER: usize = 8;
    let count = rows.len();
    to.resize(width * count, A::zero());
    let rows: Vec<_> = rows.collect();
    for (i, rows) in rows.chunks(TOGETHER).enumerate() {
        let to = to.chunks_exact_mut(count).map(|to| &mut to[i * TOGETHER..]);
        if let Ok(rows) = <[&[A]; TOGETHER]>::try_from(rows) {
            for (j, to) in to.enumerate() {
                let to = &mut to[..TOGETHER];
                for (to, row) in to.iter_mut().zip(rows) {
                    *to = row[j];
                }
            }
        } else {
            for (j, to) in to.enumerate() {
                to.iter_mut().zip(rows).for_each(|(to, row)| *to = row[j]);
            }
        }
    }
}
