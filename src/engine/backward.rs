//! The way back through one direction of one layer.

use std::ops::Range;
use std::slice;

use super::calls::{CellBack, Change, Kernels};
use super::form::Form;
use super::forward::Place;
use super::operands::{Masks, operands};
use super::resets::Resets;
use super::share::ShareMut;
use super::team::Member;
use super::weights::BackWeights;
use crate::cell::KeptRows;
use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::{Chain, Matrix, Product, Start};
use crate::planes::Planes;
use crate::room::resize;
use crate::rows::Source;
use crate::steps::Steps;

/// What a direction reads on the way back.
#[derive(Debug)]
pub(super) struct BackSpanReads<'a, A> {
    /// How rows fall into steps.
    pub(super) steps: &'a Steps,
    pub(super) form: &'a Form,
    pub(super) place: Place,
    /// The threads that share a single sequence, if any do.
    pub(super) team: Option<&'a Member<'a>>,
    /// The rows that the cell left, if the cell keeps them.
    pub(super) rows: Option<Source<'a, A>>,
    /// The rows of the cell's outputs, and this direction's first column in them.
    pub(super) cells: (Source<'a, A>, usize),
    /// The gradient of the layer's output rows, and this direction's first column in them; `None` stands for
    /// zeros.
    pub(super) d_outputs: Option<(Source<'a, A>, usize)>,
    /// Where sequences begin anew.
    pub(super) resets: Option<&'a Resets<'a, A>>,
    /// The masks of the input and of the hidden state.
    pub(super) masks: [Option<Masks<'a, A>>; 2],
}

/// What a direction writes on the way back.
#[derive(Debug)]
pub(super) struct BackSpanWrites<'a, 't, A> {
    /// The gradient of the state: of the final state before the call, of the first state after it.
    pub(super) d_state: Planes<&'a mut [A]>,
    /// Takes the gradient of every sum.
    pub(super) d_sums: ShareMut<'a, 't, A>,
    /// Takes the gradient of every hidden state, if there is a projection.
    pub(super) d_h: Option<ShareMut<'a, 't, A>>,
    /// Takes the gradient of the layer's input rows, if it is wanted. The forward direction overwrites what is
    /// there, the reverse direction adds to it.
    pub(super) d_inputs: Option<ShareMut<'a, 't, A>>,
}

/// Room that the steps of a direction reuse for what cannot be read or written in place.
#[derive(Debug, Default)]
pub(super) struct BackScratch<A> {
    sums: Vec<A>,
    inputs: Vec<A>,
    rows: Vec<A>,
    cells: Vec<A>,
    d_outputs: Vec<A>,
    /// The gradient of the cell's outputs, if they are projected.
    d_cells: Vec<A>,
    masked: Vec<A>,
}

impl<A: Element> BackWeights<A> {
    /// The way back of [`Weights::forward`](super::weights::Weights::forward).
    ///
    /// The gradient of a state is a sum over the gradients of the next step's sums, in ascending order. The
    /// gradient of an input is such a sum too, to which the reverse direction adds its own.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if the scratch memory cannot grow.
    pub(super) fn backward(
        &self,
        cell: &dyn CellBack<A>,
        reads: BackSpanReads<'_, A>,
        writes: BackSpanWrites<'_, '_, A>,
        scratch: &mut BackScratch<A>,
    ) -> Result<()> {
        let BackSpanReads { steps, form, place, team, .. } = reads;
        let (kernels, reverse) = (cell.kernels(), place.direction == 1);
        let BackSpanWrites { mut d_state, mut d_sums, mut d_h, mut d_inputs } = writes;
        let (width, units, features) = (form.sums_width(), form.blocks.units, form.features());
        let mut left = 0..steps.len();
        while let Some(chunk) = steps.cut(&mut left, form.plan.chunk_of::<A>(width), !reverse) {
            let rows = steps.start(chunk.start)..steps.start(chunk.end);
            let chunk_sums =
                d_sums.rows(chunk.clone(), rows.start * width..rows.end * width, false, &mut scratch.sums)?;
            let mut times = chunk.clone();
            while let Some(t) = if reverse { times.next() } else { times.next_back() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                let mut d_state = Planes {
                    h: &mut d_state.h[..batch * features],
                    c: d_state.c.as_deref_mut().map(|d_c| &mut d_c[..batch * units]),
                };
                if let Some((d_outputs, column)) = reads.d_outputs {
                    let terms =
                        d_outputs.columns([t, batch], column..column + features, &mut scratch.d_outputs)?;
                    kernels.change(Change::Add { terms, to: d_state.h });
                }
                if let Some(d_h) = &mut d_h {
                    let range = start * features..(start + batch) * features;
                    d_h.step(t, range).copy_from_slice(d_state.h);
                }
                let (cells, column) = reads.cells;
                let kept = KeptRows {
                    h: cells.columns([t, batch], column..column + units, &mut scratch.cells)?,
                    rows: if form.keeps {
                        let kept = reads.rows.invariant("a cell that keeps its rows has them");
                        kept.columns([t, batch], 0..kept.width(), &mut scratch.rows)?
                    } else {
                        &[]
                    },
                };
                let sums = &mut chunk_sums[(start - rows.start) * width..][..batch * width];
                let d_cells = match &self.projection {
                    None => &mut *d_state.h,
                    Some(projection) => {
                        let a = Matrix::contiguous(d_state.h, batch, features);
                        resize("scratch", &mut scratch.d_cells, batch * units)?;
                        let chain = Chain { start: Start::Zero, a, weights: projection.all() };
                        kernels.product(Product::new(&[chain], &mut scratch.d_cells));
                        &mut *scratch.d_cells
                    }
                };
                let d_c = match &mut d_state.c {
                    Some(d_c) => &mut **d_c,
                    None => &mut [],
                };
                cell.back(form.blocks, kept, d_cells, d_c, sums);
                if self.projection.is_some() {
                    d_state.h.fill(A::zero());
                }
                let [_, masks] = reads.masks;
                if masks.is_none() && !form.gates_state {
                    let mut chain = self.chain(form, sums, batch, 0..form.sums.hidden.len(), Start::Output);
                    let own = team.map_or(0..features, |team| {
                        let panels = team.share(features.div_ceil(A::PANEL));
                        chain.weights = chain.weights.part(panels.clone());
                        panels.start * A::PANEL..features.min(panels.end * A::PANEL)
                    });
                    let mut product =
                        Product::new(slice::from_ref(&chain), &mut d_state.h[own.start..]).strided(features);
                    product.last_first = t % 2 == 1;
                    kernels.product(product);
                    if let Some(team) = team {
                        team.exchange(own, d_state.h);
                    }
                } else {
                    let d_h = &mut *d_state.h;
                    self.to_operands((cell, form), (kept.rows, masks), sums, d_h, &mut scratch.masked)?;
                }
                if let Some(resets) = reads.resets {
                    resets.cut(if reverse { t + 1 } else { t }, place, d_state, form.widths);
                }
            }
            if let Some(d_inputs) = &mut d_inputs {
                let (inputs, sums) = (self.inputs(), &chunk_sums[form.sums.input.start * units..]);
                let range = rows.start * inputs..rows.end * inputs;
                let c = d_inputs.rows(chunk.clone(), range, reverse, &mut scratch.inputs)?;
                let start = if reverse { Start::Output } else { Start::Zero };
                let blocks = 0..form.sums.input.len();
                if let [Some(masks), _] = reads.masks {
                    if !reverse {
                        c.fill(A::zero());
                    }
                    for operand in operands(Some(masks), blocks.len(), false) {
                        let chain =
                            self.input_chain(sums, [rows.len(), width, units], operand.blocks, Start::Zero);
                        let factors = operand.factors.invariant("a mask has factors");
                        let factors =
                            steps.places(chunk.clone()).map(|(_, b)| &factors[b * inputs..][..inputs]);
                        add_masked(kernels, chain, factors, c, &mut scratch.masked)?;
                    }
                } else {
                    let own = team.map_or(0..rows.len(), |team| team.share(rows.len()));
                    let sums = &sums[own.start * width..];
                    let chain = self.input_chain(sums, [own.len(), width, units], blocks, start);
                    let own = own.start * inputs..own.end * inputs;
                    kernels.product(Product::new(&[chain], &mut c[own.clone()]));
                    if let Some(team) = team {
                        team.exchange(own, c);
                    }
                }
                d_inputs.put(chunk.clone(), &scratch.inputs);
            }
            d_sums.put(chunk, &scratch.sums);
        }
        Ok(())
    }

    /// The chains of some of the input's blocks, over the gradients of the sums of rows that start at the first of these
    /// blocks.
    fn input_chain<'s>(
        &'s self,
        sums: &'s [A],
        [rows, width, units]: [usize; 3],
        blocks: Range<usize>,
        start: Start<'s, A>,
    ) -> Chain<'s, A> {
        let a = Matrix::strided(&sums[blocks.start * units..], rows, blocks.len() * units, width);
        Chain { start, a, weights: self.input.all().rows(blocks.start * units..blocks.end * units) }
    }

    /// The chains of some of the state's blocks, over rows of gradients of sums.
    fn chain<'s>(
        &'s self,
        form: &Form,
        sums: &'s [A],
        batch: usize,
        blocks: Range<usize>,
        start: Start<'s, A>,
    ) -> Chain<'s, A> {
        let units = form.blocks.units;
        let first = (form.sums.hidden.start + blocks.start) * units;
        let a = Matrix::strided(&sums[first..], batch, blocks.len() * units, form.sums_width());
        Chain { start, a, weights: self.hidden.all().rows(blocks.start * units..blocks.end * units) }
    }

    /// Adds what comes through the recurrent product to the gradient of rows of hidden states that the product read times
    /// masks or a gate. The gated operand comes first, since it leads to the sums of the gate.
    fn to_operands(
        &self,
        (cell, form): (&dyn CellBack<A>, &Form),
        (rows, masks): (&[A], Option<Masks<'_, A>>),
        sums: &mut [A],
        d_h: &mut [A],
        room: &mut Vec<A>,
    ) -> Result<()> {
        let (kernels, features) = (cell.kernels(), form.features());
        let batch = d_h.len() / features;
        let mut all = operands(masks, form.sums.hidden.len(), form.gates_state);
        let gated = if form.gates_state { all.next_back() } else { None };
        for operand in gated.into_iter().chain(all) {
            let start = if operand.gated || operand.factors.is_some() { Start::Zero } else { Start::Output };
            let chain = self.chain(form, sums, batch, operand.blocks, start);
            match operand.factors {
                factors if operand.gated => {
                    resize("scratch", room, d_h.len())?;
                    kernels.product(Product::new(&[chain], room));
                    cell.gate_back(form.blocks, (rows, factors), room, d_h, sums);
                }
                Some(factors) => add_masked(kernels, chain, factors.chunks_exact(features), d_h, room)?,
                None => kernels.product(Product::new(&[chain], d_h)),
            }
        }
        Ok(())
    }
}

/// Adds chains times factors, a row of them for each row.
fn add_masked<'f, A: Element>(
    kernels: &dyn Kernels<A>,
    chain: Chain<'_, A>,
    factors: impl Iterator<Item = &'f [A]>,
    to: &mut [A],
    room: &mut Vec<A>,
) -> Result<()> {
    resize("scratch", room, to.len())?;
    kernels.product(Product::new(&[chain], room));
    let width = chain.weights.width();
    let rows = room.chunks_exact(width).zip(to.chunks_exact_mut(width)).zip(factors);
    rows.for_each(|((terms, to), factors)| kernels.change(Change::AddProducts { terms, factors, to }));
    Ok(())
}
