//! Files that are written: the same bytes each time, the same numbers when they are read.

use ndarray_rnn::io::{StateDict, Tensor};
use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, Scalar, manual_seed};
use proptest::prelude::*;

use crate::common::TestResult;
use crate::{FORMATS, bytes, format};

fn dict_of<A: Scalar>(config: &RnnConfig, seed: u32, prefix: &str) -> TestResult<StateDict> {
    let mut dict = StateDict::new();
    dict.add(prefix, &Rnn::<A>::new(config.clone(), &mut manual_seed(seed))?)?;
    Ok(dict)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any network in any format under any prefix comes back, its configuration from names and shapes alone.
    #[test]
    fn networks_come_back(
        sizes in (1_usize..9, 1_usize..9, 1_usize..4),
        options in any::<[bool; 3]>(),
        (seed, prefix) in (any::<u32>(), "[a-z.\"\\\\é]{0,12}"),
    ) {
        let (input, hidden, layers) = sizes;
        let [bias, bidirectional, double] = options;
        let config =
            RnnConfig::new(input, hidden).num_layers(layers).bias(bias).bidirectional(bidirectional);
        let dict = if double {
            dict_of::<f64>(&config, seed, &prefix)
        } else {
            dict_of::<f32>(&config, seed, &prefix)
        };
        let dict = dict.map_err(|error| TestCaseError::fail(error.to_string()))?;
        for format in FORMATS {
            let written = (format.to_bytes)(&dict)?;
            prop_assert_eq!(&(format.to_bytes)(&dict)?, &written);
            let read = (format.from_bytes)(&written)?.under(&prefix);
            if double {
                let rnn = Rnn::<f64>::from_state_dict(&read, Nonlinearity::Tanh)?;
                prop_assert_eq!(rnn, Rnn::new(config.clone(), &mut manual_seed(seed))?);
            } else {
                let rnn = Rnn::<f32>::from_state_dict(&read, Nonlinearity::Tanh)?;
                prop_assert_eq!(rnn, Rnn::new(config.clone(), &mut manual_seed(seed))?);
            }
        }
    }
}

/// Bits of every kind: zeros of both signs, subnormal numbers, infinities; shapes without elements, and without
/// axes.
#[test]
fn every_number_and_shape_comes_back() -> TestResult {
    let numbers = [0.0, -0.0, f32::MIN_POSITIVE, 1e-45, -1e-45, f32::MAX, f32::INFINITY, f32::NEG_INFINITY];
    let mut dict = StateDict::new();
    dict.insert("numbers", Tensor::from_array(&ndarray::arr1(&numbers))?)?;
    dict.insert("scalar", Tensor::from_array(&ndarray::arr0(1.5_f64))?)?;
    dict.insert("empty", Tensor::from_array(&ndarray::Array3::<f32>::zeros((2, 0, 3)))?)?;
    dict.insert("transposed", Tensor::from_array(&ndarray::array![[1.0_f64, 2.0], [3.0, 4.0]].t())?)?;
    for format in FORMATS {
        let read = (format.from_bytes)(&(format.to_bytes)(&dict)?)?;
        assert_eq!(read.len(), dict.len());
        for (name, tensor) in dict.iter() {
            assert_eq!(read.get(name), Some(tensor), "{name} as {}", format.name);
        }
    }
    let transposed: ndarray::ArrayD<f64> =
        dict.get("transposed").ok_or("no array")?.to_array("transposed")?;
    assert_eq!(transposed, ndarray::array![[1.0, 3.0], [2.0, 4.0]].into_dyn());
    Ok(())
}

/// The bytes that `tests/interop/run.py` has loaded into torch and NumPy.
#[test]
fn written_bytes_are_those_that_python_loads() -> TestResult {
    for (from, to) in [("checkpoint.pt", "checkpoint.pt"), ("dtypes.pt", "dtypes.pt"), ("rnn.pt", "rnn.npz")]
    {
        let written = (format(to)?.to_bytes)(&(format(from)?.from_bytes)(&bytes(from)?)?)?;
        assert!(written == bytes(&format!("../written/{to}"))?, "{to}");
    }
    Ok(())
}

/// From a file's bytes to a model every parameter is copied once. What is written may be copied as it grows.
#[test]
fn a_file_is_copied_once() -> TestResult {
    let dict = dict_of::<f32>(&RnnConfig::new(300, 400).num_layers(3), 0, "rnn.")?;
    for format in FORMATS {
        let written = (format.to_bytes)(&dict)?;
        let size = written.len() as u64;
        let read = allocation_counter::measure(|| drop((format.from_bytes)(&written)));
        let wrote = allocation_counter::measure(|| drop((format.to_bytes)(&dict)));
        let (name, read_dict) = (format.name, (format.from_bytes)(&written)?);
        let made = allocation_counter::measure(|| {
            let dict = read_dict.under("rnn.");
            assert!(Rnn::<f32>::from_state_dict(&dict, Nonlinearity::Tanh).is_ok());
        });
        // A hundredth is for names, shapes and what zip adds.
        let limit = size + size / 100;
        assert!(read.bytes_max <= limit, "{name}: {} bytes to read {size}", read.bytes_max);
        assert!(made.bytes_max <= limit, "{name}: {} bytes to make a model of {size}", made.bytes_max);
        assert!(wrote.bytes_max <= 4 * size, "{name}: {} bytes to write {size}", wrote.bytes_max);
    }
    Ok(())
}

/// safetensors keeps metadata, whatever its keys and however many.
#[test]
fn metadata_is_kept() -> TestResult {
    let mut dict = dict_of::<f32>(&RnnConfig::new(3, 2), 0, "")?;
    let notes = [("z", "1"), ("epoch", "17"), ("a \"quoted\" key", "line\nline"), ("", "é")];
    dict.metadata_mut().extend(notes.map(|(key, value)| (key.into(), value.into())));
    let [safetensors, ..] = FORMATS;
    let written = (safetensors.to_bytes)(&dict)?;
    let read = (safetensors.from_bytes)(&written)?;
    assert_eq!(read.metadata(), dict.metadata());
    assert_eq!((safetensors.to_bytes)(&read)?, written);
    assert_eq!(read.under("weight").metadata().len(), 4);
    Ok(())
}
