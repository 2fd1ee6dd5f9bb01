//! Layers and directions.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::direction::{Scratch, Span, Weights};
use super::resets::Resets;
use super::share::{Share, ShareMut, Target};
use super::team::{Member, Team};
use super::threads;
use crate::cell::Cell;
use crate::element::Element;
use crate::kernels::Plan;
use crate::sequence::Source;
use crate::steps::Steps;

/// The units from which on threads share a single sequence: a step takes longer than the meeting behind it.
const SHARED_UNITS: usize = 192;

/// The packed weights of every direction of every layer, and the cell they feed.
#[derive(Debug, Clone)]
pub struct Stack<A: Element, C> {
    /// By layer, then direction.
    pub(crate) layers: Vec<Vec<Weights<A>>>,
    pub(crate) cell: C,
    pub(crate) hidden: usize,
    pub(crate) plan: Plan,
}

/// What a stack runs over, and what it leaves. "Rows" are as wide as all directions' hidden states side by side.
#[derive(Debug)]
pub struct Forward<'a, A> {
    /// The first layer's input.
    pub(crate) source: Source<'a, A>,
    /// How its rows fall into steps.
    pub(crate) steps: &'a Steps,
    /// Rows of state by layer, then direction: before the pass the first state, after it the final one.
    pub(crate) state: &'a mut [A],
    /// Where sequences begin anew.
    pub(crate) resets: Option<Resets<'a, A>>,
    /// The last layer's output rows, if they are wanted.
    pub(crate) output: Option<&'a mut [A]>,
    /// The other layers' output rows, if they are wanted.
    pub(crate) lower: Vec<&'a mut [A]>,
    /// What these rows are multiplied with before the next layer reads them, if dropout is on.
    pub(crate) factors: &'a [Vec<A>],
    /// What the hidden states are multiplied with before a recurrent product reads them, if recurrent dropout is on:
    /// rows by layer, then direction, the same for all steps.
    pub(crate) state_factors: Option<&'a [A]>,
    /// The sums of every step by layer, then direction, if they are wanted; all or none.
    pub(crate) sums: Vec<&'a mut [A]>,
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// Runs every layer over every step, sequences split among threads where that pays.
    #[inline(always)]
    pub(crate) fn forward(&self, pass: Forward<'_, A>, scratch: &mut Scratch<A>) {
        let batch = pass.steps.batch(0);
        let threads = threads::count(self.flops(pass.steps.rows()));
        // Threads that share units have each but its own sums.
        let shareable = batch == 1 && C::GATES * C::STATES == 1 && pass.sums.is_empty();
        if shareable && threads > 1 && self.hidden >= SHARED_UNITS {
            self.forward_together(pass, threads.min(2 * self.hidden / SHARED_UNITS), scratch);
        } else if threads.min(batch) > 1 {
            let ranges = pass.steps.ranges(threads.min(batch));
            threads::for_each(ranges.len(), pass.split(self, &ranges), |mut worker| {
                let (worker, scratch) = (&mut worker, &mut Scratch::default());
                self.plan.arch.dispatch(Run { stack: self, worker, scratch, team: None });
            });
        } else {
            self.run(pass, scratch, None);
        }
    }

    /// Runs all of a pass, or a team member's part of it, on this thread.
    #[inline(always)]
    fn run(&self, pass: Forward<'_, A>, scratch: &mut Scratch<A>, team: Option<&Member<'_>>) {
        self.plan.arch.dispatch(Run { stack: self, worker: &mut pass.whole(), scratch, team });
    }

    /// Runs one sequence on several threads: each keeps the whole state and makes the sums of some of the units.
    #[inline(always)]
    fn forward_together(&self, pass: Forward<'_, A>, threads: usize, scratch: &mut Scratch<A>) {
        let (team, first) = (Team::new(self.hidden), pass.state.to_vec());
        let patience = threads::time_alone(self.flops(pass.steps.rows())).mul_f64(self.plan.patience);
        let Forward { source, steps, resets, factors, state_factors, .. } = pass;
        let help = || {
            let Some(member) = team.join() else { return };
            // The first thread alone leaves what the caller wants.
            let state = &mut first.clone();
            let pass = Forward { resets, factors, state_factors, ..Forward::new(source, steps, state) };
            self.run(pass, &mut Scratch::default(), Some(&member));
        };
        threads::with_helpers(threads - 1, help, || {
            let member = team.lead(threads - 1, patience);
            self.run(pass, scratch, Some(&member).filter(|member| !member.is_alone()));
        });
    }

    /// Floating-point operations of a forward pass for a number of rows.
    pub(super) fn flops(&self, rows: usize) -> usize {
        let weights = self.layers.iter().flatten();
        weights.map(Weights::len).sum::<usize>().saturating_mul(2).saturating_mul(rows)
    }

    /// The directions of each layer.
    pub(super) fn directions(&self) -> usize {
        self.layers[0].len()
    }

    /// The width of a layer's output rows.
    pub(super) fn width(&self) -> usize {
        self.directions() * self.hidden
    }
}

/// One thread's part of a pass: some rows of every step.
#[derive(Debug)]
struct Worker<'a, A> {
    source: Source<'a, A>,
    steps: Cow<'a, Steps>,
    state: Share<'a, A>,
    resets: Option<Resets<'a, A>>,
    output: Option<Share<'a, A>>,
    lower: Vec<Share<'a, A>>,
    factors: &'a [Vec<A>],
    state_factors: Option<&'a [A]>,
    sums: Vec<Share<'a, A>>,
    /// How rows of factors fall into steps, and the first of each step.
    all_steps: &'a Steps,
    first: usize,
}

impl<'a, A: Element> Forward<'a, A> {
    /// A pass that leaves the final state alone.
    pub(crate) fn new(source: Source<'a, A>, steps: &'a Steps, state: &'a mut [A]) -> Self {
        Self {
            source,
            steps,
            state,
            resets: None,
            output: None,
            lower: Vec::new(),
            factors: &[],
            state_factors: None,
            sums: Vec::new(),
        }
    }

    /// All of it for one worker.
    #[inline(always)]
    fn whole(self) -> Worker<'a, A> {
        Worker {
            source: self.source,
            steps: Cow::Borrowed(self.steps),
            state: Share::Whole(self.state),
            resets: self.resets,
            output: self.output.map(Share::Whole),
            lower: Share::wholes(self.lower),
            factors: self.factors,
            state_factors: self.state_factors,
            sums: Share::wholes(self.sums),
            all_steps: self.steps,
            first: 0,
        }
    }

    /// A worker for each range of each step's rows.
    fn split<C: Cell<A>>(self, stack: &Stack<A, C>, ranges: &[Range<usize>]) -> Vec<Worker<'a, A>> {
        let width = stack.width();
        let states =
            Steps::Equal { len: stack.layers.len() * stack.directions(), batch: self.steps.batch(0) };
        let split = |rows, width| Share::split(rows, width, self.steps, ranges);
        let mut states = Share::split(self.state, C::STATES * stack.hidden, &states, ranges);
        let mut outputs = self.output.map(|rows| split(rows, width));
        let mut lower: Vec<_> = self.lower.into_iter().map(|rows| split(rows, width)).collect();
        let units = C::GATES * stack.hidden;
        let mut sums: Vec<_> = self.sums.into_iter().map(|rows| split(rows, units)).collect();
        let workers = ranges.iter().rev().filter_map(|range| {
            Some(Worker {
                source: self.source.skip(range.start),
                steps: Cow::Owned(self.steps.narrow(range)),
                state: states.pop()?,
                resets: self.resets.map(|resets| resets.skip(range.start)),
                output: outputs.as_mut().and_then(Vec::pop),
                lower: lower.iter_mut().map(Vec::pop).collect::<Option<_>>()?,
                factors: self.factors,
                state_factors: self.state_factors,
                sums: sums.iter_mut().map(Vec::pop).collect::<Option<_>>()?,
                all_steps: self.steps,
                first: range.start,
            })
        });
        workers.collect()
    }
}

struct Run<'a, 's, A: Element, C> {
    stack: &'a Stack<A, C>,
    worker: &'s mut Worker<'a, A>,
    scratch: &'s mut Scratch<A>,
    team: Option<&'s Member<'s>>,
}

impl<A: Element, C: Cell<A>> WithSimd for Run<'_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut left = 0..self.worker.steps.len();
        while let Some(segment) = self.segment(&mut left) {
            for layer in 0..self.stack.layers.len() {
                self.layer(simd, layer, segment.clone());
            }
        }
    }
}

impl<A: Element, C: Cell<A>> Run<'_, '_, A, C> {
    /// The next steps that pass through all layers together: few enough that what lies between two layers stays in
    /// cache, whatever the length; all of them where a layer runs in reverse and the next waits for its end.
    fn segment(&self, left: &mut Range<usize>) -> Option<Range<usize>> {
        let together = self.stack.layers.len() == 1 || self.stack.directions() > 1;
        let rows = if together { usize::MAX } else { self.stack.plan.chunk };
        self.worker.steps.cut(left, rows, false)
    }

    /// Runs one layer over a segment.
    #[inline(always)]
    fn layer<S: Simd>(&mut self, simd: S, layer: usize, segment: Range<usize>) {
        let Stack { layers, cell, hidden, .. } = self.stack;
        let Worker { source, steps, state, resets, output, state_factors, sums, all_steps, first, .. } =
            &mut self.worker;
        let steps = &**steps;
        let Scratch { room, below, above } = &mut *self.scratch;
        let (directions, width) = (self.stack.directions(), self.stack.width());
        let origin = steps.start(segment.start);
        let last = layer + 1 == layers.len();
        let (block, rows_of_factors) = (steps.batch(0) * C::STATES * hidden, all_steps.batch(0));
        let rows = steps.start(segment.end) - origin;
        if !last {
            above.resize(rows * width, A::zero());
        }
        for (d, weights) in layers[layer].iter().enumerate() {
            let i = layer * directions + d;
            let target = match output {
                _ if !last => Some((ShareMut::Whole(above), origin)),
                Some(output) => Some((output.borrow(), 0)),
                None => None,
            };
            let span = Span {
                source: if layer == 0 { *source } else { Source::rows(below, width, steps, origin) },
                steps,
                range: segment.clone(),
                plan: &self.stack.plan,
                reverse: d == 1,
                state: state.borrow().into_step(i, i * block..(i + 1) * block),
                resets: resets.map(|resets| resets.of_block(i, C::STATES * hidden)),
                factors: state_factors.map(|factors| &factors[(i * rows_of_factors + *first) * hidden..]),
                kept: sums.get_mut(i).map(Share::borrow),
                team: self.team,
                target: target.map(|(rows, origin)| Target { rows, origin, width, column: d * hidden }),
            };
            weights.forward(simd, *cell, span, room);
        }
        if !last {
            self.between(layer, &segment);
        }
        mem::swap(&mut self.scratch.below, &mut self.scratch.above);
    }

    /// Keeps the rows between a layer and the next if they are wanted, and applies dropout.
    fn between(&mut self, layer: usize, segment: &Range<usize>) {
        let Worker { steps, lower, factors, all_steps, first, .. } = &mut *self.worker;
        let width = self.stack.width();
        let origin = steps.start(segment.start);
        let mut kept = lower.get_mut(layer).map(Share::borrow);
        for t in segment.clone() {
            let range = steps.start(t) * width..steps.start(t + 1) * width;
            let rows = &mut self.scratch.above[range.start - origin * width..range.end - origin * width];
            if let Some(kept) = &mut kept {
                kept.step(t, range).copy_from_slice(rows);
            }
            if let Some(factors) = factors.get(layer) {
                let factors = &factors[(all_steps.start(t) + *first) * width..];
                rows.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= factor);
            }
        }
    }
}
