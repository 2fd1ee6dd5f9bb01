//! The way back through one direction of one layer.

use std::ops::Range;
use std::slice;

use super::calls::{CellBack, Change, Kernels};
use super::form::Form;
use super::operands::{Masks, operands};
use super::place::Place;
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

/// One direction of one layer on the way back, and what it reads.
pub(super) struct BackSpan<'a, A: Element> {
    pub(super) weights: &'a BackWeights<A>,
    pub(super) cell: &'a dyn CellBack<A>,
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

/// Room that a direction reuses for what cannot be read or written in place.
#[derive(Debug, Default)]
pub(super) struct BackScratch<A> {
    sums: Vec<A>,
    inputs: Vec<A>,
    step: BackStepScratch<A>,
}

/// The part of it that each step uses.
#[derive(Debug, Default)]
struct BackStepScratch<A> {
    rows: Vec<A>,
    cells: Vec<A>,
    d_outputs: Vec<A>,
    /// The gradient of the cell's outputs, if they are projected.
    d_cells: Vec<A>,
    masked: Vec<A>,
}

impl<A: Element> BackSpan<'_, A> {
    /// The way back of [`Span::run`](super::forward::Span::run).
    ///
    /// The gradient of a state is a sum over the gradients of the next step's sums, in ascending order. The
    /// gradient of an input is such a sum too, to which the reverse direction adds its own.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if the scratch memory cannot grow.
    pub(super) fn run(&self, writes: BackSpanWrites<'_, '_, A>, scratch: &mut BackScratch<A>) -> Result<()> {
        let Self { steps, form, .. } = *self;
        let BackSpanWrites { mut d_state, mut d_sums, mut d_h, mut d_inputs } = writes;
        let (reverse, width, features) = (self.place.direction == 1, form.sums_width(), form.features());
        let mut left = 0..steps.len();
        while let Some(chunk) = steps.cut(&mut left, form.plan.chunk_of::<A>(width), !reverse) {
            let rows = steps.start(chunk.start)..steps.start(chunk.end);
            let chunk_sums =
                d_sums.rows(chunk.clone(), rows.start * width..rows.end * width, false, &mut scratch.sums)?;
            let mut times = chunk.clone();
            while let Some(t) = if reverse { times.next() } else { times.next_back() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                let d_state = Planes {
                    h: &mut d_state.h[..batch * features],
                    c: d_state.c.as_deref_mut().map(|d_c| &mut d_c[..batch * form.blocks.units]),
                };
                let d_h = d_h.as_mut().map(|d_h| d_h.step(t, start * features..(start + batch) * features));
                let sums = &mut chunk_sums[(start - rows.start) * width..][..batch * width];
                self.step([t, batch], d_state, d_h, sums, &mut scratch.step)?;
            }
            if let Some(d_inputs) = &mut d_inputs {
                let room = (&mut scratch.inputs, &mut scratch.step.masked);
                self.inputs(chunk.clone(), chunk_sums, d_inputs, room)?;
            }
            d_sums.put(chunk, &scratch.sums);
        }
        Ok(())
    }

    /// The way back of step `t`: turns the gradient of the state after it into that of the state before it, and sets the
    /// gradients of the sums. `d_h` takes the gradient of the hidden states, if it is wanted.
    fn step(
        &self,
        [t, batch]: [usize; 2],
        mut d_state: Planes<&mut [A]>,
        d_h: Option<&mut [A]>,
        sums: &mut [A],
        scratch: &mut BackStepScratch<A>,
    ) -> Result<()> {
        let (form, features) = (self.form, self.form.features());
        let BackStepScratch { rows, cells, d_outputs, d_cells, masked } = scratch;
        if let Some((source, column)) = self.d_outputs {
            let terms = source.columns([t, batch], column..column + features, d_outputs)?;
            self.cell.kernels().change(Change::Add { terms, to: d_state.h });
        }
        if let Some(d_h) = d_h {
            d_h.copy_from_slice(d_state.h);
        }
        let (source, column) = self.cells;
        let kept = KeptRows {
            h: source.columns([t, batch], column..column + form.blocks.units, cells)?,
            rows: if form.keeps {
                let kept = self.rows.invariant("a cell that keeps its rows has them");
                kept.columns([t, batch], 0..kept.width(), rows)?
            } else {
                &[]
            },
        };
        self.cell_back(batch, kept, &mut d_state, sums, d_cells)?;
        self.state_back([t, batch], kept.rows, d_state.h, sums, masked)?;
        if let Some(resets) = self.resets {
            resets.cut(t + self.place.direction, self.place, d_state, form.widths);
        }
        Ok(())
    }

    /// Through the projection, if there is one, and through the cell.
    fn cell_back(
        &self,
        batch: usize,
        kept: KeptRows<'_, A>,
        d_state: &mut Planes<&mut [A]>,
        sums: &mut [A],
        room: &mut Vec<A>,
    ) -> Result<()> {
        let (cell, blocks) = (self.cell, self.form.blocks);
        let d_c = match self.form.widths.c {
            Some(_) => d_state.c.as_deref_mut().invariant("a cell that carries a c has its gradient"),
            None => &mut [],
        };
        let Some(projection) = &self.weights.projection else {
            cell.back(blocks, kept, d_state.h, d_c, sums);
            return Ok(());
        };
        let a = Matrix::contiguous(d_state.h, batch, self.form.features());
        resize("scratch", room, batch * blocks.units)?;
        let chain = Chain { start: Start::Zero, a, weights: projection.all() };
        cell.kernels().product(Product::new(&[chain], room));
        cell.back(blocks, kept, room, d_c, sums);
        d_state.h.fill(A::zero());
        Ok(())
    }

    /// Adds what comes through the recurrent product to the gradient of the hidden states. In a team each member makes the
    /// gradient of its own columns.
    fn state_back(
        &self,
        [t, batch]: [usize; 2],
        rows: &[A],
        d_h: &mut [A],
        sums: &mut [A],
        room: &mut Vec<A>,
    ) -> Result<()> {
        let (form, features) = (self.form, self.form.features());
        let [_, masks] = self.masks;
        if masks.is_some() || form.gates_state {
            return self.to_operands((rows, masks), sums, d_h, room);
        }
        let mut chain = self.chain(sums, batch, 0..form.sums.hidden.len(), Start::Output);
        let own = self.team.map_or(0..features, |team| {
            let panels = team.share(features.div_ceil(A::PANEL));
            chain.weights = chain.weights.part(panels.clone());
            panels.start * A::PANEL..features.min(panels.end * A::PANEL)
        });
        let mut product = Product::new(slice::from_ref(&chain), &mut d_h[own.start..]).strided(features);
        product.last_first = t % 2 == 1;
        self.cell.kernels().product(product);
        if let Some(team) = self.team {
            team.exchange(own, d_h);
        }
        Ok(())
    }

    /// The gradient of the input rows of some steps, from that of their sums. In a team each member makes some rows.
    fn inputs(
        &self,
        chunk: Range<usize>,
        sums: &[A],
        d_inputs: &mut ShareMut<'_, '_, A>,
        (room, masked): (&mut Vec<A>, &mut Vec<A>),
    ) -> Result<()> {
        let Self { weights, steps, form, team, .. } = *self;
        let (kernels, reverse, inputs) = (self.cell.kernels(), self.place.direction == 1, weights.inputs());
        let rows = steps.start(chunk.start)..steps.start(chunk.end);
        let c = d_inputs.rows(chunk.clone(), rows.start * inputs..rows.end * inputs, reverse, room)?;
        let blocks = 0..form.sums.input.len();
        if let [Some(masks), _] = self.masks {
            if !reverse {
                c.fill(A::zero());
            }
            for operand in operands(Some(masks), blocks.len(), false) {
                let chain = self.input_chain(sums, 0..rows.len(), operand.blocks, Start::Zero);
                let factors = operand.factors.invariant("a mask has factors");
                let factors = steps.places(chunk.clone()).map(|(_, b)| &factors[b * inputs..][..inputs]);
                add_masked(kernels, chain, factors, c, masked)?;
            }
        } else {
            let own = team.map_or(0..rows.len(), |team| team.share(rows.len()));
            let start = if reverse { Start::Output } else { Start::Zero };
            let chain = self.input_chain(sums, own.clone(), blocks, start);
            let own = own.start * inputs..own.end * inputs;
            kernels.product(Product::new(&[chain], &mut c[own.clone()]));
            if let Some(team) = team {
                team.exchange(own, c);
            }
        }
        d_inputs.put(chunk, room);
        Ok(())
    }

    /// The chains of some of the input's blocks, over some rows of gradients of sums.
    fn input_chain<'s>(
        &'s self,
        sums: &'s [A],
        rows: Range<usize>,
        blocks: Range<usize>,
        start: Start<'s, A>,
    ) -> Chain<'s, A> {
        let (units, width) = (self.form.blocks.units, self.form.sums_width());
        let first = rows.start * width + (self.form.sums.input.start + blocks.start) * units;
        let a = Matrix::strided(&sums[first..], rows.len(), blocks.len() * units, width);
        let weights = self.weights.input.all();
        Chain { start, a, weights: weights.rows(blocks.start * units..blocks.end * units) }
    }

    /// The chains of some of the state's blocks, over rows of gradients of sums.
    fn chain<'s>(
        &'s self,
        sums: &'s [A],
        batch: usize,
        blocks: Range<usize>,
        start: Start<'s, A>,
    ) -> Chain<'s, A> {
        let (units, width) = (self.form.blocks.units, self.form.sums_width());
        let first = (self.form.sums.hidden.start + blocks.start) * units;
        let a = Matrix::strided(&sums[first..], batch, blocks.len() * units, width);
        let weights = self.weights.hidden.all();
        Chain { start, a, weights: weights.rows(blocks.start * units..blocks.end * units) }
    }

    /// Adds what comes through the recurrent product to the gradient of rows of hidden states that the product read times
    /// masks or a gate. The gated operand comes first, since it leads to the sums of the gate.
    fn to_operands(
        &self,
        (rows, masks): (&[A], Option<Masks<'_, A>>),
        sums: &mut [A],
        d_h: &mut [A],
        room: &mut Vec<A>,
    ) -> Result<()> {
        let Self { cell, form, .. } = *self;
        let (kernels, features) = (cell.kernels(), form.features());
        let batch = d_h.len() / features;
        let mut all = operands(masks, form.sums.hidden.len(), form.gates_state);
        let gated = if form.gates_state { all.next_back() } else { None };
        for operand in gated.into_iter().chain(all) {
            let start = if operand.gated || operand.factors.is_some() { Start::Zero } else { Start::Output };
            let chain = self.chain(sums, batch, operand.blocks, start);
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
