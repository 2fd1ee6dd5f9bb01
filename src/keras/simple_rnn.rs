//! Keras's `SimpleRNN`: its configuration, and what sets it apart.

use std::fmt;

use ndarray::{Dim, Ix1};
use rand::Rng;

use super::architecture::{Architecture, Options};
use super::cell::LayerCell;
use super::initializer::Initializer;
use super::layer::Layer;
use super::parameters::LayerParameters;
use super::seeds::default_seed;
use crate::cell::Elman;
use crate::engine::{BackReads, BackWrites, Order, Reads, Scratch, Stack, Writes};
use crate::kernels::Activation;
use crate::planes::Planes;
use crate::scalar::Scalar;
use crate::setters::setters;

/// Elman's recurrent layer as Keras has it, `keras.layers.SimpleRNN`.
///
/// For each step t of each sequence
///
/// ```text
/// h_t = activation(x_t kernel + bias + h_{t-1} recurrent_kernel)
/// ```
///
/// # Shapes
/// N sequences, T steps, batch first always:
///
/// | | shape |
/// |---|---|
/// | input | (N, T, input_dim) |
/// | mask | (N, T) |
/// | outputs | (N, T, units); the last (N, units) |
/// | state | (N, units) |
/// | `kernel`, `recurrent_kernel`, `bias` | (input_dim, units), (units, units), (units) |
///
/// # Reproducibility
/// Every sum is `(bias + x kernel) + h recurrent_kernel`: two chains of fused multiply-adds, the input's from the bias and
/// the state's from zero, each in ascending order, and one addition. The result has the same bits on every machine, alone or in a batch, whole or in chunks. With tanh or relu
/// it has the bits of [`Rnn`](crate::Rnn) with the same numbers.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let (last, state) = rnn.call(&Array3::zeros((3, 5, 4))).last()?;
/// assert_eq!((last.dim(), state.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/simple_rnn/>
#[doc(alias = "SimpleRNN")]
#[doc(alias = "keras.layers.SimpleRNN")]
pub type SimpleRnn<A = f32> = Layer<SimpleRnnConfig, A>;

/// One step of a [`SimpleRnn`], `keras.layers.SimpleRNNCell`: `h' = activation(x kernel + bias + h recurrent_kernel)`.
///
/// Source: <https://keras.io/api/layers/recurrent_layers/simple_rnn_cell/>
#[doc(alias = "keras.layers.SimpleRNNCell")]
pub type SimpleRnnCell<A = f32> = LayerCell<SimpleRnnConfig, A>;

/// The parameters of a [`SimpleRnn`], or their gradient.
pub type SimpleRnnParameters<A = f32> = LayerParameters<SimpleRnnConfig, A>;

/// The arguments of `keras.layers.SimpleRNN`, with Keras's names and defaults.
///
/// Not here are what a call decides (`return_sequences`, `return_state`, `stateful`: see [`Call`](super::Call)),
/// `unroll`, which changes no result, and regularisers and constraints, which training applies. The options are checked
/// when a layer is made of them.
///
/// ```
/// use ndarray_rnn::keras::{Activation, Initializer, SimpleRnnConfig};
///
/// let config = SimpleRnnConfig::new(4, 2)
///     .activation(Activation::Relu)
///     .recurrent_initializer(Initializer::identity(1.0))
///     .dropout(0.5);
/// assert_eq!(config.to_string(), "SimpleRNN(2, activation=relu, dropout=0.5)");
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/simple_rnn/>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct SimpleRnnConfig {
    /// Features of the input, at least 1; Keras learns it from the first input.
    pub input_dim: usize,
    /// Features of the output, at least 1.
    pub units: usize,
    /// The activation. Default tanh.
    pub activation: Activation,
    /// Whether there is a bias. Default true.
    pub use_bias: bool,
    /// How the kernel is made. Default Glorot's uniform.
    pub kernel_initializer: Initializer,
    /// How the recurrent kernel is made. Default orthogonal.
    pub recurrent_initializer: Initializer,
    /// How the bias is made. Default zeros.
    pub bias_initializer: Initializer,
    /// The probability, in [0, 1], that training zeroes a feature of a sequence's input, at all steps. Default 0.
    pub dropout: f64,
    /// The probability, in [0, 1], that training zeroes a unit of a sequence's state for the recurrent product, at all
    /// steps. Default 0.
    pub recurrent_dropout: f64,
    /// Whether the layer runs from the last step to the first. Its outputs are then in the order of processing: the last
    /// step's is the first. Default false.
    pub go_backwards: bool,
    /// Whether a masked step shows zero in place of the output of the step before. Default false.
    pub zero_output_for_mask: bool,
    /// The seed of dropout. Default: drawn when the layer is made.
    pub seed: Option<i64>,
}

impl SimpleRnnConfig {
    /// Keras's defaults.
    #[must_use]
    pub fn new(input_dim: usize, units: usize) -> Self {
        Self {
            input_dim,
            units,
            activation: Activation::Tanh,
            use_bias: true,
            kernel_initializer: Initializer::glorot_uniform(),
            recurrent_initializer: Initializer::orthogonal(1.0),
            bias_initializer: Initializer::zeros(),
            dropout: 0.0,
            recurrent_dropout: 0.0,
            go_backwards: false,
            zero_output_for_mask: false,
            seed: None,
        }
    }

    setters! {
        activation: Activation,
        use_bias: bool,
        kernel_initializer: Initializer,
        recurrent_initializer: Initializer,
        bias_initializer: Initializer,
        dropout: f64,
        recurrent_dropout: f64,
        go_backwards: bool,
        zero_output_for_mask: bool,
    }

    /// Sets [`seed`](Self#structfield.seed).
    #[must_use]
    pub fn seed(self, seed: i64) -> Self {
        Self { seed: Some(seed), ..self }
    }
}

impl Architecture for SimpleRnnConfig {
    type State<T> = T;
    type BiasDim = Ix1;
    type Cell<A: Scalar> = Elman;

    const CLASS: &'static str = "SimpleRNN";
    const ORDER: Order = Order::ONE;
    const GATES: usize = 1;
    const CARRIES: bool = false;

    fn options(&self) -> Options {
        Options {
            input_dim: self.input_dim,
            units: self.units,
            use_bias: self.use_bias,
            dropout: self.dropout,
            recurrent_dropout: self.recurrent_dropout,
            go_backwards: self.go_backwards,
            zero_output_for_mask: self.zero_output_for_mask,
            seed: self.seed,
        }
    }

    fn initializers(&self) -> [&Initializer; 3] {
        [&self.kernel_initializer, &self.recurrent_initializer, &self.bias_initializer]
    }

    fn bias_dim(&self) -> Ix1 {
        Dim(self.units)
    }

    fn seeded<R: Rng + ?Sized>(self, rng: &mut R) -> Self {
        Self {
            seed: Some(self.seed.unwrap_or_else(|| default_seed(rng))),
            kernel_initializer: self.kernel_initializer.seeded(rng),
            recurrent_initializer: self.recurrent_initializer.seeded(rng),
            bias_initializer: self.bias_initializer.seeded(rng),
            ..self
        }
    }

    fn both_ways(self) -> [Self; 2] {
        [false, true].map(|go_backwards| Self { seed: None, go_backwards, ..self.clone() })
    }

    fn cell<A: Scalar>(&self) -> Elman {
        Elman::new(self.activation)
    }

    fn planes<T>(h: T) -> Planes<T> {
        Planes { h, c: None }
    }

    fn state<T>(planes: Planes<T>) -> T {
        planes.h
    }

    fn forward<A: Scalar>(stack: &Stack<A, Elman>, reads: Reads<'_, A>, writes: Writes<'_, A>) {
        A::forward(stack, reads, writes, &mut Scratch::default());
    }

    fn backward<A: Scalar>(stack: &Stack<A, Elman>, reads: &BackReads<'_, A>, writes: BackWrites<'_, A>) {
        A::backward(stack, reads, writes);
    }
}

/// The options that differ from their default, in the manner of Keras's constructor.
impl fmt::Display for SimpleRnnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = self.activation == Activation::Tanh;
        let activation = if default { String::new() } else { format!(", activation={}", self.activation) };
        self.options().fmt(f, Self::CLASS, &activation)
    }
}
