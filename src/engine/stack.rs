//! The layers of a network, and their passes forward, split among threads.

use std::time::Duration;

use super::forward::SpanScratch;
use super::layers::RunForward;
use super::pass::{InnerWrites, Reads, Writes};
use super::share::Share;
use super::team::{Member, Team};
use super::threads;
use super::weights::Weights;
use crate::cell::Cell;
use crate::element::Element;
use crate::error::Result;
use crate::kernels::{Blocks, Plan, copied};
use crate::planes::Planes;
use crate::steps::Steps;

/// Of so many recurrent weights in a layer a step of a single sequence is shared by two threads, of four times as many by
/// four. Below, the meeting after each step takes longer than the step.
const SHARED_WEIGHTS: usize = 224 * 224;

/// The packed weights of every direction of every layer, and the cell they feed.
#[derive(Debug, Clone)]
pub struct Stack<A: Element, C> {
    /// By layer, then direction.
    pub(super) weights: Vec<Weights<A>>,
    depth: usize,
    directions: usize,
    pub(super) cell: C,
    pub(super) plan: Plan,
    blocks: Blocks,
    features: usize,
    /// The number of weights.
    count: usize,
}

/// What is done once there is memory for a whole pass, before it runs.
pub type Ready<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Scratch memory that passes reuse.
#[derive(Debug, Clone, Default)]
pub struct Scratch<A> {
    pub(super) room: SpanScratch<A>,
    /// The rows between two layers: one layer writes them, the next reads them.
    pub(super) below: Vec<A>,
    pub(super) above: Vec<A>,
    /// How many single steps there were: every other one reads the weights from their end.
    pub(super) single_steps: usize,
    /// The rows of the longest pass for which there is memory, however they fall into steps.
    pub(super) ready: usize,
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// Layers of one direction or two. `weights` are by layer, then direction.
    pub(crate) fn new(weights: Vec<Weights<A>>, directions: usize, cell: C, plan: Plan) -> Self {
        let count = weights.iter().map(|weights| weights.count).sum();
        let (blocks, features) = (weights[0].blocks, weights[0].features());
        let depth = weights.len() / directions;
        Self { weights, depth, directions, cell, plan, blocks, features, count }
    }

    /// Runs every layer over every step, with sequences split among threads where that pays.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds what the pass works in, or what `ready`
    /// returns, before anything is written.
    #[inline(always)]
    pub(crate) fn forward(
        &self,
        reads: Reads<'_, A>,
        mut writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
        ready: Option<Ready<'_>>,
    ) -> Result<()> {
        let steps = reads.steps;
        if steps.rows() == 0 {
            return Ok(());
        }
        let threads = threads::count(self.flops(steps.rows()));
        if threads > 1 {
            return self.forward_on_threads(&reads, writes, scratch, ready, threads);
        }
        scratch.prepare(self, &reads)?;
        if let Some(ready) = ready {
            ready()?;
        }
        self.run(&reads, None, &mut writes, scratch);
        Ok(())
    }

    /// As [`forward`](Self::forward), where several threads may pay. Not inlined: a small step takes longer with it.
    #[inline(never)]
    fn forward_on_threads(
        &self,
        reads: &Reads<'_, A>,
        mut writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
        ready: Option<Ready<'_>>,
        threads: usize,
    ) -> Result<()> {
        let (steps, begin) = (reads.steps, || ready.map_or(Ok(()), |ready| ready()));
        if steps.batch(0) > 1 {
            let ranges = steps.ranges(threads.min(steps.batch(0)));
            let parts = writes.split(self, steps, &ranges)?.into_iter().zip(ranges);
            let prepared = parts.map(|(writes, rows)| {
                let (source, steps) = (reads.source.skip(rows.start), steps.narrow(&rows)?);
                let mut scratch = Scratch::default();
                scratch.prepare(self, &Reads { source, steps: &steps, ..*reads })?;
                Ok((writes, source, steps, rows.start, scratch))
            });
            let prepared = prepared.collect::<Result<Vec<_>>>()?;
            begin()?;
            threads::for_each(threads, prepared, |(mut writes, source, steps, first, mut scratch)| {
                let reads = Reads { source, steps: &steps, first, ..*reads };
                self.run(&reads, None, &mut writes, &mut scratch);
            });
            return Ok(());
        }
        scratch.prepare(self, reads)?;
        if self.team(threads) > 1 {
            return self.forward_together(reads, writes, self.team(threads), scratch, begin);
        }
        begin()?;
        self.run(reads, None, &mut writes, scratch);
        Ok(())
    }

    /// Runs a thread's part of a pass on this thread.
    #[inline(always)]
    fn run(
        &self,
        reads: &Reads<'_, A>,
        team: Option<&Member<'_>>,
        writes: &mut Writes<'_, A>,
        scratch: &mut Scratch<A>,
    ) {
        // By reference: what is moved is read in other pieces than it was written in, and waits for the writes to end.
        self.plan.arch.dispatch(&mut RunForward { stack: self, reads, team, writes, scratch });
    }

    /// Runs one sequence on several threads. Each thread keeps the whole state, and makes some units of every
    /// block. A thread that finds no memory does not help.
    #[inline(always)]
    fn forward_together(
        &self,
        reads: &Reads<'_, A>,
        mut writes: Writes<'_, A>,
        threads: usize,
        scratch: &mut Scratch<A>,
        begin: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let first = writes.state.as_ref().try_map(Share::copied)?;
        let rows = writes.inner.as_ref().map_or(0, |inner| inner.rows.len());
        let team = Team::new(self.row_width())?;
        scratch.prepare_row(self)?;
        begin()?;
        let prepare = || {
            let mut scratch = Scratch::default();
            scratch.prepare(self, reads)?;
            scratch.prepare_row(self)?;
            Ok((first.as_ref().try_map(|plane| copied("state", plane))?, scratch))
        };
        let help = |member: &Member<'_>, (mut state, mut scratch): (Planes<Vec<A>>, Scratch<A>)| {
            // Only the first thread writes what the caller wants, but all of them make its rows.
            let nowhere = InnerWrites { lower: Vec::new(), rows: Share::nowhere(rows), cells: Vec::new() };
            let mut writes = Writes {
                inner: Some(Box::new(nowhere)),
                ..Writes::new(state.as_mut().map(Vec::as_mut_slice))
            };
            self.run(reads, Some(member), &mut writes, &mut scratch);
            Ok(())
        };
        team.work(threads, self.patience(reads.steps.rows()), (prepare, help), |team| {
            self.run(reads, team, &mut writes, scratch);
            Ok(())
        })
    }

    /// How many rows pass through all layers together: few, so that the rows between two layers stay in cache. It is the
    /// whole pass if there is one layer, or if layers run in reverse: the next layer then waits for their end.
    #[inline(always)]
    pub(super) fn segment_rows(&self) -> usize {
        let together = self.depth == 1 || self.directions > 1;
        if together { usize::MAX } else { self.plan.chunk_of::<A>(self.row_width()) }
    }

    /// Whether the weights of every direction stay in a near cache.
    pub(super) fn is_near(&self) -> bool {
        self.weights.iter().all(|weights| weights.count <= self.plan.near)
    }

    /// How long a pass over `rows` rows of one sequence waits for threads that share it.
    pub(super) fn patience(&self, rows: usize) -> Duration {
        threads::time_alone(self.flops(rows)).mul_f64(self.plan.patience)
    }

    /// The threads worth sharing a sequence's units among, of some that are there: so few that each has a panel or more.
    pub(super) fn team(&self, threads: usize) -> usize {
        let weights = (C::HIDDEN.end - C::HIDDEN.start) * self.units() * self.features();
        threads.min((4 * weights / SHARED_WEIGHTS).isqrt())
    }

    /// The floating-point operations of a forward pass over `rows` rows.
    pub(super) fn flops(&self, rows: usize) -> usize {
        self.count.saturating_mul(2).saturating_mul(rows)
    }

    /// How the rows of a batch's states lie, as steps: one step for each direction of each layer.
    pub(super) fn states(&self, batch: usize) -> Steps {
        Steps::Equal { len: self.weights.len(), batch }
    }

    /// The number of layers.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The directions of each layer.
    pub(super) fn directions(&self) -> usize {
        self.directions
    }

    /// The units of a layer.
    pub(crate) fn units(&self) -> usize {
        self.blocks.units
    }

    /// The width of the hidden state.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// The widths of the planes of a state.
    pub(crate) fn widths(&self) -> Planes<usize> {
        Planes { h: self.features(), c: C::CARRIES.then_some(self.units()) }
    }

    /// The width of the input's rows.
    #[inline(always)]
    pub(super) fn input_width(&self) -> usize {
        self.weights[0].input.all().depth()
    }

    /// The width of a layer's output rows.
    pub(super) fn width(&self) -> usize {
        self.directions * self.features
    }

    /// The width of a row that the cell leaves.
    pub(super) fn row_width(&self) -> usize {
        C::BLOCKS * self.blocks.apart
    }

    /// Whether the cell's outputs are projected.
    pub(super) fn is_projected(&self) -> bool {
        self.weights[0].projection.is_some()
    }
}
