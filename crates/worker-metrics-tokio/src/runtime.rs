//! A Tokio runtime as a source.
//!
//! Made by the program, collected by an exporter's thread, looked at by a watchdog's. What it
//! spawns on the runtime is in `canary.rs`, `probes.rs` and `sentinel.rs`; it never enters the
//! runtime.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};
use worker_metrics::{
    Clock, Counter, Evidence, Identity, Namespace, Pool, Row, Snapshot, Source, WorkerInfo, WorkerState,
};

use crate::canary::{Canary, CanaryError};
use crate::driving::{Driving, Life};
use crate::probes::Probes;
use crate::progress::{Progress, Reading};
use crate::rows::{Provided, rows};
use crate::sentinel::Sentinel;
use crate::stable::Look;
use crate::tasks::{Activity, Reader, TaskMetrics, know_workers};
use crate::thread::Thread;
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
/// [`event_interval`](tokio::runtime::Builder::event_interval) turns (61 by default). In between
/// they stand still, for a worker that blocks as for one that is saturated: 61 turns of tasks that
/// hand on to each other in polls of 20 ms are 5 s without a publication. So silence proves
/// nothing. It is shown, without `--cfg tokio_unstable`, as
///
/// * `tokio.worker.progress.age`: for how long a running worker has published nothing;
/// * `tokio.worker.time`: busy time that goes on growing meanwhile.
///
/// A stall is proved by more than that. The source gives the
/// [`Evidence`](worker_metrics::Evidence), a watchdog, such as that of an instrumentation, judges
/// by it and by what the system says of the worker's thread. It counts `tokio.worker.stalls`,
/// `tokio.worker.stall.duration`. What proves what:
///
/// * **The age of a poll** is known of [measured tasks](Self::with_tasks), and of all tasks with
///   [hooks](crate::Hooks) and `--cfg tokio_unstable`, exact to one look. It is a stall by itself,
///   from the [threshold](Self::with_stall_threshold) on: the state `stalled` of
///   `tokio.worker.count`.
/// * **The worker's thread** is known from probes, hooks and measured tasks. Together with the
///   system it proves that the thread has slept, in one call, for the whole time.
/// * **That it is this thread now** is known with `--cfg tokio_unstable`, on a current-thread
///   runtime, and in a measured poll with hooks: no `block_in_place` has moved the worker.
/// * **A sign of life**, which is a publication, a poll or the answer to a probe, says that the
///   worker gets on.
/// * **The end** of the workers' threads, or of the sentinel, says that nobody runs the worker.
///
/// *Probes* are tasks on the observed runtime, spawned only while a watchdog asks for the evidence:
/// one for each worker at its first question, which blocks the worker for 1 ms, so that each takes
/// one and its thread is known (again after a while, as long as one is not); and one that returns
/// at once at each look while the watchdog suspects a worker. They do not pile up: at most two wait
/// for each worker. The *sentinel* is a task on a current-thread runtime that waits for ever, from
/// the first look on; that it is dropped says that the runtime is gone. Both keep nothing alive.
/// They are not among `tokio.task.count`, `tokio.task.spawned` and `tokio.worker.polls`. They are
/// in everything else that Tokio counts, such as its histograms, remote schedules and parks, in the
/// global queue until they are polled, in the numbers that Tokio gives a program itself, and your
/// hooks on tasks see them. [`without_probes`](Self::without_probes) switches both off.
///
/// The limits:
///
/// * On stable Tokio below 1.54 nothing says which of several workers polls a probe or a measured
///   task: no thread and no age is known, and no stall is proved.
/// * A worker that is blocked before the first question has no thread until it gets on.
/// * A worker that `block_in_place` moved is known by its old thread, until a probe is answered or
///   a measured task polled on the new one. Without `--cfg tokio_unstable` that thread is called
///   current only where hooks are installed and a measured poll is in progress on it; a poll that
///   calls `block_in_place` itself is taken to hold its worker up until that parks, publishes,
///   answers a probe or polls a measured task elsewhere.
/// * Tasks of a [`LocalSet`](tokio::task::LocalSet) and the future of `block_on` have an age if
///   they are measured: Tokio has no hooks there.
/// * Nothing tells a current-thread runtime that rests between two calls of `block_on` from one
///   whose root future blocks: see [`intermittent`](Self::intermittent).
/// * A worker that holds up the shutdown of its runtime is seen if its thread was known before, or
///   its poll is. After a shutdown the workers are idle.
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
    /// `None` where they are switched off.
    probes: Option<Probes>,
    /// Of a current-thread runtime, from the first look on.
    sentinel: OnceLock<Sentinel>,
    looks: Mutex<Looks>,
}

/// What is remembered from one look to the next.
#[derive(Debug)]
struct Looks {
    progress: Vec<Progress>,
    tasks: Option<Reader>,
    /// The tasks ever spawned, as they were told last.
    spawned_tasks: u64,
}

/// What one look at a worker tells.
struct Observed {
    look: Look,
    is_running: bool,
    activity: Activity,
    reading: Reading,
    thread: Option<Thread>,
    /// The thread that Tokio says runs the worker now.
    settled: Option<ThreadId>,
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
            probes: Some(Probes::new(metrics.num_workers())),
            sentinel: OnceLock::new(),
            looks: Mutex::new(Looks {
                progress: first_looks(&metrics, driving),
                tasks: None,
                spawned_tasks: 0,
            }),
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

    /// Sets the time from which a worker that is proved not to get on counts as stalled; 1 s if it
    /// is not called.
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
    /// runtime to its end, as in `#[tokio::main(flavor = "current_thread")]`: what is busy and ages
    /// may be a pause then, and the evidence says that it is not known to be driven. Means nothing
    /// for a multi-thread runtime.
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
    /// `tasks` are those of this runtime. Stalls are reported with the thread's name, the group of
    /// the task and the place where it was spawned then, all of one poll, with the exact age of
    /// that poll, and at the first look where the [hooks](TaskMetrics::hooks) are installed. With
    /// `--cfg tokio_unstable` the hooks tell the ages and the places of all tasks.
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

    /// Spawns no task on the observed runtime, and probes none of its workers.
    ///
    /// Without this call a source that is looked at spawns a few, all of them listed under [Workers
    /// that are stuck](Self#workers-that-are-stuck). Call it for a program that counts the tasks of
    /// its runtime itself, or one that ends when they are none. What is lost: threads of workers
    /// are known from [hooks and measured tasks](Self::with_tasks) alone, and where they are not
    /// known no stall is proved; a current-thread runtime that is gone looks like one that is busy.
    #[must_use]
    pub fn without_probes(mut self) -> Self {
        self.probes = None;
        self.sentinel = OnceLock::new();
        self
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns what tells whether a current-thread runtime is gone, once.
    fn watch_end(&self) {
        if let Some(probes) = &self.probes
            && matches!(self.driving, Driving::BlockOn | Driving::BlockOnToCome)
        {
            self.sentinel.get_or_init(|| Sentinel::spawn(&self.handle, probes));
        }
    }

    /// The live tasks of the runtime, those of this source's probes aside.
    fn alive_tasks(&self) -> u64 {
        let all = self.metrics.num_alive_tasks() as u64;
        all.saturating_sub(self.probes.as_ref().map_or(0, Probes::alive))
    }

    /// What was last heard of a worker, from its thread and of it, and the thread that Tokio says
    /// runs it now.
    fn heard_of(
        &self,
        worker: usize,
        tasks: Option<&Reader>,
    ) -> (Activity, Option<Thread>, Option<ThreadId>) {
        let settled = unstable::worker_thread(&self.metrics, worker);
        let mut activity = tasks.map_or(Activity::default(), |tasks| tasks.activity(worker, settled));
        // No poll of a current-thread runtime is ever handed over.
        activity.is_settled |= !self.multi_thread;
        let thread = tasks.and_then(|tasks| tasks.thread(worker, settled));
        let probed = self.probes.as_ref().and_then(|probes| probes.thread(worker));
        let knows_better = |(probed, ago): &(Thread, Duration)| match settled {
            Some(settled) => thread.is_none() && probed.id == settled,
            None => {
                thread.as_ref().is_none_or(|thread| thread.id != probed.id)
                    && activity.quiet_for.is_none_or(|quiet_for| *ago < quiet_for)
            }
        };
        let Some((probed, _)) = probed.filter(knows_better) else { return (activity, thread, settled) };
        if settled.is_none() {
            // The worker was handed over: what its old thread does is not the worker's.
            activity = Activity { is_settled: activity.is_settled, ..Activity::default() };
        }
        (activity, Some(probed), settled)
    }

    /// Looks at one worker, after the tasks were refreshed. `before` is the end of the look before.
    fn observe(
        &self,
        worker: usize,
        progress: &mut Progress,
        tasks: Option<&Reader>,
        before: Option<Instant>,
    ) -> (Observed, Instant) {
        let (activity, thread, settled) = self.heard_of(worker, tasks);
        // The poll was looked for before: one that has ended since has published since.
        let before = before.unwrap_or_else(Instant::now);
        let look = Look::at(&self.metrics, worker).unwrap_or_default();
        let life = Life {
            has_tasks: self.alive_tasks() > 0,
            thread_lives: thread.as_ref().is_some_and(Thread::is_alive),
            is_polling: activity.is_polling(),
            has_begun: self.probes.as_ref().is_some_and(|probes| probes.answers(worker) > 0),
            is_gone: self.sentinel.get().is_some_and(Sentinel::is_gone),
        };
        let is_running = self.driving.is_running(&look, life);
        let after = Instant::now();
        let reading = progress.observe(look, is_running, activity, before, after);
        (Observed { look, is_running, activity, reading, thread, settled }, after)
    }

    fn read_workers(&self, snapshot: &mut Snapshot) {
        let histograms = snapshot.wants_histograms();
        let mut looks = self.looks();
        let Looks { progress, tasks, .. } = &mut *looks;
        if let Some(tasks) = tasks {
            tasks.refresh(.., |worker| unstable::worker_thread(&self.metrics, worker));
        }
        let mut looked_at = None;
        for (worker, into) in snapshot.begin(self.identity.workers).iter_mut().enumerate() {
            unstable::read_worker(&self.metrics, worker, self.multi_thread, into);
            if let Some(progress) = progress.get_mut(worker) {
                let (observed, after) = self.observe(worker, progress, tasks.as_ref(), looked_at);
                let Observed { look, is_running, reading, .. } = observed;
                looked_at = Some(after);
                let stuck_for = reading.poll_age.unwrap_or_default();
                into.state = Some(match self.driving {
                    Driving::Intermittent if !look.is_parked() && reading.published => WorkerState::Busy,
                    _ => WorkerState::of(is_running, stuck_for, self.stall_threshold),
                });
                into.busy_duration = Some(reading.busy_duration);
                into.progress_age = (self.driving != Driving::Intermittent).then_some(reading.age);
                into.set_count(Counter::Parks, look.park_count);
                into.unpark_count = Some(look.unpark_count());
                if let (Some(polls), Some(probes)) = (into.count(Counter::Polls), &self.probes) {
                    into.set_count(Counter::Polls, progress.polls(polls, probes.answers(worker)));
                }
            }
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
    }

    /// Takes this source's own tasks from those that were ever spawned.
    fn read_spawned(&self, snapshot: &mut Snapshot) {
        if let (Some(spawned), Some(probes)) = (&mut snapshot.spawned_task_count, &self.probes) {
            // Counted here before Tokio does: it may be too low for a moment, and never goes back.
            let mut looks = self.looks();
            looks.spawned_tasks = looks.spawned_tasks.max(spawned.saturating_sub(probes.spawned()));
            *spawned = looks.spawned_tasks;
        }
    }
}

/// Empty where the target has no counters to look at, or no clock.
fn first_looks(metrics: &RuntimeMetrics, driving: Driving) -> Vec<Progress> {
    if !Clock::AVAILABLE {
        return Vec::new();
    }
    let life = Life { has_tasks: metrics.num_alive_tasks() > 0, ..Life::default() };
    (0..metrics.num_workers())
        .filter_map(|worker| Look::at(metrics, worker))
        .map(|look| Progress::new(look, driving.is_running(&look, life), Instant::now()))
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
        let global_queue_depth = self.metrics.global_queue_depth() as u64;
        self.watch_end();
        self.read_workers(snapshot);
        snapshot.alive_task_count = Some(self.alive_tasks());
        snapshot.global_queue_depth = Some(global_queue_depth);
        unstable::read_runtime(&self.metrics, snapshot);
        self.read_spawned(snapshot);
        if let Some(canary) = self.canary.as_ref().filter(|_| snapshot.wants_histograms()) {
            canary.delays().snapshot_into(&mut snapshot.timer_delay_histogram);
        }
    }

    fn worker_info(&self, worker: usize) -> WorkerInfo {
        let mut looks = self.looks();
        if let Some(tasks) = &mut looks.tasks {
            tasks.refresh(worker..=worker, |worker| unstable::worker_thread(&self.metrics, worker));
        }
        let tasks = looks.tasks.as_ref();
        let mut info = WorkerInfo::default();
        // Before and after: the thread and the task are of one poll, or the task is left out.
        let (_, thread, settled) = self.heard_of(worker, tasks);
        let task = tasks.map(|tasks| tasks.task(worker, settled)).unwrap_or_default();
        let (_, thread_after, _) = self.heard_of(worker, tasks);
        let is_same = thread.as_ref().map(|thread| thread.id) == thread_after.map(|thread| thread.id);
        info.thread_name = thread.and_then(|thread| thread.name);
        if is_same {
            info.task_group = task.group;
            info.spawn_location = task.location;
        }
        info
    }

    fn evidence(&self, worker: usize) -> Option<Evidence> {
        self.watch_end();
        if let Some(probes) = self.probes.as_ref().filter(|_| self.multi_thread) {
            probes.learn(&self.handle);
        }
        let mut looks = self.looks();
        let Looks { progress, tasks, .. } = &mut *looks;
        let progress = progress.get_mut(worker)?;
        if let Some(tasks) = tasks {
            tasks.refresh(worker..=worker, |worker| unstable::worker_thread(&self.metrics, worker));
        }
        let (observed, _) = self.observe(worker, progress, tasks.as_ref(), None);
        let Observed { look, is_running, activity, reading, thread, settled } = observed;
        let busy_ns = u64::try_from(look.busy_duration.as_nanos()).unwrap_or(u64::MAX);
        let signs = [
            look.park_unpark_count,
            look.park_count,
            busy_ns,
            tasks.as_ref().map_or(0, |tasks| tasks.signs_of_life(worker)),
            activity.sequence.map_or(0, |(_, sequence)| sequence.number()),
            self.probes.as_ref().map_or(0, |probes| probes.answers(worker)),
        ];
        let mut evidence = Evidence::default();
        evidence.is_running = is_running;
        evidence.is_driven = self.driving.is_driven(activity.is_polling());
        // None of them falls while the worker stays on its thread: the sum changes with each.
        evidence.progress = signs.into_iter().fold(0, u64::wrapping_add);
        evidence.poll_age = reading.poll_age;
        evidence.thread_id = thread.as_ref().and_then(|thread| thread.number);
        // A current-thread runtime hands its worker to nobody during a poll.
        let is_of_poll = activity.is_settled && reading.poll_age.is_some();
        evidence.is_current = thread.is_some() && (settled.is_some() || is_of_poll || !self.multi_thread);
        Some(evidence)
    }

    fn stall_threshold(&self) -> Duration {
        self.stall_threshold
    }

    fn probe(&self, _: usize) {
        if let Some(probes) = &self.probes {
            probes.probe(&self.handle);
        }
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
