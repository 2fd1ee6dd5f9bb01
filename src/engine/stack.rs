//! Layers and directions.

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
use crate::kernels::{Plan, copy};
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
    pub(super) plan: Plan,
    /// The number of weights.
    weights: usize,
}

/// What a stack runs over, and what it leaves. "Rows" are as wide as all directions' hidden states side by side.
#[derive(Debug)]
pub struct Forward<'a, A> {
    /// The first layer's input.
    pub(crate) source: Source<'a, A>,
    /// How its rows fall into steps.
    pub(crate) steps: &'a Steps,
    /// Rows of state by layer, then direction: before the pass the first state, after it the final one.
    pub(crate) state: Share<'a, A>,
    /// Where sequences begin anew.
    pub(crate) resets: Option<Resets<'a, A>>,
    /// The last layer's output rows, if they are wanted.
    pub(crate) output: Option<Share<'a, A>>,
    /// The other layers' output rows, if they are wanted.
    pub(crate) lower: Vec<Share<'a, A>>,
    /// What these rows are multiplied with before the next layer reads them, if dropout is on.
    pub(crate) factors: &'a [Vec<A>],
    /// What the hidden states are multiplied with before a recurrent product reads them, if recurrent dropout is on:
    /// rows by layer, then direction, the same for all steps.
    pub(crate) state_factors: Option<&'a [A]>,
    /// The sums of every step by layer, then direction, if they are wanted; all or none.
    pub(crate) sums: Vec<Share<'a, A>>,
}

impl<'a, A> Forward<'a, A> {
    /// A pass that leaves the final state alone.
    pub(crate) fn new(source: Source<'a, A>, steps: &'a Steps, state: &'a mut [A]) -> Self {
        Self {
            source,
            steps,
            state: Share::Whole(state),
            resets: None,
            output: None,
            lower: Vec::new(),
            factors: &[],
            state_factors: None,
            sums: Vec::new(),
        }
    }
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    pub(crate) fn new(layers: Vec<Vec<Weights<A>>>, cell: C, hidden: usize, plan: Plan) -> Self {
        let weights = layers.iter().flatten().map(Weights::len).sum();
        Self { layers, cell, hidden, plan, weights }
    }

    /// Runs every layer over every step, sequences split among threads where that pays.
    #[inline(always)]
    pub(crate) fn forward(&self, mut pass: Forward<'_, A>, scratch: &mut Scratch<A>) {
        let steps = pass.steps;
        if steps.rows() == 0 {
            return;
        }
        let threads = threads::count(self.flops(steps.rows()));
        // Threads that share units have each but its own sums.
        let shareable = self.hidden >= SHARED_UNITS && C::GATES * C::STATES == 1 && pass.sums.is_empty();
        if threads > 1 && steps.batch(0) > 1 {
            let ranges = steps.ranges(threads.min(steps.batch(0)));
            threads::for_each(ranges.len(), pass.split(self, &ranges), |(mut part, rows)| {
                self.run(&mut part, (&steps.narrow(&rows), rows.start), &mut Scratch::default(), None);
            });
        } else if threads > 1 && shareable {
            self.forward_together(pass, threads.min(2 * self.hidden / SHARED_UNITS), scratch);
        } else {
            self.run(&mut pass, (steps, 0), scratch, None);
        }
    }

    /// Runs a pass, or a thread's part of it, on this thread.
    #[inline(always)]
    fn run(
        &self,
        pass: &mut Forward<'_, A>,
        (steps, first): (&Steps, usize),
        scratch: &mut Scratch<A>,
        team: Option<&Member<'_>>,
    ) {
        self.plan.arch.dispatch(Run { stack: self, pass, steps, first, scratch, team });
    }

    /// Runs one sequence on several threads: each keeps the whole state and makes the sums of some of the units.
    #[inline(always)]
    fn forward_together(&self, mut pass: Forward<'_, A>, threads: usize, scratch: &mut Scratch<A>) {
        let Forward { source, steps, resets, factors, state_factors, .. } = pass;
        let (team, first) = (Team::new(self.hidden), pass.state.to_vec());
        let patience = threads::time_alone(self.flops(steps.rows())).mul_f64(self.plan.patience);
        let help = || {
            let Some(member) = team.join() else { return };
            // The first thread alone leaves what the caller wants.
            let state = &mut first.clone();
            let mut pass = Forward { resets, factors, state_factors, ..Forward::new(source, steps, state) };
            self.run(&mut pass, (steps, 0), &mut Scratch::default(), Some(&member));
        };
        threads::with_helpers(threads - 1, help, || {
            let member = team.lead(threads - 1, patience);
            self.run(&mut pass, (steps, 0), scratch, Some(&member).filter(|member| !member.is_alone()));
        });
    }

    /// Floating-point operations of a forward pass for a number of rows.
    pub(super) fn flops(&self, rows: usize) -> usize {
        self.weights.saturating_mul(2).saturating_mul(rows)
    }

    /// How the rows of states of a batch lie, as steps: one for each direction of each layer.
    pub(super) fn states(&self, batch: usize) -> Steps {
        Steps::Equal { len: self.layers.len() * self.directions(), batch }
    }

    /// The directions of each layer.
    pub(super) fn directions(&self) -> usize {
        self.layers[0].len()
    }

    /// Whether no layer reads this one's output rows.
    pub(super) fn is_last(&self, layer: usize) -> bool {
        layer + 1 == self.layers.len()
    }

    /// The number of sums of a direction's step.
    pub(super) fn units(&self) -> usize {
        C::GATES * self.hidden
    }

    /// The width of a layer's output rows.
    pub(super) fn width(&self) -> usize {
        self.directions() * self.hidden
    }
}

impl<'a, A: Element> Forward<'a, A> {
    /// A part for each range of each step's rows, with the range.
    fn split<C: Cell<A>>(self, stack: &Stack<A, C>, ranges: &[Range<usize>]) -> Vec<(Self, Range<usize>)> {
        let Self { source, steps, resets, factors, state_factors, .. } = self;
        let split = |rows: Share<'a, A>, width| rows.split(width, steps, ranges);
        let mut states = self.state.split(C::STATES * stack.hidden, &stack.states(steps.batch(0)), ranges);
        let mut outputs = self.output.map(|rows| split(rows, stack.width()));
        let mut lower: Vec<_> = self.lower.into_iter().map(|rows| split(rows, stack.width())).collect();
        let mut sums: Vec<_> = self.sums.into_iter().map(|rows| split(rows, stack.units())).collect();
        let parts = ranges.iter().rev().filter_map(|range| {
            let part = Self {
                source,
                steps,
                state: states.pop()?,
                resets,
                output: outputs.as_mut().and_then(Vec::pop),
                lower: lower.iter_mut().map(Vec::pop).collect::<Option<_>>()?,
                factors,
                state_factors,
                sums: sums.iter_mut().map(Vec::pop).collect::<Option<_>>()?,
            };
            Some((part, range.clone()))
        });
        parts.collect()
    }
}

/// Some rows of every step of a pass, on one thread.
struct Run<'r, 'a, A: Element, C> {
    stack: &'r Stack<A, C>,
    pass: &'r mut Forward<'a, A>,
    /// How these rows fall into steps, and which is the first of each.
    steps: &'r Steps,
    first: usize,
    scratch: &'r mut Scratch<A>,
    team: Option<&'r Member<'r>>,
}

impl<A: Element, C: Cell<A>> WithSimd for Run<'_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // As many rows as pass through all layers together: few enough that what lies between two layers stays in cache,
        // whatever the length; all where a layer runs in reverse and the next waits for its end.
        let together = self.stack.layers.len() == 1 || self.stack.directions() > 1;
        let rows = if together { usize::MAX } else { self.stack.plan.chunk };
        let mut left = 0..self.steps.len();
        while let Some(segment) = self.steps.cut(&mut left, rows, false) {
            for layer in 0..self.stack.layers.len() {
                self.layer(simd, layer, segment.clone());
            }
        }
    }
}

impl<A: Element, C: Cell<A>> Run<'_, '_, A, C> {
    /// Runs one layer over a segment.
    #[inline(always)]
    fn layer<S: Simd>(&mut self, simd: S, layer: usize, segment: Range<usize>) {
        let (stack, steps) = (self.stack, self.steps);
        let last = stack.is_last(layer);
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
        let (stack, steps, first) = (self.stack, self.steps, self.first);
        let Forward { source, steps: all_steps, state, resets, output, state_factors, sums, .. } =
            &mut *self.pass;
        let Scratch { room, below, above } = &mut *self.scratch;
        let (hidden, width, origin) = (stack.hidden, stack.width(), steps.start(segment.start));
        let (block, rows_of_factors) = (steps.batch(0) * C::STATES * hidden, all_steps.batch(0));
        let i = layer * stack.directions() + direction;
        let target = match output {
            _ if !stack.is_last(layer) => Some((ShareMut::Whole(above), origin)),
            Some(output) => Some((output.borrow(), 0)),
            None => None,
        };
        let span = Span {
            source: if layer == 0 { source.skip(first) } else { Source::rows(below, width, steps, origin) },
            steps,
            range: segment,
            plan: &stack.plan,
            reverse: direction == 1,
            state: state.borrow().into_step(i, i * block..(i + 1) * block),
            resets: resets.map(|resets| resets.skip(first).of_block(i, C::STATES * hidden)),
            factors: state_factors.map(|factors| &factors[(i * rows_of_factors + first) * hidden..]),
            kept: sums.get_mut(i).map(Share::borrow),
            team: self.team,
            target: target.map(|(rows, origin)| Target { rows, origin, width, column: direction * hidden }),
        };
        stack.layers[layer][direction].forward(simd, stack.cell, span, room);
    }

    /// Keeps the rows between a layer and the next if they are wanted, and applies dropout.
    fn between(&mut self, layer: usize, segment: &Range<usize>) {
        let Self { steps, first, .. } = *self;
        let Forward { lower, factors, steps: all_steps, .. } = &mut *self.pass;
        let width = self.stack.width();
        let origin = steps.start(segment.start);
        let mut kept = lower.get_mut(layer).map(Share::borrow);
        for t in segment.clone() {
            let range = steps.start(t) * width..steps.start(t + 1) * width;
            let rows = &mut self.scratch.above[range.start - origin * width..range.end - origin * width];
            if let Some(kept) = &mut kept {
                copy(rows, kept.step(t, range));
            }
            if let Some(factors) = factors.get(layer) {
                let factors = &factors[(all_steps.start(t) + first) * width..];
                rows.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= factor);
            }
        }
    }
}
