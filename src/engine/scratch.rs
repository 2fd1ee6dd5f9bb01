//! What a pass forwards works in, made before it runs.

use super::forward::{SpanScratch, StepScratch};
use super::pass::Reads;
use super::stack::{Scratch, Stack};
use crate::cell::Cell;
use crate::element::Element;
use crate::error::Result;
use crate::room::grow;
use crate::steps::Steps;

/// The most bytes of rows between two layers that are kept for the next pass: layers that run in reverse have all rows there.
const BETWEEN: usize = 1 << 20;

impl<A: Element> Scratch<A> {
    /// Leaves it to the next pass, which may be of another kind, to look for memory. Frees what is too large to be kept.
    #[inline(always)]
    pub(super) fn renew(&mut self) {
        self.ready = 0;
        if self.above.capacity().max(self.below.capacity()) * size_of::<A>() > BETWEEN {
            *self = Self::default();
        }
    }

    /// Makes sure that a pass finds its memory: once it runs it asks for none.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if there is none.
    #[inline(always)]
    pub(super) fn prepare<C: Cell<A>>(&mut self, stack: &Stack<A, C>, reads: &Reads<'_, A>) -> Result<()> {
        if reads.steps.rows() <= self.ready { Ok(()) } else { self.grow(stack, reads) }
    }

    /// Makes sure that a single step of `batch` rows finds its memory.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    #[inline(always)]
    pub(super) fn prepare_step<C: Cell<A>>(&mut self, stack: &Stack<A, C>, batch: usize) -> Result<()> {
        let SpanScratch { rows, step, .. } = &mut self.room;
        grow(SCRATCH, rows, from_a_line::<A>(batch * stack.row_width()))?;
        step.prepare(stack, batch)
    }

    /// Makes sure that a team puts its rows together in memory that is there.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub(super) fn prepare_row<C: Cell<A>>(&mut self, stack: &Stack<A, C>) -> Result<()> {
        grow(SCRATCH, &mut self.room.whole_row, stack.row_width())
    }

    #[cold]
    #[inline(never)]
    fn grow<C: Cell<A>>(&mut self, stack: &Stack<A, C>, reads: &Reads<'_, A>) -> Result<()> {
        let Self { room, below, above, ready, .. } = self;
        let batch = reads.steps.batch(0);
        let chunk = stack.chunk(reads.steps);
        grow(SCRATCH, &mut room.rows, from_a_line::<A>(chunk * stack.row_width()))?;
        if reads.source.is_scattered(reads.steps) {
            grow(SCRATCH, &mut room.offsets, chunk)?;
        }
        if reads.extras.is_some_and(|extras| extras.masks.iter().any(Option::is_some)) {
            grow(SCRATCH, &mut room.step.masked, batch * stack.features().max(reads.source.width()))?;
        }
        room.step.prepare(stack, batch)?;
        // Two layers of a segment take one of the two, and the next segment the other.
        let segment = stack.segment(reads.steps);
        let gaps = (stack.depth() - 1) * reads.steps.rows().div_ceil(segment);
        for between in [above, below].into_iter().take(gaps) {
            grow(SCRATCH, between, segment * stack.width())?;
        }
        // No step of a shorter pass has more rows.
        *ready = batch;
        Ok(())
    }
}

impl<A: Element> StepScratch<A> {
    /// Makes sure that a step of `batch` rows without masks finds its memory.
    #[inline(always)]
    fn prepare<C: Cell<A>>(&mut self, stack: &Stack<A, C>, batch: usize) -> Result<()> {
        if stack.is_projected() {
            grow(SCRATCH, &mut self.cells, from_a_line::<A>(batch * stack.units()))?;
        }
        if stack.cell.gates_state() {
            grow(SCRATCH, &mut self.gated, batch * stack.features())?;
        }
        Ok(())
    }
}

const SCRATCH: &str = "scratch";

/// The first `len` elements of scratch memory from a cache line's begin on. The memory grows within what it has.
///
/// A vector that lies in two cache lines is loaded and stored in two pieces: a step of 16 gated units then takes 10 % longer.
#[inline(always)]
pub(super) fn first_of<A: Element>(scratch: &mut Vec<A>, len: usize) -> &mut [A] {
    let room = from_a_line::<A>(len);
    if scratch.len() < room {
        scratch.resize(room, A::zero());
    }
    let before = scratch.as_ptr().align_offset(size_of::<A::Line>()).min(A::PANEL - 1);
    &mut scratch[before..before + len]
}

/// How many elements hold `len` of them from a cache line's begin on, wherever memory begins.
const fn from_a_line<A: Element>(len: usize) -> usize {
    len + A::PANEL - 1
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// The most rows whose sums a layer makes at once.
    fn chunk(&self, steps: &Steps) -> usize {
        let ahead = self.most(steps, self.plan.chunk_of::<A>(self.row_width()));
        match *steps {
            // Every layer makes the sums of one step alone.
            Steps::Equal { batch, .. } if batch >= self.plan.ahead && self.is_near() => batch,
            _ => ahead,
        }
    }

    /// The most rows that pass through all layers together.
    fn segment(&self, steps: &Steps) -> usize {
        self.most(steps, self.segment_rows())
    }

    /// The most rows of steps that are cut into pieces of up to `rows` rows, one step or more each.
    fn most(&self, steps: &Steps, rows: usize) -> usize {
        match *steps {
            Steps::Equal { len, batch } => batch * (rows / batch.max(1)).clamp(1, len),
            Steps::Ragged { .. } => rows.max(steps.batch(0)).min(steps.rows()),
        }
    }
}
