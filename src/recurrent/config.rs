//! What a recurrent network is made of.

use std::fmt;

use crate::error::{Error, Result, expect_positive, expect_probability};
use crate::kernels::Activation;

/// The activation of torch's RNN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Nonlinearity {
    /// tanh(x): correctly rounded in `f32`, within 1 ULP in `f64`.
    #[default]
    Tanh,
    /// max(0, x).
    Relu,
}

impl Nonlinearity {
    pub(crate) fn activation(self) -> Activation {
        match self {
            Self::Tanh => Activation::Tanh,
            Self::Relu => Activation::Relu,
        }
    }
}

impl fmt::Display for Nonlinearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
        })
    }
}

/// The arguments of `torch.nn.RNN`, with torch's names and defaults.
///
/// Checked when a network is made of it, see [`Rnn::new`](crate::Rnn::new).
///
/// ```
/// use ndarray_rnn::{Nonlinearity, RnnConfig};
///
/// let config = RnnConfig::new(4, 2).num_layers(2).nonlinearity(Nonlinearity::Relu).bidirectional(true);
/// assert_eq!(config.to_string(), "RNN(4, 2, num_layers=2, nonlinearity=relu, bidirectional=True)");
/// assert!(config.bias && !config.batch_first);
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct RnnConfig {
    /// Features of the input, at least 1.
    pub input_size: usize,
    /// Features of the hidden state, at least 1.
    pub hidden_size: usize,
    /// Layers, each reading the outputs of the one below; at least 1. Default 1.
    pub num_layers: usize,
    /// The activation. Default tanh.
    pub nonlinearity: Nonlinearity,
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    pub bias: bool,
    /// Whether batches come and go as (N, L, features) and not (L, N, features); states do not. Default false.
    pub batch_first: bool,
    /// The probability, in [0, 1], that training zeroes an element of the output of any layer but the last.
    /// Default 0.
    pub dropout: f64,
    /// Whether each layer also runs from the last step to the first. Default false.
    pub bidirectional: bool,
}

impl RnnConfig {
    /// One layer in one direction, tanh, with biases.
    #[must_use]
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            nonlinearity: Nonlinearity::Tanh,
            bias: true,
            batch_first: false,
            dropout: 0.0,
            bidirectional: false,
        }
    }

    /// Sets [`num_layers`](Self#structfield.num_layers).
    #[must_use]
    pub fn num_layers(self, num_layers: usize) -> Self {
        Self { num_layers, ..self }
    }

    /// Sets [`nonlinearity`](Self#structfield.nonlinearity).
    #[must_use]
    pub fn nonlinearity(self, nonlinearity: Nonlinearity) -> Self {
        Self { nonlinearity, ..self }
    }

    /// Sets [`bias`](Self#structfield.bias).
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets [`batch_first`](Self#structfield.batch_first).
    #[must_use]
    pub fn batch_first(self, batch_first: bool) -> Self {
        Self { batch_first, ..self }
    }

    /// Sets [`dropout`](Self#structfield.dropout).
    #[must_use]
    pub fn dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Sets [`bidirectional`](Self#structfield.bidirectional).
    #[must_use]
    pub fn bidirectional(self, bidirectional: bool) -> Self {
        Self { bidirectional, ..self }
    }

    /// 2 if bidirectional, else 1.
    #[must_use]
    pub fn num_directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// The width of an output row: all directions' hidden states side by side.
    #[must_use]
    pub fn output_size(&self) -> usize {
        self.num_directions().saturating_mul(self.hidden_size)
    }

    /// The width of what layer `k` reads.
    pub(crate) fn layer_input_size(&self, k: usize) -> usize {
        if k == 0 { self.input_size } else { self.output_size() }
    }

    /// Checks every option, in torch's order.
    pub(crate) fn validate(&self) -> Result<()> {
        expect_probability("dropout", self.dropout)?;
        expect_positive("input_size", self.input_size)?;
        expect_positive("hidden_size", self.hidden_size)?;
        expect_positive("num_layers", self.num_layers)?;
        self.validate_size()
    }

    /// Checks that memory can hold all parameters together.
    fn validate_size(&self) -> Result<()> {
        let [input, hidden, layers] =
            [self.input_size, self.hidden_size, self.num_layers].map(|size| size as f64);
        let directions = self.num_directions() as f64;
        let first = hidden * (input + hidden + 2.0);
        let other = hidden * ((directions + 1.0) * hidden + 2.0);
        // Bytes, at most; no estimate near the limit fits any memory.
        if 8.0 * directions * (first + (layers - 1.0) * other) < isize::MAX as f64 {
            return Ok(());
        }
        Err(Error::SizeOverflow {
            name: "parameters".into(),
            shape: vec![self.num_layers, self.num_directions(), self.hidden_size, self.input_size],
        })
    }
}

/// As torch shows the module: what differs from the default. Unlike torch it shows relu too.
impl fmt::Display for RnnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RNN({}, {}", self.input_size, self.hidden_size)?;
        if self.num_layers != 1 {
            write!(f, ", num_layers={}", self.num_layers)?;
        }
        if self.nonlinearity != Nonlinearity::Tanh {
            write!(f, ", nonlinearity={}", self.nonlinearity)?;
        }
        if !self.bias {
            f.write_str(", bias=False")?;
        }
        if self.batch_first {
            f.write_str(", batch_first=True")?;
        }
        if self.dropout != 0.0 {
            write!(f, ", dropout={}", self.dropout)?;
        }
        if self.bidirectional {
            f.write_str(", bidirectional=True")?;
        }
        f.write_str(")")
    }
}
