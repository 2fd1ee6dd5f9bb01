//! The format of a file, for one who gave it to the reader of another.

use super::files::malformed;
use crate::error::Result;

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
            ("Keras", "a zip archive, such as Keras's model.save writes: use `io::keras`")
        } else {
            return None;
        }
    } else if starts(b"\x93NUMPY") {
        ("npy", "an array, such as numpy.save writes: use `io::npy`")
    } else if starts(b"\x89HDF\r\n\x1a\n") {
        ("Keras", "an HDF5 file, such as Keras's save_weights writes: use `io::keras`")
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
