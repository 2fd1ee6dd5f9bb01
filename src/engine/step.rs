//! One step of all layers, whose state a caller keeps.

use pulp::{Simd, WithSimd};

use super::forward::{Direction, SpanScratch, SpanWrites};
use super::pass::{Reads, Writes};
use super::place::Place;
use super::scratch::first_of;
use super::stack::{Scratch, Stack};
use super::threads;
use crate::cell::{Cell, Units};
use crate::element::Element;
use crate::error::Result;
use crate::kernels::Matrix;
use crate::planes::Planes;
use crate::rows::Source;
use crate::steps::Steps;

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// Runs every layer, of one direction, over one step of `batch` rows, one after another.
    ///
    /// A step of a few units takes as long as what surrounds it. So it has nothing of what only some passes have, and is
    /// compiled apart from them.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[inline(always)]
    pub(crate) fn step(
        &self,
        rows: &[A],
        batch: usize,
        mut state: Planes<&mut [A]>,
        scratch: &mut Scratch<A>,
    ) -> Result<()> {
        debug_assert_eq!(self.directions(), 1, "a reverse direction begins at an end that no step has seen");
        if batch == 0 || threads::count(self.flops(batch)) > 1 {
            return self.pass_of_one_step(rows, batch, state, scratch);
        }
        scratch.prepare_step(self, batch)?;
        self.plan.arch.dispatch(&mut OneStep { stack: self, rows, batch, state: &mut state, scratch });
        Ok(())
    }

    /// As a pass: if there are no rows, or if several threads may pay.
    #[cold]
    #[inline(never)]
    fn pass_of_one_step(
        &self,
        rows: &[A],
        batch: usize,
        state: Planes<&mut [A]>,
        scratch: &mut Scratch<A>,
    ) -> Result<()> {
        let steps = Steps::Equal { len: 1, batch };
        let source = Source::rows(rows, self.input_width(), &steps, 0);
        self.forward(Reads::new(source, &steps), Writes::new(state), scratch, None)
    }
}

/// A step, to be run on an instruction set.
struct OneStep<'r, 's, A: Element, C> {
    stack: &'r Stack<A, C>,
    rows: &'r [A],
    batch: usize,
    state: &'r mut Planes<&'s mut [A]>,
    scratch: &'r mut Scratch<A>,
}

impl<A: Element, C: Cell<A>> WithSimd for &mut OneStep<'_, '_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OneStep { stack, rows: input, batch, ref mut state, ref mut scratch } = *self;
        let t = scratch.single_steps;
        scratch.single_steps = t.wrapping_add(1);
        let mut x = Matrix::contiguous(input, batch, stack.input_width());
        let mut left = state.as_mut().map(|plane| &mut **plane);
        for (layer, weights) in stack.weights.iter().enumerate() {
            let planes = left.zip(stack.widths()).map(|(plane, width)| plane.split_at_mut(batch * width));
            let (h, next_h) = planes.h;
            let (c, next_c) = planes.c.unzip();
            let place = Place { layer, direction: 0, i: layer, first: 0 };
            let made = &Units { blocks: weights.blocks, first: 0, peepholes: &weights.peepholes };
            let direction = Direction { stack, weights, place, masks: [None; 2], made, shares: None };
            let mut writes = SpanWrites { state: Planes { h, c }, target: None, cells: None };
            let SpanScratch { rows, step, .. } = &mut scratch.room;
            let rows = first_of(rows, batch * direction.width());
            direction.step(simd, (t, 0..batch), (Some(x), rows), &mut writes, step);
            // The layer above reads the state where it lies.
            x = Matrix::contiguous(writes.state.h, batch, stack.features());
            left = Planes { h: next_h, c: next_c };
        }
    }
}
