//! What sets a kind of layer apart.

use std::fmt::{self, Debug, Display};

use ndarray::{Array, Dimension};
use rand::Rng;

use super::initializer::{Initializer, Workspace};
use crate::cell::Cell;
use crate::engine::Order;
use crate::error::{Result, expect_positive, expect_probability};
use crate::planes::{AsPlanes, Planes};
use crate::scalar::{Compiled, Scalar};

/// A kind of layer, known by its configuration: what a [`Layer`](super::Layer) is generic over. Sealed.
///
/// Of every kind the parameters are `kernel` (input_dim, G units), `recurrent_kernel` (units, G units) and `bias`, a row or
/// two of G units, for G gates.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use ndarray_rnn::Result;
/// use ndarray_rnn::keras::{Architecture, Gru, GruConfig, Layer};
///
/// /// For any kind of layer.
/// fn last<C: Architecture>(layer: &Layer<C, f32>, input: &Array3<f32>) -> Result<Array2<f32>> {
///     Ok(layer.call(input).last()?.0)
/// }
/// assert_eq!(last(&Gru::zeros(GruConfig::new(4, 2))?, &Array3::ones((3, 5, 4)))?.dim(), (3, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Architecture: Clone + Debug + Display + PartialEq + Send + Sync + 'static {
    /// A state made of arrays `T`: one array, or a pair of them for a kind of layer that carries two.
    type State<T>: AsPlanes<T>;

    /// The number of axes of the bias.
    type BiasDim: Dimension;

    #[doc(hidden)]
    type Cell<A: Scalar>: Compiled<A>;

    /// Keras's name of the class.
    #[doc(hidden)]
    const CLASS: &'static str;

    /// Which block of Keras's parameters each of the cell's blocks is.
    #[doc(hidden)]
    const ORDER: Order;

    /// Whether Keras draws the seed of dropout before those of the initialisers.
    #[doc(hidden)]
    const DROPOUT_FIRST: bool;

    /// Whether Keras's description of a layer holds the seed of dropout, so that it goes to both layers of a
    /// `Bidirectional`.
    #[doc(hidden)]
    const HANDS_SEED_ON: bool;

    /// The number of gates.
    #[doc(hidden)]
    const GATES: usize = Self::ORDER.input.len();

    /// Whether there is a c beside h.
    #[doc(hidden)]
    const CARRIES: bool = <Self::Cell<f32> as Cell<f32>>::CARRIES;

    /// The names of the planes of a first state, and of the gradient of a final one.
    #[doc(hidden)]
    const STATES: [[&'static str; 2]; 2] = if Self::CARRIES {
        [["initial_state[0]", "initial_state[1]"], ["d_state[0]", "d_state[1]"]]
    } else {
        [["initial_state", ""], ["d_state", ""]]
    };

    /// What configurations of every kind have.
    #[doc(hidden)]
    fn options(&self) -> Options;

    /// Those of kernel, recurrent kernel and bias.
    #[doc(hidden)]
    fn initializers(&self) -> [&Initializer; 3];

    /// The shape of the bias.
    #[doc(hidden)]
    fn bias_dim(&self) -> Self::BiasDim;

    /// Fills a new bias.
    #[doc(hidden)]
    fn fill_bias<A: Scalar>(&self, bias: &mut Array<A, Self::BiasDim>, workspace: Workspace) -> Result<()> {
        let [.., initializer] = self.initializers();
        initializer.fill_seeded(bias, workspace)
    }

    /// With other sizes, input_dim and units, with or without a bias.
    #[doc(hidden)]
    fn sized(self, sizes: [usize; 2], use_bias: bool) -> Self;

    /// With every seed that is needed, drawn in the order in which Keras's constructor draws them.
    #[doc(hidden)]
    fn seeded<R: Rng + ?Sized>(self, rng: &mut R) -> Self;

    /// The same forwards and backwards in time, as Keras makes the layers of a `Bidirectional`.
    #[doc(hidden)]
    fn both_ways(self) -> [Self; 2];

    /// The engine's cell.
    #[doc(hidden)]
    fn cell<A: Scalar>(&self) -> Self::Cell<A>;

    #[doc(hidden)]
    fn planes<T>(state: Self::State<T>) -> Planes<T> {
        state.into_planes()
    }

    #[doc(hidden)]
    fn state<T>(planes: Planes<T>) -> Self::State<T> {
        Self::State::of_planes(planes)
    }

    /// Checks every option.
    #[doc(hidden)]
    fn validate<A: Scalar>(&self) -> Result<()> {
        let options = self.options();
        expect_positive("input_dim", options.input_dim)?;
        expect_positive("units", options.units)?;
        expect_probability("dropout", options.dropout)?;
        expect_probability("recurrent_dropout", options.recurrent_dropout)?;
        let [kernel, recurrent, bias] = self.initializers();
        kernel.validate::<A>(2)?;
        recurrent.validate::<A>(2)?;
        bias.validate::<A>(self.bias_dim().ndim())
    }
}

/// What configurations of every kind have.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub(crate) input_dim: usize,
    pub(crate) units: usize,
    pub(super) use_bias: bool,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(crate) go_backwards: bool,
    pub(crate) zero_output_for_mask: bool,
    pub(super) seed: Option<i64>,
}

impl Options {
    /// The numbers of masks that dropout and recurrent dropout draw. Keras's layers with gates have a mask for each gate
    /// if there is recurrent dropout; and they apply none of a rate of 1.
    pub(super) fn masks(&self, gates: usize) -> [usize; 2] {
        let count = if self.recurrent_dropout == 0.0 { 1 } else { gates };
        let applied = |rate| rate > 0.0 && (rate < 1.0 || gates == 1);
        [self.dropout, self.recurrent_dropout].map(|rate| if applied(rate) { count } else { 0 })
    }

    /// Writes the options that differ from their default in the manner of Keras's constructor; the kind's own, each with
    /// its name, its value and its default, stand first.
    pub(super) fn fmt(
        &self,
        f: &mut fmt::Formatter<'_>,
        class: &str,
        own: &[(&str, String, String)],
    ) -> fmt::Result {
        write!(f, "{class}({}", self.units)?;
        for (name, value, _) in own.iter().filter(|(_, value, default)| value != default) {
            let value = match &value[..] {
                "true" => "True",
                "false" => "False",
                other => other,
            };
            write!(f, ", {name}={value}")?;
        }
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
