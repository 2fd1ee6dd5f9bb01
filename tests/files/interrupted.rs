//! Writers that are killed, and disks that are full: whatever the format, the file is the old one or the new one.
#![cfg(unix)]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ndarray_rnn::io::{StateDict, Tensor, keras, npy, npz, onnx, pt, safetensors};
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
use ndarray_rnn::{Error, FileError, Result, Rnn, RnnConfig, manual_seed};

use crate::common::TestResult;

/// Some bytes, of which there are two for every size: so that one file can replace another.
type Content = fn(size: usize, seed: u32) -> Result<Vec<u8>>;

/// Writes these bytes.
type Write = fn(path: &Path, size: usize, seed: u32) -> Result<()>;

fn dict(size: usize, seed: u32) -> Result<StateDict> {
    let mut dict = StateDict::new();
    dict.insert("numbers", Tensor::from_array(&ndarray::Array1::from_elem(size, seed as f32))?)?;
    Ok(dict)
}

fn tensor(size: usize, seed: u32) -> Result<Tensor> {
    Tensor::from_array(&ndarray::Array1::from_elem(size, seed as f32))
}

fn checkpoint(size: usize, seed: u32) -> Result<pt::Checkpoint> {
    Ok(pt::Checkpoint::new().state_dict("model", &dict(size, seed)?).int("epoch", 3))
}

fn rnn(size: usize, seed: u32) -> Result<Rnn> {
    Rnn::new(RnnConfig::new(size / 16, 16), &mut manual_seed(seed))
}

fn layer(size: usize, seed: u32) -> Result<SimpleRnn<f32>> {
    SimpleRnn::new(SimpleRnnConfig::new(size / 16, 16), &mut set_random_seed(seed))
}

/// Every function that writes a file.
const WRITERS: [(&str, Write, Content); 7] = [
    (
        "safetensors",
        |path, size, seed| safetensors::write(path, &dict(size, seed)?),
        |size, seed| safetensors::to_bytes(&dict(size, seed)?),
    ),
    (
        "npz",
        |path, size, seed| npz::write(path, &dict(size, seed)?),
        |size, seed| npz::to_bytes(&dict(size, seed)?),
    ),
    (
        "npy",
        |path, size, seed| npy::write(path, &tensor(size, seed)?),
        |size, seed| npy::to_bytes(&tensor(size, seed)?),
    ),
    (
        "pt",
        |path, size, seed| pt::write(path, &dict(size, seed)?),
        |size, seed| pt::to_bytes(&dict(size, seed)?),
    ),
    (
        "checkpoint",
        |path, size, seed| checkpoint(size, seed)?.write(path),
        |size, seed| checkpoint(size, seed)?.to_bytes(),
    ),
    (
        "onnx",
        |path, size, seed| onnx::Export::new(&rnn(size, seed)?).write(path),
        |size, seed| onnx::Export::new(&rnn(size, seed)?).to_bytes(),
    ),
    (
        "keras",
        |path, size, seed| keras::Weights::new().layer(&layer(size, seed)?).write(path),
        |size, seed| keras::Weights::new().layer(&layer(size, seed)?).to_bytes(),
    ),
];

const LARGE: usize = 1 << 18;

/// By which a process knows what to do, and where.
const TASK: &str = "NDARRAY_RNN_TASK";
const PATH: &str = "NDARRAY_RNN_PATH";

/// What the processes do that the tests here begin.
#[test]
#[ignore = "what other tests call"]
fn does_what_the_environment_says() -> TestResult {
    let (Ok(task), Some(path)) = (std::env::var(TASK), std::env::var_os(PATH)) else { return Ok(()) };
    match task.strip_prefix("write ") {
        Some(name) => write_without_end(name, Path::new(&path)),
        None => fill(Path::new(&path), &task),
    }
}

/// A process that does a task, begun by a shell's words, which end in `exec`.
fn begin(words: &str, task: &str, path: &Path) -> TestResult<Child> {
    let program = std::env::current_exe()?;
    let test = "interrupted::does_what_the_environment_says --exact --ignored --nocapture";
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{words} \"$0\" {test}")]).arg(program).env(TASK, task).env(PATH, path);
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

fn write_without_end(name: &str, path: &Path) -> TestResult {
    let (_, write, _) = WRITERS.into_iter().find(|(known, ..)| *known == name).ok_or("no such writer")?;
    loop {
        write(path, LARGE, 1)?;
        write(path, LARGE, 2)?;
    }
}

/// The names in a folder that are not the file's, each of which must say whose it is.
fn left_over(folder: &Path) -> TestResult<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "file" {
            assert!(name.starts_with(".file.ndarray-rnn-") && name.ends_with(".tmp"), "{name}");
            count += 1;
        }
    }
    Ok(count)
}

/// Kills writers at one moment after another. Returns how often the file was the old one, and how often one of the new
/// ones, and how many temporary files were left.
fn kill(times: u64) -> TestResult<[usize; 3]> {
    let mut seen = [0; 3];
    for (name, write, content) in WRITERS {
        let [old, one, other] = [content(64, 0)?, content(LARGE, 1)?, content(LARGE, 2)?];
        for time in 0..times {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("file");
            write(&path, 64, 0)?;
            let mut writer = begin("exec", &format!("write {name}"), &path)?;
            std::thread::sleep(Duration::from_micros(5_000 + time * 120_000 / times + time * 7_919 % 5_000));
            writer.kill()?;
            writer.wait()?;
            let found = fs::read(&path)?;
            assert!(found == old || found == one || found == other, "{name}: {} bytes", found.len());
            seen[usize::from(found != old)] += 1;
            seen[2] += left_over(folder.path())?;
        }
    }
    Ok(seen)
}

/// By a signal that no process can answer.
#[test]
fn a_killed_writer_leaves_one_file_or_the_other() -> TestResult {
    println!("old, new, left over: {:?}", kill(4)?);
    Ok(())
}

#[test]
#[ignore = "a minute"]
fn writers_killed_at_every_moment_leave_one_file_or_the_other() -> TestResult {
    let seen = kill(150)?;
    println!("old, new, left over: {seen:?}");
    assert!(seen.iter().all(|&count| count > 20), "{seen:?}");
    Ok(())
}

#[track_caller]
fn expect_refused<T>(name: &str, result: Result<T>, expected: ErrorKind) {
    let error = result.err();
    let kind = match &error {
        Some(Error::File(FileError::System { operation: "write", kind, .. })) => Some(*kind),
        _ => None,
    };
    assert_eq!(kind, Some(expected), "{name}: {error:?}");
}

/// Writes files to a place that holds small ones alone, which the task calls by the kind of error.
fn fill(path: &Path, task: &str) -> TestResult {
    let kind = if task == "full" { ErrorKind::StorageFull } else { ErrorKind::FileTooLarge };
    for (name, write, content) in WRITERS {
        write(path, 64, 0)?;
        expect_refused(name, write(path, LARGE, 1), kind);
        assert_eq!(fs::read(path)?, content(64, 0)?, "{name}");
        assert_eq!(left_over(path.parent().ok_or("no folder")?)?, 0, "{name}");
        fs::remove_file(path)?;
        expect_refused(name, write(path, LARGE, 1), kind);
        assert!(!path.exists());
    }
    println!("all were refused");
    Ok(())
}

fn expect_done(process: Child) -> TestResult {
    let output = process.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all were refused"), "{said}\n{complaint}");
    Ok(())
}

/// A limit on the size of a file, whose signal is ignored.
#[test]
fn a_file_that_may_not_be_so_large_is_refused() -> TestResult {
    let folder = tempfile::tempdir()?;
    expect_done(begin("trap '' XFSZ; ulimit -f 64; exec", "limit", &folder.path().join("file"))?)
}

/// A disk in memory of 256 KiB, where one may be mounted for one process.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() -> TestResult {
    let folder = tempfile::tempdir()?;
    let mount = "mount -t tmpfs -o size=256k none";
    let may = Command::new("unshare")
        .args(["-m", "sh", "-c", &format!("{mount} \"$0\"")])
        .arg(folder.path())
        .output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        println!("not tested: no disk may be mounted here");
        return Ok(());
    }
    let words =
        format!("exec unshare -m sh -c '{mount} \"$(dirname \"$NDARRAY_RNN_PATH\")\"; exec \"$0\" \"$@\"'");
    expect_done(begin(&words, "full", &folder.path().join("file"))?)
}

/// A device that is always full.
#[test]
#[cfg(target_os = "linux")]
fn a_full_device_is_an_error() -> TestResult {
    use std::os::unix::fs::{FileTypeExt, symlink};

    // By a link: code that is wrong would replace the link.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file");
    symlink("/dev/full", &path)?;
    for (name, write, _) in WRITERS {
        expect_refused(name, write(&path, 64, 0), ErrorKind::StorageFull);
        assert!(fs::metadata(&path)?.file_type().is_char_device());
    }
    Ok(())
}
