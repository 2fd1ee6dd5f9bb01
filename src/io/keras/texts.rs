//! Texts of attributes. They stand in heaps, and thousands of attributes may refer to one text.

use std::collections::BTreeMap;

use super::FORMAT;
use crate::error::Result;
use crate::io::budget::Budget;
use crate::io::dtype::little_endian;

/// Checks that all texts that a file refers to are together within the file's budget.
///
/// A reference is a length, the place of a heap and an object's number, of 4, 8 and 4 bytes. Any 16 bytes that name an
/// existing object are counted as a reference, with the object's size.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let objects = objects(bytes)?;
    let (Some(((first, _), _)), Some(((last, _), _))) = (objects.first_key_value(), objects.last_key_value())
    else {
        return Ok(());
    };
    let mut budget = Budget::new(FORMAT, bytes.len());
    for window in bytes.windows(16) {
        let place = little_endian(&window[4..12]);
        // Most bytes of a file are weights, and hardly any eight bytes of weights are the place of a heap.
        if !(first..=last).contains(&&place) {
            continue;
        }
        if let Some(&size) = objects.get(&(place, little_endian(&window[12..]))) {
            let length = usize::try_from(little_endian(&window[..4])).unwrap_or(usize::MAX);
            budget.take("texts of attributes", size.min(length))?;
        }
    }
    Ok(())
}

/// The sizes of all objects by their heap's place and their number.
///
/// A heap begins with its name, its version and its size, an object with its number and its size; both take 16 bytes.
/// Objects are counted too, since heaps may overlap and list the same bytes many times.
fn objects(bytes: &[u8]) -> Result<BTreeMap<(u64, u64), usize>> {
    let mut objects = BTreeMap::new();
    let mut budget = Budget::new(FORMAT, bytes.len());
    for (place, _) in bytes.windows(4).enumerate().filter(|(_, window)| window == b"GCOL") {
        let heap = &bytes[place..];
        let end =
            heap.get(8..16).map_or(0, |size| usize::try_from(little_endian(size)).unwrap_or(usize::MAX));
        let mut at = 16;
        while let Some(head) = heap.get(at..at + 16).filter(|_| at < end) {
            let (number, size) =
                (little_endian(&head[..2]), usize::try_from(little_endian(&head[8..])).unwrap_or(usize::MAX));
            // The object of number 0 is the free space up to the heap's end.
            if number == 0 || size > heap.len() {
                break;
            }
            budget.take("heaps of texts", 16)?;
            objects.insert((place as u64, number), size);
            at += 16 + size.next_multiple_of(8);
        }
    }
    Ok(objects)
}
