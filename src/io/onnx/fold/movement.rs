//! Movements of elements: what changes the order or the axes of an array, but no element.

use super::filled::Int;

/// The most axes of a value that is followed.
pub(super) const MAX_AXES: usize = 16;

/// A movement of one array.
#[derive(Debug)]
pub(super) enum Movement<'g> {
    /// The axes in another order.
    Permute(Vec<usize>),
    /// One more axis, of length 1.
    Insert(usize),
    /// One axis less, whose length is 1.
    Remove(usize),
    /// A range of an axis.
    Slice { axis: usize, start: usize, length: Int<'g> },
}

/// An axis counted from the first or, if negative, from the last.
pub(super) fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let counted = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
    usize::try_from(counted).ok().filter(|&axis| axis < rank)
}

/// The range from `start` to `end` of an axis, as ONNX's Slice counts; `None` if the range depends on a length that is
/// not known. If the elements are the same all along the axis, no length need be known.
pub(super) fn slice<'g>(
    axis: usize,
    length: Int<'g>,
    repeats: bool,
    start: i64,
    end: i64,
) -> Option<Movement<'g>> {
    match length {
        Int::Known(n) => {
            let place = |i: i64| if i < 0 { i.saturating_add(n) } else { i }.clamp(0, n);
            let (start, end) = (place(start), place(end));
            let length = Int::Known((end - start).max(0));
            Some(Movement::Slice { axis, start: usize::try_from(start).ok()?, length })
        }
        // torch writes the largest number of either size for "to the end".
        length if start == 0 && end >= i64::from(i32::MAX) => {
            Some(Movement::Slice { axis, start: 0, length })
        }
        _ => repeats.then_some(Movement::Slice { axis, start: 0, length: Int::Unknown }),
    }
}
