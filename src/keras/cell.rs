//! One step, Keras's `SimpleRNNCell`.

use std::fmt;

use ndarray::{Array2, ArrayRef2, ArrayViewD, ArrayViewMutD, Axis};
use rand::Rng;

use super::config::SimpleRnnConfig;
use super::layer::SimpleRnn;
use super::parameters::SimpleRnnParameters;
use super::returns::Last;
use super::seeds::SeedGenerator;
use super::train::{DropoutMasks, Gradients, Trace};
use crate::error::{Error, Result};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// One step of Elman's network, `keras.layers.SimpleRNNCell`: `h' = activation(x kernel + bias + h recurrent_kernel)`.
///
/// Input (N, input_dim), states (N, units). A step has the same bits as the same step of a [`SimpleRnn`].
///
/// ```
/// use ndarray::{Array2, Array3, Axis};
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnCell, SimpleRnnConfig};
///
/// let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let cell = SimpleRnnCell::from(layer.clone());
/// let input = Array3::ones((3, 5, 4));
/// let mut h = Array2::zeros((3, 2));
/// for x in input.axis_iter(Axis(1)) {
///     h = cell.forward(&x, &h)?;
/// }
/// assert_eq!(h, layer.forward(&input)?);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/recurrent_layers/simple_rnn_cell/>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
#[doc(alias = "keras.layers.SimpleRNNCell")]
pub struct SimpleRnnCell<A: Scalar = f32> {
    layer: SimpleRnn<A>,
}

impl<A: Scalar> SimpleRnnCell<A> {
    /// A cell with Keras's initial parameters; as [`SimpleRnn::new`].
    ///
    /// # Errors
    /// As [`SimpleRnn::new`].
    pub fn new<R: Rng + ?Sized>(config: SimpleRnnConfig, rng: &mut R) -> Result<Self> {
        Ok(Self { layer: SimpleRnn::new(config, rng)? })
    }

    /// A cell whose parameters are zero, to be loaded.
    ///
    /// # Errors
    /// As [`SimpleRnn::new`].
    pub fn zeros(config: SimpleRnnConfig) -> Result<Self> {
        Ok(Self { layer: SimpleRnn::zeros(config)? })
    }

    /// What the cell is made of.
    #[must_use]
    pub fn config(&self) -> &SimpleRnnConfig {
        self.layer.config()
    }

    /// The parameters; by name see [`Parameters`].
    #[must_use]
    pub fn parameters(&self) -> &SimpleRnnParameters<A> {
        self.layer.parameters()
    }

    /// The next state.
    ///
    /// # Errors
    /// [`Error::Width`] for an input of another width, [`Error::Shape`] for a state of another shape.
    pub fn forward(&self, input: &ArrayRef2<A>, state: &ArrayRef2<A>) -> Result<Array2<A>> {
        self.layer.call(&input.view().insert_axis(Axis(1))).initial_state(state).forward()
    }

    /// What Keras's dropout in this cell draws from.
    #[must_use]
    pub fn seed_generator(&self) -> SeedGenerator {
        self.layer.seed_generator()
    }

    /// Draws dropout's factors for `batch` sequences: one draw for the input's, one for the state's, as Keras's cell
    /// does at its first step, to use them for all.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] for factors that no memory holds.
    pub fn dropout_masks(&self, batch: usize, seeds: &mut SeedGenerator) -> Result<DropoutMasks<A>> {
        self.layer.dropout_masks(batch, seeds)
    }

    /// As [`forward`](Self::forward), in training mode; also returns what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`] for masks of another batch or another cell.
    pub fn forward_train(
        &self,
        input: &ArrayRef2<A>,
        state: &ArrayRef2<A>,
        masks: &DropoutMasks<A>,
    ) -> Result<(Array2<A>, Trace<A>)> {
        masks.expect_shapes(input.nrows(), self.config())?;
        let input = input.view().insert_axis(Axis(1));
        let (next, _, trace) =
            self.layer.call(&input).initial_state(state).training_pass()?.forward_train::<Last>(masks);
        Ok((next, trace))
    }

    /// The gradients of a loss with respect to parameters, input and state, from that with respect to the next state.
    ///
    /// # Errors
    /// As [`SimpleRnn::backward`].
    pub fn backward(
        &self,
        trace: &Trace<A>,
        d_next: &ArrayRef2<A>,
    ) -> Result<Gradients<SimpleRnnParameters<A>, Array2<A>, Array2<A>>> {
        if trace.len() != 1 {
            return Err(Error::ForeignTrace {
                expected: "one step".into(),
                actual: format!("{} steps", trace.len()),
            });
        }
        let Gradients { parameters, input, initial_state } = self.layer.backward(trace, d_next)?;
        Ok(Gradients { parameters, input: input.index_axis_move(Axis(1), 0), initial_state })
    }
}

/// A layer's step.
impl<A: Scalar> From<SimpleRnn<A>> for SimpleRnnCell<A> {
    fn from(layer: SimpleRnn<A>) -> Self {
        Self { layer }
    }
}

/// A layer of a step.
impl<A: Scalar> From<SimpleRnnCell<A>> for SimpleRnn<A> {
    fn from(cell: SimpleRnnCell<A>) -> Self {
        cell.layer
    }
}

impl<A: Scalar> Parameters for SimpleRnnCell<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.layer.named_parameters()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.layer.named_parameters_mut()
    }
}

/// In the manner of Keras's constructor.
impl<A: Scalar> fmt::Display for SimpleRnnCell<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.config().to_string().replacen("SimpleRNN", "SimpleRNNCell", 1))
    }
}
