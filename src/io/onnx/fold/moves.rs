//! The operations that move elements.

use std::rc::Rc;

use super::Folded;
use super::filled::Int;
use super::movement::{MAX_AXES, Movement, axis_of, slice};
use super::value::{Content, Value};
use crate::error::Result;
use crate::io::budget::Budget;
use crate::io::onnx::graph::Operation;
use crate::scalar::Scalar;

/// The arguments of an operation: its inputs, and its attributes, which hold some arguments in older versions.
#[derive(Debug)]
pub(super) struct Arguments<'a, 'g, A> {
    pub(super) operation: &'a Operation<'g>,
    pub(super) inputs: &'a [Option<Rc<Value<'g, A>>>],
}

/// A list of whole numbers among the arguments.
pub(super) enum List {
    Absent,
    Known(Vec<i64>),
    Unknown,
}

impl<'g, A: Scalar> Arguments<'_, 'g, A> {
    pub(super) fn input(&self, place: usize) -> Option<&Value<'g, A>> {
        self.inputs.get(place)?.as_deref()
    }

    /// A list that is the input at `place`, or an attribute.
    pub(super) fn list(&self, place: usize, attribute: &str) -> Result<List> {
        if let Some(value) = self.input(place) {
            let known = |int: &Int<'g>| match *int {
                Int::Known(n) => Some(n),
                _ => None,
            };
            let list = value.list().and_then(|list| list.iter().map(known).collect());
            return Ok(list.map_or(List::Unknown, List::Known));
        }
        let attribute = self.operation.attribute(attribute)?;
        Ok(attribute.map_or(List::Absent, |attribute| List::Known(attribute.ints)))
    }

    /// An attribute of one whole number.
    pub(super) fn int(&self, attribute: &str, default: i64) -> Result<i64> {
        Ok(self.operation.attribute(attribute)?.map_or(default, |attribute| attribute.i()))
    }

    /// The axis that an attribute says.
    pub(super) fn axis(&self, default: i64, rank: usize) -> Result<Option<usize>> {
        Ok(axis_of(self.int("axis", default)?, rank))
    }
}

/// The value after movements; `None` if it cannot be followed.
fn follow<'g, A: Scalar>(value: &Value<'g, A>, movements: &[Movement<'g>]) -> Option<Value<'g, A>> {
    let (first, rest) = match movements {
        [] => return Some(value.clone()),
        [first, rest @ ..] => (first, rest),
    };
    rest.iter().try_fold(value.moved(first)?, |value, movement| value.moved(movement))
}

pub(super) fn transpose<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let Some(value) = arguments.input(0) else { return Ok(None) };
    let order = match (arguments.list(usize::MAX, "perm")?, value.shape()) {
        (List::Known(perm), _) if perm.len() > MAX_AXES => None,
        (List::Known(perm), shape) => {
            let rank = shape.map_or(perm.len(), |shape| shape.len());
            let axes: Option<Vec<_>> = perm.iter().map(|&axis| axis_of(axis, rank)).collect();
            axes.filter(|axes| axes.len() == rank && (0..rank).all(|axis| axes.contains(&axis)))
        }
        (_, shape) => shape.map(|shape| (0..shape.len()).rev().collect()),
    };
    Ok(order.and_then(|order| value.moved(&Movement::Permute(order))))
}

pub(super) fn unsqueeze<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let List::Known(axes) = arguments.list(1, "axes")? else { return Ok(None) };
    let rank = shape.len().saturating_add(axes.len());
    if rank > MAX_AXES {
        return Ok(None);
    }
    let Some(axes) = distinct(&axes, rank) else { return Ok(None) };
    Ok(follow(value, &axes.into_iter().map(Movement::Insert).collect::<Vec<_>>()))
}

pub(super) fn squeeze<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let axes = match arguments.list(1, "axes")? {
        List::Known(axes) => distinct(&axes, shape.len()),
        List::Unknown => None,
        List::Absent if shape.iter().any(|length| length.known().is_none()) => None,
        List::Absent => Some((0..shape.len()).filter(|&axis| shape[axis] == Int::Known(1)).collect()),
    };
    // An axis of another length has no place here, and the model does not run.
    let removable = |&axis: &usize| shape[axis].known().is_none_or(|length| length == 1);
    let Some(axes) = axes.filter(|axes| axes.iter().all(removable)) else { return Ok(None) };
    Ok(follow(value, &axes.into_iter().rev().map(Movement::Remove).collect::<Vec<_>>()))
}

pub(super) fn slices<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let (starts, ends) = (arguments.list(1, "starts")?, arguments.list(2, "ends")?);
    let (List::Known(starts), List::Known(ends)) = (starts, ends) else { return Ok(None) };
    let axes = match arguments.list(3, "axes")? {
        List::Known(axes) => axes.iter().map(|&axis| axis_of(axis, shape.len())).collect::<Option<Vec<_>>>(),
        List::Absent => Some((0..shape.len()).take(starts.len()).collect()),
        List::Unknown => None,
    };
    let steps = match arguments.list(4, "steps")? {
        List::Known(steps) => steps.iter().all(|&step| step == 1),
        List::Absent => true,
        List::Unknown => false,
    };
    let fits = |axes: &Vec<usize>| {
        let distinct = |axes: &[usize]| (1..axes.len()).all(|i| !axes[..i].contains(&axes[i]));
        let lists = [axes.len(), starts.len(), ends.len()];
        steps && lists.iter().all(|&len| len == lists[0] && len <= MAX_AXES) && distinct(axes)
    };
    let Some(axes) = axes.filter(fits) else { return Ok(None) };
    let movements: Option<Vec<_>> = axes
        .iter()
        .zip(starts.iter().zip(&ends))
        .map(|(&axis, (&start, &end))| slice(axis, shape[axis], value.repeats(axis), start, end))
        .collect();
    Ok(movements.and_then(|movements| follow(value, &movements)))
}

/// The output at `place` of a Split.
pub(super) fn split<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>, place: usize) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let Some(axis) = arguments.axis(0, shape.len())? else { return Ok(None) };
    let lengths = match arguments.list(1, "split")? {
        List::Known(lengths) => lengths,
        List::Unknown => return Ok(None),
        List::Absent => {
            let (parts, Int::Known(length)) = (arguments.operation.outputs.len() as i64, shape[axis]) else {
                return Ok(None);
            };
            // All are of one length, but for the last, which may be shorter.
            vec![length / parts + i64::from(length % parts != 0); parts as usize]
        }
    };
    let start = lengths.iter().take(place).try_fold(0_i64, |sum, &length| sum.checked_add(length));
    let end = start.zip(lengths.get(place)).and_then(|(start, &length)| start.checked_add(length));
    let range = start.zip(end).filter(|&(start, end)| 0 <= start && start <= end);
    let movement = range.and_then(|(start, end)| slice(axis, shape[axis], value.repeats(axis), start, end));
    Ok(movement.and_then(|movement| value.moved(&movement)))
}

pub(super) fn gather<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let Some(axis) = arguments.axis(0, shape.len())? else { return Ok(None) };
    let Some(indices) = arguments.input(1).and_then(Value::ints) else { return Ok(None) };
    let place = |index: Int<'g>| match (index, shape[axis]) {
        (Int::Known(i), Int::Known(n)) => axis_of(i, usize::try_from(n).ok()?),
        // Every place has the same elements.
        (Int::Known(_), _) if value.repeats(axis) => Some(0),
        (Int::Known(i), _) => usize::try_from(i).ok(),
        _ => None,
    };
    if let ([], Some(&index)) = (&indices.shape[..], indices.data.first()) {
        let Some(start) = place(index) else { return Ok(None) };
        let one = Movement::Slice { axis, start, length: Int::Known(1) };
        // An axis that repeats one element keeps it: no range is taken of it.
        let value = if value.repeats(axis) { Some(value.clone()) } else { value.moved(&one) };
        return Ok(value.and_then(|value| value.moved(&Movement::Remove(axis))));
    }
    let Some(places) =
        indices.list().and_then(|list| list.into_iter().map(place).collect::<Option<Vec<_>>>())
    else {
        return Ok(None);
    };
    let content = match &value.content {
        Content::Floats(filled) => filled.selected(axis, &places, name, budget)?.map(Content::Floats),
        Content::Ints(filled) => filled.selected(axis, &places, name, budget)?.map(Content::Ints),
        Content::Part(part) => match places[..] {
            [start] => part.clone().moved(&Movement::Slice { axis, start, length: Int::Known(1) }),
            _ => None,
        }
        .map(Content::Part),
    };
    Ok(content.map(|content| Value { dtype: value.dtype, content }))
}

/// The first input and its lengths, if their number is known.
pub(super) fn shaped<'a, 'g, A: Scalar>(
    arguments: &'a Arguments<'_, 'g, A>,
) -> Option<(&'a Value<'g, A>, Vec<Int<'g>>)> {
    let value = arguments.input(0)?;
    Some((value, value.shape()?))
}

/// Axes in ascending order; `None` if one is no axis or stands twice.
fn distinct(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let mut axes = axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Option<Vec<_>>>()?;
    axes.sort_unstable();
    axes.windows(2).all(|pair| pair[0] != pair[1]).then_some(axes)
}
