//! The thread of a watchdog.
//!
//! Started with the first attached source, ended by its handle. It must keep no source alive, and hold no lock while it calls back.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use opentelemetry::otel_warn;

use super::{Stall, Watchdog};
use crate::looks::Looks;
use crate::registry::Registry;

/// Owns the thread: dropping it wakes the thread, and waits for its end.
#[derive(Debug)]
pub(crate) struct WatchdogThread {
    /// Its end is the signal.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WatchdogThread {
    pub(crate) fn start(watchdog: Watchdog, registry: &Arc<Registry>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let watch = Watch::new(watchdog, registry);
        let thread = thread::Builder::new()
            .name("worker-metrics-watchdog".to_owned())
            .spawn(move || watch.run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for WatchdogThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A callback may have dropped what kept the instrumentation: the thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                // It catches every panic but those of the log, and there is nobody to tell.
                let _ = thread.join();
            }
        }
    }
}

/// What runs on the thread.
struct Watch {
    watchdog: Watchdog,
    registry: Weak<Registry>,
    looks: Looks,
    panicked: bool,
}

impl Watch {
    fn new(watchdog: Watchdog, registry: &Arc<Registry>) -> Self {
        Self { watchdog, registry: Arc::downgrade(registry), looks: Looks::default(), panicked: false }
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let mut pause = self.watchdog.interval();
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            let started = Instant::now();
            for stall in self.look() {
                self.tell(&stall);
            }
            pause = self.watchdog.interval().saturating_sub(started.elapsed());
        }
    }

    /// The stalls that have begun. Every source is counted before any is told: a callback may take its time.
    fn look(&mut self) -> Vec<Stall> {
        let mut stalls = Vec::new();
        let Some(registry) = self.registry.upgrade() else { return stalls };
        self.looks.refresh(&registry, false);
        let now = Instant::now();
        for (attached, snapshot) in self.looks.iter() {
            let begun = attached.count_stalls(snapshot, now).into_iter();
            stalls.extend(begun.map(|(worker, age)| {
                Stall::new(attached.identity(), worker, age, attached.worker_info(worker))
            }));
        }
        stalls
    }

    fn tell(&mut self, stall: &Stall) {
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

#[cfg(test)]
mod tests {
    use worker_metrics::Pool;

    use super::*;
    use crate::options::Options;

    #[test]
    fn a_steady_look_allocates_nothing() {
        let registry = Arc::new(Registry::default());
        let options = Options::default().with_watchdog(Watchdog::default());
        for name in ["render", "audio"] {
            let (pool, _batches) = Pool::builder(name).workers(8).build().unwrap();
            registry.add(Box::new(pool), &options, |_| {}).unwrap();
        }
        let mut watch = Watch::new(Watchdog::default(), &registry);
        watch.look();
        assert_eq!(watch.looks.iter().count(), 2);
        assert_eq!(allocation_counter::measure(|| drop(watch.look())).count_total, 0);
    }
}
