//! All layers and directions over some rows, forward, on one thread.

use std::mem;
use std::ops::Range;
use std::sync::OnceLock;

use pulp::{Simd, WithSimd};

use super::forward::{Place, SpanReads, SpanWrites};
use super::pass::{Extras, Reads, Writes};
use super::share::{Share, ShareMut, Target};
use super::stack::{Scratch, Stack};
use super::team::Member;
use crate::cell::Cell;
use crate::element::Element;
use crate::kernels::copy;
use crate::rows::Source;
use crate::steps::Steps;

/// Some rows of every step of a pass, for one thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'r, A> {
    /// These rows of the first layer's input.
    pub(super) source: &'r Source<'r, A>,
    /// How these rows fall into steps, and the first of them in each step.
    pub(super) steps: &'r Steps,
    pub(super) first: usize,
    /// How the rows of the whole pass fall into steps.
    pub(super) all: &'r Steps,
    pub(super) extras: Option<&'r Extras<'r, A>>,
    /// The threads that share the units of a single sequence, if any do.
    pub(super) team: Option<&'r Member<'r>>,
}

impl<'r, A> Part<'r, A> {
    /// The whole pass.
    pub(super) fn of(reads: &'r Reads<'_, A>) -> Self {
        let Reads { source, steps, extras } = reads;
        Self { source, steps, first: 0, all: steps, extras: *extras, team: None }
    }
}

/// The pass over a part.
pub(super) struct RunForward<'r, 'a, A: Element, C> {
    pub(super) stack: &'r Stack<A, C>,
    pub(super) part: &'r Part<'r, A>,
    pub(super) writes: &'r mut Writes<'a, A>,
    pub(super) scratch: &'r mut Scratch<A>,
}

impl<A: Element, C: Cell<A>> WithSimd for &mut RunForward<'_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let RunForward { stack, part: &Part { steps, .. }, .. } = *self;
        let (rows, mut left) = (stack.segment_rows(), 0..steps.len());
        if rows == usize::MAX {
            return self.layers(simd, left);
        }
        while let Some(segment) = steps.cut(&mut left, rows, false) {
            self.layers(simd, segment);
        }
    }
}

impl<A: Element, C: Cell<A>> RunForward<'_, '_, A, C> {
    /// Runs all layers over a segment.
    #[inline(always)]
    fn layers<S: Simd>(&mut self, simd: S, segment: Range<usize>) {
        let stack = self.stack;
        for layer in 0..stack.layers.len() {
            let last = layer + 1 == stack.layers.len();
            if !last {
                let rows = self.part.steps.start(segment.end) - self.part.steps.start(segment.start);
                self.scratch.above.resize(rows * stack.width(), A::zero());
            }
            for direction in 0..stack.directions() {
                self.direction(
                    simd,
                    Place {
                        layer,
                        direction,
                        i: layer * stack.directions() + direction,
                        first: self.part.first,
                    },
                    &segment,
                );
            }
            if !last {
                self.between(layer, &segment);
                mem::swap(&mut self.scratch.below, &mut self.scratch.above);
            }
        }
    }

    /// Runs one direction of a layer over a segment.
    #[inline(never)]
    fn direction<S: Simd>(&mut self, simd: S, place: Place, segment: &Range<usize>) {
        let Self { stack, part: &Part { steps, extras, team, .. }, .. } = *self;
        let Scratch { room, below, above, .. } = &mut *self.scratch;
        let Place { layer, direction, i, .. } = place;
        let (width, origin) = (stack.width(), steps.start(segment.start));
        let between;
        let source = if layer == 0 {
            self.part.source
        } else {
            between = Source::rows(below, width, steps, origin);
            &between
        };
        let target = if layer + 1 < stack.layers.len() {
            Some((ShareMut::Whole(above), origin))
        } else {
            self.writes.output.as_mut().map(|output| (output.borrow(), 0))
        };
        let batch = steps.batch(0);
        let state = self.writes.state.as_mut().zip(stack.widths());
        let state = state
            .map(|(plane, width)| plane.borrow().into_step(i, i * batch * width..(i + 1) * batch * width));
        let reads =
            SpanReads { source, steps, range: segment.clone(), plan: &stack.plan, place, extras, team };
        let column = direction * stack.features();
        let writes = SpanWrites {
            state,
            target: target.map(|(rows, origin)| Target { rows, origin, width, column }),
            inner: self.writes.inner.as_deref_mut(),
        };
        stack.layers[layer][direction].forward(simd, stack.cell, reads, writes, room);
    }

    /// Keeps the rows between a layer and the next, if they are wanted, and applies dropout.
    fn between(&mut self, layer: usize, segment: &Range<usize>) {
        let Part { steps, first, all, extras, .. } = *self.part;
        let width = self.stack.width();
        let origin = steps.start(segment.start);
        let mut kept =
            self.writes.inner.as_mut().and_then(|inner| inner.lower.get_mut(layer)).map(Share::borrow);
        let drawn = extras.and_then(|extras| extras.factors).and_then(OnceLock::get);
        let factors = drawn.and_then(|drawn| drawn.get(layer));
        for t in segment.clone() {
            let range = steps.start(t) * width..steps.start(t + 1) * width;
            let rows = &mut self.scratch.above[range.start - origin * width..range.end - origin * width];
            if let Some(kept) = &mut kept {
                copy(rows, kept.step(t, range));
            }
            if let Some(factors) = factors {
                let factors = &factors[(all.start(t) + first) * width..];
                rows.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= factor);
            }
        }
    }
}
