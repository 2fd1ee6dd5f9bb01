//! An executor is killed in the middle of a job.

use std::time::{Duration, Instant};

use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::local::Local;

use super::{Problem, Result, collect, config};

/// Without `rnn_outputs`, whose results are large.
const SQL: &str = "SELECT id, rnn_last(sequence) AS last, rnn_model(tokens) AS model FROM sequences";
const PARTITIONS: usize = 16;

/// Runs a job, then the same job while an executor is killed: the bits are the same, or the job ends with an error.
pub async fn prove() -> Result<()> {
    let problem = Problem::new(20_000, 300, PARTITIONS)?;
    let expected = problem.alone()?.columns(&[0, 2]);
    let undisturbed = run(&problem, &expected, None).await?;
    println!("\n2 executors, {PARTITIONS} partitions, none killed: {undisturbed:.1?}");
    for executor in [0, 1] {
        let seconds = run(&problem, &expected, Some((executor, undisturbed / 2))).await?;
        println!("the same, executor {executor} killed after {:.1?}: {seconds:.1?}", undisturbed / 2);
    }
    Ok(())
}

/// Runs the job on a new cluster, and kills an executor after a time.
async fn run(problem: &Problem, expected: &Bits, kill: Option<(usize, Duration)>) -> Result<Duration> {
    let mut cluster = Local::start(2, 1, &problem.model)?;
    let ctx = problem.session(Some(&cluster), config(PARTITIONS, 256)).await?;
    let start = Instant::now();
    let job = tokio::spawn(async move { collect(&ctx, SQL).await.map_err(|error| error.to_string()) });
    if let Some((executor, after)) = kill {
        tokio::time::sleep(after).await;
        assert!(!job.is_finished(), "the job ended before an executor was killed");
        assert!(cluster.results() > 0, "an executor was killed before a partition was done");
        cluster.kill(executor)?;
    }
    match job.await? {
        Ok(batches) => {
            let found = Bits::of(&batches)?;
            assert!(
                found == *expected,
                "{} of {} rows have their bits",
                found.equal_rows(expected),
                expected.len()
            );
            println!("{} rows have equal bits", found.len());
        }
        Err(error) if kill.is_some() => println!("the job ended with an error: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(start.elapsed())
}
