//! Data of a model in files beside it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::TensorProto;
use super::{FORMAT, unsupported};
use crate::error::Result;
use crate::io::budget::Budget;
use crate::io::files::{self, malformed};
use crate::room::zero_elements;

/// The folder of a model's file.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// `None` for a model that is no file.
    path: Option<PathBuf>,
    /// The files that have been read: each counts once as a part of the model.
    counted: BTreeSet<PathBuf>,
}

/// A range of a file.
struct Range {
    path: PathBuf,
    offset: u64,
    length: Option<u64>,
}

impl Folder {
    /// The folder of a file.
    pub(super) fn of(path: &Path) -> Self {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self { path: Some(parent.unwrap_or(Path::new(".")).into()), counted: BTreeSet::new() }
    }

    /// The `length` bytes of an array, which errors call `name`.
    ///
    /// # Errors
    /// [`FileError::Unsupported`] for a model that is no file, and for a file outside the model's folder;
    /// [`FileError::System`] for a file that cannot be read; [`FileError::Malformed`] for a file that is too short.
    pub(super) fn read(
        &mut self,
        name: &str,
        proto: &TensorProto,
        length: usize,
        budget: &mut Budget,
    ) -> Result<Vec<u8>> {
        let Some(folder) = &self.path else {
            return Err(unsupported(name, "data in another file, for a model that is not read by its path,"));
        };
        let range = range(name, proto)?;
        if let Some(given) = range.length.filter(|&given| given != length as u64) {
            let actual = format!("{given} bytes of another file");
            return Err(malformed(FORMAT, name, format!("{length} bytes"), actual));
        }
        let location = range.path.display();
        let outside = || unsupported(name, format!("data in {location}, outside the folder of the model,"));
        if !range.path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(outside());
        }
        let system = |error| files::system("read", &folder.join(&range.path), &error);
        // A link may lead anywhere: the path that counts is the one without links.
        let root = fs::canonicalize(folder).map_err(system)?;
        let path = fs::canonicalize(folder.join(&range.path)).map_err(system)?;
        if !path.starts_with(&root) {
            return Err(outside());
        }
        let metadata = fs::metadata(&path).map_err(system)?;
        let end = range.offset.saturating_add(length as u64);
        if !metadata.is_file() || metadata.len() < end {
            let (expected, actual) = (format!("a file of at least {end} bytes"), metadata.len());
            return Err(malformed(FORMAT, format!("{name} in {location}"), expected, actual));
        }
        if self.counted.insert(path.clone()) {
            budget.grow(usize::try_from(metadata.len()).unwrap_or(usize::MAX));
        }
        budget.take(name, length)?;
        let mut bytes = zero_elements(name, &[length])?;
        let mut file = File::open(&path).map_err(system)?;
        file.seek(SeekFrom::Start(range.offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(system)?;
        Ok(bytes)
    }
}

/// Where an array is.
fn range(name: &str, proto: &TensorProto) -> Result<Range> {
    let mut range = Range { path: PathBuf::new(), offset: 0, length: None };
    for entry in &proto.external_data {
        let number = || {
            let number = entry.value().parse();
            number
                .map_err(|_| malformed(FORMAT, format!("{name}.{}", entry.key()), "a number", entry.value()))
        };
        match entry.key() {
            "location" => range.path = entry.value().into(),
            "offset" => range.offset = number()?,
            "length" => range.length = Some(number()?),
            // A checksum, which no version of ONNX checks, or what a later version adds.
            _ => {}
        }
    }
    if range.path.as_os_str().is_empty() {
        return Err(malformed(FORMAT, name, "the location of its data", "none"));
    }
    Ok(range)
}
