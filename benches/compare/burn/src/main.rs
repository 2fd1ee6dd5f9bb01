//! burn's worker of the comparison; `benches/compare/run.py` builds and runs it.

#[path = "../../crates/src/arrays.rs"]
mod arrays;
mod layer;
#[path = "../../protocol.rs"]
mod protocol;

use std::cell::OnceCell;
use std::hint::black_box;

use arrays::Arrays;
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use layer::{Layer, State};
use protocol::{Case, Job, Result, Worker};
use serde_json::Value;

fn main() -> Result<()> {
    protocol::serve(&Burn::default())
}

#[derive(Default)]
struct Burn {
    /// The element type of what layers make if they are not told. burn lets a process choose it once.
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
        let place = Place { device: self.device(case)?, single: case.single };
        let file = Arrays::read(case, request)?;
        let layers = (0..case.layers).map(|k| Layer::new(case, k, &place, &file));
        let network = Network { layers: layers.collect::<Result<_>>()? };
        // Batch first, as burn's GRU wants it.
        let input = place.tensor::<3>(file.get("input")?).swap_dims(0, 1);
        if case.mode == "forward" {
            return Ok(Box::new(Whole { network, input }));
        }
        let first = input.clone().narrow(1, 0, 1);
        Ok(Box::new(Step { network, input, first, state: None }))
    }
}

/// Where tensors are made, and of which elements.
struct Place {
    device: Device,
    single: bool,
}

impl Place {
    fn tensor<const D: usize>(&self, (shape, numbers): (Vec<usize>, Vec<f64>)) -> Tensor<D> {
        if self.single {
            let numbers = numbers.into_iter().map(|number| number as f32).collect::<Vec<_>>();
            return Tensor::from_data(TensorData::new(numbers, shape), (&self.device, DType::F32));
        }
        Tensor::from_data(TensorData::new(numbers, shape), (&self.device, DType::F64))
    }
}

struct Network {
    layers: Vec<Layer>,
}

impl Network {
    fn forward(&self, input: &Tensor<3>) -> Tensor<3> {
        self.layers.iter().fold(input.clone(), |input, layer| layer.forward(input))
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

/// Steps of a network of one layer in one direction.
struct Step {
    network: Network,
    input: Tensor<3>,
    first: Tensor<3>,
    state: Option<State>,
}

impl Job for Step {
    fn call(&mut self) {
        self.state = Some(self.network.layers[0].step(self.first.clone(), self.state.take()));
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        let mut state = None;
        let mut outputs = Vec::new();
        for t in 0..case.len {
            let next = self.network.layers[0].step(self.input.clone().narrow(1, t, 1), state);
            outputs.push(next.hidden.clone());
            state = Some(next);
        }
        compare(Tensor::stack(outputs, 1), case, request)
    }
}

/// The largest difference from the output that this crate's worker wrote. `output` is batch first.
fn compare(output: Tensor<3>, case: &Case, request: &Value) -> Result<Value> {
    let output: Vec<f64> = output.swap_dims(0, 1).into_data().iter::<f64>().collect();
    Arrays::read(case, request)?.compare(&output)
}
