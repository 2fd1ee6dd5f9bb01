//! The gradient of one direction's parameters: sums over all rows.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::calls::{Change, Kernels};
use super::few::{GradientRows, Outer, few};
use super::form::Form;
use super::gradient::{BlockRows, DirectionGradient, SharedBlocks, UnitsGradient};
use super::kept::Kept;
use super::operands::{Masks, operands};
use super::place::Place;
use super::resets::Resets;
use super::threads;
use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::{Chain, Matrix, Panels, Plan, Product, Start, transpose};
use crate::room::{grow, zero_elements};
use crate::rows::Source;
use crate::steps::Steps;

/// What the gradient of a direction's parameters is made of: the gradient of every sum, and what each sum read.
#[derive(Debug, Clone, Copy)]
struct Terms<'a, A> {
    steps: &'a Steps,
    reverse: bool,
    /// The gradient of the sums, rows of blocks of `units`.
    d_sums: &'a [A],
    units: usize,
    /// The layer's input rows, their width, and the dropout factors that they were multiplied with.
    inputs: &'a [A],
    width: usize,
    factors: Option<&'a [A]>,
    /// The layer's output rows, and the direction's first column in them.
    outputs: Source<'a, A>,
    column: usize,
    /// The first hidden states, and their width.
    first: &'a [A],
    features: usize,
    /// The masks of the input and of the hidden state.
    masks: [Option<Masks<'a, A>>; 2],
    /// If the last hidden block read the state times a gate: the rows that the cell left, their width, and where in a row
    /// that operand begins.
    gated: Option<(&'a [A], usize, usize)>,
    resets: Option<Resets<'a, A>>,
    /// The cell's outputs that were projected, if any, and the gradient of the hidden states that they became.
    projected: Option<[&'a [A]; 2]>,
}

impl Form {
    /// The second half of the way back: from the gradients of all sums, and of all hidden states that come from a
    /// projection, to the gradient of every parameter.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds some rows once more.
    pub(super) fn parameters_back<A: Element>(
        &self,
        kept: &Kept<A>,
        d_parameters: Vec<DirectionGradient<'_, A>>,
        [d_sums, d_h]: [&[A]; 2],
        workers: usize,
    ) -> Result<()> {
        let widths = [self.blocks.units, self.features()];
        let jobs = d_parameters.into_iter().enumerate();
        let jobs = jobs.flat_map(|(i, gradient)| gradient.split(widths, workers).map(move |part| (i, part)));
        threads::try_for_each(workers, jobs, |(i, gradient)| {
            let (terms, plan) = (self.terms(kept, i, [d_sums, d_h]), self.plan);
            plan.arch.dispatch(&mut Add { terms, plan, gradient, both: &self.sums })
        })
    }

    /// The terms of the gradient of the parameters of direction `i`.
    fn terms<'t, A: Element>(
        &self,
        kept: &'t Kept<A>,
        i: usize,
        [d_sums, d_h]: [&'t [A]; 2],
    ) -> Terms<'t, A> {
        let (layer, direction) = (i / self.directions, i % self.directions);
        let steps = &kept.course.layout.steps;
        let (rows, batch, features) = (steps.rows(), steps.batch(0), self.features());
        let of_direction = |all: &'t [A], width: usize| &all[i * rows * width..][..rows * width];
        let (extras, place) = (kept.extras(features), Place { layer, direction, i, first: 0 });
        let inputs: &[A] = if layer == 0 { &kept.inputs } else { &kept.outputs[layer - 1] };
        Terms {
            steps,
            reverse: direction == 1,
            d_sums: of_direction(d_sums, self.sums_width()),
            units: self.blocks.units,
            inputs,
            width: inputs.len() / rows,
            factors: layer
                .checked_sub(1)
                .and_then(|below| kept.factors.between.get(below))
                .map(Vec::as_slice),
            outputs: Source::rows(&kept.outputs[layer], self.width(), steps, 0),
            column: direction * features,
            first: &kept.first[i * batch * features..][..batch * features],
            features,
            masks: extras.masks_at(place),
            gated: self.gates_state.then(|| {
                let left = kept.rows.get(i).invariant("a cell that gates the state keeps its rows");
                (left.as_slice(), self.row_width, (self.sums.hidden.end - 1) * self.blocks.apart)
            }),
            resets: extras.resets.map(|resets| Resets { states: resets.states_of(i, self.widths), ..resets }),
            projected: kept.cells.get(i).map(|cells| [cells.as_slice(), of_direction(d_h, features)]),
        }
    }
}

impl<A: Element> Terms<'_, A> {
    /// Lists the hidden state that each row of step `t` read. `zeros` is a hidden state of zeros.
    fn list_previous<'r>(&'r self, t: usize, zeros: &'r [A], to: &mut Vec<&'r [A]>) {
        // `before` is the step before `t` in the direction's own time; before the first step there is none, and a
        // missing step has no rows. `border` is the step whose mask of resets stands between the two.
        let (before, border) = if self.reverse { (t + 1, t + 1) } else { (t.wrapping_sub(1), t) };
        let (batch, listed) = (self.steps.batch(t), to.len());
        let going_on = self.steps.batch(before).min(batch);
        let columns = self.column..self.column + self.features;
        let state = |states: &'r [A], b: usize| &states[b * self.features..][..self.features];
        self.outputs.list(before, going_on, columns, to);
        to.extend((going_on..batch).map(|b| state(self.first, b)));
        if let Some(resets) = &self.resets {
            let anew = (0..self.steps.batch(border).min(batch)).filter(|&b| resets.at(border, b));
            anew.for_each(|b| to[listed + b] = resets.states.map_or(zeros, |states| state(states.h, b)));
        }
    }
}

/// Adds the terms of every row to a gradient of zeros, in ascending order of (t, b) whichever way time ran.
struct Add<'t, 'a, A> {
    terms: Terms<'t, A>,
    plan: Plan,
    gradient: UnitsGradient<'a, A>,
    both: &'t SharedBlocks,
}

// By reference: to move it takes as long as some products of few units.
impl<A: Element> WithSimd for &mut Add<'_, '_, A> {
    type Output = Result<()>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Result<()> {
        self.run(&simd)
    }
}

impl<'t, A: Element> Add<'t, '_, A> {
    fn run(&mut self, kernels: &dyn Kernels<A>) -> Result<()> {
        let Self { terms, plan, gradient, both } = self;
        let Terms { steps, units, width, features, .. } = *terms;
        let blocks = both.sums();
        let biased = gradient.bias_ih.is_some() || gradient.bias_hh.is_some();
        let mut d_biases =
            zero_elements("scratch", &[if biased { blocks * gradient.units.len() } else { 0 }])?;
        let zeros = zero_elements("scratch", &[if terms.resets.is_some() { features } else { 0 }])?;
        let few_inputs = few(width, terms.factors.is_some() || terms.masks[0].is_some());
        let few_states = few(features, terms.masks[1].is_some() || terms.gated.is_some());
        let together = plan.terms.max(features.min(plan.terms.saturating_mul(2)));
        let (mut scratch, mut listed, mut left) = (TermScratch::default(), Vec::new(), 0..steps.len());
        while let Some(chunk) = steps.cut(&mut left, together, false) {
            let start = if chunk.start == 0 { Start::Zero } else { Start::Output };
            let rows = steps.start(chunk.start)..steps.start(chunk.end);
            let d_sums = &terms.d_sums[rows.start * blocks * units..rows.end * blocks * units];
            let sums = GradientRows { rows: d_sums, blocks, units, own: gradient.units.clone() };
            if biased {
                kernels.change(Change::AddRows { rows: &sums, to: &mut d_biases });
            }
            if !(few_inputs && few_states) {
                scratch.turn(&sums)?;
            }
            let of_rows = |all: &'t [A]| all[rows.start * width..rows.end * width].chunks_exact(width);
            let of_masks = |factors: &'t [A], width: usize| {
                steps.places(chunk.clone()).map(move |(_, b)| &factors[b * width..][..width])
            };
            listed.clear();
            grow("scratch", &mut listed, rows.len())?;
            listed.extend(of_rows(terms.inputs));
            if few_inputs {
                let (blocks, to) = (both.input.clone(), &mut gradient.weight_ih);
                kernels.add_outer(Outer { rows: &sums, blocks, right: &listed, to });
            } else {
                for operand in operands(terms.masks[0], both.input.len(), false) {
                    scratch.factors.clear();
                    grow("scratch", &mut scratch.factors, rows.len())?;
                    if let Some(all) = terms.factors {
                        scratch.factors.extend(of_rows(all));
                    }
                    if let Some(all) = operand.factors {
                        scratch.factors.extend(of_masks(all, width));
                    }
                    scratch.pack(width, &listed)?;
                    let to = (operand.blocks, &mut gradient.weight_ih);
                    scratch.multiply(kernels, both.input.start, start, to);
                }
            }
            listed.clear();
            chunk.clone().for_each(|t| terms.list_previous(t, &zeros, &mut listed));
            if few_states {
                let (blocks, to) = (both.hidden.clone(), &mut gradient.weight_hh);
                kernels.add_outer(Outer { rows: &sums, blocks, right: &listed, to });
                continue;
            }
            for operand in operands(terms.masks[1], both.hidden.len(), terms.gated.is_some()) {
                scratch.factors.clear();
                if let Some((left, width, first)) = terms.gated.filter(|_| operand.gated) {
                    // The gated operand is the last one.
                    let left = left[rows.start * width..rows.end * width].chunks_exact(width);
                    listed.clear();
                    listed.extend(left.map(|row| &row[first..][..features]));
                } else if let Some(all) = operand.factors {
                    grow("scratch", &mut scratch.factors, rows.len())?;
                    scratch.factors.extend(of_masks(all, features));
                }
                scratch.pack(features, &listed)?;
                let to = (operand.blocks, &mut gradient.weight_hh);
                scratch.multiply(kernels, both.hidden.start, start, to);
            }
        }
        gradient.put_biases(&d_biases, both);
        if let (Some([cells, d_h]), Some(weight_hr)) = (terms.projected, &mut gradient.weight_hr) {
            let chunks = d_h.chunks(together * features).zip(cells.chunks(together * units)).enumerate();
            let mut weight_hr = BlockRows::Whole(weight_hr, &[0]);
            for (i, (rows, cells)) in chunks {
                let start = if i == 0 { Start::Zero } else { Start::Output };
                scratch.turn(&GradientRows {
                    rows,
                    blocks: 1,
                    units: features,
                    own: gradient.features.clone(),
                })?;
                scratch.factors.clear();
                listed.clear();
                grow("scratch", &mut listed, cells.len() / units)?;
                listed.extend(cells.chunks_exact(units));
                scratch.pack(units, &listed)?;
                scratch.multiply(kernels, 0, start, (0..1, &mut weight_hr));
            }
        }
        Ok(())
    }
}

/// Scratch memory that chunks of rows reuse.
#[derive(Default)]
struct TermScratch<'t, A: Element> {
    /// The gradients of the sums, turned: for each block, a row for each unit.
    turned: Vec<Vec<A>>,
    /// The factors of the rows to be packed; none stand for ones.
    factors: Vec<&'t [A]>,
    rows: Vec<A>,
    panels: Panels<A>,
}

impl<A: Element> TermScratch<'_, A> {
    /// Turns the columns of some units of every block into rows.
    fn turn(&mut self, sums: &GradientRows<'_, A>) -> Result<()> {
        let GradientRows { rows, blocks, units, ref own } = *sums;
        self.turned.resize_with(blocks, Vec::new);
        for (block, turned) in self.turned.iter_mut().enumerate() {
            transpose(rows, blocks * units, block * units + own.start..block * units + own.end, turned)?;
        }
        Ok(())
    }

    /// Packs rows of `width` elements, multiplied with their factors.
    fn pack(&mut self, width: usize, rows: &[&[A]]) -> Result<()> {
        if self.factors.is_empty() {
            return self.panels.fill(width, rows.iter().copied());
        }
        self.rows.clear();
        grow("scratch", &mut self.rows, rows.len() * width)?;
        for (row, factors) in rows.iter().zip(&self.factors) {
            self.rows.extend(row.iter().zip(*factors).map(|(&x, &factor)| x * factor));
        }
        self.panels.fill(width, self.rows.chunks_exact(width))
    }

    /// Multiplies some turned blocks, counted from block `first` on, with the packed rows, into the same blocks of a
    /// gradient. Chains begin at `start`.
    fn multiply(
        &self,
        kernels: &dyn Kernels<A>,
        first: usize,
        start: Start<'_, A>,
        (blocks, gradient): (Range<usize>, &mut BlockRows<'_, A>),
    ) {
        let weights = self.panels.all();
        for block in blocks {
            let (turned, gradient) = (&self.turned[first + block], gradient.block(block));
            let a = Matrix::contiguous(turned, gradient.len() / weights.width(), weights.depth());
            kernels.product(Product::new(&[Chain { start, a, weights }], gradient));
        }
    }
}
