//! Random networks and ragged batches.

use std::ops::RangeInclusive;

use ndarray::{Array, Array2, Array3, ArrayRef, Axis, Dimension, ShapeBuilder};
use ndarray_rnn::{Nonlinearity, Result, Rnn, RnnConfig, Run, Scalar, manual_seed, random};
use proptest::prelude::*;
use rand::Rng;

/// A number whose bits can be compared.
pub trait Number: Scalar {
    fn bits(self) -> u64;
    fn number(value: f64) -> Self;
}

impl Number for f32 {
    fn bits(self) -> u64 {
        self.to_bits().into()
    }

    fn number(value: f64) -> Self {
        value as Self
    }
}

impl Number for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }

    fn number(value: f64) -> Self {
        value
    }
}

/// The shape and bits of an array: equal only if the arrays are, NaN and the sign of zero too.
pub fn bits<A: Number, D: Dimension>(array: &ArrayRef<A, D>) -> (Vec<usize>, Vec<u64>) {
    (array.shape().to_vec(), array.iter().map(|x| x.bits()).collect())
}

/// What a random batch is made of.
#[derive(Debug, Clone)]
pub struct Case {
    pub config: RnnConfig,
    /// The number of steps of the padded array.
    pub len: usize,
    pub lengths: Vec<usize>,
    /// Whether there is an h_0.
    pub h_0: bool,
    /// By chance one step in so many begins anew; no step if `None`.
    pub resets: Option<u32>,
    /// Whether resets set a state of their own.
    pub reset_state: bool,
    pub padding: f64,
    /// How the arrays lie in memory.
    pub layout: usize,
    pub seed: u32,
}

pub fn configs() -> impl Strategy<Value = RnnConfig> {
    let nonlinearity = prop_oneof![Just(Nonlinearity::Tanh), Just(Nonlinearity::Relu)];
    let sizes = (1_usize..=20, 1_usize..=20, 1_usize..=3);
    (sizes, nonlinearity, any::<[bool; 3]>()).prop_map(
        |((input, hidden, layers), nonlinearity, [bias, batch_first, bidirectional])| {
            let config = RnnConfig::new(input, hidden).num_layers(layers).nonlinearity(nonlinearity);
            config.bias(bias).batch_first(batch_first).bidirectional(bidirectional)
        },
    )
}

/// Lengths for some number of sequences, and a number of steps that none exceeds.
fn ragged(batch: RangeInclusive<usize>) -> impl Strategy<Value = (usize, Vec<usize>)> {
    (1_usize..=12).prop_flat_map(move |len| (Just(len), prop::collection::vec(0..=len, batch.clone())))
}

/// Draws cases with every option.
pub fn cases() -> impl Strategy<Value = Case> {
    let padding = prop_oneof![Just(0.0), Just(-0.0), Just(7.5), Just(f64::NAN)];
    let options = (any::<[bool; 2]>(), prop::option::of(1_u32..6), padding, 0_usize..4, any::<u32>());
    (configs(), ragged(0..=6), options).prop_map(
        |(config, (len, lengths), ([h_0, reset_state], resets, padding, layout, seed))| Case {
            config,
            len,
            lengths,
            h_0,
            resets,
            reset_state,
            padding,
            layout,
            seed,
        },
    )
}

/// A network and a batch for it.
#[derive(Debug)]
pub struct Batch<A: Scalar> {
    pub rnn: Rnn<A>,
    pub len: usize,
    pub lengths: Vec<usize>,
    /// Each sequence without padding: (its length, input_size).
    pub sequences: Vec<Array2<A>>,
    /// The sequences side by side, shaped as the network takes them, with NaN in all padding.
    pub input: Array3<A>,
    pub h_0: Option<Array3<A>>,
    /// Where sequences begin anew, (L, N).
    pub starts: Option<Array2<bool>>,
    /// The same mask, shaped as the network takes it.
    pub mask: Option<Array2<bool>>,
    pub reset_state: Option<Array3<A>>,
    pub padding: A,
}

impl Case {
    pub fn batch<A: Number>(&self) -> Result<Batch<A>> {
        let mut rng = manual_seed(self.seed);
        let rnn = Rnn::new(self.config.clone(), &mut rng)?;
        let mut sequences = Vec::new();
        for &length in &self.lengths {
            sequences.push(numbers([length, self.config.input_size], &mut rng)?);
        }
        let layers = self.config.num_layers * self.config.num_directions();
        let mut state = || numbers([layers, self.lengths.len(), self.config.hidden_size], &mut rng);
        let (h_0, reset_state) = (state()?, state()?);
        let starts = self.resets.map(|every| {
            let shape = (self.len, self.lengths.len());
            Array2::from_shape_simple_fn(shape, || rng.next_u32().is_multiple_of(every))
        });
        let input = self.arranged(self.padded(&sequences));
        let mask = starts.clone().map(|starts| self.laid_out(self.axes(starts)));
        let state = |array, wanted: bool| wanted.then(|| self.laid_out(array));
        Ok(Batch {
            rnn,
            len: self.len,
            lengths: self.lengths.clone(),
            sequences,
            input,
            h_0: state(h_0, self.h_0),
            starts,
            mask,
            reset_state: state(reset_state, self.reset_state),
            padding: A::number(self.padding),
        })
    }

    /// The sequences side by side, (L, N, input_size).
    fn padded<A: Number>(&self, sequences: &[Array2<A>]) -> Array3<A> {
        let shape = (self.len, sequences.len(), self.config.input_size);
        Array3::from_shape_fn(shape, |(t, n, i)| *sequences[n].get((t, i)).unwrap_or(&A::number(f64::NAN)))
    }

    /// As the caller passes it.
    fn arranged<A: Number>(&self, array: Array3<A>) -> Array3<A> {
        self.laid_out(self.axes(array))
    }

    /// Turns (L, N, ..) into the shape that the network takes.
    fn axes<T, D: Dimension>(&self, mut array: Array<T, D>) -> Array<T, D> {
        if self.config.batch_first {
            array.swap_axes(0, 1);
        }
        array
    }

    /// The same array laid out otherwise in memory: in order, first axis first, or with an axis backwards.
    fn laid_out<T: Clone + Default, D: Dimension>(&self, array: Array<T, D>) -> Array<T, D> {
        let shape = array.raw_dim();
        let mut other = match self.layout {
            0 => return array,
            1 => Array::default(shape.f()),
            _ => Array::default(shape),
        };
        if self.layout > 1 {
            other.invert_axis(Axis(self.layout - 2));
        }
        other.assign(&array);
        other
    }
}

/// Numbers from (-1, 1).
fn numbers<A: Number, D: Dimension, R: Rng>(
    shape: impl ndarray::IntoDimension<Dim = D>,
    rng: &mut R,
) -> Result<Array<A, D>> {
    let mut array = Array::zeros(shape.into_dimension());
    random::uniform(&mut array, -1.0, 1.0, rng)?;
    Ok(array)
}

impl<A: Number> Batch<A> {
    /// A run with every option that the batch has.
    pub fn run(&self) -> Run<'_, RnnConfig, A, Array3<A>> {
        let run = self.rnn.run(&self.input).lengths(&self.lengths).padding_value(self.padding);
        let run = self.h_0.iter().fold(run, |run, h_0| run.state(h_0));
        let run = self.mask.iter().fold(run, |run, mask| run.resets(mask));
        self.reset_state.iter().fold(run, |run, state| run.reset_state(state))
    }

    /// The first states, (layers x directions, N, hidden).
    pub fn first_state(&self) -> Array3<A> {
        self.state(self.h_0.as_ref())
    }

    /// The states that resets set.
    pub fn new_state(&self) -> Array3<A> {
        self.state(self.reset_state.as_ref())
    }

    fn state(&self, state: Option<&Array3<A>>) -> Array3<A> {
        let config = self.rnn.config();
        let shape = (config.num_layers * config.num_directions(), self.lengths.len(), config.hidden_size);
        state.cloned().unwrap_or_else(|| Array3::zeros(shape))
    }

    /// Turns (L, N, ..) into the shape that the network returns.
    pub fn axes(&self, mut array: Array3<A>) -> Array3<A> {
        if self.rnn.config().batch_first {
            array.swap_axes(0, 1);
        }
        array
    }
}
