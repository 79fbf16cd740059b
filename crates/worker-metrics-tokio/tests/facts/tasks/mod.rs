//! Tasks that are spawned through [`TaskMetrics`], on every Tokio.

#[cfg(tokio_unstable)]
mod against_tokio;
#[cfg(tokio_unstable)]
mod every_task;
mod groups;
mod hooks;
mod locations;
mod polls;
mod schedules;
mod stalls;

use tokio::runtime::{Builder, Runtime};
use worker_metrics::histogram::HistogramSnapshot;
use worker_metrics::{Snapshot, Source};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

/// A runtime without histograms of Tokio's own, its tasks, and its source.
pub(crate) struct Measured {
    pub(crate) tasks: TaskMetrics,
    pub(crate) source: TokioRuntime,
    pub(crate) runtime: Runtime,
}

impl Measured {
    pub(crate) fn on(builder: &mut Builder, tasks: TaskMetrics) -> Self {
        let runtime = builder.enable_time().measure_tasks(&tasks).build().unwrap();
        let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
        Self { tasks, source, runtime }
    }

    pub(crate) fn multi_thread(workers: usize) -> Self {
        Self::on(Builder::new_multi_thread().worker_threads(workers), TaskMetrics::new())
    }

    pub(crate) fn current_thread() -> Self {
        Self::on(&mut Builder::new_current_thread(), TaskMetrics::new())
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::multi_thread(2), Self::current_thread()]
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        snapshot(&self.source)
    }

    /// Of all workers.
    pub(crate) fn polls(&self) -> HistogramSnapshot {
        merged(self.snapshot().workers().iter().map(|worker| &worker.poll_time_histogram))
    }

    /// Of all workers.
    pub(crate) fn schedules(&self) -> HistogramSnapshot {
        merged(self.snapshot().workers().iter().map(|worker| &worker.schedule_latency_histogram))
    }
}

pub(crate) fn snapshot(source: &TokioRuntime) -> Snapshot {
    let mut snapshot = Snapshot::with_histograms();
    source.collect(&mut snapshot);
    snapshot
}

fn merged<'a>(histograms: impl Iterator<Item = &'a HistogramSnapshot>) -> HistogramSnapshot {
    let mut all = HistogramSnapshot::default();
    histograms.for_each(|one| all.merge(one).unwrap());
    assert!(all.scale.is_some(), "nothing was measured");
    all
}
