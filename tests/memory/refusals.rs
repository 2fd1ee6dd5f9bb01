//! One call after another, each of which is refused one allocation.

use std::cell::RefCell;
use std::fmt::Debug;
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use alloc_chaos::Check;
use ndarray_rnn::{Error, FileError, Result};

/// From this number of bytes on an allocation is of a size that a caller or a file chose. All that is smaller is of a size
/// that the crate or the standard library chose: names, lists of layers, errors.
const CHOSEN: usize = 4096;

/// The variables by which a process knows what to call, and which allocation is the first to be refused.
const CALL: &str = "NDARRAY_RNN_CALL";
const FIRST: &str = "NDARRAY_RNN_FIRST";

/// Some calls, by name, each made again and again with one allocation refused.
pub(crate) type Calls = [(&'static str, fn(&Refusing))];

/// The first allocation to be refused; all that follow are refused in turn. Several calls count their allocations on.
pub(crate) struct Refusing {
    first: usize,
    before: AtomicUsize,
}

/// What a call left and returned.
#[derive(Debug, Clone, PartialEq)]
struct Made<S, T> {
    state: S,
    result: Option<Result<T>>,
}

impl Refusing {
    /// Makes a call once for each of its allocations, with this one refused, and prints a line about each: its number, its
    /// size, and what came of it.
    ///
    /// # Panics
    /// Unless the call completes with the same result and state as one that is refused nothing, or ends in an error that is
    /// of memory and leaves the state as it was.
    pub(crate) fn each<S, T>(&self, state: &S, call: impl Fn(&mut S) -> Result<T>)
    where
        S: Clone + Debug + PartialEq,
        T: Debug + PartialEq,
    {
        let fresh = || Made { state: state.clone(), result: None };
        let mut expected = fresh();
        expected.result = Some(call(&mut expected.state));
        assert!(matches!(expected.result, Some(Ok(_))), "{:?}", expected.result.map(|result| result.err()));
        let before = self.before.load(Relaxed);
        for n in self.first.saturating_sub(before).. {
            // One call counts the allocations, the next is refused one. Both find their state ready.
            let (waiting, made) = (RefCell::new(vec![fresh(), fresh()]), RefCell::new(Vec::with_capacity(2)));
            let report = Check::new().only_failure(n).run(|| {
                let mut one = waiting.borrow_mut().pop().expect("two calls");
                one.result = Some(call(&mut one.state));
                made.borrow_mut().push(one);
            });
            if report.baseline_allocations() <= n {
                self.before.store(before + report.baseline_allocations(), Relaxed);
                return;
            }
            let attempt = &report.attempts()[0];
            assert!(attempt.outcome().is_completed(), "{n}: {:?}", attempt.outcome());
            let refused = made.into_inner().pop().expect("a call");
            // A call on several threads need not come to it.
            let Some(allocation) = attempt.injected_allocation() else { continue };
            let size = allocation.new_size().unwrap_or(allocation.size());
            let end = match &refused.result {
                Some(Err(error)) => {
                    assert!(is_of_memory(error), "{n}: {size} bytes: {error:?}");
                    assert!(refused.state == *state, "{n}: {size} bytes: the state has changed: {error:?}");
                    format!("error {error}")
                }
                _ => {
                    assert!(refused == expected, "{n}: {size} bytes: another result");
                    "completed".into()
                }
            };
            println!("\nrefused {} {size} {end}", before + n);
        }
    }
}

fn is_of_memory(error: &Error) -> bool {
    use std::io::ErrorKind::OutOfMemory;
    matches!(error, Error::SizeOverflow { .. } | Error::File(FileError::System { kind: OutOfMemory, .. }))
}

/// In a process that [`refuse`] began: makes the call that it asks for.
pub(crate) fn answer(calls: &Calls) {
    let Ok(name) = std::env::var(CALL) else { return };
    let first = std::env::var(FIRST).ok().and_then(|first| first.parse().ok()).expect("a number");
    let (_, call) = calls.iter().find(|(known, _)| *known == name).expect("a call of this name");
    call(&Refusing { first, before: AtomicUsize::new(0) });
}

/// What came of a call's refused allocations.
#[derive(Debug, Default)]
struct Outcomes {
    /// How many of a chosen size were answered by an error, and how many did no harm.
    errors: usize,
    completed: usize,
    /// How many ended the process, and the largest of these.
    ended: usize,
    largest: usize,
}

/// Refuses every allocation of a call, in processes of its own: an allocation that cannot be refused ends one, and the next
/// begins with the next allocation. `answers` names the test that calls [`answer`].
///
/// # Panics
/// If a process ends for an allocation of a chosen size, or for a call's wrong answer, and if nothing was refused.
pub(crate) fn refuse(name: &str, answers: &str) {
    let (mut outcomes, mut first) = (Outcomes::default(), 0);
    loop {
        let (status, said, complaint) = process(name, answers, first);
        for line in said.lines().filter_map(|line| line.strip_prefix("refused ")) {
            let mut words = line.splitn(3, ' ');
            let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            let (n, size): (usize, usize) = (number(), number());
            first = n + 1;
            match words.next() {
                _ if size < CHOSEN => {}
                Some("completed") => outcomes.completed += 1,
                _ => outcomes.errors += 1,
            }
        }
        if status.success() {
            println!("{name}: {outcomes:?}");
            assert!(outcomes.errors > 0, "{name}: nothing was refused");
            return;
        }
        let size = complaint.split("memory allocation of ").nth(1).and_then(|rest| rest.split(' ').next());
        let size: usize = size.and_then(|size| size.parse().ok()).unwrap_or(usize::MAX);
        assert!(size < CHOSEN, "{name}: allocation {first}: {said}\n{complaint}");
        (outcomes.ended, outcomes.largest, first) =
            (outcomes.ended + 1, outcomes.largest.max(size), first + 1);
    }
}

fn process(name: &str, answers: &str, first: usize) -> (ExitStatus, String, String) {
    let program = std::env::current_exe().expect("a test has a program");
    let output = Command::new(program)
        .args([answers, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CALL, name)
        .env(FIRST, first.to_string())
        .output()
        .expect("a test begins a process");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status, text(&output.stdout), text(&output.stderr))
}
