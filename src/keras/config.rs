//! What a layer is made of.

use std::fmt;

use rand::Rng;

use super::initializer::Initializer;
use super::seeds::default_seed;
use crate::error::{Result, expect_positive, expect_probability};
use crate::kernels::Activation;

/// The arguments of `keras.layers.SimpleRNN`, with Keras's names and defaults.
///
/// What a call returns (`return_sequences`, `return_state`) and what it carries on (`stateful`) are options of the
/// call, see [`Call`](super::Call). Keras's `unroll` changes no result and is not here; its regularisers and
/// constraints are the business of who trains. Checked when a layer is made of it.
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
    /// Whether time runs from the last step to the first; outputs are then in the order of processing, the last step's
    /// first. Default false.
    pub go_backwards: bool,
    /// Whether the output of a masked step is zero, and not the output of the step before. Default false.
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

    /// Sets [`activation`](Self#structfield.activation).
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Sets [`use_bias`](Self#structfield.use_bias).
    #[must_use]
    pub fn use_bias(self, use_bias: bool) -> Self {
        Self { use_bias, ..self }
    }

    /// Sets [`kernel_initializer`](Self#structfield.kernel_initializer).
    #[must_use]
    pub fn kernel_initializer(self, kernel_initializer: Initializer) -> Self {
        Self { kernel_initializer, ..self }
    }

    /// Sets [`recurrent_initializer`](Self#structfield.recurrent_initializer).
    #[must_use]
    pub fn recurrent_initializer(self, recurrent_initializer: Initializer) -> Self {
        Self { recurrent_initializer, ..self }
    }

    /// Sets [`bias_initializer`](Self#structfield.bias_initializer).
    #[must_use]
    pub fn bias_initializer(self, bias_initializer: Initializer) -> Self {
        Self { bias_initializer, ..self }
    }

    /// Sets [`dropout`](Self#structfield.dropout).
    #[must_use]
    pub fn dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Sets [`recurrent_dropout`](Self#structfield.recurrent_dropout).
    #[must_use]
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        Self { recurrent_dropout, ..self }
    }

    /// Sets [`go_backwards`](Self#structfield.go_backwards).
    #[must_use]
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        Self { go_backwards, ..self }
    }

    /// Sets [`zero_output_for_mask`](Self#structfield.zero_output_for_mask).
    #[must_use]
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        Self { zero_output_for_mask, ..self }
    }

    /// Sets [`seed`](Self#structfield.seed).
    #[must_use]
    pub fn seed(self, seed: i64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Checks every option.
    pub(super) fn validate(&self) -> Result<()> {
        expect_positive("input_dim", self.input_dim)?;
        expect_positive("units", self.units)?;
        expect_probability("dropout", self.dropout)?;
        expect_probability("recurrent_dropout", self.recurrent_dropout)?;
        self.kernel_initializer.validate(2)?;
        self.recurrent_initializer.validate(2)?;
        self.bias_initializer.validate(1)
    }

    /// With every seed that is needed, drawn in Keras's order.
    pub(super) fn seeded<R: Rng + ?Sized>(self, rng: &mut R) -> Self {
        Self {
            seed: Some(self.seed.unwrap_or_else(|| default_seed(rng))),
            kernel_initializer: self.kernel_initializer.seeded(rng),
            recurrent_initializer: self.recurrent_initializer.seeded(rng),
            bias_initializer: self.bias_initializer.seeded(rng),
            ..self
        }
    }
}

/// What differs from the default, in the manner of Keras's constructor.
impl fmt::Display for SimpleRnnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimpleRNN({}", self.units)?;
        if self.activation != Activation::Tanh {
            write!(f, ", activation={}", self.activation)?;
        }
        if !self.use_bias {
            f.write_str(", use_bias=False")?;
        }
        if self.dropout != 0.0 {
            write!(f, ", dropout={}", self.dropout)?;
        }
        if self.recurrent_dropout != 0.0 {
            write!(f, ", recurrent_dropout={}", self.recurrent_dropout)?;
        }
        if self.go_backwards {
            f.write_str(", go_backwards=True")?;
        }
        if self.zero_output_for_mask {
            f.write_str(", zero_output_for_mask=True")?;
        }
        f.write_str(")")
    }
}
