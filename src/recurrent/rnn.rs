//! Elman's network and its cell: `torch.nn.RNN` and `torch.nn.RNNCell`.

use std::fmt;

use super::architecture::{Architecture, CellArchitecture, Kind, Sizes, kind, private, show};
use super::cell::RecurrentCell;
use super::network::Recurrent;
use crate::cell::Elman;
use crate::engine::{BackReads, BackWrites, Order, Reads, Scratch, Stack, Writes};
use crate::kernels::Activation;
use crate::planes::Planes;
use crate::scalar::Scalar;
use crate::setters::setters;

/// Elman's recurrent network, `torch.nn.RNN`.
///
/// For each step t, each layer and each direction
///
/// ```text
/// h_t = act(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
/// ```
///
/// with act tanh or relu and x_t the input, or for layers above the first the outputs of the layer below,
/// both directions side by side.
///
/// # Shapes
/// L steps, N sequences, K layers, D directions:
///
/// | | batch (3-D) | one sequence (2-D) |
/// |---|---|---|
/// | `input` | (L, N, input_size), with `batch_first` (N, L, input_size) | (L, input_size) |
/// | `h_0`, `h_n` | (K D, N, hidden_size), whatever `batch_first` | (K D, hidden_size) |
/// | `output` | (L, N, D hidden_size), with `batch_first` (N, L, D hidden_size) | (L, D hidden_size) |
///
/// # Reproducibility
/// Every sum is `(b_ih + W_ih x) + (b_hh + W_hh h)`: two chains of fused multiply-adds, each from its bias and in ascending
/// order, and one addition. The result has the same bits on every machine, alone or in a batch, whole or in chunks.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
/// let input = Array3::zeros((3, 5, 4));
/// let (output, h_n) = rnn.forward(&input, None)?;
/// assert_eq!((output.dim(), h_n.dim()), ((3, 5, 2), (1, 5, 2)));
///
/// // The state carries a sequence on: here one more chunk of it.
/// let (_, h_n) = rnn.forward(&input, Some(&h_n))?;
/// # let _ = h_n;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html>
#[doc(alias = "SimpleRNN")]
#[doc(alias = "torch.nn.RNN")]
pub type Rnn<A = f32> = Recurrent<RnnConfig, A>;

/// One step of Elman's network, `torch.nn.RNNCell`: `h' = act(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// | | batch (2-D) | one row (1-D) |
/// |---|---|---|
/// | `input` | (N, input_size) | (input_size) |
/// | `hidden`, result | (N, hidden_size) | (hidden_size) |
///
/// A step has the same bits as the same step of an [`Rnn`](crate::Rnn).
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{RnnCell, RnnCellConfig, manual_seed};
///
/// let cell = RnnCell::<f32>::new(RnnCellConfig::new(4, 2), &mut manual_seed(0))?;
/// let x = Array2::zeros((5, 4));
/// let h = cell.forward(&x, None)?;
/// let h = cell.forward(&x, Some(&h))?;
/// assert_eq!(h.dim(), (5, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html>
#[doc(alias = "torch.nn.RNNCell")]
pub type RnnCell<A = f32> = RecurrentCell<RnnCellConfig, A>;

/// The activation of torch's RNN.
///
/// ```
/// use ndarray_rnn::{Nonlinearity, RnnConfig};
///
/// assert_eq!(RnnConfig::new(4, 2).nonlinearity, Nonlinearity::Tanh);
/// assert_eq!(RnnConfig::new(4, 2).nonlinearity(Nonlinearity::Relu).to_string(), "RNN(4, 2, nonlinearity=relu)");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Nonlinearity {
    /// tanh(x), within 1.6 ULP in `f32`, within 1 in `f64`.
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
    /// The probability, in [0, 1], that training zeroes an element of the output of any layer but the last: with one layer
    /// none, as in torch, which warns of it. Default 0.
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

    setters!(num_layers: usize, nonlinearity: Nonlinearity, bias: bool, batch_first: bool, dropout: f64, bidirectional: bool);

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
}

/// As torch shows the module: what differs from the default. Unlike torch it shows relu too.
impl fmt::Display for RnnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: [(bool, &str, &dyn fmt::Display); 6] = [
            (self.num_layers != 1, "num_layers", &self.num_layers),
            (self.nonlinearity != Nonlinearity::Tanh, "nonlinearity", &self.nonlinearity),
            (!self.bias, "bias", &"False"),
            (self.batch_first, "batch_first", &"True"),
            (self.dropout != 0.0, "dropout", &self.dropout),
            (self.bidirectional, "bidirectional", &"True"),
        ];
        show(f, "RNN", [self.input_size, self.hidden_size], &options)
    }
}

/// The arguments of `torch.nn.RNNCell`, with torch's names and defaults.
///
/// ```
/// use ndarray_rnn::RnnCellConfig;
///
/// assert_eq!(RnnCellConfig::new(4, 2).bias(false).to_string(), "RNNCell(4, 2, bias=False)");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct RnnCellConfig {
    /// Features of the input, at least 1.
    pub input_size: usize,
    /// Features of the hidden state, at least 1.
    pub hidden_size: usize,
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    pub bias: bool,
    /// The activation. Default tanh.
    pub nonlinearity: Nonlinearity,
}

impl RnnCellConfig {
    /// tanh, with biases.
    #[must_use]
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self { input_size, hidden_size, bias: true, nonlinearity: Nonlinearity::Tanh }
    }

    setters!(bias: bool, nonlinearity: Nonlinearity);
}

/// As torch shows the module: what differs from the default.
impl fmt::Display for RnnCellConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: [(bool, &str, &dyn fmt::Display); 2] = [
            (!self.bias, "bias", &"False"),
            (self.nonlinearity != Nonlinearity::Tanh, "nonlinearity", &self.nonlinearity),
        ];
        show(f, "RNNCell", [self.input_size, self.hidden_size], &options)
    }
}

kind!(
    RnnConfig,
    Elman = |config: &Self| Elman::new(config.nonlinearity.activation()),
    Order::ONE,
    ["h_0"],
    |config: &Self| Sizes {
        input_size: config.input_size,
        hidden_size: config.hidden_size,
        proj_size: 0,
        num_layers: config.num_layers,
        num_directions: config.num_directions(),
        bias: config.bias,
        batch_first: config.batch_first,
        dropout: config.dropout,
    }
);

kind!(
    RnnCellConfig,
    Elman = |config: &Self| Elman::new(config.nonlinearity.activation()),
    Order::ONE,
    ["hidden"],
    |config: &Self| Sizes::of_cell(config.input_size, config.hidden_size, config.bias)
);

impl Architecture for RnnConfig {}

impl CellArchitecture for RnnCellConfig {}
