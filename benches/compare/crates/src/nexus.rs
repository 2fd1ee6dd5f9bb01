//! nexus-inference's `TinyLstm` and `TinyGru`: single steps in `f32`, with a linear layer of one output behind them.

use std::hint::black_box;

use nexus_inference::{TinyGru, TinyLstm};
use serde_json::Value;

use crate::arrays::Arrays;
use crate::protocol::{Case, Job, Result, Worker};

pub struct Nexus;

impl Worker for Nexus {
    fn about(&self) -> String {
        "nexus-inference 0.9.0, built for this CPU".into()
    }

    fn build(&self, case: &Case, request: &Value) -> Result<Box<dyn Job>> {
        if case.mode != "step" || !case.single || case.kind == "rnn" {
            return Err("unsupported: only steps of an LSTM or a GRU in f32".into());
        }
        let file = Arrays::read(case, request)?;
        let get = |name: &str| -> Result<Vec<f32>> {
            Ok(file.get(name)?.1.into_iter().map(|number| number as f32).collect())
        };
        let [w_ih, w_hh] = [get("weight_ih_l0")?, get("weight_hh_l0")?];
        let [b_ih, b_hh] = [get("bias_ih_l0")?, get("bias_hh_l0")?];
        let (input, hidden, head) = (get("input")?, case.hidden, vec![0.0; case.hidden]);
        let step: Box<dyn Tiny> = if case.kind == "lstm" {
            Box::new(TinyLstm::from_parts(case.input, hidden, 1, &w_ih, &w_hh, &b_ih, &b_hh, &head, &[0.0])?)
        } else {
            Box::new(TinyGru::from_parts(case.input, hidden, 1, &w_ih, &w_hh, &b_ih, &b_hh, &head, &[0.0])?)
        };
        Ok(Box::new(Step { network: step, input, width: case.input }))
    }
}

/// What the two networks have in common.
trait Tiny {
    fn step(&mut self, x: &[f32]);

    fn hidden(&self) -> &[f32];
}

impl Tiny for TinyLstm {
    fn step(&mut self, x: &[f32]) {
        black_box(self.predict(x));
    }

    fn hidden(&self) -> &[f32] {
        self.hidden_state()
    }
}

impl Tiny for TinyGru {
    fn step(&mut self, x: &[f32]) {
        black_box(self.predict(x));
    }

    fn hidden(&self) -> &[f32] {
        self.hidden_state()
    }
}

struct Step {
    network: Box<dyn Tiny>,
    input: Vec<f32>,
    width: usize,
}

impl Job for Step {
    fn call(&mut self) {
        self.network.step(black_box(&self.input[..self.width]));
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        let mut outputs = Vec::new();
        for x in self.input.chunks_exact(self.width).take(case.len) {
            self.network.step(x);
            outputs.extend(self.network.hidden().iter().copied().map(f64::from));
        }
        Arrays::read(case, request)?.compare(&outputs)
    }
}
