//! The way back through the layers of a stack.

use std::mem;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::direction::{BackSpan, BackWeights, Room};
use super::resets::Resets;
use super::share::{Share, ShareMut};
use super::stack::Stack;
use super::threads;
use super::weights::{Gradient, Terms};
use crate::cell::Cell;
use crate::element::Element;
use crate::sequence::Source;
use crate::spares::SharedSpares;
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
    /// Where its room comes from and goes back to.
    pub(crate) spares: &'a SharedSpares<A>,
    /// Take the gradients of the parameters by layer, then direction; to be filled with zeros before.
    pub(crate) d_parameters: Vec<DirectionGradient<'a, A>>,
}

/// The gradient of one direction's parameters.
#[derive(Debug)]
pub struct DirectionGradient<'a, A> {
    pub(crate) weight_ih: &'a mut [A],
    pub(crate) weight_hh: &'a mut [A],
    /// Empty if there is none.
    pub(crate) bias: &'a mut [A],
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// The way back of [`forward`](Stack::forward): first the gradient of every sum, sequences split among threads;
    /// then that of every parameter, units split among threads.
    #[inline(always)]
    pub(crate) fn backward(&self, mut pass: Backward<'_, A>) {
        let (rows, units) = (pass.steps.rows(), self.units());
        if rows == 0 {
            return;
        }
        let workers = threads::count(self.flops(rows));
        let mut d_sums = pass.spares.lock().take(self.layers.len() * self.directions() * rows * units);
        let d_parameters = mem::take(&mut pass.d_parameters);
        let written = Written {
            d_state: Share::Whole(mem::take(&mut pass.d_state)),
            d_input: pass.d_input.take().map(Share::Whole),
            d_sums: d_sums.chunks_exact_mut(rows * units).map(Share::Whole).collect(),
        };
        self.sums(&pass, written, workers.min(pass.steps.batch(0)));
        self.parameters(&pass, d_parameters, &d_sums, workers);
        pass.spares.lock().give(d_sums);
    }

    #[inline(always)]
    fn sums(&self, pass: &Backward<'_, A>, mut written: Written<'_, A>, workers: usize) {
        let steps = pass.steps;
        let run = |written: &mut Written<'_, A>, steps: &Steps, first| {
            self.plan.arch.dispatch(RunBack { stack: self, pass, steps, first, written });
        };
        if workers == 1 {
            return run(&mut written, steps, 0);
        }
        let parts = self.split(pass, written, &steps.ranges(workers));
        threads::for_each(workers, parts, |(mut written, rows)| {
            run(&mut written, &steps.narrow(&rows), rows.start);
        });
    }

    /// A part for each range of each step's rows, with the range.
    fn split<'a>(
        &self,
        pass: &Backward<'_, A>,
        written: Written<'a, A>,
        ranges: &[Range<usize>],
    ) -> Vec<(Written<'a, A>, Range<usize>)> {
        let (steps, units) = (pass.steps, self.units());
        let states = self.states(steps.batch(0));
        let mut d_state = written.d_state.split(C::STATES * self.hidden, &states, ranges);
        let input = pass.weights[0][0].inputs();
        let mut d_input = written.d_input.map(|d_input| d_input.split(input, steps, ranges));
        let d_sums = written.d_sums.into_iter().map(|rows| rows.split(units, steps, ranges));
        let mut d_sums: Vec<_> = d_sums.collect();
        let parts = ranges.iter().rev().filter_map(|range| {
            let part = Written {
                d_state: d_state.pop()?,
                d_input: d_input.as_mut().and_then(Vec::pop),
                d_sums: d_sums.iter_mut().map(Vec::pop).collect::<Option<_>>()?,
            };
            Some((part, range.clone()))
        });
        parts.collect()
    }

    #[inline(always)]
    fn parameters(
        &self,
        pass: &Backward<'_, A>,
        d_parameters: Vec<DirectionGradient<'_, A>>,
        d_sums: &[A],
        workers: usize,
    ) {
        let units = self.units();
        let jobs = d_parameters.into_iter().enumerate();
        let jobs = jobs.flat_map(|(i, gradient)| gradient.split(units, workers).map(move |part| (i, part)));
        threads::for_each(workers, jobs, |(i, part)| {
            let terms = self.terms(pass, i, d_sums);
            if terms.are_few() {
                terms.add_to_few(self.plan, part);
            } else {
                terms.add_to(self.plan, part);
            }
        });
    }

    /// What the gradient of the parameters of a layer's direction is made of, by layer, then direction.
    fn terms<'t>(&self, pass: &Backward<'t, A>, i: usize, d_sums: &'t [A]) -> Terms<'t, A> {
        let (layer, direction) = (i / self.directions(), i % self.directions());
        let (rows, batch, units) = (pass.steps.rows(), pass.steps.batch(0), self.units());
        let inputs: &[A] = if layer == 0 { pass.inputs } else { &pass.outputs[layer - 1] };
        let block = batch * C::STATES * self.hidden;
        Terms {
            steps: pass.steps,
            reverse: direction == 1,
            d_sums: &d_sums[i * rows * units..][..rows * units],
            units,
            inputs,
            width: pass.weights[layer][direction].inputs(),
            factors: layer.checked_sub(1).and_then(|gap| pass.factors.get(gap)).map(Vec::as_slice),
            outputs: Source::rows(&pass.outputs[layer], self.width(), pass.steps, 0),
            column: direction * self.hidden,
            first: &pass.first[i * block..][..block],
            hidden: self.hidden,
            state_factors: pass.state_factors.map(|factors| &factors[i * batch * self.hidden..]),
            resets: pass.resets.map(|resets| resets.of_block(i, C::STATES * self.hidden)),
        }
    }
}

impl<'a, A: Element> DirectionGradient<'a, A> {
    /// Splits it among workers, one unit or more for each.
    fn split(self, units: usize, workers: usize) -> impl Iterator<Item = Gradient<'a, A>> {
        let Self { mut weight_ih, mut weight_hh, mut bias } = self;
        let [width, hidden] = [&weight_ih, &weight_hh].map(|weight| weight.len() / units);
        threads::ranges(units, workers.min(units)).map(move |units| {
            let count = units.len();
            Gradient {
                units,
                weight_ih: cut(&mut weight_ih, count * width),
                weight_hh: cut(&mut weight_hh, count * hidden),
                bias: cut(&mut bias, count),
            }
        })
    }
}

/// Cuts the first elements off, or all there are.
fn cut<'a, A>(elements: &mut &'a mut [A], count: usize) -> &'a mut [A] {
    let count = count.min(elements.len());
    elements.split_off_mut(..count).unwrap_or_default()
}

/// What the first part of the way back writes: all of it, or one thread's rows of every step.
#[derive(Debug)]
struct Written<'a, A> {
    d_state: Share<'a, A>,
    d_input: Option<Share<'a, A>>,
    /// By layer, then direction.
    d_sums: Vec<Share<'a, A>>,
}

/// The first part of the way back for some rows of every step, on one thread.
struct RunBack<'r, 'a, 'l, A: Element, C> {
    stack: &'r Stack<A, C>,
    pass: &'r Backward<'a, A>,
    /// How these rows fall into steps, and which is the first of each.
    steps: &'r Steps,
    first: usize,
    written: &'r mut Written<'l, A>,
}

impl<A: Element, C: Cell<A>> WithSimd for RunBack<'_, '_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (mut room, mut above) = (Room::default(), Vec::new());
        for layer in (0..self.stack.layers.len()).rev() {
            let below = self.layer(simd, layer, &above, &mut room);
            self.pass.spares.lock().give(mem::replace(&mut above, below));
        }
    }
}

impl<A: Element, C: Cell<A>> RunBack<'_, '_, '_, A, C> {
    /// The way back through a layer: reads the gradient of its output rows, the last layer's from the pass, and returns that
    /// of its input rows, or for the first layer nothing: it goes where the pass wants it.
    #[inline(always)]
    fn layer<S: Simd>(&mut self, simd: S, layer: usize, above: &[A], room: &mut Room<A>) -> Vec<A> {
        let Self { stack, pass, steps, first, .. } = *self;
        let Written { d_state, d_input, d_sums } = &mut *self.written;
        let (directions, width, hidden) = (stack.directions(), stack.width(), stack.hidden);
        let block = steps.batch(0) * C::STATES * hidden;
        let mut below = match layer {
            0 => Vec::new(),
            _ => pass.spares.lock().take(steps.rows() * pass.weights[layer][0].inputs()),
        };
        for (d, weights) in pass.weights[layer].iter().enumerate() {
            let i = layer * directions + d;
            let rows = |rows, width| Source::rows(rows, width, pass.steps, 0).skip(first);
            let state = i * pass.steps.batch(0) + first;
            let span = BackSpan {
                steps,
                plan: &stack.plan,
                reverse: d == 1,
                outputs: rows(&pass.outputs[layer], width),
                kept: pass.kept.get(i).map(|kept| rows(kept, stack.units())),
                factors: pass.state_factors.map(|factors| &factors[state * hidden..]),
                d_outputs: if stack.is_last(layer) {
                    pass.d_output.skip(first)
                } else {
                    Source::rows(above, width, steps, 0)
                },
                column: d * hidden,
                d_state: d_state.borrow().into_step(i, i * block..(i + 1) * block),
                resets: pass.resets.map(|resets| resets.skip(first).of_block(i, C::STATES * hidden)),
                d_sums: d_sums[i].borrow(),
                d_inputs: match layer {
                    0 => d_input.as_mut().map(Share::borrow),
                    _ => Some(ShareMut::Whole(&mut below)),
                },
            };
            weights.backward(simd, stack.cell, span, room);
        }
        if layer > 0 {
            self.drop_out(layer - 1, &mut below);
        }
        below
    }

    /// The way back through the dropout behind a layer.
    fn drop_out(&self, layer: usize, d_inputs: &mut [A]) {
        let Self { pass, steps, first, .. } = *self;
        let (width, factors) = (self.stack.width(), pass.factors.get(layer));
        for (t, factors) in
            factors.into_iter().flat_map(|factors| (0..steps.len()).map(move |t| (t, factors)))
        {
            let rows = &mut d_inputs[steps.start(t) * width..steps.start(t + 1) * width];
            let factors = &factors[(pass.steps.start(t) + first) * width..];
            rows.iter_mut().zip(factors).for_each(|(d_x, &factor)| *d_x *= factor);
        }
    }
}
