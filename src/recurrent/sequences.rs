//! What a pass runs over: a batch, one sequence or a packed sequence.

use ndarray::{Array, ArrayBase, ArrayRef, CowArray, Data, Dimension, Ix2, Ix3};

use crate::arrays::{as_standard, elements, elements_mut, with_plain_rows};
use crate::dim::SequenceDim;
use crate::element::Element;
use crate::error::{Error, Result, expect_shape};
use crate::kernels::{copied, copy};
use crate::layout::Layout;
use crate::packed::PackedSequence;
use crate::room::{array, collected, filled, zero_elements, zeros};
use crate::rows::Source;
use crate::steps::Steps;

/// Sequences in an array, a batch (3-D) or one sequence (2-D), or in a [`PackedSequence`]: what a network reads,
/// and what it returns. Sealed.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{Gru, GruConfig, PackedSequence, Result, Sequences};
///
/// /// For a batch, one sequence and a packed sequence.
/// fn outputs<I: Sequences<f32> + ?Sized>(gru: &Gru, input: &I) -> Result<I::Output> {
///     Ok(gru.run(input).forward()?.0)
/// }
/// let gru = Gru::zeros(GruConfig::new(1, 2))?;
/// let words = [array![[1.0], [2.0]], array![[3.0]]];
/// assert_eq!(outputs(&gru, &words[0])?.dim(), (2, 2));
/// assert_eq!(outputs(&gru, &PackedSequence::from_sequences(&words)?)?.batch(), 2);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Sequences<A>: private::Sealed {
    /// The number of axes of the state that belongs to them.
    type Dim: SequenceDim;

    /// Owned sequences of the same kind.
    type Output: Sequences<A, Dim = Self::Dim, Output = Self::Output>;

    #[doc(hidden)]
    fn borrow(&self) -> SequencesRef<'_, A, Self::Dim>;

    /// Sequences of the same kind, with room for rows.
    #[doc(hidden)]
    fn room(form: Form<'_, A>) -> Result<Self::Output>;

    /// Copies rows to where they belong in such sequences.
    #[doc(hidden)]
    fn put_rows(output: &mut Self::Output, rows: &[A], form: Form<'_, A>);

    /// Makes sequences of the same kind from rows, in place if they lie so.
    #[doc(hidden)]
    fn of_rows(rows: Vec<A>, form: Form<'_, A>) -> Result<Self::Output>;
}

/// How rows become an array.
#[derive(Debug, Clone, Copy)]
pub struct Form<'l, A> {
    /// What the array is called.
    pub(super) name: &'static str,
    /// The shape (L, N, width).
    pub(super) shape: [usize; 3],
    /// The step and sequence of every row.
    pub(super) layout: &'l Layout,
    /// The value behind a sequence's end.
    pub(super) padding: A,
    pub(super) batch_first: bool,
}

/// Any [`Sequences`].
#[derive(Debug, Clone, Copy)]
pub enum SequencesRef<'a, A, D: Dimension> {
    Array(&'a ArrayRef<A, D>),
    Packed(&'a PackedSequence<A>),
}

impl<A: Element, D: SequenceDim> Sequences<A> for ArrayRef<A, D> {
    type Dim = D;
    type Output = Array<A, D>;

    fn borrow(&self) -> SequencesRef<'_, A, D> {
        SequencesRef::Array(self)
    }

    fn room(form: Form<'_, A>) -> Result<Array<A, D>> {
        let Form { name, shape, layout, padding, batch_first } = form;
        let shape = D::sequence_dim(shape, batch_first);
        if layout.is_plain() { zeros(name, shape) } else { filled(name, shape, padding) }
    }

    fn put_rows(output: &mut Array<A, D>, rows: &[A], form: Form<'_, A>) {
        form.layout.scatter_rows(rows, D::time_major(output.view_mut(), form.batch_first));
    }

    fn of_rows(rows: Vec<A>, form: Form<'_, A>) -> Result<Array<A, D>> {
        let time_first = !form.batch_first || D::NDIM == Some(2);
        if form.layout.is_plain() && time_first {
            return Ok(array(D::sequence_dim(form.shape, false), rows));
        }
        let mut output = Self::room(form)?;
        Self::put_rows(&mut output, &rows, form);
        Ok(output)
    }
}

impl<A: Element, S: Data<Elem = A>, D: SequenceDim> Sequences<A> for ArrayBase<S, D> {
    type Dim = D;
    type Output = Array<A, D>;

    fn borrow(&self) -> SequencesRef<'_, A, D> {
        SequencesRef::Array(self)
    }

    fn room(form: Form<'_, A>) -> Result<Array<A, D>> {
        <ArrayRef<A, D>>::room(form)
    }

    fn put_rows(output: &mut Array<A, D>, rows: &[A], form: Form<'_, A>) {
        <ArrayRef<A, D>>::put_rows(output, rows, form);
    }

    fn of_rows(rows: Vec<A>, form: Form<'_, A>) -> Result<Array<A, D>> {
        <ArrayRef<A, D>>::of_rows(rows, form)
    }
}

impl<A: Element> Sequences<A> for PackedSequence<A> {
    type Dim = Ix3;
    type Output = Self;

    fn borrow(&self) -> SequencesRef<'_, A, Ix3> {
        SequencesRef::Packed(self)
    }

    fn room(form: Form<'_, A>) -> Result<Self> {
        Self::of_rows(zero_elements(form.name, &[form.layout.steps.rows(), form.shape[2]])?, form)
    }

    fn put_rows(output: &mut Self, rows: &[A], _: Form<'_, A>) {
        copy(rows, elements_mut(output.data_mut()));
    }

    fn of_rows(rows: Vec<A>, form: Form<'_, A>) -> Result<Self> {
        let Form { name, shape: [.., width], layout: Layout { steps, order }, .. } = form;
        let batch_sizes = collected(name, (0..steps.len()).map(|t| steps.batch(t)))?;
        let order = order.as_ref().map(|order| copied(name, order)).transpose()?;
        Self::from_parts(array((steps.rows(), width), rows), batch_sizes, order)
    }
}

impl<'a, A: Element, D: SequenceDim> SequencesRef<'a, A, D> {
    /// The shape (L, N, width). L is the length of the longest sequence.
    pub(super) fn dim(&self, batch_first: bool) -> (usize, usize, usize) {
        match self {
            Self::Array(array) => D::time_major(array.view(), batch_first).dim(),
            Self::Packed(packed) => (packed.max_len(), packed.batch(), packed.data().ncols()),
        }
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(_))
    }

    /// The shape as the caller has it.
    pub(super) fn shape(&self) -> &[usize] {
        match self {
            Self::Array(array) => array.shape(),
            Self::Packed(packed) => packed.data().shape(),
        }
    }

    /// How the sequences fall into steps.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if lengths are given beside those of a packed sequence; otherwise as
    /// [`Layout::sorted`].
    pub(super) fn layout(&self, lengths: Option<&[usize]>, batch_first: bool) -> Result<Layout> {
        match (self, lengths) {
            (Self::Array(_), None) => {
                let (len, batch, _) = self.dim(batch_first);
                Ok(Layout::equal(len, batch))
            }
            (Self::Array(_), Some(lengths)) => {
                let (len, batch, _) = self.dim(batch_first);
                Layout::sorted(lengths, len, batch)
            }
            (Self::Packed(packed), None) => layout_of(packed),
            (Self::Packed(_), Some(_)) => {
                Err(Error::Unsupported { operation: "lengths", reason: "a packed sequence has its own" })
            }
        }
    }

    /// Where the rows lie. An array of another memory layout is copied.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory can hold the copy; `name` is what the error calls the array.
    pub(super) fn into_rows(self, name: &str, batch_first: bool) -> Result<RowsOf<'a, A>> {
        Ok(match self {
            Self::Array(array) => {
                RowsOf::Array(with_plain_rows(name, D::time_major(array.view(), batch_first))?)
            }
            Self::Packed(packed) => RowsOf::Packed(as_standard(name, packed.data())?),
        })
    }

    /// Checks that there are as many sequences as a trace is of, as long and with rows as wide.
    ///
    /// # Errors
    /// [`Error::Rank`] and [`Error::Shape`].
    pub(super) fn expect(
        &self,
        name: &'static str,
        layout: &Layout,
        dim @ (len, batch, width): (usize, usize, usize),
        batch_first: bool,
    ) -> Result<()> {
        match self {
            Self::Array(array) => {
                if array.ndim() == 2 && batch != 1 {
                    return Err(Error::Rank { array: name, expected: 3, actual: 2 });
                }
                if self.dim(batch_first) == dim {
                    return Ok(());
                }
                expect_shape(name, D::sequence_dim([len, batch, width], batch_first).slice(), array.shape())
            }
            Self::Packed(packed) => {
                let sizes = |steps: &Steps| (0..steps.len()).map(|t| steps.batch(t)).collect::<Vec<_>>();
                expect_shape(&format!("{name}'s batch_sizes"), &sizes(&layout.steps), packed.batch_sizes())?;
                let order =
                    |order: Option<&[usize]>| order.map_or_else(|| (0..batch).collect(), <[usize]>::to_vec);
                let (expected, actual) = (order(layout.order.as_deref()), order(packed.sorted_indices()));
                if expected != actual {
                    let reason = "the gradient is packed in another order than what the pass read";
                    return Err(Error::Unsupported { operation: "backward", reason });
                }
                expect_shape(name, &[layout.steps.rows(), width], packed.data().shape())
            }
        }
    }
}

/// How a packed sequence falls into steps.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory holds a number for each step and each sequence.
fn layout_of<A: Element>(packed: &PackedSequence<A>) -> Result<Layout> {
    let sizes = packed.batch_sizes();
    Ok(Layout {
        steps: Steps::ragged(sizes.len(), sizes.iter().copied())?,
        order: packed.sorted_indices().map(|order| copied("lengths", order)).transpose()?,
    })
}

/// Rows in the memory layout that the engine reads.
#[derive(Debug)]
pub(super) enum RowsOf<'a, A> {
    /// Rows of an array (L, N, width) with contiguous rows.
    Array(CowArray<'a, A, Ix3>),
    /// Rows in the order of the steps.
    Packed(CowArray<'a, A, Ix2>),
}

impl<A: Element> RowsOf<'_, A> {
    /// The rows in the order of a layout.
    pub(super) fn source<'a>(&'a self, layout: &'a Layout) -> Source<'a, A> {
        match self {
            Self::Array(array) => Source::grid(array, layout.order.as_deref()),
            Self::Packed(rows) => Source::rows(elements(rows), rows.ncols(), &layout.steps, 0),
        }
    }
}

mod private {
    use ndarray::{ArrayBase, ArrayRef, RawData};

    use crate::packed::PackedSequence;

    pub trait Sealed {}
    impl<A, D> Sealed for ArrayRef<A, D> {}
    impl<S: RawData, D> Sealed for ArrayBase<S, D> {}
    impl<A> Sealed for PackedSequence<A> {}
}
