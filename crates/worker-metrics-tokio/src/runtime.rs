//! A Tokio runtime as a source.
//!
//! Made by the program, collected by an exporter's thread. It spawns nothing on the runtime and
//! never enters it.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};
use worker_metrics::{
    Clock, Counter, Identity, Namespace, Pool, Row, Snapshot, Source, WorkerInfo, WorkerState,
};

use crate::canary::{Canary, CanaryError};
use crate::driving::Driving;
use crate::progress::Progress;
use crate::rows::{Provided, rows};
use crate::stable::Look;
use crate::tasks::{Activity, Reader, TaskMetrics, know_workers};
use crate::unstable::{self, Histograms};

/// A Tokio runtime, ready to be attached.
///
/// It holds on to the runtime's memory, though not to its threads: drop it, or the guard that
/// attaching it returned, with or before the runtime. A runtime that was shut down while it is
/// still attached shows its last values, and its workers as idle.
///
/// # Workers that are stuck
///
/// Tokio publishes a worker's numbers when it parks, when it unparks, and every
/// [`event_interval`](tokio::runtime::Builder::event_interval) polls (61 by default). A worker that
/// is not parked and publishes nothing is in one long poll. From that follow, without `--cfg
/// tokio_unstable`:
///
/// * `tokio.worker.progress.age`: for how long;
/// * `tokio.worker.count` with the state `stalled`, from the [stall
///   threshold](Self::with_stall_threshold) on, 1 s;
/// * `tokio.worker.time`: busy time that goes on growing during the poll.
///
/// The number of stalls and their duration in the end is counted by the watchdog of an
/// instrumentation, which collects more often than a reader does: `tokio.worker.stalls`,
/// `tokio.worker.stall.duration`.
///
/// Two limits follow as well. A saturated worker whose polls take 17 ms and more each publishes
/// only every second, and looks stalled now and then, unless its tasks are
/// [measured](Self::with_tasks): then each poll counts as progress. A multi-thread runtime without
/// any live task has no poll to be stuck in: its workers are idle, whatever they published last. Of
/// a current-thread runtime see [`intermittent`](Self::intermittent).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worker_metrics_tokio::{Snapshot, Source, TokioRuntime, WorkerState};
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
/// let source = TokioRuntime::new(runtime.handle())
///     .with_name("main")
///     .with_stall_threshold(Duration::from_millis(500))?;
///
/// let mut snapshot = Snapshot::new();
/// source.collect(&mut snapshot); // as an exporter does that it is attached to
/// assert_eq!(snapshot.workers().len(), 2);
/// assert_eq!(snapshot.workers_in(WorkerState::Stalled), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TokioRuntime {
    identity: Identity,
    rows: Vec<Row>,
    handle: Handle,
    metrics: RuntimeMetrics,
    multi_thread: bool,
    driving: Driving,
    stall_threshold: Duration,
    histograms: Histograms,
    canary: Option<Canary>,
    looks: Mutex<Looks>,
}

/// What is remembered from one look to the next.
#[derive(Debug)]
struct Looks {
    progress: Vec<Progress>,
    tasks: Option<Reader>,
}

impl TokioRuntime {
    /// The runtime that this code runs on.
    ///
    /// # Errors
    ///
    /// [`NoRuntimeError`] outside a runtime.
    pub fn current() -> Result<Self, NoRuntimeError> {
        let handle = Handle::try_current().map_err(|_| NoRuntimeError(()))?;
        Ok(Self::driven(&handle, Driving::BlockOn))
    }

    /// The runtime of a handle.
    ///
    /// It takes the name that the runtime's builder gave it, if any. The first look at the workers
    /// is taken now.
    #[must_use]
    pub fn new(handle: &Handle) -> Self {
        Self::driven(handle, Driving::BlockOnToCome)
    }

    /// `driving` of a current-thread runtime; a multi-thread one has threads of its own.
    fn driven(handle: &Handle, driving: Driving) -> Self {
        let metrics = handle.metrics();
        let multi_thread = handle.runtime_flavor() == RuntimeFlavor::MultiThread;
        let driving = if multi_thread { Driving::OwnThreads } else { driving };
        let histograms = Histograms::of(&metrics);
        let mut identity = Identity::new(Namespace::TOKIO, handle.id().to_string())
            .with_flavor(if multi_thread { "multi_thread" } else { "current_thread" })
            .with_workers(metrics.num_workers());
        identity.name = handle.name().map(str::to_owned);
        let runtime = Self {
            identity,
            rows: Vec::new(),
            handle: handle.clone(),
            multi_thread,
            driving,
            stall_threshold: Pool::DEFAULT_STALL_THRESHOLD,
            histograms,
            canary: None,
            looks: Mutex::new(Looks { progress: first_looks(&metrics, driving), tasks: None }),
            metrics,
        };
        runtime.covered()
    }

    /// Brings the rows up to date with what there is.
    fn covered(mut self) -> Self {
        let has_tasks = self.looks.get_mut().unwrap_or_else(PoisonError::into_inner).tasks.is_some();
        self.rows = rows(&Provided {
            multi_thread: self.multi_thread,
            intermittent: self.driving == Driving::Intermittent,
            histograms: &self.histograms,
            task_groups: has_tasks.then_some(self.identity.task_groups.len()),
            canary: self.canary.is_some(),
        });
        self
    }

    /// Gives the runtime a name, instead of the one that its builder gave it.
    ///
    /// A name of more than [`Identity::MAX_NAME_LEN`] bytes is refused where the source is
    /// attached.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.identity.name = Some(name.into());
        self
    }

    /// Sets the age from which a worker that publishes nothing counts as stalled; 1 s if it is not
    /// called.
    ///
    /// # Errors
    ///
    /// [`ZeroStallThresholdError`] if it is zero: every worker that runs would count.
    pub fn with_stall_threshold(mut self, threshold: Duration) -> Result<Self, ZeroStallThresholdError> {
        if threshold.is_zero() {
            return Err(ZeroStallThresholdError(()));
        }
        self.stall_threshold = threshold;
        Ok(self)
    }

    /// Says that several calls of `block_on` drive this current-thread runtime, with pauses between
    /// them.
    ///
    /// Between two of them nobody runs the worker, and what Tokio publishes looks just as it does
    /// during a poll that blocks. So for such a runtime nothing is concluded from it: no worker is
    /// ever stalled, there is no `tokio.worker.progress.age` and no count of stalls, and busy time
    /// grows when Tokio publishes it. Without this call one `block_on` is taken to drive the
    /// runtime to its end, as in `#[tokio::main(flavor = "current_thread")]`. Means nothing for a
    /// multi-thread runtime.
    #[must_use]
    pub fn intermittent(mut self) -> Self {
        if !self.multi_thread {
            self.driving = Driving::Intermittent;
        }
        self.covered()
    }

    /// Exports what was measured of the tasks as well: the histograms that Tokio itself does not
    /// keep, and the groups.
    ///
    /// `tasks` are those of this runtime. Stalls are reported with the thread's name and the group
    /// of the task then, with the exact age of the poll, and at the first look where the
    /// [hooks](TaskMetrics::hooks) are installed.
    ///
    /// On stable Tokio below 1.54 nothing says which worker a thread runs: the groups alone are
    /// exported then.
    #[must_use]
    pub fn with_tasks(mut self, tasks: &TaskMetrics) -> Self {
        tasks.leave_to_tokio(self.histograms.poll_time.is_some(), self.histograms.schedule_latency.is_some());
        self.identity.task_groups = tasks.groups().to_vec();
        self.looks.get_mut().unwrap_or_else(PoisonError::into_inner).tasks = Some(tasks.reader());
        self.covered()
    }

    /// Measures how late a timer is that is due every `interval`, as `tokio.timer.delay`: what any
    /// task of the runtime that waits for a timer has to expect.
    ///
    /// It is a task on the observed runtime, from now until this source is dropped, and one of
    /// `tokio.task.count`; 10 ms is a usual interval. Tokio's timers have a resolution of a
    /// millisecond, so that delays of up to 1 ms mean nothing. While all workers are blocked
    /// nothing is measured: the delay is counted, once, when the timer is served.
    ///
    /// Leave it out under [paused time](https://docs.rs/tokio/latest/tokio/time/fn.pause.html). The
    /// clock then moves on by itself whenever the runtime has nothing to do, to the next timer,
    /// which is the canary's: each virtual hour runs its task 360,000 times at an interval of 10
    /// ms, what it measures lies in the lowest bucket, and a test that waits for another thread
    /// under a virtual timeout sees the time pass in small steps instead of one, and may end
    /// otherwise than without a canary.
    ///
    /// **Cost**: one timer, one poll and two clock readings each interval, and a worker that wakes
    /// for it. Measured in `docs/benchmarks.md`.
    ///
    /// # Errors
    ///
    /// [`CanaryError::Interval`] if the interval is zero or above an hour; [`CanaryError::NoTimer`]
    /// if the runtime was built without timers. Tokio can be asked for the latter only by making a
    /// timer, which panics: the panic is caught here, after the program's panic hook has run. A
    /// program that is built with `panic = "abort"` ends there instead: call this only for a
    /// runtime that was built with `enable_time` or `enable_all`.
    pub fn with_canary(mut self, interval: Duration) -> Result<Self, CanaryError> {
        self.canary = Some(Canary::spawn(&self.handle, interval)?);
        Ok(self.covered())
    }

    fn read_workers(&self, snapshot: &mut Snapshot) {
        let alive_tasks = self.metrics.num_alive_tasks();
        let histograms = snapshot.wants_histograms();
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let Looks { progress, tasks } = &mut *looks;
        if let Some(tasks) = tasks {
            tasks.refresh();
        }
        let mut looked_at = None;
        for (worker, into) in snapshot.begin(self.identity.workers).iter_mut().enumerate() {
            if let Some(progress) = progress.get_mut(worker) {
                let activity = tasks.as_ref().map_or(Activity::default(), |tasks| tasks.activity(worker));
                // The end of one look is before the next.
                let before = looked_at.unwrap_or_else(Instant::now);
                let look = Look::at(&self.metrics, worker).unwrap_or_default();
                let running = self.driving.is_running(&look, alive_tasks);
                let after = Instant::now();
                looked_at = Some(after);
                let reading = progress.observe(look, running, activity, before, after);
                into.state = Some(match self.driving {
                    Driving::Intermittent if !look.is_parked() && reading.published => WorkerState::Busy,
                    _ => WorkerState::of(running, reading.age, self.stall_threshold),
                });
                into.busy_duration = Some(reading.busy_duration);
                into.progress_age = (self.driving != Driving::Intermittent).then_some(reading.age);
                into.set_count(Counter::Parks, look.park_count);
                into.unpark_count = Some(look.unpark_count());
            }
            unstable::read_worker(&self.metrics, worker, self.multi_thread, into);
            if histograms {
                unstable::read_histograms(&self.histograms, &self.metrics, worker, into);
            }
        }
        if let Some(tasks) = tasks.as_mut().filter(|_| histograms) {
            let Histograms { poll_time, schedule_latency, .. } = &self.histograms;
            let (polls, schedules) = (poll_time.is_none(), schedule_latency.is_none());
            tasks.read_workers(know_workers() && polls, know_workers() && schedules, snapshot);
            tasks.read_groups(snapshot);
        }
        snapshot.alive_task_count = Some(alive_tasks as u64);
    }
}

/// Empty where the target has no counters to look at, or no clock.
fn first_looks(metrics: &RuntimeMetrics, driving: Driving) -> Vec<Progress> {
    if !Clock::AVAILABLE {
        return Vec::new();
    }
    let alive_tasks = metrics.num_alive_tasks();
    (0..metrics.num_workers())
        .filter_map(|worker| Look::at(metrics, worker))
        .map(|look| Progress::new(look, driving.is_running(&look, alive_tasks), Instant::now()))
        .collect()
}

impl Source for TokioRuntime {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn definitions(&self) -> &[Row] {
        &self.rows
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.read_workers(snapshot);
        snapshot.global_queue_depth = Some(self.metrics.global_queue_depth() as u64);
        unstable::read_runtime(&self.metrics, snapshot);
        if let Some(canary) = self.canary.as_ref().filter(|_| snapshot.wants_histograms()) {
            canary.delays().snapshot_into(&mut snapshot.timer_delay_histogram);
        }
    }

    fn worker_info(&self, worker: usize) -> WorkerInfo {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.tasks.as_mut().map_or_else(WorkerInfo::default, |tasks| {
            tasks.refresh();
            tasks.worker_info(worker)
        })
    }
}

/// There is no runtime here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRuntimeError(());

impl fmt::Display for NoRuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this code does not run on a Tokio runtime: call it within one, or use `TokioRuntime::new(runtime.handle())`",
        )
    }
}

impl Error for NoRuntimeError {}

/// A stall threshold of zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeroStallThresholdError(());

impl fmt::Display for ZeroStallThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the stall threshold is 0, so that every running worker would be stalled: set some time above 0",
        )
    }
}

impl Error for ZeroStallThresholdError {}
