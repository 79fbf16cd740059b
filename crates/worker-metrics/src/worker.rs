//! The shared block of one worker.
//!
//! A [`Batch`](crate::Batch) stores into it, collectors load from it at any time. Nothing here may
//! make the worker wait.

#[cfg(not(all(test, worker_metrics_loom)))]
use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Thread, ThreadId};
use std::time::Duration;

use crate::atomic::{AtomicU64, AtomicUsize};
use crate::histogram::Histogram;
use crate::mean;
use crate::microstate::SharedMicrostates;
use crate::thread_number;
use crate::{Clock, Counter, MicrostateTimes, WorkerConfig};

/// What one worker has done so far: relaxed atomics with one writer and any number of readers.
///
/// The writer is the [`Batch`](crate::Batch) that takes the block; until then everything is 0. The
/// block is aligned to 128 bytes and what the worker writes lies in its first 128, so that two
/// workers never write to one cache line, nor to the two lines that Intel's adjacent-line
/// prefetcher fetches together (the reason for 128, as in Tokio and crossbeam-utils).
///
/// **Ordering**: every access is `Relaxed`, but for one pair: a reader that sees the worker run
/// sees the times as of its last unpark. Each value is right by itself and never goes backwards;
/// two values may come from two neighbouring submits. Held by the model checks in `loom.rs`.
///
/// **Source**: the fields, their names and their meaning are those of Tokio's
/// `runtime::metrics::WorkerMetrics`.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Batch, WorkerMetrics};
///
/// let mut batch = Batch::new(WorkerMetrics::new());
/// let metrics = batch.metrics().clone(); // for the readers
/// batch.about_to_park();
/// assert_eq!(metrics.park_count(), 0); // nothing is published yet
/// batch.submit();
/// assert_eq!(metrics.park_count(), 1);
/// ```
#[derive(Debug)]
#[repr(C, align(128))]
pub struct WorkerMetrics {
    pub(crate) busy_duration_total: AtomicU64,
    pub(crate) park_unpark_count: AtomicU64,
    /// As `mean.rs` reckons it.
    pub(crate) mean_poll_time: AtomicU64,
    /// The time on the clock less the busy time, as of the last unpark: constant for as long as the
    /// worker runs, so that `now - idle_duration_total` is its busy time at any moment of the run,
    /// from one word.
    pub(crate) idle_duration_total: AtomicU64,
    /// When the batch was last submitted; [`STOPPED`] once it is gone.
    pub(crate) submitted_at: AtomicU64,
    queue_depth: AtomicUsize,
    /// The last of the first line, which has room for three more.
    pub(crate) counts: [AtomicU64; Counter::COUNT],
    cold: Cold,
}

/// What is written a few times in the life of a worker, or once: on a line of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Cold {
    poll_time_histogram: Option<Box<Histogram>>,
    schedule_latency_histogram: Option<Box<Histogram>>,
    microstates: Option<Box<SharedMicrostates>>,
    clock: Clock,
    thread: Mutex<ThreadNote>,
}

/// The thread that runs the worker, as far as the executor reported it.
#[derive(Debug, Default)]
struct ThreadNote {
    id: Option<ThreadId>,
    name: Option<Arc<str>>,
    number: Option<u32>,
}

/// The number of a thread in the system, which a thread knows of itself alone.
fn number_of(thread: ThreadId) -> Option<u32> {
    (thread == std::thread::current().id()).then(thread_number::of_this_thread).flatten()
}

/// `submitted_at` of a worker whose batch was dropped: it runs no more, and must not look stalled.
pub(crate) const STOPPED: u64 = u64::MAX;

/// The atomics of the model checks are larger.
#[cfg(not(all(test, worker_metrics_loom)))]
const _: () = {
    assert!(align_of::<WorkerMetrics>() == 128);
    assert!(size_of::<WorkerMetrics>() == 256);
    assert!(
        offset_of!(WorkerMetrics, cold) == 128,
        "another counter does not fit into the line that a worker writes: move out what it writes least"
    );
};

impl WorkerMetrics {
    /// A block of zeros without histograms, on a clock of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::from_config(&WorkerConfig::new())
    }

    /// A block of zeros with the histograms of `config`, on a clock of its own.
    #[must_use]
    pub fn from_config(config: &WorkerConfig) -> Self {
        Self::on_clock(config, Clock::new())
    }

    /// A block of zeros on the clock of its pool.
    pub(crate) fn on_clock(config: &WorkerConfig, clock: Clock) -> Self {
        let histogram = |scale: &Option<_>| scale.as_ref().map(|scale| Box::new(Histogram::new(scale)));
        Self {
            busy_duration_total: AtomicU64::new(0),
            park_unpark_count: AtomicU64::new(0),
            mean_poll_time: AtomicU64::new(mean::NONE),
            idle_duration_total: AtomicU64::new(0),
            submitted_at: AtomicU64::new(STOPPED),
            queue_depth: AtomicUsize::new(0),
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            cold: Cold {
                poll_time_histogram: histogram(&config.poll_time_histogram),
                schedule_latency_histogram: histogram(&config.schedule_latency_histogram),
                microstates: config.microstates.then(|| Box::new(SharedMicrostates::new())),
                clock,
                thread: Mutex::default(),
            },
        }
    }

    /// Sets the length of the local queue.
    ///
    /// **Unit**: tasks. **Cost**: one relaxed store; call it wherever the queue changes, or before
    /// each submit.
    #[inline]
    pub fn set_queue_depth(&self, len: usize) {
        self.queue_depth.store(len, Relaxed);
    }

    /// Notes the thread that runs the worker from now on.
    ///
    /// A worker is not a thread: call it when the worker starts and whenever it moves to another
    /// thread.
    ///
    /// **Cost**: a mutex, on a cache line of its own, and a system call. Not for a hot path.
    pub fn set_thread_id(&self, thread_id: ThreadId) {
        *self.thread() = ThreadNote { id: Some(thread_id), name: None, number: number_of(thread_id) };
    }

    /// Notes the thread that runs the worker from now on, with its name.
    ///
    /// As [`set_thread_id`](Self::set_thread_id), for whoever wants to find the thread in a
    /// debugger or profiler. Called on the thread itself it also notes the [number of the
    /// thread](Self::thread_number), by which a stall finds its code.
    pub fn set_thread(&self, thread: &Thread) {
        *self.thread() = ThreadNote {
            id: Some(thread.id()),
            name: thread.name().map(Arc::from),
            number: number_of(thread.id()),
        };
    }

    fn thread(&self) -> MutexGuard<'_, ThreadNote> {
        self.cold.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length of the local queue, as last set.
    ///
    /// **Unit**: tasks.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.queue_depth.load(Relaxed)
    }

    /// The thread that runs the worker now.
    ///
    /// **Absent when** it was never set.
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        self.thread().id
    }

    /// The name of the thread that runs the worker now.
    ///
    /// **Absent when** it has none, or [`set_thread`](Self::set_thread) was not called.
    #[must_use]
    pub fn thread_name(&self) -> Option<Arc<str>> {
        self.thread().name.clone()
    }

    /// The number by which the system knows the thread that runs the worker now (`gettid` on
    /// Linux).
    ///
    /// **Absent when** neither [`set_thread`](Self::set_thread) nor
    /// [`set_thread_id`](Self::set_thread_id) was called on that thread itself, or the system is
    /// not Linux.
    #[must_use]
    pub fn thread_number(&self) -> Option<u32> {
        self.thread().number
    }

    /// The clock that the times of this worker are measured on.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.cold.clock
    }

    /// Time that the worker spent working, against parked, up to the last submit.
    ///
    /// **Increases when** a batch is submitted. For the value at this moment see
    /// [`live_busy_duration`](Self::live_busy_duration).
    #[must_use]
    pub fn busy_duration_total(&self) -> Duration {
        Duration::from_nanos(self.busy_duration_total.load(Relaxed))
    }

    /// The total of one counter.
    ///
    /// **Increases when** a batch is submitted.
    #[inline]
    #[must_use]
    pub fn count(&self, counter: Counter) -> u64 {
        self.counts[counter.index()].load(Relaxed)
    }

    /// Number of times the worker parked.
    #[must_use]
    pub fn park_count(&self) -> u64 {
        self.count(Counter::Parks)
    }

    /// Number of times the worker parked plus number of times it unparked: even while it runs, odd
    /// while it is parked.
    #[must_use]
    pub fn park_unpark_count(&self) -> u64 {
        self.park_unpark_count.load(Relaxed)
    }

    /// Number of times the worker woke and parked again without polling anything.
    #[must_use]
    pub fn noop_count(&self) -> u64 {
        self.count(Counter::Noops)
    }

    /// Number of tasks the worker stole from others.
    ///
    /// **Unit**: tasks.
    #[must_use]
    pub fn steal_count(&self) -> u64 {
        self.count(Counter::Steals)
    }

    /// Number of times the worker stole, however many tasks each time.
    #[must_use]
    pub fn steal_operations(&self) -> u64 {
        self.count(Counter::StealOperations)
    }

    /// Number of task polls.
    #[must_use]
    pub fn poll_count(&self) -> u64 {
        self.count(Counter::Polls)
    }

    /// Exponentially weighted moving average of the poll time.
    ///
    /// **Absent when** the worker has polled nothing yet. [`Batch`](crate::Batch) says how it is
    /// weighted.
    #[must_use]
    pub fn mean_poll_time(&self) -> Option<Duration> {
        mean::rounded(self.mean_poll_time.load(Relaxed))
    }

    /// Number of tasks scheduled onto the worker's own queue.
    #[must_use]
    pub fn local_schedule_count(&self) -> u64 {
        self.count(Counter::LocalSchedules)
    }

    /// Number of times the local queue overflowed into the global one.
    #[must_use]
    pub fn overflow_count(&self) -> u64 {
        self.count(Counter::Overflows)
    }

    /// Polls by duration.
    ///
    /// **Absent when** the [`WorkerConfig`] does not name it.
    #[inline]
    #[must_use]
    pub fn poll_time_histogram(&self) -> Option<&Histogram> {
        self.cold.poll_time_histogram.as_deref()
    }

    /// Schedulings by the delay until the poll.
    ///
    /// **Absent when** the [`WorkerConfig`] does not name it.
    #[inline]
    #[must_use]
    pub fn schedule_latency_histogram(&self) -> Option<&Histogram> {
        self.cold.schedule_latency_histogram.as_deref()
    }

    /// Time that the worker spent working up to `now_ns`, also while it works.
    ///
    /// It is [`busy_duration_total`](Self::busy_duration_total) while the worker is parked, and
    /// grows with the clock while it runs, though one poll may block and nothing be submitted for
    /// minutes. `now_ns` is a reading of [`clock`](Self::clock), taken before the call. Held by the
    /// test `a_blocked_worker_is_busy_while_it_blocks`.
    #[must_use]
    pub fn live_busy_duration(&self, now_ns: u64) -> Duration {
        let submitted = self.busy_duration_total.load(Relaxed);
        if !self.is_running() {
            return Duration::from_nanos(submitted);
        }
        let live = now_ns.saturating_sub(self.idle_duration_total.load(Relaxed));
        Duration::from_nanos(submitted.max(live))
    }

    /// Time for which the worker has run at `now_ns` without submitting anything; 0 while it is
    /// parked.
    ///
    /// A saturated worker submits every few polls, so that a large age means one poll that does not
    /// return.
    #[must_use]
    pub fn progress_age(&self, now_ns: u64) -> Duration {
        if !self.is_running() {
            return Duration::ZERO;
        }
        Duration::from_nanos(now_ns.saturating_sub(self.submitted_at.load(Relaxed)))
    }

    /// Time that the worker has been in each state up to `now_ns`, the one that it is in included.
    ///
    /// Their sum is the time from the making of the batch to `now_ns`. A worker that changes its
    /// state during the call makes it differ by what the change and the call take, and the state
    /// that it leaves may be told longer by as much; a [`Pool`](crate::Pool) never goes back behind
    /// what it has told. `now_ns` is a reading of [`clock`](Self::clock), taken before the call.
    /// Held by the tests `the_sum_of_all_states_is_the_wall_time` and
    /// `a_state_is_seen_to_grow_while_it_lasts`.
    ///
    /// **Absent when** the [`WorkerConfig`] does not name them.
    #[must_use]
    pub fn microstate_times(&self, now_ns: u64) -> Option<MicrostateTimes> {
        self.microstates().map(|microstates| microstates.times(now_ns))
    }

    #[inline]
    pub(crate) fn microstates(&self) -> Option<&SharedMicrostates> {
        self.cold.microstates.as_deref()
    }

    /// Whether the worker is neither parked nor gone, as of the last submit.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.park_unpark_count.load(Acquire).is_multiple_of(2) && self.submitted_at.load(Relaxed) != STOPPED
    }
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self::new()
    }
}
