//! Training: the forward pass that leaves a trace, and the way back that reads it.

use ndarray::{Array, Array3, ArrayRef, ArrayView3, Axis, Dimension};
use rand::Rng;

use super::parameters::{RnnCellParameters, RnnParameters};
use super::pass::{Pass, resets};
use super::recycle::Recycle;
use super::{Rnn, RnnConfig, Run};
use crate::dim::SequenceDim;
use crate::engine::{Backward, Origin};
use crate::error::{Error, Result, expect_shape};
use crate::kernels::copy;
use crate::random;
use crate::scalar::Scalar;
use crate::sequence::{Layout, Source, with_plain_rows};
use crate::spares::{SharedSpares, Spares};

/// What a forward pass in training mode leaves for [`Rnn::backward`], any number of times.
///
/// With R rows (steps times sequences, less what lengths leave out) it keeps `R (input_size + K D hidden_size)` numbers,
/// `R (K - 1) D hidden_size` more where dropout is on, and the first states, the mask of resets and their states; beside
/// that memory for the next way back and the next pass: what the last way back used, up to `R (K + 2) D hidden_size`
/// numbers, the rows behind padded arrays, and what it was given to [`recycle`](Self::recycle), until a pass has no use
/// for it. A clone has none of that.
#[derive(Debug, Clone)]
pub struct Trace<A> {
    origin: Origin<RnnConfig>,
    layout: Layout,
    /// The caller's L and N.
    dim: (usize, usize),
    input: Vec<A>,
    /// The first states in the rows' order.
    first: Array3<A>,
    /// Every layer's output rows.
    outputs: Vec<Vec<A>>,
    factors: Vec<Vec<A>>,
    mask: Option<Vec<bool>>,
    reset_state: Option<Array3<A>>,
    /// For the way back and the next pass.
    spares: SharedSpares<A>,
}

/// The gradient of everything that a pass read, but of a reset state, which is a constant.
///
/// `input` and `h_0` are shaped as the pass's were (for a packed sequence `input` is of its data); where padding was,
/// `input` is zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<A, D: Dimension, S: Dimension = D> {
    /// Of the parameters, under their names.
    pub parameters: RnnParameters<A>,
    /// Of the input.
    pub input: Array<A, D>,
    /// Of the first state.
    pub h_0: Array<A, S>,
}

/// The trace of no pass, to begin a loop with (see [`Run::reuse`](super::Run::reuse)): no network takes it back.
impl<A: Scalar> Default for Trace<A> {
    fn default() -> Self {
        Self {
            origin: RnnConfig::new(0, 0).into(),
            layout: Layout::equal(0, 0),
            dim: (0, 0),
            input: Vec::new(),
            first: Array3::default((0, 0, 0)),
            outputs: Vec::new(),
            factors: Vec::new(),
            mask: None,
            reset_state: None,
            spares: SharedSpares::default(),
        }
    }
}

impl<A: Scalar> Trace<A> {
    /// Keeps the memory of what is no longer needed, an output or gradients, for the next way back and the next pass:
    /// [`Run::reuse`](super::Run::reuse). What that has no use for goes with the pass.
    pub fn recycle(&mut self, unneeded: impl Recycle<A>) {
        unneeded.give(self.spares.get_mut());
    }

    /// The memory of a trace that is no longer needed.
    pub(super) fn into_spares(self) -> Spares<A> {
        let Self { input, outputs, factors, spares, .. } = self;
        let mut spares = spares.into_inner();
        outputs.into_iter().chain(factors).chain([input]).for_each(|rows| spares.give(rows));
        spares.renew();
        spares
    }

    pub(super) fn origin(&self) -> &Origin<RnnConfig> {
        &self.origin
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of sequences.
    pub(super) fn batch(&self) -> usize {
        self.dim.1
    }

    /// A copy of the last layer's output rows, and how they become an array.
    pub(super) fn output(&mut self) -> (Vec<A>, &Layout, &mut Spares<A>) {
        let rows = self.outputs.last().map_or(&[][..], Vec::as_slice);
        let spares = self.spares.get_mut();
        let mut output = spares.take(rows.len());
        copy(rows, &mut output);
        (output, &self.layout, spares)
    }
}

impl<A: Scalar> Pass<'_, A> {
    /// Runs the engine in training mode; returns h_n in the caller's order, and the trace.
    pub(super) fn forward_train<R: Rng + ?Sized>(
        mut self,
        mut spares: Spares<A>,
        rng: &mut R,
    ) -> Result<(Array3<A>, Trace<A>)> {
        let config = &self.rnn.config;
        let mut rows = || spares.take(self.rows_len());
        let mut outputs: Vec<_> = (0..config.num_layers).map(|_| rows()).collect();
        let gaps = if config.dropout > 0.0 { config.num_layers - 1 } else { 0 };
        let mut factors: Vec<_> = (0..gaps).map(|_| rows()).collect();
        factors.iter_mut().try_for_each(|factors| dropout(factors, config.dropout, rng))?;
        let first = self.layout.sorted_state(&self.state.view());
        let mut last = outputs.pop().unwrap_or_default();
        self.forward(Some(&mut last), &mut outputs, &factors);
        outputs.push(last);
        let source = self.input.source(config.input_size, &self.layout);
        let mut input = spares.take(self.layout.steps.rows() * config.input_size);
        source.copy_to(&self.layout.steps, &mut input);
        let trace = Trace {
            dim: (self.len, self.state.len_of(Axis(1))),
            first,
            input,
            origin: self.rnn.cache.origin(config),
            outputs,
            factors,
            mask: self.mask,
            reset_state: self.reset_state,
            layout: self.layout,
            spares: spares.into(),
        };
        Ok((self.state, trace))
    }
}

/// torch's dropout factors: 0, or 1 / (1 - p).
fn dropout<A: Scalar, R: Rng + ?Sized>(factors: &mut [A], p: f64, rng: &mut R) -> Result<()> {
    let kept = A::one() / A::from_f64(1.0 - p);
    for factor in factors {
        *factor = if p < 1.0 && random::bernoulli(1.0 - p, rng)? { kept } else { A::zero() };
    }
    Ok(())
}

impl<A: Scalar> Rnn<A> {
    /// As [`forward`](Self::forward), in training mode; `rng` feeds dropout only. See [`Run::forward_train`].
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: SequenceDim, R: Rng + ?Sized>(
        &self,
        input: &ArrayRef<A, D>,
        h_0: Option<&ArrayRef<A, D>>,
        rng: &mut R,
    ) -> Result<(Array<A, D>, Array<A, D>, Trace<A>)> {
        Run::new(self, input, h_0).forward_train(rng)
    }

    /// The gradients of a loss with respect to parameters, input and first state, from those with respect to `output`
    /// and, if the loss reads it, `h_n`: backpropagation through time.
    ///
    /// For each step, from the last to the first, `d_sum = act'(sum) d_h`; then
    /// `d_W_ih = sum d_sum x'`, `d_W_hh = sum d_sum h_{t-1}'`, `d_b_ih = d_b_hh = sum d_sum`, `d_x = W_ih' d_sum`,
    /// `d_h_{t-1} = W_hh' d_sum`. Sums over rows run in ascending order of (t, n), those over units in ascending order:
    /// the gradients have the same bits on every machine and for every number of threads. To cut the gradient between
    /// chunks (truncated backpropagation), pass the last chunk's `h_n` as the next one's `h_0` and leave `d_h_n` out.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`] for a trace of a network of another configuration, [`Error::StaleTrace`] for one of other
    /// parameters: this network's before they could change, or another network's; [`Error::Shape`] for a gradient of
    /// another shape; [`Error::Rank`] for that of one sequence where the trace is of a batch, but of one.
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
    pub fn backward<D: SequenceDim>(
        &self,
        trace: &Trace<A>,
        d_output: &ArrayRef<A, D>,
        d_h_n: Option<&ArrayRef<A, D>>,
    ) -> Result<Gradients<A, D>> {
        let (config, (len, batch)) = (&self.config, trace.dim);
        let (parameters, d_h_0, d_input) = self.back_from(trace, d_output, d_h_n, true)?;
        let (dim, spares) = ((len, batch, config.input_size), &mut trace.spares.lock());
        let input = trace.layout.scatter_rows(d_input, dim, A::zero(), spares);
        Ok(Gradients {
            parameters,
            input: D::output(input, config.batch_first, spares),
            h_0: D::state(d_h_0),
        })
    }

    /// As [`backward`](Self::backward), without the gradients of input and first state: all that training needs where the
    /// input is data, and in torch what happens where it does not require a gradient. With one layer and
    /// `input_size = hidden_size` it is a quarter less work.
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
    pub fn backward_parameters<D: SequenceDim>(
        &self,
        trace: &Trace<A>,
        d_output: &ArrayRef<A, D>,
        d_h_n: Option<&ArrayRef<A, D>>,
    ) -> Result<RnnParameters<A>> {
        Ok(self.back_from(trace, d_output, d_h_n, false)?.0)
    }

    /// The gradients of the parameters, of the first states in the caller's order and, if wanted, of the input rows.
    fn back_from<D: SequenceDim>(
        &self,
        trace: &Trace<A>,
        d_output: &ArrayRef<A, D>,
        d_h_n: Option<&ArrayRef<A, D>>,
        wants_input: bool,
    ) -> Result<(RnnParameters<A>, Array3<A>, Vec<A>)> {
        let (config, (len, batch)) = (&self.config, trace.dim);
        self.cache.expect(config, &trace.origin)?;
        if d_output.ndim() == 2 && batch != 1 {
            return Err(Error::Rank { array: "d_output", expected: 3, actual: 2 });
        }
        let width = config.output_size();
        let view = D::time_major(d_output, config.batch_first);
        if view.dim() != (len, batch, width) {
            let expected = D::sequence_shape([len, batch, width], config.batch_first);
            expect_shape("d_output", &expected, d_output.shape())?;
        }
        self.expect_state::<D>("d_h_n", d_h_n, batch)?;
        let rows = with_plain_rows("d_output", view)?;
        let source = Source::grid(&rows, trace.layout.order.as_deref());
        Ok(self.way_back(trace, source, d_h_n.map(D::batched_state), wants_input))
    }

    /// Runs the engine back; returns as [`backward`](Self::backward), the input's gradient by row.
    pub(super) fn way_back(
        &self,
        trace: &Trace<A>,
        d_output: Source<'_, A>,
        d_h_n: Option<ArrayView3<'_, A>>,
        wants_input: bool,
    ) -> (RnnParameters<A>, Array3<A>, Vec<A>) {
        let Trace { layout, input, first, outputs, factors, .. } = trace;
        let mut parameters = self.parameters.zeros_like(&mut trace.spares.lock());
        let mut d_input = if wants_input { trace.spares.lock().take(input.len()) } else { Vec::new() };
        // What a sequence of no steps passes on.
        let mut d_h_0 = self.state_or_zeros(d_h_n, trace.dim.1);
        let d_parameters = parameters.cells.iter_mut().map(RnnCellParameters::borrow).collect();
        layout.with_sorted_state(&mut d_h_0, |d_state| {
            let pass = Backward {
                weights: self.back_weights(),
                steps: &layout.steps,
                resets: resets(layout, trace.mask.as_deref(), trace.reset_state.as_ref()),
                inputs: input,
                first: first.as_slice().unwrap_or_default(),
                outputs,
                factors,
                state_factors: None,
                kept: &[],
                d_output,
                d_state,
                d_input: wants_input.then_some(&mut d_input),
                spares: &trace.spares,
                d_parameters,
            };
            A::backward(self.stack(), pass);
        });
        parameters.cells.iter_mut().for_each(RnnCellParameters::copy_bias);
        (parameters, d_h_0, d_input)
    }
}
