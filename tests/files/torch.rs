//! torch's files hold what torch reads from them, and networks from them compute what torch computes.

use ndarray::Array3;
use ndarray_rnn::io::{Dtype, StateDict, Tensor, npz, pt, safetensors};
use ndarray_rnn::{
    Embedding, FileError, Linear, Nonlinearity, Parameters, Rnn, RnnCell, RnnConfig, manual_seed,
};
use serde_json::Value;

use crate::common::{TestResult, largest_difference};
use crate::{FORMATS, bytes, format, path};

/// What torch reads from each file.
fn expected() -> TestResult<serde_json::Map<String, Value>> {
    Ok(serde_json::from_slice(&bytes("expected.json")?)?)
}

fn hex(tensor: &Tensor) -> String {
    tensor.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn expect_same(file: &str, dict: &StateDict, arrays: &Value) -> TestResult {
    let arrays = arrays.as_object().ok_or("no arrays")?;
    assert_eq!(dict.len(), arrays.len(), "{file}: {:?}", dict.names().collect::<Vec<_>>());
    for (name, array) in arrays {
        let tensor = dict.get(name).ok_or_else(|| format!("{file}: no {name}"))?;
        assert_eq!(tensor.dtype().to_string(), array["dtype"], "{file}: {name}");
        let shape: Vec<Value> = tensor.shape().iter().map(|&axis| axis.into()).collect();
        assert_eq!(Value::Array(shape), array["shape"], "{file}: {name}");
        assert_eq!(hex(tensor), array["hex"], "{file}: {name}");
    }
    Ok(())
}

/// Every file of torch, bit for bit, and again through every format that has its element types.
#[test]
fn files_hold_what_torch_reads() -> TestResult {
    let expected = expected()?;
    assert_eq!(expected.len(), 18);
    for (file, arrays) in &expected {
        let dict = (format(file)?.from_bytes)(&bytes(file)?)?;
        expect_same(file, &dict, arrays)?;
        for other in FORMATS.into_iter().filter(|_| !file.starts_with("dtypes")) {
            let again = (other.from_bytes)(&(other.to_bytes)(&dict)?)?;
            expect_same(&format!("{file} as {}", other.name), &again, arrays)?;
        }
    }
    let dtypes = (format("x.pt")?.from_bytes)(&bytes("dtypes.pt")?)?;
    expect_same("dtypes.pt again", &pt::from_bytes(&pt::to_bytes(&dtypes)?)?, &expected["dtypes.pt"])
}

/// The bytes are those that torch's library writes.
#[test]
fn safetensors_are_written_as_python_writes_them() -> TestResult {
    for file in ["rnn.safetensors", "dtypes.safetensors", "forward.safetensors"] {
        let format = format(file)?;
        assert_eq!((format.to_bytes)(&(format.from_bytes)(&bytes(file)?)?)?, bytes(file)?, "{file}");
    }
    Ok(())
}

/// Configuration and parameters come from the file alone; the numbers are torch's.
#[test]
fn networks_compute_what_torch_computes() -> TestResult {
    let dicts = [
        pt::read(path("rnn.pt"))?,
        pt::read(path("old.pt"))?,
        safetensors::read(path("rnn.safetensors"))?,
        npz::read(path("rnn.npz"))?,
        npz::read(path("compressed.npz"))?,
    ];
    let config = RnnConfig::new(3, 5).num_layers(2).bidirectional(true);
    let drawn = Rnn::new(config, &mut manual_seed(1))?;
    let files = (format("x.safetensors")?.from_bytes)(&bytes("forward.safetensors")?)?;
    let array = |name: &str| -> TestResult<Array3<f32>> {
        Ok(files.get(name).ok_or("no array")?.to_array(name)?.into_dimensionality()?)
    };
    for dict in dicts {
        let rnn = Rnn::from_state_dict(&dict, Nonlinearity::Tanh)?;
        assert_eq!(rnn, drawn);
        let (output, h_n) = rnn.forward(&array("input")?, None)?;
        assert!(largest_difference(&output, &array("output")?) <= 1e-6);
        assert!(largest_difference(&h_n, &array("h_n")?) <= 1e-6);
    }
    let relu = Rnn::<f64>::from_state_dict(&pt::read(path("relu.pt"))?, Nonlinearity::Relu)?;
    let config = RnnConfig::new(4, 2).nonlinearity(Nonlinearity::Relu).bias(false);
    assert_eq!(relu, Rnn::new(config, &mut manual_seed(5))?);
    Ok(())
}

/// The parts of a checkpoint stand under their prefixes, its numbers and text in the metadata.
#[test]
fn a_checkpoint_is_taken_apart() -> TestResult {
    let checkpoint = pt::read(path("checkpoint.pt"))?;
    let rnn = Rnn::<f32>::from_state_dict(&checkpoint.under("model.encoder.rnn."), Nonlinearity::Tanh)?;
    assert_eq!(rnn.config(), &RnnConfig::new(4, 3));
    let head = Linear::<f32>::from_state_dict(&checkpoint.under("model.head."))?;
    assert_eq!((head.config().in_features, head.config().out_features), (3, 2));
    let mut model = (rnn.clone(), head);
    model.1.named_parameters_mut().into_iter().for_each(|(_, mut value)| value.fill(0.0));
    let mut renamed = StateDict::new();
    for (from, to) in [("model.encoder.rnn.", "0."), ("model.head.", "1.")] {
        for (name, tensor) in checkpoint.under(from).iter() {
            renamed.insert(format!("{to}{name}"), tensor.clone())?;
        }
    }
    renamed.load_into(&mut model)?;
    assert_eq!(model.1, Linear::from_state_dict(&checkpoint.under("model.head."))?);

    let note = |name: &str| checkpoint.metadata().get(name).map(String::as_str);
    assert_eq!((note("epoch"), note("best"), note("name")), (Some("3"), Some("0.25"), Some("word")));
    assert_eq!((note("done"), note("nothing"), note("history.1")), (Some("true"), None, Some("0.25")));
    assert_eq!((note("optimizer.param_groups.0.lr"), note("size.1")), (Some("0.01"), Some("3")));
    let step = checkpoint.get("optimizer.state.0.step").ok_or("no step")?;
    assert_eq!(step.to_array::<f32>("step")?.into_iter().collect::<Vec<_>>(), [1.0]);
    Ok(())
}

/// `float32` and `float64` are read only as themselves unless a conversion is asked for, smaller floats as `f32`.
#[test]
fn element_types_are_converted_when_asked() -> TestResult {
    let dtypes = pt::read(path("dtypes.pt"))?;
    let dtype = |name: &str, expected: &str| FileError::Dtype {
        name: name.into(),
        expected: expected.into(),
        actual: name.into(),
    };
    for (name, tensor) in dtypes.iter() {
        let (single, double) = (tensor.to_array::<f32>(name), tensor.to_array::<f64>(name));
        let float = tensor.dtype().is_float();
        match tensor.dtype() {
            Dtype::F64 => {
                assert_eq!((single.err(), double.is_ok()), (Some(dtype(name, "float32").into()), true));
            }
            _ if float => {
                assert_eq!((single.is_ok(), double.err()), (true, Some(dtype(name, "float64").into())));
            }
            _ => assert!(single.is_err() && double.is_err(), "{name}"),
        }
        assert_eq!(tensor.to::<f64>()?.to_array::<f64>(name).is_ok(), float, "{name}");
        assert_eq!(tensor.to::<f32>()?.to_array::<f32>(name).is_ok(), float, "{name}");
    }
    let refused = Rnn::<f64>::from_state_dict(&pt::read(path("rnn.pt"))?, Nonlinearity::Tanh);
    let expected = FileError::Dtype {
        name: "weight_ih_l0".into(),
        expected: "float64".into(),
        actual: "float32".into(),
    };
    assert_eq!(refused.err(), Some(expected.into()));
    let widened = Rnn::<f64>::from_state_dict(&pt::read(path("rnn.pt"))?.to::<f64>()?, Nonlinearity::Tanh)?;
    let single = Rnn::<f32>::from_state_dict(&pt::read(path("rnn.pt"))?, Nonlinearity::Tanh)?;
    for ((_, wide), (_, value)) in widened.named_parameters().iter().zip(single.named_parameters()) {
        assert_eq!(*wide, value.mapv(f64::from));
    }
    Ok(())
}

/// Every bit pattern of every small float, against torch's conversion.
#[test]
fn small_floats_have_torchs_values() -> TestResult {
    let hashes: serde_json::Map<String, Value> = serde_json::from_slice(&bytes("small_floats.json")?)?;
    let dtypes = pt::read(path("dtypes.pt"))?;
    assert_eq!(hashes.len(), 7);
    for (name, expected) in hashes {
        let size = dtypes.get(&name).ok_or("no such type")?.dtype().size();
        let values = every_value(&name, size)?;
        let nan = f32::from_bits(0x7fc0_0000);
        let bytes = values.iter().flat_map(|&x| if x.is_nan() { nan } else { x }.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(format!("{hash:016x}"), expected, "{name}");
    }
    Ok(())
}

/// All values of an element type, in the order of their bits, from a safetensors file.
fn every_value(name: &str, size: usize) -> TestResult<Vec<f32>> {
    let stored = match name {
        "float16" => "F16",
        "bfloat16" => "BF16",
        "float8_e5m2" => "F8_E5M2",
        "float8_e4m3fn" => "F8_E4M3",
        "float8_e5m2fnuz" => "F8_E5M2FNUZ",
        "float8_e4m3fnuz" => "F8_E4M3FNUZ",
        _ => "F8_E8M0",
    };
    let count = 1_usize << (8 * size);
    let end = count * size;
    let header = format!(r#"{{"x":{{"dtype":"{stored}","shape":[{count}],"data_offsets":[0,{end}]}}}}"#);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    (0..count).for_each(|bits| file.extend(&bits.to_le_bytes()[..size]));
    let dict = (format("x.safetensors")?.from_bytes)(&file)?;
    Ok(dict.get("x").ok_or("no x")?.to_array::<f32>("x")?.into_iter().collect())
}

/// What names and shapes alone say of other models.
#[test]
fn cells_and_tables_load_too() -> TestResult {
    let rnn = pt::read(path("rnn.pt"))?;
    let mut cell = StateDict::new();
    for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
        cell.insert(name, rnn.get(&format!("{name}_l0")).ok_or("no parameter")?.clone())?;
    }
    let cell = RnnCell::<f32>::from_state_dict(&cell, Nonlinearity::Tanh)?;
    assert_eq!((cell.config().input_size, cell.config().hidden_size, cell.config().bias), (3, 5, true));
    let views = pt::read(path("views.pt"))?;
    let mut table = StateDict::new();
    table.insert("weight", views.get("transposed").ok_or("no array")?.clone())?;
    let table = Embedding::<f32>::from_state_dict(&table, None)?;
    assert_eq!(table.weight().dim(), (6, 4));
    Ok(())
}
