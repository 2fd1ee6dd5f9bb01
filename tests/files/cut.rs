//! Files that end too early: every fixture, of every format, cut at any byte.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray_rnn::io::keras::Model;
use ndarray_rnn::io::{npy, npz, onnx, pt, safetensors};
use ndarray_rnn::{Error, Result};

use crate::common::TestResult;

/// How many cuts of each file are tried in a short run, beside those near its ends.
const SAMPLES: usize = 60;

/// A reader of whole files.
type Read = fn(&[u8]) -> Result<()>;

/// The reader of files whose name ends so, and whether less of a file is a file too: a model of ONNX up to the end of a
/// field.
const READERS: [(&str, Read, bool); 7] = [
    ("pt", |bytes| pt::from_bytes(bytes).map(drop), false),
    ("npz", |bytes| npz::from_bytes(bytes).map(drop), false),
    ("npy", |bytes| npy::from_bytes(bytes).map(drop), false),
    ("safetensors", |bytes| safetensors::from_bytes(bytes).map(drop), false),
    ("keras", |bytes| Model::from_bytes(bytes).map(drop), false),
    ("h5", |bytes| Model::from_bytes(bytes).map(drop), false),
    ("model", |bytes| onnx::Model::<f32>::from_bytes(bytes).map(drop), true),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/fixtures")
}

/// Every fixture with its name, and what stands within some of them: npy files in npz, models in safetensors.
fn files() -> TestResult<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for folder in ["torch", "keras", "written", "onnx"] {
        for entry in fs::read_dir(fixtures().join(folder))? {
            let path = entry?.path();
            let (name, bytes) =
                (format!("{folder}/{}", path.file_name().ok_or("no name")?.display()), fs::read(&path)?);
            if folder == "onnx" {
                let models = safetensors::from_bytes(&bytes)?;
                let models = models.iter().filter(|(name, _)| name.ends_with(".model"));
                files
                    .extend(models.map(|(model, tensor)| (format!("{name} {model}"), tensor.bytes().into())));
                continue;
            }
            if name.ends_with(".npz") {
                let arrays = npz::from_bytes(&bytes)?;
                for (array, tensor) in arrays.iter().filter(|(_, tensor)| npy::to_bytes(tensor).is_ok()) {
                    files.push((format!("{name} {array}.npy"), npy::to_bytes(tensor)?));
                }
            }
            files.push((name, bytes));
        }
    }
    files.sort();
    Ok(files)
}

/// Cuts a file at some lengths. Returns how many cuts were refused, and how many read.
fn cut(name: &str, bytes: &[u8], lengths: impl Iterator<Item = usize>) -> TestResult<[usize; 2]> {
    let Some((_, read, may_be_cut)) = READERS.iter().find(|(end, ..)| name.rsplit('.').next() == Some(*end))
    else {
        return Ok([0, 0]);
    };
    let (mut refused, mut shorter) = (0, 0);
    for length in lengths {
        match read(&bytes[..length]) {
            Err(Error::File(_)) => refused += 1,
            // Nodes without their attributes or weights.
            Err(Error::Shape { .. } | Error::ZeroSize { .. }) if *may_be_cut => refused += 1,
            Ok(()) if *may_be_cut => shorter += 1,
            other => return Err(format!("{length} bytes: {other:?}").into()),
        }
    }
    Ok([refused, shorter])
}

/// The first and last bytes, and some between.
fn sampled(length: usize) -> impl Iterator<Item = usize> {
    let step = (length / SAMPLES).max(1);
    (0..length).filter(move |&at| at < 20 || at + 20 > length || at % step == at / step % step)
}

fn cut_all(of: impl Fn(usize) -> Vec<usize> + Sync) -> TestResult {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    let files = files()?;
    let count = files.len();
    let cuts = files.into_par_iter().map(|(name, bytes)| {
        cut(&name, &bytes, of(bytes.len()).into_iter()).map_err(|error| format!("{name}: {error}"))
    });
    let cuts: Vec<_> = cuts.collect::<std::result::Result<_, _>>()?;
    let [refused, same] = cuts.into_iter().fold([0; 2], |[a, b], [c, d]| [a + c, b + d]);
    println!("{count} files: {refused} cuts refused, {same} read");
    assert!(count > 300 && refused > 10_000, "{count} {refused}");
    Ok(())
}

#[test]
fn files_cut_at_some_bytes_are_refused() -> TestResult {
    cut_all(|length| sampled(length).collect())
}

#[test]
#[ignore = "some minutes"]
fn files_cut_at_every_byte_are_refused() -> TestResult {
    cut_all(|length| (0..length).collect())
}
