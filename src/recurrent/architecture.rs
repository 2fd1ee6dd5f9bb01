//! What distinguishes one kind of recurrent layer from another.

use std::fmt::{Debug, Display};

use crate::cell::Cell;
use crate::engine::{BackReads, BackWrites, Order, Reads, Ready, Scratch, Stack, Writes};
use crate::error::{Error, Result, expect_number, expect_positive, expect_probability};
use crate::planes::{AsPlanes, Planes};
use crate::scalar::{Compiled, Scalar};

/// The numbers that a network's shapes follow from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Features of the input.
    pub input_size: usize,
    /// The units of a layer.
    pub hidden_size: usize,
    /// Features of the hidden state if it is projected, else 0.
    pub proj_size: usize,
    /// Layers.
    pub num_layers: usize,
    /// Directions of each layer.
    pub num_directions: usize,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether batches come as (N, L, features).
    pub batch_first: bool,
    /// The dropout between layers.
    pub dropout: f64,
}

/// A kind of recurrent layer, known by the type of its configuration.
///
/// The trait is sealed, since a kind is code of the engine. Code over all kinds takes any [`Architecture`] or
/// [`CellArchitecture`].
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Kind, LstmConfig};
///
/// let state: <LstmConfig as Kind>::State<Array3<f32>> = (Array3::zeros((1, 5, 2)), Array3::zeros((1, 5, 2)));
/// ```
pub trait Kind: Clone + Debug + Display + PartialEq + Send + Sync + Sealed + 'static {
    /// A state of arrays of type `T`: one, or a pair (h, c).
    type State<T>: AsPlanes<T>;

    /// The cell that the engine runs.
    #[doc(hidden)]
    type Cell<A: Scalar>: Compiled<A>;

    /// Which block of torch's parameters each of the cell's blocks is.
    #[doc(hidden)]
    const ORDER: Order;

    /// Whether there is a c beside h.
    #[doc(hidden)]
    const CARRIES: bool = <Self::Cell<f32> as Cell<f32>>::CARRIES;

    /// The names of the planes of a first state.
    #[doc(hidden)]
    const STATE: [&'static str; 2];

    #[doc(hidden)]
    fn cell<A: Scalar>(&self) -> Self::Cell<A>;

    #[doc(hidden)]
    fn sizes(&self) -> Sizes;

    /// Of these sizes, of which a cell takes its own; options that are none of them have their defaults.
    #[doc(hidden)]
    fn of_sizes(sizes: &Sizes) -> Self;

    #[doc(hidden)]
    fn planes<T>(state: Self::State<T>) -> Planes<T> {
        state.into_planes()
    }

    #[doc(hidden)]
    fn state<T>(planes: Planes<T>) -> Self::State<T> {
        Self::State::of_planes(planes)
    }

    /// Runs the engine forward.
    #[doc(hidden)]
    fn forward<A: Scalar>(
        stack: &Stack<A, Self::Cell<A>>,
        reads: Reads<'_, A>,
        writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
        ready: Option<Ready<'_>>,
    ) -> Result<()> {
        Self::Cell::run(stack, reads, writes, scratch, ready)
    }

    /// Runs the engine over one step.
    #[doc(hidden)]
    fn step<A: Scalar>(
        stack: &Stack<A, Self::Cell<A>>,
        rows: &[A],
        batch: usize,
        state: Planes<&mut [A]>,
        scratch: &mut Scratch<A>,
    ) -> Result<()> {
        Self::Cell::run_step(stack, rows, batch, state, scratch)
    }

    /// Runs the engine back.
    #[doc(hidden)]
    fn backward<A: Scalar>(
        stack: &Stack<A, Self::Cell<A>>,
        reads: &BackReads<'_, A>,
        writes: BackWrites<'_, A>,
    ) -> Result<()> {
        Self::Cell::run_back(stack, reads, writes)
    }
}

/// A kind of network, known by its configuration, such as [`RnnConfig`](crate::RnnConfig). Sealed.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use ndarray_rnn::{Architecture, Gru, GruConfig, Recurrent, Result};
///
/// /// For any kind of network.
/// fn last<C: Architecture>(network: &Recurrent<C>, input: &Array3<f32>) -> Result<Array2<f32>> {
///     Ok(network.run(input).last()?.0)
/// }
/// assert_eq!(last(&Gru::zeros(GruConfig::new(4, 2))?, &Array3::ones((3, 5, 4)))?.dim(), (5, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Architecture: Kind {}

/// A kind of cell, known by its configuration, such as [`RnnCellConfig`](crate::RnnCellConfig). Sealed.
///
/// ```
/// use ndarray_rnn::{CellArchitecture, GruCell, GruCellConfig, Parameters, RecurrentCell};
///
/// /// For any kind of cell.
/// fn size<C: CellArchitecture>(cell: &RecurrentCell<C>) -> usize {
///     cell.named_parameters().iter().map(|(_, array)| array.len()).sum()
/// }
/// assert_eq!(size(&GruCell::zeros(GruCellConfig::new(4, 2))?), 48);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait CellArchitecture: Kind {}

/// The most layers of a network: every layer takes time, and a layer of one unit hardly memory.
const MAX_LAYERS: f64 = 65536.0;

impl Sizes {
    /// Those of a cell.
    pub(crate) fn of_cell(input_size: usize, hidden_size: usize, bias: bool) -> Self {
        let (num_layers, num_directions, proj_size) = (1, 1, 0);
        let (batch_first, dropout) = (false, 0.0);
        Self { input_size, hidden_size, proj_size, num_layers, num_directions, bias, batch_first, dropout }
    }

    /// Features of the hidden state.
    pub(crate) fn features(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    /// The width of an output row: all directions' hidden states side by side.
    pub(crate) fn output_size(&self) -> usize {
        self.num_directions.saturating_mul(self.features())
    }

    /// The width of what layer `k` reads.
    pub(crate) fn layer_input_size(&self, k: usize) -> usize {
        if k == 0 { self.input_size } else { self.output_size() }
    }

    /// The shapes of the planes of a state of `batch` sequences.
    pub(super) fn state_shapes<C: Kind>(&self, batch: usize) -> Planes<[usize; 3]> {
        let count = self.num_layers * self.num_directions;
        let c = C::CARRIES.then_some([count, batch, self.hidden_size]);
        Planes { h: [count, batch, self.features()], c }
    }

    /// Checks every size, in torch's order.
    pub(super) fn validate(&self) -> Result<()> {
        expect_probability("dropout", self.dropout)?;
        expect_positive("input_size", self.input_size)?;
        expect_positive("hidden_size", self.hidden_size)?;
        expect_positive("num_layers", self.num_layers)?;
        expect_number("proj_size", self.proj_size as f64, "smaller than hidden_size, or 0", |_| {
            self.proj_size < self.hidden_size
        })
    }

    /// Checks that memory can hold all parameters together, of `blocks` blocks each.
    pub(super) fn expect_room(&self, blocks: usize) -> Result<()> {
        let [input, hidden, features, layers, directions, blocks] = [
            self.input_size,
            self.hidden_size,
            self.features(),
            self.num_layers,
            self.num_directions,
            blocks,
        ]
        .map(|size| size as f64);
        let of_layer = |input: f64| hidden * (blocks * (input + features + 2.0) + features);
        // An upper bound in bytes. Its error does not matter: nothing near the limit fits any memory.
        let bytes = 8.0 * directions * (of_layer(input) + (layers - 1.0) * of_layer(directions * features));
        if bytes < isize::MAX as f64 {
            return expect_number("num_layers", layers, "at most 65536", |layers| layers <= MAX_LAYERS);
        }
        Err(Error::SizeOverflow {
            name: "parameters".into(),
            shape: vec![self.num_layers, self.num_directions, self.hidden_size, self.input_size],
        })
    }
}

pub trait Sealed {}
