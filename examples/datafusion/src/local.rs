//! A scheduler and executors as processes on loopback, each the running program with other arguments.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionConfig, SessionContext};
use tempfile::TempDir;

use crate::cluster;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long a process may take to listen.
const START: Duration = Duration::from_secs(60);

/// Processes on loopback, which end when the value is dropped.
pub struct Local {
    scheduler: u16,
    processes: Vec<Child>,
    folder: TempDir,
}

impl Local {
    /// Starts a scheduler and executors of `vcores` tasks at a time each. They are this program with arguments, of
    /// which the last is `model`: its `main` must begin with [`serve`].
    ///
    /// # Errors
    /// If a process does not start or does not listen within a minute.
    pub fn start(executors: usize, vcores: usize, model: &Path) -> Result<Self> {
        let (scheduler, folder) = (free_port()?, tempfile::tempdir()?);
        let mut local = Self { scheduler, processes: Vec::new(), folder };
        local.spawn(&["scheduler".into(), scheduler.to_string()], model)?;
        local.listens(scheduler)?;
        (0..executors).try_for_each(|_| local.executor(vcores, model))?;
        Ok(local)
    }

    /// Starts one more executor.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn executor(&mut self, vcores: usize, model: &Path) -> Result<()> {
        let (flight, grpc, folder) = (free_port()?, free_port()?, self.work_dir(self.processes.len() - 1));
        std::fs::create_dir(&folder)?;
        let [scheduler, flight_port, grpc_port] = [self.scheduler, flight, grpc].map(|port| port.to_string());
        let folder = folder.display().to_string();
        self.spawn(
            &["executor".into(), scheduler, flight_port, grpc_port, vcores.to_string(), folder],
            model,
        )?;
        self.listens(flight)?;
        self.listens(grpc)
    }

    /// A client with functions.
    ///
    /// # Errors
    /// As [`cluster::client`].
    pub async fn client(
        &self,
        config: SessionConfig,
        functions: &[Arc<ScalarUDF>],
    ) -> Result<SessionContext> {
        Ok(cluster::client(&format!("df://127.0.0.1:{}", self.scheduler), config, functions).await?)
    }

    /// Where an executor keeps its results.
    fn work_dir(&self, executor: usize) -> PathBuf {
        self.folder.path().join(format!("executor-{executor}"))
    }

    /// How many partitions of results an executor keeps, of all jobs.
    pub fn results(&self, executor: usize) -> usize {
        fn files(path: &Path) -> usize {
            if !path.is_dir() {
                return usize::from(path.extension().is_some_and(|ending| ending == "arrow"));
            }
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| files(&entry.path())).sum()
        }
        files(&self.work_dir(executor))
    }

    /// Kills an executor, which has no time to say so to anyone.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn kill(&mut self, executor: usize) -> Result<()> {
        let process = &mut self.processes[1 + executor];
        if let Some(status) = process.try_wait()? {
            return Err(format!("executor {executor} has ended by itself: {status}").into());
        }
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    fn spawn(&mut self, arguments: &[String], model: &Path) -> Result<()> {
        let child = Command::new(std::env::current_exe()?).args(arguments).arg(model).spawn()?;
        self.processes.push(child);
        Ok(())
    }

    /// Waits until the process that was started last listens.
    fn listens(&mut self, port: u16) -> Result<()> {
        let end = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.processes.last_mut().map(Child::try_wait).transpose()?.flatten() {
                return Err(format!("a process ended before it listened: {status}").into());
            }
            if Instant::now() > end {
                return Err(format!("no process listens on port {port} after {START:?}").into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that was killed before is no fault here.
            let _ = process.kill().and_then(|()| process.wait());
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Is the scheduler or executor that the program's arguments ask for, until it is killed; or returns `false` if they ask
/// for neither. The functions are those of the model whose path is the last argument.
///
/// # Errors
/// As the server, and as `functions`.
pub async fn serve(functions: impl Fn(&Path) -> Result<Vec<Arc<ScalarUDF>>>) -> Result<bool> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["scheduler", port, model] => {
            let config = SchedulerConfig {
                bind_port: port.parse()?,
                // A killed executor is found out after this, instead of 180 s. With 6 s a busy machine of two cores
                // lost executors that were alive.
                executor_timeout_seconds: 15,
                no_executors_grace_period_seconds: 15,
                expire_dead_executor_interval_seconds: 1,
                ..cluster::scheduler(functions(Path::new(model))?)
            };
            let address = (Ipv4Addr::LOCALHOST, config.bind_port).into();
            start_server(BallistaCluster::new_from_config(&config).await?, address, Arc::new(config)).await?;
        }
        ["executor", scheduler, flight, grpc, vcores, folder, model] => {
            let config = ExecutorProcessConfig {
                scheduler_host: Ipv4Addr::LOCALHOST.to_string(),
                scheduler_port: scheduler.parse()?,
                external_host: Some(Ipv4Addr::LOCALHOST.to_string()),
                port: flight.parse()?,
                grpc_port: grpc.parse()?,
                vcores: vcores.parse()?,
                work_dir: Some(folder.into()),
                executor_heartbeat_interval_seconds: 1,
                ..cluster::executor(&functions(Path::new(model))?)?
            };
            start_executor_process(Arc::new(config)).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
