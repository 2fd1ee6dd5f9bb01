//! The same bits on any instruction set, for any number of threads, from any memory layout.

use ndarray::{Array, Array2, Array3, ArrayRef2, Axis};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{Activation, Bidirectional, MergeMode, SeedGenerator, SimpleRnn, set_random_seed};
use ndarray_rnn::kernels::archs;

use super::bits::{config, filled, mask, reversed};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};

/// Every number of a training pass: outputs, states, gradients.
fn training_pass<A: Real>(layer: &SimpleRnn<A>, sizes: [usize; 4]) -> TestResult<Vec<A>> {
    let [batch, len, input_dim, units] = sizes;
    let mut numbers = Numbers::new(5);
    let (input, mask) = (numbers.draw((batch, len, input_dim)), mask(sizes));
    let d_output = numbers.draw((batch, len, units));
    let call = layer.call(&input).mask(&mask);
    let (output, state, trace) = call.forward_train(&mut SeedGenerator::new(6))?;
    let gradients = layer.backward(&trace, &d_output, Some(&state))?;
    let parameters: Vec<_> =
        gradients.parameters.state_dict().into_iter().flat_map(|(_, value)| value).collect();
    let arrays = output.into_iter().chain(state).chain(gradients.input).chain(gradients.state);
    Ok(arrays.chain(parameters).collect())
}

fn assert_same<A: Real>(actual: Vec<A>, expected: &[A], what: &str) {
    assert_same_bits(&Array::from(actual), &Array::from(expected.to_vec()), what);
}

fn on_every_instruction_set<A: Real>() -> TestResult {
    for activation in Activation::ALL {
        for sizes in [[4, 5, 3, 2], [7, 3, 17, 33]] {
            let config = config(sizes).activation(activation).dropout(0.2).recurrent_dropout(0.3);
            let layer = filled::<A>(config, &mut Numbers::new(7))?;
            let expected = training_pass(&layer, sizes)?;
            for (name, arch) in archs() {
                assert_same(training_pass(&layer.clone().on(arch), sizes)?, &expected, name);
            }
        }
    }
    Ok(())
}

/// Cases large enough for their sequences to be split, and one whose units would be split if its sums were not kept.
fn for_every_number_of_threads<A: Real>() -> TestResult {
    for (sizes, activation) in [
        ([13, 24, 64, 256], Activation::Gelu),
        ([13, 24, 64, 256], Activation::Relu),
        ([2, 60, 64, 299], Activation::Silu),
    ] {
        let layer =
            filled::<A>(config(sizes).activation(activation).recurrent_dropout(0.5), &mut Numbers::new(8))?;
        let pass = |threads| -> TestResult<_> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            pool.install(|| training_pass(&layer, sizes).map_err(|error| error.to_string()))
                .map_err(Into::into)
        };
        let one = pass(1)?;
        for threads in [2, 3, 16] {
            assert_same(pass(threads)?, &one, &format!("{threads} threads"));
        }
    }
    Ok(())
}

/// Any memory layout of the arguments gives the same bits.
fn from_any_layout<A: Real>() -> TestResult {
    let sizes = [4, 5, 3, 2];
    let mut numbers = Numbers::new(9);
    let layer = filled::<A>(config(sizes).go_backwards(true), &mut numbers)?;
    let (input, mask) = (numbers.draw::<A, _>((4, 5, 3)), mask(sizes));
    let expected = layer.call(&input).mask(&mask).forward()?.0;
    let turned = input.t().as_standard_layout().into_owned();
    let mask_turned = mask.t().as_standard_layout().into_owned();
    let output = layer.call(&turned.t()).mask(&mask_turned.t()).forward()?.0;
    assert_same_bits(&output, &expected, "transposed");
    let twice = reversed(&input);
    let mut view = twice.view();
    view.invert_axis(Axis(1));
    assert_same_bits(&layer.call(&view).mask(&mask).forward()?.0, &expected, "negative strides");
    assert_eq!(layer.call(&Array3::zeros((0, 5, 3))).last()?.0.dim(), (0, 2));
    Ok(())
}

/// Any memory layout of the gradients that the way back begins with gives the same bits, through every layer and
/// merge mode.
fn back_from_any_layout<A: Real>() -> TestResult {
    let (mut numbers, rng) = (Numbers::new(9), &mut set_random_seed(0));
    let input = numbers.draw::<A, _>((4, 5, 3));
    let layer = filled::<A>(config([4, 5, 3, 2]), &mut numbers)?;
    let (_, _, trace) = layer.call(&input).last_train(&mut layer.seed_generator())?;
    same_from_any_layout(numbers.draw((4, 2)), |d| Ok(layer.backward(&trace, d, None)?.input))?;
    for mode in [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave] {
        let both = Bidirectional::<A>::new(config([4, 5, 3, 2]), mode, rng)?;
        let (output, _, trace) = both.call(&input).last_train(&mut both.seed_generators())?;
        same_from_any_layout(numbers.draw(output.dim()), |d| Ok(both.backward(&trace, d, None)?.input))?;
    }
    let (_, _, trace) = layer.call(&Array3::zeros((0, 5, 3))).last_train(&mut layer.seed_generator())?;
    let whole = Array2::ones((4, 2));
    let (none, _) = whole.view().split_at(Axis(0), 0);
    assert_eq!(layer.backward(&trace, &none, None)?.input.dim(), (0, 5, 3));
    Ok(())
}

fn same_from_any_layout<A: Real>(
    d_output: Array2<A>,
    back: impl Fn(&ArrayRef2<A>) -> TestResult<Array3<A>>,
) -> TestResult {
    let expected = back(&d_output)?;
    let turned = d_output.t().as_standard_layout().into_owned();
    assert_same_bits(&back(&turned.t())?, &expected, "transposed");
    let mut upside_down = d_output.view();
    upside_down.invert_axis(Axis(0));
    let mut twice = upside_down.as_standard_layout().into_owned();
    twice.invert_axis(Axis(0));
    assert_same_bits(&back(&twice)?, &expected, "negative strides");
    Ok(())
}

in_both_types!(on_every_instruction_set, for_every_number_of_threads, from_any_layout, back_from_any_layout);
