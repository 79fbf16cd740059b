//! How the tasks of a workload are spawned.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_metrics::TaskMonitor;
use worker_metrics_tokio::TaskMetrics;

#[derive(Clone, Debug)]
pub(crate) enum Spawner {
    Bare,
    Tasks(TaskMetrics),
    Monitor(TaskMonitor),
}

impl Spawner {
    pub(crate) fn spawn<F>(&self, task: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self {
            Self::Bare => runtime.spawn(task),
            Self::Tasks(tasks) => tasks.spawn_on(task, runtime),
            Self::Monitor(monitor) => runtime.spawn(monitor.instrument(task)),
        }
    }
}
