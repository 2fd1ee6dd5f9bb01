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

/// Checks that bytes are not plainly those of another format than the one asked for.
pub(super) fn expect_format(format: &'static str, bytes: &[u8]) -> Result<()> {
    match recognised(bytes) {
        Some((own, words)) if own != format => {
            Err(malformed(format, "file", format!("the format {format}"), words))
        }
        _ => Ok(()),
    }
}

/// The format of a file's bytes and what to do with such a file, if the first bytes say so.
fn recognised(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    // First: the size of a header may begin as any magic number.
    Some(if bytes.get(5..9) == Some(b"\0\0\0{") {
        ("safetensors", "a header of JSON, such as safetensors writes: use `io::safetensors`")
    } else if starts(b"PK\x03\x04") {
        let length = bytes.get(26..28).map_or(0, |size| usize::from(size[0]) | usize::from(size[1]) << 8);
        let first = bytes.get(30..30 + length).unwrap_or_default();
        if first.ends_with(b"data.pkl") {
            ("pt", "a zip archive, such as torch.save writes: use `io::pt`")
        } else if first.ends_with(b".npy") {
            ("npz", "a zip archive, such as numpy.savez writes: use `io::npz`")
        } else if first.ends_with(b".json") {
            ("keras", "a zip archive, such as Keras's model.save writes: use `io::keras`")
        } else {
            return None;
        }
    } else if starts(b"\x93NUMPY") {
        ("npy", "an array, such as numpy.save writes: use `io::npy`")
    } else if starts(b"\x89HDF\r\n\x1a\n") {
        ("keras", "an HDF5 file, such as Keras's save_weights writes: use `io::keras`")
    } else if bytes.get(257..262) == Some(b"ustar") {
        (
            "tar",
            "a tar archive, such as torch.save wrote in torch 0.1: load it and save it again with a newer torch",
        )
    } else if starts(BEFORE_1_6) {
        (
            "torch 1.5",
            "a pickle, such as torch.save wrote before torch 1.6: load it and save it again with a newer torch",
        )
    } else if matches!(bytes, [0x80, 2..=5, ..]) {
        (
            "pickle",
            "a pickle, such as Python's pickle.dump writes: save tensors by torch.save, arrays by numpy.savez",
        )
    } else if starts(b"version https://git-lfs") {
        ("git-lfs", "a pointer of Git LFS to a file that is elsewhere: run `git lfs pull`")
    } else {
        return None;
    })
}

/// How a file of torch before 1.6 begins, which is no zip archive: a pickle of torch's magic number.
const BEFORE_1_6: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";

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
