//! Converts a state dict from one file format to another.
//!
//! ```text
//! cargo run --release --all-features --example convert -- model.pt model.safetensors
//! ```
//!
//! Without arguments it converts a file of torch into every format, and compares the results.

use std::error::Error;
use std::path::Path;

use ndarray_rnn::io::{StateDict, npz, pt, safetensors};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/fixtures/torch/rnn.pt");

fn main() -> Result<()> {
    let paths: Vec<_> = std::env::args_os().skip(1).collect();
    match &paths[..] {
        [from, to] => convert(Path::new(from), Path::new(to)),
        [] => {
            let folder = tempfile::tempdir()?;
            ["model.safetensors", "model.npz", "model.pt"]
                .iter()
                .try_for_each(|name| convert(Path::new(FILE), &folder.path().join(name)))
        }
        _ => Err("two paths: what to convert, and into what".into()),
    }
}

fn convert(from: &Path, to: &Path) -> Result<()> {
    let dict = read(from)?;
    match extension(to) {
        "safetensors" => safetensors::write(to, &dict)?,
        "npz" => npz::write(to, &dict)?,
        "pt" | "pth" => pt::write(to, &dict)?,
        other => return Err(format!("no format has the ending {other:?}").into()),
    }
    println!("{} -> {}", from.display(), to.display());
    let again = read(to)?;
    for (name, tensor) in dict.iter() {
        println!("  {name:<24}{:<12}{:?}", tensor.dtype(), tensor.shape());
        assert_eq!(again.get(name), Some(tensor), "{name} is the same");
    }
    assert_eq!(again.len(), dict.len());
    Ok(())
}

fn read(path: &Path) -> Result<StateDict> {
    Ok(match extension(path) {
        "safetensors" => safetensors::read(path)?,
        "npz" => npz::read(path)?,
        "pt" | "pth" => pt::read(path)?,
        other => return Err(format!("no format has the ending {other:?}").into()),
    })
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}
