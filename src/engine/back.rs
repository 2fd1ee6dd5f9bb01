//! The way back through the layers of a stack.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use super::direction::{BackSpan, BackWeights, Scratch};
use super::resets::Resets;
use super::share::Share;
use super::stack::Stack;
use super::threads;
use super::weights::{Gradient, Terms};
use crate::cell::Cell;
use crate::element::Element;
use crate::sequence::Source;
use crate::steps::Steps;

/// What the way back reads and leaves. "Rows" are as wide as all directions' hidden states side by side.
#[derive(Debug)]
pub struct Backward<'a, A: Element> {
    /// By layer, then direction.
    pub(crate) weights: &'a [Vec<BackWeights<A>>],
    /// How rows fall into steps.
    pub(crate) steps: &'a Steps,
    /// Where sequences began anew.
    pub(crate) resets: Option<Resets<'a, A>>,
    /// The first layer's input rows, of `input` elements each.
    pub(crate) inputs: &'a [A],
    /// The first states by layer, then direction.
    pub(crate) first: &'a [A],
    /// Every layer's output rows.
    pub(crate) outputs: &'a [Vec<A>],
    /// The dropout factors behind every layer but the last, if dropout was on.
    pub(crate) factors: &'a [Vec<A>],
    /// As those of the forward pass.
    pub(crate) state_factors: Option<&'a [A]>,
    /// The sums of every step by layer, then direction, if the cell reads them.
    pub(crate) kept: &'a [Vec<A>],
    /// The gradient of the last layer's output rows.
    pub(crate) d_output: Source<'a, A>,
    /// The gradient of the states: of the final ones before, of the first ones after.
    pub(crate) d_state: &'a mut [A],
    /// Takes the gradient of the input rows, if it is wanted.
    pub(crate) d_input: Option<&'a mut [A]>,
    /// Take the gradients of the parameters by layer, then direction; to be filled with zeros before.
    pub(crate) d_parameters: Vec<DirectionGradient<'a, A>>,
}

/// The gradient of one direction's parameters.
#[derive(Debug)]
pub struct DirectionGradient<'a, A> {
    pub(crate) weight_ih: &'a mut [A],
    pub(crate) weight_hh: &'a mut [A],
    pub(crate) bias: &'a mut [A],
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// The way back of [`forward`](Stack::forward): first the gradient of every sum, sequences split among threads;
    /// then that of every parameter, units split among threads.
    #[inline(always)]
    pub(crate) fn backward(&self, mut pass: Backward<'_, A>) {
        let (rows, units) = (pass.steps.rows(), C::GATES * self.hidden);
        if rows == 0 {
            return;
        }
        let mut d_sums = vec![vec![A::zero(); rows * units]; self.layers.len() * self.directions()];
        let workers = threads::count(self.flops(rows));
        let batch = pass.steps.batch(0);
        self.sums(&mut pass, &mut d_sums, workers.min(batch).max(1));
        self.parameters(&mut pass, &d_sums, workers);
    }

    #[inline(always)]
    fn sums(&self, pass: &mut Backward<'_, A>, d_sums: &mut [Vec<A>], workers: usize) {
        let run = |worker| self.plan.arch.dispatch(RunBack { stack: self, worker });
        let shared = Shared {
            weights: pass.weights,
            steps: pass.steps,
            outputs: pass.outputs,
            factors: pass.factors,
            state_factors: pass.state_factors,
            kept: pass.kept,
        };
        if workers == 1 {
            run(BackWorker::whole(shared, pass, d_sums));
        } else {
            threads::for_each(workers, self.split(shared, pass, d_sums, workers), run);
        }
    }

    /// A worker for each range of each step's rows.
    fn split<'a, 'p>(
        &self,
        shared: Shared<'a, A>,
        pass: &'p mut Backward<'a, A>,
        d_sums: &'p mut [Vec<A>],
        workers: usize,
    ) -> Vec<BackWorker<'a, 'p, A>> {
        let Backward { steps, .. } = *pass;
        let ranges = steps.ranges(workers);
        let mut d_sums: Vec<_> = d_sums
            .iter_mut()
            .map(|rows| Share::split(rows, C::GATES * self.hidden, steps, &ranges))
            .collect();
        let states = Steps::Equal { len: self.layers.len() * self.directions(), batch: steps.batch(0) };
        let mut d_state = Share::split(pass.d_state, C::STATES * self.hidden, &states, &ranges);
        let input = pass.inputs.len() / steps.rows().max(1);
        let d_input = pass.d_input.as_deref_mut();
        let mut d_input = d_input.map(|d_input| Share::split(d_input, input, steps, &ranges));
        let workers = ranges.iter().rev().filter_map(|range| {
            Some(BackWorker {
                shared,
                steps: Cow::Owned(steps.narrow(range)),
                first: range.start,
                resets: pass.resets.map(|resets| resets.skip(range.start)),
                d_output: pass.d_output.skip(range.start),
                d_state: d_state.pop()?,
                d_input: d_input.as_mut().and_then(Vec::pop),
                d_sums: d_sums.iter_mut().map(Vec::pop).collect::<Option<_>>()?,
            })
        });
        workers.collect()
    }

    #[inline(always)]
    fn parameters(&self, pass: &mut Backward<'_, A>, d_sums: &[Vec<A>], workers: usize) {
        let (directions, units) = (self.directions(), C::GATES * self.hidden);
        let block = pass.steps.batch(0) * C::STATES * self.hidden;
        let mut jobs = Vec::new();
        for (i, gradient) in pass.d_parameters.iter_mut().enumerate() {
            let layer = i / directions;
            let inputs: &[A] = if layer == 0 { pass.inputs } else { &pass.outputs[layer - 1] };
            let width = inputs.len() / pass.steps.rows().max(1);
            let terms = Terms {
                steps: pass.steps,
                reverse: i % directions == 1,
                d_sums: &d_sums[i],
                units,
                inputs: Source::rows(inputs, width, pass.steps, 0),
                factors: layer.checked_sub(1).and_then(|gap| pass.factors.get(gap)).map(Vec::as_slice),
                outputs: Source::rows(&pass.outputs[layer], self.width(), pass.steps, 0),
                column: i % directions * self.hidden,
                first: &pass.first[i * block..][..block],
                hidden: self.hidden,
                state_factors: pass
                    .state_factors
                    .map(|factors| &factors[i * pass.steps.batch(0) * self.hidden..]),
                resets: pass.resets.map(|resets| resets.of_block(i, C::STATES * self.hidden)),
            };
            let DirectionGradient { weight_ih, weight_hh, bias } = gradient;
            let (mut ih, mut hh, mut bias) = (&mut **weight_ih, &mut **weight_hh, &mut **bias);
            for range in threads::ranges(units, workers) {
                let (weight_ih, rest_ih) = ih.split_at_mut(range.len() * width);
                let (weight_hh, rest_hh) = hh.split_at_mut(range.len() * self.hidden);
                let (part, rest) = bias.split_at_mut(range.len());
                (ih, hh, bias) = (rest_ih, rest_hh, rest);
                jobs.push((terms, Gradient { units: range, weight_ih, weight_hh, bias: part }));
            }
        }
        threads::for_each(workers, jobs, |(terms, gradient)| terms.add_to(self.plan, gradient));
    }
}

/// What all workers read.
#[derive(Debug, Clone, Copy)]
struct Shared<'a, A: Element> {
    weights: &'a [Vec<BackWeights<A>>],
    steps: &'a Steps,
    outputs: &'a [Vec<A>],
    factors: &'a [Vec<A>],
    state_factors: Option<&'a [A]>,
    kept: &'a [Vec<A>],
}

/// One thread's part of the way back: some rows of every step.
#[derive(Debug)]
struct BackWorker<'a, 'p, A: Element> {
    shared: Shared<'a, A>,
    steps: Cow<'a, Steps>,
    /// The first row of each step.
    first: usize,
    resets: Option<Resets<'a, A>>,
    d_output: Source<'a, A>,
    d_state: Share<'p, A>,
    d_input: Option<Share<'p, A>>,
    d_sums: Vec<Share<'p, A>>,
}

impl<'a, 'p, A: Element> BackWorker<'a, 'p, A> {
    /// All of a pass for one worker.
    fn whole(shared: Shared<'a, A>, pass: &'p mut Backward<'a, A>, d_sums: &'p mut [Vec<A>]) -> Self {
        Self {
            shared,
            steps: Cow::Borrowed(pass.steps),
            first: 0,
            resets: pass.resets,
            d_output: pass.d_output,
            d_state: Share::Whole(pass.d_state),
            d_input: pass.d_input.as_deref_mut().map(Share::Whole),
            d_sums: d_sums.iter_mut().map(|rows| Share::Whole(rows)).collect(),
        }
    }
}

struct RunBack<'s, 'a, 'p, A: Element, C> {
    stack: &'s Stack<A, C>,
    worker: BackWorker<'a, 'p, A>,
}

impl<A: Element, C: Cell<A>> WithSimd for RunBack<'_, '_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut scratch = Scratch::default();
        for layer in (0..self.stack.layers.len()).rev() {
            self.layer(simd, layer, &mut scratch);
            std::mem::swap(&mut scratch.above, &mut scratch.below);
        }
    }
}

impl<A: Element, C: Cell<A>> RunBack<'_, '_, '_, A, C> {
    /// From the gradient of a layer's output rows, above, to that of its input rows, below.
    #[inline(always)]
    fn layer<S: Simd>(&mut self, simd: S, layer: usize, scratch: &mut Scratch<A>) {
        let BackWorker { shared, steps, first, resets, d_output, d_state, d_input, d_sums } =
            &mut self.worker;
        let Scratch { room, below, above } = scratch;
        let (directions, width, hidden) = (self.stack.directions(), self.stack.width(), self.stack.hidden);
        let block = steps.batch(0) * C::STATES * hidden;
        let inputs = 0..steps.rows() * shared.weights[layer][0].inputs();
        let (mut d_input, last) = (d_input.as_mut().map(Share::borrow), layer + 1 == self.stack.layers.len());
        let mut d_inputs = if layer == 0 {
            d_input.as_mut().map(|d_input| d_input.rows(inputs, below))
        } else {
            below.clear();
            below.resize(inputs.len(), A::zero());
            Some(&mut below[..])
        };
        for (d, weights) in shared.weights[layer].iter().enumerate() {
            let i = layer * directions + d;
            let rows = |rows, width| Source::rows(rows, width, shared.steps, 0).skip(*first);
            let state = i * shared.steps.batch(0) + *first;
            let span = BackSpan {
                steps,
                plan: &self.stack.plan,
                reverse: d == 1,
                outputs: rows(&shared.outputs[layer], width),
                kept: shared.kept.get(i).map(|kept| rows(kept, C::GATES * hidden)),
                factors: shared.state_factors.map(|factors| &factors[state * hidden..]),
                d_outputs: if last { *d_output } else { Source::rows(above, width, steps, 0) },
                column: d * hidden,
                d_state: d_state.borrow().into_step(i, i * block..(i + 1) * block),
                resets: resets.map(|resets| resets.of_block(i, C::STATES * hidden)),
                d_sums: d_sums[i].borrow(),
                d_inputs: d_inputs.as_deref_mut(),
            };
            weights.backward(simd, self.stack.cell, span, room);
        }
        match d_input {
            _ if layer > 0 => self.drop_out(layer - 1, below),
            Some(mut d_input) => d_input.put(0..steps.len(), below),
            None => (),
        }
    }

    /// The way back through the dropout behind a layer.
    fn drop_out(&self, layer: usize, d_inputs: &mut [A]) {
        let BackWorker { shared, steps, first, .. } = &self.worker;
        let (width, factors) = (self.stack.width(), shared.factors.get(layer));
        for (t, factors) in
            factors.into_iter().flat_map(|factors| (0..steps.len()).map(move |t| (t, factors)))
        {
            let rows = &mut d_inputs[steps.start(t) * width..steps.start(t + 1) * width];
            let factors = &factors[(shared.steps.start(t) + *first) * width..];
            rows.iter_mut().zip(factors).for_each(|(d_x, &factor)| *d_x *= factor);
        }
    }
}
