//! The sums over all workers of a pool. Whole only when the workers are gone: a submit is many
//! stores.

use worker_metrics::histogram::Histogram;
use worker_metrics::{Pool, WorkerMetrics};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) polls: u64,
    pub(crate) parks: u64,
    pub(crate) noops: u64,
    pub(crate) stolen: u64,
    pub(crate) steals: u64,
    pub(crate) local_schedules: u64,
    pub(crate) overflows: u64,
    pub(crate) timed_polls: u64,
    pub(crate) timed_schedules: u64,
}

impl Totals {
    pub(crate) fn of(pool: &Pool) -> Self {
        let sum = |read: fn(&WorkerMetrics) -> u64| pool.workers().iter().map(|worker| read(worker)).sum();
        let count = |histogram: Option<&Histogram>| histogram.unwrap().snapshot().count();
        let timed =
            |read: &dyn Fn(&WorkerMetrics) -> u64| pool.workers().iter().map(|worker| read(worker)).sum();
        Self {
            polls: sum(WorkerMetrics::poll_count),
            parks: sum(WorkerMetrics::park_count),
            noops: sum(WorkerMetrics::noop_count),
            stolen: sum(WorkerMetrics::steal_count),
            steals: sum(WorkerMetrics::steal_operations),
            local_schedules: sum(WorkerMetrics::local_schedule_count),
            overflows: sum(WorkerMetrics::overflow_count),
            timed_polls: timed(&|worker| count(worker.poll_time_histogram())),
            timed_schedules: timed(&|worker| count(worker.schedule_latency_histogram())),
        }
    }

    /// What a worker that is seen parked has published for certain.
    pub(crate) fn parks_and_noops(self) -> (u64, u64) {
        (self.parks, self.noops)
    }
}
