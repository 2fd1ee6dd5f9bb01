//! torch's own results.
//!
//! First the notebook "RNN Basics": everything it prints about its `torch.nn.RNN(4, 2)` must come out of
//! `manual_seed(0)` alone. Then every combination of the options: 384 networks and 32 cells whose parameters, inputs
//! and first states are drawn here as `golden/generate.py` had torch draw them, and whose outputs torch stored.

use crate::common::golden::{Case, Golden};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types, largest_difference, uniform};
use approx::assert_abs_diff_eq;
use ndarray::{Array, Array3, ArrayD, ArrayRef, Dimension, Ix1, Ix2, Ix3, IxDyn};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{CellDim, Parameters, Rnn, RnnCell, RnnConfig, SequenceDim, manual_seed};
use serde_json::Value;

const RNN: &[u8] = include_bytes!("../golden/rnn.safetensors");
const CELL: &[u8] = include_bytes!("../golden/cell.safetensors");
const NOTEBOOK: &[u8] = include_bytes!("../golden/notebook.safetensors");
const PRINTED: &str = include_str!("../golden/notebook.txt");

/// How far results may be from torch's, which adds its sums in another order.
fn tolerance<A: Real>() -> f64 {
    if A::NAME == "f32" { 1e-6 } else { 1e-13 }
}

// The notebook

/// The notebook's network.
fn notebook_rnn() -> TestResult<Rnn> {
    Ok(Rnn::new(RnnConfig::new(4, 2), &mut manual_seed(0))?)
}

/// The words "hello", "eolll" and "lleel", each letter one-hot among h, e, l, o: (3, 5, 4).
fn notebook_input() -> Array3<f32> {
    let words = ["hello", "eolll", "lleel"].map(str::as_bytes);
    Array3::from_shape_fn((3, 5, 4), |(t, n, k)| f32::from(words[t][n] == b"helo"[k]))
}

/// What the notebook prints: the parameters, the outputs and the state.
fn notebook_results() -> TestResult<Vec<(String, ArrayD<f32>)>> {
    let rnn = notebook_rnn()?;
    let (outputs, state) = rnn.forward(&notebook_input(), None)?;
    let mut results = rnn.state_dict();
    results.extend([("outputs".into(), outputs.into_dyn()), ("state".into(), state.into_dyn())]);
    Ok(results)
}

/// `name [shape]`, then the numbers as nested lists.
fn printed_tensor(block: &str) -> TestResult<(&str, ArrayD<f64>)> {
    let (title, numbers) = block.split_once('\n').ok_or("no numbers")?;
    let (name, shape) = title.split_once(' ').ok_or("no shape")?;
    let shape: Vec<usize> =
        shape.trim_matches(['[', ']']).split(", ").map(str::parse).collect::<Result<_, _>>()?;
    let mut values = Vec::new();
    flatten(&serde_json::from_str(numbers)?, &mut values);
    Ok((name, ArrayD::from_shape_vec(shape, values)?))
}

fn flatten(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten(value, into)),
        other => into.extend(other.as_f64()),
    }
}

#[test]
fn the_notebook_comes_out_of_its_seed() -> TestResult {
    let results = notebook_results()?;
    let printed: Vec<_> = PRINTED.split("\n\n").map(printed_tensor).collect::<TestResult<_>>()?;
    let names: Vec<_> = printed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["outputs", "state", "weight_ih_l0", "weight_hh_l0"]);
    for (name, expected) in &printed {
        let (_, actual) = results.iter().find(|(other, _)| other == name).ok_or(*name)?;
        // The notebook prints four decimals.
        assert_abs_diff_eq!(actual.mapv(f64::from), expected, epsilon = 5e-5);
    }
    Ok(())
}

#[test]
fn the_notebook_agrees_with_torch_to_the_last_digits() -> TestResult {
    let golden = Golden::parse(NOTEBOOK)?;
    assert_same_bits(&notebook_input().into_dyn(), &golden.array("input")?, "input");
    for (name, actual) in notebook_results()? {
        let expected = golden.array::<f32>(&name)?;
        if name.contains("_l0") {
            assert_same_bits(&actual, &expected, &name);
            continue;
        }
        // Two units in the last place of the sums' terms. Near zero the terms cancel, so the result's own unit
        // would be too small.
        assert_abs_diff_eq!(actual, expected, epsilon = f32::EPSILON);
    }
    Ok(())
}

// Every combination of the options

/// The largest difference so far, and the case that has it.
struct Worst {
    difference: f64,
    place: String,
}

impl Worst {
    fn new() -> Self {
        Self { difference: 0.0, place: String::new() }
    }

    /// Compares a result with what torch stored. A NaN counts as worse than any difference.
    fn note<A: Real>(&mut self, what: &str, case: &Case, actual: &ArrayRef<A, IxDyn>, torch: &ArrayD<A>) {
        assert_eq!(actual.shape(), torch.shape(), "{what} of {case:?}");
        let difference = largest_difference(actual, torch);
        if difference.is_nan() || difference > self.difference {
            *self = Self { difference, place: format!("{what} of {case:?}") };
        }
    }

    #[track_caller]
    fn assert_within(&self, tolerance: f64) {
        assert!(self.difference <= tolerance, "{:e} from torch: {}", self.difference, self.place);
    }
}

/// The generator's next uniform values.
fn drawn<A: Real, D: Dimension>(shape: &[usize], rng: &mut Mt19937) -> TestResult<Array<A, D>> {
    Ok(uniform::<A, _, _>(shape, rng)?.into_dimensionality()?)
}

/// The shapes of input and h_0 as the network takes them.
fn rnn_shapes(case: &Case) -> TestResult<[Vec<usize>; 2]> {
    let directions = if case.flag("bidirectional")? { 2 } else { 1 };
    let (rows, hidden) = (case.size("num_layers")? * directions, case.size("hidden_size")?);
    let (len, width) = (case.size("seq_len")?, case.size("input_size")?);
    Ok(match case.batch()? {
        None => [vec![len, width], vec![rows, hidden]],
        Some(batch) if case.flag("batch_first")? => [vec![batch, len, width], vec![rows, batch, hidden]],
        Some(batch) => [vec![len, batch, width], vec![rows, batch, hidden]],
    })
}

/// `output` and `h_n` of a case; every number follows from the case's seed.
fn run_rnn<A: Real, D: SequenceDim>(case: &Case) -> TestResult<[ArrayD<A>; 2]> {
    let rng = &mut manual_seed(case.size("seed")? as u64);
    let rnn = Rnn::<A>::new(case.rnn_config()?, rng)?;
    let [input, h_0] = rnn_shapes(case)?;
    let input = drawn::<A, D>(&input, rng)?;
    let h_0 = case.flag("h_0")?.then(|| drawn(&h_0, rng)).transpose()?;
    let (output, h_n) = rnn.forward(&input, h_0.as_deref())?;
    Ok([output.into_dyn(), h_n.into_dyn()])
}

/// All networks of one type and nonlinearity: a quarter of the file.
fn compare_rnns<A: Real>(nonlinearity: &str) -> TestResult {
    let golden = Golden::parse(RNN)?;
    let cases = golden.cases()?;
    assert_eq!(cases.len(), 384);
    let (mut worst, mut count) = (Worst::new(), 0);
    for case in cases.iter().filter(|case| case.is("dtype", A::NAME) && case.is("nonlinearity", nonlinearity))
    {
        let alone = case.batch()?.is_none();
        let [output, h_n] = if alone { run_rnn::<A, Ix2>(case)? } else { run_rnn::<A, Ix3>(case)? };
        worst.note("output", case, &output, &golden.array(&format!("{}.output", case.index))?);
        worst.note("h_n", case, &h_n, &golden.array(&format!("{}.h_n", case.index))?);
        count += 1;
    }
    assert_eq!(count, 384 / 4, "cases run");
    worst.assert_within(tolerance::<A>());
    Ok(())
}

fn rnn_with_tanh<A: Real>() -> TestResult {
    compare_rnns::<A>("tanh")
}

fn rnn_with_relu<A: Real>() -> TestResult {
    compare_rnns::<A>("relu")
}

/// The next state of a case; every number follows from the case's seed.
fn run_cell<A: Real, D: CellDim>(case: &Case) -> TestResult<ArrayD<A>> {
    let rng = &mut manual_seed(case.size("seed")? as u64);
    let cell = RnnCell::<A>::new(case.cell_config()?, rng)?;
    let shape = |width| case.batch().map(|batch| batch.into_iter().chain([width]).collect::<Vec<_>>());
    let input = drawn::<A, D>(&shape(case.size("input_size")?)?, rng)?;
    let hidden = shape(case.size("hidden_size")?)?;
    let hidden = case.flag("h_0")?.then(|| drawn(&hidden, rng)).transpose()?;
    Ok(cell.forward(&input, hidden.as_deref())?.into_dyn())
}

fn cell<A: Real>() -> TestResult {
    let golden = Golden::parse(CELL)?;
    let cases = golden.cases()?;
    assert_eq!(cases.len(), 32);
    let (mut worst, mut count) = (Worst::new(), 0);
    for case in cases.iter().filter(|case| case.is("dtype", A::NAME)) {
        let h = if case.batch()?.is_none() { run_cell::<A, Ix1>(case)? } else { run_cell::<A, Ix2>(case)? };
        worst.note("h", case, &h, &golden.array(&format!("{}.h", case.index))?);
        count += 1;
    }
    assert_eq!(count, 32 / 2, "cases run");
    worst.assert_within(tolerance::<A>());
    Ok(())
}

in_both_types!(rnn_with_tanh, rnn_with_relu, cell);
