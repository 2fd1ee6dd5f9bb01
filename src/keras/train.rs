//! What a pass in training mode draws and leaves, and the way back that reads it.

use ndarray::{Array2, Array3, ArrayRef, ArrayRef2, Axis, Dimension};

use super::architecture::{Architecture, Options};
use super::engine::backward;
use super::layer::Layer;
use super::parameters::LayerParameters;
use super::rows::{Rows, Shown};
use super::seeds::SeedGenerator;
use crate::arrays::try_standard;
use crate::engine::{Kept, Origin};
use crate::error::{Result, expect_shape};
use crate::planes::Planes;
use crate::recurrent::Gradients;
use crate::room::zeros;
use crate::scalar::Scalar;

/// What a call in training mode leaves for [`Layer::backward`], any number of times.
///
/// With R rows (steps that count, of all sequences) a SimpleRNN keeps `R (input_dim + units)` numbers, and `R units` more
/// for softsign, gelu and silu; a layer with gates keeps `R (input_dim + 6 units)`, units rounded up to whole cache lines.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Gru, GruConfig, Trace};
///
/// let (gru, input) = (Gru::<f32>::zeros(GruConfig::new(4, 2))?, Array3::ones((3, 5, 4)));
/// let (last, _, trace): (_, _, Trace<_, _>) = gru.call(&input).last_train(&mut gru.seed_generator())?;
/// assert_eq!(gru.backward(&trace, &last, None)?.input.dim(), (3, 5, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Trace<C: Architecture, A: Scalar> {
    pub(super) origin: Origin<C>,
    pub(super) rows: Rows,
    pub(super) shown: Shown,
    /// By sequence in the caller's order, if one mask of the input serves all gates.
    pub(super) input_factors: Option<Array2<A>>,
    pub(super) kept: Box<Kept<A>>,
}

/// The gradients of a loss with respect to what a call of a [`Layer`] read.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Gru, GruConfig, LayerGradients};
///
/// let (gru, input) = (Gru::<f32>::zeros(GruConfig::new(4, 2))?, Array3::ones((3, 5, 4)));
/// let (last, _, trace) = gru.call(&input).last_train(&mut gru.seed_generator())?;
/// let gradients: LayerGradients<GruConfig, f32> = gru.backward(&trace, &last, None)?;
/// assert_eq!((gradients.parameters.kernel().dim(), gradients.state.dim()), ((4, 6), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub type LayerGradients<C, A> =
    Gradients<LayerParameters<C, A>, Array3<A>, <C as Architecture>::State<Array2<A>>>;

/// Dropout's factors in one batch, the same for all steps: 0, or `1 / (1 - rate)`. One mask serves all gates, or each gate
/// has its own, in the order of Keras's gates.
///
/// ```
/// use ndarray_rnn::keras::{GruCell, GruConfig, set_random_seed};
///
/// let cell = GruCell::<f32>::new(GruConfig::new(4, 2).dropout(0.5), &mut set_random_seed(0))?;
/// let mut seeds = cell.seed_generator();
/// // One draw serves all steps of a batch of 3; the next batch has other masks.
/// assert_ne!(cell.dropout_masks(3, &mut seeds)?, cell.dropout_masks(3, &mut seeds)?);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DropoutMasks<A> {
    pub(super) input: Vec<Array2<A>>,
    pub(super) state: Vec<Array2<A>>,
}

impl<A> DropoutMasks<A> {
    /// Checks that the factors are those of a batch of a layer.
    pub(super) fn expect_shapes(&self, batch: usize, gates: usize, options: &Options) -> Result<()> {
        for (name, masks, width) in [
            ("dropout mask", &self.input, options.input_dim),
            ("recurrent dropout mask", &self.state, options.units),
        ] {
            if masks.len() > 1 {
                expect_shape(name, &[gates, batch, width], &[masks.len(), batch, width])?;
            }
            masks.iter().try_for_each(|mask| expect_shape(name, &[batch, width], mask.shape()))?;
        }
        Ok(())
    }

    /// What inputs are multiplied by, (N, input_dim) each: no mask without dropout, one, or one for each gate.
    #[must_use]
    pub fn input(&self) -> &[Array2<A>] {
        &self.input
    }

    /// What states are multiplied by in the recurrent product, (N, units) each: no mask without recurrent dropout, else one
    /// for each gate.
    #[must_use]
    pub fn state(&self) -> &[Array2<A>] {
        &self.state
    }
}

impl<C: Architecture, A: Scalar> Layer<C, A> {
    /// Draws the factors of `batch` sequences: the input's, then the state's. A layer of one gate takes a rate of 1 as it
    /// is; see [`Options::masks`].
    pub(super) fn dropout_masks(&self, batch: usize, seeds: &mut SeedGenerator) -> Result<DropoutMasks<A>> {
        let options = self.config().options();
        let Options { input_dim, units, dropout, recurrent_dropout, .. } = options;
        let [inputs, states] = options.masks(C::GATES);
        let room = |count, width| -> Result<Vec<_>> {
            (0..count).map(|_| zeros("dropout masks", (batch, width))).collect()
        };
        let (mut input, mut state) = (room(inputs, input_dim)?, room(states, units)?);
        input.iter_mut().try_for_each(|mask| seeds.dropout(mask, dropout))?;
        state.iter_mut().try_for_each(|mask| seeds.dropout(mask, recurrent_dropout))?;
        Ok(DropoutMasks { input, state })
    }

    /// The gradients of a loss with respect to parameters, input and first state, from that with respect to the outputs
    /// and, if the loss reads it, the final state.
    ///
    /// `d_output` is shaped as the outputs that the call returned: (N, T, units) for a trace of
    /// [`forward_train`](super::Call::forward_train), (N, units) for one of [`last_train`](super::Call::last_train).
    ///
    /// The formulas and the order of sums are those of [`Rnn::backward`](crate::Rnn::backward), time running as the
    /// layer's does; dropout's factors stand where they stood. A state that one call returned and the next began with
    /// passes no gradient between them by itself: `gradients.state` of the later call is `d_state` of the earlier.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`](crate::Error::ForeignTrace) for a trace of a layer of another configuration,
    /// [`Error::StaleTrace`](crate::Error::StaleTrace) for one of other parameters: this layer's before they could
    /// change, or another layer's; [`Error::Shape`](crate::Error::Shape) for a gradient of another shape.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::keras::{Activation, Initializer, SimpleRnn, SimpleRnnConfig, set_random_seed};
    ///
    /// // h_t = relu(x_t + h_{t-1}): the last output is the sum of the inputs.
    /// let config = SimpleRnnConfig::new(1, 1)
    ///     .activation(Activation::Relu)
    ///     .kernel_initializer(Initializer::ones())
    ///     .recurrent_initializer(Initializer::ones());
    /// let rnn = SimpleRnn::<f64>::new(config, &mut set_random_seed(0))?;
    ///
    /// let input = array![[[1.0], [2.0], [3.0]]];
    /// let (last, _, trace) = rnn.call(&input).last_train(&mut rnn.seed_generator())?;
    /// assert_eq!(last, array![[6.0]]);
    ///
    /// let gradients = rnn.backward(&trace, &array![[1.0]], None)?;
    /// assert_eq!(gradients.input, array![[[1.0], [1.0], [1.0]]]);
    /// assert_eq!(gradients.parameters.kernel(), array![[6.0]]);
    /// assert_eq!(gradients.parameters.recurrent_kernel(), array![[4.0]]); // 0 + 1 + 3
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn backward<D: Dimension>(
        &self,
        trace: &Trace<C, A>,
        d_output: &ArrayRef<A, D>,
        d_state: Option<C::State<&ArrayRef2<A>>>,
    ) -> Result<LayerGradients<C, A>> {
        self.cache.expect(self.config(), &trace.origin)?;
        let Options { input_dim, units, .. } = self.config().options();
        let rows = &trace.rows;
        expect_shape("d_output", &trace.shown.shape(rows.batch, rows.len, units), d_output.shape())?;
        let (d_h, d_c) = d_state.map(C::planes).map_or((None, None), |planes| (Some(planes.h), planes.c));
        let [_, names] = C::STATES;
        for (name, plane) in names.into_iter().zip(d_h.iter().chain(&d_c)) {
            expect_shape(name, &[rows.batch, units], plane.shape())?;
        }
        let (d_rows, d_h) = rows.d_outputs(trace.shown, d_output, d_h)?;
        let d_c = || match d_c {
            None => zeros("d_state", (rows.batch, units)),
            Some(d_c) => try_standard("d_state", d_c),
        };
        let d_final = Planes { h: d_h, c: C::CARRIES.then(d_c).transpose()? };
        let (stack, weights) = (self.stack()?, self.back_weights()?);
        let (parameters, d_input, d_first) =
            backward(self.config(), stack, weights, &trace.kept, d_rows.as_deref(), d_final)?;
        let mut input = rows.scatter("d_input", &d_input, input_dim)?;
        if let Some(factors) = &trace.input_factors {
            input.axis_iter_mut(Axis(1)).for_each(|mut step| step *= factors);
        }
        Ok(Gradients { parameters, input, state: C::state(d_first) })
    }
}
