//! What stands in a file beside the weights: left out and listed, or read, but never in the way of the weights.

use std::io::{Cursor, Write};

use ndarray::{Array2, ArrayD, array};
use ndarray_rnn::io::{Dtype, StateDict, Tensor, npy, npz, pt, safetensors};
use ndarray_rnn::{Error, FileError, Linear, LinearConfig, Nonlinearity, Parameters, Rnn, RnnConfig};
use zip::write::SimpleFileOptions;

use crate::common::TestResult;
use crate::path;

#[track_caller]
fn expect_skipped(dict: &StateDict, expected: &[(&str, &str)]) {
    let skipped: Vec<_> = dict.skipped().iter().map(|(name, what)| (&name[..], &what[..])).collect();
    assert_eq!(skipped, expected);
}

/// torch's own oddities, all of which `torch.load(weights_only=True)` reads.
#[test]
fn what_torch_keeps_beside_weights_is_listed() -> TestResult {
    let dict = pt::read(path("beside.pt"))?;
    assert_eq!(dict.names().collect::<Vec<_>>(), ["weight", "buffer", "parameter", "odd.7"]);
    let skipped = [
        ("array", "bytes"),
        ("bytes", "bytes"),
        ("channels", "a quantised tensor"),
        ("complex", "a complex number"),
        ("conjugate", "a conjugate or negative tensor"),
        ("counter", "a counter"),
        ("device", "a device"),
        ("dtype", "a type or function"),
        ("large", "a whole number of more than 64 bits"),
        ("layout", "a layout"),
        ("meta", "a meta tensor, which has no elements"),
        ("negative", "a conjugate or negative tensor"),
        ("odd.[0]", "what has a float as its key"),
        ("odd.[1]", "what has None as its key"),
        ("odd.[2]", "what has a bool as its key"),
        ("odd.[3]", "what has a tuple as its key"),
        ("quantised", "a quantised tensor"),
        ("rows", "a sparse tensor"),
        ("scheme", "a type or function"),
        ("set", "a set"),
        ("sparse", "a sparse tensor"),
        ("storage", "a storage"),
    ];
    expect_skipped(&dict, &skipped);
    expect_skipped(&dict.under("odd."), &[12, 13, 14, 15].map(|i| (&skipped[i].0[4..], skipped[i].1)));
    Ok(())
}

#[test]
fn what_numpy_put_beside_weights_is_listed() -> TestResult {
    let dict = pt::read(path("numpy.pt"))?;
    assert_eq!(dict.names().collect::<Vec<_>>(), ["weight"]);
    assert_eq!(dict.metadata()["losses.1"], "0.25");
    let scalar = "a scalar of NumPy, to be saved as `float(value)`";
    let array = "an array of NumPy, to be saved as a tensor";
    expect_skipped(
        &dict,
        &[("array", array), ("loss", scalar), ("losses.0", scalar), ("objects", array), ("texts", array)],
    );
    let dict = npz::read(path("beside.npz"))?;
    assert_eq!(dict.names().collect::<Vec<_>>(), ["weight"]);
    expect_skipped(
        &dict,
        &[
            ("bytes", "an array of element type '|S2'"),
            ("dates", "an array of element type '<M8[D]'"),
            ("objects", "an array of element type '|O'"),
            ("read.me", "no npy file"),
            ("records", "an array of element type [('a', '<f4'), ('b', '<i8', (2,))]"),
            ("texts", "an array of element type '<U2'"),
        ],
    );
    Ok(())
}

/// A model whose own weights were left out is refused, and the error says what they are.
#[test]
fn a_weight_that_was_left_out_is_named() -> TestResult {
    let dict = pt::read(path("sparse.pt"))?;
    expect_skipped(&dict, &[("sparse", "a sparse tensor")]);
    let mut sparse = Linear::<f32>::zeros(LinearConfig::new(2, 2).bias(false))?;
    let weight = npz::from_bytes(&archive(&[("weight.npy", text_array())], 0)?)?;
    let (format, field) = ("state dict", "weight".into());
    let feature = "an array of element type '<U1'".into();
    let expected = Some(Error::from(FileError::Unsupported { format, field, feature }));
    assert_eq!(Linear::<f32>::from_state_dict(&weight).err(), expected);
    assert_eq!(weight.load_into(&mut sparse).err(), expected);
    Ok(())
}

fn text_array() -> Vec<u8> {
    let header = "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }\n";
    [&b"\x93NUMPY\x01\0"[..], &[header.len() as u8, 0], header.as_bytes(), b"a\0\0\0"].concat()
}

/// An archive, packed from level 1 on.
fn archive(entries: &[(&str, Vec<u8>)], level: i64) -> TestResult<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let method =
            if level > 0 { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        let options = SimpleFileOptions::DEFAULT.compression_method(method);
        zip.start_file(*name, options.compression_level((level > 0).then_some(level)))?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// As `numpy.savez_compressed` packs an identity and a small array, 190 times; and zeros of half the limit, which are
/// counted once.
#[test]
fn packed_arrays_within_the_limit_are_read() -> TestResult {
    let eye = npy::to_bytes(&Tensor::from_array(&Array2::<f32>::eye(1000))?)?;
    let noise = Array2::from_shape_fn((1000, 4), |(i, j)| ((i * 7 + j * 13) as f32).sin());
    let noise = npy::to_bytes(&Tensor::from_array(&noise)?)?;
    let dict = npz::from_bytes(&archive(&[("eye.npy", eye), ("noise.npy", noise)], 6)?)?;
    assert_eq!(dict.get("eye").map(Tensor::shape), Some(&[1000, 1000][..]));
    let large = npy::to_bytes(&Tensor::from_array(&Array2::<f64>::zeros((1, (12 << 20) / 8)))?)?;
    assert_eq!(npz::from_bytes(&archive(&[("zeros.npy", large)], 6)?)?.len(), 1);
    Ok(())
}

/// `null` is what an empty `Option` is written as; the reference implementation reads it.
#[test]
fn metadata_may_be_null() -> TestResult {
    let header = r#"{"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &1.5_f32.to_le_bytes()].concat();
    let dict = safetensors::from_bytes(&file)?;
    assert_eq!((dict.len(), dict.metadata().len()), (1, 0));
    Ok(())
}

/// Every integer type of a file, and the numbers that do not fit.
#[test]
fn whole_numbers_come_and_go() -> TestResult {
    let dict = pt::read(path("dtypes.pt"))?;
    for name in ["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"] {
        let values: ArrayD<usize> = dict.get(name).ok_or("no array")?.to_ints(name)?;
        assert_eq!(values, array![[0, 1, 2], [3, 4, 5]].into_dyn(), "{name}");
    }
    let flags: ArrayD<u8> = dict.get("bool").ok_or("no array")?.to_ints("bool")?;
    assert_eq!(flags, array![[0, 1, 1], [1, 1, 1]].into_dyn());
    for name in ["float32", "bfloat16", "complex64"] {
        let (expected, actual) = ("usize".into(), name.into());
        let error = dict.get(name).ok_or("no array")?.to_ints::<usize>(name).err();
        assert_eq!(error, Some(FileError::Dtype { name: name.into(), expected, actual }.into()));
    }
    let ends = Tensor::from_ints(&array![i64::MIN, -100, -1, 0, i64::MAX])?;
    assert_eq!(
        (ends.dtype(), ends.to_ints::<i64>("ends")?),
        (Dtype::I64, array![i64::MIN, -100, -1, 0, i64::MAX].into_dyn())
    );
    let error = ends.to_ints::<usize>("ends").err();
    let (expected, actual) = ("usize".into(), format!("int64 {}", i64::MIN));
    assert_eq!(error, Some(FileError::Dtype { name: "ends".into(), expected, actual }.into()));
    assert!(matches!(Tensor::from_ints(&array![u64::MAX]), Err(Error::OutOfRange { .. })));
    Ok(())
}

/// A checkpoint of nested parts; `interop/torch_files.py` has torch read the same bytes.
#[test]
fn nested_checkpoints_come_back() -> TestResult {
    let mut dict = StateDict::new();
    dict.add("rnn.", &Rnn::<f32>::zeros(RnnConfig::new(3, 2))?)?;
    dict.metadata_mut().insert("note".into(), "word".into());
    let history = pt::Checkpoint::new().floats("loss", &[0.5, 0.25]).ints("epochs", &[1, 2]);
    let tokens = Tensor::from_ints(&array![[3_usize, 1]])?;
    let whole = pt::Checkpoint::new()
        .state_dict("model", &dict)
        .metadata("notes", &dict)
        .checkpoint("history", &history)
        .tensor("tokens", &tokens)
        .texts("labels", &["yes", "no"])
        .flag("done", true);
    let written = whole.to_bytes()?;
    let path = path("../written/nested.pt");
    assert_eq!(written, std::fs::read(path)?);
    let read = pt::from_bytes(&written)?;
    assert_eq!(read.under("model."), {
        let mut arrays = StateDict::new();
        dict.iter().try_for_each(|(name, tensor)| arrays.insert(name, tensor.clone()))?;
        arrays.metadata_mut().clone_from(read.metadata());
        arrays
    });
    assert_eq!(read.get("tokens"), Some(&tokens));
    let notes: Vec<_> = read.metadata().iter().map(|(name, text)| format!("{name}={text}")).collect();
    let expected = [
        "done=true",
        "history.epochs.0=1",
        "history.epochs.1=2",
        "history.loss.0=0.5",
        "history.loss.1=0.25",
        "labels.0=yes",
        "labels.1=no",
        "notes.note=word",
    ];
    assert_eq!(notes, expected);
    let twice = pt::Checkpoint::new().checkpoint("a", &pt::Checkpoint::new().int("b", 1).int("b", 2));
    assert_eq!(twice.to_bytes().err(), Some(Error::DuplicateParameter { name: "b".into() }));
    Ok(())
}

/// NumPy's verdict on headers: `numpy.lib.format.read_array_header_1_0` of 2.4 reads the first list and refuses the second.
#[test]
fn headers_are_read_as_numpy_reads_them() -> TestResult {
    let file = |version: u8, dict: &str| {
        let size = (dict.len() as u32).to_le_bytes();
        let size = if version == 1 { &size[..2] } else { &size[..] };
        [b"\x93NUMPY", &[version, 0][..], size, dict.as_bytes(), &[0; 8]].concat()
    };
    let read = [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}\n",
        "{'shape': (2,), 'fortran_order': True, 'descr': '<f4'}",
        r#"{"descr": "<f4", "fortran_order": False, "shape": ( 2 , )}"#,
        "{'descr':'<f4','fortran_order':False,'shape':(2L,),}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': ()}",
    ];
    for dict in read {
        for version in 1..=3 {
            assert_eq!(
                npy::from_bytes(&file(version, dict)).map(|tensor| tensor.bytes().len()),
                Ok(8),
                "{dict}"
            );
        }
    }
    let refused = [
        "",
        "{}",
        "('<f4', False, (2,))",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [2]}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,),,}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)",
        "{descr: '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ((2,),)}",
    ];
    for dict in refused {
        let error = npy::from_bytes(&file(1, dict)).err();
        assert!(matches!(error, Some(Error::File(FileError::Malformed { .. }))), "{dict}: {error:?}");
    }
    let many = Tensor::from_array(&ArrayD::<f32>::zeros(vec![1; 65]))?;
    assert!(matches!(
        npy::to_bytes(&many),
        Err(Error::File(FileError::TooLarge { limit: 64, actual: 65, .. }))
    ));
    Ok(())
}

/// A prefix that was forgotten, and one under which nothing is.
#[test]
fn prefixes_are_suggested() -> TestResult {
    let checkpoint = pt::read(path("checkpoint.pt"))?;
    let network =
        |dict: &StateDict| Rnn::<f32>::from_state_dict(dict, Nonlinearity::Tanh).err().map(|e| e.to_string());
    let there = "did you mean `under(\"model.encoder.rnn.\")`?";
    assert_eq!(network(&checkpoint), Some(format!("no weight_ih_l0: {there}")));
    assert_eq!(
        network(&checkpoint.under("model.")),
        Some(format!("no weight_ih_l0 under \"model.\": {there}"))
    );
    assert_eq!(network(&checkpoint.under("rnn.")), Some(format!("no weight_ih_l0 under \"rnn.\": {there}")));
    assert_eq!(
        network(&checkpoint.under("rnn.").under("encoder.")),
        Some(format!("no weight_ih_l0 under \"rnn.encoder.\": {there}"))
    );
    let mut linear = Linear::<f32>::zeros(LinearConfig::new(3, 2))?;
    let before = linear.clone();
    let error = checkpoint.under("head.").load_into(&mut linear).err().map(|error| error.to_string());
    let expected = "no weight under \"head.\": did you mean `under(\"model.head.\")`?";
    assert_eq!((error.as_deref(), linear.state_dict()), (Some(expected), before.state_dict()));
    let head = checkpoint.under("model.head.");
    let error = network(&head);
    let expected =
        "no weight_ih_l0 under \"model.head.\" among the names [\"model.head.weight\", \"model.head.bias\"]";
    assert_eq!(error.as_deref(), Some(expected));
    Ok(())
}
