//! Every combination of the options against Keras: outputs, states and gradients.

use std::error::Error;

use ndarray::{Array, Array2, Array3, ArrayD, ArrayRef2, Dimension, Ix2, Ix3};
use ndarray_rnn::keras::{
    Activation, Bidirectional, BidirectionalParameters, Call, Callable, Gradients, MergeMode, SeedGenerator,
    SimpleRnn, SimpleRnnConfig, Stacked,
};
use ndarray_rnn::{Parameters, Result};

use super::case::{self, Expected};
use crate::common::golden::{Case, Golden};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, in_both_types};

const FIXTURE: &[u8] = include_bytes!("../golden/simple_rnn.safetensors");

/// How far results may be from Keras's, which adds its sums in another order. In `f64` TensorFlow's gelu divides
/// by the square root of 2 rounded to `f32`, which is 1.7e-8 off; `activations` holds ours to higher precision.
fn tolerance<A: Real>(case: &Case) -> f64 {
    match A::NAME {
        "f32" => 1e-6,
        _ if case.is("activation", "gelu") => 3e-8,
        _ => 1e-14,
    }
}

/// Every case of a kind in one type.
fn for_cases<A: Real>(
    kind: &str,
    count: usize,
    check: impl Fn(&Case, &mut Expected<A>) -> TestResult,
) -> TestResult {
    let golden = Golden::parse(FIXTURE)?;
    let cases = golden.cases()?;
    let chosen: Vec<_> =
        cases.iter().filter(|case| case.is("kind", kind) && case.is("dtype", A::NAME)).collect();
    assert_eq!(chosen.len(), count, "cases of {kind}");
    for case in chosen {
        let mut expected = Expected::of(&golden, case, tolerance::<A>(case))?;
        check(case, &mut expected)?;
        expected.end();
    }
    Ok(())
}

// Layers

/// What the layer of a case is called with.
struct Arguments<A: Real> {
    layer: SimpleRnn<A>,
    input: Array3<A>,
    initial_state: Option<Array2<A>>,
    mask: Option<Array2<bool>>,
    numbers: Numbers,
}

impl<A: Real> Arguments<A> {
    fn of(case: &Case) -> TestResult<Self> {
        let mut numbers = Numbers::new(case.index);
        let layer = case::layer(case, &mut numbers)?;
        let input = case::input(case, &mut numbers)?;
        let initial_state =
            case.flag("initial_state")?.then(|| case::state(case, &mut numbers)).transpose()?;
        Ok(Self { layer, input, initial_state, mask: case::mask(case)?, numbers })
    }

    fn call(&self) -> Call<'_, SimpleRnn<A>> {
        let mut call = self.layer.call(&self.input);
        if let Some(state) = &self.initial_state {
            call = call.initial_state(state);
        }
        match &self.mask {
            Some(mask) => call.mask(mask),
            None => call,
        }
    }
}

/// One output or a pair of outputs, as a list.
trait Outputs<A> {
    fn list(self) -> Vec<ArrayD<A>>;
}

impl<A: Real, D: Dimension> Outputs<A> for Array<A, D> {
    fn list(self) -> Vec<ArrayD<A>> {
        vec![self.into_dyn()]
    }
}

impl<A: Real, D: Dimension> Outputs<A> for [Array<A, D>; 2] {
    fn list(self) -> Vec<ArrayD<A>> {
        self.map(Array::into_dyn).into()
    }
}

/// A call's outputs, of every step or the last, and its state.
fn run<A: Real, M: Callable>(call: Call<'_, M>, every: bool) -> TestResult<(Vec<ArrayD<A>>, M::State)>
where
    M::Output<Ix2>: Outputs<A>,
    M::Output<Ix3>: Outputs<A>,
{
    Ok(match every {
        true => call.forward().map(|(outputs, state)| (outputs.list(), state))?,
        false => call.last().map(|(outputs, state)| (outputs.list(), state))?,
    })
}

/// The same in training, and the trace.
fn train<A: Real, M: Callable>(
    call: Call<'_, M>,
    every: bool,
    seeds: &mut M::Seeds,
) -> TestResult<(Vec<ArrayD<A>>, M::State, M::Trace)>
where
    M::Output<Ix2>: Outputs<A>,
    M::Output<Ix3>: Outputs<A>,
{
    Ok(match every {
        true => call.forward_train(seeds).map(|(outputs, state, trace)| (outputs.list(), state, trace))?,
        false => call.last_train(seeds).map(|(outputs, state, trace)| (outputs.list(), state, trace))?,
    })
}

/// Output, state and gradients of a call: in training, and without training if there is no dropout.
fn check_call<A: Real>(arguments: &mut Arguments<A>, every: bool, expected: &mut Expected<A>) -> TestResult {
    let config = arguments.layer.config();
    let mut seeds = arguments.layer.seed_generator();
    if config.dropout > 0.0 || config.recurrent_dropout > 0.0 {
        train::<A, _>(arguments.call(), every, &mut seeds)?;
    }
    let (outputs, state, trace) = train(arguments.call(), every, &mut seeds)?;
    if config.dropout == 0.0 && config.recurrent_dropout == 0.0 {
        assert_eq!(run(arguments.call(), every)?, (outputs.clone(), state.clone()), "in training mode");
        assert_eq!(seeds, arguments.layer.seed_generator(), "draws without dropout");
    }
    let [output] = &outputs[..] else { return Err("more than one output".into()) };
    expected.value("output", output)?;
    expected.value("state", &state)?;
    let d_output = arguments.numbers.draw::<A, _>(output.raw_dim());
    let d_state = arguments.numbers.draw::<A, _>(state.raw_dim());
    let gradients = arguments.layer.backward(&trace, &d_output, Some(&d_state))?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)?;
    if arguments.initial_state.is_some() {
        expected.gradient("initial_state", &gradients.state)?;
    }
    Ok(())
}

fn layers<A: Real>() -> TestResult {
    let count = if A::NAME == "f32" { 342 } else { 162 };
    for_cases("layer", count, |case, expected| {
        let mut arguments = Arguments::<A>::of(case)?;
        check_call(&mut arguments, case.flag("return_sequences")?, expected)
    })
}

// Stateful layers

fn stateful<A: Real>() -> TestResult {
    for_cases("stateful", 12, |case, expected| {
        let mut numbers = Numbers::new(case.index);
        let layer = case::layer::<A>(case, &mut numbers)?;
        let batches: Vec<_> = (0..4).map(|_| case::input(case, &mut numbers)).collect::<TestResult<_>>()?;
        let first = case::state(case, &mut numbers)?;
        let (mask, mut state) = (case::mask(case)?, None::<Array2<A>>);
        for (k, input) in batches.iter().enumerate() {
            if k == 3 {
                state = None;
            }
            let mut call = layer.call(input);
            if let Some(state) = &state {
                call = call.initial_state(state);
            }
            if k == 0 && case.flag("initial_state")? {
                call = call.initial_state(&first);
            }
            if let Some(mask) = &mask {
                call = call.mask(mask);
            }
            let (outputs, last) = run(call, case.flag("return_sequences")?)?;
            outputs.iter().try_for_each(|output| expected.value("output", output))?;
            expected.value("state", &last)?;
            state = Some(last);
        }
        Ok(())
    })
}

// Both directions

type PairGradients<A> = Gradients<BidirectionalParameters<A>, Array3<A>, [Array2<A>; 2]>;

/// Outputs, states and gradients of a call. `backward` is the way back from a list of gradients.
fn check_both<'a, A: Real, M>(
    call: impl Fn() -> Call<'a, M>,
    every: bool,
    backward: impl Fn(M::Trace, &[ArrayD<A>], [&ArrayRef2<A>; 2]) -> Result<PairGradients<A>>,
    mut seeds: [SeedGenerator; 2],
    numbers: &mut Numbers,
    expected: &mut Expected<A>,
) -> TestResult
where
    M: Callable<State = [Array2<A>; 2], Seeds = [SeedGenerator; 2]> + 'a,
    M::Output<Ix2>: Outputs<A>,
    M::Output<Ix3>: Outputs<A>,
{
    let (outputs, states) = run(call(), every)?;
    let (trained, trained_states, trace) = train(call(), every, &mut seeds)?;
    assert_eq!((trained, &trained_states), (outputs.clone(), &states), "in training mode");
    outputs.iter().try_for_each(|output| expected.value("output", output))?;
    states.iter().try_for_each(|state| expected.value("state", state))?;
    let d_outputs: Vec<_> = outputs.iter().map(|output| numbers.draw(output.raw_dim())).collect();
    let d_states = states.each_ref().map(|state| numbers.draw::<A, _>(state.raw_dim()));
    let gradients = backward(trace, &d_outputs, d_states.each_ref().map(|d| &**d))?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)
}

/// Calls a layer with the arguments that a case has.
fn with<'a, A: Real, M>(
    call: Call<'a, M>,
    mask: &'a Option<Array2<bool>>,
    states: &'a Option<[Array2<A>; 2]>,
) -> Call<'a, M>
where
    M: Callable<Elem = A, StateRef<'a> = [&'a ArrayRef2<A>; 2]>,
{
    let call = match mask {
        Some(mask) => call.mask(mask),
        None => call,
    };
    match states {
        Some([first, second]) => call.initial_state([first, second]),
        None => call,
    }
}

fn bidirectional<A: Real>() -> TestResult {
    for_cases("bidirectional", 60, |case, expected| {
        let mut numbers = Numbers::new(case.index);
        let both: Bidirectional<A> = case::bidirectional(case, &mut numbers)?;
        let (input, mask) = (case::input(case, &mut numbers)?, case::mask(case)?);
        let states = case.flag("initial_state")?.then(|| {
            Ok::<_, Box<dyn Error>>([case::state(case, &mut numbers)?, case::state(case, &mut numbers)?])
        });
        let (states, every, seeds) =
            (states.transpose()?, case.flag("return_sequences")?, both.seed_generators());
        if case.text("merge_mode").is_some() {
            let call = || with(both.call(&input), &mask, &states);
            let backward = |trace, d: &[ArrayD<A>], d_states: [&ArrayRef2<A>; 2]| {
                both.backward(&trace, &d[0], Some(d_states))
            };
            check_both(call, every, backward, seeds, &mut numbers, expected)
        } else {
            let pair = both.layers();
            let call = || with(pair.call(&input), &mask, &states);
            let backward = |traces, d: &[ArrayD<A>], d_states: [&ArrayRef2<A>; 2]| {
                pair.backward(&traces, [&d[0], &d[1]], Some(d_states))
            };
            check_both(call, every, backward, seeds, &mut numbers, expected)
        }
    })
}

// Layers one upon another

/// `STACK` of `golden/simple_rnn.py`.
fn stack<A: Real>(numbers: &mut Numbers) -> TestResult<Stacked<A>> {
    let config = |input, units, activation| SimpleRnnConfig::new(input, units).activation(activation);
    let both = config(5, 3, Activation::Tanh);
    let mut forward = SimpleRnn::zeros(both.clone())?;
    let mut backward = SimpleRnn::zeros(both.go_backwards(true))?;
    let mut first = SimpleRnn::zeros(config(3, 5, Activation::Relu))?;
    let mut last = SimpleRnn::zeros(config(6, 2, Activation::Sigmoid))?;
    for layer in [&mut first, &mut forward, &mut backward, &mut last] {
        case::fill(layer, numbers);
    }
    let both = Bidirectional::from_layers(forward, backward, MergeMode::Concat)?;
    Ok(Stacked::new([first.into(), both.into(), last.into()])?)
}

fn stacked<A: Real>() -> TestResult {
    for_cases("stacked", 6, |case, expected| {
        let mut numbers = Numbers::new(case.index);
        let model = stack::<A>(&mut numbers)?;
        let (input, mask) = (case::input(case, &mut numbers)?, case::mask(case)?);
        let call = || match &mask {
            Some(mask) => model.call(&input).mask(mask),
            None => model.call(&input),
        };
        let every = case.flag("return_sequences")?;
        let (outputs, states, trace) = train(call(), every, &mut model.seed_generators())?;
        assert_eq!(run(call(), every)?, (outputs.clone(), states), "in training mode");
        let [output] = &outputs[..] else { return Err("more than one output".into()) };
        expected.value("output", output)?;
        let gradients = model.backward(&trace, &numbers.draw::<A, _>(output.raw_dim()), None)?;
        for (name, gradient) in gradients.parameters.named_parameters() {
            expected.gradient(&name, &gradient)?;
        }
        expected.gradient("input", &gradients.input)
    })
}

in_both_types!(layers, stateful, bidirectional, stacked);
