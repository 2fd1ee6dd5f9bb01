//! A layer has the bits of the crate's own network of the same weights, and goes over to it and back.

use ndarray::{Array2, Array3, ArrayD, Axis};
use ndarray_rnn::keras::{
    Activation, Bidirectional, Layer, MergeMode, SeedGenerator, SimpleRnn, SimpleRnnConfig, set_random_seed,
};
use ndarray_rnn::{Parameters, Recurrent, Rnn};

use super::bits::{SIZES, assert_same_states, config, filled};
use super::kind::{self, Kind, of_every_kind};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};

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

of_every_kind!(one_layer_is_torch_s, both_directions_are_torch_s, there_and_back, negative_zero_goes_over,);
in_both_types!(relu_too);
