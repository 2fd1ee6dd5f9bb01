//! The same SQL on Ballista: a scheduler and two executors as processes on loopback, each of which has the functions.
//!
//! ```text
//! cargo run --release --example cluster
//! ```

use std::fs::create_dir;
use std::path::Path;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray_rnn::manual_seed;
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::cluster::{copy, utf8};
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
    ctx.register_parquet("sequences", utf8(&input)?, ParquetReadOptions::default()).await?;
    ctx.sql(&format!("EXPLAIN {}", demo::SQL)).await?.show().await?;
    let to_the_client = ctx.sql(demo::SQL).await?.collect().await?;
    check("SELECT to the client", &Bits::of(&to_the_client)?, &expected);

    let files = (0..FILES).map(|n| [&input, &output].map(|folder| folder.join(format!("part-{n}.parquet"))));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left")?;
    let progress = ProgressBar::new(FILES as u64).with_style(style);
    let ctx = cluster.client(SessionConfig::new().with_target_partitions(1), &functions(&model)?).await?;
    copy(&ctx, |table| demo::of(demo::SQL, table), files.collect(), 4, || progress.inc(1)).await?;
    progress.finish();
    let written = SessionContext::new().read_parquet(utf8(&output)?, ParquetReadOptions::default()).await?;
    check("COPY on the executors", &Bits::of(&written.collect().await?)?, &expected);
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
