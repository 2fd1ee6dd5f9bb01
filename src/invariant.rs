//! What must hold whatever a user passes. If it does not hold, this crate is wrong, and says so.

use std::fmt::Debug;

/// Takes a value that is always there.
///
/// `words` say what makes it so, such as "the rows were made contiguous". A user's input never decides this: what a
/// user can get wrong is an [`Error`](enum@crate::Error).
pub(crate) trait Invariant<T> {
    /// The value.
    ///
    /// # Panics
    /// If there is none: a fault of this crate, which no result should hide.
    fn invariant(self, words: &'static str) -> T;
}

impl<T> Invariant<T> for Option<T> {
    #[inline(always)]
    #[track_caller]
    fn invariant(self, words: &'static str) -> T {
        match self {
            Some(value) => value,
            None => broken(words, &"nothing"),
        }
    }
}

impl<T, E: Debug> Invariant<T> for Result<T, E> {
    #[inline(always)]
    #[track_caller]
    fn invariant(self, words: &'static str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => broken(words, &error),
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
#[expect(clippy::panic, reason = "a wrong result in silence would be worse")]
fn broken(words: &str, found: &dyn Debug) -> ! {
    panic!("a fault of ndarray-rnn, please report it: it should hold that {words}, but found {found:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_is_taken() {
        assert_eq!(Some(1).invariant("there is one"), 1);
        assert_eq!(Ok::<_, ()>(2).invariant("there is two"), 2);
    }

    #[test]
    #[should_panic = "it should hold that there is one, but found \"nothing\""]
    fn what_is_missing_is_named() {
        None::<u8>.invariant("there is one");
    }

    #[test]
    #[should_panic = "it should hold that there is one, but found \"none\""]
    fn an_error_is_shown() {
        Err::<u8, _>("none").invariant("there is one");
    }
}
