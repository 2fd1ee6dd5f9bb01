//! Files as a whole: read at once, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, FileError, Result};

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(fs::read(path).map_err(|error| system("read", path, &error))?)
}

/// Writes a file whole or not at all: into a temporary file beside it, to the disk, then under its name.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(replace(path, bytes).map_err(|error| system("write", path, &error))?)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // If the path is a link, the file that the link points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut temporary = temporary_file(&folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(target)?;
    // The name survives a power cut only once the folder is on the disk. Not every system can sync a folder; the file
    // is written all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A temporary file with the permissions of any new file. tempfile's default, private, would outlast the renaming.
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Builder::new().permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder)
    }
    #[cfg(not(unix))]
    Builder::new().tempfile_in(folder)
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
