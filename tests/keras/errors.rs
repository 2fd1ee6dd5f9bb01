//! What a caller can get wrong is an error that names it, and changes nothing.

use ndarray::{Array1, Array2, Array3, ArrayD};
use ndarray_rnn::keras::{
    Activation, Bidirectional, Distribution, FanMode, Initializer, MergeMode, SeedGenerator, SimpleRnn,
    SimpleRnnCell, SimpleRnnConfig, Stacked, set_random_seed,
};
use ndarray_rnn::{Error, Nonlinearity, Parameters, Rnn, RnnConfig, manual_seed};

use crate::common::{NOT_FINITE, TestResult, expect_error, expect_shape_error};

fn layer() -> TestResult<SimpleRnn> {
    Ok(SimpleRnn::new(SimpleRnnConfig::new(4, 2), &mut set_random_seed(0))?)
}

#[test]
fn configurations() -> TestResult {
    let new = |config| SimpleRnn::<f32>::new(config, &mut set_random_seed(0));
    let zero = Error::ZeroSize { name: "units" };
    expect_error(new(SimpleRnnConfig::new(4, 0)), &zero, "units must be greater than zero");
    let zero = Error::ZeroSize { name: "input_dim" };
    expect_error(new(SimpleRnnConfig::new(0, 2)), &zero, "input_dim must be greater than zero");
    for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        for (name, config) in [
            ("dropout", SimpleRnnConfig::new(4, 2).dropout(rate)),
            ("recurrent_dropout", SimpleRnnConfig::new(4, 2).recurrent_dropout(rate)),
        ] {
            let error = Error::OutOfRange { name, expected: "a number in [0, 1]", actual: rate };
            expect_error(new(config), &error, &format!("{name} must be a number in [0, 1], got {rate}"));
        }
    }
    let huge = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(usize::MAX, 2));
    assert!(matches!(huge, Err(Error::SizeOverflow { .. })), "{huge:?}");
    Ok(())
}

#[test]
fn initialisers() -> TestResult {
    for value in NOT_FINITE {
        for (name, initializer) in [
            ("value", Initializer::constant(value)),
            ("gain", Initializer::identity(value)),
            ("gain", Initializer::orthogonal(value)),
            ("low", Initializer::random_uniform(value, 1.0)),
            ("high", Initializer::random_uniform(0.0, value)),
            ("mean", Initializer::random_normal(value, 1.0)),
            ("std", Initializer::truncated_normal(0.0, value)),
            ("scale", Initializer::variance_scaling(value, FanMode::FanIn, Distribution::Uniform)),
        ] {
            for config in [
                SimpleRnnConfig::new(4, 2).kernel_initializer(initializer.clone()),
                SimpleRnnConfig::new(4, 2).recurrent_initializer(initializer.clone()),
            ] {
                let error = SimpleRnn::<f32>::zeros(config).err().ok_or("an initialiser was taken")?;
                let named = matches!(error, Error::OutOfRange { name: other, .. } if other == name);
                assert!(named, "{error} should be of {name}");
            }
        }
    }
    let negative = Initializer::random_normal(0.0, -1.0);
    let mut rng = set_random_seed(1);
    assert!(negative.seed(1).fill(&mut Array2::<f32>::zeros((2, 2)), &mut rng).is_err());

    let vector = Initializer::orthogonal(1.0).seed(1).fill(&mut Array1::<f32>::zeros(4), &mut rng);
    let error = Error::Rank { array: "weight", expected: 2, actual: 1 };
    expect_error(vector, &error, "weight should be 2-D, but got 1-D");
    let bias = SimpleRnnConfig::new(4, 2).bias_initializer(Initializer::orthogonal(1.0));
    let before = rng.clone();
    expect_error(SimpleRnn::<f32>::new(bias, &mut rng), &error, "weight should be 2-D, but got 1-D");
    assert_eq!(rng, before, "drawn before an error");
    Ok(())
}

#[test]
fn calls() -> TestResult {
    let layer = layer()?;
    let input = Array3::ones((3, 5, 4));
    let width = Error::Width { array: "input", size: "input_dim", expected: 4, actual: 6 };
    let text = "input.size(-1) must be equal to input_dim. Expected 4, got 6";
    expect_error(layer.call(&Array3::ones((3, 5, 6))).last(), &width, text);
    let empty = Error::EmptySequence { array: "input", shape: vec![3, 0, 4] };
    let text = "input: expected sequence length to be larger than 0, got shape [3, 0, 4]";
    expect_error(layer.call(&Array3::ones((3, 0, 4))).last(), &empty, text);

    let mask = Array2::from_elem((5, 3), true);
    expect_shape_error(layer.call(&input).mask(&mask).last(), "mask", &[3, 5], &[5, 3]);
    let state = Array2::zeros((2, 2));
    let result = layer.call(&input).initial_state(&state).forward();
    expect_shape_error(result, "initial_state", &[3, 2], &[2, 2]);
    Ok(())
}

/// What no memory can hold, asked for by arrays broadcast from one number.
#[test]
fn too_large() -> TestResult {
    const MANY: usize = 1 << 48;
    let layer = layer()?;
    let one = Array3::<f32>::ones((1, 1, 1));
    let error = |name: &str, shape: &[usize]| Error::SizeOverflow { name: name.into(), shape: shape.into() };
    for (shape, name, held) in
        [((MANY, 1, 4), "output", vec![MANY, 2]), ((1, MANY, 4), "input", vec![1, MANY, 4])]
    {
        let input = one.broadcast(shape).ok_or("cannot be broadcast")?;
        let text = format!("{name}: the shape {held:?} holds more elements than memory can");
        expect_error(layer.call(&input).last(), &error(name, &held), &text);
    }
    Ok(())
}

/// A state of another batch, or another wrong argument: dropout draws nothing.
#[test]
fn states_of_another_batch() -> TestResult {
    let config = SimpleRnnConfig::new(4, 2).dropout(0.5);
    let layer = SimpleRnn::<f32>::new(config, &mut set_random_seed(0))?;
    let (input, other) = (Array3::ones((3, 5, 4)), Array3::ones((2, 5, 4)));
    let (_, state) = layer.call(&input).last()?;
    assert!(state.iter().all(|&h| h != 0.0));

    expect_shape_error(layer.call(&other).initial_state(&state).last(), "initial_state", &[2, 2], &[3, 2]);
    let mut seeds = layer.seed_generator();
    assert!(layer.call(&other).initial_state(&state).last_train(&mut seeds).is_err());
    assert_eq!(seeds.count(), 0);
    let mask = Array2::from_elem((3, 4), true);
    assert!(layer.call(&input).initial_state(&state).mask(&mask).last().is_err());

    // In both directions: the second state is wrong, and the first layer draws nothing either.
    let config = SimpleRnnConfig::new(4, 2).dropout(0.5);
    let both = Bidirectional::<f32>::new(config, MergeMode::Sum, &mut set_random_seed(0))?;
    let mut seeds = both.seed_generators();
    let wrong = Array2::zeros((2, 2));
    let states = [&*state, &*wrong];
    expect_shape_error(both.call(&input).initial_state(states).last(), "initial_state", &[3, 2], &[2, 2]);
    assert!(both.call(&input).initial_state(states).last_train(&mut seeds).is_err());
    assert_eq!(seeds, both.seed_generators());
    Ok(())
}

#[test]
fn weights() -> TestResult {
    let mut layer = layer()?;
    let before = layer.clone();
    let given = |shapes: [&[usize]; 3]| shapes.map(ArrayD::<f32>::ones);
    let result = layer.set_weights(given([&[4, 2], &[2, 3], &[2]]));
    expect_shape_error(result, "recurrent_kernel", &[2, 2], &[2, 3]);
    let result = layer.set_weights(given([&[4, 2], &[2, 2], &[2]]).into_iter().take(2));
    expect_shape_error(result, "weights", &[3], &[2]);
    let result = layer.load_state_dict([("kernel", ArrayD::<f32>::ones(vec![4, 2]))]);
    assert!(matches!(result, Err(Error::MissingParameter { .. })), "{result:?}");
    assert_eq!(layer, before);
    Ok(())
}

#[test]
fn the_way_back() -> TestResult {
    let layer = layer()?;
    let input = Array3::ones((3, 5, 4));
    let (_, _, trace) = layer.call(&input).forward_train(&mut SeedGenerator::new(0))?;
    let (d_output, d_state) = (Array3::ones((3, 5, 2)), Array2::ones((3, 2)));
    let result = layer.backward(&trace, &Array3::ones((3, 4, 2)), Some(&d_state));
    expect_shape_error(result, "d_output", &[3, 5, 2], &[3, 4, 2]);
    let result = layer.backward(&trace, &d_output, Some(&Array2::ones((2, 3))));
    expect_shape_error(result, "d_state", &[3, 2], &[2, 3]);
    expect_shape_error(layer.backward(&trace, &d_state, None), "d_output", &[3, 5, 2], &[3, 2]);
    let (_, _, last) = layer.call(&input).last_train(&mut SeedGenerator::new(0))?;
    expect_shape_error(layer.backward(&last, &d_output, None), "d_output", &[3, 2], &[3, 5, 2]);
    let other = SimpleRnn::<f32>::zeros(layer.config().clone().activation(Activation::Relu))?;
    let error = Error::ForeignTrace {
        expected: "SimpleRNN(2, activation=relu)".into(),
        actual: "SimpleRNN(2)".into(),
    };
    let text = "the trace is of SimpleRNN(2), not of SimpleRNN(2, activation=relu)";
    expect_error(other.backward(&trace, &d_output, Some(&d_state)), &error, text);
    let mut changed = layer.clone();
    changed.named_parameters_mut()[0].1.fill(1.0);
    let text = "the trace is of other parameters: they may have changed since, or are another network's";
    expect_error(changed.backward(&trace, &d_output, Some(&d_state)), &Error::StaleTrace, text);

    let both =
        Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 2), MergeMode::Concat, &mut set_random_seed(0))?;
    let (_, _, trace) = both.call(&input).last_train(&mut both.seed_generators())?;
    expect_shape_error(both.backward(&trace, &Array2::ones((3, 2)), None), "d_output", &[3, 4], &[3, 2]);
    let sum = Bidirectional::from_layers(
        both.forward_layer().clone(),
        both.backward_layer().clone(),
        MergeMode::Sum,
    )?;
    let result = sum.backward(&trace, &Array2::ones((3, 2)), None);
    let error = Error::ForeignTrace { expected: "sum".into(), actual: "concat".into() };
    expect_error(result, &error, "the trace is of concat, not of sum");
    Ok(())
}

#[test]
fn directions() -> TestResult {
    let of =
        |units, backwards| SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, units).go_backwards(backwards));
    let error = Error::Unsupported {
        operation: "Bidirectional",
        reason: "the forward layer must go forwards and the backward layer backwards",
    };
    let text =
        "Bidirectional is not possible: the forward layer must go forwards and the backward layer backwards";
    expect_error(Bidirectional::from_layers(of(2, false)?, of(2, false)?, MergeMode::Sum), &error, text);
    let config = SimpleRnnConfig::new(4, 2).go_backwards(true);
    expect_error(Bidirectional::<f32>::new(config, MergeMode::Sum, &mut set_random_seed(0)), &error, text);
    let result = Bidirectional::from_layers(of(2, false)?, of(3, true)?, MergeMode::Ave);
    expect_shape_error(result, "backward_layer's units", &[2], &[3]);
    let narrow = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(3, 2).go_backwards(true))?;
    let error = Error::Width { array: "backward_layer", size: "input_dim", expected: 4, actual: 3 };
    let text = "backward_layer.size(-1) must be equal to input_dim. Expected 4, got 3";
    expect_error(Bidirectional::from_layers(of(2, false)?, narrow, MergeMode::Concat), &error, text);
    let different = Bidirectional::from_layers(of(2, false)?, of(3, true)?, MergeMode::Concat)?;
    assert_eq!(different.call(&Array3::ones((3, 5, 4))).last()?.0.dim(), (3, 5));
    Ok(())
}

#[test]
fn conversions() -> TestResult {
    let refuses = |result: Result<(), Error>, expected: &str| {
        let refused = matches!(&result, Err(Error::Unsupported { reason, .. }) if *reason == expected);
        assert!(refused, "{result:?} should be refused: {expected}");
    };
    let rnn = |config| Rnn::<f32>::new(config, &mut manual_seed(0));
    let deep = rnn(RnnConfig::new(4, 2).num_layers(2))?;
    refuses(SimpleRnn::try_from(&deep).map(drop), "the network is not one layer in one direction");
    refuses(Bidirectional::try_from(&deep).map(drop), "the network is not one layer in two directions");
    let relu = rnn(RnnConfig::new(4, 2).nonlinearity(Nonlinearity::Relu))?;
    assert_eq!(SimpleRnn::try_from(&relu)?.config().activation, Activation::Relu);

    let to_rnn = |config| SimpleRnn::<f32>::zeros(config).and_then(|layer| Rnn::try_from(&layer)).map(drop);
    let config = || SimpleRnnConfig::new(4, 2);
    refuses(to_rnn(config().activation(Activation::Gelu)), "torch's network has tanh and relu only");
    refuses(to_rnn(config().go_backwards(true)), "the layer goes backwards");
    let dropout = "torch's network has no dropout of inputs and states";
    refuses(to_rnn(config().dropout(0.1)), dropout);
    refuses(to_rnn(config().recurrent_dropout(0.1)), dropout);
    let sum = Bidirectional::<f32>::new(config(), MergeMode::Sum, &mut set_random_seed(0))?;
    let differ = "the layers' outputs are not concatenated, or the layers differ";
    refuses(Rnn::try_from(&sum).map(drop), differ);
    Ok(())
}

#[test]
fn cells() -> TestResult {
    let cell = SimpleRnnCell::from(layer()?);
    let (x, h) = (Array2::ones((3, 4)), Array2::zeros((3, 2)));
    assert!(matches!(cell.forward(&Array2::ones((3, 5)), &h), Err(Error::Width { .. })));
    expect_shape_error(cell.forward(&x, &Array2::zeros((2, 2))), "initial_state", &[3, 2], &[2, 2]);

    let dropping = SimpleRnnCell::<f32>::zeros(SimpleRnnConfig::new(4, 2).recurrent_dropout(0.5))?;
    let masks = dropping.dropout_masks(2, &mut dropping.seed_generator())?;
    expect_shape_error(
        dropping.forward_train(&x, &h, &masks).map(drop),
        "recurrent dropout mask",
        &[3, 2],
        &[2, 2],
    );

    let layer = layer()?;
    let (_, _, trace) = layer.call(&Array3::ones((3, 5, 4))).last_train(&mut SeedGenerator::new(0))?;
    let error = Error::ForeignTrace { expected: "one step".into(), actual: "5 steps".into() };
    expect_error(cell.backward(&trace, &h), &error, "the trace is of 5 steps, not of one step");
    Ok(())
}

#[test]
fn stacks() -> TestResult {
    let of = |input, units| SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(input, units));
    expect_error(
        Stacked::<f32>::new([]),
        &Error::ZeroSize { name: "layers" },
        "layers must be greater than zero",
    );
    let error = Error::Width { array: "layer", size: "the outputs below", expected: 5, actual: 6 };
    let text = "layer.size(-1) must be equal to the outputs below. Expected 5, got 6";
    expect_error(Stacked::new([of(4, 5)?.into(), of(6, 2)?.into()]), &error, text);

    let mut rng = set_random_seed(0);
    let dropping = SimpleRnn::<f32>::new(SimpleRnnConfig::new(5, 2).dropout(0.5), &mut rng)?;
    let first = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 5), &mut rng)?;
    let model = Stacked::new([first.into(), dropping.into()])?;
    let input = Array3::ones((3, 5, 4));
    let (_, mut states) = model.call(&input).last()?;
    expect_shape_error(model.call(&input).initial_state(&states[..1]).last(), "states", &[2], &[1]);
    states[1] = Array2::zeros((2, 2));
    expect_shape_error(model.call(&input).initial_state(&states).last(), "initial_state", &[3, 2], &[2, 2]);
    let mut seeds = model.seed_generators();
    assert!(model.call(&input).initial_state(&states).last_train(&mut seeds).is_err());
    assert_eq!(seeds, model.seed_generators(), "draws before an error");
    expect_shape_error(model.call(&input).last_train(&mut seeds[..1]).map(drop), "seeds", &[2], &[1]);

    let (_, _, trace) = model.call(&input).last_train(&mut seeds)?;
    let result = model.backward(&trace, &Array2::ones((3, 2)), Some(&states[..1]));
    expect_shape_error(result, "d_states", &[2], &[1]);
    let both = Bidirectional::<f32>::new(SimpleRnnConfig::new(5, 2), MergeMode::Sum, &mut rng)?;
    let others = Stacked::new([model.layers()[0].clone(), both.into()])?;
    let error =
        Error::ForeignTrace { expected: "the same layers".into(), actual: "another kind of layer".into() };
    let text = "the trace is of another kind of layer, not of the same layers";
    expect_error(others.backward(&trace, &Array2::ones((3, 2)), None), &error, text);
    let deeper = Stacked::new(model.layers().iter().cloned().chain([of(2, 2)?.into()]))?;
    let result = deeper.backward(&trace, &Array2::ones((3, 2)), None);
    assert!(matches!(result, Err(Error::ForeignTrace { .. })), "{result:?}");
    Ok(())
}
