//! The constant inputs of an RNN node.

use ndarray::{Array2, Array3, ArrayD, Ix2, Ix3};

use super::FORMAT;
use super::graph::Graph;
use super::proto::NodeProto;
use super::tensor::{integers, tensor, unsupported};
use crate::error::{Result, expect_shape};
use crate::io::budget::Budget;
use crate::io::files::malformed;
use crate::scalar::Scalar;

/// An RNN node's inputs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    W = 1,
    R = 2,
    B = 3,
    SequenceLens = 4,
    InitialH = 5,
}

/// Reads the inputs of one node.
#[derive(Debug)]
pub(super) struct Constants<'a, 'g> {
    /// The node's name, for errors.
    pub(super) name: &'a str,
    pub(super) node: &'a NodeProto,
    pub(super) graph: &'a Graph<'g>,
    pub(super) budget: &'a mut Budget,
}

impl Constants<'_, '_> {
    /// An input's name in errors.
    pub(super) fn field(&self, input: Input) -> String {
        let name = match input {
            Input::W => "W",
            Input::R => "R",
            Input::B => "B",
            Input::SequenceLens => "sequence_lens",
            Input::InitialH => "initial_h",
        };
        format!("{}.{name}", self.name)
    }

    /// The name of the value that is an input, if the node has that input.
    pub(super) fn value(&self, input: Input) -> Option<&str> {
        self.node.input.get(input as usize).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A weight, which the node must have.
    pub(super) fn weight<A: Scalar>(&mut self, input: Input) -> Result<Array3<A>> {
        let field = self.field(input);
        if self.value(input).is_none() {
            return Err(malformed(FORMAT, field, "an array", "none"));
        }
        match self.array(input)? {
            Some(array) => three_axes(&field, array),
            None => Err(unsupported(&field, "a weight that is no constant")),
        }
    }

    /// Both biases of every direction, side by side; `None` if the node has no biases.
    pub(super) fn bias<A: Scalar>(&mut self, shape: &[usize; 2]) -> Result<Option<Array2<A>>> {
        let field = self.field(Input::B);
        match self.array(Input::B)? {
            Some(array) => {
                expect_shape(&field, shape, array.shape())?;
                let expected = |error| malformed(FORMAT, field, "2 axes", error);
                array.into_dimensionality::<Ix2>().map(Some).map_err(expected)
            }
            None if self.value(Input::B).is_some() => Err(unsupported(&field, "a bias that is no constant")),
            None => Ok(None),
        }
    }

    /// The first state, if it is a constant.
    pub(super) fn state<A: Scalar>(&mut self) -> Result<Option<Array3<A>>> {
        let field = self.field(Input::InitialH);
        self.array(Input::InitialH)?.map(|array| three_axes(&field, array)).transpose()
    }

    /// The sequences' lengths, if they are constants.
    pub(super) fn lens(&self) -> Result<Option<Vec<usize>>> {
        let Some(value) = self.value(Input::SequenceLens) else { return Ok(None) };
        let Some(proto) = self.graph.constant(value)? else { return Ok(None) };
        let field = self.field(Input::SequenceLens);
        let lens = integers(&field, proto)?;
        let unsigned: Option<_> = lens.iter().map(|&len| usize::try_from(len).ok()).collect();
        unsigned
            .map(Some)
            .ok_or_else(|| malformed(FORMAT, field, "lengths of 0 and more", format!("{lens:?}")))
    }

    /// A constant input.
    fn array<A: Scalar>(&mut self, input: Input) -> Result<Option<ArrayD<A>>> {
        let Some(value) = self.value(input) else { return Ok(None) };
        let Some(proto) = self.graph.constant(value)? else { return Ok(None) };
        let field = self.field(input);
        let tensor = tensor(&field, proto)?;
        let count: usize = tensor.shape().iter().product();
        self.budget.take(&field, count.saturating_mul(size_of::<A>()))?;
        tensor.to_array(&field).map(Some)
    }
}

fn three_axes<A: Scalar>(field: &str, array: ArrayD<A>) -> Result<Array3<A>> {
    let actual = format!("{} axes", array.ndim());
    array.into_dimensionality::<Ix3>().map_err(|_| malformed(FORMAT, field, "3 axes", actual))
}
