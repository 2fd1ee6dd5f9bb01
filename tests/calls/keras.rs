//! Random calls of Keras's layers.

use ndarray::{Array2, Array3};
use ndarray_rnn::Scalar;
use ndarray_rnn::keras::{
    Activation, GruConfig, Initializer, Layer, LstmConfig, SeedGenerator, SimpleRnnConfig,
};

use crate::draws::{Counts, Draws};

/// Calls for one kind of layer.
macro_rules! layer {
    ($name:ident, $config:ident, $count:literal, |$planes:ident| $state:expr) => {
        pub(crate) fn $name<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
            let [inputs, units] = [(); 2].map(|()| draws.size());
            if (1 << 14..1 << 48).contains(&units.saturating_mul(inputs.saturating_add(units))) {
                return;
            }
            let [dropout, recurrent_dropout] =
                [(); 2].map(|()| if draws.one_in(3) { draws.number() } else { 0.0 });
            let initializer = draws.pick(&[
                Initializer::glorot_uniform(),
                Initializer::orthogonal(1.0),
                Initializer::zeros(),
                Initializer::identity(1.0),
            ]);
            let config = $config::new(inputs, units)
                .activation(draws.pick(&Activation::ALL))
                .use_bias(!draws.one_in(4))
                .kernel_initializer(initializer)
                .dropout(dropout)
                .recurrent_dropout(recurrent_dropout);
            let made = Layer::<$config, A>::new(config, &mut draws.rng);
            let Some(layer) = counts.note("keras new", made) else { return };
            let (batch, len) = (draws.below(4), 1 + draws.below(4));
            let x: Array3<A> = draws.array((batch, len, inputs));
            let mask = Array2::from_shape_fn((draws.near(batch), draws.near(len)), |_| !draws.one_in(3));
            let $planes: Vec<Array2<A>> = (0..$count).map(|_| draws.array((batch, units))).collect();
            let mut call = layer.call(&x);
            if draws.one_in(2) {
                call = call.mask(&mask);
            }
            if draws.one_in(2) {
                call = call.initial_state($state);
            }
            match draws.below(3) {
                0 => _ = counts.note("keras forward", call.forward()),
                1 => _ = counts.note("keras last", call.last()),
                _ => {
                    let trained = call.forward_train(&mut SeedGenerator::new(7));
                    let Some((output, _, trace)) = counts.note("keras forward_train", trained) else {
                        return;
                    };
                    let d_output = draws.array(output.dim());
                    counts.note("keras backward", layer.backward(&trace, &d_output, None));
                }
            }
        }
    };
}

layer!(simple_rnn, SimpleRnnConfig, 1, |planes| &*planes[0]);
layer!(lstm, LstmConfig, 2, |planes| (&*planes[0], &*planes[1]));
layer!(gru, GruConfig, 1, |planes| &*planes[0]);
