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
    unwritable.insert("__metadata__", Tensor::from_array(&ndarray::arr1(&[1.0_f32]))?)?;
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

/// The permissions of a file.
#[cfg(unix)]
fn mode(path: &std::path::Path) -> std::io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

/// A file keeps its permissions; one that is read-only is refused.
#[cfg(unix)]
#[test]
fn the_permissions_of_a_file_are_kept() -> TestResult {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    for rights in [0o600, 0o644, 0o666, 0o640, 0o700] {
        safetensors::write(&path, &dict(0)?)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(rights))?;
        safetensors::write(&path, &dict(1)?)?;
        assert_eq!((mode(&path)?, fs::read(&path)?), (rights, safetensors::to_bytes(&dict(1)?)?));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?;
    let error = safetensors::write(&path, &dict(0)?).err();
    let (operation, kind) = ("write", ErrorKind::PermissionDenied);
    let message = "the file that is there is read-only".into();
    assert_eq!(error, Some(FileError::System { operation, path: path.clone(), kind, message }.into()));
    assert_eq!((mode(&path)?, fs::read(&path)?), (0o444, safetensors::to_bytes(&dict(1)?)?));
    Ok(())
}

/// Links that lead nowhere lead to the new file, through folders and further links; a hard link keeps the old content.
#[cfg(unix)]
#[test]
fn links_are_followed() -> TestResult {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("models"))?;
    symlink("models/new.safetensors", at("dangling"))?;
    symlink("dangling", at("twice"))?;
    safetensors::write(at("twice"), &dict(0)?)?;
    assert!(
        fs::symlink_metadata(at("twice"))?.is_symlink() && fs::symlink_metadata(at("dangling"))?.is_symlink()
    );
    assert_eq!(fs::read(at("models/new.safetensors"))?, safetensors::to_bytes(&dict(0)?)?);

    fs::hard_link(at("models/new.safetensors"), at("other"))?;
    safetensors::write(at("dangling"), &dict(1)?)?;
    assert_eq!(fs::read(at("models/new.safetensors"))?, safetensors::to_bytes(&dict(1)?)?);
    assert_eq!(fs::read(at("other"))?, safetensors::to_bytes(&dict(0)?)?);

    symlink("loop", at("loop"))?;
    let error = safetensors::write(at("loop"), &dict(0)?).err();
    assert!(matches!(error, Some(Error::File(FileError::System { operation: "write", .. }))), "{error:?}");
    Ok(())
}

/// Devices, pipes and open files are written to or refused, and stand there afterwards.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_replaced() -> TestResult {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::path::Path;
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir()?;
    let error = safetensors::write(folder.path(), &dict(0)?).err();
    assert!(
        matches!(error, Some(Error::File(FileError::System { kind: ErrorKind::IsADirectory, .. }))),
        "{error:?}"
    );

    // No device of the system's: code that is wrong would replace it for every program.
    let link = folder.path().join("link");
    symlink("pipe", &link)?;
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn()?;
    safetensors::write(&link, &dict(0)?)?;
    assert_eq!(reader.wait_with_output()?.stdout, safetensors::to_bytes(&dict(0)?)?);
    assert!(fs::symlink_metadata(&pipe)?.file_type().is_fifo() && fs::symlink_metadata(&link)?.is_symlink());

    if Path::new("/proc/self/fd").exists() {
        use std::os::fd::AsRawFd;
        let path = folder.path().join("open.safetensors");
        safetensors::write(&path, &dict(0)?)?;
        let open = fs::File::open(&path)?;
        let error = safetensors::write(format!("/dev/fd/{}", open.as_raw_fd()), &dict(1)?).err();
        assert!(
            matches!(error, Some(Error::File(FileError::System { kind: ErrorKind::InvalidInput, .. }))),
            "{error:?}"
        );
        assert_eq!(fs::read(&path)?, safetensors::to_bytes(&dict(0)?)?);
    }
    Ok(())
}

/// A pipe is read to its end, a device that has none up to the limit.
#[cfg(unix)]
#[test]
fn pipes_are_read_and_endless_devices_are_not() -> TestResult {
    use std::process::Command;

    let folder = tempfile::tempdir()?;
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let file = crate::path("rnn.safetensors");
    let mut writer = Command::new("sh").args(["-c", "cat \"$0\" > \"$1\""]).arg(&file).arg(&pipe).spawn()?;
    assert_eq!(safetensors::read(&pipe)?, safetensors::read(&file)?);
    assert!(writer.wait()?.success());
    let error = safetensors::read("/dev/zero").err();
    assert!(
        matches!(error, Some(Error::File(FileError::System { kind: ErrorKind::FileTooLarge, .. }))),
        "{error:?}"
    );
    Ok(())
}

/// Where [`a_killed_writer_leaves_the_file`] has a process write.
#[cfg(unix)]
const WRITTEN: &str = "NDARRAY_RNN_TEST_WRITTEN";

/// The process that [`a_killed_writer_leaves_the_file`] starts.
#[cfg(unix)]
#[test]
#[ignore = "run by another test"]
fn writes_what_the_environment_says() -> TestResult {
    let path = std::env::var_os(WRITTEN).ok_or("no path")?;
    let mut large = StateDict::new();
    large.insert("zeros", Tensor::from_array(&ndarray::Array1::<f32>::zeros(1 << 16))?)?;
    safetensors::write(path, &large)?;
    Ok(())
}

/// The system kills a writer in the middle: it may write no more than some kilobytes into one file.
#[cfg(unix)]
#[test]
fn a_killed_writer_leaves_the_file() -> TestResult {
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    safetensors::write(&path, &dict(0)?)?;
    let status = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -f 8; exec \"$0\" --exact atomic::writes_what_the_environment_says --ignored"])
        .arg(std::env::current_exe()?)
        .env(WRITTEN, &path)
        .stdout(Stdio::null())
        .status()?;
    assert_eq!(status.code(), None, "killed by a signal");
    assert_eq!(fs::read(&path)?, safetensors::to_bytes(&dict(0)?)?);
    let mut names: Vec<_> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    names.sort();
    assert_eq!((names.len(), &names[1][..]), (2, "model.safetensors"));
    assert!(
        names[0].starts_with(".model.safetensors.ndarray-rnn-") && names[0].ends_with(".tmp"),
        "{names:?}"
    );
    Ok(())
}
