//! How much memory a file deserves.

use crate::error::{FileError, Result};

/// How much memory may be taken for a file: a bomb is a small file that becomes a large one.
#[derive(Debug)]
pub(super) struct Budget {
    format: &'static str,
    limit: usize,
    taken: usize,
}

impl Budget {
    /// So many times the file.
    const FACTOR: usize = 16;
    /// So much for any file: small ones may be mostly zeros.
    const FLOOR: usize = 1 << 20;

    /// For a file of so many bytes.
    pub(super) fn new(format: &'static str, file: usize) -> Self {
        Self { format, limit: file.saturating_mul(Self::FACTOR).max(Self::FLOOR), taken: 0 }
    }

    /// Takes so many bytes for a part of the file.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] if that is more than is left; nothing is taken then.
    pub(super) fn take(&mut self, field: &str, bytes: usize) -> Result<()> {
        let actual = self.taken.saturating_add(bytes);
        if actual > self.limit {
            let (format, limit) = (self.format, self.limit);
            return Err(FileError::TooLarge { format, field: field.into(), limit, actual }.into());
        }
        self.taken = actual;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_budget_is_spent_once() {
        let mut budget = Budget::new("test", 1 << 20);
        assert_eq!(budget.take("a", 15 << 20), Ok(()));
        let too_large = FileError::TooLarge {
            format: "test",
            field: "b".into(),
            limit: 16 << 20,
            actual: (16 << 20) + 1,
        };
        assert_eq!(budget.take("b", (1 << 20) + 1), Err(Error::File(too_large)));
        assert_eq!(budget.take("b", 1 << 20), Ok(()));
        assert!(budget.take("c", 1).is_err() && budget.take("c", usize::MAX).is_err());
    }
}
