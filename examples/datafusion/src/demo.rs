//! The model of the examples and of the proof, as functions of SQL and as plain calls.

use std::path::Path;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use ndarray::{Array1, Array2, Axis};
use ndarray_rnn::io::{StateDict, safetensors};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig, Result, manual_seed,
};

use crate::{Gives, Kind, Model, Names, Score};

/// How many features a step has.
pub const FEATURES: usize = 8;

/// How many tokens there are.
pub const TOKENS: usize = 100;

/// Every function once.
pub const SQL: &str = "SELECT id, rnn_last(sequence) AS last, rnn_outputs(sequence) AS outputs, \
                       rnn_model(tokens) AS model FROM sequences";

/// A result for each sequence, none for each step.
pub const LAST_SQL: &str = "SELECT id, rnn_last(sequence) AS last, rnn_model(tokens) AS model FROM sequences";

/// One of these queries, of another table than `sequences`.
#[must_use]
pub fn of(query: &str, table: &str) -> String {
    query.replace("FROM sequences", &format!("FROM {table}"))
}

/// The parts of the model, to be called without an engine.
#[derive(Debug)]
pub struct Alone {
    lstm: Lstm<f32>,
    embedding: Embedding<f32>,
    gru: Gru<f32>,
    head: Linear<f32>,
}

/// Draws a model from a seed and writes it: an LSTM of features, two layers both ways, under `features.`, and an embedding, a GRU and
/// a linear layer under `embedding.`, `rnn.` and `head.`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_model(path: &Path, seed: u64) -> Result<()> {
    let rng = &mut manual_seed(seed);
    let mut dict = StateDict::new();
    let lstm = LstmConfig::new(FEATURES, 16).num_layers(2).bidirectional(true);
    dict.add("features.", &Lstm::<f32>::new(lstm, rng)?)?;
    dict.add("embedding.", &Embedding::<f32>::new(EmbeddingConfig::new(TOKENS, 16), rng)?)?;
    dict.add("rnn.", &Gru::<f32>::new(GruConfig::new(16, 32), rng)?)?;
    dict.add("head.", &Linear::<f32>::new(LinearConfig::new(32, 5), rng)?)?;
    safetensors::write(path, &dict)
}

/// `rnn_last` and `rnn_outputs` of the LSTM, `rnn_model` of the rest.
///
/// # Errors
/// As [`Model::read`].
pub fn functions(model: &Path) -> datafusion::common::Result<Vec<Arc<ScalarUDF>>> {
    let lstm = Arc::new(Model::read(model, Kind::Lstm, &Names::new("features."))?);
    let names = Names::new("rnn.").embedding("embedding.").head("head.");
    let words = Model::read(model, Kind::Gru, &names)?;
    let scores = [
        Score::new("rnn_last", Arc::clone(&lstm), Gives::Last),
        Score::new("rnn_outputs", lstm, Gives::Outputs),
        Score::new("rnn_model", words, Gives::Last),
    ];
    Ok(scores.into_iter().map(|score| Arc::new(score.into())).collect())
}

impl Alone {
    /// The parts of a file that [`write_model`] wrote.
    ///
    /// # Errors
    /// As the readers'.
    pub fn read(model: &Path) -> Result<Self> {
        let dict = safetensors::read(model)?;
        Ok(Self {
            lstm: Lstm::from_state_dict(&dict.under("features."))?,
            embedding: Embedding::from_state_dict(&dict.under("embedding."), None)?,
            gru: Gru::from_state_dict(&dict.under("rnn."))?,
            head: Linear::from_state_dict(&dict.under("head."))?,
        })
    }

    /// What `rnn_last` must give for a sequence, in the quickest way.
    ///
    /// # Errors
    /// If the sequence is empty or of another width.
    pub fn last(&self, sequence: &Array2<f32>) -> Result<Array1<f32>> {
        Ok(self.lstm.run(sequence).last()?.0)
    }

    /// What `rnn_last` and `rnn_outputs` must give for a sequence.
    ///
    /// # Errors
    /// If the sequence is empty or of another width.
    pub fn outputs(&self, sequence: &Array2<f32>) -> Result<(Array1<f32>, Array2<f32>)> {
        let (output, (h_n, _)) = self.lstm.forward(sequence, None)?;
        // The last layer's final states: forward, then reverse.
        let last = h_n.slice_axis(Axis(0), (-2..).into()).iter().copied().collect();
        Ok((last, output))
    }

    /// What `rnn_model` must give for tokens.
    ///
    /// # Errors
    /// If there is none, or one that is none of the embedding's.
    pub fn model(&self, tokens: &[i64]) -> Result<Array1<f32>> {
        let tokens: Array1<usize> = tokens.iter().map(|&token| token as usize).collect();
        let (_, h_n) = self.gru.forward(&self.embedding.forward(&tokens)?, None)?;
        self.head.forward(&h_n.index_axis(Axis(0), 0))
    }
}
