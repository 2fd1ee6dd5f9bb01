//! Threads that share the units of one sequence and meet after every step.

use std::cell::Cell;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{hint, thread};

use super::threads;
use crate::element::Element;
use crate::error::Result;
use crate::room::collected;

/// How often a waiting thread looks before it yields its core, which another member may need: a few microseconds.
const SPINS: usize = 64;

/// The bit of [`Team::joined`] that says that no more threads can join.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// What the threads of a team share.
#[derive(Debug)]
pub(super) struct Team {
    /// The number of threads that came to help the first, and the bit [`CLOSED`].
    joined: AtomicUsize,
    /// The number of members; 0 while threads may still join.
    members: AtomicUsize,
    /// How many times members have arrived at a meeting.
    arrivals: AtomicUsize,
    /// Whether a member has given up, and will arrive no more.
    broken: AtomicBool,
    /// The bits that are handed over at even and at odd meetings, so that no member writes what others may still read.
    states: [Vec<Bits>; 2],
}

/// The bits of an `f64` that threads hand to each other. After a meeting a load returns what was stored before it.
#[cfg(target_has_atomic = "64")]
#[derive(Debug, Default)]
struct Bits(std::sync::atomic::AtomicU64);

#[cfg(target_has_atomic = "64")]
impl Bits {
    fn store(&self, bits: u64) {
        self.0.store(bits, Ordering::Relaxed);
    }

    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same in two halves, the high one first, for processors without 64-bit atomics.
#[cfg(not(target_has_atomic = "64"))]
#[derive(Debug, Default)]
struct Bits([std::sync::atomic::AtomicU32; 2]);

#[cfg(not(target_has_atomic = "64"))]
impl Bits {
    fn store(&self, bits: u64) {
        self.0[0].store((bits >> 32) as u32, Ordering::Relaxed);
        self.0[1].store(bits as u32, Ordering::Relaxed);
    }

    fn load(&self) -> u64 {
        let [high, low] = [&self.0[0], &self.0[1]].map(|half| u64::from(half.load(Ordering::Relaxed)));
        high << 32 | low
    }
}

/// One thread of a team.
#[derive(Debug)]
pub(super) struct Member<'a> {
    team: &'a Team,
    index: usize,
    /// The number of members.
    members: usize,
    /// The number of meetings so far.
    meetings: Cell<usize>,
}

impl Team {
    /// A team whose members hand each other slices of up to `len` numbers.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds it.
    pub(super) fn new(len: usize) -> Result<Self> {
        let states = || collected("scratch", (0..len).map(|_| Bits::default()));
        let [joined, members, arrivals] = [0; 3].map(AtomicUsize::new);
        Ok(Self { joined, members, arrivals, broken: AtomicBool::new(false), states: [states()?, states()?] })
    }

    /// Runs `lead` on a thread of the current rayon pool: as a member, if others come to help within `patience`. Each of them
    /// runs `help` with what `prepare` gave it; one that finds no memory to prepare does not come.
    ///
    /// # Errors
    /// What a member ends with. The results of the others then mean nothing.
    pub(super) fn work<T>(
        &self,
        threads: usize,
        patience: Duration,
        (prepare, help): (
            impl Fn() -> Result<T> + Send + Sync,
            impl Fn(&Member<'_>, T) -> Result<()> + Send + Sync,
        ),
        lead: impl FnOnce(Option<&Member<'_>>) -> Result<()> + Send,
    ) -> Result<()> {
        let failed = OnceLock::new();
        let end = |member: &Member<'_>, result: Result<()>| {
            if let Err(error) = result {
                // Another member's error, which may stand there already, is as good.
                let _ = failed.set(error);
                member.give_up();
            }
        };
        let join = || {
            let Ok(prepared) = prepare() else { return };
            let Some(member) = self.join() else { return };
            end(&member, help(&member, prepared));
        };
        threads::with_helpers(threads - 1, join, || {
            let member = self.lead(threads - 1, patience);
            end(&member, lead(Some(&member).filter(|member| !member.is_alone())));
        });
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// Makes the first member once `helpers` threads have come, or after `patience` with those that have come.
    pub(super) fn lead(&self, helpers: usize, patience: Duration) -> Member<'_> {
        let begin = Instant::now();
        wait_until(|| self.joined.load(Ordering::Relaxed) == helpers || begin.elapsed() > patience);
        let members = self.joined.fetch_or(CLOSED, Ordering::Relaxed) + 1;
        self.members.store(members, Ordering::Release);
        Member { team: self, index: 0, members, meetings: Cell::new(0) }
    }

    /// Makes another member; `None` for a thread that comes too late.
    pub(super) fn join(&self) -> Option<Member<'_>> {
        let one_more = |joined| (joined & CLOSED == 0).then_some(joined + 1);
        let joined = self.joined.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        wait_until(|| self.members.load(Ordering::Acquire) > 0);
        let members = self.members.load(Ordering::Relaxed);
        Some(Member { team: self, index: joined + 1, members, meetings: Cell::new(0) })
    }
}

impl Member<'_> {
    /// Whether no one came to help.
    pub(super) fn is_alone(&self) -> bool {
        self.members == 1
    }

    /// This member's share of so many panels or rows.
    pub(super) fn share(&self, count: usize) -> Range<usize> {
        self.index * count / self.members..(self.index + 1) * count / self.members
    }

    /// Lets the others wait no more: this member has failed.
    fn give_up(&self) {
        self.team.broken.store(true, Ordering::Relaxed);
    }

    /// Hands out this member's units of a state, and takes those of the others.
    pub(super) fn exchange<A: Element>(&self, own: Range<usize>, state: &mut [A]) {
        self.exchange_blocks(own, state.len(), state);
    }

    /// As [`exchange`](Self::exchange), of the same units of every block of a row.
    pub(super) fn exchange_blocks<A: Element>(&self, own: Range<usize>, apart: usize, row: &mut [A]) {
        let meeting = self.meetings.get() + 1;
        self.meetings.set(meeting);
        let shared = &self.team.states[meeting % 2];
        for (to, from) in shared.chunks(apart).zip(row.chunks(apart)) {
            for (to, from) in to[own.clone()].iter().zip(&from[own.clone()]) {
                to.store(from.into_f64().to_bits());
            }
        }
        self.team.arrivals.fetch_add(1, Ordering::AcqRel);
        let all = meeting * self.members;
        let have_met = || self.team.arrivals.load(Ordering::Acquire) >= all;
        wait_until(|| have_met() || self.team.broken.load(Ordering::Relaxed));
        if !have_met() {
            // A member has given up. What this one goes on with means nothing, and nobody takes it.
            return;
        }
        for (to, from) in row.chunks_mut(apart).zip(shared.chunks(apart)) {
            for others in [0..own.start, own.end..to.len()] {
                for (to, from) in to[others.clone()].iter_mut().zip(&from[others]) {
                    *to = A::from_f64(f64::from_bits(from.load()));
                }
            }
        }
    }
}

impl Drop for Member<'_> {
    /// The others would wait without end for a member that panics.
    fn drop(&mut self) {
        if thread::panicking() {
            self.give_up();
        }
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let mut spins = 0;
    while !done() {
        if spins < SPINS {
            spins += 1;
            hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "rayon")]
    use crate::error::Error;

    /// A panic passes through, and nobody waits.
    #[test]
    #[expect(clippy::panic, reason = "a member that is wrong")]
    fn a_member_that_panics_ends_the_team() {
        let team = Team::new(2).expect("two numbers");
        let ends = thread::scope(|scope| {
            let helper = scope.spawn(|| {
                let _member = team.join();
                panic!("a member that is wrong");
            });
            let lead = scope.spawn(|| {
                let member = team.lead(1, Duration::from_secs(60));
                member.exchange(0..1, &mut [1.0_f32, 2.0]);
            });
            [helper.join().is_err(), lead.join().is_err()]
        });
        assert_eq!(ends, [true, false]);
    }

    /// An error of a member that came to help is the error of all, and nobody waits.
    #[test]
    #[cfg(feature = "rayon")]
    fn a_member_that_fails_ends_the_team() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("there is room for threads");
        let team = Team::new(2).expect("two numbers");
        let fail = |_: &Member<'_>, ()| Err(Error::EmptySequence { array: "input", shape: [0].into() });
        let ended = pool.install(|| {
            team.work(2, Duration::from_secs(60), (|| Ok(()), fail), |member| {
                member.expect("the other came").exchange(0..1, &mut [1.0_f32, 2.0]);
                Ok(())
            })
        });
        assert!(matches!(ended, Err(Error::EmptySequence { .. })), "{ended:?}");
    }
}
