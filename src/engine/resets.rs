//! Where sequences begin anew.

use crate::element::Element;
use crate::planes::Planes;
use crate::steps::Steps;

/// Where sequences begin anew within their rows.
#[derive(Debug, Clone, Copy)]
pub struct Resets<'a, A> {
    /// For each row, whether its state is replaced before its step.
    pub(crate) mask: &'a [bool],
    /// How the rows of the mask fall into steps.
    pub(crate) steps: &'a Steps,
    /// The states that resets set, shaped as the first states of the whole pass; zero if there are none.
    pub(crate) states: Option<Planes<&'a [A]>>,
    /// The first row of each step that is read.
    pub(crate) first: usize,
}

impl<'a, A: Element> Resets<'a, A> {
    /// The resets without the first rows of every step.
    pub(super) fn skip(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// The resets with the states of direction `i` alone, which have these widths.
    pub(super) fn of_direction(self, i: usize, widths: Planes<usize>) -> Self {
        let batch = self.steps.batch(0);
        let one = |(states, width): (&'a [A], usize)| &states[i * batch * width..][..batch * width];
        Self { states: self.states.map(|states| states.zip(widths).map(one)), ..self }
    }

    /// Replaces those rows of a state that begin anew at step `t`.
    #[inline(never)]
    pub(super) fn apply(&self, t: usize, state: Planes<&mut [A]>, widths: Planes<usize>) {
        let batch = self.batch(t);
        let replace = |plane: &mut [A], width: usize, from: Option<&[A]>| {
            for (b, row) in
                plane.chunks_exact_mut(width).enumerate().take(batch).filter(|&(b, _)| self.at(t, b))
            {
                match from {
                    Some(states) => row.copy_from_slice(&states[(self.first + b) * width..][..width]),
                    None => row.fill(A::zero()),
                }
            }
        };
        replace(state.h, widths.h, self.states.map(|states| states.h));
        if let Some((c, width)) = state.c.zip(widths.c) {
            replace(c, width, self.states.and_then(|states| states.c));
        }
    }

    /// The way back of [`apply`](Self::apply): no gradient passes to a state that was replaced.
    pub(super) fn cut(&self, t: usize, d_state: Planes<&mut [A]>, widths: Planes<usize>) {
        Self { states: None, ..*self }.apply(t, d_state, widths);
    }

    /// The number of rows of step `t` that are read.
    fn batch(&self, t: usize) -> usize {
        self.steps.batch(t).saturating_sub(self.first)
    }

    /// Whether row `b` begins anew at step `t`.
    #[inline(always)]
    pub(super) fn at(&self, t: usize, b: usize) -> bool {
        self.mask[self.steps.start(t) + self.first + b]
    }
}
