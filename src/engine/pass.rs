//! What a forward pass reads and writes.
//!
//! What only some passes have stands behind a reference or in a box: a step of few units takes less time than it would
//! take to hand all of it from function to function.

use std::ops::Range;
use std::sync::OnceLock;

use super::operands::Masks;
use super::place::Place;
use super::resets::Resets;
use super::share::Share;
use super::stack::Stack;
use crate::cell::Cell;
use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::planes::Planes;
use crate::rows::Source;
use crate::steps::Steps;

/// What a pass reads. Where threads share the rows of every step, it is what one of them reads. A row of a layer is as wide
/// as the hidden states of all directions side by side.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a, A> {
    /// The first layer's input.
    pub(crate) source: Source<'a, A>,
    /// How the input's rows fall into steps.
    pub(crate) steps: &'a Steps,
    pub(crate) extras: Option<&'a Extras<'a, A>>,
    /// How the rows of the whole pass fall into steps, and which row of each of its steps is the first here.
    pub(crate) all: &'a Steps,
    pub(crate) first: usize,
}

/// What some passes read besides.
#[derive(Debug, Default)]
pub struct Extras<'a, A> {
    /// Where sequences begin anew.
    pub(crate) resets: Option<Resets<'a, A>>,
    /// The dropout factors of the output rows of every layer but the last, once they are drawn; none without dropout
    /// between layers.
    pub(crate) factors: Option<&'a OnceLock<Vec<Vec<A>>>>,
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
    pub(crate) inner: Option<Box<InnerWrites<'a, A>>>,
}

/// What some passes write besides.
#[derive(Debug)]
pub struct InnerWrites<'a, A> {
    /// Take the output rows of the layers but the last, if they are wanted: of all or of none.
    pub(crate) lower: Vec<Share<'a, A>>,
    /// Take the rows that the cell leaves in every step, by layer, then direction, if they are wanted: all or
    /// none.
    pub(crate) rows: Vec<Share<'a, A>>,
    /// Take the cell's outputs before the projection, by layer, then direction, if they are wanted: all or none.
    pub(crate) cells: Vec<Share<'a, A>>,
}

impl<'a, A> Reads<'a, A> {
    /// Reads of a whole pass, of input rows alone.
    pub(crate) fn new(source: Source<'a, A>, steps: &'a Steps) -> Self {
        Self { source, steps, extras: None, all: steps, first: 0 }
    }
}

impl<'a, A: Element> Extras<'a, A> {
    /// The masks of a layer: only the first layer's input has any.
    #[inline(always)]
    pub(super) fn masks_of(&self, layer: usize) -> [Option<&Masks<'a, A>>; 2] {
        let [input, state] = &self.masks;
        [input.as_ref().filter(|_| layer == 0), state.as_ref()]
    }

    /// The masks of the first layer's input and of the hidden state, those of one direction.
    #[inline(always)]
    pub(super) fn masks_at(&self, place: Place) -> [Option<Masks<'a, A>>; 2] {
        let [input, state] = self.masks_of(place.layer);
        [input.map(|masks| masks.of(place)), state.map(|masks| masks.of(place))]
    }
}

impl<'a, A> Writes<'a, A> {
    /// Writes of the final state alone.
    pub(crate) fn new(state: Planes<&'a mut [A]>) -> Self {
        Self { state: state.map(Share::Whole), output: None, inner: None }
    }
}

impl<'a, A> InnerWrites<'a, A> {
    /// Writes of lower layers' outputs alone.
    pub(crate) fn lower(lower: &'a mut [Vec<A>]) -> Self {
        Self { lower: Share::wholes(lower), rows: Vec::new(), cells: Vec::new() }
    }
}

impl<'a, A: Element> Writes<'a, A> {
    /// Splits it into one part for each range of each step's rows.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds a number for each step.
    pub(super) fn split<C: Cell<A>>(
        self,
        stack: &Stack<A, C>,
        steps: &Steps,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Self>> {
        let states = stack.states(steps.batch(0));
        let state = self.state.zip(stack.widths());
        let state = state.try_map(|(plane, width)| plane.split(width, &states, ranges))?;
        let mut parts: Vec<_> =
            planes_of_parts(state).map(|state| Self { state, output: None, inner: None }).collect();
        if let Some(output) = self.output {
            let pieces = output.split(stack.width(), steps, ranges)?;
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.output = Some(rows));
        }
        if let Some(inner) = self.inner {
            let pieces = inner.split(stack, steps, ranges)?;
            parts.iter_mut().zip(pieces).for_each(|(part, inner)| part.inner = Some(Box::new(inner)));
        }
        Ok(parts)
    }
}

impl<'a, A: Element> InnerWrites<'a, A> {
    /// As [`Writes::split`].
    fn split<C: Cell<A>>(
        self,
        stack: &Stack<A, C>,
        steps: &Steps,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Self>> {
        let none = || Self { lower: Vec::new(), rows: Vec::new(), cells: Vec::new() };
        let mut parts: Vec<_> = ranges.iter().map(|_| none()).collect();
        let mut give =
            |all: Vec<Share<'a, A>>, width, of: fn(&mut Self) -> &mut Vec<Share<'a, A>>| -> Result<()> {
                all.into_iter().try_for_each(|rows| {
                    let pieces = rows.split(width, steps, ranges)?;
                    parts.iter_mut().zip(pieces).for_each(|(part, rows)| of(part).push(rows));
                    Ok(())
                })
            };
        give(self.lower, stack.width(), |part| &mut part.lower)?;
        give(self.rows, stack.row_width(), |part| &mut part.rows)?;
        give(self.cells, stack.units(), |part| &mut part.cells)?;
        Ok(parts)
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
