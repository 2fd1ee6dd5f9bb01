//! Random networks of every kind, and ragged batches.

use std::ops::RangeInclusive;

use ndarray::{Array, Array2, Array3, ArrayRef, Axis, Dimension, ShapeBuilder};
use ndarray_rnn::{
    GruConfig, LstmConfig, Nonlinearity, Recurrent, Result, RnnConfig, Run, Scalar, manual_seed, random,
};
use proptest::prelude::*;
use rand::Rng;

use crate::common::TestResult;
use crate::common::kinds::{Network, Shape};
use crate::common::setup::for_all;

pub type Checked = std::result::Result<(), TestCaseError>;

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
pub type Bits = (Vec<usize>, Vec<u64>);

pub fn bits<A: Number, D: Dimension>(array: &ArrayRef<A, D>) -> Bits {
    (array.shape().to_vec(), array.iter().map(|x| x.bits()).collect())
}

/// The bits of arrays.
pub fn all_bits<A: Number, D: Dimension>(arrays: &[Array<A, D>]) -> Vec<Bits> {
    arrays.iter().map(|array| bits(array)).collect()
}

/// Sequence `n` of arrays whose second axis is of sequences.
pub fn of_sequence<A: Number>(arrays: &[Array3<A>], n: usize) -> Vec<Array2<A>> {
    arrays.iter().map(|array| array.index_axis(Axis(1), n).to_owned()).collect()
}

/// The bits of every plane of a state.
pub fn state_bits<C: Network, A: Number, D: Dimension>(state: C::State<Array<A, D>>) -> Vec<Bits> {
    all_bits(&C::split(state))
}

/// Kinds whose networks can be drawn.
pub trait Random: Network {
    fn configs() -> BoxedStrategy<Self>;
}

impl Random for RnnConfig {
    fn configs() -> BoxedStrategy<Self> {
        let nonlinearity = prop_oneof![Just(Nonlinearity::Tanh), Just(Nonlinearity::Relu)];
        let config = |(shape, nonlinearity)| Self::of(shape).nonlinearity(nonlinearity);
        (shapes(), nonlinearity).prop_map(config).boxed()
    }
}

impl Random for LstmConfig {
    fn configs() -> BoxedStrategy<Self> {
        shapes().prop_map(Self::of).boxed()
    }
}

impl Random for GruConfig {
    fn configs() -> BoxedStrategy<Self> {
        shapes().prop_map(Self::of).boxed()
    }
}

/// What a random batch is made of.
#[derive(Debug, Clone)]
pub struct Case<C> {
    pub config: C,
    /// The number of steps of the padded array.
    pub len: usize,
    pub lengths: Vec<usize>,
    /// Whether there is a first state.
    pub first: bool,
    /// By chance one step in so many begins anew; no step if `None`.
    pub resets: Option<u32>,
    /// Whether resets set a state of their own.
    pub reset_state: bool,
    pub padding: f64,
    /// How the arrays lie in memory.
    pub layout: usize,
    pub seed: u32,
}

/// Shapes of which half would project.
fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = (1_usize..=20, 1_usize..=20, 1_usize..=3, 0_usize..20);
    (sizes, any::<[bool; 4]>()).prop_map(
        |((input_size, hidden_size, num_layers, proj), [bias, batch_first, bidirectional, projects])| {
            let proj_size = if projects { proj % hidden_size } else { 0 };
            let plain = Shape::new(input_size, hidden_size);
            Shape { proj_size, num_layers, bias, batch_first, bidirectional, ..plain }
        },
    )
}

/// Lengths for some number of sequences, and a number of steps that none exceeds.
fn ragged(batch: RangeInclusive<usize>) -> impl Strategy<Value = (usize, Vec<usize>)> {
    (1_usize..=12).prop_flat_map(move |len| (Just(len), prop::collection::vec(0..=len, batch.clone())))
}

/// Draws cases with every option.
pub fn cases<C: Random>() -> impl Strategy<Value = Case<C>> {
    let padding = prop_oneof![Just(0.0), Just(-0.0), Just(7.5), Just(f64::NAN)];
    let options = (any::<[bool; 2]>(), prop::option::of(1_u32..6), padding, 0_usize..4, any::<u32>());
    (C::configs(), ragged(0..=6), options).prop_map(
        |(config, (len, lengths), ([first, reset_state], resets, padding, layout, seed))| Case {
            config,
            len,
            lengths,
            first,
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
pub struct Batch<C: Network, A: Scalar> {
    pub network: Recurrent<C, A>,
    pub len: usize,
    pub lengths: Vec<usize>,
    /// Each sequence without padding: (its length, input_size).
    pub sequences: Vec<Array2<A>>,
    /// The sequences side by side, shaped as the network takes them, with NaN in all padding.
    pub input: Array3<A>,
    /// The planes of the first state.
    pub first: Option<Vec<Array3<A>>>,
    /// Where sequences begin anew, (L, N).
    pub starts: Option<Array2<bool>>,
    /// The same mask, shaped as the network takes it.
    pub mask: Option<Array2<bool>>,
    pub reset_state: Option<Vec<Array3<A>>>,
    pub padding: A,
}

impl<C: Network> Case<C> {
    pub fn without_resets(&self) -> Self {
        Self { resets: None, ..self.clone() }
    }

    pub fn batch<A: Number>(&self) -> Result<Batch<C, A>> {
        let (mut rng, shape) = (manual_seed(self.seed), self.config.shape());
        let network = Recurrent::new(self.config.clone(), &mut rng)?;
        let mut sequences = Vec::new();
        for &length in &self.lengths {
            sequences.push(numbers([length, shape.input_size], &mut rng)?);
        }
        let rows = shape.num_layers * shape.directions();
        let mut state = || -> Result<Vec<_>> {
            let widths = shape.widths::<C>().into_iter();
            widths.map(|width| numbers([rows, self.lengths.len(), width], &mut rng)).collect()
        };
        let (first, reset_state) = (state()?, state()?);
        let starts = self.resets.map(|every| {
            let shape = (self.len, self.lengths.len());
            Array2::from_shape_simple_fn(shape, || rng.next_u32().is_multiple_of(every))
        });
        let input = self.arranged(self.padded(&sequences));
        let mask = starts.clone().map(|starts| self.laid_out(self.axes(starts)));
        let state = |planes: Vec<_>, wanted: bool| {
            wanted.then(|| planes.into_iter().map(|plane| self.laid_out(plane)).collect())
        };
        Ok(Batch {
            network,
            len: self.len,
            lengths: self.lengths.clone(),
            sequences,
            input,
            first: state(first, self.first),
            starts,
            mask,
            reset_state: state(reset_state, self.reset_state),
            padding: A::number(self.padding),
        })
    }

    /// The sequences side by side, (L, N, input_size).
    fn padded<A: Number>(&self, sequences: &[Array2<A>]) -> Array3<A> {
        let shape = (self.len, sequences.len(), self.config.shape().input_size);
        Array3::from_shape_fn(shape, |(t, n, i)| *sequences[n].get((t, i)).unwrap_or(&A::number(f64::NAN)))
    }

    /// As the caller passes it.
    fn arranged<A: Number>(&self, array: Array3<A>) -> Array3<A> {
        self.laid_out(self.axes(array))
    }

    /// Turns (L, N, ..) into the shape that the network takes.
    fn axes<T, D: Dimension>(&self, mut array: Array<T, D>) -> Array<T, D> {
        if self.config.shape().batch_first {
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

/// Runs a check on cases: always the same ones, unless PROPTEST_RNG_SEED says otherwise.
pub fn for_cases<C: Random>(check: impl Fn(&Case<C>) -> Checked) -> TestResult {
    for_all(100, cases::<C>(), |case| check(&case))
}

/// Makes `#[test]`s of generic functions, one for each kind of network: `rnn::name`, `lstm::name`, `gru::name`.
macro_rules! in_every_kind {
    ($($name:ident),+ $(,)?) => {
        mod rnn {
            $(#[test] fn $name() -> crate::common::TestResult { super::$name::<ndarray_rnn::RnnConfig>() })+
        }
        mod lstm {
            $(#[test] fn $name() -> crate::common::TestResult { super::$name::<ndarray_rnn::LstmConfig>() })+
        }
        mod gru {
            $(#[test] fn $name() -> crate::common::TestResult { super::$name::<ndarray_rnn::GruConfig>() })+
        }
    };
}
pub(crate) use in_every_kind;

/// Makes `#[test]`s of checks of a case, for each kind of network and both types: `of_cases::rnn::name` and so on.
macro_rules! of_cases {
    ($($name:ident),+ $(,)?) => {
        mod of_cases {
            $(fn $name<C: crate::case::Random>() -> crate::common::TestResult {
                crate::case::for_cases::<C>(|case| {
                    super::$name::<C, f32>(case)?;
                    super::$name::<C, f64>(case)
                })
            })+
            crate::case::in_every_kind!($($name),+);
        }
    };
}
pub(crate) use of_cases;

/// Numbers from (-1, 1).
pub fn numbers<A: Number, D: Dimension, R: Rng>(
    shape: impl ndarray::IntoDimension<Dim = D>,
    rng: &mut R,
) -> Result<Array<A, D>> {
    let mut array = Array::zeros(shape.into_dimension());
    random::uniform(&mut array, -1.0, 1.0, rng)?;
    Ok(array)
}

impl<C: Network, A: Number> Batch<C, A> {
    pub fn shape(&self) -> Shape {
        self.network.config().shape()
    }

    /// A run with every option that the batch has.
    pub fn run(&self) -> Run<'_, C, A, Array3<A>> {
        self.with_states(self.network.run(&self.input).lengths(&self.lengths).padding_value(self.padding))
    }

    /// A run over the batch's input with the batch's states and resets, too.
    pub fn with_states<'a>(&'a self, run: Run<'a, C, A, Array3<A>>) -> Run<'a, C, A, Array3<A>> {
        let run = self.first.iter().fold(run, |run, state| run.state(C::lend(state)));
        let run = self.mask.iter().fold(run, |run, mask| run.resets(mask));
        self.reset_state.iter().fold(run, |run, state| run.reset_state(C::lend(state)))
    }

    /// The planes of the first states, (layers x directions, N, width).
    pub fn first_state(&self) -> Vec<Array3<A>> {
        self.state(self.first.as_ref())
    }

    /// The planes of the states that resets set.
    pub fn new_state(&self) -> Vec<Array3<A>> {
        self.state(self.reset_state.as_ref())
    }

    fn state(&self, state: Option<&Vec<Array3<A>>>) -> Vec<Array3<A>> {
        let shape = self.shape();
        let rows = shape.num_layers * shape.directions();
        let zeros = |width| Array3::zeros((rows, self.lengths.len(), width));
        state.cloned().unwrap_or_else(|| shape.widths::<C>().into_iter().map(zeros).collect())
    }

    /// Turns (L, N, ..) into the shape that the network returns.
    pub fn axes(&self, mut array: Array3<A>) -> Array3<A> {
        if self.shape().batch_first {
            array.swap_axes(0, 1);
        }
        array
    }
}
