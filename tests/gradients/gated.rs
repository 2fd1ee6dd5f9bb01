//! torch's LSTMs, GRUs and their cells over the fixture of `golden/gated.py`: outputs, final states, and the gradients of
//! input, first state and every parameter.
//!
//! Differences of results are absolute. Those of gradients are relative to the largest magnitude in the same tensor; each
//! parameter is a tensor of its own.

use std::iter;

use ndarray::{Array, Array3, ArrayD, Dimension, Ix1, Ix2, Ix3};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{
    CellDim, GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, PackedSequence, Packing, Padding,
    Parameters, Recurrent, RecurrentCell, SequenceDim, Sequences, manual_seed,
};

use crate::common::golden::{Case, Golden};
use crate::common::kinds::{Cell, Network, Planes};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types, largest_difference};
use crate::problem::{difference, is_single, uniform};

const GATED: &[u8] = include_bytes!("../golden/gated.safetensors");

/// Arrays under the names of the fixture.
type Named<A> = Vec<(String, ArrayD<A>)>;

/// What a pass and its way back gave.
struct Found<A> {
    /// Output and final state.
    results: Named<A>,
    /// The gradients of input and first state.
    gradients: Named<A>,
    /// The gradients of the parameters.
    parameters: Named<A>,
}

/// The planes of a state under the names of the fixture, such as `h_n`.
fn named<C: Planes, A: Real, D: Dimension>(
    state: C::State<Array<A, D>>,
    end: &str,
) -> impl Iterator<Item = (String, ArrayD<A>)> {
    let names = C::PLANES.iter().map(move |plane| format!("{plane}{end}"));
    iter::zip(names, C::split(state).into_iter().map(Array::into_dyn))
}

/// What a network runs on, and the cotangents of its results.
struct Problem<C: Network, A: Real, D: SequenceDim> {
    network: Recurrent<C, A>,
    input: Array<A, D>,
    state: Option<Vec<Array<A, D>>>,
    d_output: Array<A, D>,
    d_state: Option<Vec<Array<A, D>>>,
}

impl<C: Network, A: Real, D: SequenceDim> Problem<C, A, D> {
    /// Draws everything as the fixture's script had torch draw it.
    fn draw(case: &Case) -> TestResult<Self> {
        let shape = case.shape()?;
        let (len, batch) = (case.size("seq_len")?, case.batch()?);
        let (leading, between) = match batch {
            None => (vec![len], vec![]),
            Some(batch) if shape.batch_first => (vec![batch, len], vec![batch]),
            Some(batch) => (vec![len, batch], vec![batch]),
        };
        let rng = &mut manual_seed(case.size("seed")? as u64);
        let network = Recurrent::new(C::of(shape), rng)?;
        let sequences = |width, rng: &mut Mt19937| uniform(&[&leading[..], &[width]].concat(), rng);
        let rows = [&[shape.num_layers * shape.directions()][..], &between].concat();
        let state = |rng: &mut Mt19937| -> TestResult<Vec<_>> {
            let widths = shape.widths::<C>().into_iter();
            widths.map(|width| uniform(&[&rows[..], &[width]].concat(), rng)).collect()
        };
        Ok(Self {
            network,
            input: sequences(shape.input_size, rng)?,
            state: case.flag("state")?.then(|| state(rng)).transpose()?,
            d_output: sequences(shape.output_size(), rng)?,
            d_state: case.flag("d_state")?.then(|| state(rng)).transpose()?,
        })
    }

    /// The results of a pass in training over sequences in any form, the gradients of input and first state, and those
    /// of the parameters. Without dropout a plain pass must give the same results.
    fn pass<I: Sequences<A, Dim = D>>(
        &self,
        case: &Case,
        [input, d_output]: [&I; 2],
        lengths: Option<&[usize]>,
        array: impl Fn(I::Output) -> TestResult<ArrayD<A>>,
    ) -> TestResult<Found<A>> {
        let run = || {
            let run = lengths.iter().fold(self.network.run(input), |run, lengths| run.lengths(lengths));
            self.state.iter().fold(run, |run, state| run.state(C::lend(state)))
        };
        let mut rng = manual_seed(case.size("dropout_seed")? as u64);
        let (output, state, trace) = run().forward_train(&mut rng)?;
        let results = iter::once(("output".into(), array(output)?)).chain(named::<C, _, _>(state, "_n"));
        let results: Named<A> = results.collect();
        let shape = self.network.config().shape();
        if shape.dropout == 0.0 || shape.num_layers == 1 {
            let (output, state) = run().forward()?;
            let plain = iter::once(("output".into(), array(output)?)).chain(named::<C, _, _>(state, "_n"));
            for ((name, actual), (_, expected)) in plain.zip(&results) {
                assert_same_bits(&actual, expected, &format!("{name} of {case:?}"));
            }
        }
        let d_state = self.d_state.as_deref().map(C::lend);
        let gradients = self.network.backward(&trace, d_output, d_state)?;
        let of_input = iter::once(("input".into(), array(gradients.input)?));
        let of_arrays = of_input.chain(named::<C, _, _>(gradients.state, "_0")).collect();
        Ok(Found { results, gradients: of_arrays, parameters: gradients.parameters.state_dict() })
    }
}

/// The largest difference of results and that of gradients.
#[derive(Debug, Default)]
struct Differences {
    results: f64,
    gradients: f64,
}

impl Differences {
    /// Compares what was found with what the fixture has under names that begin with `of`.
    fn note<A: Real>(
        &mut self,
        golden: &Golden,
        of: &str,
        found: Found<A>,
        case: &Case,
        like: &impl Parameters<Elem = A>,
    ) -> TestResult {
        let (forwards, backwards) = if A::NAME == "f32" { (1e-6, 1e-5) } else { (1e-13, 1e-12) };
        let torch = |name: &str| golden.array(&format!("{of}.{name}"));
        for (name, actual) in &found.results {
            let distance = largest_difference(actual, &torch(name)?);
            assert!(distance <= forwards, "{name} is {distance:e} from torch: {case:?}");
            self.results = self.results.max(distance);
        }
        let mut gradients = found.gradients;
        gradients.retain(|(name, _)| name == "input" || case.value["state"] == true);
        let stored = golden.names().into_iter().filter(|name| name.starts_with(&format!("{of}.")));
        assert_eq!(stored.count(), found.results.len() + gradients.len() + 1, "tensors of {case:?}");
        let of_arrays = gradients.iter().map(|(name, _)| torch(name)).collect::<TestResult<Vec<_>>>()?;
        let of_parameters = golden.parameters(&format!("{of}.parameters"), like)?;
        let expected = of_arrays.into_iter().chain(of_parameters.into_iter().map(|(_, gradient)| gradient));
        for ((name, actual), torch) in gradients.iter().chain(&found.parameters).zip(expected) {
            let distance = difference(actual, &torch);
            assert!(distance <= backwards, "the gradient of {name} is {distance:e} from torch: {case:?}");
            self.gradients = self.gradients.max(distance);
        }
        Ok(())
    }
}

/// A network that reads an array.
fn array<C: Network, A: Real, D: SequenceDim>(
    golden: &Golden,
    case: &Case,
    worst: &mut Differences,
) -> TestResult {
    let problem = Problem::<C, A, D>::draw(case)?;
    let lengths = case.lengths()?;
    assert_eq!(case.is("form", "sequence"), is_single::<D>());
    let whole = |output: Array<A, D>| Ok(output.into_dyn());
    let found = problem.pass(case, [&problem.input, &problem.d_output], lengths.as_deref(), whole)?;
    worst.note(golden, &format!("networks.{}", case.index), found, case, &problem.network)
}

/// A network that reads a packed sequence.
fn packed<C: Network, A: Real>(golden: &Golden, case: &Case, worst: &mut Differences) -> TestResult {
    let problem = Problem::<C, A, Ix3>::draw(case)?;
    let (lengths, batch_first) = (case.lengths()?.ok_or("no lengths")?, case.shape()?.batch_first);
    let packing = Packing::new().batch_first(batch_first).enforce_sorted(case.is("form", "sorted"));
    let pack = |array: &Array3<A>| PackedSequence::from_padded(array, &lengths, packing);
    let padding = Padding::new(A::zero()).batch_first(batch_first).total_length(case.size("seq_len")?);
    let padded = |output: PackedSequence<A>| Ok(output.to_padded(padding)?.0.into_dyn());
    let [input, d_output] = [pack(&problem.input)?, pack(&problem.d_output)?];
    let found = problem.pass(case, [&input, &d_output], None, padded)?;
    worst.note(golden, &format!("networks.{}", case.index), found, case, &problem.network)
}

/// Compares every network of a type and kind, and expects this number of them.
fn networks<C: Network, A: Real>(kind: &str, count: usize) -> TestResult {
    let golden = Golden::parse(GATED)?;
    let mut cases = golden.group("networks")?;
    cases.retain(|case| case.is("kind", kind) && case.is("dtype", A::NAME));
    assert_eq!(cases.len(), count, "networks");
    let mut worst = Differences::default();
    for case in &cases {
        match case.text("form") {
            Some("sequence") => array::<C, A, Ix2>(&golden, case, &mut worst)?,
            Some("batch" | "padded") => array::<C, A, Ix3>(&golden, case, &mut worst)?,
            _ => packed::<C, A>(&golden, case, &mut worst)?,
        }
    }
    println!("{count} of {kind} in {}: {worst:?}", A::NAME);
    Ok(())
}

fn lstm<A: Real>() -> TestResult {
    networks::<LstmConfig, A>("lstm", if A::NAME == "f32" { 128 } else { 130 })
}

fn gru<A: Real>() -> TestResult {
    networks::<GruConfig, A>("gru", if A::NAME == "f32" { 48 } else { 70 })
}

/// One step of a cell and the way back, over a batch or one row.
fn cell<C: Cell, A: Real, D: CellDim>(golden: &Golden, case: &Case, worst: &mut Differences) -> TestResult {
    let [input, hidden] = [case.size("input_size")?, case.size("hidden_size")?];
    let batch = case.batch()?;
    let rng = &mut manual_seed(case.size("seed")? as u64);
    let cell = RecurrentCell::<C, A>::new(C::of(input, hidden, case.flag("bias")?), rng)?;
    let drawn = |width, rng: &mut Mt19937| {
        uniform::<A, D>(&batch.into_iter().chain([width]).collect::<Vec<_>>(), rng)
    };
    let planes =
        |rng: &mut Mt19937| C::PLANES.iter().map(|_| drawn(hidden, rng)).collect::<TestResult<Vec<_>>>();
    let input = drawn(input, rng)?;
    let state = case.flag("state")?.then(|| planes(rng)).transpose()?;
    let d_state = planes(rng)?;
    let (next, trace) = cell.forward_train(&input, state.as_deref().map(C::lend))?;
    let plain = C::split(cell.forward(&input, state.as_deref().map(C::lend))?);
    let next: Named<A> = named::<C, _, _>(next, "").collect();
    for ((name, actual), plain) in iter::zip(&next, plain) {
        assert_same_bits(actual, &plain.into_dyn(), &format!("{name} of {case:?}"));
    }
    let gradients = cell.backward(&trace, C::lend(&d_state))?;
    let of_input = iter::once(("input".into(), gradients.input.into_dyn()));
    let of_arrays = of_input.chain(named::<C, _, _>(gradients.state, "_0")).collect();
    let found = Found { results: next, gradients: of_arrays, parameters: gradients.parameters.state_dict() };
    worst.note(golden, &format!("cells.{}", case.index), found, case, &cell)
}

/// Compares every cell of a type and kind.
fn cells<C: Cell, A: Real>(kind: &str) -> TestResult {
    let golden = Golden::parse(GATED)?;
    let mut cases = golden.group("cells")?;
    cases.retain(|case| case.is("kind", kind) && case.is("dtype", A::NAME));
    assert_eq!(cases.len(), 8, "cells");
    let mut worst = Differences::default();
    for case in &cases {
        if case.batch()?.is_some() {
            cell::<C, A, Ix2>(&golden, case, &mut worst)?;
        } else {
            cell::<C, A, Ix1>(&golden, case, &mut worst)?;
        }
    }
    println!("cells of {kind} in {}: {worst:?}", A::NAME);
    Ok(())
}

fn lstm_cell<A: Real>() -> TestResult {
    cells::<LstmCellConfig, A>("lstm")
}

fn gru_cell<A: Real>() -> TestResult {
    cells::<GruCellConfig, A>("gru")
}

in_both_types!(lstm, gru, lstm_cell, gru_cell);
