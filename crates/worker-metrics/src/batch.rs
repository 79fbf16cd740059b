//! The writer's side of a worker: plain integers on the worker's own thread.
//!
//! An executor calls it for each event and submits now and then. No method may lock, allocate, fail
//! or panic; only the methods that say so read the clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use crate::clock::{Clock, saturating_ns};
use crate::counter::Counter;
use crate::histogram::LocalHistogram;
use crate::mean;
use crate::microstate::{LocalMicrostates, Microstate};
use crate::worker::{STOPPED, WorkerMetrics};

/// The right to write one worker's metrics, and its totals not yet published.
///
/// The worker's thread owns it. It moves with the worker when the worker changes threads. Making it
/// consumes the [`WorkerMetrics`], so that a second writer does not compile:
///
/// ```compile_fail
/// use worker_metrics::{Batch, WorkerMetrics};
///
/// let metrics = WorkerMetrics::new();
/// let first = Batch::new(metrics);
/// let second = Batch::new(metrics); // use of moved value
/// ```
///
/// # When to call what
///
/// | event | method |
/// |---|---|
/// | the worker found nothing to do | [`about_to_park`](Self::about_to_park), then [`submit`](Self::submit) |
/// | it woke | [`unparked`](Self::unparked), then [`submit`](Self::submit) |
/// | around each poll or job | [`start_poll`](Self::start_poll), [`end_poll`](Self::end_poll) |
/// | every few polls of a worker that does not park | [`submit`](Self::submit) |
/// | it took tasks of another worker | [`stole`](Self::stole) |
/// | it put a task onto its own queue | [`scheduled_locally`](Self::scheduled_locally) |
/// | its own queue was full | [`overflowed`](Self::overflowed) |
/// | it looks for work elsewhere, or drives I/O and timers | [`enter`](Self::enter), where it keeps microstates |
///
/// The methods with a time read the clock of the block; each has a twin that ends in `_at` for an
/// executor that has the time already, on the same [`clock`](Self::clock).
///
/// Dropping the batch submits what is left and marks the worker as gone: it looks neither busy nor
/// stalled from then on.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Batch, WorkerMetrics};
///
/// let mut batch = Batch::new(WorkerMetrics::new());
/// batch.start_poll();
/// // … a task …
/// batch.end_poll();
/// batch.about_to_park();
/// batch.submit();
/// assert_eq!((batch.metrics().poll_count(), batch.metrics().park_count()), (1, 1));
/// ```
///
/// **Source**: the events are those of Tokio's `MetricsBatch`. Unlike there, a worker is busy from
/// unpark to park, the search for work included, and the batch publishes when it last submitted.
#[derive(Debug)]
pub struct Batch {
    metrics: Arc<WorkerMetrics>,
    clock: Clock,
    /// When it parked or unparked last.
    turned_at_ns: u64,
    park_unpark_count: u64,
    counts: [u64; Counter::COUNT],
    polls_on_last_park: u64,
    idle_duration_total_ns: u64,
    poll_started_at_ns: u64,
    poll_time_histogram: Option<LocalHistogram>,
    schedule_latency_histogram: Option<LocalHistogram>,
    microstates: Option<LocalMicrostates>,
}

impl Batch {
    /// Takes the right to write `metrics`; the worker runs from now on.
    #[must_use]
    pub fn new(metrics: WorkerMetrics) -> Self {
        let clock = metrics.clock();
        Self::new_at(metrics, clock.now_ns())
    }

    /// [`new`](Self::new) at a given time.
    #[must_use]
    pub fn new_at(metrics: WorkerMetrics, now_ns: u64) -> Self {
        let mut batch = Self {
            clock: metrics.clock(),
            turned_at_ns: now_ns,
            park_unpark_count: 0,
            counts: [0; Counter::COUNT],
            polls_on_last_park: 0,
            idle_duration_total_ns: now_ns,
            poll_started_at_ns: now_ns,
            poll_time_histogram: metrics.poll_time_histogram().map(|to| LocalHistogram::new(to.scale())),
            schedule_latency_histogram: metrics
                .schedule_latency_histogram()
                .map(|to| LocalHistogram::new(to.scale())),
            microstates: metrics
                .microstates()
                .map(|to| LocalMicrostates::new(Microstate::Scheduling, now_ns, to)),
            metrics: Arc::new(metrics),
        };
        batch.submit_at(now_ns);
        batch
    }

    /// The block that this batch writes, for readers.
    #[must_use]
    pub fn metrics(&self) -> &Arc<WorkerMetrics> {
        &self.metrics
    }

    /// The clock that the `_at` methods expect their times on.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The worker is about to park: its busy time ends.
    ///
    /// Counts a noop where nothing was polled since the last time. Does nothing if the worker is
    /// parked already. **Cost**: one clock reading.
    #[inline]
    pub fn about_to_park(&mut self) {
        self.about_to_park_at(self.clock.now_ns());
    }

    /// [`about_to_park`](Self::about_to_park) at a given time.
    pub fn about_to_park_at(&mut self, now_ns: u64) {
        // Parks and unparks must alternate: one reported twice would turn the parity round for
        // good.
        if !self.is_running() {
            return;
        }
        self.turned_at_ns = now_ns.max(self.turned_at_ns).max(self.published_until_ns());
        self.count(Counter::Parks);
        self.park_unpark_count += 1;
        let polls = self.counts[Counter::Polls.index()];
        if self.polls_on_last_park == polls {
            self.count(Counter::Noops);
        }
        self.polls_on_last_park = polls;
        self.enter_at(Microstate::Parked, now_ns);
    }

    /// The worker was unparked: its busy time begins.
    ///
    /// Does nothing if the worker runs already. **Cost**: one clock reading.
    #[inline]
    pub fn unparked(&mut self) {
        self.unparked_at(self.clock.now_ns());
    }

    /// [`unparked`](Self::unparked) at a given time.
    pub fn unparked_at(&mut self, now_ns: u64) {
        if self.is_running() {
            return;
        }
        self.park_unpark_count += 1;
        self.idle_duration_total_ns += now_ns.saturating_sub(self.turned_at_ns);
        self.turned_at_ns = now_ns.max(self.turned_at_ns);
        self.enter_at(Microstate::Scheduling, now_ns);
    }

    /// A poll begins.
    ///
    /// **Cost**: an addition, and one clock reading where the worker keeps the poll histogram or
    /// microstates.
    #[inline]
    pub fn start_poll(&mut self) {
        if self.times_polls() {
            self.start_poll_at(self.clock.now_ns());
        } else {
            self.count(Counter::Polls);
        }
    }

    /// [`start_poll`](Self::start_poll) at a given time.
    #[inline]
    pub fn start_poll_at(&mut self, now_ns: u64) {
        self.count(Counter::Polls);
        self.poll_started_at_ns = now_ns;
        self.enter_at(Microstate::Polling, now_ns);
    }

    /// The poll that began last ends.
    ///
    /// **Cost**: nothing, or one clock reading where the worker keeps the poll histogram or
    /// microstates, and one bucket.
    #[inline]
    pub fn end_poll(&mut self) {
        if self.times_polls() {
            self.end_poll_at(self.clock.now_ns());
        }
    }

    /// [`end_poll`](Self::end_poll) at a given time.
    #[inline]
    pub fn end_poll_at(&mut self, now_ns: u64) {
        if let Some(histogram) = &mut self.poll_time_histogram {
            histogram.measure(now_ns.saturating_sub(self.poll_started_at_ns));
        }
        self.enter_at(Microstate::Scheduling, now_ns);
    }

    #[inline]
    fn times_polls(&self) -> bool {
        self.poll_time_histogram.is_some() || self.microstates.is_some()
    }

    /// The worker does something else from now on.
    ///
    /// For [`Microstate::Searching`] and [`Microstate::Driving`], and for
    /// [`Microstate::Scheduling`] after them: polls and parks are entered and left by their own
    /// methods. Does nothing where the worker keeps no microstates
    /// ([`WorkerConfig::with_microstates`](crate::WorkerConfig::with_microstates)), or is in that
    /// state already.
    ///
    /// **Cost**: nothing, or one clock reading and two relaxed stores: this time is published at
    /// once.
    #[inline]
    pub fn enter(&mut self, state: Microstate) {
        if self.microstates.is_some() {
            self.enter_at(state, self.clock.now_ns());
        }
    }

    /// [`enter`](Self::enter) at a given time.
    #[inline]
    pub fn enter_at(&mut self, state: Microstate, now_ns: u64) {
        if let (Some(from), Some(to)) = (&mut self.microstates, self.metrics.microstates()) {
            from.enter(state, now_ns, to);
        }
    }

    /// The task to be polled had been scheduled for `delay`.
    ///
    /// Goes into the schedule-latency histogram, where the worker keeps one.
    #[inline]
    pub fn scheduled_for(&mut self, delay: Duration) {
        if let Some(histogram) = &mut self.schedule_latency_histogram {
            histogram.measure(saturating_ns(delay));
        }
    }

    /// The worker stole `tasks` tasks in one operation.
    #[inline]
    pub fn stole(&mut self, tasks: u64) {
        let stolen = &mut self.counts[Counter::Steals.index()];
        *stolen = stolen.wrapping_add(tasks);
        self.count(Counter::StealOperations);
    }

    /// The worker scheduled a task onto its own queue.
    #[inline]
    pub fn scheduled_locally(&mut self) {
        self.count(Counter::LocalSchedules);
    }

    /// The worker's own queue was full, and tasks went to the global one.
    #[inline]
    pub fn overflowed(&mut self) {
        self.count(Counter::Overflows);
    }

    #[inline]
    fn count(&mut self, counter: Counter) {
        self.counts[counter.index()] += 1;
    }

    /// Publishes the totals.
    ///
    /// Call it after [`about_to_park`](Self::about_to_park), after [`unparked`](Self::unparked),
    /// and every few dozen polls of a worker that does not park: a worker that does not submit
    /// looks blocked. The n polls since the last submit move the mean poll time by 1 - 0.9^n
    /// towards their own mean.
    ///
    /// **Cost**: one clock reading, a relaxed store for each field and each bucket. **Ordering**:
    /// `Relaxed`, and `Release` for the parks and unparks.
    #[inline]
    pub fn submit(&mut self) {
        self.submit_at(self.clock.now_ns());
    }

    /// [`submit`](Self::submit) at a given time.
    pub fn submit_at(&mut self, now_ns: u64) {
        // What was published last is read back instead of being kept twice: nobody else writes it.
        let to = &*self.metrics;
        let until_ns = if self.is_running() { now_ns } else { self.turned_at_ns };
        let busy_ns = until_ns.saturating_sub(self.published_until_ns());
        let polls = self.counts[Counter::Polls.index()].wrapping_sub(to.count(Counter::Polls));

        to.busy_duration_total.store(to.busy_duration_total.load(Relaxed) + busy_ns, Relaxed);
        for (to, &count) in to.counts.iter().zip(&self.counts) {
            to.store(count, Relaxed);
        }
        to.idle_duration_total.store(self.idle_duration_total_ns, Relaxed);
        to.submitted_at.store(now_ns, Relaxed);
        // After the two above: whoever sees the unpark must not reckon with the times of before the
        // park.
        to.park_unpark_count.store(self.park_unpark_count, Release);

        match mean::after_few_polls(to.mean_poll_time.load(Relaxed), polls, busy_ns) {
            Some(mean) => to.mean_poll_time.store(mean, Relaxed),
            // The last that is done there: a call from here would have registers saved at every
            // submit.
            None => return self.submit_mean_and_histograms(polls, busy_ns),
        }
        self.submit_histograms();
    }

    #[cold]
    #[inline(never)]
    fn submit_mean_and_histograms(&self, polls: u64, busy_ns: u64) {
        let mean = mean::after(self.metrics.mean_poll_time.load(Relaxed), polls, busy_ns);
        self.metrics.mean_poll_time.store(mean, Relaxed);
        self.submit_histograms();
    }

    #[inline]
    fn submit_histograms(&self) {
        let to = &*self.metrics;
        if let (Some(from), Some(to)) = (&self.poll_time_histogram, to.poll_time_histogram()) {
            from.submit(to);
        }
        if let (Some(from), Some(to)) = (&self.schedule_latency_histogram, to.schedule_latency_histogram()) {
            from.submit(to);
        }
    }

    /// Up to when the worker's busy time is published, if it runs.
    #[inline]
    fn published_until_ns(&self) -> u64 {
        self.idle_duration_total_ns.wrapping_add(self.metrics.busy_duration_total.load(Relaxed))
    }

    #[inline]
    fn is_running(&self) -> bool {
        self.park_unpark_count.is_multiple_of(2)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let now_ns = self.clock.now_ns();
        self.submit_at(now_ns);
        if let (Some(from), Some(to)) = (&mut self.microstates, self.metrics.microstates()) {
            from.leave(now_ns, to);
        }
        self.metrics.submitted_at.store(STOPPED, Relaxed);
    }
}
