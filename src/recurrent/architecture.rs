//! What distinguishes one kind of recurrent layer from another.

use std::fmt::{Debug, Display};

use crate::cell::Cell;
use crate::engine::{BackReads, BackWrites, Order, Reads, Scratch, Stack, Writes};
use crate::error::{Error, Result, expect_positive, expect_probability};
use crate::planes::Planes;
use crate::scalar::Scalar;

/// The numbers that a network's shapes follow from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Features of the input.
    pub input_size: usize,
    /// The units of a layer.
    pub hidden_size: usize,
    /// Features of the hidden state: the units, unless they are projected.
    pub features: usize,
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
pub trait Kind: Clone + Debug + Display + PartialEq + Send + Sync + private::Sealed + 'static {
    /// A state of arrays of type `T`: one, or a pair (h, c).
    type State<T>;

    /// The cell that the engine runs.
    #[doc(hidden)]
    type Cell<A: Scalar>: Cell<A> + Debug;

    /// Which block of torch's parameters each of the cell's blocks is.
    #[doc(hidden)]
    const ORDER: Order;

    /// The names of the planes of a first state.
    #[doc(hidden)]
    const STATE: [&'static str; 2];

    #[doc(hidden)]
    fn cell<A: Scalar>(&self) -> Self::Cell<A>;

    #[doc(hidden)]
    fn sizes(&self) -> Sizes;

    #[doc(hidden)]
    fn planes<T>(state: Self::State<T>) -> Planes<T>;

    #[doc(hidden)]
    fn state<T>(planes: Planes<T>) -> Self::State<T>;

    /// Runs the engine forward. Compiled in this crate.
    #[doc(hidden)]
    fn forward<A: Scalar>(
        stack: &Stack<A, Self::Cell<A>>,
        reads: Reads<'_, A>,
        writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
    );

    /// Runs the engine back. Compiled in this crate.
    #[doc(hidden)]
    fn backward<A: Scalar>(
        stack: &Stack<A, Self::Cell<A>>,
        reads: &BackReads<'_, A>,
        writes: BackWrites<'_, A>,
    );
}

/// A kind of network, known by its configuration, such as [`RnnConfig`](crate::RnnConfig). Sealed.
pub trait Architecture: Kind {}

/// A kind of cell, known by its configuration, such as [`RnnCellConfig`](crate::RnnCellConfig). Sealed.
pub trait CellArchitecture: Kind {}

impl Sizes {
    /// The width of an output row: all directions' hidden states side by side.
    pub(super) fn output_size(&self) -> usize {
        self.num_directions.saturating_mul(self.features)
    }

    /// The width of what layer `k` reads.
    pub(crate) fn layer_input_size(&self, k: usize) -> usize {
        if k == 0 { self.input_size } else { self.output_size() }
    }

    /// The shapes of the planes of a state of `batch` sequences.
    pub(super) fn state_shapes<C: Kind>(&self, batch: usize) -> Planes<[usize; 3]> {
        let count = self.num_layers * self.num_directions;
        let carries = <C::Cell<f32> as Cell<f32>>::CARRIES;
        Planes { h: [count, batch, self.features], c: carries.then_some([count, batch, self.hidden_size]) }
    }

    /// Checks every size, in torch's order.
    pub(super) fn validate(&self) -> Result<()> {
        expect_probability("dropout", self.dropout)?;
        expect_positive("input_size", self.input_size)?;
        expect_positive("hidden_size", self.hidden_size)?;
        expect_positive("num_layers", self.num_layers)
    }

    /// Checks that memory can hold all parameters together, of `blocks` blocks each.
    pub(super) fn expect_room(&self, blocks: usize) -> Result<()> {
        let [input, hidden, features, layers, directions, blocks] =
            [self.input_size, self.hidden_size, self.features, self.num_layers, self.num_directions, blocks]
                .map(|size| size as f64);
        let of_layer = |input: f64| hidden * (blocks * (input + features + 2.0) + features);
        // An upper bound in bytes. Its error does not matter: nothing near the limit fits any memory.
        let bytes = 8.0 * directions * (of_layer(input) + (layers - 1.0) * of_layer(directions * features));
        if bytes < isize::MAX as f64 {
            return Ok(());
        }
        Err(Error::SizeOverflow {
            name: "parameters".into(),
            shape: vec![self.num_layers, self.num_directions, self.hidden_size, self.input_size],
        })
    }
}

pub(super) mod private {
    pub trait Sealed {}
}
