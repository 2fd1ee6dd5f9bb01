//! From a column to a packed batch of its sequences.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Float32Type, Int64Type};
use datafusion::common::{Result, exec_err, internal_datafusion_err, plan_err};
use ndarray::ArrayView2;
use ndarray_rnn::PackedSequence;

use crate::lists::{Lists, elements_of};
use crate::model::{Model, external};

/// The sequences of a batch of rows.
pub struct Column<A> {
    /// Whether each row holds a sequence: it is neither null nor empty.
    pub present: Vec<bool>,
    /// The sequences; `None` if no row holds one.
    pub packed: Option<PackedSequence<A>>,
}

/// Checks that a column is of a type that a model reads.
pub fn expect_type(model: &Model, column: &str, actual: &DataType) -> Result<()> {
    let element = elements_of(actual).map(|field| field.data_type());
    if model.tokens().is_some() {
        return match element {
            Some(DataType::Int64) => Ok(()),
            _ => plan_err!("column {column}: expected lists of tokens, List(Int64), got {actual}"),
        };
    }
    let width = model.input_size();
    let number = element.and_then(elements_of).map(|field| field.data_type());
    match (element, number) {
        (Some(DataType::FixedSizeList(_, size)), Some(DataType::Float32))
            if usize::try_from(*size) != Ok(width) =>
        {
            plan_err!("column {column}: expected steps of {width} features, got {size} in {actual}")
        }
        (_, Some(DataType::Float32)) => Ok(()),
        _ => plan_err!(
            "column {column}: expected lists of steps of {width} features, List(FixedSizeList({width} x Float32)), \
             got {actual}"
        ),
    }
}

/// The sequences of steps of `width` features.
pub fn features(column: &str, array: &dyn Array, width: usize) -> Result<Column<f32>> {
    let rows = lists(array)?;
    let steps = lists(rows.elements())?;
    let numbers = steps.elements().as_primitive::<Float32Type>();
    collect(rows, width, |row, at, step, data| {
        let place = || format!("column {column}, row {row} of the batch, step {at}");
        let Some(range) = steps.get(step) else {
            return exec_err!("{}: expected {width} features, got null", place());
        };
        if range.len() != width {
            return exec_err!("{}: expected {width} features, got {}", place(), range.len());
        }
        if let Some(null) = range.clone().position(|number| numbers.is_null(number)) {
            return exec_err!("{}: expected {width} numbers, got null for feature {null}", place());
        }
        data.extend_from_slice(&numbers.values()[range]);
        Ok(())
    })
}

/// The sequences of tokens, of which there are `count`.
pub fn tokens(column: &str, array: &dyn Array, count: usize) -> Result<Column<usize>> {
    let rows = lists(array)?;
    let numbers = rows.elements().as_primitive::<Int64Type>();
    collect(rows, 1, |row, at, step, data| {
        let place = || format!("column {column}, row {row} of the batch, step {at}");
        if numbers.is_null(step) {
            return exec_err!("{}: expected a token from 0 to {}, got null", place(), count - 1);
        }
        let token = numbers.value(step);
        match usize::try_from(token).ok().filter(|&token| token < count) {
            Some(token) => data.push(token),
            None => return exec_err!("{}: expected a token from 0 to {}, got {token}", place(), count - 1),
        }
        Ok(())
    })
}

/// Packs the rows that hold a sequence. `push` checks and appends a step; it is given the row, the number of the step in
/// it and the place of the step among those of all rows.
fn collect<A: Clone>(
    rows: Lists<'_>,
    width: usize,
    mut push: impl FnMut(usize, usize, usize, &mut Vec<A>) -> Result<()>,
) -> Result<Column<A>> {
    let steps: usize = (0..rows.len()).filter_map(|row| rows.get(row)).map(|steps| steps.len()).sum();
    let (mut data, mut ends) = (Vec::with_capacity(steps * width), vec![0]);
    let mut present = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let steps = rows.get(row).unwrap_or_default();
        present.push(!steps.is_empty());
        for (at, step) in steps.clone().enumerate() {
            push(row, at, step, &mut data)?;
        }
        if !steps.is_empty() {
            ends.push(data.len());
        }
    }
    let sequence = |pair: &[usize]| {
        ArrayView2::from_shape(((pair[1] - pair[0]) / width, width), &data[pair[0]..pair[1]])
            .map_err(|error| internal_datafusion_err!("a sequence has rows of {width}: {error}"))
    };
    let sequences: Vec<_> = ends.windows(2).map(sequence).collect::<Result<_>>()?;
    let packed = match &sequences[..] {
        [] => None,
        _ => Some(PackedSequence::from_sequences(&sequences).map_err(external)?),
    };
    Ok(Column { present, packed })
}

fn lists(array: &dyn Array) -> Result<Lists<'_>> {
    Lists::of(array).ok_or_else(|| internal_datafusion_err!("planned for lists, got {}", array.data_type()))
}
