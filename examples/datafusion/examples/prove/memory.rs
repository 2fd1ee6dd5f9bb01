//! How much memory a batch takes.

use std::path::Path;
use std::process::Command;

use super::{Problem, Result, collect, config, session};

/// Reading alone, then with the functions.
const COLUMNS: [&str; 5] =
    ["sequence", "rnn_last(sequence)", "rnn_outputs(sequence)", "tokens", "rnn_model(tokens)"];

const ROWS: usize = 8192;

/// Prints how much a query of one partition raises the peak resident memory of a fresh process.
pub async fn measure() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    if let [column, batch, model, input] = &arguments[..] {
        return alone(column, batch.parse()?, Path::new(model), input).await;
    }
    println!("| column | batch size | steps in the largest batch | MiB | bytes a step |");
    println!("|---|--:|--:|--:|--:|");
    for (batch, longest) in [(1024, 800), (ROWS, 100), (ROWS, 800)] {
        let problem = Problem::new(ROWS, longest, 1)?;
        let steps: Vec<_> = problem.rows.tokens.iter().map(|row| row.as_ref().map_or(0, Vec::len)).collect();
        let largest = steps.chunks(batch).map(|rows| rows.iter().sum::<usize>()).max().unwrap_or_default();
        for column in COLUMNS {
            let run = Command::new(std::env::current_exe()?)
                .args(["memory", column, &batch.to_string()])
                .args([problem.model.as_os_str(), problem.input.as_ref()])
                .output()?;
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let bytes: f64 = String::from_utf8(run.stdout)?.trim().parse()?;
            let [mebibytes, of_step] = [bytes / f64::from(1 << 20), bytes / largest as f64];
            println!("| `{column}` | {batch} | {largest} | {mebibytes:.1} | {of_step:.0} |");
        }
    }
    Ok(())
}

/// Prints how many bytes a query takes.
async fn alone(column: &str, batch: usize, model: &Path, input: &str) -> Result<()> {
    let ctx = session(None, model, input, config(1, batch)).await?;
    let before = peak()?;
    collect(&ctx, &format!("SELECT count({column}) FROM sequences")).await?;
    println!("{}", peak()? - before);
    Ok(())
}

/// The peak resident memory of this process, as Linux says it.
fn peak() -> Result<usize> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: usize =
        line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmHWM")?.parse()?;
    Ok(kibibytes * 1024)
}
