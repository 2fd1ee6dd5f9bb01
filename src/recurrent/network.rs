//! A recurrent network of any kind.

use ndarray::{Array, Array3, ArrayRef};
use rand::Rng;

use super::architecture::Architecture;
use super::parameters::{CellParameters, RecurrentParameters};
use crate::arrays::try_standard;
use crate::dim::SequenceDim;
use crate::engine::{BackWeights, Cache, Stack};
use crate::error::{Result, expect_shape};
use crate::kernels::Plan;
use crate::parameters::{Parameters, of_parameters};
use crate::planes::Planes;
use crate::random;
use crate::room::zeros;
use crate::scalar::Scalar;

/// A recurrent network. The type of its configuration says of which kind: for an [`Rnn`](crate::Rnn) it is
/// [`RnnConfig`](crate::RnnConfig).
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{GruConfig, Recurrent, manual_seed};
///
/// let gru = Recurrent::<_, f32>::new(GruConfig::new(4, 2), &mut manual_seed(0))?; // a `Gru`
/// let (output, h_n) = gru.forward(&Array3::ones((3, 5, 4)), None)?;
/// assert_eq!((output.dim(), h_n.dim()), ((3, 5, 2), (1, 5, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recurrent<C: Architecture, A: Scalar = f32> {
    config: C,
    parameters: RecurrentParameters<A>,
    pub(super) cache: Cache<A, C::Cell<A>>,
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// A network with torch's initial parameters, each drawn from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    ///
    /// From [`manual_seed`](crate::manual_seed) the parameters are torch's bit for bit. Draws one word for each
    /// number in `f32` and two in `f64`, in the order of the parameters.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) if `dropout` is outside [0, 1],
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) if a size or the number of layers is zero,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory can hold the parameters.
    pub fn new<R: Rng + ?Sized>(config: C, rng: &mut R) -> Result<Self> {
        let mut network = Self::zeros(config)?;
        let bound = 1.0 / (network.config.sizes().hidden_size as f64).sqrt();
        for (_, mut value) in network.named_parameters_mut() {
            random::uniform(&mut value, -bound, bound, rng)?;
        }
        Ok(network)
    }

    /// A network whose parameters are zero, to be loaded or initialised in another way (see
    /// [`init`](crate::init)).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: C) -> Result<Self> {
        let sizes = config.sizes();
        sizes.validate()?;
        sizes.expect_room(C::ORDER.input.len().max(C::ORDER.hidden.len()))?;
        let directions = sizes.num_directions;
        let cells = (0..sizes.num_layers * directions).map(|i| {
            let shape = [sizes.layer_input_size(i / directions), sizes.features()];
            CellParameters::zeros(C::ORDER, sizes.hidden_size, shape, sizes.bias)
        });
        let parameters = RecurrentParameters::collect(directions, cells)?;
        Ok(Self { config, parameters, cache: Cache::default() })
    }

    /// The same network, run on a given instruction set or by a given plan.
    #[doc(hidden)]
    #[must_use]
    pub fn on(self, plan: impl Into<Plan>) -> Self {
        Self { cache: plan.into().into(), ..self }
    }

    /// Checks the shapes of a state for `batch` sequences.
    pub(super) fn expect_state<D: SequenceDim>(
        &self,
        names: [&str; 2],
        state: Planes<&ArrayRef<A, D>>,
        batch: usize,
    ) -> Result<()> {
        let planes = state.zip(self.config.sizes().state_shapes::<C>(batch)).named(names);
        planes.try_map(|(name, (plane, shape))| {
            let fits = D::batched_state(plane).shape() == shape;
            if fits { Ok(()) } else { expect_shape(name, &D::state_shape(shape), plane.shape()) }
        })?;
        Ok(())
    }

    /// A state, its shapes checked, as (layers x directions, N, width) in standard layout; zeros if there is none.
    pub(super) fn state_or_zeros<D: SequenceDim>(
        &self,
        names: [&str; 2],
        state: Option<Planes<&ArrayRef<A, D>>>,
        batch: usize,
    ) -> Result<Planes<Array3<A>>> {
        let Some(state) = state else {
            let shapes = self.config.sizes().state_shapes::<C>(batch);
            return shapes.named(names).try_map(|(name, shape)| zeros(name, shape));
        };
        self.expect_state(names, state, batch)?;
        state.named(names).try_map(|(name, plane)| try_standard(name, &D::batched_state(plane)))
    }

    #[inline(always)]
    pub(super) fn stack(&self) -> Result<&Stack<A, C::Cell<A>>> {
        self.cache.stack(|plan| {
            let cells = self.parameters.cells.iter();
            let weights =
                cells.map(|cell| cell.view(C::ORDER).pack::<C::Cell<A>>()).collect::<Result<_>>()?;
            Ok(Stack::new(weights, self.parameters.directions, self.config.cell(), plan))
        })
    }

    pub(super) fn back_weights(&self) -> Result<&[Vec<BackWeights<A>>]> {
        self.cache.back_weights(|| {
            let layers = self.parameters.cells.chunks(self.parameters.directions);
            let pack = |cell: &CellParameters<A>| cell.view(C::ORDER).pack_back();
            layers.map(|cells| cells.iter().map(pack).collect()).collect()
        })
    }
}

/// A state with the caller's number of axes.
pub(super) fn state_of<C: Architecture, A: Scalar, D: SequenceDim>(
    state: Planes<Array3<A>>,
) -> C::State<Array<A, D>> {
    C::state(state.map(D::state))
}

of_parameters!([C: Architecture, A: Scalar] Recurrent<C, A> { C, RecurrentParameters<A>, cache });
