//! What a pass in training leaves for the way back.

use std::mem;
use std::sync::{Arc, OnceLock};

use super::operands::Masks;
use super::pass::{Extras, InnerWrites, Reads, Writes};
use super::resets::Resets;
use super::share::Share;
use super::spares::Spares;
use super::stack::{Ready, Stack};
use crate::cell::Cell;
use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::copied;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::rows::Source;

/// How sequences run: how their rows fall into steps, and where they begin anew.
#[derive(Debug, Clone)]
pub struct Course<A> {
    pub(crate) layout: Layout,
    /// For each row, whether its sequence begins anew there.
    pub(crate) mask: Option<Vec<bool>>,
    /// The states that resets set, in the rows' order; zero if there are none.
    pub(crate) reset_state: Option<Planes<Vec<A>>>,
}

impl<A: Element> Course<A> {
    /// A course without resets.
    pub(crate) fn of(layout: Layout) -> Self {
        Self { layout, mask: None, reset_state: None }
    }

    /// What a pass without dropout reads besides the input.
    pub(crate) fn extras(&self) -> Extras<'_, A> {
        let states = self.reset_state.as_ref().map(|states| states.as_ref().map(Vec::as_slice));
        let resets = self.mask.as_ref().map(|mask| Resets { mask, steps: &self.layout.steps, states });
        Extras { resets, factors: None, masks: [None, None] }
    }

    /// As [`extras`](Self::extras), with the masks of an input and a hidden state of these widths.
    pub(super) fn extras_with<'a>(&'a self, factors: &'a Factors<A>, widths: [usize; 2]) -> Extras<'a, A> {
        let masks = |i: usize| {
            let ((factors, count), batch) = (factors.masks[i].as_ref()?, self.layout.steps.batch(0));
            Some(Masks { factors, count: *count, batch, width: widths[i], first: 0 })
        };
        Extras { masks: [masks(0), masks(1)], ..self.extras() }
    }
}

/// The dropout factors of a pass in training: 0 for an element that is dropped, 1 / (1 - p) for one that is kept.
#[derive(Debug, Clone)]
pub struct Factors<A> {
    /// Factors of the output rows of every layer but the last; empty without dropout between layers.
    pub(crate) between: Vec<Vec<A>>,
    /// Factors of the first layer's input, and of the hidden state, before a product reads them, each with the number of
    /// masks; see [`Masks`].
    pub(crate) masks: [Option<(Vec<A>, usize)>; 2],
}

impl<A> Default for Factors<A> {
    fn default() -> Self {
        Self { between: Vec::new(), masks: [None, None] }
    }
}

/// The record of a pass: [`of`](Self::of) writes it, [`Stack::backward`] reads it.
///
/// Its memory comes from earlier passes of the same network, and goes back to the network when the record is
/// dropped.
#[derive(Debug, Clone)]
pub struct Kept<A: Element> {
    pub(crate) course: Course<A>,
    /// The first layer's input rows.
    pub(super) inputs: Vec<A>,
    /// The first hidden states, by layer, then direction.
    pub(super) first: Vec<A>,
    /// Every layer's output rows.
    pub(super) outputs: Vec<Vec<A>>,
    /// What the cell left in the rows of every step, by layer, then direction; empty if the cell keeps nothing.
    pub(super) rows: Vec<Vec<A>>,
    /// The cell's outputs before the projection, by layer, then direction; empty without a projection.
    pub(super) cells: Vec<Vec<A>>,
    pub(super) factors: Factors<A>,
    pub(super) spares: Arc<Spares<A>>,
}

impl<A: Element> Kept<A> {
    /// Runs a pass in training by `run`, which turns the first states into the final ones. The factors have
    /// their masks; `draw` makes those of some layers' outputs once there is memory for everything.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds the record, before the pass runs and before
    /// anything is drawn.
    pub(crate) fn of<C: Cell<A>>(
        stack: &Stack<A, C>,
        course: Course<A>,
        source: Source<'_, A>,
        state: Planes<&mut [A]>,
        (mut factors, between, mut draw): (Factors<A>, usize, impl FnMut(&mut [A]) -> Result<()>),
        spares: &Arc<Spares<A>>,
        run: impl FnOnce(Reads<'_, A>, Writes<'_, A>, Option<Ready<'_>>) -> Result<()>,
    ) -> Result<Box<Self>> {
        let (steps, layers) = (&course.layout.steps, stack.depth());
        let rows = steps.rows();
        let mut shelf = spares.lock();
        shelf.renew();
        let directions = layers * stack.directions();
        let lists = [
            (layers, stack.width()),
            (if stack.cell.keeps() { directions } else { 0 }, stack.row_width()),
            (if stack.is_projected() { directions } else { 0 }, stack.units()),
            (between, stack.width()),
            (1, source.width()),
        ];
        let [mut outputs, mut kept, mut cells, mut between, inputs] =
            shelf.try_take_all("trace", rows, lists)?;
        let mut inputs = inputs.into_iter().next().invariant("a list of one was asked for");
        drop(shelf);
        let first = copied("state", state.h)?;
        let drawn = OnceLock::new();
        let mut ready = || {
            between.iter_mut().try_for_each(|factors| draw(factors))?;
            drawn.set(mem::take(&mut between)).invariant("a pass begins once");
            Ok(())
        };
        let (last, lower) = outputs.split_last_mut().invariant("a stack has a layer");
        let inner = InnerWrites {
            lower: Share::wholes(lower),
            rows: Share::wholes(&mut kept),
            cells: Share::wholes(&mut cells),
        };
        let writes = Writes {
            state: state.map(Share::Whole),
            output: Some(Share::Whole(last)),
            inner: Some(Box::new(inner)),
        };
        let extras = course.extras_with(&factors, [source.width(), stack.features()]);
        let extras = Extras { factors: Some(&drawn), ..extras };
        run(Reads { extras: Some(&extras), ..Reads::new(source, steps) }, writes, Some(&mut ready))?;
        // A pass without rows ends before it begins, and has nothing to drop.
        factors.between =
            if rows == 0 { Vec::new() } else { drawn.into_inner().invariant("a pass of rows begins") };
        source.copy_to(steps, &mut inputs);
        let spares = spares.clone();
        Ok(Box::new(Self { course, inputs, first, outputs, rows: kept, cells, factors, spares }))
    }

    /// What the pass read besides the input. `features` is the width of a hidden state.
    pub(super) fn extras(&self, features: usize) -> Extras<'_, A> {
        let width = self.inputs.len() / self.course.layout.steps.rows();
        self.course.extras_with(&self.factors, [width, features])
    }

    /// The last layer's output rows.
    pub(crate) fn output(&self) -> &[A] {
        self.outputs.last().invariant("a stack has a layer")
    }
}

impl<A: Element> Drop for Kept<A> {
    fn drop(&mut self) {
        let Self { inputs, outputs, rows, cells, factors, spares, .. } = self;
        let mut shelf = spares.lock();
        for list in [outputs, rows, cells, &mut factors.between] {
            list.drain(..).for_each(|vector| shelf.give(vector));
        }
        shelf.give(mem::take(inputs));
    }
}
