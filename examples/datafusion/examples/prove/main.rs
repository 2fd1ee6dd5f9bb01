//! The proof: whatever the engine, the number of partitions and the size of batches, every row has the bits that the crate
//! gives, called row by row; an executor that is killed changes none.
//!
//! ```text
//! cargo run --release --example prove              # prints a table
//! cargo run --release --example prove -- speed     # instead: rows a second
//! cargo run --release --example prove -- memory    # instead: what a batch takes
//! ```

mod killed;
mod memory;
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
        demo::write_model(&model, 0)?;
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

    async fn session(&self, cluster: Option<&Local>, config: SessionConfig) -> Result<SessionContext> {
        session(cluster, &self.model, &self.input, config).await
    }
}

/// A session whose table is the files of a folder: on a cluster, or in this process.
async fn session(
    cluster: Option<&Local>,
    model: &Path,
    input: &str,
    config: SessionConfig,
) -> Result<SessionContext> {
    let functions = functions(model)?;
    let ctx = match cluster {
        Some(cluster) => cluster.client(config, &functions).await?,
        None => {
            let ctx = SessionContext::new_with_config(config);
            functions.iter().for_each(|function| ctx.register_udf(ScalarUDF::clone(function)));
            ctx
        }
    };
    ctx.register_parquet("sequences", input, ParquetReadOptions::default()).await?;
    Ok(ctx)
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
    match std::env::args().nth(1).as_deref() {
        Some("speed") => return speed::measure().await,
        Some("memory") => return memory::measure().await,
        _ => {}
    }
    engines().await?;
    killed::prove().await?;
    strangers().await
}

/// Every row has its bits on both engines, whatever the partitions and batches.
async fn engines() -> Result<()> {
    let problem = Problem::new(40_000, 24, 4)?;
    let expected = problem.alone()?;
    println!(
        "{} rows of {} steps in 4 files; on Ballista 2 executors\n",
        expected.len(),
        problem.rows.steps()
    );
    println!("| engine | partitions | batch size | largest result | rows with equal bits | s |");
    println!("|---|--:|--:|--:|--:|--:|");
    let cluster = Local::start(2, 2, &problem.model)?;
    for (engine, cluster) in [("DataFusion", None), ("Ballista", Some(&cluster))] {
        for partitions in [1, 2, 4] {
            for batch in [1, 7, 1024, 8192] {
                let ctx = problem.session(cluster, config(partitions, batch)).await?;
                let results =
                    || [0, 1].map(|executor| cluster.map_or(0, |cluster| cluster.results(executor)));
                let before = results();
                let start = Instant::now();
                let batches = collect(&ctx, demo::SQL).await?;
                let seconds = start.elapsed().as_secs_f64();
                let ran = match (cluster, results()) {
                    (None, _) => vec![partitions_of(&ctx).await?],
                    (Some(_), after) => vec![after[0] - before[0], after[1] - before[1]],
                };
                let largest = batches.iter().map(RecordBatch::num_rows).max().unwrap_or_default();
                let found = Bits::of(&batches)?;
                let equal = found.equal_rows(&expected);
                println!("| {engine} | {ran:?} | {batch} | {largest} | {equal} | {seconds:.2} |");
                assert_eq!(ran.iter().sum::<usize>(), partitions);
                assert!(largest <= batch);
                assert!(found == expected);
            }
        }
    }
    Ok(())
}

/// An executor that has another model under the same names refuses the plan. Ballista does not say why; the executor's log does.
async fn strangers() -> Result<()> {
    let problem = Problem::new(100, 10, 1)?;
    let other = problem.model.with_file_name("other.safetensors");
    demo::write_model(&other, 1)?;
    let mut cluster = Local::start(0, 1, &problem.model)?;
    cluster.executor(1, &other)?;
    let ctx = problem.session(Some(&cluster), config(1, 1024)).await?;
    let Err(error) = collect(&ctx, demo::SQL).await else {
        return Err("another model scored the rows".into());
    };
    println!("\nAn executor with another model: {}", first_line(&error));
    Ok(())
}

fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// How many partitions the plan of this process has.
async fn partitions_of(ctx: &SessionContext) -> Result<usize> {
    let plan = ctx.sql(demo::SQL).await?.create_physical_plan().await?;
    Ok(plan.properties().partitioning.partition_count())
}
