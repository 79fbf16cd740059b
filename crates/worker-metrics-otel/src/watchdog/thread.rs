//! The thread of a watchdog.
//!
//! Started with the first source or meter, ended by its handle. Keeps no source alive, and holds no
//! lock while it calls back.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use opentelemetry::otel_warn;

use super::WatchedSources;
use super::source::Observations;
use crate::options::Watchdog;
use crate::stall::Stall;

/// Owns the thread: dropping it wakes the thread, and waits for its end, but not for long.
#[derive(Debug)]
pub(crate) struct WatchdogThread {
    /// Its end is the signal.
    stop: Option<Sender<()>>,
    /// Its end says that the thread is done.
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    /// The process that has the thread: a child of `fork` has not.
    process: u32,
}

/// How long the end waits for a callback: one that never returns must not keep the program from
/// ending.
const PATIENCE: Duration = Duration::from_secs(1);

/// Called about once a second beside the observations.
pub(crate) type Check = Box<dyn FnMut(Instant) + Send>;

impl WatchdogThread {
    /// Starts the thread; `check` is called about once a second.
    pub(crate) fn start(watchdog: Watchdog, sources: Arc<WatchedSources>, check: Check) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let (working, done) = channel();
        let (observations, checked_at) = (Observations::default(), Instant::now());
        let watch = Watch { watchdog, sources, observations, check, checked_at, panicked: false };
        let thread = thread::Builder::new().name("worker-metrics-watchdog".to_owned()).spawn(move || {
            let _working = working;
            watch.run(&stopped);
        })?;
        Ok(Self { stop: Some(stop), done, thread: Some(thread), process: std::process::id() })
    }
}

impl Drop for WatchdogThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        // A callback may have dropped what kept the instrumentation: the thread cannot wait for
        // itself.
        let is_own = thread.thread().id() == thread::current().id();
        if is_own || self.process != std::process::id() {
            return;
        }
        if self.done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected) {
            // It catches every panic but those of the log, and there is nobody to report them to.
            let _ = thread.join();
        }
    }
}

/// What runs on the thread.
struct Watch {
    watchdog: Watchdog,
    sources: Arc<WatchedSources>,
    observations: Observations,
    check: Check,
    checked_at: Instant,
    panicked: bool,
}

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Watch {
    fn run(mut self, stopped: &Receiver<()>) {
        let mut pause = self.watchdog.interval();
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            let started = Instant::now();
            for stall in self.sources.observe(&mut self.observations) {
                self.report(&stall);
            }
            if started.saturating_duration_since(self.checked_at) >= CHECK_INTERVAL {
                self.checked_at = started;
                (self.check)(started);
            }
            pause = self.watchdog.interval().saturating_sub(started.elapsed());
        }
    }

    fn report(&mut self, stall: &Stall) {
        otel_warn!(
            name: "WorkerMetrics.WorkerStalled",
            namespace = stall.identity.namespace.to_string(),
            id = stall.identity.id.clone(),
            worker = stall.worker.to_string(),
            message = stall.to_string()
        );
        let called = catch_unwind(AssertUnwindSafe(|| self.watchdog.call(stall)));
        if called.is_err() && !std::mem::replace(&mut self.panicked, true) {
            otel_warn!(
                name: "WorkerMetrics.StallCallbackPanicked",
                message = "The callback of the watchdog panicked. It is called again at the next stall; this is not said again."
            );
        }
    }
}
