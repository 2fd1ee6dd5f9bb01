//! A layer of a `Stacked`: of one direction or of both.

use ndarray::{Array, Array2, Array3, ArrayRef, ArrayRef2, ArrayRef3, ArrayViewD, ArrayViewMutD};

use super::bidirectional::{Bidirectional, BidirectionalTrace};
use super::both::BidirectionalParameters;
use super::layer::SimpleRnn;
use super::merge::MergeMode;
use super::parameters::SimpleRnnParameters;
use super::returns::Returns;
use super::seeds::SeedGenerator;
use super::state::State;
use super::train::{Gradients, Trace};
use crate::error::{Error, Result};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// A layer of a [`Stacked`](super::Stacked).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "models have few layers")]
pub enum Layer<A: Scalar = f32> {
    /// One direction.
    SimpleRnn(SimpleRnn<A>),
    /// Both.
    Bidirectional(Bidirectional<A>),
}

/// The gradient of a [`Layer`]'s parameters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LayerParameters<A> {
    /// Of one direction.
    SimpleRnn(SimpleRnnParameters<A>),
    /// Of both.
    Bidirectional(BidirectionalParameters<A>),
}

/// What a layer's call in training mode leaves.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "models have few layers")]
pub(super) enum LayerTrace<A, R: Returns> {
    SimpleRnn(Trace<A, R>),
    Bidirectional(BidirectionalTrace<A, R>),
}

/// What a layer is called with.
#[derive(Debug)]
pub(super) struct Arguments<'a, A: Scalar> {
    pub(super) input: &'a ArrayRef3<A>,
    pub(super) mask: Option<&'a ArrayRef2<bool>>,
    /// One for each direction, or none.
    pub(super) states: Option<&'a mut [State<A>]>,
}

impl<A: Scalar> Layer<A> {
    /// The layer of each direction.
    pub(super) fn directions(&self) -> Vec<&SimpleRnn<A>> {
        match self {
            Self::SimpleRnn(layer) => vec![layer],
            Self::Bidirectional(layer) => vec![layer.forward_layer(), layer.backward_layer()],
        }
    }

    pub(super) fn input_dim(&self) -> usize {
        self.directions()[0].config().input_dim
    }

    /// The width of the outputs.
    pub(super) fn output_dim(&self) -> usize {
        let mut units = self.directions().into_iter().map(|layer| layer.config().units);
        match self {
            Self::Bidirectional(layer) if layer.merge_mode() == MergeMode::Concat => units.sum(),
            _ => units.next().unwrap_or_default(),
        }
    }

    pub(super) fn forward<R: Returns>(&self, arguments: Arguments<'_, A>) -> Result<Array<A, R::Dim>> {
        let Arguments { input, mask, states } = arguments;
        Ok(match self {
            Self::SimpleRnn(layer) => {
                let call = layer.call(input).given(mask, first(states));
                R::parts(call.returning::<R>().forward()?).0
            }
            Self::Bidirectional(layer) => {
                let call = layer.call(input).given(mask, both(states));
                R::parts(call.returning::<R>().forward()?).0
            }
        })
    }

    pub(super) fn forward_train<R: Returns>(
        &self,
        arguments: Arguments<'_, A>,
        seeds: &mut [SeedGenerator],
    ) -> Result<(Array<A, R::Dim>, LayerTrace<A, R>)> {
        let Arguments { input, mask, states } = arguments;
        let missing = || Error::Shape { array: "seeds".into(), expected: vec![1], actual: vec![0] };
        Ok(match self {
            Self::SimpleRnn(layer) => {
                let call = layer.call(input).given(mask, first(states)).returning::<R>();
                let (value, trace) = call.forward_train(seeds.first_mut().ok_or_else(missing)?)?;
                (R::parts(value).0, LayerTrace::SimpleRnn(trace))
            }
            Self::Bidirectional(layer) => {
                let call = layer.call(input).given(mask, both(states)).returning::<R>();
                let (value, trace) = call.forward_train(both(Some(seeds)).ok_or_else(missing)?)?;
                (R::parts(value).0, LayerTrace::Bidirectional(trace))
            }
        })
    }

    pub(super) fn way_back<R: Returns>(
        &self,
        trace: &LayerTrace<A, R>,
        d_output: &ArrayRef<A, R::Dim>,
    ) -> Result<Gradients<LayerParameters<A>, Array3<A>, Vec<Array2<A>>>> {
        match (self, trace) {
            (Self::SimpleRnn(layer), LayerTrace::SimpleRnn(trace)) => {
                let Gradients { parameters, input, initial_state } = layer.way_back(trace, d_output, None)?;
                let parameters = LayerParameters::SimpleRnn(parameters);
                Ok(Gradients { parameters, input, initial_state: vec![initial_state] })
            }
            (Self::Bidirectional(layer), LayerTrace::Bidirectional(trace)) => {
                let Gradients { parameters, input, initial_state } = layer.way_back(trace, d_output, None)?;
                let parameters = LayerParameters::Bidirectional(parameters);
                Ok(Gradients { parameters, input, initial_state: initial_state.into() })
            }
            _ => Err(foreign("another kind of layer")),
        }
    }
}

/// The only one of a list.
fn first<T>(list: Option<&mut [T]>) -> Option<&mut T> {
    list?.first_mut()
}

/// The two of a list.
fn both<T>(list: Option<&mut [T]>) -> Option<&mut [T; 2]> {
    list?.try_into().ok()
}

/// A trace of another model.
pub(super) fn foreign(actual: &str) -> Error {
    Error::ForeignTrace { expected: "the same layers".into(), actual: actual.into() }
}

impl<A: Scalar> From<SimpleRnn<A>> for Layer<A> {
    fn from(layer: SimpleRnn<A>) -> Self {
        Self::SimpleRnn(layer)
    }
}

impl<A: Scalar> From<Bidirectional<A>> for Layer<A> {
    fn from(layer: Bidirectional<A>) -> Self {
        Self::Bidirectional(layer)
    }
}

impl<A: Scalar> Parameters for Layer<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        match self {
            Self::SimpleRnn(layer) => layer.named_parameters(),
            Self::Bidirectional(layer) => layer.named_parameters(),
        }
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        match self {
            Self::SimpleRnn(layer) => layer.named_parameters_mut(),
            Self::Bidirectional(layer) => layer.named_parameters_mut(),
        }
    }
}

impl<A: Scalar> Parameters for LayerParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        match self {
            Self::SimpleRnn(layer) => layer.named_parameters(),
            Self::Bidirectional(layer) => layer.named_parameters(),
        }
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        match self {
            Self::SimpleRnn(layer) => layer.named_parameters_mut(),
            Self::Bidirectional(layer) => layer.named_parameters_mut(),
        }
    }
}
