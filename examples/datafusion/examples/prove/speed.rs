//! Rows a second, beside calling the crate in a loop.

use std::time::Instant;

use ndarray_rnn_datafusion::demo::{self, Alone};
use ndarray_rnn_datafusion::local::Local;

use super::{Problem, Result, collect, config};

/// How often each way is timed; in turn, so that other work of the machine slows all of them.
const ROUNDS: usize = 5;

/// Prints the median of each way.
pub async fn measure() -> Result<()> {
    let problem = Problem::new(20_000, 100, 4)?;
    let alone = Alone::read(&problem.model)?;
    let cluster = Local::start(2, 1, &problem.model)?;
    let ways = [("DataFusion, 1 partition", 1, None), ("DataFusion, 2 partitions", 2, None)]
        .into_iter()
        .chain([("Ballista, 2 executors, 2 partitions", 2, Some(&cluster))]);
    let mut sessions = Vec::new();
    for (name, partitions, cluster) in ways {
        for batch in [256, 1024, 8192] {
            let ctx = problem.session(cluster, config(partitions, batch)).await?;
            sessions.push((format!("{name}, batches of {batch}"), ctx, Vec::new()));
        }
    }
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let present = problem.rows.sequences.iter().zip(&problem.rows.tokens);
        for (sequence, tokens) in present {
            let (Some(sequence), Some(tokens)) = (sequence.as_ref().filter(|s| s.nrows() > 0), tokens) else {
                continue;
            };
            std::hint::black_box((alone.last(sequence)?, alone.model(tokens)?));
        }
        calls.push(start.elapsed().as_secs_f64());
        for (_, ctx, times) in &mut sessions {
            let start = Instant::now();
            std::hint::black_box(collect(ctx, demo::LAST_SQL).await?);
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let (rows, steps) = (problem.rows.tokens.len(), problem.rows.steps());
    let loop_time = median(&mut calls);
    println!("\n{rows} rows, {steps} steps; medians of {ROUNDS} rounds");
    println!("| | rows a second | of the loop's |\n|---|--:|--:|");
    println!("| a loop over rows in memory, one thread | {:.0} | 1 |", rows as f64 / loop_time);
    for (name, _, times) in &mut sessions {
        let time = median(times);
        println!("| {name} | {:.0} | {:.2} |", rows as f64 / time, loop_time / time);
    }
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
