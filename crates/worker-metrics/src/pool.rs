//! The workers of one executor, as a source.
//!
//! An executor builds it, gives each worker its batch, and attaches it. Collecting must not touch
//! what a worker writes.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::catalogue::counter_of_a_batch;
use crate::{
    Batch, Clock, Counter, Coverage, Evidence, Identity, Metric, MicrostateTimes, Namespace, PoolMetrics,
    Row, Snapshot, Source, WorkerConfig, WorkerInfo, WorkerMetrics, WorkerSnapshot, WorkerState,
};

/// The workers of one executor or thread pool, ready to be attached.
///
/// Share it in an [`Arc`]: the executor counts pool-wide events on [`metrics`](Self::metrics), and
/// what exports it keeps the other clone.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use worker_metrics::{Counter, Pool, Snapshot, Source, WorkerConfig, histogram::Scale};
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
/// assert_eq!(snapshot.workers()[3].count(Counter::Polls), Some(1));
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

/// The largest times reported for a worker: its words are read one after another, and what was
/// reported must not go backwards.
#[derive(Clone, Debug, Default)]
struct Reported {
    busy: Duration,
    microstates: MicrostateTimes,
}

impl Pool {
    /// Age from which a worker counts as stalled, if nothing else is set: the 1 s without parking
    /// after which libtelio (NordSecurity/libtelio #884) calls a worker stuck.
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
    for &counter in Counter::ALL {
        into.set_count(counter, from.count(counter));
    }
    // Parks and unparks alternate, beginning with a park: one word tells, where the difference of
    // two could go backwards.
    into.unpark_count = Some(from.park_unpark_count() / 2);
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
        thread_name.map_or_else(WorkerInfo::default, |name| WorkerInfo::default().with_thread_name(name))
    }

    /// The time since the last submit is taken for the age of a poll: see
    /// [`PoolBuilder::stall_threshold`].
    fn evidence(&self, worker: usize) -> Option<Evidence> {
        let worker = self.workers.get(worker)?;
        let progress = worker.submitted_at.load(Relaxed);
        let is_running = worker.is_running() && Clock::AVAILABLE;
        Some(Evidence {
            is_running,
            is_driven: Some(true),
            progress,
            poll_age: is_running.then(|| worker.progress_age(self.clock.now_ns())),
            thread_id: worker.thread_number(),
            is_current: true,
        })
    }

    fn stall_threshold(&self) -> Duration {
        self.stall_threshold
    }
}

/// A [`Pool`] to be built; [`Pool::builder`] begins it.
///
/// # Examples
///
/// A pool of jobs, where nothing is stolen:
///
/// ```
/// use std::time::Duration;
/// use worker_metrics::{Metric, Pool, WorkerConfig};
///
/// let (pool, batches) = Pool::builder("render")
///     .workers(4)
///     .config(WorkerConfig::new().with_microstates())
///     .stall_threshold(Duration::from_secs(5))
///     .without(Metric::WorkerStolenTasks)
///     .without(Metric::WorkerStealOperations)
///     .build()?;
/// assert_eq!((pool.workers().len(), batches.len()), (4, 4));
/// # Ok::<(), worker_metrics::PoolError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct PoolBuilder {
    name: String,
    namespace: Namespace,
    workers: usize,
    config: WorkerConfig,
    stall_threshold: Duration,
    without: Vec<Metric>,
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
    ///
    /// The age is taken for that of one job, so let a worker [submit](Batch::submit) often: at
    /// least ten times within the threshold, however long its jobs are.
    pub fn stall_threshold(mut self, threshold: Duration) -> Self {
        self.stall_threshold = threshold;
        self
    }

    /// Leaves out a metric that has no meaning in this pool, such as
    /// [`Metric::WorkerStealOperations`] where nothing is stolen: unknown is absent, not 0.
    pub fn without(mut self, metric: Metric) -> Self {
        self.without.push(metric);
        self
    }

    /// Makes the pool, and one batch for each worker in the order of their index.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if there are no workers or more than a `u32` counts, the name is empty or
    /// longer than [`Identity::MAX_NAME_LEN`], the stall threshold is zero, or the namespace is
    /// Tokio's.
    pub fn build(self) -> Result<(Pool, Vec<Batch>), PoolError> {
        if self.name.is_empty() {
            return Err(PoolError::NoName);
        }
        if self.name.len() > Identity::MAX_NAME_LEN {
            let begin = self.name.chars().take(PoolError::SHOWN).collect();
            return Err(PoolError::NameTooLong { begin, len: self.name.len() });
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
            identity: Identity::new(self.namespace, next_id().to_string())
                .with_name(self.name)
                .with_workers(self.workers),
        };
        Ok((pool, batches))
    }

    fn rows(&self) -> Vec<Row> {
        let row = |&metric| Some(Row::new(metric, self.coverage(metric)?));
        Metric::ALL.iter().filter_map(row).collect()
    }

    /// `None` for what no pool can have.
    fn coverage(&self, metric: Metric) -> Option<Coverage> {
        let timed = |coverage| match Clock::AVAILABLE {
            true => coverage,
            false => Coverage::Missing("needs a target with a clock"),
        };
        let needs = |kept, call| if kept { Coverage::Covered } else { Coverage::Missing(call) };
        let config = &self.config;
        let coverage = match metric {
            counter_of_a_batch!()
            | Metric::WorkerUnparks
            | Metric::WorkerLocalQueueSize
            | Metric::TaskCount
            | Metric::GlobalQueueSize
            | Metric::TaskSpawned
            | Metric::TaskRemoteSchedules
            | Metric::TaskForcedYields => Coverage::Covered,
            Metric::WorkerCount
            | Metric::WorkerTime
            | Metric::WorkerProgressAge
            | Metric::WorkerPollMeanDuration => timed(Coverage::Covered),
            Metric::WorkerStalls | Metric::WorkerStallDuration => timed(Coverage::LeftToWatchdog),
            Metric::WorkerMicrostateTime => {
                timed(needs(config.microstates, "needs `WorkerConfig::with_microstates`"))
            }
            Metric::TaskPollDuration => {
                let kept = config.poll_time_histogram.is_some();
                needs(kept, "needs `WorkerConfig::with_poll_time_histogram`")
            }
            Metric::TaskScheduleDuration => {
                let kept = config.schedule_latency_histogram.is_some();
                needs(kept, "needs `WorkerConfig::with_schedule_latency_histogram`")
            }
            Metric::TimerDelay
            | Metric::TaskGroupPollDuration
            | Metric::TaskGroupScheduleDuration
            | Metric::BlockingThreadCount
            | Metric::BlockingQueueSize
            | Metric::IoDriverFdRegistered
            | Metric::IoDriverFdDeregistered
            | Metric::IoDriverFdCount
            | Metric::IoDriverReadyEvents => return None,
        };
        let left_out = self.without.contains(&metric);
        Some(if left_out { Coverage::Missing("left out by `PoolBuilder::without`") } else { coverage })
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
    /// The name is longer than [`Identity::MAX_NAME_LEN`] bytes.
    NameTooLong {
        /// The first characters of the name.
        begin: String,
        /// Its length in bytes.
        len: usize,
    },
}

impl PoolError {
    /// Characters of a name that is too long which an error keeps and shows.
    const SHOWN: usize = 40;
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
            Self::NameTooLong { begin, len } => write!(
                f,
                "the pool's name {begin:?}… has {len} bytes: use at most {}, since every series carries it",
                Identity::MAX_NAME_LEN
            ),
        }
    }
}

impl Error for PoolError {}
