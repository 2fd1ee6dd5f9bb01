//! Backpropagation through time as plain loops, in the documented order of sums.
//!
//! A layer's outputs come from a network of that layer alone, so that the joints between layers are held to the
//! formula too.

use ndarray::{Array, Array1, Array2, Array3, ArrayD, Axis};
use ndarray_rnn::{
    Direction, Nonlinearity, Parameters, Rnn, RnnConfig, Scalar, SequenceDim, manual_seed, random,
};

use crate::problem::{Problem, TestResult, is_single};

/// A problem with time first and a batch axis, whatever axes the caller's arrays have.
struct Plain<A: Scalar> {
    rnn: Rnn<A>,
    input: Array3<A>,
    h_0: Array3<A>,
    lengths: Vec<usize>,
    /// The sequences, the longest first; without lengths in their own order.
    order: Vec<usize>,
    resets: Array2<bool>,
    reset_state: Array3<A>,
    d_output: Array3<A>,
    d_h_n: Array3<A>,
    dropout_seed: u64,
}

/// The gradients that the loops find.
struct Found<A> {
    input: Array3<A>,
    h_0: Array3<A>,
    /// The gradients of weight_ih, weight_hh and either bias, by layer and direction.
    cells: Vec<(Array2<A>, Array2<A>, Array1<A>)>,
}

impl<A: Scalar> Plain<A> {
    fn new<D: SequenceDim>(problem: &Problem<A, D>) -> TestResult<Self> {
        let config = problem.rnn.config().clone();
        let input = time_first(problem.input.clone().into_dyn(), is_single::<D>(), &config)?;
        let (len, batch, _) = input.dim();
        let state = |state: &Option<Array<A, D>>| match state {
            Some(state) if is_single::<D>() => {
                state.clone().into_dyn().insert_axis(Axis(1)).into_dimensionality()
            }
            Some(state) => state.clone().into_dyn().into_dimensionality(),
            None => {
                Ok(Array3::zeros((config.num_layers * config.num_directions(), batch, config.hidden_size)))
            }
        };
        let resets = match &problem.resets {
            Some(resets) => {
                let resets = resets.clone().into_dyn().insert_axis(Axis(resets.ndim()));
                time_first(resets, is_single::<D>(), &config)?.index_axis_move(Axis(2), 0)
            }
            None => Array2::from_elem((len, batch), false),
        };
        let lengths = problem.lengths.clone().unwrap_or_else(|| vec![len; batch]);
        let mut order: Vec<_> = (0..batch).collect();
        order.sort_by_key(|&n| std::cmp::Reverse(lengths[n]));
        Ok(Self {
            rnn: problem.rnn.clone(),
            h_0: state(&problem.h_0)?,
            reset_state: state(&problem.reset_state)?,
            d_output: time_first(problem.d_output.clone().into_dyn(), is_single::<D>(), &config)?,
            d_h_n: state(&problem.d_h_n)?,
            dropout_seed: problem.dropout_seed,
            input,
            lengths,
            order,
            resets,
        })
    }

    fn directions(&self) -> usize {
        self.rnn.config().num_directions()
    }

    /// Every row in the order of sums: by step, the longest sequence first.
    fn rows(&self) -> Vec<(usize, usize)> {
        let steps = 0..self.input.len_of(Axis(0));
        steps
            .flat_map(|t| self.order.iter().filter(move |&&n| t < self.lengths[n]).map(move |&n| (t, n)))
            .collect()
    }

    /// The dropout factors behind every layer but the last.
    fn factors(&self) -> TestResult<Vec<Array3<A>>> {
        let RnnConfig { dropout, num_layers, .. } = *self.rnn.config();
        let (len, batch, width) = self.d_output.dim();
        let mut rng = manual_seed(self.dropout_seed);
        let mut all = vec![Array3::from_elem((len, batch, width), A::one()); num_layers - 1];
        let kept = A::one() / A::from_f64(1.0 - dropout);
        for factors in all.iter_mut().filter(|_| dropout > 0.0) {
            for (t, n) in self.rows() {
                for k in 0..width {
                    let keep = random::bernoulli(1.0 - dropout, &mut rng)?;
                    factors[[t, n, k]] = if keep { kept } else { A::zero() };
                }
            }
        }
        Ok(all)
    }

    /// The network of one layer alone.
    fn layer(&self, layer: usize, inputs: usize) -> TestResult<Rnn<A>> {
        let RnnConfig { hidden_size, nonlinearity, bias, bidirectional, .. } = *self.rnn.config();
        let config = RnnConfig::new(inputs, hidden_size).nonlinearity(nonlinearity).bias(bias);
        let mut alone = Rnn::zeros(config.bidirectional(bidirectional))?;
        let ending = |name: &str| name.replace(&format!("_l{layer}"), "_l0");
        let of_layer = |name: &str| name.trim_end_matches("_reverse").ends_with(&format!("_l{layer}"));
        let parameters = self.rnn.state_dict().into_iter().filter(|(name, _)| of_layer(name));
        alone.load_state_dict(parameters.map(|(name, value)| (ending(&name), value)))?;
        Ok(alone)
    }

    /// The rows of a state that belong to a layer.
    fn of_layer(&self, state: &Array3<A>, layer: usize) -> Array3<A> {
        let rows: Vec<_> = (layer * self.directions()..(layer + 1) * self.directions()).collect();
        state.select(Axis(0), &rows)
    }

    /// The inputs of every layer, and its outputs.
    fn forward(&self, factors: &[Array3<A>]) -> TestResult<Vec<(Array3<A>, Array3<A>)>> {
        let mut layers: Vec<(Array3<A>, Array3<A>)> = Vec::new();
        for layer in 0..self.rnn.config().num_layers {
            let input = match layers.last() {
                Some((_, below)) => below * &factors[layer - 1],
                None => self.input.clone(),
            };
            let alone = self.layer(layer, input.len_of(Axis(2)))?;
            let (h_0, reset_state) =
                (self.of_layer(&self.h_0, layer), self.of_layer(&self.reset_state, layer));
            let run = alone.run(&input).state(&h_0).lengths(&self.lengths);
            let (output, _) = run.resets(&self.resets).reset_state(&reset_state).forward()?;
            layers.push((input, output));
        }
        Ok(layers)
    }

    fn backward(&self) -> TestResult<Found<A>> {
        let factors = self.factors()?;
        let layers = self.forward(&factors)?;
        let mut d_output = self.d_output.clone();
        let mut h_0 = self.d_h_n.clone();
        let mut cells = Vec::new();
        for (layer, (input, output)) in layers.iter().enumerate().rev() {
            let mut d_input = Array3::zeros(input.dim());
            let mut of_layer = Vec::new();
            for direction in 0..self.directions() {
                let one = OneDirection { plain: self, layer, direction, input, output };
                let d_sums = one.back(&d_output, &mut h_0, &mut d_input);
                of_layer.push(one.parameters(&d_sums));
            }
            cells.splice(0..0, of_layer);
            d_output = if layer > 0 { d_input * &factors[layer - 1] } else { d_input };
        }
        Ok(Found { input: d_output, h_0, cells })
    }
}

/// One direction of one layer.
struct OneDirection<'a, A: Scalar> {
    plain: &'a Plain<A>,
    layer: usize,
    direction: usize,
    input: &'a Array3<A>,
    output: &'a Array3<A>,
}

impl<A: Scalar> OneDirection<'_, A> {
    fn cell(&self) -> usize {
        self.layer * self.plain.directions() + self.direction
    }

    fn reverse(&self) -> bool {
        self.direction == 1
    }

    fn weights(&self) -> (&Array2<A>, &Array2<A>) {
        let direction = if self.reverse() { Direction::Reverse } else { Direction::Forward };
        let rnn = &self.plain.rnn;
        let weights = rnn
            .parameters()
            .weight_ih(self.layer, direction)
            .zip(rnn.parameters().weight_hh(self.layer, direction));
        weights.expect("the network has this layer")
    }

    /// Whether the state before step t, in the direction's own time, was replaced.
    fn is_reset(&self, t: usize, n: usize) -> bool {
        let border = if self.reverse() { t + 1 } else { t };
        border < self.plain.lengths[n] && self.plain.resets[[border, n]]
    }

    /// Element k of the state before step t in the direction's own time.
    fn previous(&self, t: usize, n: usize, k: usize) -> A {
        let hidden = self.plain.h_0.len_of(Axis(2));
        let before = if self.reverse() { Some(t + 1) } else { t.checked_sub(1) };
        match before.filter(|&before| before < self.plain.lengths[n]) {
            _ if self.is_reset(t, n) => self.plain.reset_state[[self.cell(), n, k]],
            Some(before) => self.output[[before, n, self.direction * hidden + k]],
            None => self.plain.h_0[[self.cell(), n, k]],
        }
    }

    /// Finds the gradient of every sum. `states` goes from h_n's gradient to h_0's; the input's gradient is added
    /// to `d_input`.
    fn back(&self, d_output: &Array3<A>, states: &mut Array3<A>, d_input: &mut Array3<A>) -> Array3<A> {
        let (_, batch, hidden) = states.dim();
        let mut d_sums = Array3::zeros((self.input.len_of(Axis(0)), batch, hidden));
        for n in 0..batch {
            let mut d_h: Vec<A> = (0..hidden).map(|j| states[[self.cell(), n, j]]).collect();
            for step in 0..self.plain.lengths[n] {
                let t = if self.reverse() { step } else { self.plain.lengths[n] - 1 - step };
                for (j, d_h) in d_h.iter().enumerate() {
                    let column = self.direction * hidden + j;
                    let d_h = *d_h + d_output[[t, n, column]];
                    d_sums[[t, n, j]] = self.derive(self.output[[t, n, column]], d_h);
                }
                d_h = self.through_weights((t, n), &d_sums, d_input);
            }
            d_h.iter().enumerate().for_each(|(j, &d_h)| states[[self.cell(), n, j]] = d_h);
        }
        d_sums
    }

    fn derive(&self, y: A, d_y: A) -> A {
        match self.plain.rnn.config().nonlinearity {
            Nonlinearity::Tanh => d_y * (-y).mul_add(y, A::one()),
            // A NaN passes it on, as in torch.
            Nonlinearity::Relu if y <= A::zero() => A::zero(),
            Nonlinearity::Relu => d_y,
        }
    }

    /// From the gradients of one row's sums to those of the state before, which are returned, and of the input:
    /// chains over the units in ascending order.
    fn through_weights(&self, (t, n): (usize, usize), d_sums: &Array3<A>, d_input: &mut Array3<A>) -> Vec<A> {
        let (weight_ih, weight_hh) = self.weights();
        let hidden = weight_hh.ncols();
        let mut d_h = vec![A::zero(); hidden];
        for j in 0..hidden {
            let d_sum = d_sums[[t, n, j]];
            for (k, d_h) in d_h.iter_mut().enumerate() {
                *d_h = d_sum.mul_add(weight_hh[[j, k]], *d_h);
            }
            for k in 0..weight_ih.ncols() {
                d_input[[t, n, k]] = d_sum.mul_add(weight_ih[[j, k]], d_input[[t, n, k]]);
            }
        }
        if self.is_reset(t, n) { vec![A::zero(); hidden] } else { d_h }
    }

    /// Sums over the rows in ascending order.
    fn parameters(&self, d_sums: &Array3<A>) -> (Array2<A>, Array2<A>, Array1<A>) {
        let (weight_ih, weight_hh) = self.weights();
        let mut d_ih = Array2::zeros(weight_ih.dim());
        let mut d_hh = Array2::zeros(weight_hh.dim());
        let mut d_bias = Array1::zeros(weight_hh.nrows());
        for (t, n) in self.plain.rows() {
            for j in 0..weight_hh.nrows() {
                let d_sum = d_sums[[t, n, j]];
                d_bias[j] += d_sum;
                for k in 0..weight_ih.ncols() {
                    d_ih[[j, k]] = d_sum.mul_add(self.input[[t, n, k]], d_ih[[j, k]]);
                }
                for k in 0..weight_hh.ncols() {
                    d_hh[[j, k]] = d_sum.mul_add(self.previous(t, n, k), d_hh[[j, k]]);
                }
            }
        }
        (d_ih, d_hh, d_bias)
    }
}

/// A caller's array as (L, N, features).
fn time_first<T: Clone>(array: ArrayD<T>, single: bool, config: &RnnConfig) -> TestResult<Array3<T>> {
    let mut array = if single { array.insert_axis(Axis(1)) } else { array };
    if config.batch_first && !single {
        array.swap_axes(0, 1);
    }
    Ok(array.into_dimensionality()?)
}

/// Every gradient that the loops find, in the order of `named`.
pub(crate) fn expected<A: Scalar, D: SequenceDim>(problem: &Problem<A, D>) -> TestResult<Vec<ArrayD<A>>> {
    let found = Plain::new(problem)?.backward()?;
    let config = problem.rnn.config();
    let mut all = Vec::new();
    for (d_ih, d_hh, d_bias) in found.cells {
        all.extend([d_ih.into_dyn(), d_hh.into_dyn()]);
        all.extend((0..2).filter(|_| config.bias).map(|_| d_bias.clone().into_dyn()));
    }
    let (mut input, mut h_0) = (found.input.into_dyn(), found.h_0.into_dyn());
    if is_single::<D>() {
        (input, h_0) = (input.index_axis_move(Axis(1), 0), h_0.index_axis_move(Axis(1), 0));
    } else if config.batch_first {
        input.swap_axes(0, 1);
    }
    all.extend([input, h_0]);
    Ok(all)
}
