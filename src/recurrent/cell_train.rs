//! Training a cell.

use ndarray::{Array, Array2, ArrayRef, Dimension};

use super::cell::{CellDim, RnnCell, RnnCellConfig};
use super::parameters::RnnCellParameters;
use crate::engine::{Backward, Origin};
use crate::error::{Error, Result, expect_shape};
use crate::scalar::Scalar;
use crate::sequence::{Source, standard};
use crate::spares::{SharedSpares, Spares};
use crate::steps::Steps;

/// What a step in training mode leaves for [`RnnCell::backward`]: `N (input_size + 2 hidden_size)` numbers.
#[derive(Debug, Clone)]
pub struct CellTrace<A> {
    origin: Origin<RnnCellConfig>,
    input: Vec<A>,
    input_shape: Vec<usize>,
    hidden: Array2<A>,
    /// The next hidden state, as the one layer's output.
    next: [Vec<A>; 1],
}

/// The gradient of everything that a step read, shaped as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct CellGradients<A, D: Dimension> {
    /// Of the parameters, under their names.
    pub parameters: RnnCellParameters<A>,
    /// Of the input.
    pub input: Array<A, D>,
    /// Of the hidden state.
    pub hidden: Array<A, D>,
}

impl<A: Scalar> RnnCell<A> {
    /// As [`forward`](Self::forward); also returns what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        hidden: Option<&ArrayRef<A, D>>,
    ) -> Result<(Array<A, D>, CellTrace<A>)> {
        let next = self.forward(input, hidden)?;
        let trace = CellTrace {
            origin: self.cache.origin(self.config()),
            input: input.iter().copied().collect(),
            input_shape: input.shape().into(),
            hidden: self.first_state(input, hidden)?,
            next: [next.iter().copied().collect()],
        };
        Ok((next, trace))
    }

    /// The gradients of a loss with respect to parameters, input and hidden state, from that with respect to the next
    /// hidden state.
    ///
    /// The formulas and the order of every sum are those of [`Rnn::backward`](crate::Rnn::backward) for one step; through
    /// several steps the caller adds the parameters' gradients.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`] and [`Error::StaleTrace`] as there; [`Error::Rank`] for a gradient of a batch where the step
    /// was of one row, or the reverse; [`Error::Shape`] for one of another shape.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{Nonlinearity, Parameters, RnnCell, RnnCellConfig};
    ///
    /// let mut cell = RnnCell::<f64>::zeros(RnnCellConfig::new(1, 1).nonlinearity(Nonlinearity::Relu).bias(false))?;
    /// cell.named_parameters_mut().into_iter().for_each(|(_, mut weight)| weight.fill(2.0));
    ///
    /// let (next, trace) = cell.forward_train(&array![3.0], Some(&array![5.0]))?; // relu(2 * 3 + 2 * 5)
    /// assert_eq!(next, array![16.0]);
    /// let gradients = cell.backward(&trace, &array![1.0])?;
    /// assert_eq!((gradients.input, gradients.hidden), (array![2.0], array![2.0]));
    /// assert_eq!(gradients.parameters.named_parameters()[0].1, array![[3.0]].into_dyn()); // weight_ih
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn backward<D: CellDim>(
        &self,
        trace: &CellTrace<A>,
        d_next: &ArrayRef<A, D>,
    ) -> Result<CellGradients<A, D>> {
        let config = self.config();
        self.cache.expect(config, &trace.origin)?;
        let (expected, actual) = (trace.input_shape.len(), d_next.ndim());
        if expected != actual {
            return Err(Error::Rank { array: "d_next", expected, actual });
        }
        expect_shape("d_next", &self.hidden_shape(&trace.input_shape), d_next.shape())?;
        let batch = trace.hidden.nrows();
        let steps = Steps::Equal { len: 1, batch };
        let d_next = standard(&D::rows(d_next));
        let mut d_input = Array2::zeros((batch, config.input_size));
        let mut d_hidden = Array2::zeros((batch, config.hidden_size));
        let mut parameters = self.parameters.zeros_like(&mut Spares::default());
        let pass = Backward {
            weights: self.back_weights(),
            steps: &steps,
            resets: None,
            inputs: &trace.input,
            first: trace.hidden.as_slice().unwrap_or_default(),
            outputs: &trace.next,
            factors: &[],
            state_factors: None,
            kept: &[],
            d_output: Source::rows(d_next.as_slice().unwrap_or_default(), config.hidden_size, &steps, 0),
            d_state: d_hidden.as_slice_mut().unwrap_or_default(),
            d_input: d_input.as_slice_mut(),
            spares: &SharedSpares::default(),
            d_parameters: vec![parameters.borrow()],
        };
        A::backward(self.stack(), pass);
        parameters.copy_bias();
        Ok(CellGradients { parameters, input: D::from_rows(d_input), hidden: D::from_rows(d_hidden) })
    }
}
