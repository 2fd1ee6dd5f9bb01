//! The bits of every row, of an engine and of plain calls.

use std::collections::BTreeMap;
use std::ops::Range;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float32Type, Int64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err};

use crate::data::Rows;
use crate::demo::Alone;
use crate::lists::Lists;
use crate::model::external;

/// For every `id` the bits in each further column; `None` for null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits(BTreeMap<i64, Vec<Option<Vec<u32>>>>);

impl Bits {
    /// What an engine gave.
    ///
    /// # Errors
    /// If an `id` comes twice.
    pub fn of(batches: &[RecordBatch]) -> Result<Self> {
        let mut bits = BTreeMap::new();
        for batch in batches {
            let [ids, columns @ ..] = batch.columns() else { return exec_err!("a batch has no columns") };
            for (row, &id) in ids.as_primitive::<Int64Type>().values().iter().enumerate() {
                let of_row = columns
                    .iter()
                    .map(|column| (!column.is_null(row)).then(|| numbers(column, row..row + 1)).transpose());
                if bits.insert(id, of_row.collect::<Result<_>>()?).is_some() {
                    return exec_err!("row {id} came twice");
                }
            }
        }
        Ok(Self(bits))
    }

    /// What the crate gives, called row by row: the columns that `rnn_last`, `rnn_outputs` and `rnn_model` must give.
    ///
    /// # Errors
    /// As the crate's.
    pub fn alone(alone: &Alone, rows: &Rows) -> Result<Self> {
        let mut bits = BTreeMap::new();
        for (row, (sequence, tokens)) in rows.sequences.iter().zip(&rows.tokens).enumerate() {
            let (Some(sequence), Some(tokens)) = (sequence.as_ref().filter(|s| s.nrows() > 0), tokens) else {
                bits.insert(row as i64, vec![None; 3]);
                continue;
            };
            let (last, outputs) = alone.outputs(sequence).map_err(external)?;
            let model = alone.model(tokens).map_err(external)?;
            let column =
                |numbers: &mut dyn Iterator<Item = &f32>| Some(numbers.map(|x| x.to_bits()).collect());
            let columns = [column(&mut last.iter()), column(&mut outputs.iter()), column(&mut model.iter())];
            bits.insert(row as i64, columns.into());
        }
        Ok(Self(bits))
    }

    /// Some of the columns.
    #[must_use]
    pub fn columns(&self, columns: &[usize]) -> Self {
        let of_row =
            |row: &Vec<Option<Vec<u32>>>| columns.iter().map(|&column| row[column].clone()).collect();
        Self(self.0.iter().map(|(&id, row)| (id, of_row(row))).collect())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many rows of both have the same bits.
    pub fn equal_rows(&self, other: &Self) -> usize {
        self.0.iter().filter(|(id, row)| other.0.get(id) == Some(row)).count()
    }
}

/// The bits of all numbers in a range of an array, whose elements may be lists of lists.
fn numbers(array: &dyn Array, range: Range<usize>) -> Result<Vec<u32>> {
    if let Some(numbers) = array.as_primitive_opt::<Float32Type>() {
        return Ok(numbers.values()[range].iter().map(|number| number.to_bits()).collect());
    }
    let lists = Lists::of(array)
        .ok_or_else(|| exec_datafusion_err!("expected numbers, got {}", array.data_type()))?;
    let mut bits = Vec::new();
    for element in range.filter_map(|list| lists.get(list)) {
        bits.extend(numbers(lists.elements(), element)?);
    }
    Ok(bits)
}
