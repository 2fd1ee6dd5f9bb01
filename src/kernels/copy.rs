//! Copies at the speed of memory.
//!
//! glibc copies more than some 2 kB by `rep movsb`. On AMD's Zen 3 and 4 that is many times slower if the target
//! lies a few bytes behind the source, each within its page, as it often does after an allocation. Smaller copies
//! go by vectors. See <https://sourceware.org/bugzilla/show_bug.cgi?id=30994>.

use std::mem::size_of;

use crate::error::Result;
use crate::room::room;

/// How many elements are copied at once.
const fn piece<A>() -> usize {
    2048 / size_of::<A>()
}

/// Copies a slice to one of the same length.
#[inline(always)]
pub(crate) fn copy<A: Copy>(from: &[A], to: &mut [A]) {
    debug_assert_eq!(from.len(), to.len());
    if from.len() <= piece::<A>() {
        to.copy_from_slice(from);
    } else {
        in_pieces(from, to);
    }
}

/// Not inlined, since most copies are small.
#[inline(never)]
fn in_pieces<A: Copy>(from: &[A], to: &mut [A]) {
    for (to, from) in to.chunks_mut(piece::<A>()).zip(from.chunks(piece::<A>())) {
        to.copy_from_slice(from);
    }
}

/// A copy of a slice that is called `name`.
///
/// # Errors
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds it.
pub(crate) fn copied<A: Copy>(name: &str, from: &[A]) -> Result<Vec<A>> {
    let mut copy = room(name, &[from.len()])?;
    from.chunks(piece::<A>()).for_each(|piece| copy.extend_from_slice(piece));
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::{copied, copy};

    #[test]
    fn all_elements_are_copied() {
        for len in [0, 1, 255, 256, 257, 512, 1000, 5000] {
            let from: Vec<f64> = (0..len).map(f64::from).collect();
            let mut to = vec![-1.0; from.len()];
            copy(&from, &mut to);
            assert_eq!((&to, copied("from", &from)), (&from, Ok(from.clone())));
        }
    }
}
