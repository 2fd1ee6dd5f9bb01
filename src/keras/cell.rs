//! One step, as Keras's cells have it.

use std::fmt;

use ndarray::{Array2, ArrayRef2, ArrayViewD, ArrayViewMutD, Axis, Ix2};
use rand::Rng;

use super::architecture::Architecture;
use super::call::Arguments;
use super::layer::Layer;
use super::parameters::LayerParameters;
use super::seeds::SeedGenerator;
use super::train::{DropoutMasks, Trace};
use crate::error::{Error, Result};
use crate::parameters::{Parameters, Trainable};
use crate::recurrent::Gradients;
use crate::room::filled;
use crate::scalar::Scalar;

/// One step of a [`Layer`]: [`SimpleRnnCell`](super::SimpleRnnCell), [`LstmCell`](super::LstmCell),
/// [`GruCell`](super::GruCell).
///
/// Input (N, input_dim), states (N, units). A step has the same bits as the same step of a layer.
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
/// assert_eq!(h, layer.call(&input).last()?.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        transparent,
        bound(
            serialize = "Layer<C, A>: serde::Serialize",
            deserialize = "Layer<C, A>: serde::Deserialize<'de>"
        )
    )
)]
pub struct LayerCell<C: Architecture, A: Scalar = f32> {
    layer: Layer<C, A>,
}

impl<C: Architecture, A: Scalar> LayerCell<C, A> {
    /// A cell with Keras's initial parameters; as [`Layer::new`].
    ///
    /// # Errors
    /// As [`Layer::new`].
    pub fn new<R: Rng + ?Sized>(config: C, rng: &mut R) -> Result<Self> {
        Ok(Self { layer: Layer::new(config, rng)? })
    }

    /// A cell whose parameters are zero, to be loaded.
    ///
    /// # Errors
    /// As [`Layer::new`].
    pub fn zeros(config: C) -> Result<Self> {
        Ok(Self { layer: Layer::zeros(config)? })
    }

    /// What the cell is made of.
    #[must_use]
    pub fn config(&self) -> &C {
        self.layer.config()
    }

    /// The parameters; by name see [`Parameters`].
    #[must_use]
    pub fn parameters(&self) -> &LayerParameters<C, A> {
        self.layer.parameters()
    }

    /// The next state.
    ///
    /// # Errors
    /// [`Error::Width`] for an input of another width, [`Error::Shape`] for a state of another shape.
    pub fn forward(
        &self,
        input: &ArrayRef2<A>,
        state: C::State<&ArrayRef2<A>>,
    ) -> Result<C::State<Array2<A>>> {
        let (input, state) = (input.view().insert_axis(Axis(1)), C::state(C::planes(state)));
        let (_, next) = self.layer.call(&input).initial_state(state).last()?;
        Ok(next)
    }

    /// What Keras's dropout in this cell draws from.
    #[must_use]
    pub fn seed_generator(&self) -> SeedGenerator {
        self.layer.seed_generator()
    }

    /// Draws dropout's factors for `batch` sequences, to be used at every step: one draw for each mask, the input's first.
    /// Keras's cell draws them at its first step.
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
        state: C::State<&ArrayRef2<A>>,
        masks: &DropoutMasks<A>,
    ) -> Result<(C::State<Array2<A>>, Trace<C, A>)> {
        masks.expect_shapes(input.nrows(), C::GATES, &self.config().options())?;
        let input = input.view().insert_axis(Axis(1));
        let (mask, initial_state, zero_output_for_mask) = (None, Some(C::state(C::planes(state))), None);
        let arguments = Arguments { input: &input, mask, initial_state, zero_output_for_mask };
        let (_, next, trace) = self.layer.pass::<Ix2>(arguments)?.forward_train::<Ix2>(masks)?;
        Ok((C::state(next), trace))
    }

    /// The gradients of a loss with respect to parameters, input and state, from that with respect to the next state.
    ///
    /// # Errors
    /// As [`Layer::backward`].
    pub fn backward(
        &self,
        trace: &Trace<C, A>,
        d_next: C::State<&ArrayRef2<A>>,
    ) -> Result<Gradients<LayerParameters<C, A>, Array2<A>, C::State<Array2<A>>>> {
        let len = trace.rows.len;
        if len != 1 {
            return Err(Error::ForeignTrace { expected: "one step".into(), actual: format!("{len} steps") });
        }
        // x + -0 is x for every x, -0 too.
        let d_last = filled("d_output", (trace.rows.batch, self.config().options().units), -A::zero())?;
        let Gradients { parameters, input, state } = self.layer.backward(trace, &d_last, Some(d_next))?;
        Ok(Gradients { parameters, input: input.index_axis_move(Axis(1), 0), state })
    }
}

/// A layer's step.
impl<C: Architecture, A: Scalar> From<Layer<C, A>> for LayerCell<C, A> {
    fn from(layer: Layer<C, A>) -> Self {
        Self { layer }
    }
}

/// A layer of a step.
impl<C: Architecture, A: Scalar> From<LayerCell<C, A>> for Layer<C, A> {
    fn from(cell: LayerCell<C, A>) -> Self {
        cell.layer
    }
}

impl<C: Architecture, A: Scalar> Parameters for LayerCell<C, A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.layer.named_parameters()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.layer.named_parameters_mut()
    }
}

impl<C: Architecture, A: Scalar> Trainable for LayerCell<C, A> {
    type Gradient = LayerParameters<C, A>;

    fn zeros_like(&self) -> LayerParameters<C, A> {
        self.layer.zeros_like()
    }
}

/// In the manner of Keras's constructor.
impl<C: Architecture, A: Scalar> fmt::Display for LayerCell<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = format!("{}Cell(", C::CLASS);
        f.write_str(&self.config().to_string().replacen(&format!("{}(", C::CLASS), &class, 1))
    }
}
