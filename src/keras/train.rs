//! Training: the call that leaves a trace, and the way back that reads it.

use std::marker::PhantomData;

use ndarray::{Array, Array2, Array3, ArrayRef, ArrayRef2, Axis};

use super::call::Pass;
use super::config::SimpleRnnConfig;
use super::layer::SimpleRnn;
use super::parameters::{ByUnit, SimpleRnnParameters};
use super::returns::{Last, OutputDim, Returns};
use super::rows::Rows;
use super::seeds::SeedGenerator;
use crate::cell::Cell;
use crate::engine::{Backward, Origin};
use crate::error::{Result, expect_room, expect_shape};
use crate::kernels::to_vec;
use crate::scalar::Scalar;
use crate::sequence::Source;
use crate::spares::SharedSpares;

/// What a call in training mode leaves for [`SimpleRnn::backward`], any number of times.
///
/// With R rows (steps that count, of all sequences) it keeps `R (input_dim + units)` numbers, and `R units` more for
/// softsign, gelu and silu.
#[derive(Debug, Clone)]
pub struct Trace<A, R = Last> {
    origin: Origin<SimpleRnnConfig>,
    rows: Rows,
    /// Input rows, dropout applied.
    input: Vec<A>,
    /// By sequence in the caller's order, if there is dropout.
    input_factors: Option<Array2<A>>,
    /// In the rows' order, if there is recurrent dropout.
    state_factors: Option<Array3<A>>,
    /// The first states in the rows' order.
    first: Array3<A>,
    outputs: [Vec<A>; 1],
    sums: Vec<Vec<A>>,
    returns: PhantomData<R>,
}

/// The gradient of everything that a call read.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<P, X, S> {
    /// Of the parameters, under their names.
    pub parameters: P,
    /// Of the input, (N, T, input_dim); zero where a mask is false.
    pub input: X,
    /// Of the first state, (N, units).
    pub initial_state: S,
}

impl<A, R> Trace<A, R> {
    /// The number of steps that the input had.
    pub(super) fn len(&self) -> usize {
        self.rows.len
    }
}

impl<A: Scalar, R> Trace<A, R> {
    /// The gradient of the input from that of its rows, through dropout.
    fn input_gradient(&self, d_rows: &[A], input_dim: usize) -> Array3<A> {
        let mut input = self.rows.scatter(d_rows, input_dim);
        if let Some(factors) = &self.input_factors {
            input.axis_iter_mut(Axis(1)).for_each(|mut step| step *= factors);
        }
        input
    }
}

/// Output, final states and trace.
type Trained<A, R> = (Array<A, <R as Returns>::Dim>, Array2<A>, Trace<A, R>);

/// Dropout's factors in one batch, the same for all steps: 0, or `1 / (1 - rate)`.
#[derive(Debug, Clone, PartialEq)]
pub struct DropoutMasks<A> {
    input: Option<Array2<A>>,
    state: Option<Array2<A>>,
}

impl<A> DropoutMasks<A> {
    /// Checks that the factors are those of a batch of a layer.
    pub(super) fn expect_shapes(&self, batch: usize, config: &SimpleRnnConfig) -> Result<()> {
        for (name, mask, width) in [
            ("dropout mask", &self.input, config.input_dim),
            ("recurrent dropout mask", &self.state, config.units),
        ] {
            mask.as_ref().map_or(Ok(()), |mask| expect_shape(name, &[batch, width], mask.shape()))?;
        }
        Ok(())
    }

    /// What inputs are multiplied with, (N, input_dim), if there is dropout.
    #[must_use]
    pub fn input(&self) -> Option<&Array2<A>> {
        self.input.as_ref()
    }

    /// What states are multiplied with in the recurrent product, (N, units), if there is recurrent dropout.
    #[must_use]
    pub fn state(&self) -> Option<&Array2<A>> {
        self.state.as_ref()
    }
}

impl<A: Scalar> SimpleRnn<A> {
    /// Draws the factors of `batch` sequences: the input's, then the state's.
    pub(super) fn dropout_masks(&self, batch: usize, seeds: &mut SeedGenerator) -> Result<DropoutMasks<A>> {
        let config = self.config();
        expect_room::<A>("dropout masks", &[batch, config.input_dim.max(config.units)])?;
        Ok(DropoutMasks {
            input: seeds.mask((batch, config.input_dim), config.dropout)?,
            state: seeds.mask((batch, config.units), config.recurrent_dropout)?,
        })
    }
}

impl<A: Scalar> Pass<'_, A> {
    /// Runs the layer in training mode; returns output, final states and the trace.
    pub(super) fn forward_train<R: Returns>(mut self, masks: &DropoutMasks<A>) -> Trained<A, R> {
        let config = self.layer.config();
        let layout = &self.rows.layout;
        let state_factors = masks.state.as_ref();
        let state_factors = state_factors.map(|rows| layout.sorted_state(&rows.view().insert_axis(Axis(0))));
        let input = self.dropped_input(masks.input.as_ref());
        let mut outputs = self.room();
        let keeps_sums = Cell::<A>::keeps_sums(self.layer.stack().cell);
        let mut sums: Vec<_> = keeps_sums.then(|| self.room()).into_iter().collect();
        let states = self.run(
            Source::rows(&input, config.input_dim, &layout.steps, 0),
            Some(&mut outputs),
            state_factors.as_ref().and_then(|factors| factors.as_slice()),
            &mut sums,
        );
        self.keep(&states);
        let shown = if R::Dim::SEQUENCES { to_vec(&outputs) } else { Vec::new() };
        let output = R::Dim::output(&self.rows, shown, &states);
        let trace = Trace {
            origin: self.layer.cache.origin(config),
            input,
            input_factors: masks.input.clone(),
            state_factors,
            first: self.rows.layout.sorted_state(&self.first.view()),
            outputs: [outputs],
            sums,
            rows: self.rows,
            returns: PhantomData,
        };
        (output, states, trace)
    }

    /// The input's rows, one behind the other, times their sequences' factors.
    fn dropped_input(&self, factors: Option<&Array2<A>>) -> Vec<A> {
        let (source, steps) = (self.source(), &self.rows.layout.steps);
        let mut input = Vec::with_capacity(steps.rows() * source.width());
        for (t, b) in steps.places(0..steps.len()) {
            let row = source.row(t, b).iter();
            match factors {
                None => input.extend(row),
                Some(factors) => {
                    let factors = factors.row(self.rows.sequence(b));
                    input.extend(row.zip(factors).map(|(&x, &factor)| x * factor));
                }
            }
        }
        input
    }
}

impl<A: Scalar> SimpleRnn<A> {
    /// The gradients of a loss with respect to parameters, input and first state, from that with respect to what
    /// [`Call::forward_train`](super::Call::forward_train) returned: a reference to an array shaped as the output, or
    /// with `return_state` a pair of such, the second for the state.
    ///
    /// The formulas and the order of sums are those of [`Rnn::backward`](crate::Rnn::backward), time running as the
    /// layer's does; dropout's factors stand where they stood. Through `stateful` no gradient passes from one call to
    /// the one before.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`](crate::Error::ForeignTrace) for a trace of a layer of another configuration,
    /// [`Error::StaleTrace`](crate::Error::StaleTrace) for one of other parameters: this layer's before they could
    /// change, or another layer's; [`Error::Shape`](crate::Error::Shape) for a gradient of another shape.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::keras::{Activation, Initializer, SimpleRnn, SimpleRnnConfig, set_random_seed};
    ///
    /// // h_t = relu(x_t + h_{t-1}): the last output is the sum of the inputs.
    /// let config = SimpleRnnConfig::new(1, 1)
    ///     .activation(Activation::Relu)
    ///     .kernel_initializer(Initializer::ones())
    ///     .recurrent_initializer(Initializer::ones());
    /// let rnn = SimpleRnn::<f64>::new(config, &mut set_random_seed(0))?;
    ///
    /// let input = array![[[1.0], [2.0], [3.0]]];
    /// let (output, trace) = rnn.call(&input).forward_train(&mut rnn.seed_generator())?;
    /// assert_eq!(output, array![[6.0]]);
    ///
    /// let gradients = rnn.backward(&trace, &array![[1.0]])?;
    /// assert_eq!(gradients.input, array![[[1.0], [1.0], [1.0]]]);
    /// assert_eq!(gradients.parameters.kernel(), array![[6.0]]);
    /// assert_eq!(gradients.parameters.recurrent_kernel(), array![[4.0]]); // 0 + 1 + 3
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn backward<R: Returns>(
        &self,
        trace: &Trace<A, R>,
        gradient: R::Value<&ArrayRef<A, R::Dim>, &ArrayRef2<A>>,
    ) -> Result<Gradients<SimpleRnnParameters<A>, Array3<A>, Array2<A>>> {
        let (d_output, d_state) = R::parts(gradient);
        self.way_back(trace, d_output, d_state)
    }

    /// Checks that a trace is of this layer, and a gradient of its call.
    fn expect_trace<R: Returns>(
        &self,
        trace: &Trace<A, R>,
        d_output: &ArrayRef<A, R::Dim>,
        d_states: Option<&ArrayRef2<A>>,
    ) -> Result<()> {
        let config = self.config();
        self.cache.expect(config, &trace.origin)?;
        let Rows { batch, len, .. } = trace.rows;
        expect_shape("d_output", &R::Dim::shape(batch, len, config.units), d_output.shape())?;
        d_states.map_or(Ok(()), |d| expect_shape("d_state", &[batch, config.units], d.shape()))
    }

    /// As [`backward`](Self::backward), output and state apart.
    pub(super) fn way_back<R: Returns>(
        &self,
        trace: &Trace<A, R>,
        d_output: &ArrayRef<A, R::Dim>,
        d_states: Option<&ArrayRef2<A>>,
    ) -> Result<Gradients<SimpleRnnParameters<A>, Array3<A>, Array2<A>>> {
        self.expect_trace(trace, d_output, d_states)?;
        let config = self.config();
        let (d_rows, d_states) = R::Dim::gradient(&trace.rows, d_output, d_states);
        let mut d_input = vec![A::zero(); trace.input.len()];
        let mut initial_state = d_states.insert_axis(Axis(0));
        let mut parameters = ByUnit::zeros_like(self.parameters());
        trace.rows.layout.with_sorted_state(&mut initial_state, |d_state| {
            let pass = Backward {
                weights: self.back_weights(),
                steps: &trace.rows.layout.steps,
                resets: None,
                inputs: &trace.input,
                first: trace.first.as_slice().unwrap_or_default(),
                outputs: &trace.outputs,
                factors: &[],
                state_factors: trace.state_factors.as_ref().and_then(|factors| factors.as_slice()),
                kept: &trace.sums,
                d_output: Source::rows(&d_rows, config.units, &trace.rows.layout.steps, 0),
                d_state,
                d_input: Some(&mut d_input),
                spares: &SharedSpares::default(),
                d_parameters: vec![parameters.borrow()],
            };
            A::backward(self.stack(), pass);
        });
        Ok(Gradients {
            parameters: parameters.transposed(config.use_bias),
            input: trace.input_gradient(&d_input, config.input_dim),
            initial_state: initial_state.index_axis_move(Axis(0), 0),
        })
    }
}
