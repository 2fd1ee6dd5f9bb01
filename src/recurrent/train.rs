//! Training: the trace of a pass, and the way back that reads it.

use ndarray::{Array, Array3, ArrayRef};

use super::architecture::Architecture;
use super::network::{Recurrent, state_of};
use super::parameters::{CellParameters, RecurrentParameters};
use super::sequences::{Form, Sequences};
use crate::engine::{BackReads, BackWrites, Kept, Origin};
use crate::error::Result;
use crate::planes::Planes;
use crate::scalar::Scalar;

/// What a pass in training leaves for [`Recurrent::backward`], which may read it any number of times.
///
/// For R rows (steps times sequences, without padding) and P features of h a trace holds `R (input_size + K D P)`
/// numbers, `R (K - 1) D P` more with dropout, and the first states, the mask of resets and their states. That of an
/// [`Lstm`](crate::Lstm) or a [`Gru`](crate::Gru) holds `5 R K D hidden_size` more, `hidden_size` rounded up to a cache
/// line, and with a projection another `R K D hidden_size`. When the trace is dropped its memory goes back to the network, for the next pass; what that pass does not use is
/// freed. A clone of the network has no such memory.
#[derive(Debug, Clone)]
pub struct Trace<C, A: Scalar> {
    pub(super) origin: Origin<C>,
    pub(super) kept: Box<Kept<A>>,
    /// The shape (L, N, input_size) of the input.
    pub(super) dim: (usize, usize, usize),
}

/// The gradients of everything that a pass read: of the parameters, of type `P`, of the input, `X`, and of the
/// first state, `S`. A reset state is a constant and has none.
///
/// Each has the shape of what it is the gradient of. In padding `input` is zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<P, X, S> {
    /// Of the parameters, under their names.
    pub parameters: P,
    /// Of the input.
    pub input: X,
    /// Of the first state.
    pub state: S,
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// Returns the gradients of a loss with respect to parameters, input and first state, from its gradients with
    /// respect to `output` and, if the loss reads it, the final state: backpropagation through time.
    ///
    /// For each step, from the last to the first, `d_sum = act'(sum) d_h`, for each gate of an [`Lstm`](crate::Lstm) or a
    /// [`Gru`](crate::Gru) by its formula; then `d_W_ih = sum d_sum x'`, `d_W_hh = sum d_sum h_{t-1}'`,
    /// `d_b_ih = d_b_hh = sum d_sum`, `d_x = W_ih' d_sum`, `d_h_{t-1} = W_hh' d_sum`. Sums over rows run in ascending order of (t, n), those over units in ascending order:
    /// the gradients have the same bits on every machine and for every number of threads. To cut the gradient between
    /// chunks (truncated backpropagation), pass the last chunk's final state as the next one's first state and leave
    /// `d_state` out.
    ///
    /// After a pass over a packed sequence, `d_output` is a packed sequence of the gradients of the output's data
    /// (see [`PackedSequence::with_data`](crate::PackedSequence::with_data)), or a padded array.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`](crate::Error::ForeignTrace) if the trace is of another configuration;
    /// [`Error::StaleTrace`](crate::Error::StaleTrace) if it is of other parameters, this network's from before
    /// they could change or another network's;
    /// [`Error::Shape`](crate::Error::Shape) if a gradient has another shape;
    /// [`Error::Rank`](crate::Error::Rank) if `d_output` is 2-D and the trace is not of one sequence;
    /// [`Error::Unsupported`](crate::Error::Unsupported) if `d_output` is packed in another order.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{Nonlinearity, Parameters, Rnn, RnnConfig, manual_seed};
    ///
    /// // h_t = relu(w x_t + u h_{t-1}) with w = u = 1: the last output is the sum of the inputs.
    /// let mut rnn = Rnn::<f64>::zeros(RnnConfig::new(1, 1).nonlinearity(Nonlinearity::Relu).bias(false))?;
    /// rnn.named_parameters_mut().into_iter().for_each(|(_, mut weight)| weight.fill(1.0));
    ///
    /// let input = array![[1.0], [2.0], [3.0]];
    /// let (output, _, trace) = rnn.forward_train(&input, None, &mut manual_seed(0))?;
    /// assert_eq!(output, array![[1.0], [3.0], [6.0]]);
    ///
    /// let d_output = array![[0.0], [0.0], [1.0]];
    /// let gradients = rnn.backward(&trace, &d_output, None)?;
    /// assert_eq!(gradients.input, array![[1.0], [1.0], [1.0]]);
    /// assert_eq!(gradients.parameters.named_parameters()[0].1, array![[6.0]].into_dyn()); // weight_ih_l0
    /// assert_eq!(gradients.parameters.named_parameters()[1].1, array![[4.0]].into_dyn()); // weight_hh_l0: 1 + 3
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[expect(clippy::type_complexity, reason = "gradients of parameters, input and state")]
    pub fn backward<I: Sequences<A> + ?Sized>(
        &self,
        trace: &Trace<C, A>,
        d_output: &I,
        d_state: Option<C::State<&ArrayRef<A, I::Dim>>>,
    ) -> Result<Gradients<RecurrentParameters<A>, I::Output, C::State<Array<A, I::Dim>>>> {
        let (.., input_size) = trace.dim;
        let layout = &trace.kept.course.layout;
        let mut d_input = layout.zero_rows("d_input", input_size)?;
        let (parameters, d_state) = self.way_back(trace, d_output, d_state, Some(&mut d_input))?;
        let (padding, batch_first) = (A::zero(), self.config().sizes().batch_first);
        let form = Form { name: "d_input", width: input_size, layout, padding, batch_first };
        Ok(Gradients {
            parameters,
            input: d_output.of_rows(d_input, form)?,
            state: state_of::<C, A, I::Dim>(d_state),
        })
    }

    /// As [`backward`](Self::backward), without the gradients of input and first state. Training needs no others
    /// if the input is data, and torch computes no others if the input does not require a gradient. With one layer
    /// and `input_size = hidden_size` it is a quarter less work.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    ///
    /// ```
    /// use ndarray::Array3;
    /// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
    ///
    /// let mut rng = manual_seed(0);
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut rng)?;
    /// let (output, _, trace) = rnn.forward_train(&Array3::ones((3, 5, 4)), None, &mut rng)?;
    /// let whole = rnn.backward(&trace, &output, None)?;
    /// assert_eq!(rnn.backward_parameters(&trace, &output, None)?, whole.parameters);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn backward_parameters<I: Sequences<A> + ?Sized>(
        &self,
        trace: &Trace<C, A>,
        d_output: &I,
        d_state: Option<C::State<&ArrayRef<A, I::Dim>>>,
    ) -> Result<RecurrentParameters<A>> {
        Ok(self.way_back(trace, d_output, d_state, None)?.0)
    }

    /// Runs the engine back. Returns the gradients of the parameters and of the first states, in the caller's
    /// order, and writes that of the input's rows to `d_input`, if there is one.
    fn way_back<I: Sequences<A> + ?Sized>(
        &self,
        trace: &Trace<C, A>,
        d_output: &I,
        d_state: Option<C::State<&ArrayRef<A, I::Dim>>>,
        d_input: Option<&mut [A]>,
    ) -> Result<(RecurrentParameters<A>, Planes<Array3<A>>)> {
        let (config, (len, batch, _), kept) = (self.config(), trace.dim, &trace.kept);
        let (sizes, layout, d_output) = (config.sizes(), &kept.course.layout, d_output.borrow());
        self.cache.expect(config, &trace.origin)?;
        d_output.expect("d_output", layout, (len, batch, sizes.output_size()), sizes.batch_first)?;
        // A sequence of no steps passes this on unchanged.
        let mut d_state = self.state_or_zeros(["d_h_n", "d_c_n"], d_state.map(C::planes), batch)?;
        let d_output = d_output.into_rows("d_output", sizes.batch_first)?;
        let mut parameters = self.parameters().zeros_like();
        let cells = parameters.cells.iter_mut();
        let reads = BackReads { weights: self.back_weights(), kept, d_output: Some(d_output.source(layout)) };
        let d_parameters = cells.map(|cell: &mut CellParameters<A>| cell.lend(C::ORDER)).collect();
        layout.with_sorted_state(&mut d_state, |d_state| {
            C::backward(self.stack(), &reads, BackWrites { d_state, d_input, d_parameters });
        })?;
        Ok((parameters, d_state))
    }
}
