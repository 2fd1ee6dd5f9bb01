//! This crate's worker of the comparison; `benches/compare/run.py` builds and runs it.

mod peak;
#[path = "protocol.rs"]
mod protocol;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};

use ndarray::{Array, Array2, Array3, ArrayD, Axis, Dimension, IntoDimension, Slice};
use ndarray_rnn::{Parameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, Scalar, manual_seed, random};
use protocol::{Case, Job, Result, Worker};
use serde_json::{Value, json};

fn main() -> Result<()> {
    protocol::serve(&Ours)
}

struct Ours;

impl Worker for Ours {
    fn about(&self) -> String {
        let arch = format!("{:?}", pulp::Arch::new());
        let arch = arch.split('(').next().unwrap_or_default();
        format!("ndarray-rnn {}, pulp {arch}", env!("CARGO_PKG_VERSION"))
    }

    fn build(&self, case: &Case, _: &Value) -> Result<Box<dyn Job>> {
        if case.single { build::<f32>(case) } else { build::<f64>(case) }
    }

    fn peak(&self) -> Value {
        let threads = std::env::var("RAYON_NUM_THREADS").ok();
        let threads = threads.and_then(|threads| threads.parse().ok()).unwrap_or(1);
        json!({ "f32": peak::flops::<f32>(threads), "f64": peak::flops::<f64>(threads) })
    }
}

fn build<A: Scalar>(case: &Case) -> Result<Box<dyn Job>> {
    Ok(match case.mode.as_str() {
        "forward" => Box::new(Checked(Forward::<A>::new(case)?)),
        "backward" => Box::new(Checked(Backward::<A>(Forward::new(case)?))),
        "step" => Box::new(Checked(Step::<A>::new(case)?)),
        "cell" => Box::new(Checked(CellStep::<A>::new(case)?)),
        "ragged" => Box::new(Checked(Ragged::<A>::new(case)?)),
        other => return Err(format!("an unknown mode: {other}").into()),
    })
}

/// Names and arrays: parameters, `input`, and what must come out of them.
type Named<A> = Vec<(String, ArrayD<A>)>;

/// A case of this crate.
trait Measured {
    type Elem: Scalar;

    /// Whether this crate can do it yet.
    const TIMED: bool = true;

    fn call(&mut self);

    fn arrays(&self) -> Result<Named<Self::Elem>>;
}

/// A case as a job: its arrays are written to the file that the other workers read.
struct Checked<M>(M);

impl<M: Measured> Job for Checked<M> {
    fn call(&mut self) {
        self.0.call();
    }

    fn check(&mut self, _: &Case, request: &Value) -> Result<Value> {
        let path = request["path"].as_str().ok_or("no path")?;
        let arrays = write(path, &self.0.arrays()?)?;
        Ok(json!({ "arrays": arrays, "timed": M::TIMED }))
    }
}

/// Writes arrays one behind the other, little-endian; returns names and shapes.
fn write<A: Scalar>(path: &str, arrays: &Named<A>) -> Result<Vec<Value>> {
    let mut file = BufWriter::new(File::create(path)?);
    for value in arrays.iter().flat_map(|(_, array)| array) {
        let value = value.into_f64();
        if A::SINGLE {
            file.write_all(&(value as f32).to_le_bytes())?;
        } else {
            file.write_all(&value.to_le_bytes())?;
        }
    }
    file.flush()?;
    Ok(arrays.iter().map(|(name, array)| json!([name, array.shape()])).collect())
}

/// Uniform in [-1, 1).
fn uniform<A: Scalar, D: Dimension>(shape: impl IntoDimension<Dim = D>) -> Result<Array<A, D>> {
    let mut array = Array::zeros(shape.into_dimension());
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(1))?;
    Ok(array)
}

fn named<A, D: Dimension>(name: &str, array: Array<A, D>) -> (String, ArrayD<A>) {
    (name.into(), array.into_dyn())
}

/// A whole batch of equally long sequences.
struct Forward<A: Scalar> {
    rnn: Rnn<A>,
    input: Array3<A>,
}

impl<A: Scalar> Forward<A> {
    fn new(case: &Case) -> Result<Self> {
        let config =
            RnnConfig::new(case.input, case.hidden).num_layers(case.layers).bidirectional(case.bidirectional);
        let rnn = Rnn::new(config, &mut manual_seed(0))?;
        Ok(Self { rnn, input: uniform((case.len, case.batch, case.input))? })
    }

    /// Parameters and input.
    fn given(&self) -> Named<A> {
        let mut arrays = self.rnn.state_dict();
        arrays.push(named("input", self.input.clone()));
        arrays
    }
}

impl<A: Scalar> Measured for Forward<A> {
    type Elem = A;

    fn call(&mut self) {
        black_box(self.rnn.forward(black_box(&self.input), None)).expect("it was checked");
    }

    fn arrays(&self) -> Result<Named<A>> {
        let (output, h_n) = self.rnn.forward(&self.input, None)?;
        let mut arrays = self.given();
        arrays.extend([named("output", output), named("h_n", h_n)]);
        Ok(arrays)
    }
}

/// Forward, then backward from a cotangent of ones: `output.sum().backward()`.
struct Backward<A: Scalar>(Forward<A>);

impl<A: Scalar> Measured for Backward<A> {
    type Elem = A;

    // Once there are `Rnn::forward_train` and `Rnn::backward`: call them here, and add the gradients to `arrays` as
    // `grad.input` and `grad.{parameter}`, which the other workers then compare with theirs.
    const TIMED: bool = false;

    fn call(&mut self) {}

    fn arrays(&self) -> Result<Named<A>> {
        self.0.arrays()
    }
}

/// One step of one sequence after another, through `Rnn` with L = 1.
struct Step<A: Scalar> {
    whole: Forward<A>,
    first: Array3<A>,
    state: Array3<A>,
}

impl<A: Scalar> Step<A> {
    fn new(case: &Case) -> Result<Self> {
        let whole = Forward::<A>::new(case)?;
        let first = whole.input.slice_axis(Axis(0), Slice::from(..1)).to_owned();
        let state = Array3::zeros((case.layers, case.batch, case.hidden));
        Ok(Self { whole, first, state })
    }
}

impl<A: Scalar> Measured for Step<A> {
    type Elem = A;

    fn call(&mut self) {
        let (output, h_n) = self.whole.rnn.forward(&self.first, Some(&self.state)).expect("it was checked");
        black_box(output);
        self.state = h_n;
    }

    fn arrays(&self) -> Result<Named<A>> {
        self.whole.arrays()
    }
}

/// As [`Step`], through `RnnCell`. The parameters are those of the same `Rnn`.
struct CellStep<A: Scalar> {
    whole: Forward<A>,
    cell: RnnCell<A>,
    first: Array2<A>,
    state: Array2<A>,
}

impl<A: Scalar> CellStep<A> {
    fn new(case: &Case) -> Result<Self> {
        let whole = Forward::<A>::new(case)?;
        let cell = RnnCell::new(RnnCellConfig::new(case.input, case.hidden), &mut manual_seed(0))?;
        let first = whole.input.index_axis(Axis(0), 0).to_owned();
        let state = Array2::zeros((case.batch, case.hidden));
        Ok(Self { whole, cell, first, state })
    }
}

impl<A: Scalar> Measured for CellStep<A> {
    type Elem = A;

    fn call(&mut self) {
        self.state = self.cell.forward(&self.first, Some(&self.state)).expect("it was checked");
    }

    fn arrays(&self) -> Result<Named<A>> {
        self.whole.arrays()
    }
}

/// Sequences of different lengths, padded with zeros, their outputs too.
struct Ragged<A: Scalar> {
    whole: Forward<A>,
    lengths: Vec<usize>,
}

impl<A: Scalar> Ragged<A> {
    fn new(case: &Case) -> Result<Self> {
        Ok(Self { whole: Forward::new(case)?, lengths: case.lengths.clone() })
    }
}

impl<A: Scalar> Measured for Ragged<A> {
    type Elem = A;

    fn call(&mut self) {
        let Forward { rnn, input } = &self.whole;
        black_box(rnn.run(black_box(input)).lengths(&self.lengths).forward()).expect("it was checked");
    }

    fn arrays(&self) -> Result<Named<A>> {
        let (output, h_n) = self.whole.rnn.run(&self.whole.input).lengths(&self.lengths).forward()?;
        let mut arrays = self.whole.given();
        arrays.extend([named("output", output), named("h_n", h_n)]);
        Ok(arrays)
    }
}
