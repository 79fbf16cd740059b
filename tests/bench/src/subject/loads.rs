//! The physical limit: every word that an export reads, read and added up, and nothing else.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::RuntimeMetrics;
use worker_metrics::{Pool, WorkerMetrics};

use super::{Delivered, Export, Steps};

/// A bare loop over the atomics of one runtime or pool.
#[derive(Debug)]
pub(super) enum Loads {
    Tokio { metrics: RuntimeMetrics, buckets: usize },
    Pool(Arc<Pool>),
}

impl Export for Loads {
    fn steps(&self) -> Steps {
        Steps::CollectOnly
    }

    fn collect(&mut self) {
        let sum = match self {
            Self::Tokio { metrics, buckets } => {
                let workers = (0..metrics.num_workers()).map(|worker| of_tokio(metrics, worker, *buckets));
                workers.fold(of_runtime(metrics), u64::wrapping_add)
            }
            Self::Pool(pool) => {
                let workers = pool.workers().iter().map(|worker| of_worker(worker));
                workers.fold(of_pool(pool), u64::wrapping_add)
            }
        };
        black_box(sum);
    }

    fn encode(&mut self) {}

    fn delivered(&mut self) -> Delivered {
        Delivered::default()
    }
}

fn sum<const N: usize>(words: [u64; N]) -> u64 {
    words.into_iter().fold(0, u64::wrapping_add)
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn of_pool(pool: &Pool) -> u64 {
    let metrics = pool.metrics();
    sum([
        metrics.alive_tasks_count(),
        metrics.spawned_tasks_count(),
        metrics.remote_schedule_count(),
        metrics.budget_forced_yield_count(),
        metrics.global_queue_depth(),
    ])
}

fn of_worker(worker: &WorkerMetrics) -> u64 {
    let words = sum([
        ns(worker.busy_duration_total()),
        worker.park_count(),
        worker.park_unpark_count(),
        worker.noop_count(),
        worker.steal_count(),
        worker.steal_operations(),
        worker.poll_count(),
        worker.mean_poll_time().map_or(0, ns),
        worker.local_schedule_count(),
        worker.overflow_count(),
        worker.queue_depth() as u64,
    ]);
    let Some(histogram) = worker.poll_time_histogram() else { return words };
    let buckets = 0..histogram.scale().buckets();
    buckets.filter_map(|bucket| histogram.bucket(bucket)).fold(words, u64::wrapping_add)
}

fn of_runtime(metrics: &RuntimeMetrics) -> u64 {
    let stable = sum([metrics.num_alive_tasks() as u64, metrics.global_queue_depth() as u64]);
    #[cfg(tokio_unstable)]
    let stable = stable.wrapping_add(sum([
        metrics.num_blocking_threads() as u64,
        metrics.num_idle_blocking_threads() as u64,
        metrics.blocking_queue_depth() as u64,
        metrics.spawned_tasks_count(),
        metrics.remote_schedule_count(),
        metrics.budget_forced_yield_count(),
        metrics.io_driver_fd_registered_count(),
        metrics.io_driver_fd_deregistered_count(),
        metrics.io_driver_ready_count(),
    ]));
    stable
}

#[cfg(tokio_unstable)]
fn of_tokio(metrics: &RuntimeMetrics, worker: usize, buckets: usize) -> u64 {
    let words = sum([
        of_stable_tokio(metrics, worker),
        metrics.worker_local_queue_depth(worker) as u64,
        metrics.worker_noop_count(worker),
        metrics.worker_poll_count(worker),
        metrics.worker_local_schedule_count(worker),
        metrics.worker_steal_count(worker),
        metrics.worker_steal_operations(worker),
        metrics.worker_overflow_count(worker),
        ns(metrics.worker_mean_poll_time(worker)),
    ]);
    let counts = (0..buckets).map(|bucket| metrics.poll_time_histogram_bucket_count(worker, bucket));
    counts.fold(words, u64::wrapping_add)
}

#[cfg(not(tokio_unstable))]
fn of_tokio(metrics: &RuntimeMetrics, worker: usize, _: usize) -> u64 {
    of_stable_tokio(metrics, worker)
}

fn of_stable_tokio(metrics: &RuntimeMetrics, worker: usize) -> u64 {
    sum([
        ns(metrics.worker_total_busy_duration(worker)),
        metrics.worker_park_count(worker),
        metrics.worker_park_unpark_count(worker),
    ])
}
