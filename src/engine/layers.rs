//! All layers and directions over some rows, forward, on one thread.

use std::mem;
use std::ops::Range;
use std::sync::OnceLock;

use pulp::{Simd, WithSimd};

use super::forward::{Direction, Span, SpanWrites};
use super::pass::{Reads, Writes};
use super::place::Place;
use super::share::{Share, ShareMut, Target};
use super::stack::{Scratch, Stack};
use super::team::Member;
use crate::cell::{Cell, Units};
use crate::element::Element;
use crate::kernels::copy;
use crate::rows::Source;

/// What a thread runs of a pass.
pub(super) struct RunForward<'r, 'a, A: Element, C> {
    pub(super) stack: &'r Stack<A, C>,
    pub(super) reads: &'r Reads<'r, A>,
    /// The threads that share the units of a single sequence, if any do.
    pub(super) team: Option<&'r Member<'r>>,
    pub(super) writes: &'r mut Writes<'a, A>,
    pub(super) scratch: &'r mut Scratch<A>,
}

impl<A: Element, C: Cell<A>> WithSimd for &mut RunForward<'_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (steps, rows) = (self.reads.steps, self.stack.segment_rows());
        let mut left = 0..steps.len();
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
        let (stack, steps) = (self.stack, self.reads.steps);
        for layer in 0..stack.depth() {
            let last = layer + 1 == stack.depth();
            if !last {
                let rows = steps.start(segment.end) - steps.start(segment.start);
                self.scratch.above.resize(rows * stack.width(), A::zero());
            }
            for direction in 0..stack.directions() {
                let i = layer * stack.directions() + direction;
                self.direction(simd, Place { layer, direction, i, first: self.reads.first }, &segment);
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
        let Self { stack, reads, team, .. } = *self;
        let Scratch { room, below, above, .. } = &mut *self.scratch;
        let (width, steps) = (stack.width(), reads.steps);
        let between;
        let source = if place.layer == 0 {
            &reads.source
        } else {
            between = Source::rows(below, width, steps, steps.start(segment.start));
            &between
        };
        let column = place.direction * stack.features();
        // Built where they are wanted alone, and lent: a step of few units takes less time than a copy of one.
        let (mut upper, mut last);
        let target = if place.layer + 1 < stack.depth() {
            let origin = steps.start(segment.start);
            upper = Target { rows: ShareMut::Whole(above), origin, width, column };
            Some(&mut upper)
        } else if let Some(output) = &mut self.writes.output {
            last = Target { rows: output.borrow(), origin: 0, width, column };
            Some(&mut last)
        } else {
            None
        };
        let batch = steps.batch(0);
        let state = self.writes.state.as_mut().zip(stack.widths()).map(|(plane, width)| {
            plane.borrow().into_step(place.i, place.i * batch * width..(place.i + 1) * batch * width)
        });
        let (kept, cells) = match &mut self.writes.inner {
            Some(inner) => (inner.rows.get_mut(place.i), inner.cells.get_mut(place.i)),
            None => (None, None),
        };
        let mut writes = SpanWrites { state, target, cells: cells.map(Share::borrow) };
        let weights = &stack.weights[place.i];
        let shares = team.map(|team| weights.shares::<C>(team));
        let shares = shares.as_ref();
        let (blocks, first) =
            shares.map_or((weights.blocks, 0), |shares| (shares.own.blocks, shares.own.first));
        let made = &Units { blocks, first, peepholes: &weights.peepholes };
        let masks = reads.extras.map_or([None, None], |extras| extras.masks_of(place.layer));
        let direction = Direction { stack, weights, place, masks, made, shares };
        Span { direction, reads, source }.run(
            simd,
            segment.clone(),
            kept.map(Share::borrow),
            &mut writes,
            room,
        );
    }

    /// Keeps the rows between a layer and the next, if they are wanted, and applies dropout.
    fn between(&mut self, layer: usize, segment: &Range<usize>) {
        let Reads { steps, first, all, extras, .. } = *self.reads;
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
