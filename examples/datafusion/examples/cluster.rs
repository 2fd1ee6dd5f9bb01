//! The same SQL on Ballista: a scheduler and two executors as processes on loopback, each of which has the functions.
//!
//! ```text
//! cargo run --release --example cluster
//! ```

use std::fs::create_dir;
use std::path::Path;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{ParquetReadOptions, SessionConfig};
use ndarray_rnn::manual_seed;
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::data::{Rows, Sizes};
use ndarray_rnn_datafusion::demo::{self, Alone};
use ndarray_rnn_datafusion::local::{Local, serve};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn functions(model: &Path) -> Result<Vec<Arc<ScalarUDF>>> {
    Ok(demo::functions(model)?)
}

#[tokio::main]
async fn main() -> Result<()> {
    if serve(functions).await? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let [model, input] = ["model.safetensors", "in"].map(|name| folder.path().join(name));
    demo::write_model(&model)?;
    let sizes = Sizes { rows: 20_000, longest: 60, features: demo::FEATURES, tokens: demo::TOKENS };
    let rows = Rows::draw(sizes, &mut manual_seed(0))?;
    create_dir(&input)?;
    rows.write(&input, 4, demo::FEATURES)?;

    let cluster = Local::start(2, 2, &model)?;
    let config = SessionConfig::new().with_target_partitions(4);
    let ctx = cluster.client(config, &functions(&model)?).await?;
    let input = input.to_str().ok_or("the folder's path is not UTF-8")?;
    ctx.register_parquet("sequences", input, ParquetReadOptions::default()).await?;
    ctx.sql(&format!("EXPLAIN {}", demo::SQL)).await?.show().await?;
    let found = Bits::of(&ctx.sql(demo::SQL).await?.collect().await?)?;
    let expected = Bits::alone(&Alone::read(&model)?, &rows)?;
    assert!(found == expected, "{} of {} rows have their bits", found.equal_rows(&expected), expected.len());
    println!("All {} rows have the bits that the crate gives, called row by row.", expected.len());
    Ok(())
}
