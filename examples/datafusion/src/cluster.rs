//! A cluster of Ballista whose members have functions.
//!
//! The scheduler needs a function to plan with it, the executors to run it, the client to write SQL with it. A plan says
//! of a function its name alone, so every member makes the function of the same model; each finds out by the
//! fingerprint in the name whether it has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ballista::prelude::SessionContextExt;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::ExecutorProcessConfig;
use ballista_scheduler::config::SchedulerConfig;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::stream::{StreamExt, TryStreamExt, iter};

/// A state with the engine's functions and these.
fn state(config: SessionConfig, functions: &[Arc<ScalarUDF>]) -> Result<SessionState> {
    let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    for function in functions {
        state.register_udf(Arc::clone(function))?;
    }
    Ok(state)
}

/// What a scheduler with functions is started with; hosts, ports and times are the caller's to set.
pub fn scheduler(functions: Vec<Arc<ScalarUDF>>) -> SchedulerConfig {
    SchedulerConfig {
        override_session_builder: Some(Arc::new(move |config| state(config, &functions))),
        ..SchedulerConfig::default()
    }
}

/// What an executor with functions is started with; hosts, ports and folders are the caller's to set.
///
/// # Errors
/// If the engine refuses a function.
pub fn executor(functions: &[Arc<ScalarUDF>]) -> Result<ExecutorProcessConfig> {
    let registry = BallistaFunctionRegistry::from(&state(SessionConfig::new(), functions)?);
    Ok(ExecutorProcessConfig {
        override_function_registry: Some(Arc::new(registry)),
        ..ExecutorProcessConfig::default()
    })
}

/// A client of the scheduler at a URL such as `df://localhost:50050`.
///
/// # Errors
/// If the engine refuses the URL or a function.
pub async fn client(
    url: &str,
    config: SessionConfig,
    functions: &[Arc<ScalarUDF>],
) -> Result<SessionContext> {
    let ctx = SessionContext::remote_with_state(url, state(config, functions)?).await?;
    // Ballista has put its own list of functions in place of the state's.
    functions.iter().for_each(|function| ctx.register_udf(ScalarUDF::clone(function)));
    Ok(ctx)
}

/// Scores Parquet files one by one, each by a job of one partition, `at_once` jobs at a time: the executors read and
/// write, the client waits. `query` makes SQL of a table's name; `done` is called after each file.
///
/// One COPY of several partitions would send every result to one executor, which alone writes.
///
/// # Errors
/// If the session has more `target_partitions` than 1; that of the first job that fails. Files that are written stay.
pub async fn copy(
    ctx: &SessionContext,
    query: impl Fn(&str) -> String,
    files: Vec<[PathBuf; 2]>,
    at_once: usize,
    done: impl Fn(),
) -> Result<()> {
    let partitions = ctx.copied_config().target_partitions();
    if partitions != 1 {
        return exec_err!("expected a session of target_partitions 1, got {partitions}");
    }
    let jobs = files.into_iter().enumerate().map(|(n, files)| {
        let table = format!("file_{n}");
        copy_file(ctx, query(&table), table, files)
    });
    // Futures of a list, since those of an iterator with borrows are not known to be `Send`.
    let jobs: Vec<_> = jobs.collect();
    iter(jobs).buffer_unordered(at_once).inspect_ok(|()| done()).try_collect().await
}

async fn copy_file(
    ctx: &SessionContext,
    query: String,
    table: String,
    [from, to]: [PathBuf; 2],
) -> Result<()> {
    ctx.deregister_table(&table)?; // that of a copy which ended with an error
    ctx.register_parquet(&table, utf8(&from)?, ParquetReadOptions::default()).await?;
    let copy = format!("COPY ({query}) TO '{}' STORED AS PARQUET", utf8(&to)?);
    ctx.sql(&copy).await?.collect().await?;
    ctx.deregister_table(&table)?;
    Ok(())
}

/// A path as the engines take it.
///
/// # Errors
/// If it is not UTF-8.
pub fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| exec_datafusion_err!("{}: expected a path of UTF-8", path.display()))
}
