//! What a source knew at one moment.
//!
//! A [`Source`](crate::Source) fills it, an exporter reads it. Plain data: it knows neither who
//! filled it nor where it goes.

use std::time::Duration;

use crate::histogram::HistogramSnapshot;
use crate::{Counter, MicrostateTimes, StallCause, StallSnapshot};

/// The values of one runtime or pool at one moment.
///
/// A value that the source does not know is `None` and is not exported. Filling a snapshot that was
/// filled before allocates nothing, so keep it (test `collecting_a_pool_again_allocates_nothing`).
///
/// # Examples
///
/// ```
/// use worker_metrics::{Counter, Metric, Pool, Snapshot, Source, catalogue::Reading};
///
/// let (pool, mut batches) = Pool::builder("render").workers(1).build()?;
/// batches[0].start_poll();
/// batches[0].submit();
///
/// let mut snapshot = Snapshot::new();
/// pool.collect(&mut snapshot);
/// assert_eq!(snapshot.workers()[0].count(Counter::Polls), Some(1));
///
/// // Or through the catalogue, as an exporter does.
/// if let Reading::Count(read) = Metric::TaskCount.definition().reading {
///     assert_eq!(read(&snapshot), Some(0));
/// }
/// # Ok::<(), worker_metrics::PoolError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Live tasks.
    pub alive_task_count: Option<u64>,
    /// Tasks spawned so far.
    pub spawned_task_count: Option<u64>,
    /// Tasks scheduled from outside the runtime so far.
    pub remote_schedule_count: Option<u64>,
    /// Times a task was made to yield so far.
    pub forced_yield_count: Option<u64>,
    /// Length of the global queue.
    pub global_queue_depth: Option<u64>,
    /// Threads of the blocking pool.
    pub blocking_thread_count: Option<u64>,
    /// Threads of the blocking pool that wait for a task.
    pub idle_blocking_thread_count: Option<u64>,
    /// Tasks that wait for a thread of the blocking pool.
    pub blocking_queue_depth: Option<u64>,
    /// File descriptors registered with the I/O driver so far.
    pub io_driver_fd_registered_count: Option<u64>,
    /// File descriptors deregistered from the I/O driver so far.
    pub io_driver_fd_deregistered_count: Option<u64>,
    /// Ready events that the I/O driver processed so far.
    pub io_driver_ready_count: Option<u64>,
    /// Delays of a timer on the runtime; without buckets where unknown.
    pub timer_delay_histogram: HistogramSnapshot,
    workers: Vec<WorkerSnapshot>,
    task_groups: Vec<TaskGroupSnapshot>,
    histograms: bool,
}

/// The values of one worker at one moment.
///
/// A [`Snapshot`] makes it, and gives it out to be filled. What only grows is a
/// [`count`](Self::count); the rest are fields.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Counter, Snapshot};
///
/// let mut snapshot = Snapshot::new();
/// let worker = &mut snapshot.begin(1)[0];
/// worker.set_count(Counter::Polls, 61);
/// worker.local_queue_depth = Some(3);
/// assert_eq!(worker.count(Counter::Polls), Some(61));
/// assert_eq!(worker.count(Counter::Steals), None, "unknown is absent, not 0");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WorkerSnapshot {
    /// What the worker is doing.
    pub state: Option<WorkerState>,
    /// Time spent working so far, the run that has not ended included.
    pub busy_duration: Option<Duration>,
    /// Time for which the worker has run without publishing anything.
    pub progress_age: Option<Duration>,
    /// Times it unparked.
    pub unpark_count: Option<u64>,
    /// Moving average of the poll time.
    pub mean_poll_time: Option<Duration>,
    /// Length of its own queue.
    pub local_queue_depth: Option<u64>,
    /// Time in each state of the worker.
    pub microstates: Option<MicrostateTimes>,
    /// Its stalls, by cause.
    pub stalls: StallSnapshot,
    /// Polls by duration; without buckets where unknown.
    pub poll_time_histogram: HistogramSnapshot,
    /// Schedulings by the delay until the poll; without buckets where unknown.
    pub schedule_latency_histogram: HistogramSnapshot,
    counts: [Option<u64>; Counter::COUNT],
}

/// The values of one group of tasks at one moment. A [`Snapshot`] makes it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskGroupSnapshot {
    /// Polls of its tasks by duration.
    pub poll_time_histogram: HistogramSnapshot,
    /// Schedulings of its tasks by the delay until the poll.
    pub schedule_latency_histogram: HistogramSnapshot,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// It processes tasks, or looks for one.
    Busy,
    /// It is parked, or gone.
    Idle,
    /// It is not parked, and has published no progress for at least the stall threshold.
    Stalled,
}

impl WorkerState {
    /// The state of a worker by the two numbers that tell it.
    #[must_use]
    pub fn of(running: bool, progress_age: Duration, stall_threshold: Duration) -> Self {
        match running {
            false => Self::Idle,
            true if progress_age >= stall_threshold => Self::Stalled,
            true => Self::Busy,
        }
    }
}

impl Snapshot {
    /// An empty snapshot, for a source to fill with everything but histograms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty snapshot, for a source to fill with histograms too.
    ///
    /// **Cost**: a source copies every bucket of every worker at each collection.
    #[must_use]
    pub fn with_histograms() -> Self {
        Self { histograms: true, ..Self::default() }
    }

    /// Whether a source shall fill the histograms.
    #[must_use]
    pub fn wants_histograms(&self) -> bool {
        self.histograms
    }

    /// The workers, in the order of their index.
    #[must_use]
    pub fn workers(&self) -> &[WorkerSnapshot] {
        &self.workers
    }

    /// Forgets every value, and makes room for `workers` workers: how a source begins to fill.
    ///
    /// Buffers are kept; nothing is allocated if the snapshot held as many workers before.
    pub fn begin(&mut self, workers: usize) -> &mut [WorkerSnapshot] {
        let mut kept = std::mem::take(&mut self.workers);
        kept.resize_with(workers, WorkerSnapshot::default);
        for worker in &mut kept {
            worker.clear();
        }
        let mut task_groups = std::mem::take(&mut self.task_groups);
        task_groups.iter_mut().for_each(TaskGroupSnapshot::clear);
        let mut timer_delay_histogram = std::mem::take(&mut self.timer_delay_histogram);
        timer_delay_histogram.clear();
        *self = Self {
            workers: kept,
            task_groups,
            timer_delay_histogram,
            histograms: self.histograms,
            ..Self::default()
        };
        &mut self.workers
    }

    /// Makes room for the source's groups of tasks, and gives them to be filled, with what
    /// [`begin`](Self::begin) left of them.
    pub fn task_groups_mut(&mut self, groups: usize) -> &mut [TaskGroupSnapshot] {
        self.task_groups.resize_with(groups, TaskGroupSnapshot::default);
        &mut self.task_groups
    }

    /// The groups of tasks, in the order of
    /// [`Identity::task_groups`](crate::Identity::task_groups).
    #[must_use]
    pub fn task_groups(&self) -> &[TaskGroupSnapshot] {
        &self.task_groups
    }

    /// The workers, for what is known of them beyond what the source filled in.
    pub fn workers_mut(&mut self) -> &mut [WorkerSnapshot] {
        &mut self.workers
    }

    /// The causes for which any worker has stalled so far, and [`StallCause::Unknown`] where stalls
    /// are known.
    pub fn stall_causes(&self) -> impl Iterator<Item = StallCause> + Clone {
        StallCause::ALL
            .into_iter()
            .filter(|cause| self.workers.iter().any(|worker| worker.stalls.has(*cause)))
    }

    /// How many workers are in `state`.
    ///
    /// **Absent when** the source does not know the states.
    #[must_use]
    pub fn workers_in(&self, state: WorkerState) -> Option<u64> {
        let known = self.workers.iter().filter_map(|worker| worker.state);
        let (all, matching) =
            known.fold((0, 0), |(all, matching), known| (all + 1, matching + u64::from(known == state)));
        (all > 0).then_some(matching)
    }
}

impl WorkerSnapshot {
    /// The total of one counter.
    ///
    /// **Absent when** the source does not know it.
    #[inline]
    #[must_use]
    pub fn count(&self, counter: Counter) -> Option<u64> {
        self.counts[counter.index()]
    }

    /// Sets the total of one counter.
    #[inline]
    pub fn set_count(&mut self, counter: Counter, total: u64) {
        self.counts[counter.index()] = Some(total);
    }

    /// Forgets every value and keeps the buffers of the histograms, in place: this is done for
    /// every worker at each collection.
    fn clear(&mut self) {
        let Self {
            state,
            busy_duration,
            progress_age,
            unpark_count,
            mean_poll_time,
            local_queue_depth,
            microstates,
            stalls,
            poll_time_histogram,
            schedule_latency_histogram,
            counts,
        } = self;
        *state = None;
        *counts = [None; Counter::COUNT];
        [unpark_count, local_queue_depth].into_iter().for_each(|count| *count = None);
        [busy_duration, progress_age, mean_poll_time].into_iter().for_each(|time| *time = None);
        *microstates = None;
        stalls.clear();
        [poll_time_histogram, schedule_latency_histogram].into_iter().for_each(HistogramSnapshot::clear);
    }
}

impl TaskGroupSnapshot {
    /// Forgets every value and keeps the buffers.
    fn clear(&mut self) {
        self.poll_time_histogram.clear();
        self.schedule_latency_histogram.clear();
    }
}
