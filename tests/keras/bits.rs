//! The same bits, however a result is computed: by the crate's own network, alone or in a batch, whole or step by
//! step, with or without the steps that a mask hides. Of every kind of layer.

use ndarray::{Array, Array2, Array3, ArrayD, ArrayRef3, Axis};
use ndarray_rnn::keras::{
    Activation, Bidirectional, Gru, GruConfig, Layer, LayerCell, LstmConfig, MergeMode, SeedGenerator,
    SimpleRnn, SimpleRnnConfig, Stacked, set_random_seed,
};
use ndarray_rnn::{Parameters, Recurrent, Rnn};

use super::kind::{self, Kind, of_every_kind};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};

/// (N, T, I, units): on both sides of vectors, panels and tiles.
const SIZES: [[usize; 4]; 7] =
    [[1, 1, 1, 1], [3, 5, 4, 2], [4, 7, 17, 33], [7, 3, 5, 16], [1, 9, 8, 65], [2, 300, 3, 5], [9, 4, 31, 7]];

pub(crate) fn config<C: Kind>([_, _, input_dim, units]: [usize; 4]) -> C {
    C::new(input_dim, units)
}

pub(crate) fn filled<C: Kind, A: Real>(config: C, numbers: &mut Numbers) -> TestResult<Layer<C, A>> {
    let mut layer = Layer::zeros(config)?;
    for (_, mut value) in layer.named_parameters_mut() {
        let drawn = numbers.draw::<A, _>(value.raw_dim());
        value.zip_mut_with(&drawn, |to, &from| *to = from / A::narrow(4.0));
    }
    Ok(layer)
}

/// A filled layer for each of the kind's variants of a configuration.
fn every_variant<C: Kind, A: Real>(config: C, numbers: &mut Numbers) -> TestResult<Vec<Layer<C, A>>> {
    config.variants().into_iter().map(|config| filled(config, numbers)).collect()
}

/// Compares states, plane by plane.
#[track_caller]
pub(crate) fn assert_same_states<A: Real>(actual: &[Array2<A>], expected: &[Array2<A>], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: planes");
    actual.iter().zip(expected).for_each(|(actual, expected)| assert_same_bits(actual, expected, what));
}

/// Some steps count; of sequence 1 none does.
pub(crate) fn mask([batch, len, ..]: [usize; 4]) -> Array2<bool> {
    Array2::from_shape_fn((batch, len), |(n, t)| (n * 7 + t * 5) % 3 != 1 && n != 1)
}

pub(crate) fn reversed<A: Real>(array: &ArrayRef3<A>) -> Array3<A> {
    let mut view = array.view();
    view.invert_axis(Axis(1));
    view.to_owned()
}

// The crate's own network

/// The arrays of a layer that torch's network would turn into: of a gradient, each of torch's two biases has the whole one.
fn as_weights<C: Kind, A: Real>(
    network: &Recurrent<C::Torch, A>,
    arrays: Vec<(String, ArrayD<A>)>,
) -> TestResult<Vec<ArrayD<A>>> {
    let mut copy = network.clone();
    copy.load_state_dict(arrays)?;
    Ok(C::of_torch(&copy)?.get_weights())
}

/// The first axis of torch's states is the direction.
fn of_torch<C: Kind, A: Real>(state: kind::TorchState<C, Array3<A>>, d: usize) -> Vec<Array2<A>> {
    C::torch_list(state).into_iter().map(|plane| plane.index_axis_move(Axis(0), d)).collect()
}

fn one_layer_is_torch_s<C: Kind, A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let [batch, len, input_dim, units] = sizes;
        let mut numbers = Numbers::new(i);
        let layer = filled::<C, A>(config::<C>(sizes).use_bias(i % 3 != 0), &mut numbers)?;
        let network = C::to_torch(&layer)?;
        let input = numbers.draw((batch, len, input_dim));
        let first = kind::state::<C, A>(&mut numbers, batch, units);
        let d_output = numbers.draw((batch, len, units));
        let first_of_torch: Vec<_> = first.iter().map(|plane| plane.clone().insert_axis(Axis(0))).collect();
        let run = || network.run(&input).state(C::torch_lend(&first_of_torch));
        let (expected, last, trace) = run().forward_train(&mut set_random_seed(0))?;
        let last = of_torch::<C, A>(last, 0);
        let call = || layer.call(&input).initial_state(C::lend(&first));
        let (output, state) = call().forward()?;
        assert_same_bits(&output, &expected, "output");
        assert_same_states(&C::list(state), &last, "state");

        let d_last: Vec<_> = last.iter().map(|plane| plane.clone().insert_axis(Axis(0))).collect();
        let gradients = network.backward(&trace, &d_output, Some(C::torch_lend(&d_last)))?;
        let (_, _, trace) = call().forward_train(&mut SeedGenerator::new(0))?;
        let ours = layer.backward(&trace, &d_output, Some(C::lend(&last)))?;
        let theirs = as_weights::<C, A>(&network, gradients.parameters.state_dict())?;
        let names = ["gradient of the kernel", "of the recurrent kernel", "of the bias"];
        for ((name, (_, mut ours)), theirs) in names.into_iter().zip(ours.parameters.state_dict()).zip(theirs)
        {
            if ours.ndim() == 1 {
                // Of torch's two biases, which have one gradient, one bias is the sum.
                ours.mapv_inplace(|d| d + d);
            }
            assert_same_bits(&ours, &theirs, name);
        }
        assert_same_bits(&ours.input, &gradients.input, "gradient of the input");
        assert_same_states(&C::list(ours.state), &of_torch::<C, A>(gradients.state, 0), "of the first state");
    }
    Ok(())
}

fn both_directions_are_torch_s<C: Kind, A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let [batch, len, input_dim, _] = sizes;
        let mut numbers = Numbers::new(i);
        let forward = filled::<C, A>(config(sizes), &mut numbers)?;
        let backward = filled::<C, A>(config::<C>(sizes).go_backwards(true), &mut numbers)?;
        let layer = Bidirectional::from_layers(forward, backward, MergeMode::Concat)?;
        let network = C::both_to_torch(&layer)?;
        let input = numbers.draw((batch, len, input_dim));
        let (expected, last) = network.run(&input).forward()?;
        let last = C::torch_list(last);
        let (output, states) = layer.forward(&input)?;
        assert_same_bits(&output, &expected, "output");
        for (d, state) in states.into_iter().map(C::list).enumerate() {
            for (plane, last) in state.iter().zip(&last) {
                assert_same_bits(plane, &last.index_axis(Axis(0), d), "state");
            }
        }
        assert_eq!(C::both_of_torch(&network)?.get_weights(), layer.get_weights());
    }
    Ok(())
}

/// Nothing is lost on the way to torch's network and back.
fn there_and_back<C: Kind, A: Real>() -> TestResult {
    for use_bias in [false, true] {
        let layer = filled::<C, A>(C::new(3, 5).use_bias(use_bias), &mut Numbers::new(1))?;
        assert_eq!(C::of_torch(&C::to_torch(&layer)?)?, layer);
    }
    Ok(())
}

fn relu_too<A: Real>() -> TestResult {
    let config = SimpleRnnConfig::new(3, 5).activation(Activation::Relu);
    let layer = filled::<_, A>(config, &mut Numbers::new(1))?;
    assert_eq!(SimpleRnn::try_from(&Rnn::try_from(&layer)?)?, layer);
    let input = Numbers::new(2).draw((2, 3, 3));
    assert_same_bits(&Rnn::try_from(&layer)?.run(&input).forward()?.0, &layer.forward(&input)?.0, "output");
    Ok(())
}

/// A bias of -0 has the same sums in torch's network, whose second bias is 0.
fn negative_zero_goes_over<C: Kind, A: Real>() -> TestResult {
    let mut layer = Layer::<C, A>::zeros(C::new(1, 1))?;
    for (name, mut parameter) in layer.named_parameters_mut() {
        parameter.fill(if name == "bias" { -A::zero() } else { -A::one() });
    }
    let input = Array3::zeros((1, 3, 1));
    let (expected, _) = layer.forward(&input)?;
    let (output, _) = C::to_torch(&layer)?.run(&input).forward()?;
    assert_same_bits(&output, &expected, "output");
    Ok(())
}

// Time

fn backwards_is_the_reversed_input<C: Kind, A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let mut numbers = Numbers::new(i);
        let forward = filled::<C, A>(config(sizes), &mut numbers)?;
        let mut backward = Layer::zeros(config::<C>(sizes).go_backwards(true))?;
        backward.set_weights(forward.get_weights())?;
        let input = numbers.draw((sizes[0], sizes[1], sizes[2]));
        let (expected, expected_state) = forward.forward(&reversed(&input))?;
        let (output, state) = backward.forward(&input)?;
        assert_same_bits(&output, &expected, "outputs");
        assert_same_states(&C::list(state), &C::list(expected_state), "state");
        let last = expected.index_axis(Axis(1), sizes[1] - 1);
        assert_same_bits(&backward.call(&input).last()?.0, &last, "last output");
    }
    Ok(())
}

fn whole_in_chunks_or_step_by_step<C: Kind, A: Real>() -> TestResult {
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let sizes = SIZES[1 + i % 4];
        let mut numbers = Numbers::new(i);
        for layer in every_variant::<C, A>(config::<C>(sizes).activation(activation), &mut numbers)? {
            let input = numbers.draw((sizes[0], sizes[1], sizes[2]));
            let (whole, last) = layer.call(&input).last()?;
            let last = C::list(last);
            assert_same_bits(&last[0], &whole, "the state is the output");
            let zeros: Vec<_> = last.iter().map(|plane| Array2::zeros(plane.raw_dim())).collect();
            let mut state = zeros.clone();
            for chunk in input.axis_chunks_iter(Axis(1), 2) {
                state = C::list(layer.call(&chunk).initial_state(C::lend(&state)).last()?.1);
            }
            assert_same_states(&state, &last, "in chunks");
            let (cell, mut state) = (LayerCell::from(layer), zeros);
            for x in input.axis_iter(Axis(1)) {
                state = C::list(cell.forward(&x, C::lend(&state))?);
            }
            assert_same_states(&state, &last, "step by step");
        }
    }
    Ok(())
}

/// A loop over cells with one draw of dropout's masks has the bits of the layer, forwards and back.
fn a_loop_over_cells<C: Kind, A: Real>() -> TestResult {
    for rates in [(0.3, 0.4), (0.3, 0.0), (0.0, 0.4)] {
        let mut numbers = Numbers::new(2);
        let config = C::new(4, 3).activation(Activation::Silu).rates(rates.0, rates.1);
        for layer in every_variant::<C, A>(config, &mut numbers)? {
            let cell = LayerCell::from(layer.clone());
            let input = numbers.draw((5, 3, 4));
            let d_last = kind::state::<C, A>(&mut numbers, 5, 3);
            let (_, last, trace) = layer.call(&input).last_train(&mut SeedGenerator::new(9))?;
            let expected = layer.backward(&trace, &Array2::zeros((5, 3)), Some(C::lend(&d_last)))?;

            let masks = cell.dropout_masks(5, &mut SeedGenerator::new(9))?;
            let mut state: Vec<Array2<A>> =
                d_last.iter().map(|plane| Array2::zeros(plane.raw_dim())).collect();
            let mut traces = Vec::new();
            for x in input.axis_iter(Axis(1)) {
                let (next, trace) = cell.forward_train(&x, C::lend(&state), &masks)?;
                traces.push(trace);
                state = C::list(next);
            }
            assert_same_states(&state, &C::list(last), "last state");
            let mut d_state = d_last;
            for (t, trace) in traces.iter().enumerate().rev() {
                let gradients = cell.backward(trace, C::lend(&d_state))?;
                d_state = C::list(gradients.state);
                let d_input = expected.input.index_axis(Axis(1), t);
                assert_same_bits(&gradients.input, &d_input, "gradient of the input");
            }
            assert_same_states(&d_state, &C::list(expected.state), "gradient of the first state");
        }
    }
    Ok(())
}

/// First states and the gradients of final states reach every layer and direction of a stack of different kinds.
fn states_of_stacks<A: Real>() -> TestResult {
    let mut numbers = Numbers::new(6);
    let first = filled::<_, A>(LstmConfig::new(4, 5), &mut numbers)?;
    let (forward, backward) = (GruConfig::new(5, 3), GruConfig::new(5, 2).go_backwards(true));
    let (forward, backward) = (filled(forward, &mut numbers)?, filled(backward, &mut numbers)?);
    let second = Bidirectional::<A, _>::from_layers(forward, backward, MergeMode::Concat)?;
    let model = Stacked::new([first.clone().into(), second.clone().into()])?;
    assert_eq!(model.layers()[0].downcast_ref(), Some(&first));
    assert_eq!(model.layers()[1].downcast_ref(), Some(&second));
    assert_eq!(model.layers()[1].downcast_ref(), None::<&SimpleRnn<A>>);

    let input = numbers.draw::<A, _>((2, 6, 4));
    let given: [Array2<A>; 4] = [5, 5, 3, 2].map(|units| numbers.draw((2, units)));
    let d_states: [Array2<A>; 4] = [5, 5, 3, 2].map(|units| numbers.draw((2, units)));
    let call = model.call(&input).initial_state(&given);
    let (output, states, trace) = call.forward_train(&mut model.seed_generators())?;
    let call = first.call(&input).initial_state((&given[0], &given[1]));
    let (y, (h, c), first_trace) = call.forward_train(&mut first.seed_generator())?;
    let call = second.call(&y).initial_state([&given[2], &given[3]]);
    let (expected, [forward, backward], second_trace) = call.forward_train(&mut second.seed_generators())?;
    assert_same_bits(&output, &expected, "output");
    assert_eq!(states, [h, c, forward, backward]);

    let gradients = model.backward(&trace, &output, Some(&d_states))?;
    let above = second.backward(&second_trace, &output, Some([&d_states[2], &d_states[3]]))?;
    let below = first.backward(&first_trace, &above.input, Some((&d_states[0], &d_states[1])))?;
    assert_same_bits(&gradients.input, &below.input, "gradient of the input");
    let ([forward, backward], (d_h, d_c)) = (above.state, below.state);
    assert_eq!(gradients.state, [d_h, d_c, forward, backward]);
    Ok(())
}

/// A stack is its layers one after another, in training too, and carries the state of each.
fn stacks<A: Real>() -> TestResult {
    let mut rng = set_random_seed(5);
    let config = GruConfig::new(4, 5).dropout(0.2).recurrent_dropout(0.3);
    let first = Gru::<A>::new(config, &mut rng)?;
    let second = Bidirectional::<A, _>::new(LstmConfig::new(5, 3).dropout(0.5), MergeMode::Mul, &mut rng)?;
    let third = SimpleRnn::<A>::new(SimpleRnnConfig::new(3, 2), &mut rng)?;
    let model = Stacked::new([first.clone().into(), second.clone().into(), third.clone().into()])?;
    let names: Vec<_> = model.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..4], ["0.kernel", "0.recurrent_kernel", "0.bias", "1.forward.kernel"]);

    let (input, mask) = (Numbers::new(1).draw((4, 6, 4)), mask([4, 6, 4, 0]));
    let (output, _, trace) = model.call(&input).mask(&mask).last_train(&mut model.seed_generators())?;
    let below = first.call(&input).mask(&mask);
    let (y, _, first_trace) = below.forward_train(&mut first.seed_generator())?;
    let between = second.call(&y).mask(&mask);
    let (z, _, second_trace) = between.forward_train(&mut second.seed_generators())?;
    let (expected, _, third_trace) = third.call(&z).mask(&mask).last_train(&mut third.seed_generator())?;
    assert_same_bits(&output, &expected, "output");

    let gradients = model.backward(&trace, &output, None)?;
    let above = third.backward(&third_trace, &output, None)?;
    let middle = second.backward(&second_trace, &above.input, None)?;
    let below = first.backward(&first_trace, &middle.input, None)?;
    assert_same_bits(&gradients.input, &below.input, "gradient of the input");
    assert_same_bits(&gradients.state[0], &below.state, "gradient of the first state");
    assert_same_bits(&gradients.state[4], &middle.state[1].1, "of the backward layer's c");
    let parameters = below.parameters.state_dict().into_iter();
    let parameters = parameters.chain(middle.parameters.state_dict()).chain(above.parameters.state_dict());
    for ((name, gradient), (_, expected)) in gradients.parameters.state_dict().into_iter().zip(parameters) {
        assert_same_bits(&gradient, &expected, &name);
    }

    let model = Stacked::new([first.clone().into(), SimpleRnn::zeros(SimpleRnnConfig::new(5, 2))?.into()])?;
    let mut states = vec![Array2::zeros((4, 5)), Array2::zeros((4, 2))];
    for chunk in input.axis_chunks_iter(Axis(1), 4) {
        (_, states) = model.call(&chunk).initial_state(&states).last()?;
    }
    assert_same_bits(&states[0], &first.call(&input).last()?.0, "the first layer's state");
    assert_same_bits(&states[1], &model.call(&input).last()?.0, "the second layer's state");
    Ok(())
}

// Masks

/// A sequence with a mask equals the sequence of the steps that count. NaN elsewhere has no effect, nor has it on
/// gradients.
fn masked_steps_are_no_steps<C: Kind, A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let config = config::<C>(sizes).activation(Activation::ALL[i]).go_backwards(i % 2 == 1);
        for layer in every_variant::<C, A>(config, &mut Numbers::new(i))? {
            masked_steps_of(&layer, sizes, &mut Numbers::new(i + 100))?;
        }
    }
    Ok(())
}

fn masked_steps_of<C: Kind, A: Real>(
    layer: &Layer<C, A>,
    sizes: [usize; 4],
    numbers: &mut Numbers,
) -> TestResult {
    let [batch, len, input_dim, units] = sizes;
    let mask = mask(sizes);
    let mut input = numbers.draw::<A, _>((batch, len, input_dim));
    for ((n, t), &counts) in mask.indexed_iter() {
        if !counts {
            input.index_axis_mut(Axis(0), n).row_mut(t).fill(A::narrow(f64::NAN));
        }
    }
    let first = kind::state::<C, A>(numbers, batch, units);
    let d_last = kind::state::<C, A>(numbers, batch, units);
    let call = layer.call(&input).mask(&mask).initial_state(C::lend(&first));
    let (_, states, trace) = call.last_train(&mut SeedGenerator::new(0))?;
    let states = C::list(states);
    let gradients = layer.backward(&trace, &Array2::zeros((batch, units)), Some(C::lend(&d_last)))?;
    assert!(gradients.parameters.named_parameters().iter().all(|(_, g)| g.iter().all(|g| g.is_finite())));
    for n in 0..batch {
        let counted: Vec<_> = (0..len).filter(|&t| mask[[n, t]]).collect();
        let alone = input.select(Axis(1), &counted).select(Axis(0), &[n]);
        let of_n = |planes: &[Array2<A>]| -> Vec<_> {
            planes.iter().map(|plane| plane.select(Axis(0), &[n])).collect()
        };
        let (first, state, d_last) = (of_n(&first), of_n(&states), of_n(&d_last));
        if counted.is_empty() {
            assert_same_states(&state, &first, "the state of no steps");
            continue;
        }
        let call = layer.call(&alone).initial_state(C::lend(&first));
        let (_, expected, trace) = call.last_train(&mut SeedGenerator::new(0))?;
        assert_same_states(&state, &C::list(expected), "the state alone");
        let expected = layer.backward(&trace, &Array2::zeros((1, units)), Some(C::lend(&d_last)))?;
        let d_input = gradients.input.select(Axis(1), &counted).select(Axis(0), &[n]);
        assert_same_bits(&d_input, &expected.input, "the gradient alone");
    }
    Ok(())
}

/// What Keras does with and without `zero_output_for_mask`, computed from the outputs alone.
fn what_masked_steps_show<C: Kind, A: Real>() -> TestResult {
    let sizes = [4, 7, 3, 2];
    for backwards in [false, true] {
        let mut numbers = Numbers::new(4);
        let repeating = filled::<C, A>(config::<C>(sizes).go_backwards(backwards), &mut numbers)?;
        let mut zeroing =
            Layer::zeros(config::<C>(sizes).go_backwards(backwards).zero_output_for_mask(true))?;
        zeroing.set_weights(repeating.get_weights())?;
        let (input, mask) = (numbers.draw((4, 7, 3)), mask(sizes));
        let (repeated, _) = repeating.call(&input).mask(&mask).forward()?;
        let (zeroed, _) = zeroing.call(&input).mask(&mask).forward()?;
        for n in 0..4 {
            let mut shown = Array::zeros(2);
            for place in 0..7 {
                let counts = mask[[n, if backwards { 6 - place } else { place }]];
                let step = |array: &Array3<A>| array.index_axis(Axis(0), n).row(place).to_owned();
                if counts {
                    assert_same_bits(&step(&zeroed), &step(&repeated), "a step that counts");
                    shown = step(&repeated);
                } else {
                    assert_same_bits(&step(&zeroed), &Array::zeros(2), "a masked step, zeroed");
                    assert_same_bits(&step(&repeated), &shown, "a masked step, repeated");
                }
            }
        }
        let last = |all: &Array3<A>| all.index_axis(Axis(1), 6).to_owned();
        assert_same_bits(&repeating.call(&input).mask(&mask).last()?.0, &last(&repeated), "last output");
        assert_same_bits(&zeroing.call(&input).mask(&mask).last()?.0, &last(&zeroed), "last output, zeroed");
    }
    Ok(())
}

of_every_kind!(
    one_layer_is_torch_s,
    both_directions_are_torch_s,
    there_and_back,
    negative_zero_goes_over,
    backwards_is_the_reversed_input,
    whole_in_chunks_or_step_by_step,
    a_loop_over_cells,
    masked_steps_are_no_steps,
    what_masked_steps_show,
);
in_both_types!(relu_too, states_of_stacks, stacks);
