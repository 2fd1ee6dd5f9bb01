//! Files that are refused: each with its typed error, whatever was in it before.

use ndarray_rnn::io::{StateDict, npy, npz, pt, safetensors};
use ndarray_rnn::{Error, FileError, Nonlinearity, Result, Rnn, RnnConfig};

use crate::common::TestResult;
use crate::{FORMATS, bytes, path};

#[track_caller]
fn expect_file_error<T: std::fmt::Debug>(result: Result<T>, message: &str) {
    let error = result.map_err(|error| (matches!(error, Error::File(_)), error.to_string()));
    assert_eq!(error.map(|value| format!("{value:?}")), Err((true, message.to_owned())));
}

fn forbidden(global: &str) -> Error {
    FileError::ForbiddenGlobal { format: "pt", global: global.into() }.into()
}

/// The class of a module that was saved as a whole, and a call that Python would make.
#[test]
fn programs_are_refused_by_name() -> TestResult {
    assert_eq!(pt::read(path("module.pt")).err(), Some(forbidden("torch.nn.modules.rnn.RNN")));
    assert_eq!(pt::read(path("evil.pt")).err(), Some(forbidden("posix.system")));
    Ok(())
}

/// What to save instead.
#[test]
fn errors_say_what_to_save() {
    let cases = [
        ("torch.nn.modules.rnn.RNN", "; of a module saved whole, save `module.state_dict()`"),
        ("__main__.Net", "; of a module saved whole, save `module.state_dict()`"),
        ("torch.optim.adam.Adam", "; save `optimizer.state_dict()`"),
        (
            "numpy.random._pickle.__randomstate_ctor",
            "; save a number as `float(value)`, and an array as a tensor",
        ),
        ("posix.system", ""),
    ];
    for (global, advice) in cases {
        let text = format!("pt: {global} is no part of a state dict, and is never called{advice}");
        assert_eq!(forbidden(global).to_string(), text);
    }
}

#[test]
fn a_list_in_itself_is_refused() -> TestResult {
    let error = pt::read(path("cyclic.pt")).err();
    assert!(
        matches!(error, Some(Error::File(FileError::TooLarge { format: "pt", limit: 64, actual: 65, .. }))),
        "{error:?}"
    );
    Ok(())
}

/// A pickle in an archive of its own, beside a storage of two `f32`.
fn pickled(pickle: &[u8]) -> TestResult<Vec<u8>> {
    use std::io::Write;

    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("a/data.pkl", zip::write::SimpleFileOptions::DEFAULT)?;
    zip.write_all(pickle)?;
    zip.start_file("a/data/0", zip::write::SimpleFileOptions::DEFAULT)?;
    zip.write_all(&[0; 8])?;
    Ok(zip.finish()?.into_inner())
}

/// Twenty lists, each of which holds the one before it ten times: 10^20 values in 300 bytes.
#[test]
fn a_pickle_bomb_is_refused() -> TestResult {
    let mut bomb = b"\x80\x02]q\0".to_vec();
    for _ in 0..20 {
        bomb.extend(b"](");
        bomb.extend(b"h\0".repeat(10));
        bomb.extend(b"eq\0");
    }
    bomb.push(b'.');
    let error = pt::from_bytes(&pickled(&bomb)?).err();
    assert!(matches!(error, Some(Error::File(FileError::TooLarge { .. }))), "{error:?}");
    Ok(())
}

/// A tensor of `size` elements, each `stride` after the one before, from an offset in a storage of `count`
/// elements.
fn tensor(offset: u8, size: &[u8], strides: &[u8], count: u8) -> Vec<u8> {
    let tuple =
        |items: &[u8]| [b"(".to_vec(), items.iter().flat_map(|&item| [b'K', item]).collect(), b"t".to_vec()];
    let mut pickle =
        b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK".to_vec();
    pickle.extend([count, b't', b'Q', b'K', offset]);
    pickle.extend([tuple(size), tuple(strides)].concat().concat());
    pickle.extend(b"\x89NtR.");
    pickle
}

/// Elements outside their storage, by one and by far, and storages that are not what the file says.
#[test]
fn tensors_outside_their_storage_are_refused() -> TestResult {
    assert_eq!(pt::from_bytes(&pickled(&tensor(1, &[1], &[9], 2))?)?.len(), 1);
    assert_eq!(pt::from_bytes(&pickled(&tensor(0, &[2, 3], &[1, 0], 2))?)?.len(), 1);
    assert_eq!(pt::from_bytes(&pickled(&tensor(200, &[0], &[1], 2))?)?.len(), 1, "nothing, from anywhere");
    let cases = [
        (tensor(2, &[1], &[1], 2), "shape [1] from 2 with strides [1]"),
        (tensor(1, &[2], &[1], 2), "shape [2] from 1 with strides [1]"),
        (tensor(0, &[2], &[2], 2), "shape [2] from 0 with strides [2]"),
        (tensor(0, &[255, 255], &[255, 255], 2), "shape [255, 255] from 0 with strides [255, 255]"),
        (tensor(0, &[2], &[1, 1], 2), "shape [2] from 0 with strides [1, 1]"),
    ];
    for (pickle, actual) in cases {
        expect_file_error(
            pt::from_bytes(&pickled(&pickle)?),
            &format!("pt: tensor: expected elements among 2, got {actual}"),
        );
    }
    expect_file_error(
        pt::from_bytes(&pickled(&tensor(0, &[1], &[1], 3))?),
        "pt: storage 0: expected 3 elements of 4 bytes, got 8 bytes",
    );
    Ok(())
}

#[test]
fn broken_pickles_are_refused() -> TestResult {
    let cases: [(&[u8], &str); 14] = [
        (b"", "pt: data.pkl: expected 1 bytes more, got 0 bytes more"),
        (b"\x80\x02.", "pt: data.pkl: expected a value, got an empty stack"),
        (b"(0.", "pt: data.pkl: expected a value, got an empty stack"),
        (b"t.", "pt: data.pkl: expected a mark, got none"),
        (b"h\x05.", "pt: data.pkl: expected a key of the memo, got 5"),
        (b"NNs.", "pt: data.pkl: expected a value, got an empty stack"),
        (b"N)s.", "pt: data.pkl: expected a value, got an empty stack"),
        (b"N(NNu.", "pt: data.pkl: expected a dict, got None"),
        (b"](Nu.", "pt: data.pkl: expected pairs of key and value, got a key alone"),
        (b"NNR.", "pt: data.pkl: expected a function, got None"),
        (b"X\xff\xff\xff\xff.", "pt: data.pkl: expected 4294967295 bytes more, got 1 bytes more"),
        (
            b"X\x01\0\0\0\xff.",
            "pt: data.pkl: expected UTF-8, got invalid utf-8 sequence of 1 bytes from index 0",
        ),
        (b"\x82\0.", "pt: data.pkl: expected an opcode of plain values, got 0x82"),
        (b"cos\nsystem\n.", "pt: os.system is no part of a state dict, and is never called"),
    ];
    for (pickle, message) in cases {
        expect_file_error(pt::from_bytes(&pickled(pickle)?), message);
    }
    Ok(())
}

/// An archive of ten arrays of 8 MiB of zeros, in less than 100 kB.
#[test]
fn a_zip_bomb_is_refused() -> TestResult {
    use std::io::Write;

    let zeros =
        npy::to_bytes(&ndarray_rnn::io::Tensor::from_array(&ndarray::Array1::<f64>::zeros(1 << 20))?)?;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::DEFAULT.compression_method(zip::CompressionMethod::Deflated);
    for i in 0..10 {
        zip.start_file(format!("{i}.npy"), options)?;
        zip.write_all(&zeros)?;
    }
    let bomb = zip.finish()?.into_inner();
    assert!(bomb.len() < 100_000);
    let error = npz::from_bytes(&bomb).err();
    assert!(matches!(error, Some(Error::File(FileError::TooLarge { format: "npz", .. }))), "{error:?}");
    Ok(())
}

/// A header, and as many bytes of zeros as `data` says.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn tensors(entries: &[(&str, &str, &str, [u64; 2])]) -> String {
    let entries = entries.iter().map(|(name, dtype, shape, [begin, end])| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    });
    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
}

#[test]
fn broken_safetensors_are_refused() -> TestResult {
    let good = tensors(&[("a", "F32", "[2]", [0, 8]), ("b", "F32", "[1]", [8, 12])]);
    assert_eq!(safetensors::from_bytes(&with_header(&good, 12))?.len(), 2);
    let cases = [
        (vec![0; 7], "file: expected at least 8 bytes, got 7 bytes"),
        (u64::MAX.to_le_bytes().into(), "header: expected at most 0 bytes, got 18446744073709551615 bytes"),
        (with_header(&good, 11), "b: expected offsets from 8 to at most 11, got 8 to 12"),
        (with_header(&good, 13), "data: expected 12 bytes, got 13 bytes"),
        (
            with_header(&tensors(&[("a", "F32", "[2]", [0, 8]), ("b", "F32", "[1]", [4, 8])]), 8),
            "b: expected offsets from 8 to at most 8, got 4 to 8",
        ),
        (
            with_header(&tensors(&[("a", "F32", "[1]", [4, 8])]), 8),
            "a: expected offsets from 0 to at most 8, got 4 to 8",
        ),
        (
            with_header(&tensors(&[("a", "F32", "[1]", [4, 0])]), 8),
            "a: expected offsets from 0 to at most 8, got 4 to 0",
        ),
        (
            with_header(&tensors(&[("a", "F32", "[3]", [0, 8])]), 8),
            "a: expected 12 bytes of float32 for shape [3], got 8 bytes",
        ),
        (with_header(&tensors(&[("a", "F4", "[2]", [0, 1])]), 1), "a: element type F4 is not supported"),
    ];
    for (bytes, message) in cases {
        expect_file_error(safetensors::from_bytes(&bytes), &format!("safetensors: {message}"));
    }
    let twice = tensors(&[("a", "F32", "[1]", [0, 4]), ("a", "F32", "[1]", [4, 8])]);
    let error = safetensors::from_bytes(&with_header(&twice, 8)).err();
    assert_eq!(error, Some(Error::DuplicateParameter { name: "a".into() }));
    let huge = tensors(&[("a", "F32", "[0,9223372036854775807]", [0, 0])]);
    let error = safetensors::from_bytes(&with_header(&huge, 0)).err();
    assert_eq!(error, Some(Error::SizeOverflow { name: "a".into(), shape: vec![0, i64::MAX as usize] }));
    for header in ["", "[]", "{", r#"{"a":1}"#, &"[".repeat(100_000), &r#"{"a":"#.repeat(10_000)] {
        let error = safetensors::from_bytes(&with_header(header, 0)).err();
        assert!(matches!(error, Some(Error::File(FileError::Malformed { .. }))), "{error:?}");
    }
    Ok(())
}

#[test]
fn broken_npy_are_refused() -> TestResult {
    let file = |dict: &str, data: usize| {
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((dict.len() as u16 + 1).to_le_bytes());
        bytes.extend(dict.bytes());
        bytes.push(b'\n');
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let dict = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
    };
    assert_eq!(npy::from_bytes(&file(&dict("'<f4'", "(2,)"), 8))?.shape(), [2]);
    let cases = [
        (b"\x93NUMPZ\x01\0".to_vec(), "array: expected npy 1 to 3, got \\x93NUMPZ\\x01\\x00"),
        (b"\x93NUMPY\x04\0".to_vec(), "array: expected npy 1 to 3, got \\x93NUMPY\\x04\\x00"),
        (b"\x93NUMPY".to_vec(), "array: expected an npy header, got 6 bytes"),
        (file(&dict("'<f4'", "(2,)"), 7), "array: expected 8 bytes for shape [2], got 7 bytes"),
        (file(&dict("'<f4'", "(2,)"), 9), "array: expected 8 bytes for shape [2], got 9 bytes"),
        (file(&dict("'<U1'", "(2,)"), 8), "array: element type '<U1' is not supported"),
        (file(&dict("'|O'", "(2,)"), 8), "array: element type '|O' is not supported"),
        (file(&dict("[('a', '<f4')]", "(1,)"), 4), "array: element type [('a', '<f4')] is not supported"),
        (file(&" ".repeat(10_000), 0), "array: header is too large: 10001, at most 10000"),
        (
            file(&dict("'<f4'", &format!("({})", "1, ".repeat(65))), 4),
            "array: number of axes is too large: 65, at most 64",
        ),
    ];
    for (bytes, message) in cases {
        expect_file_error(npy::from_bytes(&bytes), &format!("npy: {message}"));
    }
    let huge = file(&dict("'<f4'", "(9223372036854775807, 4)"), 8);
    let shape = vec![i64::MAX as usize, 4];
    assert_eq!(npy::from_bytes(&huge).err(), Some(Error::SizeOverflow { name: "array".into(), shape }));
    Ok(())
}

/// Any beginning of a file that ends too early.
#[test]
fn truncated_files_are_refused() -> TestResult {
    for file in [
        "rnn.pt",
        "rnn.npz",
        "compressed.npz",
        "rnn.safetensors",
        "checkpoint.pt",
        "beside.pt",
        "numpy.pt",
        "beside.npz",
        "layouts.npz",
        "dtypes.pt",
        "dtypes.safetensors",
    ] {
        let bytes = bytes(file)?;
        let format = crate::format(file)?;
        for length in 0..bytes.len() {
            assert!((format.from_bytes)(&bytes[..length]).is_err(), "{length} bytes of {file}");
        }
    }
    Ok(())
}

/// Files of one format given to the readers of the others.
#[test]
fn other_formats_are_refused() -> TestResult {
    for file in ["rnn.pt", "rnn.npz", "rnn.safetensors"] {
        for format in FORMATS.into_iter().filter(|format| !file.ends_with(format.name)) {
            let result = (format.from_bytes)(&bytes(file)?);
            assert!(matches!(result, Err(Error::File(_))), "{file} as {}", format.name);
        }
    }
    Ok(())
}

#[test]
fn a_missing_file_is_named() {
    let path = path("none.pt");
    let error = pt::read(&path).err();
    let message = "No such file or directory (os error 2)".into();
    let (kind, operation) = (std::io::ErrorKind::NotFound, "read");
    assert_eq!(error, Some(FileError::System { operation, path, kind, message }.into()));
}

/// A small file names sizes that it does not hold; they must not be allocated.
#[test]
fn sizes_are_checked_before_memory_is_taken() -> TestResult {
    let mut dict = StateDict::new();
    dict.add("", &Rnn::<f32>::zeros(RnnConfig::new(1, 1000).bias(false))?)?;
    for k in 1..100 {
        for name in [format!("weight_ih_l{k}"), format!("weight_hh_l{k}")] {
            dict.insert(name, ndarray_rnn::io::Tensor::from_array(&ndarray::array![[0.0_f32]])?)?;
        }
    }
    let mut error = None;
    let taken =
        allocation_counter::measure(|| error = Rnn::<f32>::from_state_dict(&dict, Nonlinearity::Tanh).err());
    assert!(taken.bytes_max < 100_000, "{} bytes", taken.bytes_max);
    let (expected, actual) = (vec![1000, 1000], vec![1, 1]);
    assert_eq!(error, Some(Error::Shape { array: "weight_ih_l1".into(), expected, actual }));
    Ok(())
}
