//! Every combination of the options against Keras: outputs, states and gradients.

use std::error::Error;

use ndarray::{Array, Array2, Array3, ArrayRef};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{
    Activation, Bidirectional, BidirectionalCall, Call, Merge, MergeMode, Returns, SimpleRnn,
    SimpleRnnConfig, Stacked, StackedCall, WithState,
};

use super::case::{self, Expected};
use crate::common::golden::{Case, Golden};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, in_both_types};

const FIXTURE: &[u8] = include_bytes!("../golden/simple_rnn.safetensors");

/// How far from Keras: its sums run in another order. In `f64` TensorFlow's gelu divides by the square root of 2 of
/// `f32`, which is 1.7e-8 off; `activations` holds ours to higher precision.
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

/// What a case's layer is called with.
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

    fn call(&self) -> Call<'_, A> {
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

/// Output, state and gradients of a call, in training mode and, where there is no dropout, without.
fn check_call<A: Real, R: Returns>(
    arguments: &mut Arguments<A>,
    call: impl Fn(&Arguments<A>) -> Call<'_, A, WithState<R>>,
    expected: &mut Expected<A>,
) -> TestResult {
    let config = arguments.layer.config();
    let mut seeds = arguments.layer.seed_generator();
    if config.dropout > 0.0 || config.recurrent_dropout > 0.0 {
        call(arguments).forward_train(&mut seeds)?;
    }
    let ((output, state), trace) = call(arguments).forward_train(&mut seeds)?;
    if config.dropout == 0.0 && config.recurrent_dropout == 0.0 {
        assert_eq!(call(arguments).forward()?, (output.clone(), state.clone()), "in training mode");
        assert_eq!(seeds, arguments.layer.seed_generator(), "draws without dropout");
    }
    expected.value("output", &output)?;
    expected.value("state", &state)?;
    let d_output = arguments.numbers.draw::<A, _>(output.raw_dim());
    let d_state = arguments.numbers.draw::<A, _>(state.raw_dim());
    let gradients = arguments.layer.backward(&trace, (&d_output, &d_state))?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)?;
    if arguments.initial_state.is_some() {
        expected.gradient("initial_state", &gradients.initial_state)?;
    }
    Ok(())
}

fn layers<A: Real>() -> TestResult {
    let count = if A::NAME == "f32" { 342 } else { 162 };
    for_cases("layer", count, |case, expected| {
        let mut arguments = Arguments::<A>::of(case)?;
        if case.flag("return_sequences")? {
            check_call(&mut arguments, |a| a.call().return_sequences().return_state(), expected)
        } else {
            check_call(&mut arguments, |a| a.call().return_state(), expected)
        }
    })
}

// Stateful layers

fn stateful<A: Real>() -> TestResult {
    for_cases("stateful", 12, |case, expected| {
        let mut numbers = Numbers::new(case.index);
        let layer = case::layer::<A>(case, &mut numbers)?;
        let batches: Vec<_> = (0..4).map(|_| case::input(case, &mut numbers)).collect::<TestResult<_>>()?;
        let first = case::state(case, &mut numbers)?;
        let (mask, mut state) = (case::mask(case)?, layer.state(case.size("batch")?)?);
        for (k, input) in batches.iter().enumerate() {
            if k == 3 {
                state.reset_state();
            }
            let mut call = layer.call(input).stateful(&mut state);
            if k == 0 && case.flag("initial_state")? {
                call = call.initial_state(&first);
            }
            if let Some(mask) = &mask {
                call = call.mask(mask);
            }
            let last = if case.flag("return_sequences")? {
                let (output, last) = call.return_sequences().return_state().forward()?;
                expected.value("output", &output)?;
                last
            } else {
                let (output, last) = call.return_state().forward()?;
                expected.value("output", &output)?;
                last
            };
            expected.value("state", &last)?;
            assert_eq!(*state.value(), last);
        }
        Ok(())
    })
}

// Both directions

/// Outputs, states and gradients of a call; `list` and `value` are between one output, or two, and a list.
fn check_both<A: Real, R: Returns, M: Merge>(
    layer: &Bidirectional<A>,
    call: impl Fn() -> BidirectionalCall<'static, A, WithState<R>, M>,
    list: impl Fn(M::Value<Array<A, R::Dim>>) -> Vec<Array<A, R::Dim>>,
    value: impl for<'x> Fn(&'x [Array<A, R::Dim>]) -> M::Value<&'x ArrayRef<A, R::Dim>>,
    numbers: &mut Numbers,
    expected: &mut Expected<A>,
) -> TestResult {
    let (outputs, states) = call().forward()?;
    let outputs = list(outputs);
    let ((trained, trained_states), trace) = call().forward_train(&mut layer.seed_generators())?;
    assert_eq!((list(trained), trained_states), (outputs.clone(), states.clone()), "in training mode");
    outputs.iter().try_for_each(|output| expected.value("output", output))?;
    states.iter().try_for_each(|state| expected.value("state", state))?;
    let d_outputs: Vec<_> = outputs.iter().map(|output| numbers.draw(output.raw_dim())).collect();
    let d_states = states.each_ref().map(|state| numbers.draw::<A, _>(state.raw_dim()));
    let gradients = layer.backward(&trace, (value(&d_outputs), d_states.each_ref().map(|d| &**d)))?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)
}

fn bidirectional<A: Real>() -> TestResult {
    for_cases("bidirectional", 60, |case, expected| {
        let mut numbers = Numbers::new(case.index);
        // Leaked, so that a call's type says nothing of this function.
        let layer: &Bidirectional<A> = Box::leak(Box::new(case::bidirectional(case, &mut numbers)?));
        let input: &Array3<A> = Box::leak(Box::new(case::input(case, &mut numbers)?));
        let mask: &Option<Array2<bool>> = Box::leak(Box::new(case::mask(case)?));
        let states = case.flag("initial_state")?.then(|| {
            Ok::<_, Box<dyn Error>>([case::state(case, &mut numbers)?, case::state(case, &mut numbers)?])
        });
        let states: &Option<[Array2<A>; 2]> = Box::leak(Box::new(states.transpose()?));
        let call = || {
            let mut call = layer.call(input);
            if let Some(mask) = mask {
                call = call.mask(mask);
            }
            match states {
                Some([first, second]) => call.initial_state([first, second]),
                None => call,
            }
        };
        let (n, e) = (&mut numbers, expected);
        match (case.flag("return_sequences")?, case.text("merge_mode").is_some()) {
            (false, true) => check_both(layer, || call().return_state(), |y| vec![y], |d| &d[0], n, e),
            (true, true) => {
                check_both(layer, || call().return_sequences().return_state(), |y| vec![y], |d| &d[0], n, e)
            }
            (false, false) => {
                check_both(layer, || call().return_state().unmerged(), |y| y.into(), |d| [&d[0], &d[1]], n, e)
            }
            (true, false) => {
                let call = || call().return_sequences().return_state().unmerged();
                check_both(layer, call, |y| y.into(), |d| [&d[0], &d[1]], n, e)
            }
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

fn check_stack<A: Real, R: Returns>(
    model: &Stacked<A>,
    call: impl Fn() -> StackedCall<'static, A, R>,
    numbers: &mut Numbers,
    expected: &mut Expected<A>,
) -> TestResult {
    let (output, trace) = call().forward_train(&mut model.seed_generators())?;
    assert_eq!(call().forward()?, output, "in training mode");
    expected.value("output", &output)?;
    let gradients = model.backward(&trace, &numbers.draw::<A, _>(output.raw_dim()))?;
    for (name, gradient) in gradients.parameters.named_parameters() {
        expected.gradient(&name, &gradient)?;
    }
    expected.gradient("input", &gradients.input)
}

fn stacked<A: Real>() -> TestResult {
    for_cases("stacked", 6, |case, expected| {
        let mut numbers = Numbers::new(case.index);
        let model: &Stacked<A> = Box::leak(Box::new(stack(&mut numbers)?));
        let input: &Array3<A> = Box::leak(Box::new(case::input(case, &mut numbers)?));
        let mask: &Option<Array2<bool>> = Box::leak(Box::new(case::mask(case)?));
        let call = || match mask {
            Some(mask) => model.call(input).mask(mask),
            None => model.call(input),
        };
        if case.flag("return_sequences")? {
            check_stack(model, || call().return_sequences(), &mut numbers, expected)
        } else {
            check_stack(model, call, &mut numbers, expected)
        }
    })
}

in_both_types!(layers, stateful, bidirectional, stacked);
