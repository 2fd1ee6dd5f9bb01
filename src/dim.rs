//! Batches and single sequences, `batch_first` or not, as one shape.

use ndarray::{
    Array, Array1, Array2, Array3, ArrayBase, ArrayRef, ArrayView2, ArrayView3, Axis, Dimension, Ix1, Ix2,
    Ix3, RawData,
};

use crate::arrays::{elements, elements_mut};
use crate::element::Element;
use crate::error::Result;
use crate::room::zeros;

/// The number of axes of an input: [`Ix3`](type@Ix3) for a batch, [`Ix2`](type@Ix2) for one sequence. Sealed.
///
/// ```
/// use ndarray::{Array, ArrayRef};
/// use ndarray_rnn::{Gru, Result, SequenceDim};
///
/// /// For a batch and for one sequence.
/// fn first_pass<D: SequenceDim>(gru: &Gru, input: &ArrayRef<f32, D>) -> Result<Array<f32, D>> {
///     Ok(gru.forward(input, None)?.0)
/// }
/// # let gru = Gru::zeros(ndarray_rnn::GruConfig::new(4, 2))?;
/// # assert_eq!(first_pass(&gru, &ndarray::Array3::ones((3, 5, 4)))?.dim(), (3, 5, 2));
/// # assert_eq!(first_pass(&gru, &ndarray::Array2::ones((3, 4)))?.dim(), (3, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait SequenceDim: Dimension<Smaller: 'static> + private::Sealed + 'static {
    /// A view of sequences as (L, N, width).
    #[doc(hidden)]
    fn time_major<S: RawData>(view: ArrayBase<S, Self>, batch_first: bool) -> ArrayBase<S, Ix3>;

    /// A state as (layers x directions, N, hidden).
    #[doc(hidden)]
    fn batched_state<A>(array: &ArrayRef<A, Self>) -> ArrayView3<'_, A> {
        Self::time_major(array.view(), false)
    }

    /// The shape of sequences (L, N, width).
    #[doc(hidden)]
    fn sequence_dim(shape: [usize; 3], batch_first: bool) -> Self;

    /// A state's array from (layers x directions, N, hidden).
    #[doc(hidden)]
    fn state<A: Element>(array: Array3<A>) -> Array<A, Self>;

    /// A state's shape from (layers x directions, N, hidden).
    #[doc(hidden)]
    fn state_shape(shape: [usize; 3]) -> Vec<usize> {
        Self::sequence_dim(shape, false).slice().into()
    }

    /// A mask's shape from (L, N).
    #[doc(hidden)]
    fn mask_shape([len, batch]: [usize; 2], batch_first: bool) -> Vec<usize> {
        let dim = Self::sequence_dim([len, batch, 1], batch_first);
        dim.slice()[..dim.ndim() - 1].into()
    }

    /// A mask, which has no features, as (L, N).
    #[doc(hidden)]
    fn time_major_mask(mask: &ArrayRef<bool, Self::Smaller>, batch_first: bool) -> ArrayView2<'_, bool>;

    /// The last layer's states, of (layers x directions, N, hidden), side by side.
    #[doc(hidden)]
    fn last<A: Element>(state: &Array3<A>, directions: usize) -> Result<Array<A, Self::Smaller>>;
}

/// The states of the last `directions` rows of (layers x directions, N, hidden) side by side, (N, directions x hidden).
fn side_by_side<A: Element>(states: &Array3<A>, directions: usize) -> Result<Array2<A>> {
    let (_, batch, hidden) = states.dim();
    let mut last = zeros("output", (batch, directions * hidden))?;
    put_last(states, directions, &mut last);
    Ok(last)
}

/// Writes what [`SequenceDim::last`] returns to an array of its shape.
pub(crate) fn put_last<A: Element, D: Dimension>(
    states: &Array3<A>,
    directions: usize,
    last: &mut ArrayRef<A, D>,
) {
    let (count, batch, hidden) = states.dim();
    let (states, mut rows) = (elements(states), elements_mut(last).chunks_exact_mut(hidden));
    for n in 0..batch {
        for (i, row) in (count - directions..count).zip(&mut rows) {
            row.copy_from_slice(&states[(i * batch + n) * hidden..][..hidden]);
        }
    }
}

/// The way back of [`SequenceDim::last`]: adds the gradient of the last outputs to that of the states
/// (layers x directions, N, hidden).
pub(crate) fn add_last<A: Element, D: Dimension>(
    d_states: &mut Array3<A>,
    d_last: &ArrayRef<A, D>,
    directions: usize,
) {
    let (count, batch, hidden) = d_states.dim();
    let (d_states, mut terms) = (elements_mut(d_states), d_last.iter());
    for n in 0..batch {
        for i in count - directions..count {
            let d_h = d_states[(i * batch + n) * hidden..][..hidden].iter_mut();
            d_h.zip(&mut terms).for_each(|(d_h, &term)| *d_h += term);
        }
    }
}

impl SequenceDim for Ix3 {
    fn time_major<S: RawData>(mut view: ArrayBase<S, Ix3>, batch_first: bool) -> ArrayBase<S, Ix3> {
        if batch_first {
            view.swap_axes(0, 1);
        }
        view
    }

    fn sequence_dim([len, batch, width]: [usize; 3], batch_first: bool) -> Self {
        if batch_first { Ix3(batch, len, width) } else { Ix3(len, batch, width) }
    }

    fn state<A: Element>(array: Array3<A>) -> Array<A, Self> {
        array
    }

    fn time_major_mask(mask: &ArrayRef<bool, Ix2>, batch_first: bool) -> ArrayView2<'_, bool> {
        if batch_first { mask.t() } else { mask.view() }
    }

    fn last<A: Element>(state: &Array3<A>, directions: usize) -> Result<Array2<A>> {
        side_by_side(state, directions)
    }
}

impl SequenceDim for Ix2 {
    fn time_major<S: RawData>(view: ArrayBase<S, Ix2>, _batch_first: bool) -> ArrayBase<S, Ix3> {
        view.insert_axis(Axis(1))
    }

    fn sequence_dim([len, _, width]: [usize; 3], _batch_first: bool) -> Self {
        Ix2(len, width)
    }

    fn state<A: Element>(array: Array3<A>) -> Array<A, Self> {
        array.index_axis_move(Axis(1), 0)
    }

    fn time_major_mask(mask: &ArrayRef<bool, Ix1>, _batch_first: bool) -> ArrayView2<'_, bool> {
        mask.view().insert_axis(Axis(1))
    }

    fn last<A: Element>(state: &Array3<A>, directions: usize) -> Result<Array1<A>> {
        Ok(side_by_side(state, directions)?.index_axis_move(Axis(0), 0))
    }
}

mod private {
    use ndarray::{Ix2, Ix3};

    pub trait Sealed {}
    impl Sealed for Ix2 {}
    impl Sealed for Ix3 {}
}
