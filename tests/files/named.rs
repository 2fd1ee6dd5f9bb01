//! A file that is given to the reader of another format is named, with the reader that it should go to.

use ndarray::array;
use ndarray_rnn::io::keras::{Model, Weights};
use ndarray_rnn::io::{StateDict, Tensor, npy, npz, onnx, pt, safetensors};
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig};
use ndarray_rnn::{Result, Rnn, RnnConfig};

use crate::bytes;
use crate::common::TestResult;

/// A reader, and the name of its module.
type Reader = (&'static str, fn(&[u8]) -> Result<()>);

const READERS: [Reader; 6] = [
    ("safetensors", |bytes| safetensors::from_bytes(bytes).map(drop)),
    ("npz", |bytes| npz::from_bytes(bytes).map(drop)),
    ("npy", |bytes| npy::from_bytes(bytes).map(drop)),
    ("pt", |bytes| pt::from_bytes(bytes).map(drop)),
    ("onnx", |bytes| onnx::Model::<f32>::from_bytes(bytes).map(drop).and(onnx::from_bytes(bytes).map(drop))),
    ("keras", |bytes| Model::from_bytes(bytes).map(drop)),
];

#[test]
fn every_reader_names_files_of_the_others() -> TestResult {
    let rnn = Rnn::<f32>::zeros(RnnConfig::new(3, 2))?;
    let mut dict = StateDict::new();
    dict.add("", &rnn)?;
    let layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(3, 2))?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/fixtures/keras/model.keras");
    let files = [
        ("safetensors", safetensors::to_bytes(&dict)?),
        ("npz", npz::to_bytes(&dict)?),
        ("npy", npy::to_bytes(&Tensor::from_array(&array![1.0_f32])?)?),
        ("pt", pt::to_bytes(&dict)?),
        ("keras", Weights::new().layer(&layer).to_bytes()?),
        ("keras", std::fs::read(fixtures)?),
    ];
    for (own, bytes) in &files {
        for (reader, read) in READERS {
            let error = read(bytes).err().map(|error| error.to_string());
            match error {
                None => assert_eq!(*own, reader),
                Some(text) => {
                    assert!(
                        *own != reader && text.ends_with(&format!("use `io::{own}`")),
                        "{reader}: {text}"
                    );
                }
            }
        }
    }
    // A model of ONNX begins with no magic number.
    let model = onnx::Export::new(&rnn).to_bytes()?;
    assert!(READERS.iter().all(|(reader, read)| read(&model).is_ok() == (*reader == "onnx")));
    Ok(())
}

/// What a file holds decides, not its name.
#[test]
fn other_formats_are_named() -> TestResult {
    let tar = [&[0; 257][..], b"ustar\0", &[0; 249]].concat();
    let npy = npy::to_bytes(&Tensor::from_array(&array![1.0_f32])?)?;
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("safetensors", bytes("rnn.pt")?, "a zip archive, such as torch.save writes: use `io::pt`"),
        ("safetensors", bytes("rnn.npz")?, "a zip archive, such as numpy.savez writes: use `io::npz`"),
        ("npz", bytes("rnn.pt")?, "a zip archive, such as torch.save writes: use `io::pt`"),
        ("pt", bytes("rnn.npz")?, "a zip archive, such as numpy.savez writes: use `io::npz`"),
        (
            "pt",
            bytes("rnn.safetensors")?,
            "a header of JSON, such as safetensors writes: use `io::safetensors`",
        ),
        ("npz", npy, "an array, such as numpy.save writes: use `io::npy`"),
        (
            "pt",
            b"\x89HDF\r\n\x1a\n".into(),
            "an HDF5 file, such as Keras's save_weights writes: use `io::keras`",
        ),
        (
            "pt",
            tar,
            "a tar archive, such as torch.save wrote in torch 0.1: load it and save it again with a newer torch",
        ),
        (
            "pt",
            bytes("legacy.pt")?,
            "a pickle, such as torch.save wrote before torch 1.6: load it and save it again with a newer torch",
        ),
        (
            "safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid".into(),
            "a pointer of Git LFS to a file that is elsewhere: run `git lfs pull`",
        ),
    ];
    for (reader, bytes, words) in cases {
        let (_, read) = READERS.into_iter().find(|(name, _)| *name == reader).ok_or(reader)?;
        let error = read(&bytes).err().map(|error| error.to_string());
        assert_eq!(error, Some(format!("{reader}: file: expected the format {reader}, got {words}")));
    }
    Ok(())
}
