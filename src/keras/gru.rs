//! Keras's `GRU`: its configuration, and what sets it apart.

use ndarray::{IntoDimension, IxDyn};

use super::cell::LayerCell;
use super::config::config;
use super::layer::Layer;
use super::parameters::LayerParameters;
use crate::cell::{self, Reset};
use crate::engine::Order;
use crate::kernels::Activation;
use crate::scalar::Scalar;

/// The gated recurrent unit as Keras has it, `keras.layers.GRU`.
///
/// For each step t of each sequence
///
/// ```text
/// z = recurrent_activation(x_t kernel_z + bias_z + h_{t-1} recurrent_kernel_z)
/// r = recurrent_activation(x_t kernel_r + bias_r + h_{t-1} recurrent_kernel_r)
/// n = activation(x_t kernel_h + bias_h + (r * h_{t-1}) recurrent_kernel_h)
/// h_t = z * h_{t-1} + (1 - z) * n
/// ```
///
/// with `reset_after`, the default, the reset gate r stands behind the product, and there is a second row of the bias, b:
///
/// ```text
/// z = recurrent_activation(x_t kernel_z + bias_z + h_{t-1} recurrent_kernel_z + b_z)
/// r = recurrent_activation(x_t kernel_r + bias_r + h_{t-1} recurrent_kernel_r + b_r)
/// n = activation(x_t kernel_h + bias_h + r * (h_{t-1} recurrent_kernel_h + b_h))
/// ```
///
/// `kernel`, `recurrent_kernel` and `bias` hold the columns of z, r and h, in this order.
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
/// | `kernel`, `recurrent_kernel` | (input_dim, 3 units), (units, 3 units) |
/// | `bias` | (2, 3 units), the input's and the state's; (3 units) without `reset_after` |
///
/// # Dropout
/// With `dropout` alone a sequence's input has one row of factors for all gates. With `recurrent_dropout` input and state
/// have a row for each gate, in the order z, r, h. As in Keras, a rate of 1 drops nothing.
///
/// # Reproducibility
/// Every sum is `(bias + x kernel) + (b + h recurrent_kernel)`: two chains of fused multiply-adds, the input's from the
/// bias and the state's from b or zero, each in ascending order, and one addition; with `reset_after` that of n is one fused
/// multiply-add, `r * (b + h recurrent_kernel) + (bias + x kernel)`. `h_t` is `fma(z, h_{t-1} - n, n)`. The result has the
/// same bits on every machine, alone or in a batch, whole or in chunks. With `reset_after`, sigmoid and tanh it has the bits
/// of torch's [`Gru`](crate::Gru) with the same numbers.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, Gru, GruConfig};
///
/// let gru = Gru::<f32>::new(GruConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let (last, state) = gru.call(&Array3::zeros((3, 5, 4))).last()?;
/// assert_eq!((last.dim(), state.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/gru/>
#[doc(alias = "GRU")]
#[doc(alias = "keras.layers.GRU")]
pub type Gru<A = f32> = Layer<GruConfig, A>;

/// One step of a [`Gru`], `keras.layers.GRUCell`: from the input (N, input_dim) and h (N, units) to the next h.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::keras::{self, GruCell, GruConfig};
///
/// let cell = GruCell::<f32>::new(GruConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let h = cell.forward(&Array2::ones((3, 4)), &Array2::zeros((3, 2)))?;
/// assert_eq!(h.dim(), (3, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/gru_cell/>
#[doc(alias = "keras.layers.GRUCell")]
pub type GruCell<A = f32> = LayerCell<GruConfig, A>;

/// The parameters of a [`Gru`], or their gradient.
///
/// ```
/// use ndarray_rnn::keras::{Gru, GruConfig, GruParameters};
///
/// let layer = Gru::<f32>::zeros(GruConfig::new(4, 2))?;
/// let parameters: &GruParameters = layer.parameters();
/// assert_eq!(parameters.kernel().dim(), (4, 6));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub type GruParameters<A = f32> = LayerParameters<GruConfig, A>;

config! {
    /// The arguments of `keras.layers.GRU`, with Keras's names and defaults.
    ///
    /// Not here is what [`LstmConfig`](super::LstmConfig) lacks too. The options are checked when a layer is made of them.
    ///
    /// ```
    /// use ndarray_rnn::keras::{Activation, GruConfig};
    ///
    /// let config = GruConfig::new(4, 2).activation(Activation::Relu).reset_after(false).dropout(0.5);
    /// assert_eq!(config.to_string(), "GRU(2, activation=relu, reset_after=False, dropout=0.5)");
    /// ```
    ///
    /// Source: <https://keras.io/api/layers/recurrent_layers/gru/>
    pub struct GruConfig {
        /// The activation of the candidate n. Default tanh.
        activation: Activation = Activation::Tanh,
        /// The activation of the gates z and r. Default sigmoid.
        recurrent_activation: Activation = Activation::Sigmoid,
        /// Whether the reset gate stands behind the recurrent product, as in torch. Default true.
        reset_after: bool = true,
    }

    impl Architecture {
        type State<T> = T;
        type BiasDim = IxDyn;
        type Cell<A: Scalar> = cell::Gru;

        const CLASS: &'static str = "GRU";
        /// Keras has z, r and h. The cell has n, r and z of the input; r, z and n of the state.
        const ORDER: Order = Order { input: &[2, 1, 0], hidden: &[1, 0, 2] };
        const DROPOUT_FIRST: bool = false;
        const HANDS_SEED_ON: bool = true;

        fn bias_dim(&self) -> IxDyn {
            let columns = self.units.saturating_mul(3);
            if self.reset_after { [2, columns][..].into_dimension() } else { [columns][..].into_dimension() }
        }

        fn cell<A: Scalar>(&self) -> cell::Gru {
            let reset = if self.reset_after { Reset::After } else { Reset::Before };
            let functions = [self.recurrent_activation, self.activation, self.activation];
            cell::Gru::new(cell::GruGates(reset)).functions(functions)
        }
    }
}
