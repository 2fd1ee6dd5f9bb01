//! A stack has the bits of its layers one after another, and carries the state of each.

use ndarray::{Array2, Axis};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{
    Bidirectional, Gru, GruConfig, LstmConfig, MergeMode, SimpleRnn, SimpleRnnConfig, Stacked,
    set_random_seed,
};

use super::bits::{filled, mask};
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};

/// First states and the gradients of final states reach every layer and direction of a stack of different kinds.
fn states_of_every_layer<A: Real>() -> TestResult {
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

/// In training too.
fn one_layer_after_another<A: Real>() -> TestResult {
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

in_both_types!(states_of_every_layer, one_layer_after_another);
