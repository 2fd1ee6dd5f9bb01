//! torch's own files, `.pt` or `.pth`, as `torch.save` has written them since torch 1.6.
//!
//! ```
//! use ndarray_rnn::io::{StateDict, pt};
//! use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, manual_seed};
//!
//! let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
//! let mut dict = StateDict::new();
//! dict.add("encoder.rnn.", &rnn)?;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("model.pt");
//! pt::write(&path, &dict)?;
//! let read = pt::read(&path)?;
//! assert_eq!(Rnn::from_state_dict(&read.under("encoder.rnn."), Nonlinearity::Tanh)?, rnn);
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! In Python: `torch.save(module.state_dict(), path)` and `module.load_state_dict(torch.load(path))`.
//!
//! Such a file holds a pickle, and a pickle is a program. This crate follows the few dozen instructions that build
//! tensors, dicts, lists, tuples, numbers and text, as `torch.load(weights_only=True)` does.
//!
//! Nested values are named by their path. In `{"model": module.state_dict(), "epoch": 3}` the arrays are those
//! `under("model.")`; items of lists and tuples are numbered; numbers, bools and text go into the metadata, here
//! `"epoch"` as `"3"`. A tensor saved alone is named `"tensor"`. Tensors that overlap in one storage become separate
//! arrays.
//!
//! What stands beside the weights and is neither of these is left out, and [listed](StateDict::skipped):
//!
//! * tensors without plain elements: sparse, quantised, meta, conjugate and negative ones; storages
//! * scalars and arrays of NumPy, which `weights_only` refuses: `float(loss)` would be read
//! * what a key leads to that is neither text nor a whole number
//! * bytes, sets, counters, complex numbers, whole numbers of more than 64 bits, devices, types and layouts
//!
//! Nothing is read of a file whose pickle asks for anything else, such as the class of a module saved whole, a `Path` or
//! an `argparse.Namespace`: it is [refused by name](crate::FileError::ForbiddenGlobal).
//!
//! # Go on from a torch checkpoint, and back
//!
//! In Python: `torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)`, of a module
//! whose members are `rnn` and `fc` in this order.
//!
//! ```no_run
//! use ndarray_rnn::io::{StateDict, pt};
//! use ndarray_rnn::optim::{Adam, AdamConfig, StepLr};
//! use ndarray_rnn::{Linear, Lstm};
//!
//! let checkpoint = pt::read("torch.pt")?;
//! let lstm = Lstm::<f32>::from_state_dict(&checkpoint.under("model.rnn."))?;
//! let fc = Linear::<f32>::from_state_dict(&checkpoint.under("model.fc."))?;
//! let mut model = (lstm, fc); // in the order of the module's members
//! let mut adam = Adam::new(AdamConfig::new(), &model)?; // AdamW too: the options come from the file
//! adam.load_torch(&checkpoint, "optimizer.")?;
//!
//! // A schedule is a function of the epoch. torch keeps the first rate as `initial_lr`.
//! let base_lr = checkpoint.metadata().get("optimizer.param_groups.0.initial_lr").and_then(|lr| lr.parse().ok());
//! let schedule = StepLr::new(base_lr.unwrap_or(adam.lr()), 30, 0.1)?;
//! for epoch in 3..90 {
//!     adam.set_lr(schedule.lr(epoch))?;
//!     // train for one epoch
//! }
//!
//! let mut dict = StateDict::new();
//! dict.add("rnn.", &model.0)?;
//! dict.add("fc.", &model.1)?;
//! pt::Checkpoint::new()
//!     .state_dict("model", &dict)
//!     .optimizer("optimizer", &adam)
//!     .int("epoch", 90)
//!     .write("back.pt")?;
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! In Python: `model.load_state_dict(checkpoint["model"])` and `optimizer.load_state_dict(checkpoint["optimizer"])`.

// Each imports only from those before it: value, globals, pickle, walk; and for writing write, checkpoint.
mod checkpoint;
mod globals;
mod pickle;
mod value;
mod walk;
mod write;

pub use checkpoint::Checkpoint;

use std::path::Path;

use super::StateDict;
use super::archive::Archive;
use super::files::{self, malformed};
use super::recognise::expect_format;
use crate::error::Result;

const FORMAT: &str = "pt";

/// The arrays, numbers and text of a file.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be read; as [`from_bytes`].
pub fn read(path: impl AsRef<Path>) -> Result<StateDict> {
    from_bytes(&files::read(path.as_ref())?)
}

/// The arrays, numbers and text of a file's bytes, for instance of [`include_bytes!`].
///
/// # Errors
/// [`FileError::ForbiddenGlobal`](crate::FileError::ForbiddenGlobal) for a pickle of anything but tensors and plain
/// values; [`FileError::Malformed`](crate::FileError::Malformed) for a damaged file, for one of torch before 1.6, for one
/// whose tensors are not in it, and for one without checksums, as torch writes after
/// `torch.serialization.set_crc32_options(False)`; [`FileError::TooLarge`](crate::FileError::TooLarge) for a file that would take more
/// than 16 times its size in memory, and more than 1 MiB, or is nested too deep;
/// [`Error::DuplicateParameter`](crate::Error::DuplicateParameter) for two arrays of one name.
pub fn from_bytes(bytes: &[u8]) -> Result<StateDict> {
    expect_format(FORMAT, bytes)?;
    let mut archive = Archive::open(FORMAT, bytes)?;
    let names = archive.names()?;
    let folder = folder(&names)?;
    let order = format!("{folder}byteorder");
    // torch writes this entry since 2.1.
    let big_endian = names.contains(&order) && big_endian(&archive.read(&order)?)?;
    let pickle = archive.read(&format!("{folder}data.pkl"))?;
    let (values, root) = pickle::unpickle(&pickle, &mut archive.budget)?;
    walk::state_dict(&values, root, archive, folder, big_endian)
}

/// The folder of `data.pkl`, with the slash after it.
fn folder(names: &[String]) -> Result<&str> {
    let folders = names.iter().filter_map(|name| name.strip_suffix("data.pkl"));
    let mut folders =
        folders.filter(|folder| folder.is_empty() || folder.find('/') == Some(folder.len() - 1));
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(folder),
        (found, _) => {
            let actual = if found.is_none() { "none" } else { "several" };
            Err(malformed(FORMAT, "directory", "one data.pkl", actual))
        }
    }
}

fn big_endian(order: &[u8]) -> Result<bool> {
    match order {
        b"little" => Ok(false),
        b"big" => Ok(true),
        _ => Err(malformed(FORMAT, "byteorder", "little or big", String::from_utf8_lossy(order))),
    }
}

/// Writes the arrays into a file, as the state dict of a module: whole or not at all, the same bytes each time.
/// A module's state dict has no place for the metadata, which is left out; a [`Checkpoint`] has, and for numbers, texts
/// and nested dicts too.
///
/// # Errors
/// [`FileError::System`](crate::FileError::System) for a file that cannot be written; as [`to_bytes`].
pub fn write(path: impl AsRef<Path>, state_dict: &StateDict) -> Result<()> {
    files::write(path.as_ref(), &to_bytes(state_dict)?)
}

/// The bytes that [`write()`] writes.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for a name of more than 4 GiB,
/// [`FileError::Malformed`](crate::FileError::Malformed) for sizes beyond `i64`.
pub fn to_bytes(state_dict: &StateDict) -> Result<Vec<u8>> {
    write::to_bytes(&write::Item::State(state_dict.clone()))
}
