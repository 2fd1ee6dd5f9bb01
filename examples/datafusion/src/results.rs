//! From results to columns: a row that holds no sequence is null.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, ListArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};
use ndarray::Array2;

/// The type of a result of `width` numbers.
pub fn last_type(width: usize) -> Result<DataType> {
    Ok(DataType::FixedSizeList(item(DataType::Float32), fixed_size(width)?))
}

/// The type of a list of results of `width` numbers.
pub fn outputs_type(width: usize) -> Result<DataType> {
    Ok(DataType::List(item(last_type(width)?)))
}

/// A column of one result for each row that is present, (N, width).
pub fn last(present: Vec<bool>, results: Option<&Array2<f32>>, width: usize) -> Result<ArrayRef> {
    let mut numbers = Vec::with_capacity(present.len() * width);
    let mut rows = results.into_iter().flat_map(|results| results.rows());
    for &row in &present {
        match row.then(|| rows.next()).flatten() {
            Some(row) => numbers.extend(row),
            None => numbers.resize(numbers.len() + width, 0.0),
        }
    }
    Ok(Arc::new(fixed(numbers, width, Some(present.into()))?))
}

/// A column of a list for each row that is present, of a result for each step, (its length, width).
pub fn outputs(present: Vec<bool>, results: Vec<Array2<f32>>, width: usize) -> Result<ArrayRef> {
    let steps: usize = results.iter().map(Array2::nrows).sum();
    if i32::try_from(steps).is_err() {
        let words = "steps in a batch, got";
        return Err(exec_datafusion_err!("expected at most {} {words} {steps}: make it smaller", i32::MAX));
    }
    let mut results_of = results.iter();
    let lengths =
        present.iter().map(|&row| row.then(|| results_of.next()).flatten().map_or(0, Array2::nrows));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let mut numbers = Vec::with_capacity(steps * width);
    results.iter().for_each(|result| numbers.extend(result));
    let elements = fixed(numbers, width, None)?;
    let lists =
        ListArray::try_new(item(last_type(width)?), offsets, Arc::new(elements), Some(present.into()))?;
    Ok(Arc::new(lists))
}

fn fixed(numbers: Vec<f32>, width: usize, nulls: Option<NullBuffer>) -> Result<FixedSizeListArray> {
    let numbers = Arc::new(Float32Array::from(numbers));
    Ok(FixedSizeListArray::try_new(item(DataType::Float32), fixed_size(width)?, numbers, nulls)?)
}

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

fn fixed_size(width: usize) -> Result<i32> {
    i32::try_from(width)
        .map_err(|_| exec_datafusion_err!("expected at most {} numbers, got {width}", i32::MAX))
}
