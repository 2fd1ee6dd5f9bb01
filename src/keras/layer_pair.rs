//! Two layers, one in each direction of time, whose outputs stay apart.

use ndarray::{
    Array, Array2, Array3, ArrayRef, ArrayRef2, ArrayRef3, ArrayViewD, ArrayViewMutD, Axis, Dimension,
};

use super::architecture::Architecture;
use super::call::{Arguments, Call, Callable, Returned};
use super::layer::Layer;
use super::parameters::LayerParameters;
use super::rows::Shown;
use super::seeds::SeedGenerator;
use super::simple_rnn::SimpleRnnConfig;
use super::train::Trace;
use crate::arrays::try_standard;
use crate::error::Result;
use crate::parameters::{Parameters, Trainable, joined};
use crate::recurrent::Gradients;
use crate::scalar::Scalar;

/// The two layers of a [`Bidirectional`](super::Bidirectional), called without merging their outputs: Keras's
/// `merge_mode=None`. Made by [`Bidirectional::layers`](super::Bidirectional::layers).
///
/// A call returns the forward and the backward layer's outputs, both in the order of time. Options, states, traces and
/// gradients are those of a `Bidirectional`.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, Bidirectional, MergeMode, SimpleRnnConfig};
///
/// let mut rng = keras::set_random_seed(0);
/// let both = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 2), MergeMode::Concat, &mut rng)?;
/// let (input, pair) = (Array3::ones((3, 5, 4)), both.layers());
/// let ([forward, backward], _, traces) = pair.call(&input).last_train(&mut both.seed_generators())?;
/// let gradients = pair.backward(&traces, [&forward, &backward], None)?;   // of half the sum of squares
/// assert_eq!(gradients.input.dim(), (3, 5, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPair<A: Scalar = f32, C: Architecture = SimpleRnnConfig> {
    pub(super) forward: Layer<C, A>,
    pub(super) backward: Layer<C, A>,
}

/// The parameters of a [`Bidirectional`](super::Bidirectional), or their gradient: `forward.kernel`, ...,
/// `backward.kernel`, ..., in the order of Keras's `get_weights`.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Bidirectional, BidirectionalParameters, MergeMode, SimpleRnnConfig, set_random_seed};
///
/// let layer = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 2), MergeMode::Sum, &mut set_random_seed(0))?;
/// let input = Array3::ones((3, 5, 4));
/// let (last, _, trace) = layer.call(&input).last_train(&mut layer.seed_generators())?;
/// let parameters: BidirectionalParameters<f32> = layer.backward(&trace, &last, None)?.parameters;
/// assert_eq!(parameters.backward.kernel().dim(), (4, 2));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BidirectionalParameters<A, C: Architecture = SimpleRnnConfig> {
    /// Of the forward layer.
    pub forward: LayerParameters<C, A>,
    /// Of the backward layer.
    pub backward: LayerParameters<C, A>,
}

/// The final states of two layers.
pub(super) type PairState<C, A> = [<C as Architecture>::State<Array2<A>>; 2];

/// The states of two layers, lent.
pub(super) type PairStateRef<'a, C, A> = [<C as Architecture>::State<&'a ArrayRef2<A>>; 2];

/// The gradients of a loss with respect to what a call of a [`Bidirectional`](super::Bidirectional) read.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Bidirectional, BidirectionalGradients, MergeMode, SimpleRnnConfig, set_random_seed};
///
/// let layer = Bidirectional::<f32>::new(SimpleRnnConfig::new(4, 2), MergeMode::Sum, &mut set_random_seed(0))?;
/// let input = Array3::ones((3, 5, 4));
/// let (last, _, trace) = layer.call(&input).last_train(&mut layer.seed_generators())?;
/// let gradients: BidirectionalGradients<f32> = layer.backward(&trace, &last, None)?;
/// let [forward, backward] = gradients.state;
/// assert_eq!((forward.dim(), backward.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub type BidirectionalGradients<A, C = SimpleRnnConfig> =
    Gradients<BidirectionalParameters<A, C>, Array3<A>, PairState<C, A>>;

/// The arguments of two layers.
pub(super) type PairArguments<'a, C, A> = Arguments<'a, A, PairStateRef<'a, C, A>>;

impl<A: Scalar, C: Architecture> LayerPair<A, C> {
    /// The forward and the backward layer.
    pub(crate) fn directions(&self) -> [&Layer<C, A>; 2] {
        [&self.forward, &self.backward]
    }

    /// A call with options. See [`Call`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> Call<'a, Self> {
        Call::new(self, input)
    }

    /// The gradients of a loss, from those with respect to each layer's outputs and, if the loss reads them, the final
    /// states; as [`Layer::backward`].
    ///
    /// # Errors
    /// As [`Layer::backward`].
    pub fn backward<D: Dimension>(
        &self,
        [first, second]: &[Trace<C, A>; 2],
        [d_forward, d_backward]: [&ArrayRef<A, D>; 2],
        d_states: Option<[C::State<&ArrayRef2<A>>; 2]>,
    ) -> Result<BidirectionalGradients<A, C>> {
        let [d_first, d_second] = each(d_states);
        let first = self.forward.backward(first, d_forward, d_first)?;
        let second = self.backward.backward(second, &flipped("d_output", d_backward)?, d_second)?;
        Ok(Gradients {
            parameters: BidirectionalParameters { forward: first.parameters, backward: second.parameters },
            input: first.input + second.input,
            state: [first.state, second.state],
        })
    }
}

/// The arrays of both directions under their names.
pub(super) fn both<T>([forward, backward]: [Vec<(String, T)>; 2]) -> Vec<(String, T)> {
    joined([("forward", forward), ("backward", backward)])
}

/// The two of a pair that may be missing.
fn each<S>(pair: Option<[S; 2]>) -> [Option<S>; 2] {
    pair.map_or([None, None], |pair| pair.map(Some))
}

/// The outputs of every step, called `name`, with time turned round; the last outputs as they are.
fn flipped<A: Scalar, D: Dimension>(name: &str, outputs: &ArrayRef<A, D>) -> Result<Array<A, D>> {
    let mut turned = outputs.view();
    if outputs.ndim() == 3 {
        turned.invert_axis(Axis(1));
    }
    try_standard(name, &turned)
}

impl<A: Scalar, C: Architecture> Callable for LayerPair<A, C> {
    type Elem = A;
    type Output<D: Dimension> = [Array<A, D>; 2];
    type State = PairState<C, A>;
    type StateRef<'a> = PairStateRef<'a, C, A>;
    type Seeds = [SeedGenerator; 2];
    type Trace = [Trace<C, A>; 2];

    fn run<'a, D: Dimension>(
        &'a self,
        pair: PairArguments<'a, C, A>,
        seeds: Option<&mut [SeedGenerator; 2]>,
    ) -> Result<Returned<Self, D>> {
        let Arguments { input, mask, initial_state, .. } = pair;
        // Keras's wrapper sets the layers' zero_output_for_mask to return_sequences.
        let zero_output_for_mask = Some(Shown::of::<D>() == Shown::Every);
        let [first, second] = each(initial_state).map(|initial_state| Arguments {
            input,
            mask,
            initial_state,
            zero_output_for_mask,
        });
        let mut drawn = seeds.as_deref().cloned();
        let [first_seeds, second_seeds] = each(drawn.as_mut().map(|drawn| drawn.each_mut()));
        let (forward, first, first_trace) = self.forward.run(first, first_seeds)?;
        let (backward, second, second_trace) = self.backward.run::<D>(second, second_seeds)?;
        if let (Some(seeds), Some(drawn)) = (seeds, drawn) {
            *seeds = drawn;
        }
        let traces = first_trace.zip(second_trace).map(<[_; 2]>::from);
        Ok(([forward, flipped("output", &backward)?], [first, second], traces))
    }
}

/// The parameters of both members.
macro_rules! parameters_of_both {
    ($($pair:ident),*) => {
        $(impl<A: Scalar, C: Architecture> Parameters for $pair<A, C> {
            type Elem = A;

            fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
                both([self.forward.named_parameters(), self.backward.named_parameters()])
            }

            fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
                both([self.forward.named_parameters_mut(), self.backward.named_parameters_mut()])
            }
        })*
    };
}

parameters_of_both!(LayerPair, BidirectionalParameters);

impl<A: Scalar, C: Architecture> Trainable for LayerPair<A, C> {
    type Gradient = BidirectionalParameters<A, C>;

    fn zeros_like(&self) -> BidirectionalParameters<A, C> {
        let [forward, backward] = [&self.forward, &self.backward].map(Layer::zeros_like);
        BidirectionalParameters { forward, backward }
    }
}
