//! Sequences of different lengths in one array.

use std::ops::Deref;

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, ArrayView1, ArrayView3, Axis};

use super::batches::{expect_lengths, expect_one_each};
use crate::error::{Error, Result, expect_shape};
use crate::invariant::Invariant;
use crate::options::setters;
use crate::room::{self, collected, expect_room, filled, room};

/// Where the padding stands.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{Padding, PaddingSide, pad_sequence};
///
/// let sequences = [array![[1.0], [2.0]], array![[3.0]]];
/// let padding = Padding::new(0.0).batch_first(true).side(PaddingSide::Left);
/// assert_eq!(pad_sequence(&sequences, padding)?, array![[[1.0], [2.0]], [[0.0], [3.0]]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[doc(alias = "padding_side")]
pub enum PaddingSide {
    /// Before each sequence: all sequences end at the last step.
    Left,
    /// After each sequence: all sequences begin at the first step.
    #[default]
    Right,
}

impl PaddingSide {
    /// The step of an array of `total` steps at which a sequence begins.
    fn first_step(self, total: usize, length: usize) -> usize {
        match self {
            Self::Left => total - length,
            Self::Right => 0,
        }
    }
}

/// How sequences are padded into one array: the arguments of torch's `pad_sequence` and `pad_packed_sequence`, with
/// torch's names and defaults.
///
/// ```
/// use ndarray_rnn::{Padding, PaddingSide};
///
/// let padding = Padding::new(-1.0).total_length(8).side(PaddingSide::Left);
/// assert_eq!((padding.value, padding.total_length, padding.batch_first), (-1.0, Some(8), false));
/// assert_eq!(Padding::default(), Padding::new(0.0));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Padding<A = f32> {
    /// The value of the padding.
    #[doc(alias = "padding_value")]
    pub value: A,
    /// Where the padding stands. Default right.
    pub side: PaddingSide,
    /// The number of steps of the array, at least the longest sequence's length. Default that length.
    pub total_length: Option<usize>,
    /// Whether the array is (N, L, features) and not (L, N, features). Default false.
    pub batch_first: bool,
}

impl<A> Padding<A> {
    /// Padding of this value, on the right, up to the longest sequence's length, steps first.
    #[must_use]
    pub fn new(value: A) -> Self {
        Self { value, side: PaddingSide::Right, total_length: None, batch_first: false }
    }

    setters!(side: PaddingSide);

    /// Sets [`total_length`](Self#structfield.total_length).
    #[must_use]
    pub fn total_length(self, total_length: usize) -> Self {
        Self { total_length: Some(total_length), ..self }
    }

    setters!(batch_first: bool);
}

impl<A: Clone> Padding<A> {
    /// An array of padding and rows, each row given with its step and sequence.
    pub(super) fn around<'a>(
        self,
        lengths: &[usize],
        features: usize,
        rows: impl Iterator<Item = (usize, usize, ArrayView1<'a, A>)>,
    ) -> Result<Array3<A>>
    where
        A: 'a,
    {
        let longest = longest(lengths);
        let total = self.total_length.unwrap_or(longest);
        if total < longest {
            return Err(Error::TotalLength { expected: longest, actual: total });
        }
        let outer = if self.batch_first { [lengths.len(), total] } else { [total, lengths.len()] };
        let mut padded = filled("padded", (outer[0], outer[1], features), self.value)?;
        if padded.is_empty() {
            return Ok(padded); // any number of rows of no width
        }
        for (t, n, row) in rows {
            let t = t + self.side.first_step(total, lengths[n]);
            let [i, j] = if self.batch_first { [n, t] } else { [t, n] };
            padded.index_axis_mut(Axis(0), i).index_axis_mut(Axis(0), j).assign(&row);
        }
        Ok(padded)
    }
}

/// Sequences side by side in one array, padded to one length.
///
/// A sequence of length 0 becomes padding.
///
/// # Shapes
/// | | |
/// |---|---|
/// | each of N `sequences` | (its length, features) |
/// | result | (L, N, features), with `batch_first` (N, L, features); L is `total_length` or the greatest length |
///
/// # Errors
/// [`Error::ZeroSize`] if there is no sequence, [`Error::Shape`] for a sequence with other features than the first,
/// [`Error::TotalLength`] for a `total_length` below the greatest length, [`Error::SizeOverflow`] for an array that
/// no memory holds.
///
/// # Example
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{Padding, PaddingSide, pad_sequence};
///
/// let sequences = [array![[1], [2], [3]], array![[4]]];
/// let padded = pad_sequence(&sequences, Padding::new(0).batch_first(true))?;
/// assert_eq!(padded, array![[[1], [2], [3]], [[4], [0], [0]]]);
///
/// let padded = pad_sequence(&sequences, Padding::new(0).batch_first(true).side(PaddingSide::Left))?;
/// assert_eq!(padded, array![[[1], [2], [3]], [[0], [0], [4]]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html>
pub fn pad_sequence<A: Clone>(
    sequences: &[impl Deref<Target = ArrayRef2<A>>],
    padding: Padding<A>,
) -> Result<Array3<A>> {
    let (lengths, features) = lengths_and_features(sequences)?;
    let rows = sequences.iter().enumerate().flat_map(|(n, sequence)| {
        let rows = sequence.outer_iter().enumerate();
        rows.map(move |(t, row)| (t, n, row))
    });
    padding.around(&lengths, features, rows)
}

/// The sequences of a padded array, without the padding: the inverse of [`pad_sequence`] with the same options.
///
/// The padding's values are never read, and the options' `value` neither.
///
/// # Shapes
/// | | |
/// |---|---|
/// | `padded` | (L, N, features), with `batch_first` (N, L, features) |
/// | `lengths` | N numbers from 0 to L |
/// | result | N arrays (length, features) |
///
/// # Errors
/// [`Error::Shape`] unless there are N lengths, and for an L that is not the `total_length`, if one is given;
/// [`Error::EntryOutOfRange`] for a length greater than L, which torch lowers to L.
///
/// # Example
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{Padding, unpad_sequence};
///
/// let padded = array![[[1], [2], [3]], [[4], [0], [0]]];
/// let sequences = unpad_sequence(&padded, &[3, 1], Padding::new(0).batch_first(true))?;
/// assert_eq!(sequences, [array![[1], [2], [3]], array![[4]]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.unpad_sequence.html>
pub fn unpad_sequence<A: Clone>(
    padded: &ArrayRef3<A>,
    lengths: &[usize],
    padding: Padding<A>,
) -> Result<Vec<Array2<A>>> {
    let steps = steps_first(padded, padding.batch_first);
    let (len, batch, features) = steps.dim();
    if let Some(total) = padding.total_length {
        let expected = if padding.batch_first { [batch, total] } else { [total, batch] };
        expect_shape("padded", &[expected[0], expected[1], features], padded.shape())?;
    }
    expect_one_each(lengths, batch)?;
    expect_lengths(lengths, 0, len)?;
    let rows = lengths.iter().fold(0, |sum: usize, &length| sum.saturating_add(length));
    expect_room::<A>("data", &[rows, features])?;
    let mut sequences = room("sequences", &[batch])?;
    for (sequence, &length) in steps.axis_iter(Axis(1)).zip(lengths) {
        let first = padding.side.first_step(len, length);
        sequences.push(collect_rows([length, features], sequence.outer_iter().skip(first))?);
    }
    Ok(sequences)
}

/// The first `shape[0]` of some rows as an array.
///
/// Not by `to_owned`, which may panic in ndarray 0.17 if there are no elements.
pub(super) fn collect_rows<'a, A: Clone + 'a>(
    shape: [usize; 2],
    rows: impl Iterator<Item = ArrayView1<'a, A>>,
) -> Result<Array2<A>> {
    let mut data = room("data", &shape)?;
    // There may be any number of rows of no width.
    for row in rows.take(if shape[1] == 0 { 0 } else { shape[0] }) {
        match row.as_slice() {
            Some(row) => data.extend_from_slice(row),
            None => data.extend(row.iter().cloned()),
        }
    }
    Ok(room::array((shape[0], shape[1]), data))
}

/// The length of the longest of some sequences.
pub(super) fn longest(lengths: &[usize]) -> usize {
    lengths.iter().copied().max().invariant("no batch is without sequences")
}

/// An array as (L, N, features).
pub(super) fn steps_first<A>(array: &ArrayRef3<A>, batch_first: bool) -> ArrayView3<'_, A> {
    let mut view = array.view();
    if batch_first {
        view.swap_axes(0, 1);
    }
    view
}

/// The lengths of sequences, of which there is one at least, and the number of features, which all share.
pub(super) fn lengths_and_features<A>(
    sequences: &[impl Deref<Target = ArrayRef2<A>>],
) -> Result<(Vec<usize>, usize)> {
    let Some(first) = sequences.first() else {
        return Err(Error::ZeroSize { name: "number of sequences" });
    };
    let features = first.len_of(Axis(1));
    if let Some(n) = sequences.iter().position(|sequence| sequence.len_of(Axis(1)) != features) {
        let length = sequences[n].len_of(Axis(0));
        expect_shape(&format!("sequences[{n}]"), &[length, features], sequences[n].shape())?;
    }
    Ok((collected("lengths", sequences.iter().map(|sequence| sequence.len_of(Axis(0))))?, features))
}
