//! Models from files and back: torch's files load, what is written here loads in torch, and no bytes do harm.
//!
//! The fixtures are real files, made by the scripts of `tests/interop`. Beside each stands what its own library
//! reads from it.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/mutations.rs"]
mod mutated;

mod atomic;
mod beside;
mod bytes;
mod cut;
mod interrupted;
mod json;
mod mutations;
mod named;
mod optimizers;
mod refused;
mod resume;
mod state_dict;
mod tagger;
mod torch;

use std::path::{Path, PathBuf};

use common::TestResult;
use ndarray_rnn::io::{StateDict, npz, pt, safetensors};

/// A file format, as every test sees it.
#[derive(Debug, Clone, Copy)]
struct Format {
    name: &'static str,
    from_bytes: fn(&[u8]) -> ndarray_rnn::Result<StateDict>,
    to_bytes: fn(&StateDict) -> ndarray_rnn::Result<Vec<u8>>,
}

const FORMATS: [Format; 3] = [
    Format { name: "safetensors", from_bytes: safetensors::from_bytes, to_bytes: safetensors::to_bytes },
    Format { name: "npz", from_bytes: npz::from_bytes, to_bytes: npz::to_bytes },
    Format { name: "pt", from_bytes: pt::from_bytes, to_bytes: pt::to_bytes },
];

/// The format that a file's name ends in.
fn format(file: &str) -> TestResult<Format> {
    let end = file.rsplit('.').next();
    let found = FORMATS.into_iter().find(|format| Some(format.name) == end);
    Ok(found.ok_or_else(|| format!("no format of {file}"))?)
}

/// The path of one of torch's files.
fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/fixtures/torch").join(file)
}

/// The bytes of one of torch's files.
fn bytes(file: &str) -> TestResult<Vec<u8>> {
    Ok(std::fs::read(path(file))?)
}
