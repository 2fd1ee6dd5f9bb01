//! A network, what it runs over, and the gradient that comes back: numbers from a seed.

use std::cmp::Reverse;

use ndarray::{Array, Array2, Array3, Array4, ArrayRef, Dimension, IntoDimension};

use super::Oracle;
use crate::error::Result;
use crate::planes::Planes;
use crate::recurrent::architecture::{Kind, Sizes};
use crate::recurrent::parameters::CellParameters;
use crate::recurrent::{Direction, Recurrent};
use crate::scalar::Scalar;
use crate::{manual_seed, random};

/// The seed of the dropout between layers.
pub const DROPOUT: i128 = 7;

/// One layer of some units without projection, in one direction, with biases.
pub fn sizes(input_size: usize, hidden_size: usize) -> Sizes {
    let (bias, batch_first, dropout) = (true, false, 0.0);
    let (proj_size, num_layers, num_directions) = (0, 1, 1);
    Sizes { input_size, hidden_size, proj_size, num_layers, num_directions, bias, batch_first, dropout }
}

/// Everything that a pass forwards and back reads. Time is first, sequences are in the caller's order.
#[derive(Debug, Clone)]
pub struct Problem<K: Oracle, A: Scalar> {
    pub network: Recurrent<K, A>,
    pub input: Array3<A>,
    /// Planes of (directions of all layers, N, width), as all states below.
    pub state: Planes<Array3<A>>,
    pub lengths: Vec<usize>,
    pub resets: Array2<bool>,
    pub reset_state: Planes<Array3<A>>,
    /// The dropout factors behind every layer but the last.
    pub between: Vec<Array3<A>>,
    /// The recurrent dropout's factors, (directions of all layers, masks, N, features); no masks if there is none.
    pub masks: Array4<A>,
    pub d_output: Array3<A>,
    pub d_state: Planes<Array3<A>>,
}

/// Numbers between -1 and 1.
pub fn numbers<A: Scalar, D: Dimension>(shape: impl IntoDimension<Dim = D>, seed: i128) -> Array<A, D> {
    let mut array = Array::zeros(shape.into_dimension());
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(seed)).expect("these are a range");
    array
}

/// Planes of numbers from two seeds.
fn state_of<A: Scalar>(shapes: Planes<[usize; 3]>, seed: i128) -> Planes<Array3<A>> {
    Planes { h: numbers(shapes.h, seed), c: shapes.c.map(|shape| numbers(shape, seed + 1)) }
}

/// A state, as arguments are passed.
pub fn lent<C: Kind, A, D: Dimension>(state: &Planes<Array<A, D>>) -> C::State<&ArrayRef<A, D>> {
    C::state(state.as_ref().map(|plane| &**plane))
}

impl<K: Oracle, A: Scalar> Problem<K, A> {
    /// `batch` sequences of `len` steps each, without resets.
    pub fn new(sizes: Sizes, len: usize, batch: usize) -> Result<Self> {
        let network = Recurrent::new(K::of_sizes(&sizes), &mut manual_seed(1))?;
        let count = sizes.num_layers * sizes.num_directions;
        let width = sizes.num_directions * sizes.features();
        let shapes = sizes.state_shapes::<K>(batch);
        let mut problem = Self {
            network,
            input: numbers((len, batch, sizes.input_size), 2),
            state: state_of(shapes, 10),
            lengths: vec![len; batch],
            resets: Array2::from_elem((len, batch), false),
            reset_state: shapes.map(Array3::zeros),
            between: Vec::new(),
            masks: Array4::zeros((count, 0, batch, sizes.features())),
            d_output: numbers((len, batch, width), 3),
            d_state: state_of(shapes, 30),
        };
        problem.draw_dropout()?;
        Ok(problem)
    }

    pub fn sizes(&self) -> Sizes {
        self.network.config().sizes()
    }

    /// With sequences of any lengths, the third, if there is one, of none.
    pub fn ragged(mut self) -> Result<Self> {
        let (len, batch, _) = self.input.dim();
        self.lengths = (0..batch).map(|n| if n == 2 { 0 } else { len - 5 * n % len }).collect();
        self.draw_dropout()?;
        Ok(self)
    }

    /// With sequences that begin anew here and there, the first at its first step and its last.
    pub fn with_resets(mut self) -> Self {
        let (len, batch, _) = self.input.dim();
        self.resets = Array2::from_shape_fn((len, batch), |(t, n)| match n {
            0 => t == 0 || t + 1 == len,
            _ => (t + 2 * n) % 3 == 0,
        });
        self
    }

    /// With states of their own to begin anew with.
    pub fn with_reset_state(mut self) -> Self {
        self.reset_state = state_of(self.sizes().state_shapes::<K>(self.lengths.len()), 40);
        self
    }

    /// With so many masks of the hidden state.
    pub fn with_masks(mut self, count: usize) -> Self {
        let (directions, _, batch, features) = self.masks.dim();
        self.masks = numbers((directions, count, batch, features), 50);
        self
    }

    /// The sequences of one step or more, the longest first.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.lengths.len()).filter(|&n| self.lengths[n] > 0).collect();
        order.sort_by_key(|&n| Reverse(self.lengths[n]));
        order
    }

    /// The parameters of one direction.
    pub fn cell(&self, layer: usize, direction: usize) -> &CellParameters<A> {
        let direction = if direction == 1 { Direction::Reverse } else { Direction::Forward };
        self.network.parameters().cell(layer, direction).expect("the network has this layer")
    }

    /// Whether a sequence begins anew before step t, in a direction's own time.
    pub fn begins_anew(&self, direction: usize, t: usize, n: usize) -> bool {
        let border = t + direction;
        border < self.lengths[n] && self.resets[[border, n]]
    }

    /// The steps of a sequence in a direction's own time.
    pub fn times(&self, direction: usize, n: usize) -> Vec<usize> {
        let times = 0..self.lengths[n];
        if direction == 1 { times.rev().collect() } else { times.collect() }
    }

    /// Dropout as the public pass draws it: by layer, then step, then sequence, the longest first.
    fn draw_dropout(&mut self) -> Result<()> {
        let Sizes { dropout, num_layers, .. } = self.sizes();
        let (len, batch, width) = self.d_output.dim();
        let (mut rng, order) = (manual_seed(DROPOUT), self.order());
        self.between = vec![Array3::from_elem((len, batch, width), A::one()); num_layers - 1];
        let kept = A::one() / A::from_f64(1.0 - dropout);
        for factors in self.between.iter_mut().filter(|_| dropout > 0.0) {
            for (t, &n) in (0..len).flat_map(|t| order.iter().map(move |n| (t, n))) {
                for k in (0..width).filter(|_| t < self.lengths[n]) {
                    let keep = random::bernoulli(1.0 - dropout, &mut rng)?;
                    factors[[t, n, k]] = if keep { kept } else { A::zero() };
                }
            }
        }
        Ok(())
    }
}
