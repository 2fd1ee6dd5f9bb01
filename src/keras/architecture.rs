//! What sets a kind of layer apart.

use std::fmt::{self, Debug, Display};

use ndarray::Dimension;
use rand::Rng;

use super::initializer::Initializer;
use crate::cell::Cell;
use crate::engine::{BackReads, BackWrites, Order, Reads, Stack, Writes};
use crate::error::{Result, expect_positive, expect_probability};
use crate::planes::Planes;
use crate::scalar::Scalar;

/// A kind of layer, known by its configuration: what a [`Layer`](super::Layer) is generic over. Sealed.
///
/// Of every kind the parameters are `kernel` (input_dim, G units), `recurrent_kernel` (units, G units) and `bias`, for
/// G gates.
pub trait Architecture: Clone + Debug + Display + PartialEq + Send + Sync + 'static {
    /// A state made of arrays `T`: one array, or a pair of them for a kind of layer that carries two.
    type State<T>;

    /// The number of axes of the bias.
    type BiasDim: Dimension;

    #[doc(hidden)]
    type Cell<A: Scalar>: Cell<A> + Debug;

    /// Keras's name of the class.
    #[doc(hidden)]
    const CLASS: &'static str;

    /// Which block of Keras's parameters each of the cell's blocks is.
    #[doc(hidden)]
    const ORDER: Order;

    /// The number of gates.
    #[doc(hidden)]
    const GATES: usize;

    /// Whether there is a c beside h.
    #[doc(hidden)]
    const CARRIES: bool;

    /// What configurations of every kind have.
    #[doc(hidden)]
    fn options(&self) -> Options;

    /// Those of kernel, recurrent kernel and bias.
    #[doc(hidden)]
    fn initializers(&self) -> [&Initializer; 3];

    /// The shape of the bias.
    #[doc(hidden)]
    fn bias_dim(&self) -> Self::BiasDim;

    /// With every seed that is needed, drawn in the order in which Keras's constructor draws them.
    #[doc(hidden)]
    fn seeded<R: Rng + ?Sized>(self, rng: &mut R) -> Self;

    /// The same forwards and backwards in time, without the seed of dropout.
    #[doc(hidden)]
    fn both_ways(self) -> [Self; 2];

    /// The engine's cell.
    #[doc(hidden)]
    fn cell<A: Scalar>(&self) -> Self::Cell<A>;

    #[doc(hidden)]
    fn planes<T>(state: Self::State<T>) -> Planes<T>;

    #[doc(hidden)]
    fn state<T>(planes: Planes<T>) -> Self::State<T>;

    /// Runs the engine, compiled in this crate for the cell.
    #[doc(hidden)]
    fn forward<A: Scalar>(stack: &Stack<A, Self::Cell<A>>, reads: Reads<'_, A>, writes: Writes<'_, A>);

    /// Runs the engine's way back.
    #[doc(hidden)]
    fn backward<A: Scalar>(
        stack: &Stack<A, Self::Cell<A>>,
        reads: &BackReads<'_, A>,
        writes: BackWrites<'_, A>,
    );

    /// Checks every option.
    #[doc(hidden)]
    fn validate(&self) -> Result<()> {
        let options = self.options();
        expect_positive("input_dim", options.input_dim)?;
        expect_positive("units", options.units)?;
        expect_probability("dropout", options.dropout)?;
        expect_probability("recurrent_dropout", options.recurrent_dropout)?;
        let [kernel, recurrent, bias] = self.initializers();
        kernel.validate(2)?;
        recurrent.validate(2)?;
        bias.validate(self.bias_dim().ndim())
    }
}

/// What configurations of every kind have.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub(super) input_dim: usize,
    pub(crate) units: usize,
    pub(super) use_bias: bool,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) go_backwards: bool,
    pub(super) zero_output_for_mask: bool,
    pub(super) seed: Option<i64>,
}

impl Options {
    /// Writes these options in the manner of Keras's constructor, those that differ from the default; `own` are the
    /// kind's own, which stand first.
    pub(super) fn fmt(&self, f: &mut fmt::Formatter<'_>, class: &str, own: &str) -> fmt::Result {
        write!(f, "{class}({}{own}", self.units)?;
        if !self.use_bias {
            f.write_str(", use_bias=False")?;
        }
        for (name, rate) in [("dropout", self.dropout), ("recurrent_dropout", self.recurrent_dropout)] {
            if rate != 0.0 {
                write!(f, ", {name}={rate}")?;
            }
        }
        for (name, set) in
            [("go_backwards", self.go_backwards), ("zero_output_for_mask", self.zero_output_for_mask)]
        {
            if set {
                write!(f, ", {name}=True")?;
            }
        }
        f.write_str(")")
    }
}
