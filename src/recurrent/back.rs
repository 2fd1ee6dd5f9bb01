//! The way back, which reads the trace of a pass.

use ndarray::{Array, Array3, ArrayRef, Dimension};

use super::architecture::Architecture;
use super::network::{Recurrent, state_of};
use super::parameters::{CellParameters, RecurrentParameters};
use super::sequences::{Form, Sequences, SequencesRef};
use super::train::Trace;
use crate::dim::{SequenceDim, add_last};
use crate::engine::{BackReads, BackWrites};
use crate::error::{Error, Result, expect_shape};
use crate::planes::Planes;
use crate::scalar::Scalar;

/// The gradients of everything that a pass read: of the parameters, of type `P`, of the input, `X`, and of the
/// first state, `S`. A reset state is a constant and has none.
///
/// Each has the shape of what it is the gradient of. In padding `input` is zero.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Gradients, Gru, GruConfig, manual_seed};
///
/// let mut rng = manual_seed(0);
/// let gru = Gru::<f32>::new(GruConfig::new(4, 2), &mut rng)?;
/// let (output, _, trace) = gru.forward_train(&Array3::ones((3, 5, 4)), None, &mut rng)?;
/// let Gradients { parameters: _, input, state } = gru.backward(&trace, &output, None)?;
/// assert_eq!((input.dim(), state.dim()), ((3, 5, 4), (1, 5, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<P, X, S> {
    /// Of the parameters, under their names.
    pub parameters: P,
    /// Of the input.
    pub input: X,
    /// Of the first state.
    pub state: S,
}

/// The way back through a pass, from the gradients of whatever the loss read, made by [`Recurrent::back`]. It takes
/// these gradients first, at least one; then [`gradients`](Self::gradients) or [`parameters`](Self::parameters) runs it.
///
/// The gradients that are not given are zero, and no array of zeros is made. `O` is what the pass ran over.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use ndarray_rnn::{PackedSequence, Gru, GruConfig, manual_seed};
///
/// let mut rng = manual_seed(0);
/// let gru = Gru::<f32>::new(GruConfig::new(4, 2), &mut rng)?;
/// let packed = PackedSequence::from_sequences(&[2, 5, 3].map(|letters| Array2::ones((letters, 4))))?;
/// let (last, _, trace) = gru.run(&packed).last_train(&mut rng)?;
///
/// let d_last = last;                            // of the loss (last * last).sum() / 2
/// let gradients = gru.back(&trace).last(&d_last).gradients()?;
/// assert_eq!(gradients.input.data().dim(), (10, 4)); // packed as the input is
///
/// let d_h_n = Array3::ones((1, 3, 2));          // of a loss that reads the final state
/// let parameters = gru.back(&trace).last(&d_last).state(&d_h_n).parameters()?;
/// # let _ = parameters;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the way back is not taken until `gradients` or `parameters` is called"]
pub struct Back<'a, C: Architecture, A: Scalar, O: Sequences<A>> {
    network: &'a Recurrent<C, A>,
    trace: &'a Trace<C, A, O>,
    given: Given<'a, A, O::Dim>,
}

/// The gradients that the way back begins with; zero where there is none.
#[derive(Debug)]
struct Given<'a, A, D: Dimension> {
    output: Option<SequencesRef<'a, A, D>>,
    last: Option<&'a ArrayRef<A, D::Smaller>>,
    state: Option<Planes<&'a ArrayRef<A, D>>>,
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
    /// (see [`PackedSequence::with_data`](crate::PackedSequence::with_data)), or a padded array. For a loss that does not
    /// read the output of every step see [`back`](Self::back).
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
    pub fn backward<I: Sequences<A> + ?Sized, O>(
        &self,
        trace: &Trace<C, A, O>,
        d_output: &I,
        d_state: Option<C::State<&ArrayRef<A, I::Dim>>>,
    ) -> Result<Gradients<RecurrentParameters<A>, I::Output, C::State<Array<A, I::Dim>>>> {
        let given = Given { output: Some(d_output.borrow()), last: None, state: d_state.map(C::planes) };
        self.gradients(trace, given)
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
    pub fn backward_parameters<I: Sequences<A> + ?Sized, O>(
        &self,
        trace: &Trace<C, A, O>,
        d_output: &I,
        d_state: Option<C::State<&ArrayRef<A, I::Dim>>>,
    ) -> Result<RecurrentParameters<A>> {
        let given = Given { output: Some(d_output.borrow()), last: None, state: d_state.map(C::planes) };
        Ok(self.way_back(trace, given, None)?.0)
    }

    /// Begins the way back from the gradients of whatever the loss read: all outputs, the last ones, the final state.
    /// See [`Back`].
    pub fn back<'a, O: Sequences<A>>(&'a self, trace: &'a Trace<C, A, O>) -> Back<'a, C, A, O> {
        Back { network: self, trace, given: Given { output: None, last: None, state: None } }
    }

    /// All gradients, that of the input in the form `O`.
    fn gradients<O: Sequences<A, Output = O>, T>(
        &self,
        trace: &Trace<C, A, T>,
        given: Given<'_, A, O::Dim>,
    ) -> Result<Gradients<RecurrentParameters<A>, O, C::State<Array<A, O::Dim>>>> {
        let (len, batch, input_size) = trace.dim;
        let layout = &trace.kept.course.layout;
        let mut d_input = layout.zero_rows("d_input", input_size)?;
        let (parameters, d_state) = self.way_back(trace, given, Some(&mut d_input))?;
        let (padding, batch_first) = (A::zero(), self.config().sizes().batch_first);
        let form = Form { name: "d_input", shape: [len, batch, input_size], layout, padding, batch_first };
        Ok(Gradients {
            parameters,
            input: O::of_rows(d_input, form)?,
            state: state_of::<C, A, O::Dim>(d_state),
        })
    }

    /// Runs the engine back. Returns the gradients of the parameters and of the first states, in the caller's
    /// order, and writes that of the input's rows to `d_input`, if there is one.
    fn way_back<D: SequenceDim, T>(
        &self,
        trace: &Trace<C, A, T>,
        given: Given<'_, A, D>,
        d_input: Option<&mut [A]>,
    ) -> Result<(RecurrentParameters<A>, Planes<Array3<A>>)> {
        let (config, (len, batch, _), kept) = (self.config(), trace.dim, &trace.kept);
        let (sizes, layout) = (config.sizes(), &kept.course.layout);
        self.cache.expect(config, &trace.origin)?;
        let (width, batch_first) = (sizes.output_size(), sizes.batch_first);
        if let Some(d_output) = &given.output {
            d_output.expect("d_output", layout, (len, batch, width), batch_first)?;
        }
        if let Some(d_last) = given.last {
            expect_shape("d_last", &D::state_shape([1, batch, width])[1..], d_last.shape())?;
        }
        // A sequence of no steps passes this on unchanged.
        let mut d_state = self.state_or_zeros(["d_h_n", "d_c_n"], given.state, batch)?;
        if let Some(d_last) = given.last {
            add_last(&mut d_state.h, d_last, sizes.num_directions);
        }
        let d_output =
            given.output.map(|d_output| d_output.into_rows("d_output", batch_first)).transpose()?;
        let d_output = d_output.as_ref().map(|rows| rows.source(layout));
        let mut parameters = self.parameters().try_zeros_like()?;
        let cells = parameters.cells.iter_mut();
        let reads = BackReads { weights: self.back_weights()?, kept, d_output };
        let d_parameters = cells.map(|cell: &mut CellParameters<A>| cell.lend(C::ORDER)).collect();
        layout.with_sorted_state(&mut d_state, |d_state| {
            C::backward(self.stack()?, &reads, BackWrites { d_state, d_input, d_parameters })
        })?;
        Ok((parameters, d_state))
    }
}

impl<'a, C: Architecture, A: Scalar, O: Sequences<A, Output = O>> Back<'a, C, A, O> {
    /// The gradient of the output of every step: an array shaped as `output`, or after a pass over a packed sequence
    /// also a packed sequence.
    pub fn output<I: Sequences<A, Dim = O::Dim> + ?Sized>(mut self, d_output: &'a I) -> Self {
        self.given.output = Some(d_output.borrow());
        self
    }

    /// The gradient of the last outputs, (N, D hidden_size) or (D hidden_size), as [`Run::last`](crate::Run::last) and
    /// [`Run::last_train`](crate::Run::last_train) return them. That of a sequence of no steps is added to the gradient
    /// of its first state.
    pub fn last(mut self, d_last: &'a ArrayRef<A, <O::Dim as Dimension>::Smaller>) -> Self {
        self.given.last = Some(d_last);
        self
    }

    /// The gradient of the final state, shaped as [`Rnn`](crate::Rnn) says.
    pub fn state(mut self, d_state: C::State<&'a ArrayRef<A, O::Dim>>) -> Self {
        self.given.state = Some(C::planes(d_state));
        self
    }

    /// Returns the gradients of parameters, input and first state: see [`Recurrent::backward`]. That of the input has the
    /// form of the input.
    ///
    /// # Errors
    /// As [`Recurrent::backward`]; [`Error::Unsupported`] if no gradient was given.
    pub fn gradients(self) -> Result<Gradients<RecurrentParameters<A>, O, C::State<Array<A, O::Dim>>>> {
        self.expect_given()?;
        self.network.gradients(self.trace, self.given)
    }

    /// Returns the gradients of the parameters alone: see [`Recurrent::backward_parameters`].
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients).
    pub fn parameters(self) -> Result<RecurrentParameters<A>> {
        self.expect_given()?;
        Ok(self.network.way_back(self.trace, self.given, None)?.0)
    }

    fn expect_given(&self) -> Result<()> {
        let Given { output, last, state } = &self.given;
        if output.is_some() || last.is_some() || state.is_some() {
            return Ok(());
        }
        let reason = "no gradient was given: a loss reads the output, the last output or the final state";
        Err(Error::Unsupported { operation: "back", reason })
    }
}
