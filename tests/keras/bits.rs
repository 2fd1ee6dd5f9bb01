//! The same bits, however a result is computed: forwards or backwards, whole or step by step, with or without the
//! steps that a mask hides. Of every kind of layer.

use ndarray::{Array, Array2, Array3, ArrayRef3, Axis};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{Activation, Layer, LayerCell, SeedGenerator};

use super::kind::{self, Kind, of_every_kind};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits};

/// (N, T, I, units): on both sides of vectors, panels and tiles.
pub(crate) const SIZES: [[usize; 4]; 7] =
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
    backwards_is_the_reversed_input,
    whole_in_chunks_or_step_by_step,
    a_loop_over_cells,
    masked_steps_are_no_steps,
    what_masked_steps_show,
);
