//! The parameters of a network and of a cell, and their gradients.

use ndarray::{Array1, Array2, ArrayViewD, ArrayViewMutD};

use crate::arrays::elements_mut;
use crate::engine::{DirectionGradient, DirectionParameters, Order};
use crate::error::Result;
use crate::parameters::Parameters;
use crate::room::{room, zeros};
use crate::scalar::Scalar;

/// The parameters of a cell, or of one direction of one layer of a network, or their gradient.
///
/// | name | shape |
/// |---|---|
/// | `weight_ih` | (gates * hidden_size, input_size) |
/// | `weight_hh` | (gates * hidden_size, width of the hidden state) |
/// | `bias_ih`, `bias_hh` | (gates * hidden_size), absent without bias |
/// | `weight_hr` | (proj_size, hidden_size), absent without projection |
///
/// An [`RnnCell`](crate::RnnCell) has one gate.
///
/// ```
/// use ndarray_rnn::{GruCell, GruCellConfig};
///
/// let cell = GruCell::<f32>::zeros(GruCellConfig::new(4, 2))?;
/// assert_eq!(cell.parameters().weight_ih().dim(), (6, 4)); // three gates
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CellParameters<A> {
    pub(crate) weight_ih: Array2<A>,
    pub(crate) weight_hh: Array2<A>,
    pub(crate) bias_ih: Option<Array1<A>>,
    pub(crate) bias_hh: Option<Array1<A>>,
    pub(crate) weight_hr: Option<Array2<A>>,
}

/// The way a direction runs through time.
///
/// ```
/// use ndarray_rnn::{Direction, Rnn, RnnConfig};
///
/// let parameters = Rnn::<f32>::zeros(RnnConfig::new(4, 2))?.parameters().clone();
/// assert!(parameters.weight_ih(0, Direction::Forward).is_some());
/// assert!(parameters.weight_ih(0, Direction::Reverse).is_none()); // not bidirectional
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first step to the last.
    Forward,
    /// From the last step to the first.
    Reverse,
}

/// The parameters of a network such as [`Rnn`](crate::Rnn), or their gradient.
///
/// Their names are those of [`CellParameters`], followed by `_l{k}` for layer k, and by `_reverse` in the reverse
/// direction. They are ordered by layer, then direction, then as in [`CellParameters`]. For k > 0 `input_size` is
/// the width of an output row.
///
/// ```
/// use ndarray_rnn::{Direction, Lstm, LstmConfig, Parameters};
///
/// let lstm = Lstm::<f32>::zeros(LstmConfig::new(4, 2).num_layers(2).bidirectional(true))?;
/// let parameters = lstm.parameters();
/// assert_eq!(parameters.named_parameters()[4].0, "weight_ih_l0_reverse");
/// assert_eq!(parameters.weight_ih(1, Direction::Forward).map(|weight| weight.dim()), Some((8, 4)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RecurrentParameters<A> {
    /// By layer, then direction.
    pub(crate) cells: Vec<CellParameters<A>>,
    pub(crate) directions: usize,
}

impl<A: Scalar> RecurrentParameters<A> {
    /// `weight_ih` of one direction of one layer; `None` if the network has no such layer or direction.
    #[must_use]
    pub fn weight_ih(&self, layer: usize, direction: Direction) -> Option<&Array2<A>> {
        self.cell(layer, direction).map(CellParameters::weight_ih)
    }

    /// `weight_hh` of one direction of one layer; `None` if the network has no such layer or direction.
    #[must_use]
    pub fn weight_hh(&self, layer: usize, direction: Direction) -> Option<&Array2<A>> {
        self.cell(layer, direction).map(CellParameters::weight_hh)
    }

    /// `bias_ih` of one direction of one layer; `None` if there is no such layer or direction, or no bias.
    #[must_use]
    pub fn bias_ih(&self, layer: usize, direction: Direction) -> Option<&Array1<A>> {
        self.cell(layer, direction)?.bias_ih()
    }

    /// `bias_hh` of one direction of one layer; `None` if there is no such layer or direction, or no bias.
    #[must_use]
    pub fn bias_hh(&self, layer: usize, direction: Direction) -> Option<&Array1<A>> {
        self.cell(layer, direction)?.bias_hh()
    }

    /// All parameters of one direction of one layer; `None` if the network has no such layer or direction.
    #[must_use]
    pub fn cell(&self, layer: usize, direction: Direction) -> Option<&CellParameters<A>> {
        let direction = direction as usize;
        let index = layer.checked_mul(self.directions)?.checked_add(direction)?;
        self.cells.get(index).filter(|_| direction < self.directions)
    }

    /// Zeros of the same shapes.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if there is no room for them.
    pub(super) fn try_zeros_like(&self) -> Result<Self> {
        Self::collect(self.directions, self.cells.iter().map(CellParameters::try_zeros_like))
    }

    /// The parameters of layers of so many directions, by layer, then direction.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if there is no room for them.
    pub(super) fn collect(
        directions: usize,
        made: impl ExactSizeIterator<Item = Result<CellParameters<A>>>,
    ) -> Result<Self> {
        let mut cells = room("parameters", &[made.len()])?;
        for cell in made {
            cells.push(cell?);
        }
        Ok(Self { cells, directions })
    }

    /// What the names of the i-th cell's parameters end in.
    fn suffix(&self, i: usize) -> String {
        let reverse = if i % self.directions == 1 { "_reverse" } else { "" };
        format!("_l{}{reverse}", i / self.directions)
    }
}

impl<A: Scalar> Parameters for RecurrentParameters<A> {
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

impl<A: Scalar> Parameters for CellParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.named("")
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        self.named_mut("")
    }
}

impl<A: Scalar> CellParameters<A> {
    /// The weights of the input.
    #[must_use]
    pub fn weight_ih(&self) -> &Array2<A> {
        &self.weight_ih
    }

    /// The weights of the hidden state.
    #[must_use]
    pub fn weight_hh(&self) -> &Array2<A> {
        &self.weight_hh
    }

    /// The bias of the input's sums; `None` without biases.
    #[must_use]
    pub fn bias_ih(&self) -> Option<&Array1<A>> {
        self.bias_ih.as_ref()
    }

    /// The bias of the hidden state's sums; `None` without biases.
    #[must_use]
    pub fn bias_hh(&self) -> Option<&Array1<A>> {
        self.bias_hh.as_ref()
    }

    /// Parameters of zeros for the blocks of an order, of so many units each. They include a projection if the hidden
    /// state is not as wide as there are units.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory can hold a weight.
    pub(super) fn zeros(
        order: Order,
        units: usize,
        [input, features]: [usize; 2],
        bias: bool,
    ) -> Result<Self> {
        let [of_input, of_state] =
            [order.input, order.hidden].map(|blocks| blocks.len().saturating_mul(units));
        let projected = features != units;
        Ok(Self {
            weight_ih: zeros("weight_ih", (of_input, input))?,
            weight_hh: zeros("weight_hh", (of_state, features))?,
            bias_ih: bias.then(|| zeros("bias_ih", of_input)).transpose()?,
            bias_hh: bias.then(|| zeros("bias_hh", of_state)).transpose()?,
            weight_hr: projected.then(|| zeros("weight_hr", (features, units))).transpose()?,
        })
    }

    /// Zeros of the same shapes.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if there is no room for them.
    pub(super) fn try_zeros_like(&self) -> Result<Self> {
        let bias = |name, bias: &Option<Array1<A>>| bias.as_ref().map(|bias| zeros(name, bias.raw_dim()));
        Ok(Self {
            weight_ih: zeros("d_weight_ih", self.weight_ih.raw_dim())?,
            weight_hh: zeros("d_weight_hh", self.weight_hh.raw_dim())?,
            bias_ih: bias("d_bias_ih", &self.bias_ih).transpose()?,
            bias_hh: bias("d_bias_hh", &self.bias_hh).transpose()?,
            weight_hr: self
                .weight_hr
                .as_ref()
                .map(|weight| zeros("d_weight_hr", weight.raw_dim()))
                .transpose()?,
        })
    }

    /// The parameters as the engine reads them.
    pub(crate) fn view(&self, order: Order) -> DirectionParameters<'_, A> {
        DirectionParameters {
            weight_ih: self.weight_ih.view(),
            weight_hh: self.weight_hh.view(),
            bias_ih: self.bias_ih.as_ref().map(|bias| bias.view()),
            bias_hh: self.bias_hh.as_ref().map(|bias| bias.view()),
            weight_hr: self.weight_hr.as_ref().map(|weight| weight.view()),
            peepholes: None,
            order,
        }
    }

    /// The gradient as the engine fills it.
    pub(super) fn lend(&mut self, order: Order) -> DirectionGradient<'_, A> {
        DirectionGradient {
            weight_ih: elements_mut(&mut self.weight_ih),
            weight_hh: elements_mut(&mut self.weight_hh),
            bias_ih: self.bias_ih.as_mut().map(|bias| elements_mut(bias)),
            bias_hh: self.bias_hh.as_mut().map(|bias| elements_mut(bias)),
            weight_hr: self.weight_hr.as_mut().map(|weight| elements_mut(weight)),
            order,
        }
    }

    /// The parameters under torch's names, each with an ending.
    fn named(&self, suffix: &str) -> Vec<(String, ArrayViewD<'_, A>)> {
        let name = |name: &str| format!("{name}{suffix}");
        let mut named = vec![
            (name("weight_ih"), self.weight_ih.view().into_dyn()),
            (name("weight_hh"), self.weight_hh.view().into_dyn()),
        ];
        named.extend(self.bias_ih.as_ref().map(|bias| (name("bias_ih"), bias.view().into_dyn())));
        named.extend(self.bias_hh.as_ref().map(|bias| (name("bias_hh"), bias.view().into_dyn())));
        named.extend(self.weight_hr.as_ref().map(|weight| (name("weight_hr"), weight.view().into_dyn())));
        named
    }

    /// As [`named`](Self::named), for changing them.
    fn named_mut(&mut self, suffix: &str) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let name = |name: &str| format!("{name}{suffix}");
        let mut named = vec![
            (name("weight_ih"), self.weight_ih.view_mut().into_dyn()),
            (name("weight_hh"), self.weight_hh.view_mut().into_dyn()),
        ];
        named.extend(self.bias_ih.as_mut().map(|bias| (name("bias_ih"), bias.view_mut().into_dyn())));
        named.extend(self.bias_hh.as_mut().map(|bias| (name("bias_hh"), bias.view_mut().into_dyn())));
        named.extend(self.weight_hr.as_mut().map(|weight| (name("weight_hr"), weight.view_mut().into_dyn())));
        named
    }
}
