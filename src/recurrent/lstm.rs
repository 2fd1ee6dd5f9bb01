//! The long short-term memory and its cell: `torch.nn.LSTM` and `torch.nn.LSTMCell`.

use std::fmt;

use super::architecture::{Architecture, CellArchitecture, Kind, Sizes, kind, private, show};
use super::cell::RecurrentCell;
use super::network::Recurrent;
use crate::cell;
use crate::engine::{BackReads, BackWrites, Order, Reads, Scratch, Stack, Writes};
use crate::invariant::Invariant;
use crate::planes::Planes;
use crate::scalar::Scalar;
use crate::setters::setters;

/// A long short-term memory, `torch.nn.LSTM`.
///
/// For each step t, each layer and each direction
///
/// ```text
/// i = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
/// f = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
/// g = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
/// o = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
/// c_t = f * c_{t-1} + i * g
/// h_t = o * tanh(c_t),  with a projection W_hr (o * tanh(c_t))
/// ```
///
/// with x_t the input, or for layers above the first the outputs of the layer below, both directions side by side.
/// `weight_ih`, `weight_hh` and the biases hold the rows of i, f, g and o, in this order.
///
/// # Shapes
/// L steps, N sequences, K layers, D directions, P features of h: `proj_size`, or `hidden_size` without a projection:
///
/// | | batch (3-D) | one sequence (2-D) |
/// |---|---|---|
/// | `input` | (L, N, input_size), with `batch_first` (N, L, input_size) | (L, input_size) |
/// | `h_0`, `h_n` | (K D, N, P), whatever `batch_first` | (K D, P) |
/// | `c_0`, `c_n` | (K D, N, hidden_size), whatever `batch_first` | (K D, hidden_size) |
/// | `output` | (L, N, D P), with `batch_first` (N, L, D P) | (L, D P) |
///
/// A state is the pair (h, c) wherever one goes in or out. An [`Error`](enum@crate::Error) names the plane that does not
/// fit: `h_0` or `c_0`.
///
/// # Reproducibility
/// Every sum is `(b_ih + W_ih x) + (b_hh + W_hh h)`: two chains of fused multiply-adds, each from its bias and in ascending
/// order, and one addition. `c_t` is one fused multiply-add, `f * c_{t-1} + (i * g)`. The result has the same bits on every
/// machine, alone or in a batch, whole or in chunks.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Lstm, LstmConfig, manual_seed};
///
/// let lstm = Lstm::<f32>::new(LstmConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
/// let input = Array3::zeros((3, 5, 4));
/// let (output, (h_n, c_n)) = lstm.forward(&input, None)?;
/// assert_eq!((output.dim(), h_n.dim(), c_n.dim()), ((3, 5, 2), (2, 5, 2), (2, 5, 2)));
///
/// // The state carries a sequence on: here one more chunk of it.
/// let (_, (h_n, c_n)) = lstm.forward(&input, Some((&h_n, &c_n)))?;
/// # let _ = (h_n, c_n);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html>
#[doc(alias = "torch.nn.LSTM")]
pub type Lstm<A = f32> = Recurrent<LstmConfig, A>;

/// One step of an [`Lstm`](crate::Lstm), `torch.nn.LSTMCell`.
///
/// | | batch (2-D) | one row (1-D) |
/// |---|---|---|
/// | `input` | (N, input_size) | (input_size) |
/// | `h_0`, `c_0`, results | (N, hidden_size) | (hidden_size) |
///
/// A step has the same bits as the same step of an [`Lstm`](crate::Lstm).
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{LstmCell, LstmCellConfig, manual_seed};
///
/// let cell = LstmCell::<f32>::new(LstmCellConfig::new(4, 2), &mut manual_seed(0))?;
/// let x = Array2::zeros((5, 4));
/// let (h, c) = cell.forward(&x, None)?;
/// let (h, c) = cell.forward(&x, Some((&h, &c)))?;
/// assert_eq!((h.dim(), c.dim()), ((5, 2), (5, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html>
#[doc(alias = "torch.nn.LSTMCell")]
pub type LstmCell<A = f32> = RecurrentCell<LstmCellConfig, A>;

/// The arguments of `torch.nn.LSTM`, with torch's names and defaults.
///
/// Checked when a network is made of it, see [`Lstm::new`](crate::Lstm::new).
///
/// ```
/// use ndarray_rnn::LstmConfig;
///
/// let config = LstmConfig::new(3, 4).proj_size(2).num_layers(2).bidirectional(true);
/// assert_eq!(config.to_string(), "LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)");
/// assert_eq!(config.output_size(), 4);
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct LstmConfig {
    /// Features of the input, at least 1.
    pub input_size: usize,
    /// Units: features of c, and of h without a projection; at least 1.
    pub hidden_size: usize,
    /// Layers, each reading the outputs of the one below; at least 1. Default 1.
    pub num_layers: usize,
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    pub bias: bool,
    /// Whether batches come and go as (N, L, features) and not (L, N, features); states do not. Default false.
    pub batch_first: bool,
    /// The probability, in [0, 1], that training zeroes an element of the output of any layer but the last: with one layer
    /// none, as in torch, which warns of it. Default 0.
    pub dropout: f64,
    /// Whether each layer also runs from the last step to the first. Default false.
    pub bidirectional: bool,
    /// Features of h after its projection, less than `hidden_size`; 0 for none. Default 0.
    pub proj_size: usize,
}

impl LstmConfig {
    /// One layer in one direction, with biases, without a projection.
    #[must_use]
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            batch_first: false,
            dropout: 0.0,
            bidirectional: false,
            proj_size: 0,
        }
    }

    setters!(num_layers: usize, bias: bool, batch_first: bool, dropout: f64, bidirectional: bool, proj_size: usize);

    /// 2 if bidirectional, else 1.
    #[must_use]
    pub fn num_directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// The width of an output row: all directions' hidden states side by side.
    #[must_use]
    pub fn output_size(&self) -> usize {
        self.sizes().output_size()
    }
}

/// As torch shows the module: what differs from the default.
impl fmt::Display for LstmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: [(bool, &str, &dyn fmt::Display); 6] = [
            (self.proj_size != 0, "proj_size", &self.proj_size),
            (self.num_layers != 1, "num_layers", &self.num_layers),
            (!self.bias, "bias", &"False"),
            (self.batch_first, "batch_first", &"True"),
            (self.dropout != 0.0, "dropout", &self.dropout),
            (self.bidirectional, "bidirectional", &"True"),
        ];
        show(f, "LSTM", [self.input_size, self.hidden_size], &options)
    }
}

/// The arguments of `torch.nn.LSTMCell`, with torch's names and defaults.
///
/// ```
/// use ndarray_rnn::LstmCellConfig;
///
/// assert_eq!(LstmCellConfig::new(4, 2).bias(false).to_string(), "LSTMCell(4, 2, bias=False)");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct LstmCellConfig {
    /// Features of the input, at least 1.
    pub input_size: usize,
    /// Features of h and of c, at least 1.
    pub hidden_size: usize,
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    pub bias: bool,
}

impl LstmCellConfig {
    /// With biases.
    #[must_use]
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self { input_size, hidden_size, bias: true }
    }

    setters!(bias: bool);
}

/// As torch shows the module: what differs from the default.
impl fmt::Display for LstmCellConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "LSTMCell", [self.input_size, self.hidden_size], &[(!self.bias, "bias", &"False")])
    }
}

/// torch has i, f, g and o; the cell has i, f, o and g.
const ORDER: Order = Order { input: &[0, 1, 3, 2], hidden: &[0, 1, 3, 2] };

kind!(
    LstmConfig,
    cell::Lstm = |_| cell::Lstm::new(cell::LstmGates { forget: cell::Forget::Gate }),
    ORDER,
    ["h_0", "c_0"],
    |config: &Self| Sizes {
        input_size: config.input_size,
        hidden_size: config.hidden_size,
        proj_size: config.proj_size,
        num_layers: config.num_layers,
        num_directions: config.num_directions(),
        bias: config.bias,
        batch_first: config.batch_first,
        dropout: config.dropout,
    }
);

kind!(
    LstmCellConfig,
    cell::Lstm = |_| cell::Lstm::new(cell::LstmGates { forget: cell::Forget::Gate }),
    ORDER,
    ["h_0", "c_0"],
    |config: &Self| { Sizes::of_cell(config.input_size, config.hidden_size, config.bias) }
);

impl Architecture for LstmConfig {}

impl CellArchitecture for LstmCellConfig {}
