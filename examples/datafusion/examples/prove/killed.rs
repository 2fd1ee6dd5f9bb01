//! An executor is killed in the middle of a job.

use std::time::{Duration, Instant};

use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::demo;
use ndarray_rnn_datafusion::local::Local;

use super::{Problem, Result, collect, config, first_line};

const PARTITIONS: usize = 16;

/// Runs a job, then the same job while executors are killed. While one is left, the bits are the same; then, the job
/// ends with an error.
pub async fn prove() -> Result<()> {
    let problem = Problem::new(20_000, 600, PARTITIONS)?;
    let expected = problem.alone()?.columns(&[0, 2]);
    println!(
        "\n{} rows of {} steps, 2 executors, {PARTITIONS} partitions",
        expected.len(),
        problem.rows.steps()
    );
    println!("| killed | after s | partitions done then | result | s |\n|---|--:|--:|---|--:|");
    let whole = run(&problem, &expected, &[], Duration::ZERO).await?;
    for killed in [&[0][..], &[1], &[0, 1]] {
        run(&problem, &expected, killed, whole / 2).await?;
    }
    Ok(())
}

/// Runs the job on a new cluster, kills executors after a time, and prints what became of the job.
async fn run(problem: &Problem, expected: &Bits, killed: &[usize], after: Duration) -> Result<Duration> {
    let mut cluster = Local::start(2, 1, &problem.model)?;
    let ctx = problem.session(Some(&cluster), config(PARTITIONS, 256)).await?;
    let start = Instant::now();
    let job =
        tokio::spawn(async move { collect(&ctx, demo::LAST_SQL).await.map_err(|error| error.to_string()) });
    tokio::time::sleep(after).await;
    let done = [0, 1].map(|executor| cluster.results(executor));
    for &executor in killed {
        assert!(!job.is_finished(), "the job ended before an executor was killed");
        assert!(done[executor] > 0, "an executor was killed before it had done a partition");
        cluster.kill(executor)?;
    }
    let result = job.await?;
    let time = start.elapsed();
    let words = match &result {
        Ok(batches) => format!("{} rows with equal bits", Bits::of(batches)?.equal_rows(expected)),
        Err(error) => first_line(error),
    };
    println!("| {killed:?} | {:.1} | {done:?} | {words} | {:.1} |", after.as_secs_f64(), time.as_secs_f64());
    match result {
        Ok(batches) => assert!(Bits::of(&batches)? == *expected),
        Err(_) => assert!(killed.len() == 2, "an executor is left, and the job ended with an error"),
    }
    Ok(time)
}
