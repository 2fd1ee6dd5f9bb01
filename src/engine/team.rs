//! Threads that share the units of one sequence and meet after every step.

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{hint, thread};

use crate::element::Element;

/// How often a thread looks before it lets others run.
const SPINS: usize = 2000;

/// What the threads of a team share.
#[derive(Debug)]
pub(super) struct Team {
    members: usize,
    /// How often members have arrived at a meeting.
    arrivals: AtomicUsize,
    /// The state's bits, of even and odd steps: no one writes the one while others may still read the other.
    states: [Vec<Bits>; 2],
}

/// The bits of an `f64` that threads hand to each other: what is loaded is whole once they have met.
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

/// In halves, the high one first, on processors of 32 bits that store no more at once.
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
    /// The meetings so far.
    meetings: Cell<usize>,
}

impl Team {
    pub(super) fn new(members: usize, hidden: usize) -> Self {
        let states = || (0..hidden).map(|_| Bits::default()).collect();
        Self { members, arrivals: AtomicUsize::new(0), states: [states(), states()] }
    }

    pub(super) fn member(&self, index: usize) -> Member<'_> {
        Member { team: self, index, meetings: Cell::new(0) }
    }
}

impl Member<'_> {
    /// This thread's share of some panels.
    pub(super) fn share(&self, panels: usize) -> Range<usize> {
        let members = self.team.members;
        self.index * panels / members..(self.index + 1) * panels / members
    }

    /// Hands out this thread's units of a state and takes the others'.
    pub(super) fn exchange<A: Element>(&self, own: Range<usize>, state: &mut [A]) {
        let meeting = self.meetings.get() + 1;
        self.meetings.set(meeting);
        let shared = &self.team.states[meeting % 2];
        for (to, from) in shared[own.clone()].iter().zip(&state[own.clone()]) {
            to.store(from.into_f64().to_bits());
        }
        self.team.arrivals.fetch_add(1, Ordering::AcqRel);
        self.wait(meeting * self.team.members);
        for (i, (to, from)) in state.iter_mut().zip(shared).enumerate() {
            if !own.contains(&i) {
                *to = A::from_f64(f64::from_bits(from.load()));
            }
        }
    }

    /// Waits until so many have arrived in all.
    fn wait(&self, arrivals: usize) {
        let mut spins = 0;
        while self.team.arrivals.load(Ordering::Acquire) < arrivals {
            if spins < SPINS {
                spins += 1;
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}
