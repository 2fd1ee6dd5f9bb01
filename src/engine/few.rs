//! The gradient of one direction's parameters where rows have few columns.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::weights::{Gradient, Terms};
use crate::element::Element;
use crate::kernels::Plan;

/// The most columns whose terms are added row by row: to turn and to pack the rows takes longer.
const FEW: usize = 8;

impl<A: Element> Terms<'_, A> {
    /// Whether [`add_to_few`](Self::add_to_few) serves.
    pub(super) fn are_few(&self) -> bool {
        self.width.max(self.hidden) <= FEW && self.factors.is_none() && self.state_factors.is_none()
    }

    /// As [`add_to`](Self::add_to), an outer product for each row.
    #[inline(always)]
    pub(super) fn add_to_few(&self, plan: Plan, gradient: Gradient<'_, A>) {
        plan.arch.dispatch(AddFew { terms: self, gradient, rows: plan.terms });
    }
}

struct AddFew<'t, 'a, A> {
    terms: &'t Terms<'t, A>,
    gradient: Gradient<'a, A>,
    /// About how many rows' terms are added together.
    rows: usize,
}

impl<A: Element> WithSimd for AddFew<'_, '_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { terms, gradient: Gradient { units, weight_ih, weight_hh, bias }, rows } = self;
        let (steps, zeros, mut states) = (terms.steps, [A::zero(); FEW], Vec::new());
        let mut left = 0..steps.len();
        while let Some(chunk) = steps.cut(&mut left, rows, false) {
            let [start, end] = [steps.start(chunk.start), steps.start(chunk.end)];
            let d_sums = terms.d_sums[start * terms.units..end * terms.units].chunks_exact(terms.units);
            for (unit, d_bias) in units.clone().zip(&mut *bias) {
                d_sums.clone().for_each(|row| *d_bias += row[unit]);
            }
            let inputs = terms.inputs[start * terms.width..end * terms.width].chunks_exact(terms.width);
            add_outer(terms.width, d_sums.clone(), &units, inputs, weight_ih);
            states.clear();
            states.reserve(end - start);
            chunk.for_each(|t| terms.previous(t, &zeros[..terms.hidden], &mut states));
            add_outer(terms.hidden, d_sums, &units, states.iter().copied(), weight_hh);
        }
    }
}

/// Adds the outer product of some units of a row and another row of `width` elements, for all rows.
#[inline(always)]
fn add_outer<'r, A: Element>(
    width: usize,
    left: impl Iterator<Item = &'r [A]> + Clone,
    units: &Range<usize>,
    right: impl Iterator<Item = &'r [A]> + Clone,
    to: &mut [A],
) {
    match width {
        1 => add_outer_of_width::<A, 1>(left, units, right, to),
        2 => add_outer_of_width::<A, 2>(left, units, right, to),
        3 => add_outer_of_width::<A, 3>(left, units, right, to),
        4 => add_outer_of_width::<A, 4>(left, units, right, to),
        5 => add_outer_of_width::<A, 5>(left, units, right, to),
        6 => add_outer_of_width::<A, 6>(left, units, right, to),
        7 => add_outer_of_width::<A, 7>(left, units, right, to),
        _ => add_outer_of_width::<A, FEW>(left, units, right, to),
    }
}

/// As [`add_outer`], of a width that the compiler knows: the sums of a unit stay in registers.
#[inline(always)]
fn add_outer_of_width<'r, A: Element, const W: usize>(
    left: impl Iterator<Item = &'r [A]> + Clone,
    units: &Range<usize>,
    right: impl Iterator<Item = &'r [A]> + Clone,
    to: &mut [A],
) {
    for (unit, to) in units.clone().zip(to.as_chunks_mut::<W>().0) {
        let mut sums = *to;
        for (left, right) in left.clone().zip(right.clone()) {
            let (left, right) = (left[unit], &right[..W]);
            for j in 0..W {
                sums[j] = left.mul_add(right[j], sums[j]);
            }
        }
        *to = sums;
    }
}
