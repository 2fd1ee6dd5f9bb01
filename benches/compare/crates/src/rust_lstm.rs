//! rust-lstm's `LSTMCell`: single steps, which it makes in `f64` whatever the case asks for. Its GRU is not torch's: the
//! reset gate multiplies the state before the product.

use std::hint::black_box;

use ndarray::{Array2, Axis};
use rust_lstm::LSTMCell;
use serde_json::Value;

use crate::arrays::Arrays;
use crate::protocol::{Case, Job, Result, Worker};

pub struct RustLstm;

impl Worker for RustLstm {
    fn about(&self) -> String {
        "rust-lstm 0.10.0, f64".into()
    }

    fn build(&self, case: &Case, request: &Value) -> Result<Box<dyn Job>> {
        if case.mode != "step" || case.kind != "lstm" {
            return Err("unsupported: only steps of an LSTM".into());
        }
        let file = Arrays::read(case, request)?;
        let array = |name: &str, columns: usize| -> Result<Array2<f64>> {
            let numbers = file.get(name)?.1;
            Ok(Array2::from_shape_vec((numbers.len() / columns, columns), numbers)?)
        };
        let mut cell = LSTMCell::new(case.input, case.hidden);
        cell.w_ih = array("weight_ih_l0", case.input)?;
        cell.w_hh = array("weight_hh_l0", case.hidden)?;
        [cell.b_ih, cell.b_hh] = [array("bias_ih_l0", 1)?, array("bias_hh_l0", 1)?];
        cell.is_training = false;
        let columns =
            array("input", case.input)?.outer_iter().map(|x| x.to_owned().insert_axis(Axis(1))).collect();
        let zeros = Array2::zeros((case.hidden, 1));
        Ok(Box::new(Step { cell, columns, state: (zeros.clone(), zeros) }))
    }
}

struct Step {
    cell: LSTMCell,
    /// Each step's input, as a column.
    columns: Vec<Array2<f64>>,
    state: (Array2<f64>, Array2<f64>),
}

impl Job for Step {
    fn call(&mut self) {
        self.state = self.cell.forward(black_box(&self.columns[0]), &self.state.0, &self.state.1);
    }

    fn check(&mut self, case: &Case, request: &Value) -> Result<Value> {
        let (mut state, mut outputs) = (self.state.clone(), Vec::new());
        for x in &self.columns {
            state = self.cell.forward(x, &state.0, &state.1);
            outputs.extend(state.0.iter().copied());
        }
        Arrays::read(case, request)?.compare(&outputs)
    }
}
