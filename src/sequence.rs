//! Between the caller's arrays and the engine's rows.
//!
//! The engine knows only rows, grouped into steps: step t has `batch(t)` rows, never more than step t-1.

use std::ops::Range;

use ndarray::{Array, Array3, ArrayRef, ArrayView3, Axis, CowArray, Dimension, Ix2, Ix3};

use crate::element::Element;
use crate::kernels::Matrix;

/// How rows fall into time steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    len: usize,
    batch: usize,
}

impl Steps {
    /// `len` steps of `batch` rows each.
    pub(crate) fn equal(len: usize, batch: usize) -> Self {
        Self { len, batch }
    }

    /// The rows of step `t`.
    pub(crate) fn batch(&self, _t: usize) -> usize {
        self.batch
    }

    /// The first row of step `t`.
    pub(crate) fn start(&self, t: usize) -> usize {
        t * self.batch
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.start(self.len)
    }

    /// Cuts the steps into runs of about `rows` rows, at least one step each.
    pub(crate) fn chunks(&self, rows: usize) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
        let (len, stride) = (self.len, (rows / self.batch.max(1)).max(1));
        (0..len.div_ceil(stride)).map(move |i| i * stride..len.min((i + 1) * stride))
    }
}

/// The rows of a sequence, wherever they lie: what a layer reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a, A> {
    data: &'a [A],
    width: usize,
    /// Distances from step to step and from row to row within a step.
    strides: [usize; 2],
}

impl<'a, A: Element> Source<'a, A> {
    /// Rows one behind the other.
    pub(crate) fn contiguous(data: &'a [A], steps: &Steps, width: usize) -> Self {
        let strides = [steps.batch * width, width];
        Self { data, width, strides }
    }

    /// An array (L, N, width) made by [`with_plain_rows`].
    pub(crate) fn strided(array: &'a CowArray<'_, A, Ix3>) -> Self {
        let width = array.len_of(Axis(2));
        let strides = [Axis(0), Axis(1)].map(|axis| array.stride_of(axis).unsigned_abs());
        let data = array.as_slice_memory_order().unwrap_or_default();
        Self { data, width, strides }
    }

    /// The rows of some steps as one matrix; `table` is room for their offsets.
    pub(crate) fn matrix<'t>(
        &self,
        steps: &Steps,
        range: Range<usize>,
        table: &'t mut Vec<usize>,
    ) -> Matrix<'t, A>
    where
        'a: 't,
    {
        if self.strides == [steps.batch * self.width, self.width] {
            let rows = steps.start(range.start)..steps.start(range.end);
            let data = &self.data[rows.start * self.width..rows.end * self.width];
            return Matrix::contiguous(data, rows.len(), self.width);
        }
        let [time, row] = self.strides;
        table.clear();
        table.extend(range.flat_map(|t| (0..steps.batch(t)).map(move |n| t * time + n * row)));
        Matrix::gathered(self.data, table, self.width)
    }
}

/// The array itself where it is dense with contiguous rows (seq-first, batch-first), else a copy that is.
pub(crate) fn with_plain_rows<'a, A: Element>(array: ArrayView3<'a, A>) -> CowArray<'a, A, Ix3> {
    let forwards = array.strides().iter().all(|&stride| stride >= 0);
    if forwards && array.stride_of(Axis(2)) == 1 && array.as_slice_memory_order().is_some() {
        array.into()
    } else {
        CowArray::from(array.as_standard_layout().into_owned())
    }
}

/// The number of axes of an input: [`Ix3`](type@Ix3) for a batch, [`Ix2`](type@Ix2) for one sequence. Sealed.
pub trait SequenceDim: Dimension + private::Sealed {
    /// The input as (L, N, width).
    #[doc(hidden)]
    fn time_major<A>(array: &ArrayRef<A, Self>, batch_first: bool) -> ArrayView3<'_, A>;

    /// A state as (layers x directions, N, hidden).
    #[doc(hidden)]
    fn batched_state<A>(array: &ArrayRef<A, Self>) -> ArrayView3<'_, A>;

    /// The output's array from (L, N, width), in standard layout.
    #[doc(hidden)]
    fn output<A: Element>(array: Array3<A>, batch_first: bool) -> Array<A, Self>;

    /// A state's array from (layers x directions, N, hidden).
    #[doc(hidden)]
    fn state<A: Element>(array: Array3<A>) -> Array<A, Self>;
}

impl SequenceDim for Ix3 {
    fn time_major<A>(array: &ArrayRef<A, Self>, batch_first: bool) -> ArrayView3<'_, A> {
        let mut view = array.view();
        if batch_first {
            view.swap_axes(0, 1);
        }
        view
    }

    fn batched_state<A>(array: &ArrayRef<A, Self>) -> ArrayView3<'_, A> {
        array.view()
    }

    fn output<A: Element>(mut array: Array3<A>, batch_first: bool) -> Array<A, Self> {
        if batch_first {
            array.swap_axes(0, 1);
        }
        if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
    }

    fn state<A: Element>(array: Array3<A>) -> Array<A, Self> {
        array
    }
}

impl SequenceDim for Ix2 {
    fn time_major<A>(array: &ArrayRef<A, Self>, _batch_first: bool) -> ArrayView3<'_, A> {
        array.view().insert_axis(Axis(1))
    }

    fn batched_state<A>(array: &ArrayRef<A, Self>) -> ArrayView3<'_, A> {
        array.view().insert_axis(Axis(1))
    }

    fn output<A: Element>(array: Array3<A>, _batch_first: bool) -> Array<A, Self> {
        array.index_axis_move(Axis(1), 0)
    }

    fn state<A: Element>(array: Array3<A>) -> Array<A, Self> {
        array.index_axis_move(Axis(1), 0)
    }
}

mod private {
    use ndarray::{Ix2, Ix3};

    pub trait Sealed {}
    impl Sealed for Ix2 {}
    impl Sealed for Ix3 {}
}
