//! Runtimes whose workers do as they are told, and looks at them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use worker_metrics::{Evidence, Snapshot, Source, WorkerSnapshot};
use worker_metrics_tokio::TokioRuntime;

/// So long may a machine take for what it does at once, before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_time().build().unwrap()
}

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

pub(crate) fn look(source: &TokioRuntime) -> Snapshot {
    let mut snapshot = Snapshot::new();
    source.collect(&mut snapshot);
    snapshot
}

/// Looks until `seen`, and returns what was seen then.
pub(crate) fn look_until(source: &TokioRuntime, seen: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let snapshot = look(source);
        if seen(&snapshot) {
            return snapshot;
        }
        assert!(Instant::now() < deadline, "not seen in {PATIENCE:?}: {snapshot:?}");
        thread::yield_now();
    }
}

pub(crate) fn only_worker(snapshot: &Snapshot) -> &WorkerSnapshot {
    assert_eq!(snapshot.workers().len(), 1);
    &snapshot.workers()[0]
}

pub(crate) fn evidence(source: &TokioRuntime, worker: usize) -> Evidence {
    source.evidence(worker).expect("this target has counters and a clock")
}

/// Asks for evidence of a worker until `seen`, and returns what was seen then.
pub(crate) fn evidence_until(
    source: &TokioRuntime,
    worker: usize,
    seen: impl Fn(&Evidence) -> bool,
) -> Evidence {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let evidence = evidence(source, worker);
        if seen(&evidence) {
            return evidence;
        }
        assert!(Instant::now() < deadline, "not seen in {PATIENCE:?}: {evidence:?}");
        thread::yield_now();
    }
}

/// The number by which the system knows this thread.
pub(crate) fn thread_number() -> Option<u32> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// A poll that blocks its worker until it is released, or the test ends.
pub(crate) struct Blocked {
    release: Sender<()>,
}

impl Blocked {
    /// Spawns a task on `runtime`, and returns once its poll has begun.
    pub(crate) fn spawn(runtime: &Runtime) -> Self {
        let (blocked, block) = Self::new();
        let (begun, begins) = channel();
        runtime.spawn(async move { block.wait(&begun) });
        begins.recv_timeout(PATIENCE).expect("the task is polled");
        blocked
    }

    pub(crate) fn new() -> (Self, Block) {
        let (release, released) = channel();
        (Self { release }, Block { released })
    }

    pub(crate) fn release(self) {
        self.release.send(()).expect("the poll is still blocked");
    }
}

/// The blocking side of [`Blocked`].
pub(crate) struct Block {
    released: Receiver<()>,
}

impl Block {
    pub(crate) fn wait(&self, begun: &Sender<()>) {
        begun.send(()).expect("the test waits for this");
        // An error is the end of the test.
        let _ = self.released.recv();
    }
}
