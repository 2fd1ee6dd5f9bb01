//! burn's worker of the comparison; `benches/compare/run.py` builds and runs it.

#[path = "../../protocol.rs"]
mod protocol;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::mem::size_of;

use burn::module::Param;
use burn::nn::Linear;
use burn::nn::{BiRnn, BiRnnConfig, Rnn, RnnConfig, RnnState};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use protocol::{Case, Job, Result, Worker};
use serde_json::{Value, json};

fn main() -> Result<()> {
    protocol::serve(&Burn::default())
}

#[derive(Default)]
struct Burn {
    /// The element type of what `Rnn` makes if it is not told. burn lets a process choose it once.
    dtype: OnceCell<DType>,
}

impl Burn {
    fn device(&self, case: &Case) -> Result<Device> {
        let dtype = if case.single { DType::F32 } else { DType::F64 };
        let mut device = Device::flex();
        if self.dtype.get().is_none() {
            device.configure(if case.single { FloatDType::F32 } else { FloatDType::F64 })?;
        }
        if *self.dtype.get_or_init(|| dtype) == dtype {
            Ok(device)
        } else {
            Err("a second element type".into())
        }
    }
}

impl Worker for Burn {
    fn about(&self) -> String {
        "burn 0.22.1, flex backend".into()
    }

    fn build(&self, case: &Case, request: &Value) -> Result<Box<dyn Job>> {
        if !matches!(case.mode.as_str(), "forward" | "step") {
            return Err("unsupported: only forward passes here".into());
        }
        let device = self.device(case)?;
        let file = Arrays::read(case, request)?;
        let layers = (0..case.layers).map(|k| Layer::new(case, k, &device, &file));
        let network = Network { layers: layers.collect::<Result<_>>()? };
        let input = file.tensor("input", &device)?;
        if case.mode == "forward" {
            return Ok(Box::new(Whole { network, input }));
        }
        let first = input.clone().narrow(0, 0, 1);
        Ok(Box::new(Step { network, input, first, state: None }))
    }
}

/// The arrays that this crate's worker wrote.
struct Arrays {
    bytes: Vec<u8>,
    dtype: DType,
    /// An array's shape, and its place in the file.
    places: HashMap<String, (Vec<usize>, usize)>,
}

impl Arrays {
    fn read(case: &Case, request: &Value) -> Result<Self> {
        let (dtype, width) =
            if case.single { (DType::F32, size_of::<f32>()) } else { (DType::F64, size_of::<f64>()) };
        let mut places = HashMap::new();
        let mut start = 0;
        for entry in request["arrays"].as_array().ok_or("no arrays")? {
            let shape: Vec<usize> = serde_json::from_value(entry[1].clone())?;
            let length = width * shape.iter().product::<usize>();
            places.insert(entry[0].as_str().unwrap_or_default().into(), (shape, start));
            start += length;
        }
        Ok(Self { bytes: fs::read(request["path"].as_str().ok_or("no path")?)?, dtype, places })
    }

    fn values(&self, name: &str) -> Result<(TensorData, Vec<f64>)> {
        let (shape, start) = self.places.get(name).ok_or("no such array")?;
        let count = shape.iter().product();
        let bytes = &self.bytes[*start..];
        if self.dtype == DType::F32 {
            let values = bytes.as_chunks().0.iter().take(count).map(|&bytes| f32::from_le_bytes(bytes));
            let values: Vec<f32> = values.collect();
            let wide = values.iter().map(|&value| value.into()).collect();
            return Ok((TensorData::new(values, shape.clone()), wide));
        }
        let values = bytes.as_chunks().0.iter().take(count).map(|&bytes| f64::from_le_bytes(bytes));
        let values: Vec<f64> = values.collect();
        Ok((TensorData::new(values.clone(), shape.clone()), values))
    }

    fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        Ok(Tensor::from_data(self.values(name)?.0, (device, self.dtype)))
    }
}

enum Layer {
    One(Rnn),
    Both(BiRnn),
}

impl Layer {
    fn new(case: &Case, k: usize, device: &Device, file: &Arrays) -> Result<Self> {
        let directions = 1 + usize::from(case.bidirectional);
        let width = if k == 0 { case.input } else { directions * case.hidden };
        if case.bidirectional {
            let config = BiRnnConfig::new(width, case.hidden, true).with_batch_first(false);
            let mut both = config.init(device);
            load(&mut both.forward, &format!("l{k}"), device, file)?;
            load(&mut both.reverse, &format!("l{k}_reverse"), device, file)?;
            return Ok(Self::Both(both));
        }
        let mut one = RnnConfig::new(width, case.hidden, true).with_batch_first(false).init(device);
        load(&mut one, &format!("l{k}"), device, file)?;
        Ok(Self::One(one))
    }
}

fn load(rnn: &mut Rnn, suffix: &str, device: &Device, file: &Arrays) -> Result<()> {
    let linear = |part: &str, linear: &mut Linear| -> Result<()> {
        let weight: Tensor<2> = file.tensor(&format!("weight_{part}_{suffix}"), device)?;
        // As burn lays out what it initialises itself: (inputs, outputs), row by row.
        let transposed = Tensor::from_data(weight.transpose().into_data(), (device, file.dtype));
        linear.weight = Param::from_tensor(transposed);
        linear.bias = Some(Param::from_tensor(file.tensor(&format!("bias_{part}_{suffix}"), device)?));
        Ok(())
    };
    linear("ih", &mut rnn.gate.input_transform)?;
    linear("hh", &mut rnn.gate.hidden_transform)
}

struct Network {
    layers: Vec<Layer>,
}

impl Network {
    fn forward(&self, input: &Tensor<3>) -> Tensor<3> {
        self.layers.iter().fold(input.clone(), |input, layer| match layer {
            Layer::One(rnn) => rnn.forward(input, None).0,
            Layer::Both(rnn) => rnn.forward(input, None).0,
        })
    }

    /// One step of a network of one layer in one direction.
    fn step(&self, input: &Tensor<3>, state: Option<Tensor<2>>) -> Tensor<2> {
        let Layer::One(rnn) = &self.layers[0] else { unreachable!("steps have one direction") };
        rnn.forward(input.clone(), state.map(RnnState::new)).1.hidden
    }
}

struct Whole {
    network: Network,
    input: Tensor<3>,
}

impl Job for Whole {
    fn call(&mut self) {
        black_box(self.network.forward(&self.input));
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        compare(self.network.forward(&self.input), case, request)
    }
}

struct Step {
    network: Network,
    input: Tensor<3>,
    first: Tensor<3>,
    state: Option<Tensor<2>>,
}

impl Job for Step {
    fn call(&mut self) {
        self.state = Some(self.network.step(&self.first, self.state.take()));
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        let mut state = None;
        let mut states = Vec::new();
        for t in 0..case.len {
            let next = self.network.step(&self.input.clone().narrow(0, t, 1), state);
            states.push(next.clone());
            state = Some(next);
        }
        compare(Tensor::stack(states, 0), case, request)
    }
}

/// The largest difference from the output that this crate's worker wrote.
fn compare(output: Tensor<3>, case: &Case, request: &Value) -> Result<Value> {
    let (_, expected) = Arrays::read(case, request)?.values("output")?;
    let output: Vec<f64> = output.into_data().iter::<f64>().collect();
    if output.len() != expected.len() {
        return Err("the output has another size".into());
    }
    let difference = output.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    // A NaN must count as a difference.
    Ok(json!({ "difference": difference.fold(0.0, |a: f64, b| if a.is_nan() || b <= a { a } else { b }) }))
}
