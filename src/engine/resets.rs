//! Where sequences begin anew.

use crate::element::Element;
use crate::steps::Steps;

/// Where sequences begin anew within their rows.
#[derive(Debug, Clone, Copy)]
pub struct Resets<'a, A> {
    /// For each row whether its state is replaced before its step.
    pub(crate) mask: &'a [bool],
    /// How the rows of the mask fall into steps.
    pub(crate) steps: &'a Steps,
    /// The states to begin with, shaped as the whole pass's first states; zero if there are none.
    pub(crate) states: Option<&'a [A]>,
    /// The first row of each step that is read.
    pub(crate) first: usize,
}

impl<'a, A: Element> Resets<'a, A> {
    /// Without the first rows of every step.
    pub(super) fn skip(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// With the states of one direction of one layer only.
    pub(super) fn of_block(self, i: usize, width: usize) -> Self {
        let block = self.steps.batch(0) * width;
        Self { states: self.states.map(|states| &states[i * block..][..block]), ..self }
    }

    /// Replaces rows of state of `width` elements that begin anew at step `t`.
    #[inline(never)]
    pub(super) fn apply(&self, t: usize, state: &mut [A], width: usize) {
        for (b, row) in state.chunks_exact_mut(width).enumerate().take(self.batch(t)) {
            if self.at(t, b) {
                match self.states {
                    Some(states) => row.copy_from_slice(&states[(self.first + b) * width..][..width]),
                    None => row.fill(A::zero()),
                }
            }
        }
    }

    /// The way back of [`apply`](Self::apply): no gradient passes to a state that was replaced.
    #[inline(never)]
    pub(super) fn cut(&self, t: usize, d_state: &mut [A], width: usize) {
        for (b, row) in d_state.chunks_exact_mut(width).enumerate().take(self.batch(t)) {
            if self.at(t, b) {
                row.fill(A::zero());
            }
        }
    }

    /// The rows of step `t` that are read.
    fn batch(&self, t: usize) -> usize {
        self.steps.batch(t).saturating_sub(self.first)
    }

    /// Whether row `b` begins anew at step `t`.
    #[inline(always)]
    pub(super) fn at(&self, t: usize, b: usize) -> bool {
        self.mask[self.steps.start(t) + self.first + b]
    }
}
