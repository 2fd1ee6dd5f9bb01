//! Zip archives. What is unpacked from an archive is limited by the archive's own size.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::budget::Budget;
use super::files::{malformed, unsupported};
use crate::error::{Error, Result};
use crate::room::room;

/// An archive to be read.
pub(super) struct Archive<'a> {
    format: &'static str,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The memory that everything made of the file may take together.
    pub(super) budget: Budget,
}

impl<'a> Archive<'a> {
    /// An archive of a file's bytes.
    ///
    /// # Errors
    /// [`FileError::Malformed`](crate::FileError::Malformed) for bytes that are no zip archive, and for two entries of
    /// one name.
    pub(super) fn open(format: &'static str, bytes: &'a [u8]) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| refused(format, "file", &error))?;
        if zip.has_duplicate_names() {
            return Err(malformed(format, "directory", "each name once", "a name twice"));
        }
        Ok(Self { format, zip, budget: Budget::new(format, bytes.len()) })
    }

    /// The names of all entries but folders, in the directory's order.
    ///
    /// # Errors
    /// [`FileError::Malformed`](crate::FileError::Malformed) if a name is not UTF-8.
    #[cfg(any(feature = "npz", feature = "pt"))]
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let names = self.zip.file_names().map(|name| match name {
            Ok(name) => Ok(name.into_owned()),
            Err(error) => Err(refused(self.format, "directory", &error)),
        });
        names.filter(|name| !matches!(name, Ok(name) if name.ends_with('/'))).collect()
    }

    /// Whether there is an entry of a name.
    #[cfg(feature = "keras-h5")]
    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// The content of an entry.
    ///
    /// # Errors
    /// [`FileError::Malformed`](crate::FileError::Malformed) if the archive has no such entry or the entry is damaged;
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for encryption and compression other than deflate;
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) if the content exceeds the budget;
    /// [`Error::SizeOverflow`] if no memory holds it.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let refused = |error: &ZipError| refused(self.format, name, error);
        let mut entry = self.zip.by_name(name).map_err(|error| refused(&error))?;
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        self.budget.take(name, size)?;
        // Deflate packs no more than 1032 bytes into one, so a directory that says more takes no memory for it.
        let most = usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX).saturating_mul(1032);
        let mut content = room(name, &[size.min(most)])?;
        // One byte more than the directory says shows that the entry is larger.
        let limit = entry.size().saturating_add(1);
        entry.by_ref().take(limit).read_to_end(&mut content).map_err(|error| refused(&error.into()))?;
        if content.len() != size {
            let actual = format!("{} bytes or more", content.len());
            return Err(malformed(self.format, name, format!("{size} bytes"), actual));
        }
        Ok(content)
    }
}

/// The error for what the zip crate refuses.
fn refused(format: &'static str, field: &str, error: &ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            unsupported(format, field, error.to_string())
        }
        ZipError::FileNotFound => malformed(format, field, "an entry of this name", "none"),
        _ => malformed(format, field, "a zip archive's entry", error),
    }
}

/// The most bytes that an archive has for an entry beside its content and twice its name, and at its end.
#[cfg(any(feature = "npz", feature = "pt"))]
const ENTRY: usize = 256;

/// An archive of uncompressed entries, each content at a multiple of 64 bytes. The same entries give the same bytes.
///
/// # Errors
/// [`FileError::Unsupported`](crate::FileError::Unsupported) for what zip cannot hold, such as a name of more than
/// 65535 bytes; [`Error::SizeOverflow`] if no memory holds it.
#[cfg(any(feature = "npz", feature = "pt"))]
pub(super) fn pack<'a>(
    format: &'static str,
    entries: impl IntoIterator<Item = (String, &'a [u8])>,
) -> Result<Vec<u8>> {
    use std::io::Write;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, System, ZipWriter};

    // The archive is not moved while it grows, and what it takes may not be there.
    let entries: Vec<_> = entries.into_iter().collect();
    let sizes = entries.iter().map(|(name, content)| content.len() + 2 * name.len() + ENTRY);
    let mut zip = ZipWriter::new(Cursor::new(room("file", &[sizes.sum::<usize>() + ENTRY])?));
    let options = SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Stored)
        .with_alignment(64)
        // The same on every system.
        .system(System::Unix);
    for (name, content) in entries {
        // From 4 GiB on a size needs zip64's header.
        let options = options.large_file(content.len() >= u32::MAX as usize);
        let written = zip.start_file(&*name, options).and_then(|()| Ok(zip.write_all(content)?));
        written.map_err(|error| unsupported(format, name, error.to_string()))?;
    }
    Ok(zip.finish().map_err(|error| unsupported(format, "file", error.to_string()))?.into_inner())
}
