//! The operations that make lengths, or arrays of given lengths.

use super::Folded;
use super::filled::{Filled, Int};
use super::movement::MAX_AXES;
use super::moves::{Arguments, List, shaped};
use super::part::{Part, Target};
use super::value::{Content, Value};
use crate::error::Result;
use crate::io::Dtype;
use crate::io::budget::Budget;
use crate::scalar::Scalar;

pub(super) fn shape<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let Some((_, shape)) = shaped(arguments) else {
        // However many lengths there are, none is known.
        return Ok(Some(Value::lengths(Filled::uniform(vec![Int::Unknown], Int::Unknown))));
    };
    let rank = shape.len() as i64;
    let place = |i: i64| if i < 0 { i.saturating_add(rank) } else { i }.clamp(0, rank) as usize;
    let (start, end) = (place(arguments.int("start", 0)?), place(arguments.int("end", rank)?));
    let lengths = shape.get(start..end.max(start)).unwrap_or_default();
    let lengths = ndarray::Array1::from(lengths.to_vec()).into_dyn();
    Ok(Some(Value::lengths(Filled::new(lengths))))
}

/// An array of one value, which is `value` or 0.
pub(super) fn constant_of_shape<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    value: Option<Value<'g, A>>,
) -> Folded<'g, A> {
    let lengths = match arguments.input(0) {
        Some(lengths) => lengths.list(),
        None => match arguments.list(usize::MAX, "shape")? {
            List::Known(shape) => Some(shape.into_iter().map(Int::Known).collect()),
            _ => None,
        },
    };
    let Some(lengths) = lengths.filter(|lengths| are_lengths(lengths)) else { return Ok(None) };
    let (dtype, content) = match value {
        None => (Some(Dtype::F32), Content::Floats(Filled::uniform(lengths, A::zero()))),
        Some(Value { dtype, content: Content::Floats(filled) }) => {
            let Some(&value) = filled.data.first() else { return Ok(None) };
            (dtype, Content::Floats(Filled::uniform(lengths, value)))
        }
        Some(Value { dtype, content: Content::Ints(filled) }) => {
            let Some(&value) = filled.data.first() else { return Ok(None) };
            (dtype, Content::Ints(Filled::uniform(lengths, value)))
        }
        Some(_) => return Ok(None),
    };
    Ok(Some(Value { dtype, content }))
}

fn are_lengths(lengths: &[Int<'_>]) -> bool {
    lengths.len() <= MAX_AXES && lengths.iter().all(|length| !matches!(length, Int::Known(..0)))
}

pub(super) fn expand<'g, A: Scalar>(arguments: &Arguments<'_, 'g, A>) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let target = arguments.input(1).and_then(Value::list).filter(|target| are_lengths(target));
    let Some(target) = target else { return Ok(None) };
    let content = match &value.content {
        Content::Floats(filled) => filled.expanded(&target).map(Content::Floats),
        Content::Ints(filled) => filled.expanded(&target).map(Content::Ints),
        Content::Part(part) => {
            let same = super::filled::broadcast(&shape, &target).is_some_and(|after| after == shape);
            same.then(|| Content::Part(part.clone()))
        }
    };
    Ok(content.map(|content| Value { dtype: value.dtype, content }))
}

pub(super) fn tile<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let repeats = arguments.input(1).and_then(Value::list).filter(|repeats| are_lengths(repeats));
    let Some(repeats) = repeats.filter(|repeats| repeats.len() == shape.len()) else { return Ok(None) };
    let content = match &value.content {
        Content::Floats(filled) => tiled(filled, &repeats, name, budget)?.map(Content::Floats),
        Content::Ints(filled) => tiled(filled, &repeats, name, budget)?.map(Content::Ints),
        Content::Part(part) => {
            repeats.iter().all(|&count| count == Int::Known(1)).then(|| Content::Part(part.clone()))
        }
    };
    Ok(content.map(|content| Value { dtype: value.dtype, content }))
}

fn tiled<'g, T: Clone + PartialEq>(
    filled: &Filled<'g, T>,
    repeats: &[Int<'g>],
    name: &str,
    budget: &mut Budget,
) -> Result<Option<Filled<'g, T>>> {
    let mut tiled = filled.clone();
    for (axis, &count) in repeats.iter().enumerate() {
        if count == Int::Known(1) {
            continue;
        }
        if tiled.data.shape()[axis] == 1 {
            tiled.shape[axis] = match (tiled.shape[axis], count) {
                (Int::Known(1), count) => count,
                (Int::Known(length), Int::Known(count)) => {
                    length.checked_mul(count).map_or(Int::Unknown, Int::Known)
                }
                _ => Int::Unknown,
            };
            continue;
        }
        let Some(count) = count.known() else { return Ok(None) };
        let bytes = count.saturating_mul(tiled.data.len()).saturating_mul(size_of::<T>());
        budget.take(name, bytes.saturating_add(count.saturating_mul(size_of::<&T>())))?;
        match Filled::joined(&vec![&tiled; count], axis, name, budget)? {
            Some(joined) => tiled = joined,
            None => return Ok(None),
        }
    }
    Ok(Some(tiled))
}

pub(super) fn reshape<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let Some((value, shape)) = shaped(arguments) else { return Ok(None) };
    let wanted = match arguments.input(1) {
        Some(wanted) => wanted.list(),
        None => match arguments.list(usize::MAX, "shape")? {
            List::Known(shape) => Some(shape.into_iter().map(Int::Known).collect()),
            _ => None,
        },
    };
    let Some(wanted) = wanted.filter(|wanted| wanted.len() <= MAX_AXES) else { return Ok(None) };
    let allow_zero = arguments.int("allowzero", 0)? == 1;
    let targets = wanted.iter().map(|&length| match length {
        Int::Known(0) if !allow_zero => Some(Target::Copy),
        Int::Known(-1) => Some(Target::Rest),
        Int::Known(..0) => None,
        length => Some(Target::Length(length)),
    });
    let Some(targets) = targets.collect::<Option<Vec<_>>>() else { return Ok(None) };
    if targets.iter().filter(|target| matches!(target, Target::Rest)).count() > 1 {
        return Ok(None);
    }
    let content = match &value.content {
        Content::Part(part) => part.clone().reshaped(&targets).map(Content::Part),
        Content::Floats(filled) => match lengths(&shape, &targets) {
            Some(lengths) => filled.reshaped(lengths, name, budget)?.map(Content::Floats),
            None => None,
        },
        Content::Ints(filled) => match lengths(&shape, &targets) {
            Some(lengths) => filled.reshaped(lengths, name, budget)?.map(Content::Ints),
            None => None,
        },
    };
    Ok(content.map(|content| Value { dtype: value.dtype, content }))
}

/// The lengths after a Reshape; `None` if they do not fit.
fn lengths<'g>(shape: &[Int<'g>], targets: &[Target<'g>]) -> Option<Vec<Int<'g>>> {
    let mut lengths = Vec::new();
    for (i, target) in targets.iter().enumerate() {
        lengths.push(match *target {
            Target::Copy => *shape.get(i)?,
            Target::Length(length) => length,
            Target::Rest => Int::Known(1),
        });
    }
    let product = |lengths: &[Int<'g>]| {
        lengths.iter().try_fold(1_usize, |product, length| product.checked_mul(length.known()?))
    };
    let rest = targets.iter().position(|target| matches!(target, Target::Rest));
    let (before, after) = (product(shape), product(&lengths));
    match (rest, before.zip(after)) {
        (Some(place), Some((before, after))) => {
            let exact = before.checked_div(after).filter(|length| length * after == before);
            lengths[place] = Int::Known(exact? as i64);
        }
        (Some(place), None) => lengths[place] = Int::Unknown,
        (None, Some((before, after))) if before != after => return None,
        (None, _) => {}
    }
    Some(lengths)
}

pub(super) fn concat<'g, A: Scalar>(
    arguments: &Arguments<'_, 'g, A>,
    name: &str,
    budget: &mut Budget,
) -> Folded<'g, A> {
    let Some((first, shape)) = shaped(arguments) else { return Ok(None) };
    let Some(axis) = arguments.axis(1, shape.len())? else { return Ok(None) };
    let inputs: Option<Vec<_>> = arguments.inputs.iter().map(Option::as_deref).collect();
    let Some(inputs) = inputs else { return Ok(None) };
    let content = match &first.content {
        Content::Floats(_) => match inputs.iter().map(|value| value.floats()).collect::<Option<Vec<_>>>() {
            Some(parts) => Filled::joined(&parts, axis, name, budget)?.map(Content::Floats),
            None => None,
        },
        Content::Ints(_) => match inputs.iter().map(|value| value.ints()).collect::<Option<Vec<_>>>() {
            Some(parts) => Filled::joined(&parts, axis, name, budget)?.map(Content::Ints),
            None => None,
        },
        Content::Part(_) => {
            let parts: Option<Vec<_>> = inputs.iter().map(|value| value.part()).collect();
            parts.and_then(|parts| Part::joined(&parts, axis)).map(Content::Part)
        }
    };
    Ok(content.map(|content| Value { dtype: first.dtype, content }))
}
