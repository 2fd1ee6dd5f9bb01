//! Keras's `SimpleRNN`: its configuration, and what sets it apart.

use ndarray::{Dim, Ix1};

use super::cell::LayerCell;
use super::config::config;
use super::layer::Layer;
use super::parameters::LayerParameters;
use crate::cell::Elman;
use crate::engine::Order;
use crate::kernels::Activation;
use crate::scalar::Scalar;

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
/// the state's from zero, each in ascending order, and one addition. The result has the same bits on every machine, alone or
/// in a batch, whole or in chunks. With tanh or relu it has the bits of [`Rnn`](crate::Rnn) with the same numbers.
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
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::keras::{SimpleRnnCell, SimpleRnnConfig};
///
/// let cell = SimpleRnnCell::<f32>::zeros(SimpleRnnConfig::new(4, 2))?;
/// assert_eq!(cell.forward(&Array2::ones((3, 4)), &Array2::zeros((3, 2)))?.dim(), (3, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/simple_rnn_cell/>
#[doc(alias = "keras.layers.SimpleRNNCell")]
pub type SimpleRnnCell<A = f32> = LayerCell<SimpleRnnConfig, A>;

/// The parameters of a [`SimpleRnn`], or their gradient.
///
/// ```
/// use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, SimpleRnnParameters};
///
/// let layer = SimpleRnn::<f32>::zeros(SimpleRnnConfig::new(4, 2))?;
/// let parameters: &SimpleRnnParameters = layer.parameters();
/// assert_eq!(parameters.kernel().dim(), (4, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub type SimpleRnnParameters<A = f32> = LayerParameters<SimpleRnnConfig, A>;

config! {
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
    pub struct SimpleRnnConfig {
        /// The activation. Default tanh.
        activation: Activation = Activation::Tanh,
    }

    impl Architecture {
        type State<T> = T;
        type BiasDim = Ix1;
        type Cell<A: Scalar> = Elman;

        const CLASS: &'static str = "SimpleRNN";
        const ORDER: Order = Order::ONE;
        const DROPOUT_FIRST: bool = true;
        const HANDS_SEED_ON: bool = false;

        fn bias_dim(&self) -> Ix1 {
            Dim(self.units)
        }

        fn cell<A: Scalar>(&self) -> Elman {
            Elman::new(self.activation)
        }
    }
}
