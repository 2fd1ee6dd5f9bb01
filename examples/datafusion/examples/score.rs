//! Parquet in, Parquet out, on the cores of one machine, with a progress bar.
//!
//! ```text
//! cargo run --release --example score                                # draws 50,000 sequences, and checks every row
//! cargo run --release --example score -- MODEL.safetensors IN OUT    # files or folders of Parquet; OUT is made
//! ```
//!
//! The model's parts have the names of `demo::functions`.

use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};

use datafusion::logical_expr::ScalarUDF;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use futures::StreamExt;
use futures::future::try_join_all;
use indicatif::{ProgressBar, ProgressStyle};
use ndarray_rnn::manual_seed;
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::cluster::utf8;
use ndarray_rnn_datafusion::data::{Rows, Sizes};
use ndarray_rnn_datafusion::demo::{self, Alone};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).map(PathBuf::from).collect();
    if let [model, input, output] = &arguments[..] {
        return score(model, input, output).await;
    }
    let folder = tempfile::tempdir()?;
    let [model, input, output] = ["model.safetensors", "in", "out"].map(|name| folder.path().join(name));
    demo::write_model(&model, 0)?;
    let sizes = Sizes { rows: 50_000, longest: 60, features: demo::FEATURES, tokens: demo::TOKENS };
    let rows = Rows::draw(sizes, &mut manual_seed(0))?;
    create_dir_all(&input)?;
    rows.write(&input, 4, demo::FEATURES)?;
    score(&model, &input, &output).await?;

    let ctx = SessionContext::new();
    let written = ctx.read_parquet(utf8(&output)?, ParquetReadOptions::default()).await?;
    let (found, expected) =
        (Bits::of(&written.collect().await?)?, Bits::alone(&Alone::read(&model)?, &rows)?);
    assert!(found == expected, "{} of {} rows have their bits", found.equal_rows(&expected), expected.len());
    println!("All {} rows have the bits that the crate gives, called row by row.", expected.len());
    Ok(())
}

/// Scores the sequences of Parquet files. Each partition writes a file of its own, so no row moves between them.
async fn score(model: &Path, input: &Path, output: &Path) -> Result<()> {
    let ctx = SessionContext::new();
    demo::functions(model)?.iter().for_each(|function| ctx.register_udf(ScalarUDF::clone(function)));
    ctx.register_parquet("sequences", utf8(input)?, ParquetReadOptions::default()).await?;
    ctx.sql(&format!("EXPLAIN {}", demo::SQL)).await?.show().await?;
    let rows = ctx.table("sequences").await?.count().await?; // from the files' footers
    write(ctx.sql(demo::SQL).await?, output, progress(rows)?).await
}

async fn write(scored: DataFrame, folder: &Path, progress: ProgressBar) -> Result<()> {
    create_dir_all(folder)?;
    let partitions = scored.execute_stream_partitioned().await?.into_iter().enumerate();
    let tasks = partitions.map(|(n, partition)| {
        let path = folder.join(format!("part-{n}.parquet"));
        tokio::spawn(write_partition(partition, path, progress.clone()))
    });
    try_join_all(tasks).await?.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
    progress.finish();
    Ok(())
}

async fn write_partition(
    mut partition: SendableRecordBatchStream,
    path: PathBuf,
    progress: ProgressBar,
) -> datafusion::common::Result<()> {
    let mut writer = ArrowWriter::try_new(File::create(path)?, partition.schema(), None)?;
    while let Some(batch) = partition.next().await.transpose()? {
        writer.write(&batch)?;
        progress.inc(batch.num_rows() as u64);
    }
    writer.close()?;
    Ok(())
}

/// A progress bar. It writes nothing if there is no terminal.
fn progress(rows: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(rows as u64).with_style(style))
}
