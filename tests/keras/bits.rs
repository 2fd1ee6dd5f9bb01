//! The same bits, however a result is computed: by the crate's own network, alone or in a batch, whole or step by
//! step, with or without the steps that a mask hides.

use ndarray::{Array, Array2, Array3, ArrayRef3, Axis};
use ndarray_rnn::keras::{
    Activation, Bidirectional, MergeMode, SeedGenerator, SimpleRnn, SimpleRnnCell, SimpleRnnConfig, Stacked,
    set_random_seed,
};
use ndarray_rnn::{Direction, Parameters, Rnn, RnnConfig, manual_seed};

use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};

/// (N, T, I, units): on both sides of vectors, panels and tiles.
const SIZES: [[usize; 4]; 7] =
    [[1, 1, 1, 1], [3, 5, 4, 2], [4, 7, 17, 33], [7, 3, 5, 16], [1, 9, 8, 65], [2, 300, 3, 5], [9, 4, 31, 7]];

pub(crate) fn config([_, _, input_dim, units]: [usize; 4]) -> SimpleRnnConfig {
    SimpleRnnConfig::new(input_dim, units)
}

pub(crate) fn filled<A: Real>(config: SimpleRnnConfig, numbers: &mut Numbers) -> TestResult<SimpleRnn<A>> {
    let mut layer = SimpleRnn::zeros(config)?;
    for (_, mut value) in layer.named_parameters_mut() {
        let drawn = numbers.draw::<A, _>(value.raw_dim());
        value.zip_mut_with(&drawn, |to, &from| *to = from / A::narrow(4.0));
    }
    Ok(layer)
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

/// Keras has one bias. torch's second bias, if it were not zero, would round the sums elsewhere.
fn without_second_bias<A: Real>(mut rnn: Rnn<A>) -> Rnn<A> {
    let biases = rnn.named_parameters_mut().into_iter().filter(|(name, _)| name.starts_with("bias_hh"));
    biases.for_each(|(_, mut bias)| bias.fill(A::zero()));
    rnn
}

fn one_layer_is_torch_s<A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let [batch, len, input_dim, units] = sizes;
        let mut numbers = Numbers::new(i);
        let torch = RnnConfig::new(input_dim, units).batch_first(true).bias(i % 3 != 0);
        let rnn = without_second_bias(Rnn::<A>::new(torch, &mut manual_seed(1))?);
        let layer = SimpleRnn::try_from(&rnn)?;
        let input = numbers.draw((batch, len, input_dim));
        let (h_0, d_output) = (numbers.draw((1, batch, units)), numbers.draw((batch, len, units)));
        let (expected, h_n, trace) = rnn.forward_train(&input, Some(&h_0), &mut manual_seed(0))?;
        let first = h_0.index_axis(Axis(0), 0);
        let call = || layer.call(&input).initial_state(&first);
        let (output, state) = call().forward()?;
        assert_same_bits(&output, &expected, "output");
        assert_same_bits(&state, &h_n.index_axis(Axis(0), 0), "state");

        let gradients = rnn.backward(&trace, &d_output, Some(&h_n))?;
        let (_, _, trace) = call().forward_train(&mut SeedGenerator::new(0))?;
        let ours = layer.backward(&trace, &d_output, Some(&state))?;
        let theirs = |weight: Option<&Array2<A>>| weight.map(|w| w.t().to_owned()).unwrap_or_default();
        let weight_ih = theirs(gradients.parameters.weight_ih(0, Direction::Forward));
        let weight_hh = theirs(gradients.parameters.weight_hh(0, Direction::Forward));
        assert_same_bits(ours.parameters.kernel(), &weight_ih, "gradient of the kernel");
        assert_same_bits(ours.parameters.recurrent_kernel(), &weight_hh, "gradient of the recurrent kernel");
        assert_same_bits(&ours.input, &gradients.input, "gradient of the input");
        assert_same_bits(&ours.state, &gradients.state.index_axis(Axis(0), 0), "gradient of h_0");
    }
    Ok(())
}

fn both_directions_are_torch_s<A: Real>() -> TestResult {
    for (i, [batch, len, input_dim, units]) in SIZES.into_iter().enumerate() {
        let torch = RnnConfig::new(input_dim, units).batch_first(true).bidirectional(true);
        let rnn = without_second_bias(Rnn::<A>::new(torch, &mut manual_seed(1))?);
        let layer = Bidirectional::try_from(&rnn)?;
        let input = Numbers::new(i).draw((batch, len, input_dim));
        let (expected, h_n) = rnn.forward(&input, None)?;
        let (output, states) = layer.forward(&input)?;
        assert_same_bits(&output, &expected, "output");
        for (d, state) in states.iter().enumerate() {
            assert_same_bits(state, &h_n.index_axis(Axis(0), d), "state");
        }
        let (back, h_n_back) = Rnn::try_from(&layer)?.forward(&input, None)?;
        assert_same_bits(&back, &expected, "output of the network made of the layer");
        assert_same_bits(&h_n_back, &h_n, "h_n of the network made of the layer");
    }
    Ok(())
}

/// Nothing is lost on the way to torch's network and back.
fn there_and_back<A: Real>() -> TestResult {
    for activation in [Activation::Tanh, Activation::Relu] {
        for use_bias in [false, true] {
            let config = SimpleRnnConfig::new(3, 5).activation(activation).use_bias(use_bias);
            let layer = filled::<A>(config, &mut Numbers::new(1))?;
            assert_eq!(SimpleRnn::try_from(&Rnn::try_from(&layer)?)?, layer);
        }
    }
    let rng = &mut set_random_seed(3);
    let layer = Bidirectional::<A>::new(SimpleRnnConfig::new(3, 5), MergeMode::Concat, rng)?;
    assert_eq!(Bidirectional::try_from(&Rnn::try_from(&layer)?)?.get_weights(), layer.get_weights());
    Ok(())
}

/// A bias of -0 has the same sums in torch's network, whose second bias is 0.
fn negative_zero_goes_over<A: Real>() -> TestResult {
    let mut layer = SimpleRnn::<A>::zeros(SimpleRnnConfig::new(1, 1))?;
    for (name, mut parameter) in layer.named_parameters_mut() {
        parameter.fill(if name == "bias" { -A::zero() } else { -A::one() });
    }
    let input = Array3::zeros((1, 3, 1));
    let (expected, _) = layer.forward(&input)?;
    let (output, _) = Rnn::try_from(&layer)?.forward(&input, None)?;
    assert_same_bits(&output, &expected, "output");
    Ok(())
}

// Time

fn backwards_is_the_reversed_input<A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let mut numbers = Numbers::new(i);
        let forward = filled::<A>(config(sizes), &mut numbers)?;
        let mut backward = SimpleRnn::zeros(config(sizes).go_backwards(true))?;
        backward.set_weights(forward.get_weights())?;
        let input = numbers.draw((sizes[0], sizes[1], sizes[2]));
        let expected = forward.forward(&reversed(&input))?;
        assert_eq!(backward.forward(&input)?, expected);
        assert_eq!(backward.call(&input).last()?.0, expected.1);
    }
    Ok(())
}

fn whole_in_chunks_or_step_by_step<A: Real>() -> TestResult {
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let sizes = SIZES[1 + i % 4];
        let mut numbers = Numbers::new(i);
        let layer = filled::<A>(config(sizes).activation(activation), &mut numbers)?;
        let input = numbers.draw((sizes[0], sizes[1], sizes[2]));
        let (whole, _) = layer.call(&input).last()?;
        let mut state = Array2::zeros(whole.raw_dim());
        for chunk in input.axis_chunks_iter(Axis(1), 2) {
            (_, state) = layer.call(&chunk).initial_state(&state).last()?;
        }
        assert_same_bits(&state, &whole, "in chunks");
        let cell = SimpleRnnCell::from(layer);
        let mut h = Array2::zeros(whole.raw_dim());
        for x in input.axis_iter(Axis(1)) {
            h = cell.forward(&x, &h)?;
        }
        assert_same_bits(&h, &whole, "step by step");
    }
    Ok(())
}

/// A loop over cells has the layer's gradients, if dropout is the same at every step.
fn a_loop_over_cells<A: Real>() -> TestResult {
    let mut numbers = Numbers::new(2);
    let config = SimpleRnnConfig::new(4, 3).activation(Activation::Silu).dropout(0.3).recurrent_dropout(0.4);
    let layer = filled::<A>(config, &mut numbers)?;
    let cell = SimpleRnnCell::from(layer.clone());
    let (input, d_last) = (numbers.draw((5, 3, 4)), numbers.draw((5, 3)));
    let (last, _, trace) = layer.call(&input).last_train(&mut SeedGenerator::new(9))?;
    let expected = layer.backward(&trace, &d_last, None)?;

    let masks = cell.dropout_masks(5, &mut SeedGenerator::new(9))?;
    let (mut h, mut traces) = (Array2::zeros((5, 3)), Vec::new());
    for x in input.axis_iter(Axis(1)) {
        let (next, trace) = cell.forward_train(&x, &h, &masks)?;
        traces.push(trace);
        h = next;
    }
    assert_same_bits(&h, &last, "last output");
    let mut d_h = d_last;
    for (t, trace) in traces.iter().enumerate().rev() {
        let gradients = cell.backward(trace, &d_h)?;
        d_h = gradients.state;
        assert_same_bits(&gradients.input, &expected.input.index_axis(Axis(1), t), "gradient of the input");
    }
    assert_same_bits(&d_h, &expected.state, "gradient of the first state");
    Ok(())
}

/// First states and the gradients of final states reach every layer and direction of a stack.
fn states_of_stacks<A: Real>() -> TestResult {
    let mut numbers = Numbers::new(6);
    let first = filled::<A>(SimpleRnnConfig::new(4, 5), &mut numbers)?;
    let (forward, backward) = (SimpleRnnConfig::new(5, 3), SimpleRnnConfig::new(5, 2).go_backwards(true));
    let (forward, backward) = (filled(forward, &mut numbers)?, filled(backward, &mut numbers)?);
    let second = Bidirectional::<A>::from_layers(forward, backward, MergeMode::Concat)?;
    let model = Stacked::new([first.clone().into(), second.clone().into()])?;
    assert_eq!(model.layers()[0].downcast_ref(), Some(&first));
    assert_eq!(model.layers()[1].downcast_ref(), Some(&second));
    assert_eq!(model.layers()[1].downcast_ref(), None::<&SimpleRnn<A>>);

    let input = numbers.draw::<A, _>((2, 6, 4));
    let given: [Array2<A>; 3] = [5, 3, 2].map(|units| numbers.draw((2, units)));
    let d_states: [Array2<A>; 3] = [5, 3, 2].map(|units| numbers.draw((2, units)));
    let call = model.call(&input).initial_state(&given);
    let (output, states, trace) = call.forward_train(&mut model.seed_generators())?;
    let (y, h, first_trace) =
        first.call(&input).initial_state(&given[0]).forward_train(&mut first.seed_generator())?;
    let call = second.call(&y).initial_state([&given[1], &given[2]]);
    let (expected, [forward, backward], second_trace) = call.forward_train(&mut second.seed_generators())?;
    assert_same_bits(&output, &expected, "output");
    assert_eq!(states, [h, forward, backward]);

    let gradients = model.backward(&trace, &output, Some(&d_states))?;
    let above = second.backward(&second_trace, &output, Some([&d_states[1], &d_states[2]]))?;
    let below = first.backward(&first_trace, &above.input, Some(&d_states[0]))?;
    assert_same_bits(&gradients.input, &below.input, "gradient of the input");
    let [forward, backward] = above.state;
    assert_eq!(gradients.state, [below.state, forward, backward]);
    Ok(())
}

/// A stack is its layers one after another, in training too, and carries the state of each.
fn stacks<A: Real>() -> TestResult {
    let mut rng = set_random_seed(5);
    let config = SimpleRnnConfig::new(4, 5).dropout(0.2).recurrent_dropout(0.3);
    let first = SimpleRnn::<A>::new(config, &mut rng)?;
    let second = Bidirectional::<A>::new(SimpleRnnConfig::new(5, 3).dropout(0.5), MergeMode::Mul, &mut rng)?;
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
    assert_same_bits(&gradients.state[2], &middle.state[1], "of the backward layer's");
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
fn masked_steps_are_no_steps<A: Real>() -> TestResult {
    for (i, sizes) in SIZES.into_iter().enumerate() {
        let [batch, len, input_dim, units] = sizes;
        let mut numbers = Numbers::new(i);
        let layer =
            filled::<A>(config(sizes).activation(Activation::ALL[i]).go_backwards(i % 2 == 1), &mut numbers)?;
        let mask = mask(sizes);
        let mut input = numbers.draw::<A, _>((batch, len, input_dim));
        for ((n, t), &counts) in mask.indexed_iter() {
            if !counts {
                input.index_axis_mut(Axis(0), n).row_mut(t).fill(A::narrow(f64::NAN));
            }
        }
        let (first, d_last) = (numbers.draw((batch, units)), numbers.draw((batch, units)));
        let call = layer.call(&input).mask(&mask).initial_state(&first);
        let (_, states, trace) = call.last_train(&mut SeedGenerator::new(0))?;
        let gradients = layer.backward(&trace, &Array2::zeros((batch, units)), Some(&d_last))?;
        assert!(gradients.parameters.named_parameters().iter().all(|(_, g)| g.iter().all(|g| g.is_finite())));
        for n in 0..batch {
            let counted: Vec<_> = (0..len).filter(|&t| mask[[n, t]]).collect();
            let alone = input.select(Axis(1), &counted).select(Axis(0), &[n]);
            let first = first.select(Axis(0), &[n]);
            let state = states.select(Axis(0), &[n]);
            if counted.is_empty() {
                assert_same_bits(&state, &first, "the state of no steps");
                continue;
            }
            let call = layer.call(&alone).initial_state(&first);
            let (expected, _, trace) = call.last_train(&mut SeedGenerator::new(0))?;
            assert_same_bits(&state, &expected, "the state alone");
            let expected = layer.backward(&trace, &d_last.select(Axis(0), &[n]), None)?;
            let d_input = gradients.input.select(Axis(1), &counted).select(Axis(0), &[n]);
            assert_same_bits(&d_input, &expected.input, "the gradient alone");
        }
    }
    Ok(())
}

/// What Keras does with and without `zero_output_for_mask`, computed from the outputs alone.
fn what_masked_steps_show<A: Real>() -> TestResult {
    let sizes = [4, 7, 3, 2];
    for backwards in [false, true] {
        let mut numbers = Numbers::new(4);
        let repeating = filled::<A>(config(sizes).go_backwards(backwards), &mut numbers)?;
        let mut zeroing = SimpleRnn::zeros(config(sizes).go_backwards(backwards).zero_output_for_mask(true))?;
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

in_both_types!(
    one_layer_is_torch_s,
    both_directions_are_torch_s,
    there_and_back,
    negative_zero_goes_over,
    backwards_is_the_reversed_input,
    whole_in_chunks_or_step_by_step,
    a_loop_over_cells,
    states_of_stacks,
    stacks,
    masked_steps_are_no_steps,
    what_masked_steps_show,
);
