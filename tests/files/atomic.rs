//! Files are written whole or not at all.

use std::fs;
use std::io::ErrorKind;

use ndarray_rnn::io::{StateDict, Tensor, safetensors};
use ndarray_rnn::{Error, FileError, Nonlinearity, Rnn, RnnConfig, manual_seed};

use crate::common::TestResult;

fn dict(seed: u32) -> TestResult<StateDict> {
    let mut dict = StateDict::new();
    dict.add("", &Rnn::<f32>::new(RnnConfig::new(3, 2), &mut manual_seed(seed))?)?;
    Ok(dict)
}

/// Nothing but the file is left, and the file that was there is replaced.
#[test]
fn a_file_replaces_another() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    for seed in 0..2 {
        safetensors::write(&path, &dict(seed)?)?;
        let rnn = Rnn::from_state_dict(&safetensors::read(&path)?, Nonlinearity::Tanh)?;
        assert_eq!(rnn, Rnn::<f32>::new(RnnConfig::new(3, 2), &mut manual_seed(seed))?);
        let names: Vec<_> =
            fs::read_dir(&folder)?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
        assert_eq!(names, ["model.safetensors"]);
    }
    Ok(())
}

/// A dict that cannot be written leaves the file as it was.
#[test]
fn a_refused_dict_leaves_the_file() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    safetensors::write(&path, &dict(0)?)?;
    let before = fs::read(&path)?;
    let mut unwritable = dict(1)?;
    unwritable.insert("__metadata__", Tensor::from_array(&ndarray::arr1(&[1.0_f32])))?;
    let (format, feature) = ("safetensors", "this name".into());
    let expected = FileError::Unsupported { format, field: "__metadata__".into(), feature };
    assert_eq!(safetensors::write(&path, &unwritable), Err(expected.into()));
    assert_eq!(fs::read(&path)?, before);
    Ok(())
}

#[test]
fn a_missing_folder_is_an_error() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("none").join("model.safetensors");
    // The error's text names the temporary file.
    let error = safetensors::write(&path, &dict(0)?).err();
    let (operation, kind, path) = ("write", ErrorKind::NotFound, path.clone());
    let message = match &error {
        Some(Error::File(FileError::System { message, .. })) => message.clone(),
        _ => String::new(),
    };
    assert_eq!(error, Some(FileError::System { operation, path, kind, message }.into()));
    assert_eq!(fs::read_dir(&folder)?.count(), 0);
    Ok(())
}

/// The file has the permissions of any new file. A link is followed to what it points to.
#[cfg(unix)]
#[test]
fn rights_and_links_are_the_usual() -> TestResult {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir()?;
    let (plain, path, link) =
        (folder.path().join("plain"), folder.path().join("real"), folder.path().join("link"));
    fs::write(&plain, "")?;
    safetensors::write(&path, &dict(0)?)?;
    assert_eq!(fs::metadata(&path)?.permissions().mode(), fs::metadata(&plain)?.permissions().mode());
    symlink(&path, &link)?;
    safetensors::write(&link, &dict(1)?)?;
    assert!(fs::symlink_metadata(&link)?.is_symlink());
    assert_eq!(fs::read(&path)?, safetensors::to_bytes(&dict(1)?)?);
    Ok(())
}
