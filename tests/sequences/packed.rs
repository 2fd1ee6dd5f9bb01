//! Sequences of different lengths, packed and padded: every way there and back over random ragged batches,
//! compared with the definition, written as plain loops.

use std::cmp::{Ordering, Reverse};

use ndarray::{Array2, Array3, ArrayView2, Axis, ShapeBuilder, array};
use ndarray_rnn::{PackedSequence, Packing, Padding, PaddingSide, Result, pad_sequence, unpad_sequence};
use proptest::prelude::*;
use proptest::sample::SizeRange;

/// Sequences (length, features) of these lengths, whose elements are all different.
fn sequences(lengths: &[usize], features: usize) -> Vec<Array2<i64>> {
    let mut next = 0;
    let mut element = || {
        next += 1;
        next
    };
    lengths.iter().map(|&length| Array2::from_shape_simple_fn((length, features), &mut element)).collect()
}

fn ragged(shortest: usize, count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Array2<i64>>> {
    let lengths = prop::collection::vec(shortest..9, count);
    (lengths, 0_usize..4).prop_map(|(lengths, features)| sequences(&lengths, features))
}

fn lengths_of(sequences: &[Array2<i64>]) -> Vec<usize> {
    sequences.iter().map(Array2::nrows).collect()
}

fn paddings() -> impl Strategy<Value = Padding<i64>> {
    let side = prop_oneof![Just(PaddingSide::Left), Just(PaddingSide::Right)];
    (-3_i64..0, side, prop::option::of(9_usize..12), any::<bool>()).prop_map(
        |(value, side, total, batch_first)| {
            let padding = Padding::new(value).side(side).batch_first(batch_first);
            total.map_or(padding, |total| padding.total_length(total))
        },
    )
}

/// The padded array by definition: element by element.
fn padded_by_definition(sequences: &[Array2<i64>], padding: Padding<i64>) -> Array3<i64> {
    let longest = sequences.iter().map(Array2::nrows).max().unwrap_or_default();
    let total = padding.total_length.unwrap_or(longest);
    let element = |t: usize, n: usize, k: usize| {
        let length = sequences[n].nrows();
        let missing = if padding.side == PaddingSide::Left { total - length } else { 0 };
        let inside = (missing..missing + length).contains(&t);
        if inside { sequences[n][[t - missing, k]] } else { padding.value }
    };
    let (batch, features) = (sequences.len(), sequences[0].ncols());
    if padding.batch_first {
        Array3::from_shape_fn((batch, total, features), |(n, t, k)| element(t, n, k))
    } else {
        Array3::from_shape_fn((total, batch, features), |(t, n, k)| element(t, n, k))
    }
}

/// The packed rows and batch sizes by definition, from the order of the sequences.
fn packed_by_definition(sequences: &[Array2<i64>], order: &[usize]) -> (Vec<Vec<i64>>, Vec<usize>) {
    let longest = sequences.iter().map(Array2::nrows).max().unwrap_or_default();
    let mut rows = Vec::new();
    let mut batch_sizes = Vec::new();
    for t in 0..longest {
        let reaching = order.iter().filter(|&&n| t < sequences[n].nrows());
        batch_sizes.push(reaching.clone().count());
        rows.extend(reaching.map(|&n| sequences[n].row(t).to_vec()));
    }
    (rows, batch_sizes)
}

/// Whether the longest come first and, up to 16 sequences, equal ones in the caller's order. `packed_order` has the
/// order of more.
fn is_longest_first(sequences: &[Array2<i64>], order: &[usize]) -> bool {
    order.windows(2).all(|pair| match sequences[pair[0]].nrows().cmp(&sequences[pair[1]].nrows()) {
        Ordering::Greater => true,
        Ordering::Equal => order.len() > 16 || pair[0] < pair[1],
        Ordering::Less => false,
    })
}

fn rows_of(packed: &PackedSequence<i64>) -> Vec<Vec<i64>> {
    packed.data().outer_iter().map(|row| row.to_vec()).collect()
}

fn is_inverse(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && (0..a.len()).all(|i| b[a[i]] == i)
}

/// An array of the same elements in another memory layout.
fn laid_out_otherwise(array: &Array3<i64>, layout: usize) -> Array3<i64> {
    let mut other = match layout {
        0 => Array3::zeros(array.raw_dim()),
        1 => Array3::zeros(array.raw_dim().f()),
        axis => {
            let mut other = Array3::zeros(array.raw_dim());
            other.invert_axis(Axis(axis - 2));
            other
        }
    };
    other.assign(array);
    other
}

proptest! {
    #[test]
    fn packing_is_as_defined(sequences in ragged(1, 1..40)) {
        let packed = PackedSequence::from_sequences(&sequences)?;
        let order = packed.sorted_indices().unwrap_or_default();
        prop_assert!(is_longest_first(&sequences, order), "{:?}", order);
        prop_assert!(is_inverse(order, packed.unsorted_indices().unwrap_or_default()));
        let (rows, batch_sizes) = packed_by_definition(&sequences, order);
        prop_assert_eq!(rows_of(&packed), rows);
        prop_assert!(packed.data().is_standard_layout());
        prop_assert_eq!(packed.batch_sizes(), batch_sizes);
        prop_assert_eq!(packed.lengths()?, lengths_of(&sequences));
        prop_assert_eq!(packed.batch(), sequences.len());
        prop_assert_eq!(Some(packed.max_len()), packed.lengths()?.into_iter().max());
    }

    #[test]
    fn every_way_of_packing_is_the_same(
        sequences in ragged(1, 1..20),
        padding in paddings(),
        layout in 0_usize..5,
    ) {
        let packed = PackedSequence::from_sequences(&sequences)?;
        let views: Vec<ArrayView2<'_, i64>> = sequences.iter().map(|sequence| sequence.view()).collect();
        prop_assert_eq!(&PackedSequence::from_sequences(&views)?, &packed);

        let right = padding.side(PaddingSide::Right);
        let padded = laid_out_otherwise(&padded_by_definition(&sequences, right), layout);
        let lengths = lengths_of(&sequences);
        let packing = Packing::new().batch_first(padding.batch_first).enforce_sorted(false);
        let from_padded = PackedSequence::from_padded(&padded, &lengths, packing);
        prop_assert_eq!(&from_padded?, &packed);

        let order = packed.sorted_indices().map(<[usize]>::to_vec);
        let parts = PackedSequence::from_parts(packed.data().clone(), packed.batch_sizes().to_vec(), order);
        prop_assert_eq!(&parts?, &packed);
    }

    #[test]
    fn enforce_sorted_keeps_the_order(sequences in ragged(1, 1..20), padding in paddings()) {
        let mut sequences = sequences;
        sequences.sort_by_key(|sequence| Reverse(sequence.nrows()));
        let padded = padded_by_definition(&sequences, padding.side(PaddingSide::Right));
        let lengths = lengths_of(&sequences);
        let packing = Packing::new().batch_first(padding.batch_first);
        let packed = PackedSequence::from_padded(&padded, &lengths, packing)?;
        prop_assert_eq!((packed.sorted_indices(), packed.unsorted_indices()), (None, None));
        prop_assert_eq!(packed.lengths()?, lengths);

        let order: Vec<_> = (0..sequences.len()).collect();
        let (rows, batch_sizes) = packed_by_definition(&sequences, &order);
        prop_assert_eq!((rows_of(&packed), packed.batch_sizes()), (rows, &batch_sizes[..]));
        prop_assert_eq!(packed.to_sequences()?, sequences);
    }

    #[test]
    fn packed_sequences_come_back(sequences in ragged(1, 1..20), padding in paddings()) {
        let packed = PackedSequence::from_sequences(&sequences)?;
        prop_assert_eq!(&packed.to_sequences()?, &sequences);
        let (padded, lengths) = packed.to_padded(padding)?;
        prop_assert_eq!(padded, padded_by_definition(&sequences, padding));
        prop_assert_eq!(lengths, lengths_of(&sequences));
    }

    #[test]
    fn padded_sequences_come_back(sequences in ragged(0, 1..20), padding in paddings(), layout in 0_usize..5) {
        let padded = pad_sequence(&sequences, padding)?;
        prop_assert_eq!(&padded, &padded_by_definition(&sequences, padding));
        prop_assert!(padded.is_standard_layout());

        let padded = laid_out_otherwise(&padded, layout);
        let before = padded.clone();
        let unpadded = unpad_sequence(&padded, &lengths_of(&sequences), padding)?;
        prop_assert!(unpadded.iter().all(Array2::is_standard_layout));
        prop_assert_eq!(unpadded, sequences);
        prop_assert_eq!(padded, before);
    }

    #[test]
    fn other_rows_take_the_same_packing(sequences in ragged(1, 1..20)) {
        let packed = PackedSequence::from_sequences(&sequences)?;
        let rows = packed.data().nrows();
        let other = Array2::from_shape_fn((rows, 3).f(), |(row, k)| format!("{row} {k}"));
        let packed_other = packed.with_data(other.clone())?;
        prop_assert_eq!(packed_other.data(), other);
        prop_assert!(packed_other.data().is_standard_layout());
        prop_assert_eq!(packed_other.lengths()?, packed.lengths()?);
        prop_assert_eq!(packed_other.batch_sizes(), packed.batch_sizes());
        prop_assert_eq!(packed_other.sorted_indices(), packed.sorted_indices());
        prop_assert_eq!(packed_other.unsorted_indices(), packed.unsorted_indices());
    }
}

/// What torch gives for `pack_sequence([b, c, a], enforce_sorted=False)`.
#[test]
fn torchs_three_sequences() -> Result<()> {
    let (a, b, c) = (array![[1], [2], [3]], array![[4], [5]], array![[6]]);
    let packed = PackedSequence::from_sequences(&[b, c, a])?;
    assert_eq!(packed.data(), array![[1], [4], [6], [2], [5], [3]]);
    assert_eq!(packed.batch_sizes(), [3, 2, 1]);
    assert_eq!(packed.sorted_indices(), Some(&[2, 0, 1][..]));
    assert_eq!(packed.unsorted_indices(), Some(&[1, 2, 0][..]));
    Ok(())
}

/// An element that must not be read where it is padding.
#[derive(Debug, PartialEq)]
enum Guarded {
    Value(i64),
    Padding,
}

impl Clone for Guarded {
    fn clone(&self) -> Self {
        match self {
            Self::Value(value) => Self::Value(*value),
            Self::Padding => unreachable!("padding was read"),
        }
    }
}

#[test]
fn padding_is_never_read() -> Result<()> {
    use Guarded::{Padding, Value};
    let sequences = [array![[Value(1)]], array![[Value(2)], [Value(3)]]];
    let padded = array![[[Value(1)], [Padding], [Padding]], [[Value(2)], [Value(3)], [Padding]]];
    let packing = Packing::new().batch_first(true).enforce_sorted(false);
    let packed = PackedSequence::from_padded(&padded, &[1, 2], packing)?;
    assert_eq!(packed, PackedSequence::from_sequences(&sequences)?);
    let padding = ndarray_rnn::Padding::new(Padding).batch_first(true);
    assert_eq!(unpad_sequence(&padded, &[1, 2], padding)?, sequences);
    Ok(())
}
