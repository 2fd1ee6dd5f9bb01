//! Recurrent networks of `ndarray-rnn` as scalar functions of [DataFusion](https://datafusion.apache.org) and
//! [Ballista](https://datafusion.apache.org/ballista): SQL scores sequences, and every row has the bits of one process.
//!
//! ```no_run
//! use datafusion::prelude::{ParquetReadOptions, SessionContext};
//! use ndarray_rnn_datafusion::{Gives, Kind, Model, Names, Score};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let names = Names::new("rnn.").embedding("embedding.").head("head.");
//! let model = Model::read("model.safetensors", Kind::Lstm, &names)?;
//! let ctx = SessionContext::new();
//! ctx.register_udf(Score::new("rnn_model", model, Gives::Last).into());
//! ctx.register_parquet("sequences", "sequences.parquet", ParquetReadOptions::default()).await?;
//! ctx.sql("SELECT id, rnn_model(tokens) FROM sequences").await?.show().await?;
//! # Ok(())
//! # }
//! ```

pub mod check;
pub mod cluster;
mod columns;
pub mod data;
pub mod demo;
mod function;
mod lists;
pub mod local;
mod model;
mod network;
mod results;

pub use function::{Gives, Score};
pub use model::{Format, Kind, Model, Names};
