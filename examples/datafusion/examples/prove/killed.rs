//! An executor is killed in the middle of a job.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::cluster::{copy, utf8};
use ndarray_rnn_datafusion::demo;
use ndarray_rnn_datafusion::local::Local;
use tokio::time::timeout;

use super::{LIMIT, Problem, Result, collect, config, first_line};

const FILES: usize = 16;

/// What a job does with its results.
#[derive(Debug, Clone, Copy)]
enum Job {
    /// One job gives them to the client.
    Select,
    /// A job for each file writes them to another.
    Copy,
}

/// Runs a job, then the same job while executors are killed. While one is left, the bits are the same, for COPY perhaps
/// after an error and a second time; if none is, the job ends with an error.
pub async fn prove() -> Result<()> {
    let problem = Arc::new(Problem::new(20_000, 600, FILES)?);
    let expected = problem.alone()?.columns(&[0, 2]);
    println!("\n{} rows of {} steps in {FILES} files", expected.len(), problem.rows.steps());
    println!("| job | killed | after s | partitions done then | result | s |\n|---|---|--:|--:|---|--:|");
    for job in [Job::Select, Job::Copy] {
        let whole = run(job, &problem, &expected, &[], Duration::ZERO).await?;
        for killed in [&[0][..], &[1], &[0, 1]] {
            run(job, &problem, &expected, killed, whole / 2).await?;
        }
    }
    Ok(())
}

/// Runs a job on a new cluster, kills executors after a time, and prints what became of the job.
async fn run(
    job: Job,
    problem: &Arc<Problem>,
    expected: &Bits,
    killed: &[usize],
    after: Duration,
) -> Result<Duration> {
    let mut cluster = Local::start(2, 1, &problem.model)?;
    let partitions = match job {
        Job::Select => FILES,
        Job::Copy => 1,
    };
    let ctx = problem.session(Some(&cluster), config(partitions, 256)).await?;
    let start = Instant::now();
    let running = tokio::spawn(bits(job, ctx.clone(), Arc::clone(problem)));
    tokio::time::sleep(after).await;
    let done = [0, 1].map(|executor| cluster.results(executor));
    for &executor in killed {
        assert!(!running.is_finished(), "the job ended before an executor was killed");
        assert!(done[executor] > 0, "an executor was killed before it had done a partition");
        cluster.kill(executor)?;
    }
    let found = running.await?;
    let time = start.elapsed();
    let print = |found: &std::result::Result<Bits, String>, start: Instant| {
        let words = match found {
            Ok(found) => format!("{} rows with equal bits", found.equal_rows(expected)),
            Err(error) => first_line(error),
        };
        let [after, seconds] = [after, start.elapsed()].map(|time| time.as_secs_f64());
        println!("| {job:?} | {killed:?} | {after:.1} | {done:?} | {words} | {seconds:.1} |");
    };
    print(&found, start);
    match (job, killed.len(), found) {
        (.., Ok(found)) => assert!(found == *expected),
        (_, 2, Err(_)) => {}
        // The count of rows of a file was lost with the executor: what is written twice has the same bytes.
        (Job::Copy, 1, Err(_)) => {
            let start = Instant::now();
            let found = bits(job, ctx, Arc::clone(problem)).await;
            print(&found, start);
            assert!(found? == *expected);
        }
        (.., Err(_)) => return Err("an executor is left, and the job ended with an error".into()),
    }
    Ok(time)
}

async fn bits(job: Job, ctx: SessionContext, problem: Arc<Problem>) -> std::result::Result<Bits, String> {
    let batches = batches(job, ctx, &problem).await.map_err(|error| error.to_string())?;
    Bits::of(&batches).map_err(|error| error.to_string())
}

/// The results of a job.
async fn batches(job: Job, ctx: SessionContext, problem: &Problem) -> Result<Vec<RecordBatch>> {
    if matches!(job, Job::Select) {
        return collect(&ctx, demo::LAST_SQL).await;
    }
    let output = tempfile::tempdir()?;
    let folders = [Path::new(&problem.input), output.path()];
    let files = (0..FILES).map(|n| folders.map(|folder| folder.join(format!("part-{n}.parquet"))));
    let copied = copy(&ctx, |table| demo::of(demo::LAST_SQL, table), files.collect(), 4, || {});
    timeout(LIMIT, copied).await.map_err(|_| format!("no result after {LIMIT:?}"))??;
    let written =
        SessionContext::new().read_parquet(utf8(output.path())?, ParquetReadOptions::default()).await?;
    Ok(written.collect().await?)
}
