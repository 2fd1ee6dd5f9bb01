//! A layer of a `Stacked`, of whatever kind.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayD, ArrayRef2, Ix2, Ix3};

use super::architecture::Architecture;
use super::bidirectional::{Bidirectional, BidirectionalTrace};
use super::call::{Arguments, Callable};
use super::layer::Layer;
use super::layer_pair::both;
use super::rows::Shown;
use super::seeds::SeedGenerator;
use super::train::Trace;
use crate::error::{Error, Result};
use crate::invariant::Invariant;
use crate::parameters::Parameters;
use crate::planes::Planes;
use crate::recurrent::Gradients;
use crate::scalar::Scalar;

/// A layer of a [`Stacked`](super::Stacked): a [`Layer`] or a [`Bidirectional`] of any kind, made of it by `into()`.
///
/// ```
/// use ndarray_rnn::keras::{Gru, GruConfig, Lstm, LstmConfig, Stacked, StackedLayer};
///
/// let layers: [StackedLayer; 2] =
///     [Lstm::zeros(LstmConfig::new(4, 3))?.into(), Gru::zeros(GruConfig::new(3, 2))?.into()];
/// assert_eq!(Stacked::new(layers)?.layers().len(), 2);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub struct StackedLayer<A: Scalar = f32>(pub(super) Box<dyn Member<A>>);

/// What a call in training mode leaves: the layer's own trace.
pub(super) type MemberTrace = Arc<dyn Any + Send + Sync>;

/// What a call leaves: outputs, the arrays of the final states, in training mode a trace.
type Called<A> = (ArrayD<A>, Vec<Array2<A>>, Option<MemberTrace>);

/// The arguments of a call; the states are lists of arrays, direction by direction, h before c.
pub(super) type MemberArguments<'a, A> = Arguments<'a, A, &'a [Array2<A>]>;

/// Gradients of the parameters by name, of the input, and of each array of the states.
pub(super) type MemberGradients<A> = Gradients<Vec<(String, ArrayD<A>)>, Array3<A>, Vec<Array2<A>>>;

/// What a stack wants of a layer, whatever its kind.
pub trait Member<A: Scalar>: Parameters<Elem = A> + Debug + Any + Send + Sync {
    /// Features of the input, and of the outputs.
    fn widths(&self) -> [usize; 2];

    /// The number of arrays of its states.
    fn planes(&self) -> usize;

    /// What dropout draws from, direction by direction.
    fn seed_generators(&self) -> Vec<SeedGenerator>;

    /// A call, with `seeds` in training mode.
    fn call(
        &self,
        arguments: MemberArguments<'_, A>,
        shown: Shown,
        seeds: Option<&mut [SeedGenerator]>,
    ) -> Result<Called<A>>;

    /// The way back.
    fn backward(
        &self,
        trace: &MemberTrace,
        d_output: &ArrayD<A>,
        d_states: Option<&[Array2<A>]>,
    ) -> Result<MemberGradients<A>>;

    /// A copy.
    fn copy(&self) -> Box<dyn Member<A>>;

    /// Whether another layer is of this kind and equal.
    fn equals(&self, other: &dyn Any) -> bool;
}

impl<A: Scalar, C: Architecture> Member<A> for Layer<C, A> {
    fn widths(&self) -> [usize; 2] {
        let options = self.config().options();
        [options.input_dim, options.units]
    }

    fn planes(&self) -> usize {
        planes::<C>()
    }

    fn seed_generators(&self) -> Vec<SeedGenerator> {
        vec![self.seed_generator()]
    }

    fn call(
        &self,
        arguments: MemberArguments<'_, A>,
        shown: Shown,
        seeds: Option<&mut [SeedGenerator]>,
    ) -> Result<Called<A>> {
        let (output, state, trace) =
            called(self, arguments.map_state(lent::<C, A>), shown, seeds.map(|seeds| &mut seeds[0]))?;
        Ok((output, listed::<C, A>([state]), trace))
    }

    fn backward(
        &self,
        trace: &MemberTrace,
        d_output: &ArrayD<A>,
        d_states: Option<&[Array2<A>]>,
    ) -> Result<MemberGradients<A>> {
        let trace: &Trace<C, A> = own(trace)?;
        let Gradients { parameters, input, state } =
            Layer::backward(self, trace, d_output, d_states.map(lent::<C, A>))?;
        Ok(Gradients { parameters: parameters.into_arrays(), input, state: listed::<C, A>([state]) })
    }

    fn copy(&self) -> Box<dyn Member<A>> {
        Box::new(self.clone())
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

impl<A: Scalar, C: Architecture> Member<A> for Bidirectional<A, C> {
    fn widths(&self) -> [usize; 2] {
        [self.forward_layer().config().options().input_dim, self.output_dim()]
    }

    fn planes(&self) -> usize {
        2 * planes::<C>()
    }

    fn seed_generators(&self) -> Vec<SeedGenerator> {
        Bidirectional::seed_generators(self).into()
    }

    fn call(
        &self,
        arguments: MemberArguments<'_, A>,
        shown: Shown,
        seeds: Option<&mut [SeedGenerator]>,
    ) -> Result<Called<A>> {
        let seeds = seeds.map(|seeds| seeds.try_into().invariant("a stack gives each direction a generator"));
        let (output, states, trace) = called(self, arguments.map_state(both_lent::<C, A>), shown, seeds)?;
        Ok((output, listed::<C, A>(states), trace))
    }

    fn backward(
        &self,
        trace: &MemberTrace,
        d_output: &ArrayD<A>,
        d_states: Option<&[Array2<A>]>,
    ) -> Result<MemberGradients<A>> {
        let trace: &BidirectionalTrace<A, C> = own(trace)?;
        let Gradients { parameters, input, state } =
            Bidirectional::backward(self, trace, d_output, d_states.map(both_lent::<C, A>))?;
        let parameters = both([parameters.forward.into_arrays(), parameters.backward.into_arrays()]);
        Ok(Gradients { parameters, input, state: listed::<C, A>(state) })
    }

    fn copy(&self) -> Box<dyn Member<A>> {
        Box::new(self.clone())
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

/// A model's call, its outputs with as many axes as `shown` says.
fn called<'a, A: Scalar, M>(
    model: &'a M,
    arguments: Arguments<'a, A, M::StateRef<'a>>,
    shown: Shown,
    seeds: Option<&mut M::Seeds>,
) -> Result<(ArrayD<A>, M::State, Option<MemberTrace>)>
where
    M: Callable<Elem = A, Output<Ix2> = Array2<A>, Output<Ix3> = Array3<A>, Trace: Any + Send + Sync>,
{
    let (output, state, trace) = match shown {
        Shown::Last => {
            let (output, state, trace) = model.run::<Ix2>(arguments, seeds)?;
            (output.into_dyn(), state, trace)
        }
        Shown::Every => {
            let (output, state, trace) = model.run::<Ix3>(arguments, seeds)?;
            (output.into_dyn(), state, trace)
        }
    };
    Ok((output, state, trace.map(|trace| Arc::new(trace) as MemberTrace)))
}

/// A layer's own trace.
fn own<T: Any>(trace: &MemberTrace) -> Result<&T> {
    trace.downcast_ref().ok_or_else(|| foreign("another kind of layer"))
}

/// A trace of another model.
pub(super) fn foreign(actual: &str) -> Error {
    Error::ForeignTrace { expected: "the same layers".into(), actual: actual.into() }
}

/// The number of arrays of a state.
fn planes<C: Architecture>() -> usize {
    1 + usize::from(C::CARRIES)
}

/// A state of one direction, from its arrays, as many as [`planes`] says.
fn lent<C: Architecture, A>(arrays: &[Array2<A>]) -> C::State<&ArrayRef2<A>> {
    C::state(Planes { h: &arrays[0], c: arrays.get(1).map(|c| &**c) })
}

/// The states of both directions.
fn both_lent<C: Architecture, A>(arrays: &[Array2<A>]) -> [C::State<&ArrayRef2<A>>; 2] {
    let (forward, backward) = arrays.split_at(planes::<C>());
    [lent::<C, A>(forward), lent::<C, A>(backward)]
}

/// The arrays of states.
fn listed<C: Architecture, A>(states: impl IntoIterator<Item = C::State<Array2<A>>>) -> Vec<Array2<A>> {
    states.into_iter().map(C::planes).flat_map(|planes| [planes.h].into_iter().chain(planes.c)).collect()
}

impl<A: Scalar> StackedLayer<A> {
    /// The layer itself, if it is of type `L`: a [`SimpleRnn`](super::SimpleRnn), say.
    #[must_use]
    pub fn downcast_ref<L: 'static>(&self) -> Option<&L> {
        let layer: &dyn Any = &*self.0;
        layer.downcast_ref()
    }
}

impl<A: Scalar> Clone for StackedLayer<A> {
    fn clone(&self) -> Self {
        Self(self.0.copy())
    }
}

impl<A: Scalar> PartialEq for StackedLayer<A> {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

impl<A: Scalar> Debug for StackedLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<A: Scalar, C: Architecture> From<Layer<C, A>> for StackedLayer<A> {
    fn from(layer: Layer<C, A>) -> Self {
        Self(Box::new(layer))
    }
}

impl<A: Scalar, C: Architecture> From<Bidirectional<A, C>> for StackedLayer<A> {
    fn from(layer: Bidirectional<A, C>) -> Self {
        Self(Box::new(layer))
    }
}
