//! The arithmetic that exporters put around lengths and states.

use super::Folded;
use super::filled::{Filled, Int};
use super::moves::Arguments;
use super::value::{Content, Value};
use crate::error::Result;
use crate::io::Dtype;
use crate::io::budget::Budget;
use crate::io::onnx::proto::data_type;
use crate::io::onnx::tensor::dtype;
use crate::scalar::Scalar;

/// One of the four operations.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

impl Operator {
    fn floats<A: Scalar>(self, a: A, b: A) -> A {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
        }
    }

    /// The result, if it is a whole number: `whole` says that the element type has no others.
    fn ints<'g>(self, a: Int<'g>, b: Int<'g>, whole: bool) -> Int<'g> {
        let known = match (self, a, b) {
            // What changes no length.
            (Self::Mul | Self::Div, length, Int::Known(1))
            | (Self::Add | Self::Sub, length, Int::Known(0)) => {
                return length;
            }
            (Self::Mul, Int::Known(1), length) | (Self::Add, Int::Known(0), length) => return length,
            (Self::Add, Int::Known(a), Int::Known(b)) => a.checked_add(b),
            (Self::Sub, Int::Known(a), Int::Known(b)) => a.checked_sub(b),
            (Self::Mul, Int::Known(a), Int::Known(b)) => a.checked_mul(b),
            (Self::Div, Int::Known(a), Int::Known(b)) => {
                a.checked_div(b).filter(|quotient| whole || quotient * b == a)
            }
            _ => None,
        };
        known.map_or(Int::Unknown, Int::Known)
    }
}

/// A value as floats: whole numbers become floats, if all are known.
pub(in super::super) fn floats<'g, A: Scalar>(
    value: &Value<'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Result<Option<Filled<'g, A>>> {
    match &value.content {
        Content::Floats(filled) => Ok(Some(filled.clone())),
        Content::Ints(filled) if value.dtype.is_some_and(Dtype::is_float) => {
            if filled.data.iter().any(|int| !matches!(int, Int::Known(_))) {
                return Ok(None);
            }
            let float = |int: &Int<'g>| match *int {
                Int::Known(n) => A::from_f64(n as f64),
                _ => A::zero(),
            };
            filled.map(name, budget, float).map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) fn binary<'g, A: Scalar>(
    operator: Operator,
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let (Some(a), Some(b)) = (arguments.input(0), arguments.input(1)) else { return Ok(None) };
    // A float of another type than `A` is rounded otherwise.
    let exact = |value: &Value<'g, A>| value.dtype.is_some_and(|dtype| dtype.to_string() == A::DTYPE);
    let content = match (&a.content, &b.content) {
        (Content::Ints(x), Content::Ints(y)) => {
            let whole = a.dtype.is_some_and(|dtype| !dtype.is_float());
            x.zip(y, name, budget, |&x, &y| operator.ints(x, y, whole))?.map(Content::Ints)
        }
        _ if !exact(a) || !exact(b) => None,
        _ => match (floats(a, name, budget)?, floats(b, name, budget)?) {
            (Some(x), Some(y)) => {
                x.zip(&y, name, budget, |&x, &y| operator.floats(x, y))?.map(Content::Floats)
            }
            _ => None,
        },
    };
    Ok(content.map(|content| Value { dtype: a.dtype, content }))
}

pub(super) fn equal<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let (Some(a), Some(b)) = (arguments.input(0), arguments.input(1)) else { return Ok(None) };
    let (Some(a), Some(b)) = (a.ints(), b.ints()) else { return Ok(None) };
    let equal = a.zip(b, name, budget, |&a, &b| match (a, b) {
        (Int::Known(a), Int::Known(b)) => Int::Known((a == b).into()),
        (Int::Length(..), Int::Known(..0)) | (Int::Known(..0), Int::Length(..)) => Int::Known(0),
        (Int::Length(..), Int::Length(..)) if a == b => Int::Known(1),
        _ => Int::Unknown,
    })?;
    Ok(equal.map(|filled| Value { dtype: Some(Dtype::Bool), content: Content::Ints(filled) }))
}

pub(super) fn choose<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let (Some(condition), Some(a), Some(b)) = (arguments.input(0), arguments.input(1), arguments.input(2))
    else {
        return Ok(None);
    };
    let Some(condition) = condition.ints() else { return Ok(None) };
    let content = match (&a.content, &b.content) {
        (Content::Ints(x), Content::Ints(y)) => {
            let Some(chosen) = chosen(condition, x, y, name, budget)? else { return Ok(None) };
            let ints = chosen.map(name, budget, |int| int.unwrap_or(Int::Unknown))?;
            Some(Content::Ints(ints))
        }
        (Content::Floats(x), Content::Floats(y)) => {
            let chosen = chosen(condition, x, y, name, budget)?;
            let known = chosen.filter(|filled| filled.data.iter().all(Option::is_some));
            let Some(known) = known else { return Ok(None) };
            Some(Content::Floats(known.map(name, budget, |float| float.unwrap_or(A::zero()))?))
        }
        _ => None,
    };
    Ok(content.map(|content| Value { dtype: a.dtype, content }))
}

/// The elements of `x` where the condition is true and of `y` where it is false; where it is not known, `None` if the
/// two differ.
fn chosen<'g, T: Copy + PartialEq>(
    condition: &Filled<'g, Int<'g>>,
    x: &Filled<'g, T>,
    y: &Filled<'g, T>,
    name: &str,
    budget: &mut Budget,
) -> Result<Option<Filled<'g, Option<T>>>> {
    let Some(pairs) = x.zip(y, name, budget, |&x, &y| (x, y))? else { return Ok(None) };
    condition.zip(&pairs, name, budget, |&condition, &(x, y)| match condition {
        Int::Known(0) => Some(y),
        Int::Known(_) => Some(x),
        _ => (x == y).then_some(x),
    })
}

pub(super) fn cast<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let Some(value) = arguments.input(0) else { return Ok(None) };
    let to = match arguments.operation.attribute("to")? {
        Some(to) if to.s().is_empty() => i32::try_from(to.i()).ok(),
        Some(to) => data_type::of_name(to.s()),
        None => None,
    };
    let Some(to) = to.and_then(|to| dtype("Cast", to).ok()) else { return Ok(None) };
    let content = match (&value.content, value.dtype) {
        (Content::Part(part), _) => Some(Content::Part(part.clone())),
        (Content::Floats(filled), Some(from)) if from == to || widens::<A>(from, to) => {
            Some(Content::Floats(filled.clone()))
        }
        (Content::Floats(filled), _) if matches!(to, Dtype::I32 | Dtype::I64) => {
            // Exactly whole or cut off, as in C++; what no 32 bits hold is not cast alike everywhere.
            let small = filled.data.iter().all(|float| float.into_f64().abs() < 2_f64.powi(31));
            let whole = |float: &A| Int::Known(float.into_f64() as i64);
            if small { Some(Content::Ints(filled.map(name, budget, whole)?)) } else { None }
        }
        (Content::Floats(_), _) => None,
        (Content::Ints(filled), _) if to == Dtype::Bool => {
            let truth = |int: &Int<'g>| match *int {
                Int::Known(n) => Int::Known((n != 0).into()),
                _ => Int::Unknown,
            };
            Some(Content::Ints(filled.map(name, budget, truth)?))
        }
        (Content::Ints(filled), _) => {
            let largest = if to.is_float() { 1 << 11 } else { i64::from(i32::MAX) };
            let exact =
                |int: &Int<'g>| !matches!(int, Int::Known(n) if n.abs() > largest) || to == Dtype::I64;
            filled.data.iter().all(exact).then(|| Content::Ints(filled.clone()))
        }
    };
    let Some(content) = content else { return Ok(None) };
    let cast = Value { dtype: Some(to), content };
    // Lengths that are not known stay whole numbers, though floats hold them.
    Ok(Some(match floats(&cast, name, budget)? {
        Some(filled) => Value { dtype: cast.dtype, content: Content::Floats(filled) },
        None => cast,
    }))
}

/// Whether every float of the type `from` is the same number in the type `to`, which is `A`.
fn widens<A: Scalar>(from: Dtype, to: Dtype) -> bool {
    to.to_string() == A::DTYPE && from.fits_single() && from != Dtype::F64
}
