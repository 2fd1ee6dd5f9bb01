//! candle's `LSTM` and `GRU`.

use std::collections::HashMap;
use std::hint::black_box;

use candle_core::{DType, Device, Tensor};
use candle_nn::rnn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN};
use candle_nn::{VarBuilder, gru, lstm};
use serde_json::Value;

use crate::arrays::Arrays;
use crate::protocol::{Case, Job, Result, Worker};

pub struct Candle;

impl Worker for Candle {
    fn about(&self) -> String {
        "candle-nn 0.11.1".into()
    }

    fn build(&self, case: &Case, request: &Value) -> Result<Box<dyn Job>> {
        if !matches!(case.mode.as_str(), "forward" | "step") || case.bidirectional {
            return Err("unsupported: only forward passes of one direction here".into());
        }
        let file = Arrays::read(case, request)?;
        match case.kind.as_str() {
            "lstm" => {
                let config = |layer_idx| LSTMConfig { layer_idx, ..LSTMConfig::default() };
                job(case, &file, |inputs, k, builder| Ok(lstm(inputs, case.hidden, config(k), builder)?))
            }
            // A GRU has one layer.
            "gru" if case.layers == 1 => job(case, &file, |inputs, _, builder| {
                Ok(gru(inputs, case.hidden, GRUConfig::default(), builder)?)
            }),
            _ => Err("unsupported: candle has one-layer GRUs and LSTMs".into()),
        }
    }
}

/// The layers of a network, and the input, batch first as candle wants it.
struct Network<R> {
    layers: Vec<R>,
    input: Tensor,
}

fn job<R: Hidden + 'static>(
    case: &Case,
    file: &Arrays,
    layer: impl Fn(usize, usize, VarBuilder<'_>) -> Result<R>,
) -> Result<Box<dyn Job>> {
    let dtype = if case.single { DType::F32 } else { DType::F64 };
    let tensor = |name: &str| -> Result<Tensor> {
        let (shape, numbers) = file.get(name)?;
        Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(dtype)?)
    };
    let mut layers = Vec::new();
    for k in 0..case.layers {
        let mut tensors = HashMap::new();
        for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
            tensors.insert(format!("{part}_l{k}"), tensor(&format!("{part}_l{k}"))?);
        }
        let builder = VarBuilder::from_tensors(tensors, dtype, &Device::Cpu);
        layers.push(layer(if k == 0 { case.input } else { case.hidden }, k, builder)?);
    }
    let input = tensor("input")?.transpose(0, 1)?.contiguous()?;
    let network = Network { layers, input };
    if case.mode == "forward" {
        return Ok(Box::new(Whole(network)));
    }
    let first = network.input.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?;
    let state = network.layers[0].zero_state(case.batch)?;
    Ok(Box::new(Step { network, first, state }))
}

/// The state's h.
trait Hidden: RNN {
    fn hidden(state: &Self::State) -> &Tensor;
}

impl Hidden for LSTM {
    fn hidden(state: &Self::State) -> &Tensor {
        state.h()
    }
}

impl Hidden for GRU {
    fn hidden(state: &Self::State) -> &Tensor {
        state.h()
    }
}

impl<R: Hidden> Network<R> {
    fn forward(&self) -> Result<Tensor> {
        let mut rows = self.input.clone();
        for layer in &self.layers {
            // Its GRU's `states_to_tensor` puts steps side by side in one row.
            let states = layer.seq(&rows)?;
            let hidden: Vec<_> = states.iter().map(|state| R::hidden(state).clone()).collect();
            rows = Tensor::stack(&hidden, 1)?;
        }
        Ok(rows)
    }
}

/// `output` is batch first.
fn compare(output: &Tensor, case: &Case, request: &Value) -> Result<Value> {
    let output = output.transpose(0, 1)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    Arrays::read(case, request)?.compare(&output)
}

struct Whole<R>(Network<R>);

impl<R: Hidden> Job for Whole<R> {
    fn call(&mut self) {
        black_box(self.0.forward()).expect("it was checked");
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        compare(&self.0.forward()?, case, request)
    }
}

struct Step<R: Hidden> {
    network: Network<R>,
    first: Tensor,
    state: R::State,
}

impl<R: Hidden> Job for Step<R> {
    fn call(&mut self) {
        self.state = self.network.layers[0].step(&self.first, &self.state).expect("it was checked");
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        let (mut state, mut outputs) = (self.state.clone(), Vec::new());
        for t in 0..case.len {
            let x = self.network.input.narrow(1, t, 1)?.squeeze(1)?.contiguous()?;
            state = self.network.layers[0].step(&x, &state)?;
            outputs.push(R::hidden(&state).clone());
        }
        compare(&Tensor::stack(&outputs, 1)?, case, request)
    }
}
