//! The parameters of a network and of a cell, and their gradients.

use ndarray::{Array1, Array2, ArrayViewD, ArrayViewMutD};

use crate::engine::{BackWeights, DirectionGradient, Weights};
use crate::error::{Error, Result};
use crate::parameters::{Parameters, zeros};
use crate::scalar::Scalar;
use crate::spares::Spares;

/// The parameters of an [`RnnCell`](crate::RnnCell), or their gradient: `weight_ih` (hidden_size, input_size), `weight_hh`
/// (hidden_size, hidden_size) and, unless it has no bias, `bias_ih` and `bias_hh` (hidden_size).
///
/// Also those of one direction of one layer of an [`Rnn`](crate::Rnn), under [`RnnParameters`].
#[derive(Debug, Clone, PartialEq)]
pub struct RnnCellParameters<A> {
    pub(crate) weight_ih: Array2<A>,
    pub(crate) weight_hh: Array2<A>,
    pub(crate) bias_ih: Option<Array1<A>>,
    pub(crate) bias_hh: Option<Array1<A>>,
}

impl<A: Scalar> Parameters for RnnCellParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.named("")
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.named_mut("")
    }
}

/// The way a direction runs through time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first step to the last.
    Forward,
    /// From the last step to the first.
    Reverse,
}

/// The parameters of an [`Rnn`](crate::Rnn), or their gradient.
///
/// | name | shape |
/// |---|---|
/// | `weight_ih_l{k}{s}` | (hidden_size, input_size), (hidden_size, directions * hidden_size) for k > 0 |
/// | `weight_hh_l{k}{s}` | (hidden_size, hidden_size) |
/// | `bias_ih_l{k}{s}`, `bias_hh_l{k}{s}` | (hidden_size), absent without bias |
///
/// k is the layer, s is empty forward and `_reverse` in reverse; the order is by layer, then direction, then
/// as above.
#[derive(Debug, Clone, PartialEq)]
pub struct RnnParameters<A> {
    /// By layer, then direction.
    pub(crate) cells: Vec<RnnCellParameters<A>>,
    pub(crate) directions: usize,
}

impl<A: Scalar> RnnParameters<A> {
    /// `W_ih` of one direction of one layer, if there is one.
    #[must_use]
    pub fn weight_ih(&self, layer: usize, direction: Direction) -> Option<&Array2<A>> {
        self.cell(layer, direction).map(|cell| &cell.weight_ih)
    }

    /// `W_hh` of one direction of one layer, if there is one.
    #[must_use]
    pub fn weight_hh(&self, layer: usize, direction: Direction) -> Option<&Array2<A>> {
        self.cell(layer, direction).map(|cell| &cell.weight_hh)
    }

    /// `b_ih` of one direction of one layer, if there is one.
    #[must_use]
    pub fn bias_ih(&self, layer: usize, direction: Direction) -> Option<&Array1<A>> {
        self.cell(layer, direction)?.bias_ih.as_ref()
    }

    /// `b_hh` of one direction of one layer, if there is one.
    #[must_use]
    pub fn bias_hh(&self, layer: usize, direction: Direction) -> Option<&Array1<A>> {
        self.cell(layer, direction)?.bias_hh.as_ref()
    }

    /// Zeros of the same shapes, in spare memory.
    pub(crate) fn zeros_like(&self, spares: &mut Spares<A>) -> Self {
        let cells = self.cells.iter().map(|cell| cell.zeros_like(spares)).collect();
        Self { cells, directions: self.directions }
    }

    fn cell(&self, layer: usize, direction: Direction) -> Option<&RnnCellParameters<A>> {
        let direction = direction as usize;
        let index = layer.checked_mul(self.directions)?.checked_add(direction)?;
        self.cells.get(index).filter(|_| direction < self.directions)
    }

    /// The ending of the names of the i-th cell's parameters.
    fn suffix(&self, i: usize) -> String {
        let reverse = if i % self.directions == 1 { "_reverse" } else { "" };
        format!("_l{}{reverse}", i / self.directions)
    }
}

impl<A: Scalar> Parameters for RnnParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let cells = self.cells.iter().enumerate();
        cells.flat_map(|(i, cell)| cell.named(&self.suffix(i))).collect()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let suffixes: Vec<_> = (0..self.cells.len()).map(|i| self.suffix(i)).collect();
        let cells = self.cells.iter_mut().zip(&suffixes);
        cells.flat_map(|(cell, suffix)| cell.named_mut(suffix)).collect()
    }
}

impl<A: Scalar> RnnCellParameters<A> {
    /// Zeros for `units` gate sums.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if a weight is too large to be held.
    pub(crate) fn zeros(units: usize, input: usize, hidden: usize, bias: bool) -> Result<Self> {
        Ok(Self {
            weight_ih: zeros("weight_ih", units, input)?,
            weight_hh: zeros("weight_hh", units, hidden)?,
            bias_ih: bias.then(|| Array1::zeros(units)),
            bias_hh: bias.then(|| Array1::zeros(units)),
        })
    }

    /// The parameters as the engine wants them.
    pub(crate) fn pack(&self) -> Weights<A> {
        let biases = [&self.bias_ih, &self.bias_hh].map(Option::as_ref);
        Weights::new([&self.weight_ih, &self.weight_hh], biases)
    }

    /// The weights as the engine wants them on the way back.
    pub(crate) fn pack_back(&self) -> BackWeights<A> {
        BackWeights::new(&self.weight_ih, &self.weight_hh)
    }

    /// As the engine fills it: the gradient of `b_ih`, which is that of `b_hh` too.
    pub(super) fn borrow(&mut self) -> DirectionGradient<'_, A> {
        DirectionGradient {
            weight_ih: self.weight_ih.as_slice_mut().unwrap_or_default(),
            weight_hh: self.weight_hh.as_slice_mut().unwrap_or_default(),
            bias: self.bias_ih.as_mut().and_then(|bias| bias.as_slice_mut()).unwrap_or_default(),
        }
    }

    /// Gives `bias_hh` the gradient of `bias_ih`.
    pub(super) fn copy_bias(&mut self) {
        if let (Some(bias_hh), Some(bias_ih)) = (&mut self.bias_hh, &self.bias_ih) {
            bias_hh.clone_from(bias_ih);
        }
    }

    /// Zeros of the same shapes, in spare memory.
    pub(crate) fn zeros_like(&self, spares: &mut Spares<A>) -> Self {
        Self {
            weight_ih: spares.zeros(self.weight_ih.raw_dim()),
            weight_hh: spares.zeros(self.weight_hh.raw_dim()),
            bias_ih: self.bias_ih.as_ref().map(|bias| spares.zeros(bias.raw_dim())),
            bias_hh: self.bias_hh.as_ref().map(|bias| spares.zeros(bias.raw_dim())),
        }
    }

    /// The parameters under torch's names with an ending.
    pub(crate) fn named(&self, suffix: &str) -> Vec<(String, ArrayViewD<'_, A>)> {
        let weights = [("weight_ih", &self.weight_ih), ("weight_hh", &self.weight_hh)];
        let biases = [("bias_ih", &self.bias_ih), ("bias_hh", &self.bias_hh)];
        let weights = weights.map(|(name, weight)| (name, Some(weight.view().into_dyn())));
        let biases = biases.map(|(name, bias)| (name, bias.as_ref().map(|b| b.view().into_dyn())));
        with_suffix(weights.into_iter().chain(biases), suffix)
    }

    /// As [`named`](Self::named), to be changed.
    pub(crate) fn named_mut(&mut self, suffix: &str) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let weights = [("weight_ih", &mut self.weight_ih), ("weight_hh", &mut self.weight_hh)];
        let biases = [("bias_ih", &mut self.bias_ih), ("bias_hh", &mut self.bias_hh)];
        let weights = weights.map(|(name, weight)| (name, Some(weight.view_mut().into_dyn())));
        let biases = biases.map(|(name, bias)| (name, bias.as_mut().map(|b| b.view_mut().into_dyn())));
        with_suffix(weights.into_iter().chain(biases), suffix)
    }
}

fn with_suffix<V>(arrays: impl Iterator<Item = (&'static str, Option<V>)>, suffix: &str) -> Vec<(String, V)> {
    arrays.filter_map(|(name, array)| Some((format!("{name}{suffix}"), array?))).collect()
}

impl<A: Scalar> RnnParameters<A> {
    /// Collects cells one by one.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if there is no room for them.
    pub(crate) fn collect(
        count: usize,
        directions: usize,
        cell: impl Fn(usize) -> Result<RnnCellParameters<A>>,
    ) -> Result<Self> {
        let mut cells = Vec::new();
        cells
            .try_reserve_exact(count)
            .map_err(|_| Error::SizeOverflow { name: "parameters".into(), shape: vec![count] })?;
        for i in 0..count {
            cells.push(cell(i / directions)?);
        }
        Ok(Self { cells, directions })
    }
}
