//! The proof: whatever the engine, the number of partitions and the size of batches, every row has the bits that the crate
//! gives, called row by row; an executor that is killed changes none.
//!
//! ```text
//! cargo run --release --example prove              # prints a table
//! cargo run --release --example prove -- speed     # rows a second, too
//! ```

mod killed;
mod speed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use ndarray_rnn::manual_seed;
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::data::{Rows, Sizes};
use ndarray_rnn_datafusion::demo::{self, Alone};
use ndarray_rnn_datafusion::local::{Local, serve};
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a query may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Rows in files, and the model.
struct Problem {
    rows: Rows,
    model: PathBuf,
    input: String,
    _folder: tempfile::TempDir,
}

impl Problem {
    fn new(rows: usize, longest: usize, files: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [model, input] = ["model.safetensors", "in"].map(|name| folder.path().join(name));
        demo::write_model(&model)?;
        let sizes = Sizes { rows, longest, features: demo::FEATURES, tokens: demo::TOKENS };
        let rows = Rows::draw(sizes, &mut manual_seed(0))?;
        std::fs::create_dir(&input)?;
        rows.write(&input, files, demo::FEATURES)?;
        let input = input.to_str().ok_or("the folder's path is not UTF-8")?.to_owned();
        Ok(Self { rows, model, input, _folder: folder })
    }

    fn alone(&self) -> Result<Bits> {
        Ok(Bits::alone(&Alone::read(&self.model)?, &self.rows)?)
    }

    /// A session whose table is the files: on a cluster, or in this process.
    async fn session(&self, cluster: Option<&Local>, config: SessionConfig) -> Result<SessionContext> {
        let functions = functions(&self.model)?;
        let ctx = match cluster {
            Some(cluster) => cluster.client(config, &functions).await?,
            None => {
                let ctx = SessionContext::new_with_config(config);
                functions.iter().for_each(|function| ctx.register_udf(ScalarUDF::clone(function)));
                ctx
            }
        };
        ctx.register_parquet("sequences", &self.input, ParquetReadOptions::default()).await?;
        Ok(ctx)
    }
}

fn functions(model: &Path) -> Result<Vec<Arc<ScalarUDF>>> {
    Ok(demo::functions(model)?)
}

fn config(partitions: usize, batch: usize) -> SessionConfig {
    // Small files are split too.
    SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch)
        .with_repartition_file_min_size(0)
}

/// The batches of a query, within a time limit.
async fn collect(ctx: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    let collected = async { ctx.sql(sql).await?.collect().await };
    Ok(timeout(LIMIT, collected).await.map_err(|_| format!("no result after {LIMIT:?}"))??)
}

#[tokio::main]
async fn main() -> Result<()> {
    if serve(functions).await? {
        return Ok(());
    }
    let problem = Problem::new(10_000, 24, 4)?;
    let expected = problem.alone()?;
    println!(
        "{} rows, {} steps; 10,000 calls of the crate give the bits",
        expected.len(),
        problem.rows.steps()
    );
    println!("| engine | partitions | batch size | largest batch | rows with equal bits | s |");
    println!("|---|--:|--:|--:|--:|--:|");
    let cluster = Local::start(2, 2, &problem.model)?;
    for (engine, cluster) in [("DataFusion", None), ("Ballista", Some(&cluster))] {
        for partitions in [1, 2, 4] {
            for batch in [1, 7, 1024, 8192] {
                let ctx = problem.session(cluster, config(partitions, batch)).await?;
                let before = cluster.map_or(0, Local::results);
                let start = Instant::now();
                let batches = collect(&ctx, demo::SQL).await?;
                let seconds = start.elapsed().as_secs_f64();
                let ran = match cluster {
                    Some(cluster) => cluster.results() - before,
                    None => partitions_of(&ctx).await?,
                };
                let largest = batches.iter().map(RecordBatch::num_rows).max().unwrap_or_default();
                let found = Bits::of(&batches)?;
                let equal = found.equal_rows(&expected);
                println!("| {engine} | {ran} | {batch} | {largest} | {equal} | {seconds:.2} |");
                assert_eq!(ran, partitions);
                assert!(largest <= batch);
                assert!(found == expected);
            }
        }
    }
    drop(cluster);
    killed::prove().await?;
    if std::env::args().any(|argument| argument == "speed") {
        speed::measure().await?;
    }
    Ok(())
}

/// How many partitions the plan of this process has.
async fn partitions_of(ctx: &SessionContext) -> Result<usize> {
    let plan = ctx.sql(demo::SQL).await?.create_physical_plan().await?;
    Ok(plan.properties().partitioning.partition_count())
}
