//! Keras's `LSTM`: its configuration, and what sets it apart.

use ndarray::{Array1, Axis, Dim, Ix1};

use super::cell::LayerCell;
use super::config::config;
use super::initializer::Workspace;
use super::layer::Layer;
use super::parameters::LayerParameters;
use crate::cell;
use crate::engine::Order;
use crate::error::Result;
use crate::kernels::Activation;
use crate::scalar::Scalar;

/// The long short-term memory as Keras has it, `keras.layers.LSTM`.
///
/// For each step t of each sequence
///
/// ```text
/// i = recurrent_activation(x_t kernel_i + bias_i + h_{t-1} recurrent_kernel_i)
/// f = recurrent_activation(x_t kernel_f + bias_f + h_{t-1} recurrent_kernel_f)
/// g = activation(x_t kernel_c + bias_c + h_{t-1} recurrent_kernel_c)
/// o = recurrent_activation(x_t kernel_o + bias_o + h_{t-1} recurrent_kernel_o)
/// c_t = f * c_{t-1} + i * g
/// h_t = o * activation(c_t)
/// ```
///
/// `kernel`, `recurrent_kernel` and `bias` hold the columns of i, f, c and o, in this order.
///
/// # Shapes
/// N sequences, T steps, batch first always:
///
/// | | shape |
/// |---|---|
/// | input | (N, T, input_dim) |
/// | mask | (N, T) |
/// | outputs | (N, T, units); the last (N, units) |
/// | state | the pair (h, c), each (N, units) |
/// | `kernel`, `recurrent_kernel`, `bias` | (input_dim, 4 units), (units, 4 units), (4 units) |
///
/// # Dropout
/// With `dropout` alone a sequence's input has one row of factors for all gates. With `recurrent_dropout` input and state
/// have a row for each gate, in the order i, f, c, o. As in Keras, a rate of 1 drops nothing.
///
/// # Reproducibility
/// Every sum is `(bias + x kernel) + h recurrent_kernel`: two chains of fused multiply-adds, the input's from the bias and
/// the state's from zero, each in ascending order, and one addition. `c_t` is one fused multiply-add, `f * c_{t-1} +
/// (i * g)`. The result has the same bits on every machine, alone or in a batch, whole or in chunks. With sigmoid and tanh
/// it has the bits of torch's [`Lstm`](crate::Lstm) with the same numbers.
///
/// # Example
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, Lstm, LstmConfig};
///
/// let lstm = Lstm::<f32>::new(LstmConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let input = Array3::zeros((3, 5, 4));
/// let (last, (h, c)) = lstm.call(&input).last()?;
/// assert_eq!((last.dim(), h.dim(), c.dim()), ((3, 2), (3, 2), (3, 2)));
///
/// // The state carries the sequences on: Keras's `stateful`.
/// let (last, (h, c)) = lstm.call(&input).initial_state((&h, &c)).last()?;
/// # let _ = (last, h, c);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/lstm/>
#[doc(alias = "LSTM")]
#[doc(alias = "keras.layers.LSTM")]
pub type Lstm<A = f32> = Layer<LstmConfig, A>;

/// One step of an [`Lstm`], `keras.layers.LSTMCell`: from the input (N, input_dim) and the state (h, c) to the next state.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::keras::{self, LstmCell, LstmConfig};
///
/// let cell = LstmCell::<f32>::new(LstmConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let (h, c) = (Array2::zeros((3, 2)), Array2::zeros((3, 2)));
/// let (h, c) = cell.forward(&Array2::ones((3, 4)), (&h, &c))?;
/// assert_eq!((h.dim(), c.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/lstm_cell/>
#[doc(alias = "keras.layers.LSTMCell")]
pub type LstmCell<A = f32> = LayerCell<LstmConfig, A>;

/// The parameters of an [`Lstm`], or their gradient.
///
/// ```
/// use ndarray_rnn::keras::{Lstm, LstmConfig, LstmParameters};
///
/// let layer = Lstm::<f32>::zeros(LstmConfig::new(4, 2))?;
/// let parameters: &LstmParameters = layer.parameters();
/// assert_eq!(parameters.kernel().dim(), (4, 8));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub type LstmParameters<A = f32> = LayerParameters<LstmConfig, A>;

config! {
    /// The arguments of `keras.layers.LSTM`, with Keras's names and defaults.
    ///
    /// Not here is what [`SimpleRnnConfig`](super::SimpleRnnConfig) lacks too; nor `implementation` and `use_cudnn`, which
    /// name ways to the same result. (Keras's `implementation=1` with dropout but no recurrent dropout fails.) The options
    /// are checked when a layer is made of them.
    ///
    /// ```
    /// use ndarray_rnn::keras::{Activation, LstmConfig};
    ///
    /// let config = LstmConfig::new(4, 2).recurrent_activation(Activation::HardSigmoid).unit_forget_bias(false);
    /// assert_eq!(config.to_string(), "LSTM(2, recurrent_activation=hard_sigmoid, unit_forget_bias=False)");
    /// ```
    ///
    /// Source: <https://keras.io/api/layers/recurrent_layers/lstm/>
    pub struct LstmConfig {
        /// The activation of the candidate g and of c. Default tanh.
        activation: Activation = Activation::Tanh,
        /// The activation of the gates i, f and o. Default sigmoid.
        recurrent_activation: Activation = Activation::Sigmoid,
        /// Whether the bias of f begins with ones, whatever `bias_initializer`, which then makes the others. Default
        /// true.
        unit_forget_bias: bool = true,
    }

    impl Architecture {
        type State<T> = (T, T);
        type BiasDim = Ix1;
        type Cell<A: Scalar> = cell::Lstm;

        const CLASS: &'static str = "LSTM";
        /// Keras has i, f, c and o; the cell has i, f, o and g.
        const ORDER: Order = Order { input: &[0, 1, 3, 2], hidden: &[0, 1, 3, 2] };
        const DROPOUT_FIRST: bool = false;
        const HANDS_SEED_ON: bool = true;

        fn bias_dim(&self) -> Ix1 {
            Dim(self.units.saturating_mul(4))
        }

        fn fill_bias<A: Scalar>(&self, bias: &mut Array1<A>, workspace: Workspace) -> Result<()> {
            if !self.unit_forget_bias {
                return self.bias_initializer.fill_seeded(bias, workspace);
            }
            let (mut i, others) = bias.view_mut().split_at(Axis(0), self.units);
            let (mut f, mut c_and_o) = others.split_at(Axis(0), self.units);
            f.fill(A::one());
            // Keras's initialiser draws for i, and anew, from the same seed, for c and o together.
            let again = self.bias_initializer.workspace(i.shape())?;
            self.bias_initializer.fill_seeded(&mut i, again)?;
            self.bias_initializer.fill_seeded(&mut c_and_o, workspace)
        }

        fn cell<A: Scalar>(&self) -> cell::Lstm {
            let functions = [self.recurrent_activation, self.activation, self.activation];
            cell::Lstm::new(cell::LstmGates { forget: cell::Forget::Gate }).functions(functions)
        }
    }
}
