//! The inputs of a recurrent node: what is stored in the model, what the caller gives, what the graph computes.

use ndarray::{Array2, Array3, ArrayD, Dimension};

use super::fold::{Content, Filled, Fold, Int, Part, Value, floats};
use super::graph::{Maker, Operation};
use super::operator::Operator;
use super::{FORMAT, unsupported};
use crate::arrays::try_standard;
use crate::error::{FileError, Result, expect_shape};
use crate::io::Dtype;
use crate::io::files::malformed;
use crate::scalar::Scalar;

/// The words for an array that is not all known.
const UNKNOWN: &str = "of numbers that the graph computes";

/// An input that a node may do without.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given<T> {
    /// The node has no such input, or one that changes nothing: a state of zeros, lengths that are whole sequences.
    Absent,
    /// An input of the graph, or a part of one.
    Caller(GraphInput),
    Stored(Stored<T>),
    /// The graph computes the input; the words follow its name.
    Computed(String),
}

/// An input of the graph that a node reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphInput {
    pub(super) name: String,
    /// The first index along the first axis that the node reads.
    pub(super) start: usize,
}

/// An array of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored<T> {
    pub(super) array: T,
    /// Whether the array is that of one sequence, and the same for every other.
    pub(super) repeated: bool,
}

impl<T> Given<T> {
    pub(super) fn stored(&self) -> Option<&Stored<T>> {
        match self {
            Self::Stored(stored) => Some(stored),
            _ => None,
        }
    }
}

/// Reads the inputs of one node.
#[derive(Debug)]
pub(super) struct Inputs<'a, 'f, 'g, A> {
    /// The node's name, for errors.
    pub(super) name: &'a str,
    pub(super) operator: &'static Operator,
    pub(super) operation: &'a Operation<'g>,
    pub(super) fold: &'a mut Fold<'f, 'g, A>,
}

impl<'g, A: Scalar> Inputs<'_, '_, 'g, A> {
    /// An input's name in errors.
    pub(super) fn field(&self, input: &str) -> String {
        format!("{}.{input}", self.name)
    }

    /// The value that is an input, if the node has that input.
    fn value(&mut self, input: &str) -> Result<Option<(&'g str, std::rc::Rc<Value<'g, A>>)>> {
        let place = self.operator.input(input).and_then(|place| self.operation.inputs.get(place).copied());
        let Some(name) = place.filter(|name| !name.is_empty()) else { return Ok(None) };
        Ok(Some((name, self.fold.value(name)?)))
    }

    /// A weight, which the node must have.
    pub(super) fn weight(&mut self, input: &str) -> Result<Array3<A>> {
        let field = self.field(input);
        match self.array(input)? {
            Some(array) => with_axes(&field, array),
            None => Err(malformed(FORMAT, field, "an array", "none")),
        }
    }

    /// A row of numbers for each direction: both biases side by side, or the peepholes; `None` if the node has no such
    /// input.
    pub(super) fn rows(&mut self, input: &str, shape: &[usize; 2]) -> Result<Option<Array2<A>>> {
        let field = self.field(input);
        let Some(array) = self.array(input)? else { return Ok(None) };
        expect_shape(&field, shape, array.shape())?;
        with_axes(&field, array).map(Some)
    }

    /// An array that must be a constant, if the node has it.
    fn array(&mut self, input: &str) -> Result<Option<ArrayD<A>>> {
        let field = self.field(input);
        let Some((_, value)) = self.value(input)? else { return Ok(None) };
        expect_floats(&field, &value)?;
        if let Some(part) = value.part() {
            let feature = match self.fold.graph.maker(part.origin)? {
                Maker::Input => format!("the graph's input {}, of which no array is given,", part.origin),
                Maker::Nothing => format!("the value {}, which no node makes,", part.origin),
                _ => format!("an array {}", self.maker(part)?),
            };
            return Err(unsupported(&field, feature));
        }
        let filled = floats(&value, &field, self.fold.budget)?;
        let dense = filled.map(|filled| filled.dense(&field, self.fold.budget)).transpose()?.flatten();
        dense.map(Some).ok_or_else(|| unsupported(&field, format!("an array {UNKNOWN}")))
    }

    /// The first state of a name, as (directions, N, features); `axes` say which axes of the input they are.
    pub(super) fn state(
        &mut self,
        input: &str,
        [directions, batch, features]: [usize; 3],
        sizes: [usize; 2],
    ) -> Result<Given<Array3<A>>> {
        let field = self.field(input);
        let Some((_, value)) = self.value(input)? else { return Ok(Given::Absent) };
        expect_floats(&field, &value)?;
        if let Some(part) = value.part() {
            return self.passed_on(part, directions);
        }
        let Some(filled) = floats(&value, &field, self.fold.budget)? else {
            return Ok(Given::Computed(UNKNOWN.into()));
        };
        if filled.shape.len() != 3 {
            return Err(malformed(FORMAT, field, "3 axes", format!("{} axes", filled.shape.len())));
        }
        let fits = |axis: usize, size: usize| filled.shape[axis].known().is_none_or(|length| length == size);
        if !fits(directions, sizes[0]) || !fits(features, sizes[1]) {
            let actual = filled.shape.iter().map(|length| length.known().unwrap_or(1)).collect::<Vec<_>>();
            let mut expected = vec![actual[batch]; 3];
            (expected[directions], expected[features]) = (sizes[0], sizes[1]);
            expect_shape(&field, &expected, &actual)?;
        }
        if filled.data.iter().all(|&element| element == A::zero()) {
            return Ok(Given::Absent);
        }
        let one = |axis: usize| if axis == batch { Int::Known(1) } else { filled.shape[axis] };
        let repeated = filled.repeats(batch) && filled.shape[batch].known().is_none();
        let shape = if repeated { (0..3).map(one).collect() } else { filled.shape.clone() };
        let filled = Filled { shape, data: filled.data.clone() };
        match filled.dense(&field, self.fold.budget)? {
            Some(array) => {
                let array = with_axes::<ndarray::Ix3, A>(&field, array)?;
                let array = array.permuted_axes([directions, batch, features]);
                Ok(Given::Stored(Stored { array: try_standard(&field, &array)?, repeated }))
            }
            None => Ok(Given::Computed(UNKNOWN.into())),
        }
    }

    /// The sequences' lengths; `time` is the axis of X along which the steps lie.
    pub(super) fn lens(&mut self, time: usize) -> Result<Given<Vec<usize>>> {
        let field = self.field("sequence_lens");
        let Some((_, value)) = self.value("sequence_lens")? else { return Ok(Given::Absent) };
        let filled = match &value.content {
            Content::Ints(filled) => filled,
            Content::Part(part) if value.dtype.is_none_or(|dtype| !dtype.is_float()) => {
                return self.passed_on(part, 0);
            }
            _ => {
                let actual = value.dtype.map_or("another".into(), |dtype| dtype.to_string());
                return Err(FileError::Dtype { name: field, expected: "int32".into(), actual }.into());
            }
        };
        if filled.shape.len() != 1 {
            return Err(malformed(FORMAT, field, "1 axis", format!("{} axes", filled.shape.len())));
        }
        let x = self.value("X")?.and_then(|(_, x)| x.shape());
        let steps = x.and_then(|shape| shape.get(time).copied()).filter(|&steps| steps != Int::Unknown);
        if steps.is_some_and(|steps| filled.data.iter().all(|&len| len == steps)) {
            return Ok(Given::Absent);
        }
        let repeated = filled.repeats(0) && filled.shape[0].known().is_none();
        let dense = if repeated {
            filled.data.iter().copied().collect()
        } else {
            match filled.dense(&field, self.fold.budget)? {
                Some(array) => array.into_iter().collect::<Vec<_>>(),
                None => return Ok(Given::Computed(UNKNOWN.into())),
            }
        };
        let mut lens = Vec::new();
        for len in dense {
            match (len, len.known()) {
                (_, Some(len)) => lens.push(len),
                (Int::Known(len), None) => {
                    return Err(malformed(FORMAT, field, "lengths of 0 and more", len));
                }
                _ => return Ok(Given::Computed(UNKNOWN.into())),
            }
        }
        Ok(Given::Stored(Stored { array: lens, repeated }))
    }

    /// An input that the graph passes on from one of its own, or computes; `axis` is the one along which several nodes
    /// share an input of the graph.
    fn passed_on<T>(&self, part: &Part<'g>, axis: usize) -> Result<Given<T>> {
        let is_input = matches!(self.fold.graph.maker(part.origin)?, Maker::Input);
        if !is_input || (self.fold.is_data(part.origin) && !part.is_whole()) {
            return self.maker(part).map(Given::Computed);
        }
        let factor = part.axes.as_ref().and_then(|axes| axes.get(axis)).and_then(|axis| axis.first());
        let start = factor.map(|factor| factor.start).or(part.fixed.first().map(|&(_, index)| index));
        Ok(Given::Caller(GraphInput { name: part.origin.into(), start: start.unwrap_or(0) }))
    }

    /// Who computes a value, in words that follow its name.
    fn maker(&self, part: &Part<'g>) -> Result<String> {
        Ok(match self.fold.graph.maker(part.origin)? {
            Maker::Node(operation) => format!("that {} ({}) computes", operation.label(), operation.kind()),
            Maker::Input => format!("that is a part of the graph's input {}", part.origin),
            Maker::Initializer(_) | Maker::Nothing => format!("that the value {} is", part.origin),
        })
    }
}

/// Checks the element type of an array, as far as the graph says it.
fn expect_floats<A: Scalar>(field: &str, value: &Value<'_, A>) -> Result<()> {
    let fits = |dtype: Dtype| if A::SINGLE { dtype.fits_single() } else { dtype == Dtype::F64 };
    match value.dtype.filter(|&dtype| !fits(dtype)) {
        None => Ok(()),
        Some(actual) => {
            let (name, expected) = (field.into(), A::DTYPE.into());
            Err(FileError::Dtype { name, expected, actual: actual.to_string() }.into())
        }
    }
}

fn with_axes<D: Dimension, A>(field: &str, array: ArrayD<A>) -> Result<ndarray::Array<A, D>> {
    let actual = format!("{} axes", array.ndim());
    let expected = D::NDIM.map_or("axes".into(), |axes| format!("{axes} axes"));
    array.into_dimensionality().map_err(|_| malformed(FORMAT, field, expected, actual))
}
