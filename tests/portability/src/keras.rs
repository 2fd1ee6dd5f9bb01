//! Keras's layers: activations, seeds, passes.

use ndarray::{Array1, Array2, Array3};
use ndarray_rnn::keras::{
    Activation, Architecture, Bidirectional, GruConfig, Initializer, Layer, LstmConfig, MergeMode,
    SeedGenerator, SimpleRnn, SimpleRnnConfig, Stacked, set_random_seed,
};
use ndarray_rnn::kernels::archs;
use ndarray_rnn::{Parameters, Result, Scalar, manual_seed};

use crate::draws::{any_bits, matrix, uniform};
use crate::network::numbers;
use crate::report::{case, dtype};

/// Values and derivatives of any bits and of a range, by a layer of one unit that adds nothing.
pub fn activations<A: Scalar>() -> Result<()> {
    let mut random = Array1::<A>::zeros(5_000);
    any_bits(&mut random, &mut manual_seed(40));
    let spread = matrix::<A>([1, 5_000], 41)?.into_iter().map(|x| x * A::from_f64(20.0));
    let inputs = [("any_bits", random.to_vec()), ("range", spread.collect())];
    for (activation, (what, inputs)) in
        Activation::ALL.into_iter().flat_map(|a| inputs.each_ref().map(|i| (a, i)))
    {
        let config =
            SimpleRnnConfig::new(1, 1).activation(activation).kernel_initializer(Initializer::ones());
        let layer = SimpleRnn::<A>::new(config, &mut set_random_seed(0))?;
        let Ok(input) = Array3::from_shape_vec((inputs.len(), 1, 1), inputs.clone()) else { continue };
        for (set, arch) in archs() {
            let layer = layer.clone().on(arch);
            let (output, _, trace) = layer.call(&input).last_train(&mut SeedGenerator::new(0))?;
            let gradients = layer.backward(&trace, &Array2::ones(output.dim()), None)?;
            let name = format!("keras/activation/{}/{activation}/{what}", dtype::<A>());
            case(&name, set, output.into_iter().chain(gradients.input));
        }
    }
    Ok(())
}

/// What seeds draw.
pub fn seeds<A: Scalar>() -> Result<()> {
    let mut seeds = SeedGenerator::new(42);
    let name = |what| format!("keras/seeds/{}/{what}", dtype::<A>());
    let mut x = Array1::<A>::zeros(4001);
    seeds.uniform(&mut x, -0.3, 0.7)?;
    case(&name("uniform"), "", x.iter().copied());
    seeds.normal(&mut x, 0.25, 1.5)?;
    case(&name("normal"), "", x.iter().copied());
    seeds.truncated_normal(&mut x, 0.0, 1.0)?;
    case(&name("truncated_normal"), "", x.iter().copied());
    seeds.dropout(&mut x, 0.3)?;
    case(&name("dropout"), "", x.iter().copied());
    let mut rng = set_random_seed(7);
    let layers = [(4, 2), (17, 33), (40, 5)].map(|(input, units)| {
        let layer = Bidirectional::<A>::new(SimpleRnnConfig::new(input, units), MergeMode::Concat, &mut rng)?;
        Ok(numbers(&layer))
    });
    let layers = layers.into_iter().collect::<Result<Vec<_>>>()?;
    case(&name("layers"), "", layers.into_iter().flatten());
    Ok(())
}

/// Outputs, states and gradients of both directions, with masks, dropout and every activation; of layers with gates, some.
pub fn passes<A: Scalar>() -> Result<()> {
    for (i, sizes) in [[4, 2, 5, 3], [17, 33, 6, 7], [8, 64, 5, 1]].into_iter().enumerate() {
        let [input, units, ..] = sizes;
        for activation in Activation::ALL {
            let config = SimpleRnnConfig::new(input, units).activation(activation);
            let config = config.dropout(0.25).recurrent_dropout(0.4);
            pass::<A, _>(&activation.to_string(), i, sizes, [config.clone(), config.go_backwards(true)])?;
        }
        for (activation, gates) in
            [(Activation::Tanh, Activation::Sigmoid), (Activation::Gelu, Activation::Silu)]
        {
            let config = LstmConfig::new(input, units).activation(activation).recurrent_activation(gates);
            let config = config.dropout(0.25).recurrent_dropout(0.4);
            let name = format!("lstm/{activation}");
            pass::<A, _>(&name, i, sizes, [config.clone(), config.go_backwards(true)])?;
            for (name, reset_after) in [("gru", true), ("gru_before", false)] {
                let config = GruConfig::new(input, units).activation(activation).recurrent_activation(gates);
                let config = config.reset_after(reset_after).dropout(0.25).recurrent_dropout(0.4);
                let name = format!("{name}/{activation}");
                pass::<A, _>(&name, i, sizes, [config.clone(), config.go_backwards(true)])?;
            }
        }
    }
    Ok(())
}

/// One pass of both directions, on every instruction set. A stack has states that are lists, whatever the kind.
fn pass<A: Scalar, C: Architecture>(
    what: &str,
    i: usize,
    [input, units, len, batch]: [usize; 4],
    configs: [C; 2],
) -> Result<()> {
    let layers = configs.map(|config| Layer::<C, A>::new(config, &mut set_random_seed(8)));
    let [forward, backward] = layers;
    let (forward, backward) = (forward?, backward?);
    let x = uniform([batch, len, input], 42)?;
    let mask = Array2::from_shape_fn((batch, len), |(n, t)| (n + t * 3 + i) % 4 != 1);
    for (set, arch) in archs() {
        let (first, second) = (forward.clone().on(arch), backward.clone().on(arch));
        let both = Bidirectional::from_layers(first, second, MergeMode::Mul)?;
        let model = Stacked::new([both.into()])?;
        let call = model.call(&x).mask(&mask);
        let (output, states, trace) = call.forward_train(&mut model.seed_generators())?;
        let gradients = model.backward(&trace, &output, Some(&states))?;
        let parameters = gradients.parameters.state_dict().into_iter().flat_map(|(_, value)| value);
        let arrays = output.into_iter().chain(states.into_iter().flatten()).chain(gradients.input);
        let name = format!("keras/pass/{}/{what}/I{input}.H{units}.L{len}.N{batch}", dtype::<A>());
        case(&name, set, arrays.chain(parameters));
    }
    Ok(())
}
