//! A limit on the memory that reading a file may take.

use super::files::expect_at_most;
use crate::error::Result;

/// The memory that may be taken for a file. Without a limit a small file could unpack into more than a machine has.
#[derive(Debug)]
pub(super) struct Budget {
    format: &'static str,
    limit: usize,
    taken: usize,
}

impl Budget {
    /// The limit, in sizes of the file.
    const FACTOR: usize = 16;
    /// The least limit, in bytes: a small file may be zeros, which zip packs more than 16 times.
    const FLOOR: usize = 1 << 20;

    /// The budget of a file of `file` bytes.
    pub(super) fn new(format: &'static str, file: usize) -> Self {
        Self { format, limit: file.saturating_mul(Self::FACTOR).max(Self::FLOOR), taken: 0 }
    }

    /// Raises the limit to some bytes, if it is lower.
    #[cfg(feature = "npz")]
    pub(super) fn at_least(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Adds another file, of `file` bytes, to the one whose budget this is.
    #[cfg(feature = "onnx")]
    pub(super) fn grow(&mut self, file: usize) {
        self.limit = self.limit.saturating_add(file.saturating_mul(Self::FACTOR));
    }

    /// Takes `bytes` bytes for a part of the file.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] if fewer bytes are left; the budget is unchanged then.
    pub(super) fn take(&mut self, field: &str, bytes: usize) -> Result<()> {
        let actual = self.taken.saturating_add(bytes);
        expect_at_most(self.format, field, self.limit, actual)?;
        self.taken = actual;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, FileError};

    #[test]
    fn a_budget_is_spent_once() {
        let mut budget = Budget::new("test", 2 << 20);
        assert_eq!(budget.take("a", 31 << 20), Ok(()));
        let too_large = FileError::TooLarge {
            format: "test",
            field: "b".into(),
            limit: 32 << 20,
            actual: (32 << 20) + 1,
        };
        assert_eq!(budget.take("b", (1 << 20) + 1), Err(Error::File(too_large)));
        assert_eq!(budget.take("b", 1 << 20), Ok(()));
        assert!(budget.take("c", 1).is_err() && budget.take("c", usize::MAX).is_err());
    }
}
