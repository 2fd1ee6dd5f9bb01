//! The same SQL on Ballista: a scheduler and two executors as processes on loopback, each of which has the functions.
//!
//! ```text
//! cargo run --release --example cluster
//! ```

use std::fs::create_dir;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::stream::{StreamExt, TryStreamExt, iter};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray_rnn::manual_seed;
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::data::{Rows, Sizes};
use ndarray_rnn_datafusion::demo::{self, Alone};
use ndarray_rnn_datafusion::local::{Local, serve};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const FILES: usize = 8;

fn functions(model: &Path) -> Result<Vec<Arc<ScalarUDF>>> {
    Ok(demo::functions(model)?)
}

#[tokio::main]
async fn main() -> Result<()> {
    if serve(functions).await? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let [model, input, output] = ["model.safetensors", "in", "out"].map(|name| folder.path().join(name));
    demo::write_model(&model, 0)?;
    let sizes = Sizes { rows: 20_000, longest: 60, features: demo::FEATURES, tokens: demo::TOKENS };
    let rows = Rows::draw(sizes, &mut manual_seed(0))?;
    [&input, &output].into_iter().try_for_each(create_dir)?;
    rows.write(&input, FILES, demo::FEATURES)?;
    let expected = Bits::alone(&Alone::read(&model)?, &rows)?;

    let cluster = Local::start(2, 2, &model)?;
    let ctx = cluster.client(SessionConfig::new().with_target_partitions(4), &functions(&model)?).await?;
    ctx.register_parquet("sequences", path(&input)?, ParquetReadOptions::default()).await?;
    ctx.sql(&format!("EXPLAIN {}", demo::SQL)).await?.show().await?;
    let to_the_client = ctx.sql(demo::SQL).await?.collect().await?;
    check("SELECT to the client", &Bits::of(&to_the_client)?, &expected);

    copy(&ctx, &input, &output).await?;
    let written = SessionContext::new().read_parquet(path(&output)?, ParquetReadOptions::default()).await?;
    check("COPY on the executors", &Bits::of(&written.collect().await?)?, &expected);
    Ok(())
}

/// Scores file by file, each a job of one partition, some at a time: executors read and write, the client waits. One COPY
/// of all files would send every result to one executor, which alone writes.
async fn copy(ctx: &SessionContext, input: &Path, output: &Path) -> Result<()> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left")?;
    let progress = ProgressBar::new(FILES as u64).with_style(style);
    let jobs = iter(0..FILES).map(|n| {
        let [from, to] = [input, output].map(|folder| folder.join(format!("part-{n}.parquet")));
        copy_file(ctx, n, from, to)
    });
    jobs.buffer_unordered(4).inspect_ok(|()| progress.inc(1)).try_collect::<()>().await?;
    progress.finish();
    Ok(())
}

async fn copy_file(ctx: &SessionContext, n: usize, from: PathBuf, to: PathBuf) -> Result<()> {
    let table = format!("part_{n}");
    ctx.register_parquet(&table, path(&from)?, ParquetReadOptions::default()).await?;
    let query = demo::SQL.replace("FROM sequences", &format!("FROM {table}"));
    ctx.sql(&format!("COPY ({query}) TO '{}' STORED AS PARQUET", path(&to)?)).await?.collect().await?;
    Ok(())
}

fn check(what: &str, found: &Bits, expected: &Bits) {
    assert!(
        found == expected,
        "{what}: {} of {} rows have their bits",
        found.equal_rows(expected),
        expected.len()
    );
    println!("{what}: all {} rows have the bits that the crate gives, called row by row.", expected.len());
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{}: expected a path of UTF-8", path.display()).into())
}
