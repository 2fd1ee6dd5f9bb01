//! The same bits on any instruction set, for any number of threads, from any memory layout.

use ndarray::{Array, Array2, Array3, ArrayRef2, Axis};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{Activation, Bidirectional, Layer, MergeMode, SeedGenerator, set_random_seed};
use ndarray_rnn::kernels::archs;

use super::bits::{assert_same_states, config, filled, mask, reversed};
use super::kind::{Kind, of_every_kind};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits};

/// Every number of a training pass: outputs, states, gradients.
fn training_pass<C: Kind, A: Real>(layer: &Layer<C, A>, sizes: [usize; 4]) -> TestResult<Vec<A>> {
    let [batch, len, input_dim, units] = sizes;
    let mut numbers = Numbers::new(5);
    let (input, mask) = (numbers.draw((batch, len, input_dim)), mask(sizes));
    let d_output = numbers.draw((batch, len, units));
    let call = layer.call(&input).mask(&mask);
    let (output, state, trace) = call.forward_train(&mut SeedGenerator::new(6))?;
    let state = C::list(state);
    let gradients = layer.backward(&trace, &d_output, Some(C::lend(&state)))?;
    let parameters: Vec<_> =
        gradients.parameters.state_dict().into_iter().flat_map(|(_, value)| value).collect();
    let states = state.into_iter().chain(C::list(gradients.state)).flatten();
    Ok(output.into_iter().chain(states).chain(gradients.input).chain(parameters).collect())
}

fn assert_same<A: Real>(actual: Vec<A>, expected: &[A], what: &str) {
    assert_same_bits(&Array::from(actual), &Array::from(expected.to_vec()), what);
}

fn on_every_instruction_set<C: Kind, A: Real>() -> TestResult {
    for activation in Activation::ALL {
        for (sizes, rates) in [([4, 5, 3, 2], (0.2, 0.0)), ([7, 3, 17, 33], (0.2, 0.3))] {
            let config = config::<C>(sizes).activation(activation).rates(rates.0, rates.1);
            for config in config.variants() {
                let layer = filled::<C, A>(config, &mut Numbers::new(7))?;
                let expected = training_pass(&layer, sizes)?;
                for (name, arch) in archs() {
                    assert_same(training_pass(&layer.clone().on(arch), sizes)?, &expected, name);
                }
            }
        }
    }
    Ok(())
}

/// The same of a function on so many threads.
fn on<T: Send>(threads: usize, run: impl FnOnce() -> TestResult<T> + Send) -> TestResult<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| run().map_err(|error| error.to_string())).map_err(Into::into)
}

/// Cases large enough for their sequences to be split, and one whose units would be split if its sums were not kept.
fn for_every_number_of_threads<C: Kind, A: Real>() -> TestResult {
    let cases = [
        ([13, 24 / C::GATES, 64, 256], Activation::Softsign),
        ([13, 24 / C::GATES, 64, 256], Activation::Relu),
        ([2, 60 / C::GATES, 64, 299], Activation::Silu),
    ];
    for (i, (sizes, activation)) in cases.into_iter().enumerate() {
        let mut variants = config::<C>(sizes).activation(activation).rates(0.3, 0.5).variants();
        let config = variants.swap_remove(i % variants.len());
        let layer = filled::<C, A>(config, &mut Numbers::new(8))?;
        let one = on(1, || training_pass(&layer, sizes))?;
        for threads in [2, 3, 16] {
            let pass = on(threads, || training_pass(&layer, sizes))?;
            assert_same(pass, &one, &format!("{threads} threads"));
        }
    }
    Ok(())
}

/// Threads that share the units of one sequence.
fn one_sequence_on_several_threads<C: Kind, A: Real>() -> TestResult {
    let sizes = [1, 40, 64, 299];
    for config in config::<C>(sizes).variants() {
        let layer = filled::<C, A>(config, &mut Numbers::new(8))?;
        let input = Numbers::new(9).draw((1, 40, 64));
        let pass = || {
            let (outputs, state) = layer.forward(&input)?;
            Ok((outputs, C::list(state)))
        };
        let (expected, expected_state) = on(1, pass)?;
        for threads in [2, 3] {
            let (outputs, state) = on(threads, pass)?;
            assert_same_bits(&outputs, &expected, &format!("{threads} threads"));
            assert_same_states(&state, &expected_state, &format!("{threads} threads"));
        }
    }
    Ok(())
}

/// Any memory layout of the arguments gives the same bits.
fn from_any_layout<C: Kind, A: Real>() -> TestResult {
    let sizes = [4, 5, 3, 2];
    let mut numbers = Numbers::new(9);
    let layer = filled::<C, A>(config::<C>(sizes).go_backwards(true), &mut numbers)?;
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
fn back_from_any_layout<C: Kind, A: Real>() -> TestResult {
    let (mut numbers, rng) = (Numbers::new(9), &mut set_random_seed(0));
    let input = numbers.draw::<A, _>((4, 5, 3));
    let layer = filled::<C, A>(config([4, 5, 3, 2]), &mut numbers)?;
    let (_, _, trace) = layer.call(&input).last_train(&mut layer.seed_generator())?;
    same_from_any_layout(numbers.draw((4, 2)), |d| Ok(layer.backward(&trace, d, None)?.input))?;
    for mode in [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave] {
        let both = Bidirectional::<A, C>::new(config([4, 5, 3, 2]), mode, rng)?;
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

of_every_kind!(
    on_every_instruction_set,
    for_every_number_of_threads,
    one_sequence_on_several_threads,
    from_any_layout,
    back_from_any_layout,
);
