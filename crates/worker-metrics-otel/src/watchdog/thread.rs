//! The threads of a watchdog: one looks, and one reports what was found.
//!
//! Started with the first source or meter, ended by their handle. They keep no source alive, and
//! hold no lock while they call back.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::WatchedSources;
use super::event::Event;
use super::reports::Reports;
use super::sources::Observations;
use super::witness::Witness;
use crate::options::Watchdog;
use crate::stall::StallRecord;

/// Owns the threads: dropping it wakes them, and waits for their end, but not for long.
#[derive(Debug)]
pub(crate) struct WatchdogThread {
    /// Its end is the signal.
    stop: Option<Sender<()>>,
    /// Its end says that both threads are done.
    done: Receiver<()>,
    /// The one that looks, which waits for the other one.
    thread: Option<JoinHandle<()>>,
    /// The one that reports.
    reporting: ThreadId,
    /// The process that has the threads: a child of `fork` has not.
    process: u32,
}

/// How long the end waits for a callback: one that never returns must not keep the program from
/// ending.
const PATIENCE: Duration = Duration::from_secs(1);

/// Events that wait to be reported while a callback does not return; more are not reported, and
/// not counted.
const MOST_EVENTS: usize = 4_096;

/// Called about once a second beside the observations.
pub(crate) type Check = Box<dyn FnMut(Instant) + Send>;
/// Sends a stall on its way, as a log record.
pub(crate) type Emit = Box<dyn FnMut(&StallRecord) + Send>;

impl WatchdogThread {
    /// Starts the threads; `check` is called about once a second, and `emit` for each stall that is
    /// reported in full, and its end.
    pub(crate) fn start(
        watchdog: Watchdog,
        sources: Arc<WatchedSources>,
        check: Check,
        emit: Emit,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let (working, done) = channel();
        let (events, reported) = sync_channel(MOST_EVENTS);
        let watch = Watch::new(&watchdog, sources, events, check);
        let reports = thread::Builder::new()
            .name("worker-metrics-reports".to_owned())
            .spawn(move || Reports::new(watchdog, emit).run(&reported))?;
        let reporting = reports.thread().id();
        let thread = thread::Builder::new().name("worker-metrics-watchdog".to_owned()).spawn(move || {
            let _working = working;
            watch.run(&stopped);
            // It has caught the panics of callbacks.
            let _ = reports.join();
        })?;
        let process = std::process::id();
        Ok(Self { stop: Some(stop), done, thread: Some(thread), reporting, process })
    }
}

impl Drop for WatchdogThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        // A callback may have dropped what kept the instrumentation: a thread cannot wait for
        // itself.
        let is_own = [thread.thread().id(), self.reporting].contains(&thread::current().id());
        if is_own || self.process != std::process::id() {
            return;
        }
        if self.done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected) {
            // It catches every panic but those of the log, and there is nobody to report them to.
            let _ = thread.join();
        }
    }
}

/// What runs on the thread that looks.
struct Watch {
    interval: Duration,
    sources: Arc<WatchedSources>,
    observations: Observations,
    witness: Witness,
    events: SyncSender<Event>,
    check: Check,
    checked_at: Instant,
}

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Watch {
    fn new(
        watchdog: &Watchdog,
        sources: Arc<WatchedSources>,
        events: SyncSender<Event>,
        check: Check,
    ) -> Self {
        Self {
            interval: watchdog.interval(),
            sources,
            observations: Observations::default(),
            witness: Witness::new(watchdog.is_discreet()),
            events,
            check,
            checked_at: Instant::now(),
        }
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let mut pause = self.interval;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            let started = Instant::now();
            for event in self.sources.observe(&mut self.observations, &mut self.witness) {
                // Full only if a callback does not return; ended only if it was killed.
                let _ = self.events.try_send(event);
            }
            if started.saturating_duration_since(self.checked_at) >= CHECK_INTERVAL {
                self.checked_at = started;
                (self.check)(started);
            }
            pause = self.interval.saturating_sub(started.elapsed());
        }
    }
}
