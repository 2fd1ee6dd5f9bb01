//! Changed bytes: whatever is done to a file, its reader returns, within memory in proportion to the file.

use proptest::prelude::*;
use proptest::sample::Index;

/// The factor that the crate promises, and the bytes that any file may take.
const LIMIT: u64 = 40;
const FLOOR: u64 = 8 << 20;

/// One change of some bytes.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, u8),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let special = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f), Just(0x80)];
    prop_oneof![
        (any::<Index>(), special).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

impl Change {
    pub(crate) fn apply(self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Set(at, byte) => bytes[at.index(length)] = byte,
            Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Self::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + usize::from(count)).min(length));
            }
            Self::Insert(at, new) => drop(bytes.splice(at.index(length)..at.index(length), new)),
            Self::Repeat(at, count) => {
                let at = at.index(length);
                let piece = bytes[at..(at + usize::from(count)).min(length)].to_vec();
                drop(bytes.splice(at..at, piece));
            }
        }
    }
}

/// Runs a reader and bounds the memory it held at any time.
pub(crate) fn expect_modest(length: usize, read: impl FnOnce()) -> Result<(), TestCaseError> {
    let taken = allocation_counter::measure(read);
    prop_assert!(taken.bytes_max <= LIMIT * length as u64 + FLOOR, "{} bytes for {length}", taken.bytes_max);
    Ok(())
}
