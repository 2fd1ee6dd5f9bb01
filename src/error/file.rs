//! The errors of files.

use std::io;
use std::path::PathBuf;

/// Why a file was not read or not written. After an error nothing has changed, in memory or on disk.
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
    /// The operating system refused to read or write the file.
    #[error("cannot {operation} {}: {message}", path.display())]
    System {
        /// The operation: `read` or `write`.
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
        /// What the part must be.
        expected: String,
        /// What the part is.
        actual: String,
    },

    /// The file is valid, but has something that this crate does not read, such as encryption.
    #[error("{format}: {field}: {feature} is not supported")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// The part of the file.
        field: String,
        /// What this crate does not read.
        feature: String,
    },

    /// Reading the file would take more memory, or more nested calls, than the limit for a file of its size.
    #[error("{format}: {field} is too large: {actual}, at most {limit}")]
    TooLarge {
        /// The format.
        format: &'static str,
        /// What is too large, such as `decompressed size`.
        field: String,
        /// The limit.
        limit: usize,
        /// How large the part is, at least.
        actual: usize,
    },

    /// A pickle asks for a function or class that no state dict needs. It was not called.
    #[error("{format}: {global} is no part of a state dict, and is never called{}", advice(global))]
    ForbiddenGlobal {
        /// The format.
        format: &'static str,
        /// The Python name of the function or class, such as `builtins.eval`.
        global: String,
    },

    /// An array has another element type than the one asked for; [`StateDict::to`](crate::io::StateDict::to) converts.
    #[error("{name}: expected dtype {expected}, got {actual}")]
    Dtype {
        /// The array's name.
        name: String,
        /// The element type asked for, such as `float32`.
        expected: String,
        /// The file's element type.
        actual: String,
    },

    /// A model's parameter is not among the arrays, or not under this prefix.
    #[error("{}", missing(name, prefix, found_under, present))]
    MissingWeights {
        /// The name of the parameter, without the prefix.
        name: String,
        /// The prefix under which it was looked for, such as `encoder.`; empty for the whole file.
        prefix: String,
        /// The prefixes under which the file has a parameter of this name.
        found_under: Vec<String>,
        /// The names in the file, at most the first twenty.
        present: Vec<String>,
    },

    /// A layer or node is not in the file.
    #[error("no {name} among the names {present:?}")]
    NotFound {
        /// What was looked for.
        name: &'static str,
        /// The names in the file, at most the first twenty.
        present: Vec<String>,
    },
}

/// What the writer of a pickle had better save.
fn advice(global: &str) -> &'static str {
    let (module, name) = global.rsplit_once('.').unwrap_or(("", global));
    if module.starts_with("numpy") {
        "; save a number as `float(value)`, and an array as a tensor"
    } else if module.starts_with("torch.optim") {
        "; save `optimizer.state_dict()`"
    } else if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        "; of a module saved whole, save `module.state_dict()`"
    } else {
        ""
    }
}

fn missing(name: &str, prefix: &str, found_under: &[String], present: &[String]) -> String {
    let place = if prefix.is_empty() { String::new() } else { format!(" under {prefix:?}") };
    match found_under {
        [] => format!("no {name}{place} among the names {present:?}"),
        [one] => format!("no {name}{place}: did you mean `under({one:?})`?"),
        [first, ..] => {
            format!("no {name}{place}: found under {found_under:?}; did you mean `under({first:?})`?")
        }
    }
}
