//! A cluster of Ballista whose members have functions.
//!
//! The scheduler needs a function to plan with it, the executors to run it, the client to write SQL with it. A plan says
//! of a function its name alone, so every member makes the function of the same model; each finds out by the
//! fingerprint in the name whether it has.

use std::sync::Arc;

use ballista::prelude::SessionContextExt;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::ExecutorProcessConfig;
use ballista_scheduler::config::SchedulerConfig;
use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionConfig, SessionContext};

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
