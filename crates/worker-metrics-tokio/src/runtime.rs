//! A Tokio runtime as a source.
//!
//! Made by the program, collected by an exporter's thread. It spawns nothing on the runtime and never enters it.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};
use worker_metrics::{Clock, Coverage, Identity, Namespace, Pool, Row, Snapshot, Source, WorkerState};

use crate::driving::Driving;
use crate::progress::Progress;
use crate::rows::rows;
use crate::stable::Look;
use crate::unstable::{self, Histograms};

/// A Tokio runtime, ready to be attached.
///
/// It holds on to the runtime's memory, though not to its threads: drop it, or the guard that attaching it returned, with or
/// before the runtime. A runtime that was shut down while it is still attached shows its last values, and its workers as idle.
///
/// # Workers that are stuck
///
/// Tokio publishes a worker's numbers when it parks, when it unparks, and every
/// [`event_interval`](tokio::runtime::Builder::event_interval) polls (61 by default). A worker that is not parked and publishes
/// nothing is in one long poll. From that follow, without `--cfg tokio_unstable`:
///
/// * `tokio.worker.progress.age`: for how long;
/// * `tokio.worker.count` with the state `stalled`, from the [stall threshold](Self::with_stall_threshold) on, 1 s;
/// * `tokio.worker.time`: busy time that goes on growing during the poll.
///
/// Two limits follow as well. A saturated worker whose polls take 17 ms and more each publishes only every second, and looks
/// stalled now and then. A multi-thread runtime without any live task has no poll to be stuck in: its workers are idle,
/// whatever they published last. Of a current-thread runtime see [`intermittent`](Self::intermittent).
#[derive(Debug)]
pub struct TokioRuntime {
    identity: Identity,
    rows: Vec<Row>,
    metrics: RuntimeMetrics,
    multi_thread: bool,
    driving: Driving,
    stall_threshold: Duration,
    histograms: Histograms,
    progress: Mutex<Vec<Progress>>,
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
    /// It takes the name that the runtime's builder gave it, if any. The first look at the workers is taken now.
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
        Self {
            identity: Identity {
                namespace: Namespace::TOKIO,
                id: handle.id().to_string(),
                name: handle.name().map(str::to_owned),
                flavor: Some(if multi_thread { "multi_thread" } else { "current_thread" }),
                workers: metrics.num_workers(),
                task_groups: Vec::new(),
            },
            rows: rows(multi_thread, &histograms),
            multi_thread,
            driving,
            stall_threshold: Pool::DEFAULT_STALL_THRESHOLD,
            histograms,
            progress: Mutex::new(first_looks(&metrics, driving)),
            metrics,
        }
    }

    /// Gives the runtime a name, instead of the one that its builder gave it.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.identity.name = Some(name.into());
        self
    }

    /// Sets the age from which a worker that publishes nothing counts as stalled; 1 s if it is not called.
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

    /// Says that several calls of `block_on` drive this current-thread runtime, with pauses between them.
    ///
    /// Between two of them nobody runs the worker, and what Tokio publishes looks just as it does during a poll that blocks. So
    /// for such a runtime nothing is concluded from it: no worker is ever stalled, there is no `tokio.worker.progress.age`, and
    /// busy time grows when Tokio publishes it. Without this call one `block_on` is taken to drive the runtime to its end, as
    /// in `#[tokio::main(flavor = "current_thread")]`. Means nothing for a multi-thread runtime.
    #[must_use]
    pub fn intermittent(mut self) -> Self {
        if !self.multi_thread {
            self.driving = Driving::Intermittent;
            for row in &mut self.rows {
                if row.definition.suffix == "worker.progress.age" {
                    row.coverage = Coverage::Missing(
                        "declared `TokioRuntime::intermittent`: a pause looks like a stall",
                    );
                }
            }
        }
        self
    }

    fn read_workers(&self, snapshot: &mut Snapshot) {
        let alive_tasks = self.metrics.num_alive_tasks();
        let histograms = snapshot.wants_histograms();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        for (worker, into) in snapshot.begin(self.identity.workers).iter_mut().enumerate() {
            if let Some(progress) = progress.get_mut(worker) {
                let before = Instant::now();
                let look = Look::at(&self.metrics, worker).unwrap_or_default();
                let running = self.driving.is_running(&look, alive_tasks);
                let reading = progress.observe(look, running, before, Instant::now());
                into.state = Some(match self.driving {
                    Driving::Intermittent if !look.is_parked() && reading.published => WorkerState::Busy,
                    _ => WorkerState::of(running, reading.age, self.stall_threshold),
                });
                into.busy_duration = Some(reading.busy_duration);
                into.progress_age = (self.driving != Driving::Intermittent).then_some(reading.age);
                into.park_count = Some(look.park_count);
                into.unpark_count = Some(look.unpark_count());
            }
            unstable::read_worker(&self.metrics, worker, self.multi_thread, into);
            if histograms {
                unstable::read_histograms(&self.histograms, &self.metrics, worker, into);
            }
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
