//! The gated recurrent unit and its cell: `torch.nn.GRU` and `torch.nn.GRUCell`.

use super::architecture::{Architecture, CellArchitecture, Kind, Sealed, Sizes};
use super::cell::RecurrentCell;
use super::config::{kind, show};
use super::network::Recurrent;
use crate::cell;
use crate::engine::Order;
use crate::scalar::Scalar;

/// A network of gated recurrent units, `torch.nn.GRU`.
///
/// For each step t, each layer and each direction
///
/// ```text
/// r = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
/// z = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
/// n = tanh(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn))
/// h_t = (1 - z) * n + z * h_{t-1}
/// ```
///
/// with x_t the input, or for layers above the first the outputs of the layer below, both directions side by side.
/// `weight_ih`, `weight_hh` and the biases hold the rows of r, z and n, in this order.
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
/// Every sum of r and z is `(b_ih + W_ih x) + (b_hh + W_hh h)`: two chains of fused multiply-adds, each from its bias and in
/// ascending order, and one addition. For n one fused multiply-add joins its two chains, and `h_t` is one, too:
/// `z * (h_{t-1} - n) + n`. The result has the same bits on every machine, alone or in a batch, whole or in chunks.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Gru, GruConfig, manual_seed};
///
/// let gru = Gru::<f32>::new(GruConfig::new(4, 2), &mut manual_seed(0))?;
/// let input = Array3::zeros((3, 5, 4));
/// let (output, h_n) = gru.forward(&input, None)?;
/// assert_eq!((output.dim(), h_n.dim()), ((3, 5, 2), (1, 5, 2)));
///
/// // The state carries a sequence on: here one more chunk of it.
/// let (_, h_n) = gru.forward(&input, Some(&h_n))?;
/// # let _ = h_n;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html>
#[doc(alias = "torch.nn.GRU")]
pub type Gru<A = f32> = Recurrent<GruConfig, A>;

/// One step of a [`Gru`](crate::Gru), `torch.nn.GRUCell`.
///
/// | | batch (2-D) | one row (1-D) |
/// |---|---|---|
/// | `input` | (N, input_size) | (input_size) |
/// | `hidden`, result | (N, hidden_size) | (hidden_size) |
///
/// A step has the same bits as the same step of a [`Gru`](crate::Gru).
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{GruCell, GruCellConfig, manual_seed};
///
/// let cell = GruCell::<f32>::new(GruCellConfig::new(4, 2), &mut manual_seed(0))?;
/// let x = Array2::zeros((5, 4));
/// let h = cell.forward(&x, None)?;
/// let h = cell.forward(&x, Some(&h))?;
/// assert_eq!(h.dim(), (5, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.GRUCell.html>
#[doc(alias = "torch.nn.GRUCell")]
pub type GruCell<A = f32> = RecurrentCell<GruCellConfig, A>;

kind! {
    /// The arguments of `torch.nn.GRU`, with torch's names and defaults.
    ///
    /// Checked when a network is made of it, see [`Gru::new`](crate::Gru::new).
    ///
    /// ```
    /// use ndarray_rnn::GruConfig;
    ///
    /// let config = GruConfig::new(3, 4).num_layers(2).batch_first(true).dropout(0.5);
    /// assert_eq!(config.to_string(), "GRU(3, 4, num_layers=2, batch_first=True, dropout=0.5)");
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html>
    pub struct GruConfig("GRU") {}

    /// The arguments of `torch.nn.GRUCell`, with torch's names and defaults.
    ///
    /// ```
    /// use ndarray_rnn::GruCellConfig;
    ///
    /// assert_eq!(GruCellConfig::new(4, 2).bias(false).to_string(), "GRUCell(4, 2, bias=False)");
    /// ```
    pub struct GruCellConfig("GRUCell") {}

    both {}

    impl Kind {
        type State<T> = T;
        type Cell<A: Scalar> = cell::Gru;

        /// torch has r, z and n. The cell has n, r and z of the input; r, z and n of the state.
        const ORDER: Order = Order { input: &[2, 0, 1], hidden: &[0, 1, 2] };

        fn cell<A: Scalar>(&self) -> cell::Gru {
            cell::Gru::new(cell::GruGates(cell::Reset::After))
        }
    }
}
