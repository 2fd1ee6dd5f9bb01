//! Every error of packing and padding, with its facts.

use std::ops::RangeInclusive;

use ndarray::{Array2, Array3, array};
use ndarray_rnn::{
    Error, PackedSequence, Packing, Padding, PaddingSide, Result, pad_sequence, unpad_sequence,
};

use crate::common::shape_error;

fn too_large(name: &str, shape: &[usize]) -> Error {
    Error::SizeOverflow { name: name.into(), shape: shape.into() }
}

fn length(index: usize, expected: RangeInclusive<usize>, actual: usize) -> Error {
    Error::EntryOutOfRange { list: "lengths", index, expected, actual }
}

#[track_caller]
fn assert_fails<T>(result: Result<T>, expected: Error) {
    assert_eq!(result.err(), Some(expected));
}

const NO_SEQUENCE: Error = Error::ZeroSize { name: "number of sequences" };

#[test]
fn wrong_lengths_are_errors() {
    let input = Array3::<f32>::zeros((4, 3, 2));
    let pack = |lengths: &[usize], enforce_sorted| {
        PackedSequence::from_padded(&input, lengths, Packing::new().enforce_sorted(enforce_sorted))
    };
    for enforce_sorted in [false, true] {
        assert_fails(pack(&[2, 1], enforce_sorted), shape_error("lengths", &[3], &[2]));
        assert_fails(pack(&[4, 3, 2, 1], enforce_sorted), shape_error("lengths", &[3], &[4]));
        assert_fails(pack(&[3, 2, 0], enforce_sorted), length(2, 1..=4, 0));
        assert_fails(pack(&[4, 5, 1], enforce_sorted), length(1, 1..=4, 5));
    }
    assert_fails(
        pack(&[4, 1, 2], true),
        Error::NotSorted { list: "lengths", index: 2, previous: 1, actual: 2 },
    );
    // The same array, read batch first: 4 sequences of 3 steps.
    let any_order = Packing::new().enforce_sorted(false);
    let batch_first =
        |lengths: &[usize]| PackedSequence::from_padded(&input, lengths, any_order.batch_first(true));
    assert_fails(batch_first(&[3, 3, 3]), shape_error("lengths", &[4], &[3]));
    assert_fails(batch_first(&[3, 3, 4, 3]), length(2, 1..=3, 4));
}

#[test]
fn nothing_to_pack_is_an_error() {
    for enforce_sorted in [false, true] {
        let pack = |shape: [usize; 3], lengths: &[usize]| {
            let packing = Packing::new().enforce_sorted(enforce_sorted);
            PackedSequence::from_padded(&Array3::<f32>::zeros(shape), lengths, packing)
        };
        assert_fails(pack([4, 0, 2], &[]), NO_SEQUENCE);
        assert_fails(pack([0, 0, 2], &[]), NO_SEQUENCE);
        assert_fails(pack([0, 2, 3], &[1, 1]), Error::EmptySequence { array: "input", shape: vec![0, 2, 3] });
    }
    let none: [Array2<f32>; 0] = [];
    assert_fails(PackedSequence::from_sequences(&none), NO_SEQUENCE);
    assert_fails(pad_sequence(&none, Padding::default()), NO_SEQUENCE);
}

#[test]
fn wrong_sequences_are_errors() {
    let uneven = [Array2::<f32>::zeros((3, 2)), Array2::zeros((1, 2)), Array2::zeros((4, 5))];
    let expected = shape_error("sequences[2]", &[4, 2], &[4, 5]);
    assert_fails(PackedSequence::from_sequences(&uneven), expected.clone());
    assert_fails(pad_sequence(&uneven, Padding::default()), expected);

    let empty = [Array2::<f32>::zeros((3, 2)), Array2::zeros((0, 2))];
    assert_fails(PackedSequence::from_sequences(&empty), length(1, 1..=3, 0));
    assert_fails(PackedSequence::from_sequences(&empty[1..]), length(0, 1..=1, 0));
}

#[test]
fn a_short_total_length_is_an_error() -> Result<()> {
    let sequences = [Array2::<f32>::zeros((5, 2)), Array2::zeros((1, 2))];
    let packed = PackedSequence::from_sequences(&sequences)?;
    let expected = Error::TotalLength { expected: 5, actual: 4 };
    for side in [PaddingSide::Left, PaddingSide::Right] {
        let padding = Padding::default().total_length(4).side(side);
        assert_fails(packed.to_padded(padding), expected.clone());
        assert_fails(pad_sequence(&sequences, padding), expected.clone());
        assert!(packed.to_padded(padding.total_length(5)).is_ok());
    }
    Ok(())
}

#[test]
fn unpadding_more_than_there_is_is_an_error() -> Result<()> {
    let padded = Array3::<f32>::zeros((4, 3, 2));
    let padding = Padding::default();
    let unpad = |lengths: &[usize], batch_first| {
        let padding = padding.batch_first(batch_first);
        // On either side.
        let left = unpad_sequence(&padded, lengths, padding.side(PaddingSide::Left));
        assert_eq!(left, unpad_sequence(&padded, lengths, padding));
        left
    };
    assert_fails(unpad(&[4, 0], false), shape_error("lengths", &[3], &[2]));
    assert_fails(unpad(&[4, 0, 5], false), length(2, 0..=4, 5));
    assert_fails(unpad(&[3, 0, 4, 1], true), length(2, 0..=3, 4));
    for (padding, expected) in
        [(padding.total_length(5), [5, 3, 2]), (padding.total_length(2).batch_first(true), [4, 2, 2])]
    {
        let unpadded = unpad_sequence(&padded, &[1; 4], padding);
        assert_fails(unpadded, shape_error("padded", &expected, &[4, 3, 2]));
    }
    assert_eq!(
        unpad_sequence(&padded, &[0; 3], padding.total_length(4))?,
        vec![Array2::<f32>::zeros((0, 2)); 3]
    );
    assert_eq!(unpad_sequence(&Array3::<f32>::zeros((4, 0, 2)), &[], padding)?, [] as [Array2<f32>; 0]);
    Ok(())
}

#[test]
fn parts_that_do_not_fit_are_errors() {
    let parts = |batch_sizes: &[usize], sorted: Option<&[usize]>| {
        let sorted = sorted.map(<[usize]>::to_vec);
        PackedSequence::from_parts(Array2::<f32>::zeros((6, 2)), batch_sizes.to_vec(), sorted)
    };
    let entry = |list, index, expected, actual| Error::EntryOutOfRange { list, index, expected, actual };
    let data = |rows| shape_error("data", &[rows, 2], &[6, 2]);

    assert!(parts(&[3, 2, 1], Some(&[2, 0, 1])).is_ok());
    assert_fails(parts(&[], None), Error::EmptySequence { array: "batch_sizes", shape: vec![0] });
    assert_fails(parts(&[3, 3, 0], None), entry("batch_sizes", 2, 1..=3, 0));
    assert_fails(parts(&[0], None), entry("batch_sizes", 0, 1..=1, 0));
    let not_sorted = Error::NotSorted { list: "batch_sizes", index: 2, previous: 2, actual: 3 };
    assert_fails(parts(&[2, 2, 3], None), not_sorted);
    assert_fails(parts(&[3, 2], None), data(5));
    assert_fails(parts(&[3, 2, 2], None), data(7));
    assert_fails(parts(&[usize::MAX, 7], None), data(usize::MAX));

    assert_fails(parts(&[3, 2, 1], Some(&[0, 1])), shape_error("sorted_indices", &[3], &[2]));
    assert_fails(parts(&[3, 2, 1], Some(&[0, 3, 1])), entry("sorted_indices", 1, 0..=2, 3));
    let repeated = Error::RepeatedEntry { list: "sorted_indices", index: 2, actual: 1 };
    assert_fails(parts(&[3, 2, 1], Some(&[0, 1, 1])), repeated);
}

#[test]
fn other_rows_must_be_as_many() -> Result<()> {
    let packed = PackedSequence::from_sequences(&[Array2::<f32>::zeros((3, 2))])?;
    assert_fails(packed.with_data(Array2::<u8>::zeros((4, 5))), shape_error("data", &[3, 5], &[4, 5]));
    Ok(())
}

/// An array without features may claim any number of rows at no cost; the list of lengths may not.
#[test]
fn what_no_memory_holds_is_an_error() -> Result<()> {
    const MOST: usize = isize::MAX as usize;
    let packed = PackedSequence::from_sequences(&[Array2::<f32>::zeros((1, 2))])?;
    let (padding, huge) = (Padding::default(), usize::MAX / 2);
    let actual = packed.to_padded(padding.total_length(huge));
    assert_fails(actual, too_large("padded", &[huge, 1, 2]));

    let narrow = PackedSequence::from_sequences(&[Array2::<f32>::zeros((1, 0))])?;
    let actual = narrow.to_padded(padding.total_length(usize::MAX).batch_first(true));
    assert_fails(actual, too_large("padded", &[1, usize::MAX, 0]));

    let long = [Array2::<f32>::zeros((MOST, 0))];
    let actual = PackedSequence::from_sequences(&long);
    assert_fails(actual, too_large("batch_sizes", &[MOST]));
    let [long] = long;
    let actual = PackedSequence::from_parts(long, vec![MOST], None);
    assert_fails(actual, too_large("lengths", &[MOST]));
    // An array of one element made wide by strides of zero.
    let element = array![1.0_f64];
    let wide = element.broadcast((2, 1, MOST / 4)).ok_or(NO_SEQUENCE)?;
    let actual = PackedSequence::from_padded(&wide, &[2], Packing::new());
    assert_fails(actual, too_large("data", &[2, MOST / 4]));
    Ok(())
}

#[test]
fn errors_say_what_is_wrong() {
    let not_sorted = Error::NotSorted { list: "lengths", index: 2, previous: 1, actual: 2 };
    let repeated = Error::RepeatedEntry { list: "sorted_indices", index: 2, actual: 1 };
    let total_length = Error::TotalLength { expected: 5, actual: 4 };
    let said = [NO_SEQUENCE, length(1, 1..=4, 5), not_sorted, repeated, total_length].map(|e| e.to_string());
    assert_eq!(
        said,
        [
            "number of sequences must be greater than zero",
            "lengths[1] must be from 1 to 4, got 5",
            "lengths must be in decreasing order, but lengths[2] = 2 comes after 1",
            "sorted_indices[2]: 1 is in the list already",
            "expected total_length to be at least 5, the longest sequence's length, got 4",
        ]
    );
}
