//! Every combination of the options of SimpleRNN, and every pair of those of LSTM and GRU, against Keras: outputs, states and
//! gradients.

use ndarray::{Array, Array2, Array3, ArrayD, Dimension, Ix2, Ix3};
use ndarray_rnn::keras::{
    Activation, Architecture, Bidirectional, BidirectionalParameters, Call, Callable, Gradients, GruConfig,
    Layer, LstmConfig, MergeMode, SeedGenerator, SimpleRnnConfig, Stacked,
};
use ndarray_rnn::{Parameters, Result};

use super::case::{self, Expected};
use super::kind::Kind;
use crate::common::golden::{Case, Golden};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, in_both_types};

const SIMPLE_RNN: &[u8] = include_bytes!("../golden/simple_rnn.safetensors");
const GATES: &[u8] = include_bytes!("../golden/keras_gates.safetensors");

/// How far outputs and states, and gradients, may be from Keras's, which adds its sums in another order. In `f64`
/// TensorFlow's gelu divides by the square root of 2 rounded to `f32`, which is 1.7e-8 off; `activations` holds ours to
/// higher precision.
fn tolerances<A: Real>(case: &Case) -> [f64; 2] {
    let gelu = case.is("activation", "gelu") || case.is("recurrent_activation", "gelu");
    match (A::NAME, case.text("class")) {
        ("f32", None) => [1e-6; 2],
        ("f32", _) => [1e-6, 1e-5],
        _ if gelu => [3e-8; 2],
        _ => [1e-14; 2],
    }
}

/// Every case of a kind in one type.
fn for_cases<A: Real>(
    fixture: &'static [u8],
    kind: &str,
    count: usize,
    check: impl Fn(&Case, &mut Expected<A>) -> TestResult,
) -> TestResult {
    let golden = Golden::parse(fixture)?;
    let cases = golden.cases()?;
    let chosen: Vec<_> =
        cases.iter().filter(|case| case.is("kind", kind) && case.is("dtype", A::NAME)).collect();
    assert_eq!(chosen.len(), count, "cases of {kind}");
    for case in chosen {
        let mut expected = Expected::of(&golden, case, tolerances::<A>(case))?;
        check(case, &mut expected)?;
        expected.end();
    }
    Ok(())
}

/// Every case of a kind of both fixtures, checked by a function that is generic over the class.
macro_rules! for_classes {
    ($kind:literal, $counts:expr, $check:ident) => {{
        let [simple, gates]: [[usize; 2]; 2] = $counts;
        let of_type = |[single, double]: [usize; 2]| if A::NAME == "f32" { single } else { double };
        for_cases::<A>(SIMPLE_RNN, $kind, of_type(simple), $check::<SimpleRnnConfig, A>)?;
        for_cases::<A>(GATES, $kind, of_type(gates), |case, expected| match case.text("class") {
            Some("LSTM") => $check::<LstmConfig, A>(case, expected),
            _ => $check::<GruConfig, A>(case, expected),
        })
    }};
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

// Layers

/// Calls a model with the mask and the state that a case has.
fn with<'a, M: Callable>(
    call: Call<'a, M>,
    mask: &'a Option<Array2<bool>>,
    state: Option<M::StateRef<'a>>,
) -> Call<'a, M> {
    let call = match mask {
        Some(mask) => call.mask(mask),
        None => call,
    };
    match state {
        Some(state) => call.initial_state(state),
        None => call,
    }
}

/// Output, state and gradients of a call: in training, and without training if there is no dropout.
fn check_layer<C: Kind, A: Real>(case: &Case, expected: &mut Expected<A>) -> TestResult {
    let mut numbers = Numbers::new(case.index);
    let layer = case::layer::<C, A>(case, &mut numbers)?;
    let (input, mask) = (case::input(case, &mut numbers)?, case::mask(case)?);
    let first = case::state::<C, A>(case, &mut numbers)?;
    let call = || with(layer.call(&input), &mask, first.as_deref().map(C::lend));
    let (every, mut seeds) = (case.flag("return_sequences")?, layer.seed_generator());
    if layer.config().has_dropout() {
        train::<A, _>(call(), every, &mut seeds)?;
    }
    let (outputs, state, trace) = train(call(), every, &mut seeds)?;
    let state = C::list(state);
    if !layer.config().has_dropout() {
        let (plain, plain_state) = run(call(), every)?;
        assert_eq!((plain, &C::list(plain_state)), (outputs.clone(), &state), "in training mode");
        assert_eq!(seeds, layer.seed_generator(), "draws without dropout");
    }
    let [output] = &outputs[..] else { return Err("more than one output".into()) };
    expected.value("output", output)?;
    state.iter().try_for_each(|plane| expected.value("state", plane))?;
    let d_output = numbers.draw::<A, _>(output.raw_dim());
    let d_state: Vec<_> = state.iter().map(|plane| numbers.draw::<A, _>(plane.raw_dim())).collect();
    let gradients = layer.backward(&trace, &d_output, Some(C::lend(&d_state)))?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)?;
    let d_first = if first.is_some() { C::list(gradients.state) } else { Vec::new() };
    d_first.iter().try_for_each(|plane| expected.gradient("initial_state", plane))
}

fn layers<A: Real>() -> TestResult {
    for_classes!("layer", [[342, 162], [192, 177]], check_layer)
}

// Stateful layers

fn check_stateful<C: Kind, A: Real>(case: &Case, expected: &mut Expected<A>) -> TestResult {
    let mut numbers = Numbers::new(case.index);
    let layer = case::layer::<C, A>(case, &mut numbers)?;
    let batches: Vec<_> = (0..4).map(|_| case::input(case, &mut numbers)).collect::<TestResult<_>>()?;
    let (mask, mut state) = (case::mask(case)?, case::state::<C, A>(case, &mut numbers)?);
    for (k, input) in batches.iter().enumerate() {
        if k == 3 {
            state = None;
        }
        let call = with(layer.call(input), &mask, state.as_deref().map(C::lend));
        let (outputs, last) = run(call, case.flag("return_sequences")?)?;
        outputs.iter().try_for_each(|output| expected.value("output", output))?;
        let last = C::list(last);
        last.iter().try_for_each(|plane| expected.value("state", plane))?;
        state = Some(last);
    }
    Ok(())
}

fn stateful<A: Real>() -> TestResult {
    for_classes!("stateful", [[12, 12], [10, 8]], check_stateful)
}

// Both directions

type PairGradients<C, A> =
    Gradients<BidirectionalParameters<A, C>, Array3<A>, [<C as Architecture>::State<Array2<A>>; 2]>;

/// What the two calls of [`check_both`] are made with.
struct Both<'a, A> {
    every: bool,
    /// Whether calls in training have dropout, and are made twice.
    dropout: bool,
    seeds: [SeedGenerator; 2],
    numbers: &'a mut Numbers,
    expected: &'a mut Expected<A>,
}

/// Outputs, states and gradients of a call. `backward` is the way back from a list of gradients.
fn check_both<'a, C: Kind, A: Real, M>(
    call: impl Fn() -> Call<'a, M>,
    backward: impl Fn(M::Trace, &[ArrayD<A>], &[Vec<Array2<A>>; 2]) -> Result<PairGradients<C, A>>,
    Both { every, dropout, mut seeds, numbers, expected }: Both<'_, A>,
) -> TestResult
where
    M: Callable<State = [C::State<Array2<A>>; 2], Seeds = [SeedGenerator; 2]> + 'a,
    M::Output<Ix2>: Outputs<A>,
    M::Output<Ix3>: Outputs<A>,
{
    if dropout {
        train::<A, _>(call(), every, &mut seeds)?;
    }
    let (outputs, states, trace) = train(call(), every, &mut seeds)?;
    let states = states.map(C::list);
    if !dropout {
        let (plain, plain_states) = run(call(), every)?;
        assert_eq!((plain, &plain_states.map(C::list)), (outputs.clone(), &states), "in training mode");
    }
    outputs.iter().try_for_each(|output| expected.value("output", output))?;
    states.iter().flatten().try_for_each(|plane| expected.value("state", plane))?;
    let d_outputs: Vec<_> = outputs.iter().map(|output| numbers.draw(output.raw_dim())).collect();
    let d_states = states.map(|planes| -> Vec<Array2<A>> {
        planes.iter().map(|plane| numbers.draw(plane.raw_dim())).collect()
    });
    let gradients = backward(trace, &d_outputs, &d_states)?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)
}

fn check_bidirectional<C: Kind, A: Real>(case: &Case, expected: &mut Expected<A>) -> TestResult {
    let numbers = &mut Numbers::new(case.index);
    let both: Bidirectional<A, C> = case::bidirectional(case, numbers)?;
    let (input, mask) = (case::input(case, numbers)?, case::mask(case)?);
    let states = [case::state::<C, A>(case, numbers)?, case::state::<C, A>(case, numbers)?];
    let states = || {
        let [first, second] = states.each_ref().map(|state| state.as_deref().map(C::lend));
        first.zip(second).map(<[_; 2]>::from)
    };
    let (every, seeds) = (case.flag("return_sequences")?, both.seed_generators());
    let dropout = both.forward_layer().config().has_dropout();
    let with_both = Both { every, dropout, seeds, numbers, expected };
    if case.text("merge_mode").is_some() {
        let call = || with(both.call(&input), &mask, states());
        let backward = |trace, d: &[ArrayD<A>], [first, second]: &[Vec<_>; 2]| {
            both.backward(&trace, &d[0], Some([C::lend(first), C::lend(second)]))
        };
        check_both::<C, A, _>(call, backward, with_both)
    } else {
        let pair = both.layers();
        let call = || with(pair.call(&input), &mask, states());
        let backward = |traces, d: &[ArrayD<A>], [first, second]: &[Vec<_>; 2]| {
            pair.backward(&traces, [&d[0], &d[1]], Some([C::lend(first), C::lend(second)]))
        };
        check_both::<C, A, _>(call, backward, with_both)
    }
}

fn bidirectional<A: Real>() -> TestResult {
    for_classes!("bidirectional", [[60, 60], [45, 45]], check_bidirectional)
}

// Layers one upon another

/// A layer of the next numbers.
fn filled<C: Kind, A: Real>(config: C, numbers: &mut Numbers) -> TestResult<Layer<C, A>> {
    let mut layer = Layer::zeros(config)?;
    case::fill::<C, A>(&mut layer, numbers);
    Ok(layer)
}

/// The same in both directions.
fn both<C: Kind, A: Real>(config: C, numbers: &mut Numbers) -> TestResult<Bidirectional<A, C>> {
    let forward = filled(config.clone(), numbers)?;
    let backward = filled(config.go_backwards(true), numbers)?;
    Ok(Bidirectional::from_layers(forward, backward, MergeMode::Concat)?)
}

/// `STACK` of `golden/simple_rnn.py`.
fn simple_stack<A: Real>(numbers: &mut Numbers) -> TestResult<Stacked<A>> {
    let config = |input, units, activation| SimpleRnnConfig::new(input, units).activation(activation);
    Ok(Stacked::new([
        filled(config(3, 5, Activation::Relu), numbers)?.into(),
        both(config(5, 3, Activation::Tanh), numbers)?.into(),
        filled(config(6, 2, Activation::Sigmoid), numbers)?.into(),
    ])?)
}

/// `STACK` of `golden/keras_gates.py`.
fn gated_stack<A: Real>(numbers: &mut Numbers) -> TestResult<Stacked<A>> {
    Ok(Stacked::new([
        filled(LstmConfig::new(3, 5), numbers)?.into(),
        both(GruConfig::new(5, 3), numbers)?.into(),
        filled(SimpleRnnConfig::new(6, 4), numbers)?.into(),
        filled(GruConfig::new(4, 2).reset_after(false), numbers)?.into(),
    ])?)
}

fn check_stacked<A: Real>(
    model: &Stacked<A>,
    numbers: &mut Numbers,
    case: &Case,
    expected: &mut Expected<A>,
) -> TestResult {
    let (input, mask) = (case::input(case, numbers)?, case::mask(case)?);
    let call = || with(model.call(&input), &mask, None);
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
}

fn stacked<A: Real>() -> TestResult {
    for (fixture, stack) in
        [(SIMPLE_RNN, simple_stack::<A> as fn(&mut Numbers) -> _), (GATES, gated_stack::<A>)]
    {
        for_cases::<A>(fixture, "stacked", 6, |case, expected| {
            let numbers = &mut Numbers::new(case.index);
            check_stacked(&stack(numbers)?, numbers, case, expected)
        })?;
    }
    Ok(())
}

in_both_types!(layers, stateful, bidirectional, stacked);
