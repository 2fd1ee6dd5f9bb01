//! Work split among threads.

use std::ops::Range;
use std::time::Duration;

use crate::error::Result;

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
    // rayon is asked only where its answer matters, since the first question starts its pool.
    if flops < 2 * SHARE { 1 } else { rayon::current_num_threads().min(flops / SHARE) }
}

/// How many workers some work is worth: one, without threads.
#[cfg(not(feature = "rayon"))]
pub(super) fn count(_flops: usize) -> usize {
    1
}

/// Does every job: with more than one worker, on the threads of the current rayon pool.
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

/// As [`for_each`], up to an error.
#[cfg(feature = "rayon")]
pub(super) fn try_for_each<T: Send>(
    workers: usize,
    jobs: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> Result<()> + Send + Sync,
) -> Result<()> {
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
    let mut jobs = jobs.into_iter();
    if workers <= 1 {
        return jobs.try_for_each(work);
    }
    jobs.collect::<Vec<_>>().into_par_iter().with_max_len(1).try_for_each(work)
}

/// As [`for_each`], up to an error.
#[cfg(not(feature = "rayon"))]
pub(super) fn try_for_each<T>(
    _workers: usize,
    jobs: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> Result<()>,
) -> Result<()> {
    jobs.into_iter().try_for_each(work)
}

/// About how long one thread takes for a sequence, at a hundred floating-point operations a nanosecond.
pub(super) fn time_alone(flops: usize) -> Duration {
    Duration::from_nanos(flops as u64 / 100)
}

/// Runs `lead` on a thread of the current rayon pool, this one if it is of a pool, and `help` on others as they become free.
/// A thread outside of the pool that led would make one more than there are cores: members of a team that share a core take
/// twice as long as one alone.
#[cfg(feature = "rayon")]
pub(super) fn with_helpers(helpers: usize, help: impl Fn() + Send + Sync, lead: impl FnOnce() + Send) {
    rayon::scope(|scope| {
        (0..helpers).for_each(|_| scope.spawn(|_| help()));
        lead();
    });
}

/// Runs `lead` alone: there are no threads to help.
#[cfg(not(feature = "rayon"))]
pub(super) fn with_helpers(_helpers: usize, _help: impl Fn(), lead: impl FnOnce()) {
    lead();
}
