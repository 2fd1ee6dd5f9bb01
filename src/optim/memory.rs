//! What an optimiser keeps of each parameter.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};

use super::Algorithm;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::parameters::Parameters;
use crate::room::zeros;
use crate::scalar::Scalar;

/// The buffers of every parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Memory<A>(pub(super) Vec<Remembered<A>>);

/// The buffers of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered<A> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// The number of the group that has the parameter's options.
    pub(super) group: usize,
    pub(super) buffers: Vec<(&'static str, ArrayD<A>)>,
}

impl<A: Scalar> Remembered<A> {
    /// A parameter of a group with these options, and buffers of zeros.
    pub(super) fn new(
        name: String,
        shape: Vec<usize>,
        group: usize,
        options: &impl Algorithm,
    ) -> Result<Self> {
        let zeros = |buffer| Ok((buffer, zeros(&format!("{name}.{buffer}"), IxDyn(&shape))?));
        let buffers = options.buffers().into_iter().map(zeros).collect::<Result<_>>()?;
        Ok(Self { name, shape, group, buffers })
    }

    pub(super) fn elements<'a>(&'a mut self) -> impl Iterator<Item = &'a mut [A]> {
        let elements =
            |array: &'a mut ArrayD<A>| array.as_slice_mut().invariant("buffers are in standard layout");
        self.buffers.iter_mut().map(move |(_, buffer)| elements(buffer))
    }
}

impl<A: Scalar> Parameters for Memory<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let named = |parameter: &'_ Remembered<A>, buffer: &str| format!("{}.{buffer}", parameter.name);
        let all = self.0.iter().flat_map(|parameter| {
            parameter.buffers.iter().map(move |(buffer, array)| (named(parameter, buffer), array.view()))
        });
        all.collect()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let all = self.0.iter_mut().flat_map(|Remembered { name, buffers, .. }| {
            buffers.iter_mut().map(move |(buffer, array)| (format!("{name}.{buffer}"), array.view_mut()))
        });
        all.collect()
    }
}
