//! Sequences to try things on, and the Parquet files of them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, FixedSizeListBuilder, Float32Builder, Int64Array, Int64Builder, ListBuilder, RecordBatch,
};
use datafusion::common::Result;
use datafusion::parquet::arrow::ArrowWriter;
use ndarray::{Array1, Array2};
use ndarray_rnn::random::{self, Mt19937};

use crate::model::external;

/// Rows: a sequence of features and one of tokens each.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// (length, features) each; one in 50 is null, one in 50 empty.
    pub sequences: Vec<Option<Array2<f32>>>,
    /// As many tokens as the sequence has steps.
    pub tokens: Vec<Option<Vec<i64>>>,
}

/// The sizes of rows.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// How many rows.
    pub rows: usize,
    /// The length that none exceeds. Half of the sequences are no longer than a quarter of it.
    pub longest: usize,
    /// Features of a step.
    pub features: usize,
    /// Tokens there are.
    pub tokens: usize,
}

impl Rows {
    /// Draws rows.
    ///
    /// # Errors
    /// If no memory holds them.
    pub fn draw(sizes: Sizes, rng: &mut Mt19937) -> Result<Self> {
        let mut rows = Self::default();
        for _ in 0..sizes.rows {
            let mut draws = Array1::<f64>::zeros(2);
            random::uniform(&mut draws, 0.0, 1.0, rng).map_err(external)?;
            let length = match draws[0] {
                ..0.04 => 0,
                _ => 1 + (draws[1] * draws[1] * sizes.longest as f64) as usize,
            };
            let mut sequence = Array2::<f32>::zeros((length, sizes.features));
            random::uniform(&mut sequence, -1.0, 1.0, rng).map_err(external)?;
            let mut tokens = Array1::<f64>::zeros(length);
            random::uniform(&mut tokens, 0.0, sizes.tokens as f64, rng).map_err(external)?;
            let some = draws[0] >= 0.02;
            rows.sequences.push(some.then_some(sequence));
            rows.tokens.push(some.then(|| tokens.iter().map(|&token| token as i64).collect()));
        }
        Ok(rows)
    }

    /// How many steps all sequences have.
    pub fn steps(&self) -> usize {
        self.tokens.iter().flatten().map(Vec::len).sum()
    }

    /// The rows of a range as columns `id`, `sequence` and `tokens`.
    ///
    /// # Errors
    /// As Arrow's.
    pub fn batch(&self, range: std::ops::Range<usize>, features: usize) -> Result<RecordBatch> {
        let ids = Int64Array::from_iter_values(range.start as i64..range.end as i64);
        let step = FixedSizeListBuilder::new(Float32Builder::new(), features as i32);
        let mut sequences = ListBuilder::new(step);
        let mut tokens = ListBuilder::new(Int64Builder::new());
        for row in range {
            for step in self.sequences[row].iter().flat_map(|sequence| sequence.rows()) {
                step.iter().for_each(|&number| sequences.values().values().append_value(number));
                sequences.values().append(true);
            }
            sequences.append(self.sequences[row].is_some());
            self.tokens[row].iter().flatten().for_each(|&token| tokens.values().append_value(token));
            tokens.append(self.tokens[row].is_some());
        }
        let columns: [(_, ArrayRef); 3] = [
            ("id", Arc::new(ids)),
            ("sequence", Arc::new(sequences.finish())),
            ("tokens", Arc::new(tokens.finish())),
        ];
        Ok(RecordBatch::try_from_iter(columns)?)
    }

    /// Writes the rows to so many Parquet files in a folder.
    ///
    /// # Errors
    /// As Parquet's.
    pub fn write(&self, folder: &Path, files: usize, features: usize) -> Result<()> {
        let rows = self.tokens.len();
        for file in 0..files {
            let batch = self.batch(rows * file / files..rows * (file + 1) / files, features)?;
            let path = folder.join(format!("part-{file}.parquet"));
            let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
            writer.write(&batch)?;
            writer.close()?;
        }
        Ok(())
    }
}
