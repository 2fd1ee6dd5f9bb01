//! This crate's worker of the comparison; `benches/compare/run.py` builds and runs it.

mod keras;
mod kinds;
mod limits;
#[path = "protocol.rs"]
mod protocol;
mod training;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};

use kinds::Compared;
use ndarray::{Array, Array2, Array3, ArrayD, Axis, Dimension, IntoDimension};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{
    Gradients, GruConfig, LstmConfig, Parameters, Recurrent, RecurrentCell, RecurrentParameters, RnnConfig,
    Scalar, Session, Stepwise, manual_seed, random,
};
use protocol::{Case, Job, Result, Worker};
use serde_json::{Value, json};
use training::Training;

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
        match (case.kind.as_str(), case.single) {
            ("rnn", true) => build::<RnnConfig, f32>(case),
            ("rnn", false) => build::<RnnConfig, f64>(case),
            ("lstm", true) => build::<LstmConfig, f32>(case),
            ("lstm", false) => build::<LstmConfig, f64>(case),
            ("gru", true) => build::<GruConfig, f32>(case),
            ("gru", false) => build::<GruConfig, f64>(case),
            (other, _) => Err(format!("an unknown kind: {other}").into()),
        }
    }

    fn limits(&self, case: &Case) -> Value {
        if case.single { limits::<f32>(case) } else { limits::<f64>(case) }
    }
}

fn build<C: Compared, A: Scalar>(case: &Case) -> Result<Box<dyn Job>> {
    Ok(match case.mode.as_str() {
        "forward" => Box::new(Checked(Forward::<C, A>::new(case)?)),
        "backward" => Box::new(Checked(Backward::<C, A>::new(case)?)),
        "training" => Box::new(Checked(Training::<C, A>::new(case)?)),
        "step" => Box::new(Checked(Step::of_a_network(Forward::<C, A>::new(case)?, case.batch)?)),
        "cell" => Box::new(Checked(Step::of_a_cell(Forward::<C, A>::new(case)?, case)?)),
        "keras" => Box::new(Checked(keras::Layer::<C, A>::new(case, true)?)),
        "keras-last" => Box::new(Checked(keras::Layer::<C, A>::new(case, false)?)),
        "ragged" => Box::new(Checked(Ragged::<C, A>::new(case)?)),
        other => return Err(format!("an unknown mode: {other}").into()),
    })
}

fn limits<A: Scalar>(case: &Case) -> Value {
    let threads = std::env::var("RAYON_NUM_THREADS").ok();
    let threads = threads.and_then(|threads| threads.parse().ok()).unwrap_or(1);
    let least = if threads == 1 { limits::least::<A>(case) } else { None };
    json!({ "peak": limits::peak::<A>(threads), "ns": least })
}

/// Named arrays: parameters, `input`, and the results that every framework must give.
type Named<A> = Vec<(String, ArrayD<A>)>;

/// A case of this crate.
trait Measured {
    type Elem: Scalar;

    fn call(&mut self);

    fn arrays(&mut self) -> Result<Named<Self::Elem>>;
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
        Ok(json!({ "arrays": arrays }))
    }
}

/// Writes arrays one after another, little-endian. Returns names and shapes.
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
struct Forward<C: Compared, A: Scalar> {
    rnn: Recurrent<C, A>,
    input: Array3<A>,
}

impl<C: Compared, A: Scalar> Forward<C, A> {
    fn new(case: &Case) -> Result<Self> {
        let rnn = Recurrent::new(C::for_network(case), &mut manual_seed(0))?;
        Ok(Self { rnn, input: uniform((case.len, case.batch, case.input))? })
    }

    /// Parameters and input.
    fn given(&self) -> Named<A> {
        let mut arrays = self.rnn.state_dict();
        arrays.push(named("input", self.input.clone()));
        arrays
    }

    /// Those and the results.
    fn all(&self, output: Array3<A>, state: C::State<Array3<A>>) -> Named<A> {
        let mut arrays = self.given();
        arrays.push(named("output", output));
        arrays.extend(["h_n", "c_n"].into_iter().zip(C::list(state)).map(|(name, plane)| named(name, plane)));
        arrays
    }
}

impl<C: Compared, A: Scalar> Measured for Forward<C, A> {
    type Elem = A;

    fn call(&mut self) {
        black_box(self.rnn.forward(black_box(&self.input), None)).expect("it was checked");
    }

    fn arrays(&mut self) -> Result<Named<A>> {
        let (output, state) = self.rnn.forward(&self.input, None)?;
        Ok(self.all(output, state))
    }
}

/// Forward, then backward from a cotangent of ones: `output.sum().backward()`.
struct Backward<C: Compared, A: Scalar> {
    whole: Forward<C, A>,
    rng: Mt19937,
}

impl<C: Compared, A: Scalar> Backward<C, A> {
    fn new(case: &Case) -> Result<Self> {
        Ok(Self { whole: Forward::new(case)?, rng: manual_seed(0) })
    }

    fn gradients(
        &mut self,
    ) -> ndarray_rnn::Result<Gradients<RecurrentParameters<A>, Array3<A>, C::State<Array3<A>>>> {
        let Forward { rnn, input } = &self.whole;
        let (output, _, trace) = rnn.forward_train(black_box(input), None, &mut self.rng)?;
        rnn.backward(&trace, &Array3::ones(output.dim()), None)
    }
}

impl<C: Compared, A: Scalar> Measured for Backward<C, A> {
    type Elem = A;

    fn call(&mut self) {
        black_box(self.gradients()).expect("it was checked");
    }

    fn arrays(&mut self) -> Result<Named<A>> {
        let mut arrays = self.whole.arrays()?;
        let gradients = self.gradients()?;
        arrays.push(named("grad.input", gradients.input));
        let parameters = gradients.parameters.state_dict().into_iter();
        arrays.extend(parameters.map(|(name, gradient)| (format!("grad.{name}"), gradient)));
        Ok(arrays)
    }
}

/// One step of one sequence after another, in a session of a network or, with the same parameters, of a cell.
struct Step<C: Compared, N: Stepwise> {
    whole: Forward<C, N::Elem>,
    session: Session<N>,
    first: Array2<N::Elem>,
}

impl<C: Compared, A: Scalar> Step<C, Recurrent<C, A>> {
    fn of_a_network(whole: Forward<C, A>, batch: usize) -> Result<Self> {
        let session = Session::new(whole.rnn.clone(), batch)?;
        Ok(Self::new(whole, session))
    }
}

impl<C: Compared, A: Scalar> Step<C, RecurrentCell<C::ForCell, A>> {
    fn of_a_cell(whole: Forward<C, A>, case: &Case) -> Result<Self> {
        let cell = RecurrentCell::new(C::for_cell(case), &mut manual_seed(0))?;
        let session = Session::new(cell, case.batch)?;
        Ok(Self::new(whole, session))
    }
}

impl<C: Compared, N: Stepwise> Step<C, N> {
    fn new(whole: Forward<C, N::Elem>, session: Session<N>) -> Self {
        let first = whole.input.index_axis(Axis(0), 0).to_owned();
        Self { whole, session, first }
    }
}

impl<C: Compared, N: Stepwise> Measured for Step<C, N> {
    type Elem = N::Elem;

    fn call(&mut self) {
        black_box(self.session.step(black_box(&self.first))).expect("it was checked");
    }

    fn arrays(&mut self) -> Result<Named<N::Elem>> {
        self.whole.arrays()
    }
}

/// Sequences of different lengths, padded with zeros, as their outputs are.
struct Ragged<C: Compared, A: Scalar> {
    whole: Forward<C, A>,
    lengths: Vec<usize>,
}

impl<C: Compared, A: Scalar> Ragged<C, A> {
    fn new(case: &Case) -> Result<Self> {
        Ok(Self { whole: Forward::new(case)?, lengths: case.lengths.clone() })
    }
}

impl<C: Compared, A: Scalar> Measured for Ragged<C, A> {
    type Elem = A;

    fn call(&mut self) {
        let Forward { rnn, input } = &self.whole;
        black_box(rnn.run(black_box(input)).lengths(&self.lengths).forward()).expect("it was checked");
    }

    fn arrays(&mut self) -> Result<Named<A>> {
        let (output, state) = self.whole.rnn.run(&self.whole.input).lengths(&self.lengths).forward()?;
        Ok(self.whole.all(output, state))
    }
}
