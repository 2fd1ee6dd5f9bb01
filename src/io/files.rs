//! Files as a whole: read at once, written whole or not at all; and the errors of all formats.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub(super) use super::replace::write;
use crate::error::{Error, FileError, Result};

/// The most bytes of a device or a pipe, which may never end.
const MAX_STREAM: u64 = 256 << 20;

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(read_all(path).map_err(|error| system("read", path, &error))?)
}

fn read_all(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    if metadata.is_file() {
        bytes.try_reserve_exact(usize::try_from(metadata.len()).unwrap_or(usize::MAX))?;
        file.read_to_end(&mut bytes)?;
    } else if file.take(MAX_STREAM + 1).read_to_end(&mut bytes)? as u64 > MAX_STREAM {
        let message = format!(
            "more than {MAX_STREAM} bytes of a device or a pipe: read them yourself, then `from_bytes`"
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The error for a file that the operating system refuses.
pub(super) fn system(operation: &'static str, path: &Path, error: &io::Error) -> FileError {
    FileError::System { operation, path: path.into(), kind: error.kind(), message: error.to_string() }
}

/// The error for a part of a valid file that this crate does not read, or that a format does not have.
pub(super) fn unsupported(
    format: &'static str,
    field: impl Into<String>,
    feature: impl Into<String>,
) -> Error {
    FileError::Unsupported { format, field: field.into(), feature: feature.into() }.into()
}

/// Checks a size within a file.
pub(super) fn expect_at_most(
    format: &'static str,
    field: impl Into<String>,
    limit: usize,
    actual: usize,
) -> Result<()> {
    if actual <= limit {
        return Ok(());
    }
    Err(FileError::TooLarge { format, field: field.into(), limit, actual }.into())
}

/// The error for a part of a file that is not what the format prescribes.
pub(super) fn malformed(
    format: &'static str,
    field: impl Into<String>,
    expected: impl Into<String>,
    actual: impl ToString,
) -> Error {
    let (field, expected, actual) = (field.into(), expected.into(), actual.to_string());
    FileError::Malformed { format, field, expected, actual }.into()
}
