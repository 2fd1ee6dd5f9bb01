//! Sequences of different lengths, packed or padded, and conversions between both.

mod batches;
mod packing;
mod padding;

pub use packing::Packing;
pub use padding::{Padding, PaddingSide, pad_sequence, unpad_sequence};

use std::ops::Deref;

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, ArrayView1, Axis};

use crate::error::{Error, Result, expect_shape};
use crate::room::{self, collected, expect_room, room};
use batches::{Batches, expect_one_each};
use padding::{collect_rows, lengths_and_features, longest, steps_first};

/// Sequences of different lengths without padding, as torch's `PackedSequence`.
///
/// The sequences are sorted, the longest first, and their rows follow step by step: the first row of each sequence,
/// then the second row of each sequence that has one, and so on. Sequences `a b c`, `d e` and `f` become `a d f b e
/// c`, in steps of 3, 2 and 1 rows.
///
/// Sequences may come in any order. The packing remembers it: [`lengths`](Self::lengths),
/// [`to_padded`](Self::to_padded) and [`to_sequences`](Self::to_sequences) have the sequences in the caller's order
/// again.
///
/// Sequences of one length lie as torch 2.15 sorts them on Linux, so that they meet torch's dropout: in the caller's
/// order up to 16 sequences; beyond that as libstdc++'s `std::sort` leaves them.
///
/// Elements may be of any type that can be cloned: numbers, token ids, anything.
///
/// # Shapes
/// N sequences, the longest of L steps:
///
/// | | |
/// |---|---|
/// | [`data`](Self::data) | (sum of the lengths, features) |
/// | [`batch_sizes`](Self::batch_sizes) | L numbers from N downwards |
/// | [`sorted_indices`](Self::sorted_indices), [`unsorted_indices`](Self::unsorted_indices) | N numbers, or none |
///
/// # Example
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{PackedSequence, Padding};
///
/// let (a, b, c) = (array![[1], [2], [3]], array![[4], [5]], array![[6]]);
/// let packed = PackedSequence::from_sequences(&[b, c, a])?;
///
/// assert_eq!(packed.data(), array![[1], [4], [6], [2], [5], [3]]);
/// assert_eq!(packed.batch_sizes(), [3, 2, 1]);
/// assert_eq!(packed.sorted_indices(), Some(&[2, 0, 1][..]));
///
/// let (padded, lengths) = packed.to_padded(Padding::new(0).batch_first(true))?;
/// assert_eq!(padded, array![[[4], [5], [0]], [[6], [0], [0]], [[1], [2], [3]]]);
/// assert_eq!(lengths, [2, 1, 3]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.PackedSequence.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedSequence<A = f32> {
    /// In standard layout.
    data: Array2<A>,
    batches: Batches,
}

impl<A: Clone> PackedSequence<A> {
    /// Packs the sequences of an array padded on the right.
    ///
    /// The padding's values are never read.
    ///
    /// # Shapes
    /// | | |
    /// |---|---|
    /// | `input` | (L, N, features), with `batch_first` (N, L, features) |
    /// | `lengths` | N numbers from 1 to L |
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are N lengths, [`Error::ZeroSize`] for N = 0, [`Error::EmptySequence`] for
    /// L = 0, [`Error::EntryOutOfRange`] for a length of 0 or greater than L, and with `enforce_sorted`
    /// [`Error::NotSorted`] for a length greater than the one before it.
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{PackedSequence, Packing};
    ///
    /// let input = array![[[1.0], [f32::NAN]], [[2.0], [3.0]]]; // (N, L, features)
    /// let packing = Packing::new().batch_first(true).enforce_sorted(false);
    /// let packed = PackedSequence::from_padded(&input, &[1, 2], packing)?;
    /// assert_eq!(packed.data(), array![[2.0], [1.0], [3.0]]);
    /// assert_eq!(packed.batch_sizes(), [2, 1]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html>
    #[doc(alias = "pack_padded_sequence")]
    #[doc(alias = "enforce_sorted")]
    pub fn from_padded(input: &ArrayRef3<A>, lengths: &[usize], packing: Packing) -> Result<Self> {
        let steps = steps_first(input, packing.batch_first);
        let (len, batch, features) = steps.dim();
        expect_one_each(lengths, batch)?;
        if batch > 0 && len == 0 {
            return Err(Error::EmptySequence { array: "input", shape: input.shape().into() });
        }
        let batches = Batches::new(lengths, len, packing.enforce_sorted)?;
        Self::gather(batches, features, |t, n| steps.index_axis(Axis(0), t).index_axis_move(Axis(0), n))
    }

    /// Packs a list of sequences, each (its length, features): arrays, views or references to them.
    ///
    /// The sequences may come in any order, as with torch's `enforce_sorted=False`.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] if there is no sequence, [`Error::Shape`] for a sequence with other features than the first,
    /// [`Error::EntryOutOfRange`] for a sequence of length 0.
    ///
    /// # Example
    /// ```
    /// use ndarray::{Array2, array};
    /// use ndarray_rnn::PackedSequence;
    ///
    /// let sequences: [Array2<u32>; 2] = [array![[7]], array![[8], [9]]];
    /// let packed = PackedSequence::from_sequences(&sequences)?;
    /// assert_eq!(packed.data(), array![[8], [7], [9]]);
    /// assert_eq!(packed.to_sequences()?, sequences);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_sequence.html>
    #[doc(alias = "pack_sequence")]
    pub fn from_sequences(sequences: &[impl Deref<Target = ArrayRef2<A>>]) -> Result<Self> {
        let (lengths, features) = lengths_and_features(sequences)?;
        let longest = longest(&lengths).max(1);
        let batches = Batches::new(&lengths, longest, false)?;
        Self::gather(batches, features, |t, n| sequences[n].index_axis(Axis(0), t))
    }

    /// Puts a packed batch together from its parts, as torch's constructor does, and checks them.
    ///
    /// `sorted_indices` has the caller's number of each sequence, the longest first; `None` if the caller's order is
    /// that order.
    ///
    /// # Errors
    /// [`Error::EmptySequence`] if there is no batch size, [`Error::EntryOutOfRange`] for a batch size of 0,
    /// [`Error::NotSorted`] for a batch size greater than the one before it, [`Error::Shape`] unless the data have as
    /// many rows as the sum of the batch sizes and there are N indices, [`Error::EntryOutOfRange`] and
    /// [`Error::RepeatedEntry`] for indices that are no permutation.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::PackedSequence;
    ///
    /// let data = array![['b'], ['a'], ['c'], ['d']];
    /// let packed = PackedSequence::from_parts(data, vec![2, 1, 1], Some(vec![1, 0]))?;
    /// assert_eq!(packed.lengths()?, [1, 3]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn from_parts(
        data: Array2<A>,
        batch_sizes: Vec<usize>,
        sorted_indices: Option<Vec<usize>>,
    ) -> Result<Self> {
        let batches = Batches::from_parts(batch_sizes, sorted_indices, data.dim().into())?;
        Ok(Self { data: in_standard_layout(data)?, batches })
    }

    /// The packing with other rows, of any width and type: such as one-hot rows in place of tokens.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of rows.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use ndarray_rnn::PackedSequence;
    ///
    /// let tokens = PackedSequence::from_sequences(&[array![[2]], array![[0], [1]]])?;
    /// let one_hot = Array2::from_shape_fn((3, 3), |(row, k)| f32::from(tokens.data()[[row, 0]] == k));
    /// let one_hot = tokens.with_data(one_hot)?;
    /// assert_eq!(one_hot.to_sequences()?[0], array![[0.0, 0.0, 1.0]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn with_data<B: Clone>(&self, data: Array2<B>) -> Result<PackedSequence<B>> {
        let (rows, features) = data.dim();
        expect_shape("data", &[self.batches.rows(), features], &[rows, features])?;
        Ok(PackedSequence { data: in_standard_layout(data)?, batches: self.batches.copied()? })
    }

    /// The sequences in one array, padded, and their lengths; both in the caller's order.
    ///
    /// # Shapes
    /// (L, N, features), with `batch_first` (N, L, features); L is `total_length` or the greatest length.
    ///
    /// # Errors
    /// [`Error::TotalLength`] for a `total_length` below the greatest length, [`Error::SizeOverflow`] for an array
    /// that no memory holds.
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{PackedSequence, Padding, PaddingSide};
    ///
    /// let packed = PackedSequence::from_sequences(&[array![[1.0]], array![[2.0], [3.0]]])?;
    /// let (padded, lengths) = packed.to_padded(Padding::default())?;
    /// assert_eq!(padded, array![[[1.0], [2.0]], [[0.0], [3.0]]]);
    /// assert_eq!(lengths, [1, 2]);
    ///
    /// let padding = Padding::new(-1.0).batch_first(true).total_length(3).side(PaddingSide::Left);
    /// let (padded, _) = packed.to_padded(padding)?;
    /// assert_eq!(padded, array![[[-1.0], [-1.0], [1.0]], [[-1.0], [2.0], [3.0]]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_packed_sequence.html>
    #[doc(alias = "pad_packed_sequence")]
    pub fn to_padded(&self, padding: Padding<A>) -> Result<(Array3<A>, Vec<usize>)> {
        let lengths = self.batches.lengths()?;
        let rows = self.batches.places().zip(self.data.outer_iter()).map(|((t, n), row)| (t, n, row));
        let padded = padding.around(&lengths, self.data.len_of(Axis(1)), rows)?;
        Ok((padded, lengths))
    }

    /// The sequences, each (its length, features), in the caller's order.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds a copy of all rows.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::PackedSequence;
    ///
    /// let sequences = [array![[1]], array![[2], [3]]];
    /// assert_eq!(PackedSequence::from_sequences(&sequences)?.to_sequences()?, sequences);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.unpack_sequence.html>
    #[doc(alias = "unpack_sequence")]
    pub fn to_sequences(&self) -> Result<Vec<Array2<A>>> {
        let (rows, features) = self.data.dim();
        expect_room::<A>("data", &[rows, features])?;
        let mut sequences = room("sequences", &[self.batch()])?;
        for length in self.batches.lengths()? {
            sequences.push((room("data", &[length, features])?, length));
        }
        if features > 0 {
            for (row, (_, n)) in self.data.outer_iter().zip(self.batches.places()) {
                sequences[n].0.extend(row.iter().cloned());
            }
        }
        let array = |(data, length)| room::array((length, features), data);
        collected("sequences", sequences.into_iter().map(array))
    }

    /// A packed batch of the row of every step and sequence.
    fn gather<'a>(
        batches: Batches,
        features: usize,
        row: impl Fn(usize, usize) -> ArrayView1<'a, A>,
    ) -> Result<Self>
    where
        A: 'a,
    {
        let rows = batches.places().map(|(t, n)| row(t, n));
        let data = collect_rows([batches.rows(), features], rows)?;
        Ok(Self { data, batches })
    }
}

impl<A> PackedSequence<A> {
    /// The rows of all sequences, step by step, in standard layout.
    #[must_use]
    pub fn data(&self) -> &Array2<A> {
        &self.data
    }

    /// How many sequences reach each step.
    #[must_use]
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batches.batch_sizes
    }

    /// The caller's number of each sequence, the longest first; `None` if the packing has the caller's order.
    ///
    /// A state's sequences selected by these indices come from the caller's order into the packing's.
    #[must_use]
    pub fn sorted_indices(&self) -> Option<&[usize]> {
        self.batches.order.as_ref().map(|order| &order.sorted[..])
    }

    /// The place in the packing of each of the caller's sequences: the inverse of
    /// [`sorted_indices`](Self::sorted_indices).
    ///
    /// A state's sequences selected by these indices come from the packing's order into the caller's.
    #[must_use]
    pub fn unsorted_indices(&self) -> Option<&[usize]> {
        self.batches.order.as_ref().map(|order| &order.unsorted[..])
    }

    /// The number of sequences, N.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batches.batch()
    }

    /// The length of the longest sequence, L.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.batches.batch_sizes.len()
    }

    /// The sequences' lengths, in the caller's order.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds them.
    pub fn lengths(&self) -> Result<Vec<usize>> {
        self.batches.lengths()
    }

    /// The rows, to be written.
    pub(crate) fn data_mut(&mut self) -> &mut Array2<A> {
        &mut self.data
    }
}

fn in_standard_layout<A: Clone>(array: Array2<A>) -> Result<Array2<A>> {
    if array.is_standard_layout() { Ok(array) } else { collect_rows(array.dim().into(), array.outer_iter()) }
}
