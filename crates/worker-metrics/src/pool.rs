//! The workers of one executor, as a source.
//!
//! An executor builds it, gives each worker its batch, and attaches it. Collecting must not touch what a worker writes.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::catalogue::{CATALOGUE, Definition};
use crate::{
    Batch, Clock, Coverage, Identity, MicrostateTimes, Namespace, PoolMetrics, Row, Snapshot, Source,
    WorkerConfig, WorkerInfo, WorkerMetrics, WorkerSnapshot, WorkerState,
};

/// The workers of one executor or thread pool, ready to be attached.
///
/// Share it in an [`Arc`]: the executor counts pool-wide events on [`metrics`](Self::metrics), and what exports it keeps the
/// other clone.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use worker_metrics::{WorkerConfig, Pool, Snapshot, Source, histogram::Scale};
///
/// let (pool, batches) = Pool::builder("render")
///     .workers(4)
///     .config(WorkerConfig::new().with_poll_time_histogram(Scale::preset()))
///     .build()?;
/// let pool = Arc::new(pool);
///
/// for mut batch in batches {
///     std::thread::spawn(move || {
///         batch.start_poll();
///         // … a job …
///         batch.end_poll();
///         batch.submit();
///     })
///     .join()
///     .expect("the job does not panic");
/// }
/// pool.metrics().task_spawned();
///
/// let mut snapshot = Snapshot::with_histograms();
/// pool.collect(&mut snapshot);
/// assert_eq!(snapshot.alive_task_count, Some(1));
/// assert_eq!(snapshot.workers()[3].poll_count, Some(1));
/// # Ok::<(), worker_metrics::PoolError>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    identity: Identity,
    rows: Vec<Row>,
    metrics: PoolMetrics,
    workers: Vec<Arc<WorkerMetrics>>,
    clock: Clock,
    stall_threshold: Duration,
    reported: Mutex<Vec<Reported>>,
}

/// The largest times reported for a worker: its words are read one after another, and what was reported must not go backwards.
#[derive(Clone, Debug, Default)]
struct Reported {
    busy: Duration,
    microstates: MicrostateTimes,
}

impl Pool {
    /// Age from which a worker counts as stalled, if nothing else is set: the 1 s without parking after which libtelio
    /// (NordSecurity/libtelio #884) calls a worker stuck.
    pub const DEFAULT_STALL_THRESHOLD: Duration = Duration::from_secs(1);

    /// Begins a pool called `name`.
    pub fn builder(name: impl Into<String>) -> PoolBuilder {
        PoolBuilder {
            name: name.into(),
            namespace: Namespace::WORKER_POOL,
            workers: 0,
            config: WorkerConfig::new(),
            stall_threshold: Self::DEFAULT_STALL_THRESHOLD,
            without: Vec::new(),
        }
    }

    /// The pool-wide counters.
    #[must_use]
    pub fn metrics(&self) -> &PoolMetrics {
        &self.metrics
    }

    /// The workers' blocks, in the order of their index.
    #[must_use]
    pub fn workers(&self) -> &[Arc<WorkerMetrics>] {
        &self.workers
    }

    /// The clock that the times of this pool are measured on.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// [`collect`](Source::collect) at a given time on the pool's [`clock`](Self::clock).
    pub fn collect_at(&self, now_ns: u64, snapshot: &mut Snapshot) {
        let histograms = snapshot.wants_histograms();
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let into = snapshot.begin(self.workers.len());
        for ((from, into), reported) in self.workers.iter().zip(into).zip(reported.iter_mut()) {
            read_worker(from, into);
            if Clock::AVAILABLE {
                let age = from.progress_age(now_ns);
                reported.busy = from.live_busy_duration(now_ns).max(reported.busy);
                into.busy_duration = Some(reported.busy);
                into.progress_age = Some(age);
                into.state = Some(WorkerState::of(from.is_running(), age, self.stall_threshold));
                into.mean_poll_time = from.mean_poll_time();
                into.microstates = from.microstate_times(now_ns).map(|mut times| {
                    times.raise(&reported.microstates);
                    reported.microstates = times;
                    times
                });
            }
            if histograms {
                read_histograms(from, into);
            }
        }
        drop(reported);

        snapshot.alive_task_count = Some(self.metrics.alive_tasks_count());
        snapshot.spawned_task_count = Some(self.metrics.spawned_tasks_count());
        snapshot.remote_schedule_count = Some(self.metrics.remote_schedule_count());
        snapshot.forced_yield_count = Some(self.metrics.budget_forced_yield_count());
        snapshot.global_queue_depth = Some(self.metrics.global_queue_depth());
    }
}

fn read_worker(from: &WorkerMetrics, into: &mut WorkerSnapshot) {
    into.park_count = Some(from.park_count());
    // Parks and unparks alternate, beginning with a park: one word tells, where the difference of two could go backwards.
    into.unpark_count = Some(from.park_unpark_count() / 2);
    into.noop_count = Some(from.noop_count());
    into.steal_count = Some(from.steal_count());
    into.steal_operations = Some(from.steal_operations());
    into.poll_count = Some(from.poll_count());
    into.local_schedule_count = Some(from.local_schedule_count());
    into.overflow_count = Some(from.overflow_count());
    into.local_queue_depth = Some(from.queue_depth() as u64);
}

fn read_histograms(from: &WorkerMetrics, into: &mut WorkerSnapshot) {
    if let Some(histogram) = from.poll_time_histogram() {
        histogram.snapshot_into(&mut into.poll_time_histogram);
    }
    if let Some(histogram) = from.schedule_latency_histogram() {
        histogram.snapshot_into(&mut into.schedule_latency_histogram);
    }
}

impl Source for Pool {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn definitions(&self) -> &[Row] {
        &self.rows
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.collect_at(self.clock.now_ns(), snapshot);
    }

    fn worker_info(&self, worker: usize) -> WorkerInfo {
        let thread_name = self.workers.get(worker).and_then(|worker| worker.thread_name());
        WorkerInfo { thread_name, ..WorkerInfo::default() }
    }
}

/// How a [`Pool`] shall be.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct PoolBuilder {
    name: String,
    namespace: Namespace,
    workers: usize,
    config: WorkerConfig,
    stall_threshold: Duration,
    without: Vec<String>,
}

impl PoolBuilder {
    /// Sets the namespace of the metrics; [`Namespace::WORKER_POOL`] if it is not called.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Sets the number of workers, at least 1. There is no default.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets the histograms that each worker keeps; none if it is not called.
    pub fn config(mut self, config: WorkerConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the age from which a worker that publishes nothing counts as stalled, above 0;
    /// [`Pool::DEFAULT_STALL_THRESHOLD`] if it is not called.
    pub fn stall_threshold(mut self, threshold: Duration) -> Self {
        self.stall_threshold = threshold;
        self
    }

    /// Leaves out a metric that has no meaning in this pool, by its name below the namespace, such as
    /// `worker.steal_operations` where nothing is stolen: unknown is absent, not 0.
    pub fn without(mut self, suffix: impl Into<String>) -> Self {
        self.without.push(suffix.into());
        self
    }

    /// Makes the pool, and one batch for each worker in the order of their index.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if there are no workers or more than a `u32` counts, the name is empty, the stall threshold is zero, the
    /// namespace is Tokio's, or a metric to leave out does not exist.
    pub fn build(self) -> Result<(Pool, Vec<Batch>), PoolError> {
        if self.name.is_empty() {
            return Err(PoolError::NoName);
        }
        if self.workers == 0 || u32::try_from(self.workers).is_err() {
            return Err(PoolError::Workers(self.workers));
        }
        if self.stall_threshold.is_zero() {
            return Err(PoolError::ZeroStallThreshold);
        }
        if self.namespace == Namespace::TOKIO {
            return Err(PoolError::TokioNamespace);
        }
        if let Some(unknown) = self.without.iter().find(|suffix| Definition::find(suffix).is_none()) {
            return Err(PoolError::UnknownMetric(unknown.clone()));
        }

        let clock = Clock::new();
        let batches: Vec<_> =
            (0..self.workers).map(|_| Batch::new(WorkerMetrics::on_clock(&self.config, clock))).collect();
        let pool = Pool {
            rows: self.rows(),
            metrics: PoolMetrics::new(),
            workers: batches.iter().map(|batch| batch.metrics().clone()).collect(),
            clock,
            stall_threshold: self.stall_threshold,
            reported: Mutex::new(vec![Reported::default(); self.workers]),
            identity: Identity {
                namespace: self.namespace,
                id: next_id().to_string(),
                name: Some(self.name),
                flavor: None,
                workers: self.workers,
                task_groups: Vec::new(),
            },
        };
        Ok((pool, batches))
    }

    fn rows(&self) -> Vec<Row> {
        CATALOGUE
            .iter()
            .map(|definition| {
                let missing = self.missing(definition.suffix);
                Row { definition, coverage: missing.map_or(Coverage::Covered, Coverage::Missing) }
            })
            .collect()
    }

    fn missing(&self, suffix: &str) -> Option<&'static str> {
        if self.without.iter().any(|without| without == suffix) {
            return Some("left out by `PoolBuilder::without`");
        }
        match suffix {
            _ if suffix.starts_with("blocking.") || suffix.starts_with("io_driver.") => {
                Some("a pool has no blocking pool and no I/O driver of its own")
            }
            _ if suffix.starts_with("task.group.") => Some("a pool has no task groups"),
            "timer.delay" => Some("a pool has no timers of its own"),
            "worker.microstate.time" if !self.config.microstates => {
                Some("needs `WorkerConfig::with_microstates`")
            }
            "task.poll.duration" if self.config.poll_time_histogram.is_none() => {
                Some("needs `WorkerConfig::with_poll_time_histogram`")
            }
            "task.schedule.duration" if self.config.schedule_latency_histogram.is_none() => {
                Some("needs `WorkerConfig::with_schedule_latency_histogram`")
            }
            "worker.count"
            | "worker.time"
            | "worker.progress.age"
            | "worker.poll.mean_duration"
            | "worker.microstate.time"
            | "worker.stalls"
            | "worker.stall.duration"
                if !Clock::AVAILABLE =>
            {
                Some("this target has no clock")
            }
            "worker.stalls" | "worker.stall.duration" => Some(Coverage::FOR_WATCHDOG),
            _ => None,
        }
    }
}

/// Tells the pools of one process apart, for as long as it runs.
fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// Why a pool cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolError {
    /// The name is empty.
    NoName,
    /// The number of workers is 0, or above `u32::MAX`.
    Workers(usize),
    /// The stall threshold is 0.
    ZeroStallThreshold,
    /// The namespace is the one of Tokio's own metrics.
    TokioNamespace,
    /// A metric to leave out is not in the catalogue.
    UnknownMetric(String),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => {
                f.write_str("the pool's name is empty: give it the name that its series shall carry")
            }
            Self::Workers(0) => {
                f.write_str("the pool has 0 workers: set `PoolBuilder::workers` to at least 1")
            }
            Self::Workers(workers) => write!(f, "the pool has {workers} workers: set at most {}", u32::MAX),
            Self::ZeroStallThreshold => f.write_str(
                "the stall threshold is 0, so that every worker would be stalled: set some time above 0",
            ),
            Self::TokioNamespace => f.write_str(
                "the namespace \"tokio\" is for Tokio's own runtimes: choose one with `Namespace::new`",
            ),
            Self::UnknownMetric(suffix) => write!(
                f,
                "there is no metric {suffix:?} to leave out: use a name below the namespace, such as \"worker.steal_operations\""
            ),
        }
    }
}

impl Error for PoolError {}
