//! The order of sequences of different lengths, the longest first, as torch sorts them.
//!
//! torch packs by `torch.sort(lengths, descending=True)`, which on the CPU is `std::sort`; on Linux, where torch is
//! built with GCC, that is libstdc++'s introsort (`bits/stl_algo.h`). It moves sequences of one length among each
//! other beyond 16 sequences: 17 of one length come out as 8, 16, 15, .. 9, 0, 7, .. 1. A sequence's place decides
//! which rows of dropout's masks it meets, and where its terms stand in the sum that is a weight's gradient; nothing
//! else. So this is the same sort, choice by choice.

use crate::error::Result;
use crate::room::{collected, room};

/// Parts of at most so many sequences are not divided.
const UNDIVIDED: usize = 16;

/// A sequence's length and number.
type Sequence = (usize, usize);

/// The numbers of the sequences of one step or more, the longest first.
///
/// # Errors
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds them.
pub(crate) fn longest_first(lengths: &[usize]) -> Result<Vec<usize>> {
    let numbered = lengths.iter().copied().zip(0..);
    let mut sequences: Vec<Sequence> = room("lengths", &[lengths.len()])?;
    sequences.extend(numbered.filter(|&(length, _)| length > 0));
    let divisions = 2 * sequences.len().checked_ilog2().unwrap_or(0);
    divide(&mut sequences, divisions);
    insert_each(&mut sequences);
    collected("lengths", sequences.into_iter().map(|(_, n)| n))
}

/// Moves each sequence forward to behind those that are no shorter: at most as many places as an undivided part has.
fn insert_each(sequences: &mut [Sequence]) {
    for end in 1..sequences.len() {
        let (length, _) = sequences[end];
        let longer = sequences[..end].iter().rev().take_while(|other| other.0 < length).count();
        sequences[end - longer..=end].rotate_right(1);
    }
}

/// Divides a part in two, and its parts again. What is still large after so many divisions is sorted by a heap.
fn divide(part: &mut [Sequence], divisions: u32) {
    if part.len() <= UNDIVIDED {
        return;
    }
    let Some(divisions) = divisions.checked_sub(1) else {
        return heap_sort(part);
    };
    let middle = exchange(part);
    let (longer, shorter) = part.split_at_mut(middle);
    divide(longer, divisions);
    divide(shorter, divisions);
}

/// Moves a pivot to the front, and exchanges sequences until none behind a place is longer than the pivot and none
/// before it shorter. Returns the place.
fn exchange(part: &mut [Sequence]) -> usize {
    let pivot = median(part, 1, part.len() / 2, part.len() - 1);
    part.swap(0, pivot);
    let (pivot, _) = part[0];
    let (mut left, mut right) = (1, part.len() - 1);
    // The pivot is a median of three, so on either side a sequence ends the search before the part ends.
    loop {
        while part[left].0 > pivot {
            left += 1;
        }
        while part[right].0 < pivot {
            right -= 1;
        }
        if left >= right {
            return left;
        }
        part.swap(left, right);
        left += 1;
        right -= 1;
    }
}

/// Which of three sequences is the second longest. Of equal ones the choice is libstdc++'s.
fn median(part: &[Sequence], a: usize, b: usize, c: usize) -> usize {
    let longer = |x: usize, y: usize| part[x].0 > part[y].0;
    let (long, short) = if longer(a, b) { (a, b) } else { (b, a) };
    if longer(short, c) {
        short
    } else if longer(long, c) {
        c
    } else {
        long
    }
}

/// Sorts by a heap that has the shortest sequence at its root.
fn heap_sort(part: &mut [Sequence]) {
    for root in (0..part.len() / 2).rev() {
        sift(part, root);
    }
    for end in (1..part.len()).rev() {
        part.swap(0, end);
        sift(&mut part[..end], 0);
    }
}

/// Moves a sequence down a heap to a leaf, along the shorter child of each pair, the right one of equals, and from
/// there up again to its place. To stop on the way down would leave other equals behind.
fn sift(heap: &mut [Sequence], root: usize) {
    let mut place = root;
    while 2 * place + 1 < heap.len() {
        let (left, right) = (2 * place + 1, 2 * place + 2);
        let child = if right < heap.len() && heap[right].0 <= heap[left].0 { right } else { left };
        heap.swap(place, child);
        place = child;
    }
    while place > root && heap[(place - 1) / 2].0 > heap[place].0 {
        heap.swap(place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}
