//! All layers and directions, forward.

use std::mem;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::forward::{SpanReads, SpanWrites, StepScratch};
use super::operands::{Masks, of_layer};
use super::resets::Resets;
use super::share::{Share, ShareMut, Target};
use super::team::{Member, Team};
use super::threads;
use super::weights::Weights;
use crate::cell::{self, Cell};
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::{Blocks, Plan, copy};
use crate::planes::Planes;
use crate::rows::Source;
use crate::steps::Steps;

/// The fewest units of a single sequence that threads share. Below, the meeting after each step takes longer than
/// the step.
const SHARED_UNITS: usize = 192;

/// The packed weights of every direction of every layer, and the cell they feed.
#[derive(Debug, Clone)]
pub struct Stack<A: Element, C> {
    /// By layer, then direction.
    pub(super) layers: Vec<Vec<Weights<A>>>,
    pub(super) cell: C,
    pub(super) plan: Plan,
    blocks: Blocks,
    features: usize,
    /// The number of weights.
    weights: usize,
}

/// What a pass reads. A row of a layer is as wide as the hidden states of all directions side by side.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a, A> {
    /// The first layer's input.
    pub(crate) source: Source<'a, A>,
    /// How the input's rows fall into steps.
    pub(crate) steps: &'a Steps,
    /// Where sequences begin anew.
    pub(crate) resets: Option<Resets<'a, A>>,
    /// The dropout factors of the output rows of every layer but the last; empty without dropout between layers.
    pub(crate) factors: &'a [Vec<A>],
    /// The masks of the first layer's input and of the hidden states, where a product reads them times factors.
    pub(crate) masks: [Option<Masks<'a, A>>; 2],
}

/// What a pass writes.
#[derive(Debug)]
pub struct Writes<'a, A> {
    /// Rows of state by layer, then direction: the first states before the call, the final states after it.
    pub(crate) state: Planes<Share<'a, A>>,
    /// Takes the last layer's output rows, if they are wanted.
    pub(crate) output: Option<Share<'a, A>>,
    /// Take the output rows of the other layers, if they are wanted: of all or of none.
    pub(crate) lower: Vec<Share<'a, A>>,
    /// Take the rows that the cell leaves in every step, by layer, then direction, if they are wanted: all or
    /// none.
    pub(crate) rows: Vec<Share<'a, A>>,
    /// Take the cell's outputs before the projection, by layer, then direction, if they are wanted: all or none.
    pub(crate) cells: Vec<Share<'a, A>>,
}

/// Scratch memory that passes reuse.
#[derive(Debug, Clone, Default)]
pub struct Scratch<A> {
    room: StepScratch<A>,
    /// The rows between two layers: one layer writes them, the next reads them.
    below: Vec<A>,
    above: Vec<A>,
}

impl<'a, A> Reads<'a, A> {
    /// Reads of input rows alone.
    pub(crate) fn new(source: Source<'a, A>, steps: &'a Steps) -> Self {
        Self { source, steps, resets: None, factors: &[], masks: [None, None] }
    }
}

impl<'a, A> Writes<'a, A> {
    /// Writes of the final state alone.
    pub(crate) fn new(state: Planes<&'a mut [A]>) -> Self {
        Self {
            state: state.map(Share::Whole),
            output: None,
            lower: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
        }
    }
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    pub(crate) fn new(layers: Vec<Vec<Weights<A>>>, cell: C, plan: Plan) -> Self {
        let weights = layers.iter().flatten().map(|weights| weights.count).sum();
        let (blocks, features) = (layers[0][0].blocks, layers[0][0].features());
        Self { layers, cell, plan, blocks, features, weights }
    }

    /// Runs every layer over every step, with sequences split among threads where that pays.
    #[inline(always)]
    pub(crate) fn forward(&self, reads: Reads<'_, A>, mut writes: Writes<'_, A>, scratch: &mut Scratch<A>) {
        let steps = reads.steps;
        if steps.rows() == 0 {
            return;
        }
        let threads = threads::count(self.flops(steps.rows()));
        // A thread that shares units holds only its own part of a row.
        let shareable = self.units() >= SHARED_UNITS && writes.rows.is_empty() && writes.cells.is_empty();
        if threads > 1 && steps.batch(0) > 1 {
            let ranges = steps.ranges(threads.min(steps.batch(0)));
            let parts = writes.split(self, steps, &ranges).into_iter().zip(ranges);
            threads::for_each(threads, parts, |(mut writes, rows)| {
                let part = Part { reads: &reads, steps: &steps.narrow(&rows), first: rows.start, team: None };
                self.run(part, &mut writes, &mut Scratch::default());
            });
        } else if threads > 1 && shareable {
            self.forward_together(&reads, writes, threads.min(2 * self.units() / SHARED_UNITS), scratch);
        } else {
            self.run(Part { reads: &reads, steps, first: 0, team: None }, &mut writes, scratch);
        }
    }

    /// Runs a thread's part of a pass on this thread.
    #[inline(always)]
    fn run(&self, part: Part<'_, A>, writes: &mut Writes<'_, A>, scratch: &mut Scratch<A>) {
        self.plan.arch.dispatch(RunForward { stack: self, part, writes, scratch });
    }

    /// Runs one sequence on several threads. Each thread keeps the whole state, and makes some units of every
    /// block.
    #[inline(always)]
    fn forward_together(
        &self,
        reads: &Reads<'_, A>,
        mut writes: Writes<'_, A>,
        threads: usize,
        scratch: &mut Scratch<A>,
    ) {
        let part = Part { reads, steps: reads.steps, first: 0, team: None };
        let (team, first) = (Team::new(self.units()), writes.state.as_ref().map(Share::to_vec));
        let patience = threads::time_alone(self.flops(part.steps.rows())).mul_f64(self.plan.patience);
        let help = || {
            let Some(member) = team.join() else { return };
            // Only the first thread writes what the caller wants.
            let mut state = first.clone();
            let mut writes = Writes::new(state.as_mut().map(Vec::as_mut_slice));
            self.run(Part { team: Some(&member), ..part }, &mut writes, &mut Scratch::default());
        };
        threads::with_helpers(threads - 1, help, || {
            let member = team.lead(threads - 1, patience);
            let team = Some(&member).filter(|member| !member.is_alone());
            self.run(Part { team, ..part }, &mut writes, scratch);
        });
    }

    /// The floating-point operations of a forward pass over `rows` rows.
    pub(super) fn flops(&self, rows: usize) -> usize {
        self.weights.saturating_mul(2).saturating_mul(rows)
    }

    /// How the rows of a batch's states lie, as steps: one step for each direction of each layer.
    pub(super) fn states(&self, batch: usize) -> Steps {
        Steps::Equal { len: self.layers.len() * self.directions(), batch }
    }

    /// The number of layers.
    pub(crate) fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The directions of each layer.
    pub(super) fn directions(&self) -> usize {
        self.layers[0].len()
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

    /// The width of a layer's output rows.
    pub(super) fn width(&self) -> usize {
        self.directions() * self.features()
    }

    /// The width of a row that the cell leaves.
    pub(super) fn row_width(&self) -> usize {
        C::BLOCKS * self.blocks.apart
    }

    /// The width of a row of gradients of sums.
    pub(super) fn sums_width(&self) -> usize {
        cell::sums::<A, C>() * self.units()
    }

    /// Whether the cell's outputs are projected.
    pub(super) fn is_projected(&self) -> bool {
        self.layers[0][0].projection.is_some()
    }
}

impl<'a, A: Element> Writes<'a, A> {
    /// Splits it into one part for each range of each step's rows.
    fn split<C: Cell<A>>(self, stack: &Stack<A, C>, steps: &Steps, ranges: &[Range<usize>]) -> Vec<Self> {
        let states = stack.states(steps.batch(0));
        let state = self.state.zip(stack.widths()).map(|(plane, width)| plane.split(width, &states, ranges));
        let empty =
            |state| Self { state, output: None, lower: Vec::new(), rows: Vec::new(), cells: Vec::new() };
        let mut parts: Vec<_> = planes_of_parts(state).map(empty).collect();
        if let Some(output) = self.output {
            let pieces = output.split(stack.width(), steps, ranges);
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.output = Some(rows));
        }
        for rows in self.lower {
            let pieces = rows.split(stack.width(), steps, ranges);
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.lower.push(rows));
        }
        for rows in self.rows {
            let pieces = rows.split(stack.row_width(), steps, ranges);
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.rows.push(rows));
        }
        for rows in self.cells {
            let pieces = rows.split(stack.units(), steps, ranges);
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.cells.push(rows));
        }
        parts
    }
}

/// The state of each part, from the parts of each plane.
pub(super) fn planes_of_parts<T>(planes: Planes<Vec<T>>) -> impl Iterator<Item = Planes<T>> {
    let mut c = planes.c.map(Vec::into_iter);
    planes
        .h
        .into_iter()
        .map(move |h| Planes { h, c: c.as_mut().map(|c| c.next().invariant("planes have as many parts")) })
}

/// Some rows of every step of a pass, for one thread.
#[derive(Debug, Clone, Copy)]
struct Part<'r, A> {
    reads: &'r Reads<'r, A>,
    /// How these rows fall into steps, and the first of them in each step.
    steps: &'r Steps,
    first: usize,
    team: Option<&'r Member<'r>>,
}

struct RunForward<'r, 'a, A: Element, C> {
    stack: &'r Stack<A, C>,
    part: Part<'r, A>,
    writes: &'r mut Writes<'a, A>,
    scratch: &'r mut Scratch<A>,
}

impl<A: Element, C: Cell<A>> WithSimd for RunForward<'_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Self { stack, part: Part { steps, .. }, .. } = self;
        // A segment passes through all layers together. It is short, so that the rows between two layers stay in
        // cache. It is the whole pass if there is one layer, or if layers run in reverse: the next layer then
        // waits for their end.
        let together = stack.layers.len() == 1 || stack.directions() > 1;
        let rows = if together { usize::MAX } else { stack.plan.chunk_of::<A>(stack.row_width()) };
        let mut left = 0..steps.len();
        while let Some(segment) = steps.cut(&mut left, rows, false) {
            for layer in 0..stack.layers.len() {
                self.layer(simd, layer, segment.clone());
            }
        }
    }
}

impl<A: Element, C: Cell<A>> RunForward<'_, '_, A, C> {
    /// Runs one layer over a segment.
    #[inline(always)]
    fn layer<S: Simd>(&mut self, simd: S, layer: usize, segment: Range<usize>) {
        let (stack, steps) = (self.stack, self.part.steps);
        let last = layer + 1 == stack.layers.len();
        if !last {
            let rows = steps.start(segment.end) - steps.start(segment.start);
            self.scratch.above.resize(rows * stack.width(), A::zero());
        }
        for direction in 0..stack.directions() {
            self.direction(simd, [layer, direction], segment.clone());
        }
        if !last {
            self.between(layer, &segment);
        }
        mem::swap(&mut self.scratch.below, &mut self.scratch.above);
    }

    /// Runs one direction of a layer over a segment.
    #[inline(never)]
    fn direction<S: Simd>(&mut self, simd: S, [layer, direction]: [usize; 2], segment: Range<usize>) {
        let Self { stack, part: Part { reads, steps, first, team }, .. } = *self;
        let Scratch { room, below, above } = &mut *self.scratch;
        let (widths, width, origin) = (stack.widths(), stack.width(), steps.start(segment.start));
        let (i, batch) = (layer * stack.directions() + direction, steps.batch(0));
        let target = if layer + 1 < stack.layers.len() {
            Some((ShareMut::Whole(above), origin))
        } else {
            self.writes.output.as_mut().map(|output| (output.borrow(), 0))
        };
        let state = self.writes.state.as_mut().zip(widths);
        let state = state
            .map(|(plane, width)| plane.borrow().into_step(i, i * batch * width..(i + 1) * batch * width));
        let reads = SpanReads {
            source: if layer == 0 {
                reads.source.skip(first)
            } else {
                Source::rows(below, width, steps, origin)
            },
            steps,
            range: segment,
            plan: &stack.plan,
            reverse: direction == 1,
            resets: reads.resets.map(|resets| resets.skip(first).of_direction(i, widths)),
            masks: of_layer(reads.masks, layer).map(|masks| Some(masks?.skip(first).of_direction(i))),
            team,
        };
        let writes = SpanWrites {
            state,
            target: target.map(|(rows, origin)| Target {
                rows,
                origin,
                width,
                column: direction * stack.features(),
            }),
            rows: self.writes.rows.get_mut(i).map(Share::borrow),
            cells: self.writes.cells.get_mut(i).map(Share::borrow),
        };
        stack.layers[layer][direction].forward(simd, stack.cell, reads, writes, room);
    }

    /// Keeps the rows between a layer and the next, if they are wanted, and applies dropout.
    fn between(&mut self, layer: usize, segment: &Range<usize>) {
        let Part { reads, steps, first, .. } = self.part;
        let width = self.stack.width();
        let origin = steps.start(segment.start);
        let mut kept = self.writes.lower.get_mut(layer).map(Share::borrow);
        for t in segment.clone() {
            let range = steps.start(t) * width..steps.start(t + 1) * width;
            let rows = &mut self.scratch.above[range.start - origin * width..range.end - origin * width];
            if let Some(kept) = &mut kept {
                copy(rows, kept.step(t, range));
            }
            if let Some(factors) = reads.factors.get(layer) {
                let factors = &factors[(reads.steps.start(t) + first) * width..];
                rows.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= factor);
            }
        }
    }
}
