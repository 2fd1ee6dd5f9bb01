//! One step of one layer, torch's `RNNCell`.

use std::fmt;

use ndarray::{
    Array, Array1, Array2, ArrayRef, ArrayView2, ArrayViewD, ArrayViewMutD, Axis, Dimension, Ix1, Ix2,
};
use rand::Rng;

use super::Nonlinearity;
use super::parameters::RnnCellParameters;
use crate::cell::Elman;
use crate::engine::{BackWeights, Cache, Forward, Scratch, Stack};
use crate::error::{Result, expect_positive, expect_room, expect_shape, expect_width};
use crate::parameters::Parameters;
use crate::random;
use crate::scalar::Scalar;
use crate::sequence::{Source, with_plain_rows};
use crate::steps::Steps;

/// The arguments of `torch.nn.RNNCell`, with torch's names and defaults.
///
/// ```
/// use ndarray_rnn::RnnCellConfig;
///
/// assert_eq!(RnnCellConfig::new(4, 2).bias(false).to_string(), "RNNCell(4, 2, bias=False)");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct RnnCellConfig {
    /// Features of the input, at least 1.
    pub input_size: usize,
    /// Features of the hidden state, at least 1.
    pub hidden_size: usize,
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    pub bias: bool,
    /// The activation. Default tanh.
    pub nonlinearity: Nonlinearity,
}

impl RnnCellConfig {
    /// tanh, with biases.
    #[must_use]
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self { input_size, hidden_size, bias: true, nonlinearity: Nonlinearity::Tanh }
    }

    /// Sets [`bias`](Self#structfield.bias).
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets [`nonlinearity`](Self#structfield.nonlinearity).
    #[must_use]
    pub fn nonlinearity(self, nonlinearity: Nonlinearity) -> Self {
        Self { nonlinearity, ..self }
    }
}

/// As torch shows the module: what differs from the default.
impl fmt::Display for RnnCellConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RNNCell({}, {}", self.input_size, self.hidden_size)?;
        if !self.bias {
            f.write_str(", bias=False")?;
        }
        if self.nonlinearity != Nonlinearity::Tanh {
            write!(f, ", nonlinearity={}", self.nonlinearity)?;
        }
        f.write_str(")")
    }
}

/// One step of Elman's network, `torch.nn.RNNCell`: `h' = act(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// | | batch (2-D) | one row (1-D) |
/// |---|---|---|
/// | `input` | (N, input_size) | (input_size) |
/// | `hidden`, result | (N, hidden_size) | (hidden_size) |
///
/// A step has the same bits as the same step of an [`Rnn`](crate::Rnn).
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{RnnCell, RnnCellConfig, manual_seed};
///
/// let cell = RnnCell::<f32>::new(RnnCellConfig::new(4, 2), &mut manual_seed(0))?;
/// let x = Array2::zeros((5, 4));
/// let h = cell.forward(&x, None)?;
/// let h = cell.forward(&x, Some(&h))?;
/// assert_eq!(h.dim(), (5, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html>
#[derive(Debug, Clone)]
#[doc(alias = "torch.nn.RNNCell")]
pub struct RnnCell<A: Scalar = f32> {
    config: RnnCellConfig,
    pub(super) parameters: RnnCellParameters<A>,
    pub(super) cache: Cache<A, Elman>,
}

impl<A: Scalar> RnnCell<A> {
    /// A cell with torch's initial parameters, each from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    ///
    /// # Errors
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a size of zero,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for parameters that no memory holds.
    pub fn new<R: Rng + ?Sized>(config: RnnCellConfig, rng: &mut R) -> Result<Self> {
        let mut cell = Self::zeros(config)?;
        let bound = 1.0 / (cell.config.hidden_size as f64).sqrt();
        for (_, mut value) in cell.named_parameters_mut() {
            random::uniform(&mut value, -bound, bound, rng)?;
        }
        Ok(cell)
    }

    /// A cell whose parameters are zero.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: RnnCellConfig) -> Result<Self> {
        let RnnCellConfig { input_size, hidden_size, bias, .. } = config;
        expect_positive("input_size", input_size)?;
        expect_positive("hidden_size", hidden_size)?;
        let parameters = RnnCellParameters::zeros(hidden_size, input_size, hidden_size, bias)?;
        Ok(Self { config, parameters, cache: Cache::default() })
    }

    /// What the cell is made of.
    #[must_use]
    pub fn config(&self) -> &RnnCellConfig {
        &self.config
    }

    /// `W_ih`, of shape (hidden_size, input_size).
    #[must_use]
    pub fn weight_ih(&self) -> &Array2<A> {
        &self.parameters.weight_ih
    }

    /// `W_hh`, of shape (hidden_size, hidden_size).
    #[must_use]
    pub fn weight_hh(&self) -> &Array2<A> {
        &self.parameters.weight_hh
    }

    /// `b_ih`, of shape (hidden_size), if the cell has biases.
    #[must_use]
    pub fn bias_ih(&self) -> Option<&Array1<A>> {
        self.parameters.bias_ih.as_ref()
    }

    /// `b_hh`, of shape (hidden_size), if the cell has biases.
    #[must_use]
    pub fn bias_hh(&self) -> Option<&Array1<A>> {
        self.parameters.bias_hh.as_ref()
    }

    /// The next hidden state. `hidden` is zero if not given.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for an input of another width,
    /// [`Error::Shape`](crate::Error::Shape) for a hidden state of another shape.
    pub fn forward<D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        hidden: Option<&ArrayRef<A, D>>,
    ) -> Result<Array<A, D>> {
        let rows = D::rows(input);
        expect_width("input", "input_size", self.config.input_size, rows.ncols())?;
        let batch = rows.nrows();
        let mut next = self.first_state(input, hidden)?;
        let rows = with_plain_rows("input", rows.insert_axis(Axis(0)))?;
        let steps = Steps::Equal { len: 1, batch };
        let state = next.as_slice_mut().unwrap_or_default();
        let pass = Forward::new(Source::grid(&rows, None), &steps, state);
        A::forward(self.stack(), pass, &mut Scratch::default());
        Ok(D::from_rows(next))
    }

    /// A hidden state for an input as rows; zeros if there is none.
    pub(super) fn first_state<D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        hidden: Option<&ArrayRef<A, D>>,
    ) -> Result<Array2<A>> {
        let shape = (D::rows(input).nrows(), self.config.hidden_size);
        expect_room::<A>("hidden", &[shape.0, shape.1])?;
        let mut state = Array2::zeros(shape);
        if let Some(hidden) = hidden {
            expect_shape("hidden", &self.hidden_shape(input.shape()), hidden.shape())?;
            state.assign(&D::rows(hidden));
        }
        Ok(state)
    }

    /// A hidden state's shape from an input's.
    pub(super) fn hidden_shape(&self, input: &[usize]) -> Vec<usize> {
        let batch = input.split_last().map_or(&[][..], |(_, batch)| batch);
        batch.iter().copied().chain([self.config.hidden_size]).collect()
    }

    pub(super) fn stack(&self) -> &Stack<A, Elman> {
        self.cache.stack(|plan| {
            let cell = Elman::new(self.config.nonlinearity.activation());
            Stack::new(vec![vec![self.parameters.pack()]], cell, self.config.hidden_size, plan)
        })
    }

    pub(super) fn back_weights(&self) -> &[Vec<BackWeights<A>>] {
        self.cache.back_weights(|| vec![vec![self.parameters.pack_back()]])
    }
}

impl<A: Scalar> Parameters for RnnCell<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.parameters.named("")
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.cache.forget();
        self.parameters.named_mut("")
    }
}

/// Equal configurations and parameters.
impl<A: Scalar> PartialEq for RnnCell<A> {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.parameters == other.parameters
    }
}

/// As torch shows the module.
impl<A: Scalar> fmt::Display for RnnCell<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

/// The number of axes of a cell's input: [`Ix2`](type@Ix2) for a batch, [`Ix1`](type@Ix1) for one row. Sealed.
pub trait CellDim: Dimension + private::Sealed {
    /// The array as (N, width).
    #[doc(hidden)]
    fn rows<A>(array: &ArrayRef<A, Self>) -> ArrayView2<'_, A>;

    /// The result's array from (N, hidden).
    #[doc(hidden)]
    fn from_rows<A>(array: Array2<A>) -> Array<A, Self>;
}

impl CellDim for Ix2 {
    fn rows<A>(array: &ArrayRef<A, Self>) -> ArrayView2<'_, A> {
        array.view()
    }

    fn from_rows<A>(array: Array2<A>) -> Array<A, Self> {
        array
    }
}

impl CellDim for Ix1 {
    fn rows<A>(array: &ArrayRef<A, Self>) -> ArrayView2<'_, A> {
        array.view().insert_axis(Axis(0))
    }

    fn from_rows<A>(array: Array2<A>) -> Array<A, Self> {
        array.index_axis_move(Axis(0), 0)
    }
}

mod private {
    use ndarray::{Ix1, Ix2};

    pub trait Sealed {}
    impl Sealed for Ix1 {}
    impl Sealed for Ix2 {}
}
