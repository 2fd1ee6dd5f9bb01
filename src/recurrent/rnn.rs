//! Elman's network and its cell: `torch.nn.RNN` and `torch.nn.RNNCell`.

use std::fmt;

use super::architecture::{Architecture, CellArchitecture, Kind, Sealed, Sizes};
use super::cell::RecurrentCell;
use super::config::{kind, show};
use super::network::Recurrent;
use crate::cell::Elman;
use crate::engine::Order;
use crate::kernels::Activation;
use crate::scalar::Scalar;

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

kind! {
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
    pub struct RnnConfig("RNN") {}

    /// The arguments of `torch.nn.RNNCell`, with torch's names and defaults.
    ///
    /// ```
    /// use ndarray_rnn::RnnCellConfig;
    ///
    /// assert_eq!(RnnCellConfig::new(4, 2).bias(false).to_string(), "RNNCell(4, 2, bias=False)");
    /// ```
    pub struct RnnCellConfig("RNNCell") {}

    both {
        /// The activation. Default tanh.
        nonlinearity: Nonlinearity = Nonlinearity::Tanh,
    }

    impl Kind {
        type State<T> = T;
        type Cell<A: Scalar> = Elman;

        const ORDER: Order = Order::ONE;

        fn cell<A: Scalar>(&self) -> Elman {
            Elman::new(self.nonlinearity.activation())
        }
    }
}
