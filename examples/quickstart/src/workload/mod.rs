//! A workload as a service has it: TCP, computing, blocking calls, timers, and a mistake now and
//! then.

mod blocking;
mod compute;
mod echo;
mod stall;
mod timers;

use std::error::Error;

use tokio::runtime::Handle;
use worker_metrics_tokio::{TaskMetrics, TaskMetricsError};

pub(crate) use stall::BLOCKED;

/// The tasks of the workload, by what they do.
pub(crate) fn tasks() -> Result<TaskMetrics, TaskMetricsError> {
    TaskMetrics::builder().group("echo").group("compute").group("timers").group("reports").build()
}

/// Starts it on the observed runtime, until that is shut down.
pub(crate) fn start(runtime: &Handle, tasks: &TaskMetrics) -> Result<(), Box<dyn Error>> {
    let [echo, compute, timers, reports] =
        [tasks.group("echo")?, tasks.group("compute")?, tasks.group("timers")?, tasks.group("reports")?];
    let listener = runtime.block_on(echo::listen())?;
    echo.clone().spawn_on(echo::run(listener, echo), runtime);
    compute.clone().spawn_on(compute::run(compute), runtime);
    tasks.spawn_on(blocking::run(), runtime);
    timers.clone().spawn_on(timers::run(timers), runtime);
    reports.spawn_on(stall::run(), runtime);
    Ok(())
}
