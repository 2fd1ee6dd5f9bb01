//! Where sequences begin anew.

use super::place::Place;
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
}

impl<'a, A: Element> Resets<'a, A> {
    /// The states of direction `i` alone, which have these widths.
    pub(super) fn states_of(&self, i: usize, widths: Planes<usize>) -> Option<Planes<&'a [A]>> {
        let batch = self.steps.batch(0);
        let one = |(states, width): (&'a [A], usize)| &states[i * batch * width..][..batch * width];
        self.states.map(|states| states.zip(widths).map(one))
    }

    /// Replaces those rows of a state that begin anew at step `t`.
    #[inline(never)]
    pub(super) fn apply(&self, t: usize, place: Place, state: Planes<&mut [A]>, widths: Planes<usize>) {
        self.replace(t, place.first, state, widths, self.states_of(place.i, widths));
    }

    /// The way back of [`apply`](Self::apply): no gradient passes to a state that was replaced.
    #[inline(never)]
    pub(super) fn cut(&self, t: usize, place: Place, d_state: Planes<&mut [A]>, widths: Planes<usize>) {
        self.replace(t, place.first, d_state, widths, None);
    }

    /// Replaces those rows that begin anew at step `t` with the rows of `states`, or with zeros. The first row of `state`
    /// is row `first` of the step.
    fn replace(
        &self,
        t: usize,
        first: usize,
        state: Planes<&mut [A]>,
        widths: Planes<usize>,
        states: Option<Planes<&[A]>>,
    ) {
        let batch = self.steps.batch(t);
        let replace = |plane: &mut [A], width: usize, from: Option<&[A]>| {
            for (b, row) in (first..batch).zip(plane.chunks_exact_mut(width)).filter(|&(b, _)| self.at(t, b))
            {
                match from {
                    Some(states) => row.copy_from_slice(&states[b * width..][..width]),
                    None => row.fill(A::zero()),
                }
            }
        };
        replace(state.h, widths.h, states.map(|states| states.h));
        if let Some((c, width)) = state.c.zip(widths.c) {
            replace(c, width, states.and_then(|states| states.c));
        }
    }

    /// Whether row `b` begins anew at step `t`.
    #[inline(always)]
    pub(super) fn at(&self, t: usize, b: usize) -> bool {
        self.mask[self.steps.start(t) + b]
    }
}
