//! What can be wrong with a file.

use std::io;
use std::path::PathBuf;

/// Why a file was not read or not written. After such an error nothing has changed, in memory or on disk.
///
#[cfg_attr(feature = "safetensors", doc = "```")]
#[cfg_attr(not(feature = "safetensors"), doc = "```ignore")]
/// use ndarray_rnn::io::safetensors;
/// use ndarray_rnn::{Error, FileError};
///
/// let error = safetensors::from_bytes(b"no model").unwrap_err();
/// assert!(matches!(error, Error::File(FileError::Malformed { format: "safetensors", .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {operation} {}: {message}", path.display())]
    System {
        /// What was tried: `read` or `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The kind of error.
        kind: io::ErrorKind,
        /// The operating system's text.
        message: String,
    },

    /// The bytes are not what the format prescribes: cut off, damaged, or another format.
    #[error("{format}: {field}: expected {expected}, got {actual}")]
    Malformed {
        /// The format, such as `safetensors`.
        format: &'static str,
        /// The part of the file, such as `header` or a tensor's name.
        field: String,
        /// What it must be.
        expected: String,
        /// What it is.
        actual: String,
    },

    /// The file is valid, but has something that is not read here, such as encryption.
    #[error("{format}: {field}: {feature} is not supported")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// The part of the file.
        field: String,
        /// What is not read.
        feature: String,
    },

    /// Reading on would take more memory, or more nested calls, than a file of this size deserves.
    #[error("{format}: {field} is too large: {actual}, at most {limit}")]
    TooLarge {
        /// The format.
        format: &'static str,
        /// What is too large, such as `decompressed size`.
        field: String,
        /// The most that is allowed.
        limit: usize,
        /// How large it is, at least.
        actual: usize,
    },

    /// A pickle asks for something that is no tensor and no plain container. It was not executed.
    #[error("{format}: {global} is not among what a state dict is made of, and is never executed")]
    ForbiddenGlobal {
        /// The format.
        format: &'static str,
        /// The Python name, such as `builtins.eval`.
        global: String,
    },

    /// An array has another element type than was asked for; [`StateDict::to`](crate::io::StateDict::to) converts.
    #[error("{name}: expected dtype {expected}, got {actual}")]
    Dtype {
        /// The array's name.
        name: String,
        /// The element type asked for, such as `float32`.
        expected: String,
        /// What the file has.
        actual: String,
    },

    /// A model is not in the file, or not under this prefix.
    #[error("no {name} among the names {present:?}")]
    NotFound {
        /// The name of the model's first parameter.
        name: &'static str,
        /// The first names that there are, at most twenty.
        present: Vec<String>,
    },
}
