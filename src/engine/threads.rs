//! Work split among threads.

use std::ops::Range;
use std::time::Duration;

/// The fewest floating-point operations worth a thread of their own: handing work to another thread takes 20 us
/// or so, in which a core does a million of them.
#[cfg(feature = "rayon")]
const SHARE: usize = 5_000_000;

/// `0..len` in `count` parts of about the same size.
pub(super) fn ranges(len: usize, count: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    (0..count).map(move |i| i * len / count..(i + 1) * len / count)
}

/// How many workers some work is worth.
#[cfg(feature = "rayon")]
pub(super) fn count(flops: usize) -> usize {
    // Asked for only where it matters: the first question starts rayon's pool.
    if flops < 2 * SHARE { 1 } else { rayon::current_num_threads().min(flops / SHARE) }
}

/// How many workers some work is worth: one, without threads.
#[cfg(not(feature = "rayon"))]
pub(super) fn count(_flops: usize) -> usize {
    1
}

/// Does every job, for more than one worker on the threads of the caller's rayon pool.
#[cfg(feature = "rayon")]
pub(super) fn for_each<T: Send>(
    workers: usize,
    jobs: impl IntoIterator<Item = T>,
    work: impl Fn(T) + Send + Sync,
) {
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
    let jobs = jobs.into_iter();
    if workers <= 1 {
        jobs.for_each(work);
    } else {
        jobs.collect::<Vec<_>>().into_par_iter().with_max_len(1).for_each(work);
    }
}

/// Does every job, one after another.
#[cfg(not(feature = "rayon"))]
pub(super) fn for_each<T>(_workers: usize, jobs: impl IntoIterator<Item = T>, work: impl Fn(T)) {
    jobs.into_iter().for_each(work);
}

/// About how long one sequence takes alone, at a hundred floating-point operations a nanosecond.
pub(super) fn time_alone(flops: usize) -> Duration {
    Duration::from_nanos(flops as u64 / 100)
}

/// Leads on this thread, with helpers on those of the caller's rayon pool that are free.
#[cfg(feature = "rayon")]
pub(super) fn with_helpers(helpers: usize, help: impl Fn() + Send + Sync, lead: impl FnOnce() + Send) {
    rayon::in_place_scope(|scope| {
        (0..helpers).for_each(|_| scope.spawn(|_| help()));
        lead();
    });
}

/// Leads alone, without threads.
#[cfg(not(feature = "rayon"))]
pub(super) fn with_helpers(_helpers: usize, _help: impl Fn(), lead: impl FnOnce()) {
    lead();
}
