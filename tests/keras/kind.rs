//! The kinds of layers, as tests over all of them need them.

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3};
use ndarray_rnn::keras::{
    Activation, Architecture, Bidirectional, GruConfig, Initializer, Layer, LstmConfig, SimpleRnnConfig,
};
use ndarray_rnn::{Recurrent, RnnConfig};

use crate::common::golden::Case;
use crate::common::mixed::Numbers;
use crate::common::{Real, TestResult};

/// A kind of layer, by its configuration.
pub(crate) trait Kind: Architecture {
    /// torch's kind of network.
    type Torch: ndarray_rnn::Architecture;

    fn new(input_dim: usize, units: usize) -> Self;
    fn activation(self, activation: Activation) -> Self;
    fn use_bias(self, use_bias: bool) -> Self;
    fn bias_initializer(self, initializer: Initializer) -> Self;
    fn rates(self, dropout: f64, recurrent_dropout: f64) -> Self;
    fn go_backwards(self, go_backwards: bool) -> Self;
    fn zero_output_for_mask(self, zero: bool) -> Self;
    fn seed(self, seed: i64) -> Self;
    fn has_dropout(&self) -> bool;

    /// With the options of a case that not every kind has.
    fn own(self, case: &Case) -> TestResult<Self>;

    /// The configuration and others that the engine runs in another way.
    fn variants(self) -> Vec<Self>;

    /// What the parameters of fixtures are divided by.
    const DIVISOR: f64;

    /// The number of arrays of a state.
    const PLANES: usize;

    /// The arrays of a state.
    fn list<T>(state: Self::State<T>) -> Vec<T>;

    /// A state of these arrays.
    fn lend<A>(arrays: &[Array2<A>]) -> Self::State<&ArrayRef2<A>>;

    fn to_torch<A: Real>(layer: &Layer<Self, A>) -> TestResult<Recurrent<Self::Torch, A>>;
    fn of_torch<A: Real>(network: &Recurrent<Self::Torch, A>) -> TestResult<Layer<Self, A>>;
    fn both_to_torch<A: Real>(layer: &Bidirectional<A, Self>) -> TestResult<Recurrent<Self::Torch, A>>;
    fn both_of_torch<A: Real>(network: &Recurrent<Self::Torch, A>) -> TestResult<Bidirectional<A, Self>>;

    /// The arrays of a state of torch's network.
    fn torch_list<T>(state: TorchState<Self, T>) -> Vec<T>;

    /// A state of torch's network of these arrays.
    fn torch_lend<A>(arrays: &[Array3<A>]) -> TorchState<Self, &ArrayRef3<A>>;
}

/// A state of torch's network.
pub(crate) type TorchState<C, T> = <<C as Kind>::Torch as ndarray_rnn::Kind>::State<T>;

/// A first state.
pub(crate) fn state<C: Kind, A: Real>(numbers: &mut Numbers, batch: usize, units: usize) -> Vec<Array2<A>> {
    (0..C::PLANES).map(|_| numbers.draw((batch, units))).collect()
}

macro_rules! kind {
    ($config:ident, $torch:ty, $divisor:literal, |$self:ident, $case:ident| $own:expr, $variants:expr, [$($plane:ident),+]) => {
        impl Kind for $config {
            type Torch = $torch;

            fn new(input_dim: usize, units: usize) -> Self {
                $config::new(input_dim, units)
            }

            fn activation(self, activation: Activation) -> Self {
                $config::activation(self, activation)
            }

            fn use_bias(self, use_bias: bool) -> Self {
                $config::use_bias(self, use_bias)
            }

            fn bias_initializer(self, initializer: Initializer) -> Self {
                $config::bias_initializer(self, initializer)
            }

            fn rates(self, dropout: f64, recurrent_dropout: f64) -> Self {
                self.dropout(dropout).recurrent_dropout(recurrent_dropout)
            }

            fn go_backwards(self, go_backwards: bool) -> Self {
                $config::go_backwards(self, go_backwards)
            }

            fn zero_output_for_mask(self, zero: bool) -> Self {
                $config::zero_output_for_mask(self, zero)
            }

            fn seed(self, seed: i64) -> Self {
                $config::seed(self, seed)
            }

            fn has_dropout(&self) -> bool {
                self.dropout > 0.0 || self.recurrent_dropout > 0.0
            }

            fn own($self, $case: &Case) -> TestResult<Self> {
                Ok($own)
            }

            fn variants(self) -> Vec<Self> {
                let variants: fn(Self) -> Vec<Self> = $variants;
                variants(self)
            }

            const DIVISOR: f64 = $divisor;
            const PLANES: usize = [$(stringify!($plane)),+].len();

            #[allow(unused_parens, reason = "a state may be one array")]
            fn list<T>(($($plane),+): Self::State<T>) -> Vec<T> {
                vec![$($plane),+]
            }

            #[allow(unused_parens, reason = "a state may be one array")]
            fn lend<A>(arrays: &[Array2<A>]) -> Self::State<&ArrayRef2<A>> {
                let [$($plane),+] = arrays else { unreachable!("a state of {} arrays", Self::PLANES) };
                ($($plane),+)
            }

            fn to_torch<A: Real>(layer: &Layer<Self, A>) -> TestResult<Recurrent<$torch, A>> {
                Ok(layer.try_into()?)
            }

            fn of_torch<A: Real>(network: &Recurrent<$torch, A>) -> TestResult<Layer<Self, A>> {
                Ok(network.try_into()?)
            }

            fn both_to_torch<A: Real>(layer: &Bidirectional<A, Self>) -> TestResult<Recurrent<$torch, A>> {
                Ok(layer.try_into()?)
            }

            fn both_of_torch<A: Real>(network: &Recurrent<$torch, A>) -> TestResult<Bidirectional<A, Self>> {
                Ok(network.try_into()?)
            }

            #[allow(unused_parens, reason = "a state may be one array")]
            fn torch_list<T>(($($plane),+): TorchState<Self, T>) -> Vec<T> {
                vec![$($plane),+]
            }

            #[allow(unused_parens, reason = "a state may be one array")]
            fn torch_lend<A>(arrays: &[Array3<A>]) -> TorchState<Self, &ArrayRef3<A>> {
                let [$($plane),+] = arrays else { unreachable!("a state of {} arrays", Self::PLANES) };
                ($($plane),+)
            }
        }
    };
}

/// The value of an option, if the case has it.
fn option<T: serde::de::DeserializeOwned>(case: &Case, name: &str) -> TestResult<Option<T>> {
    Ok(serde_json::from_value(case.value[name].clone())?)
}

kind!(SimpleRnnConfig, RnnConfig, 2.0, |self, _case| self, |config| vec![config], [h]);

kind!(
    LstmConfig,
    ndarray_rnn::LstmConfig,
    4.0,
    |self, case| {
        let gates = option(case, "recurrent_activation")?.unwrap_or(Activation::Sigmoid);
        let unit_forget_bias = option(case, "unit_forget_bias")?.unwrap_or(true);
        self.recurrent_activation(gates).unit_forget_bias(unit_forget_bias)
    },
    |config| vec![config.clone(), config.recurrent_activation(Activation::HardSigmoid)],
    [h, c]
);

kind!(
    GruConfig,
    ndarray_rnn::GruConfig,
    4.0,
    |self, case| {
        let gates = option(case, "recurrent_activation")?.unwrap_or(Activation::Sigmoid);
        self.recurrent_activation(gates).reset_after(option(case, "reset_after")?.unwrap_or(true))
    },
    |config| vec![
        config.clone(),
        config.clone().reset_after(false),
        config.reset_after(false).recurrent_activation(Activation::Silu),
    ],
    [h]
);

/// Makes `#[test]`s of functions that are generic over the kind and the element type, one for each of both.
macro_rules! of_every_kind {
    ($($name:ident),+ $(,)?) => {
        crate::kind::of_every_kind!(@ simple_rnn SimpleRnnConfig [$($name),+]);
        crate::kind::of_every_kind!(@ lstm LstmConfig [$($name),+]);
        crate::kind::of_every_kind!(@ gru GruConfig [$($name),+]);
    };
    (@ $kind:ident $config:ident [$($name:ident),+]) => {
        mod $kind {
            use ndarray_rnn::keras::$config;

            mod single {
                $(#[test] fn $name() -> crate::common::TestResult { super::super::$name::<super::$config, f32>() })+
            }
            mod double {
                $(#[test] fn $name() -> crate::common::TestResult { super::super::$name::<super::$config, f64>() })+
            }
        }
    };
}
pub(crate) use of_every_kind;
