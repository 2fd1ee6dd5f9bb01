//! The long short-term memory and its cell: `torch.nn.LSTM` and `torch.nn.LSTMCell`.

use super::architecture::{Architecture, CellArchitecture, Kind, Sealed, Sizes};
use super::cell::RecurrentCell;
use super::config::{kind, show};
use super::network::Recurrent;
use crate::cell;
use crate::engine::Order;
use crate::scalar::Scalar;

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

kind! {
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
    pub struct LstmConfig("LSTM") {
        /// Features of h after its projection, less than `hidden_size`, which is then the width of c alone; 0 for none.
        /// Default 0.
        proj_size: usize = 0,
    }

    /// The arguments of `torch.nn.LSTMCell`, with torch's names and defaults.
    ///
    /// ```
    /// use ndarray_rnn::LstmCellConfig;
    ///
    /// assert_eq!(LstmCellConfig::new(4, 2).bias(false).to_string(), "LSTMCell(4, 2, bias=False)");
    /// ```
    pub struct LstmCellConfig("LSTMCell") {}

    both {}

    impl Kind {
        type State<T> = (T, T);
        type Cell<A: Scalar> = cell::Lstm;

        /// torch has i, f, g and o; the cell has i, f, o and g.
        const ORDER: Order = Order { input: &[0, 1, 3, 2], hidden: &[0, 1, 3, 2] };

        fn cell<A: Scalar>(&self) -> cell::Lstm {
            cell::Lstm::new(cell::LstmGates { forget: cell::Forget::Gate })
        }
    }
}
