//! What is known of a graph's values before the model runs: constants, what is computed from them, lengths, and which
//! elements of an input or of a node's output a value holds.
//!
//! A value is an array whose elements are known (`filled`), or a part of a value that is not (`part`). An axis may have
//! a length that is known only when the model runs, such as the number of sequences; the elements are then the same
//! all along that axis, as in torch's zero state.

mod arithmetic;
mod filled;
mod movement;
mod moves;
mod part;
mod shapes;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub(super) use arithmetic::floats;
pub(super) use filled::{Filled, Int};
pub(super) use part::{Factor, Part};
pub(super) use value::{Content, Value};

use self::arithmetic::Operator as Arithmetic;
use self::movement::MAX_AXES;
use self::moves::Arguments;
use super::FORMAT;
use super::external::Folder;
use super::graph::{Graph, Maker, Operation};
use super::operator::Operator;
use super::proto::{AttributeProto, TensorProto};
use super::tensor::{dtype, integers, tensor};
use super::wire::decode;
use crate::error::{Error, FileError, Result};
use crate::invariant::Invariant;
use crate::io::budget::Budget;
use crate::io::files::malformed;
use crate::io::{Dtype, StateDict, Tensor};
use crate::scalar::Scalar;

/// The memory of what is known of one axis, at most: its ranges stand in a list of their own.
const BYTES_OF_AXIS: usize = 100;

/// What an operation makes of its inputs; `None` if that is known only when the model runs.
type Folded<'g, A> = Result<Option<Value<'g, A>>>;

/// The values of a graph, each found once.
#[derive(Debug)]
pub(super) struct Fold<'a, 'g, A> {
    pub(super) graph: &'a Graph<'g>,
    /// Arrays for inputs of the graph.
    given: &'a StateDict,
    folder: &'a mut Folder,
    pub(super) budget: &'a mut Budget,
    values: BTreeMap<&'g str, Rc<Value<'g, A>>>,
    /// The values that have three axes by the definition of a recurrent operator.
    sequences: BTreeSet<&'g str>,
    /// The inputs of the graph that these values depend on.
    data: BTreeSet<&'g str>,
}

impl<'a, 'g, A: Scalar> Fold<'a, 'g, A> {
    pub(super) fn new(
        graph: &'a Graph<'g>,
        given: &'a StateDict,
        folder: &'a mut Folder,
        budget: &'a mut Budget,
        sequences: BTreeSet<&'g str>,
    ) -> Result<Self> {
        let data = graph.data_inputs()?;
        Ok(Self { graph, given, folder, budget, values: BTreeMap::new(), sequences, data })
    }

    /// Whether the X of a recurrent node depends on an input of the graph.
    pub(super) fn is_data(&self, input: &str) -> bool {
        self.data.contains(input)
    }

    /// What is known of a value.
    ///
    /// # Errors
    /// [`FileError::Malformed`] for operations in a circle, and for a constant that is none;
    /// [`FileError::TooLarge`] for more memory than the file may take.
    pub(super) fn value(&mut self, name: &'g str) -> Result<Rc<Value<'g, A>>> {
        // A path may be as long as the file: the calls stand in a list.
        let (mut open, mut entered) = (vec![name], BTreeSet::new());
        while let Some(&name) = open.last() {
            if self.values.contains_key(name) {
                open.pop();
                continue;
            }
            let maker = self.graph.maker(name)?;
            let operands = operands(&maker, name);
            if entered.insert(name) {
                let missing = operands.iter().flatten().filter(|name| !self.values.contains_key(*name));
                let missing: Vec<_> = missing.copied().collect();
                if let Some(again) = missing.iter().find(|name| entered.contains(*name)) {
                    return Err(malformed(FORMAT, *again, "an operation's result", "operations in a circle"));
                }
                if !missing.is_empty() {
                    open.extend(missing);
                    continue;
                }
            }
            let inputs: Vec<_> =
                operands.iter().map(|name| self.values.get(name.as_ref()?).map(Rc::clone)).collect();
            let value = self.made(name, &maker, &inputs)?;
            self.values.insert(name, value);
            open.pop();
        }
        let value = self.values.get(name).map(Rc::clone);
        Ok(value.invariant("a value that is no longer open has been found"))
    }

    /// The value that its maker makes of the inputs.
    fn made(
        &mut self,
        name: &'g str,
        maker: &Maker<'g>,
        inputs: &[Option<Rc<Value<'g, A>>>],
    ) -> Result<Rc<Value<'g, A>>> {
        let made = match maker {
            Maker::Initializer(bytes) => Some(self.constant(name, decode("TensorProto", bytes)?)?),
            Maker::Input if self.given.get(name).is_some() => {
                let tensor = self.given.get(name).cloned();
                tensor.map(|tensor| self.array(name, &tensor)).transpose()?
            }
            Maker::Input | Maker::Nothing => None,
            Maker::Node(operation) => {
                if let ("Identity" | "Dropout", Some(Some(value))) = (operation.op(), inputs.first())
                    && !inputs.get(1).is_some_and(|training| may_be_true(training.as_deref()))
                {
                    return Ok(Rc::clone(value));
                }
                self.operation(name, operation, inputs)?
            }
        };
        let value = match made {
            Some(value) => value,
            None => self.opaque(name)?,
        };
        let axes = value.shape().map_or(0, |shape| shape.len());
        self.budget.take(name, size_of::<Value<'g, A>>() + axes * BYTES_OF_AXIS)?;
        Ok(Rc::new(value))
    }

    /// A value of which the elements are known only when the model runs.
    fn opaque(&self, name: &'g str) -> Result<Value<'g, A>> {
        let (data_type, shape) = self.graph.declared(name)?;
        let shape = shape.filter(|shape| shape.len() <= MAX_AXES);
        let shape = shape.or_else(|| self.sequences.contains(name).then(|| vec![None; 3]));
        let length =
            |(axis, length): (usize, Option<i64>)| length.map_or(Int::Length(name, axis), Int::Known);
        let shape: Option<Vec<_>> = shape.map(|shape| shape.into_iter().enumerate().map(length).collect());
        let dtype = data_type.and_then(|data_type| dtype(name, data_type).ok());
        Ok(Value::opaque(name, dtype, shape.as_deref()))
    }

    fn operation(
        &mut self,
        name: &'g str,
        operation: &Operation<'g>,
        inputs: &[Option<Rc<Value<'g, A>>>],
    ) -> Folded<'g, A> {
        let arguments = &Arguments { operation, inputs };
        let label = &operation.label();
        match operation.op() {
            "Constant" => self.constant_node(name, operation),
            "ConstantOfShape" | "ConstantFill" => {
                let value = self.fill(operation)?;
                shapes::constant_of_shape(arguments, value)
            }
            "Shape" => shapes::shape(arguments),
            "Transpose" => moves::transpose(arguments),
            "Unsqueeze" => moves::unsqueeze(arguments),
            "Squeeze" => moves::squeeze(arguments),
            "Slice" => moves::slices(arguments),
            "Split" => moves::split(arguments, operation.place_of(name)),
            "Gather" => moves::gather(arguments, label, self.budget),
            "Reshape" => shapes::reshape(arguments, label, self.budget),
            "Expand" => shapes::expand(arguments),
            "Tile" => shapes::tile(arguments, label, self.budget),
            "Concat" => shapes::concat(arguments, label, self.budget),
            "Cast" => arithmetic::cast(arguments, label, self.budget),
            "Add" => arithmetic::binary(Arithmetic::Add, arguments, label, self.budget),
            "Sub" => arithmetic::binary(Arithmetic::Sub, arguments, label, self.budget),
            "Mul" => arithmetic::binary(Arithmetic::Mul, arguments, label, self.budget),
            "Div" => arithmetic::binary(Arithmetic::Div, arguments, label, self.budget),
            "Equal" => arithmetic::equal(arguments, label, self.budget),
            "Where" => arithmetic::choose(arguments, label, self.budget),
            _ => outputs_of_node(name, arguments),
        }
    }

    /// The value of a Constant node.
    fn constant_node(&mut self, name: &'g str, operation: &Operation<'g>) -> Folded<'g, A> {
        let list = |attribute: AttributeProto| {
            let AttributeProto { ints, floats, i, f, .. } = attribute;
            (ints, floats, i, f)
        };
        if let Some(value) = operation.attribute("value")? {
            return value.t.map(|tensor| self.constant(name, tensor)).transpose();
        }
        for attribute in ["value_int", "value_ints", "value_float", "value_floats"] {
            let Some((ints, floats, i, f)) = operation.attribute(attribute)?.map(list) else { continue };
            let (shape, dtype, bytes): (Vec<usize>, _, Vec<u8>) = match attribute {
                "value_int" => (vec![], Dtype::I64, i.unwrap_or_default().to_le_bytes().into()),
                "value_ints" => {
                    (vec![ints.len()], Dtype::I64, ints.iter().flat_map(|i| i.to_le_bytes()).collect())
                }
                "value_float" => (vec![], Dtype::F32, f.unwrap_or_default().to_le_bytes().into()),
                _ => (vec![floats.len()], Dtype::F32, floats.iter().flat_map(|f| f.to_le_bytes()).collect()),
            };
            let tensor = Tensor::from_bytes(FORMAT, name, dtype, shape, bytes)?;
            return self.array(name, &tensor).map(Some);
        }
        Ok(None)
    }

    /// The value with which ConstantOfShape, or ConstantFill of older versions, fills an array.
    fn fill(&mut self, operation: &Operation<'g>) -> Folded<'g, A> {
        let label = operation.outputs.first().copied().unwrap_or_default();
        match operation.attribute("value")? {
            Some(AttributeProto { t: Some(tensor), .. }) => self.constant(label, tensor).map(Some),
            Some(AttributeProto { f: Some(f), .. }) => {
                let filled = Filled::uniform(Vec::new(), A::from_f64(f.into()));
                Ok(Some(Value { dtype: Some(Dtype::F32), content: Content::Floats(filled) }))
            }
            _ => Ok(None),
        }
    }

    /// A constant array; one of an element type that is never read here is a value like any other.
    fn constant(&mut self, name: &'g str, proto: TensorProto) -> Result<Value<'g, A>> {
        let known = |&length: &i64| if length < 0 { Int::Unknown } else { Int::Known(length) };
        let shape: Vec<_> = proto.dims.iter().map(known).collect();
        let shape = Some(shape).filter(|shape| shape.len() <= MAX_AXES);
        match tensor(name, proto, self.folder, self.budget) {
            Ok(tensor) => self.array(name, &tensor),
            Err(Error::File(FileError::Dtype { .. })) => Ok(Value::opaque(name, None, shape.as_deref())),
            Err(error) => Err(error),
        }
    }

    fn array(&mut self, name: &'g str, tensor: &Tensor) -> Result<Value<'g, A>> {
        let dtype = Some(tensor.dtype());
        if tensor.shape().len() > MAX_AXES {
            return Ok(Value::opaque(name, dtype, None));
        }
        let (shape, count) = (ndarray::IxDyn(tensor.shape()), tensor.shape().iter().product::<usize>());
        if let Some(ints) = integers(tensor) {
            self.budget.take(name, count.saturating_mul(size_of::<Int<'g>>()))?;
            let ints: Vec<_> = ints.into_iter().map(Int::Known).collect();
            let array = ndarray::Array::from_shape_vec(shape, ints);
            let array = array.invariant("a tensor has as many elements as its shape");
            return Ok(Value { dtype, content: Content::Ints(Filled::new(array)) });
        }
        self.budget.take(name, count.saturating_mul(size_of::<A>()))?;
        match tensor.to_array::<A>(name) {
            Ok(array) => Ok(Value { dtype, content: Content::Floats(Filled::new(array)) }),
            Err(_) => {
                let lengths: Vec<_> = tensor.shape().iter().map(|&n| Int::Known(n as i64)).collect();
                Ok(Value::opaque(name, dtype, Some(&lengths)))
            }
        }
    }
}

/// The values that must be found before the value that `maker` makes.
fn operands<'g>(maker: &Maker<'g>, name: &str) -> Vec<Option<&'g str>> {
    let Maker::Node(operation) = maker else { return Vec::new() };
    let named = |name: &&'g str| Some(*name).filter(|name| !name.is_empty());
    match operation.op() {
        "Dropout" if operation.place_of(name) > 0 => Vec::new(),
        "Identity" => operation.inputs.first().map(named).into_iter().collect(),
        // The third input says whether the node drops anything.
        "Dropout" => {
            let (data, training) = (operation.inputs.first(), operation.inputs.get(2));
            [data, training].into_iter().flatten().map(named).collect()
        }
        "ConstantOfShape" | "ConstantFill" | "Shape" | "Transpose" | "Unsqueeze" | "Squeeze" | "Slice"
        | "Split" | "Gather" | "Reshape" | "Expand" | "Tile" | "Concat" | "Cast" | "Add" | "Sub" | "Mul"
        | "Div" | "Equal" | "Where" => operation.inputs.iter().map(named).collect(),
        op_type => {
            let operator = Operator::of(op_type).filter(|_| operation.place_of(name) == 0);
            let Some(operator) = operator else { return Vec::new() };
            // The length of Y's rows is `hidden_size` or a length of R.
            let read = |place: Option<usize>| operation.inputs.get(place?).and_then(named);
            vec![read(operator.input("X")), read(operator.input("R"))]
        }
    }
}

/// Whether a condition may be true when the model runs; without one it is false.
fn may_be_true<A: Scalar>(condition: Option<&Value<'_, A>>) -> bool {
    condition.is_some_and(|condition| match &condition.content {
        Content::Ints(filled) => filled.data.iter().any(|&int| int != Int::Known(0)),
        _ => true,
    })
}

/// Y of a recurrent node: the lengths of its axes.
fn outputs_of_node<'g, A: Scalar>(name: &'g str, arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let operation = arguments.operation;
    if Operator::of(operation.op()).is_none() || operation.place_of(name) != 0 {
        return Ok(None);
    }
    let x = arguments.input(0).and_then(Value::shape);
    let (first, second) = match x.as_deref() {
        Some(&[first, second, _]) => (first, second),
        _ => (Int::Length(name, 0), Int::Length(name, 2)),
    };
    let both = operation.attribute("direction")?.is_some_and(|direction| direction.s() == b"bidirectional");
    let directions = Int::Known(if both { 2 } else { 1 });
    let hidden = match operation.attribute("hidden_size")? {
        Some(size) => Int::Known(size.i()),
        None => arguments
            .input(1)
            .and_then(Value::shape)
            .and_then(|shape| shape.last().copied())
            .unwrap_or(Int::Unknown),
    };
    let shape = match arguments.int("layout", 0)? {
        1 => [first, second, directions, hidden],
        _ => [first, directions, second, hidden],
    };
    Ok(Some(Value::opaque(name, None, Some(&shape))))
}
