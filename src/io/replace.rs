//! Writing a file as a whole: a new file takes the place of the old one, so that no reader ever sees half of it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::files::system;
use crate::error::Result;

/// The most symbolic links that lead from one to the next, as on Linux.
const MAX_LINKS: usize = 40;
/// How much of a file's name its temporary file has in its own. No system allows more than 255 bytes in all.
const MAX_NAME: usize = 50;

/// Writes a file whole or not at all: into a temporary file beside it, to the disk, then under its name.
///
/// Symbolic links are followed, the last one to a file that is not there too. What is no file, such as a device or a
/// pipe, is written to.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(place(path, bytes).map_err(|error| system("write", path, &error))?)
}

fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = target(path)?;
    match fs::metadata(&target) {
        Ok(old) if !old.is_file() => OpenOptions::new().write(true).open(path)?.write_all(bytes),
        Ok(_) if is_open_file(&target) => {
            Err(refused("a file that is open already would be replaced: name the file itself"))
        }
        Ok(old) if old.permissions().readonly() => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file that is there is read-only"))
        }
        Ok(old) => replace(&target, bytes, Some(&old)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(&target, bytes, None),
        Err(error) => Err(error),
    }
}

fn replace(target: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = target.file_name().ok_or_else(|| refused("the path names no file"))?.to_string_lossy();
    let mut temporary = temporary_file(folder, &name, old)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(target)?;
    // The name survives a power cut only once the folder is on the disk. Not every system can sync a folder; the file
    // is written all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The path that symbolic links lead to. A link of the system's to an open file, such as `/dev/stdout`, leads no further.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        if is_open_file(&target) || !fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink()) {
            return Ok(target);
        }
        let next = fs::read_link(&target)?;
        // A relative link begins at its own folder; `join` takes an absolute one as it is.
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(refused("too many symbolic links"))
}

/// Whether a path stands for a file that a process has open.
fn is_open_file(path: &Path) -> bool {
    ["/proc", "/dev/fd"].iter().any(|folder| path.starts_with(folder))
}

fn refused(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// A temporary file whose name says whose it is, should its writer be killed: `.model.pt.ndarray-rnn-Xs3k0b.tmp`. It has
/// the permissions of the file that it replaces, and the owner where the system allows, or those of any new file.
fn temporary_file(folder: &Path, name: &str, old: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let name: String = name.chars().take(MAX_NAME).collect();
    let prefix = format!(".{name}.ndarray-rnn-");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    let Some(old) = old else {
        // tempfile's default, private, would outlast the renaming.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        return builder.tempfile_in(folder);
    };
    // Private until it has the permissions of the old file, which may be private too.
    let temporary = builder.tempfile_in(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        // Before the permissions: a change of owner takes some away.
        let _ = fchown(temporary.as_file(), Some(old.uid()), Some(old.gid()));
    }
    temporary.as_file().set_permissions(old.permissions())?;
    Ok(temporary)
}
