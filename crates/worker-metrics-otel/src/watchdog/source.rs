//! A source with the stalls that the watchdog has counted of its workers.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use worker_metrics::{Coverage, Evidence, Identity, Row, Snapshot, Source, StallCause, WorkerInfo};

use super::event::{Ended, Event, Proved};
use super::watched_worker::WatchedWorker;
use super::witness::{Sight, Witness};
use crate::lock::lock;
use crate::stall::{Limits, Stalls};

/// A layer around a source: it covers the rows that the source leaves to a watchdog.
pub(crate) struct WatchedSource {
    source: Arc<dyn Source>,
    definitions: Vec<Row>,
    /// Whether the source says what shows that its workers get on.
    has_evidence: bool,
    stalls: Mutex<Stalls>,
    workers: Mutex<Vec<WatchedWorker>>,
    /// Whether the source panicked on the watchdog's thread.
    has_panicked: AtomicBool,
}

impl WatchedSource {
    /// `interval` is the time from one look of the watchdog to the next.
    pub(crate) fn new(source: Arc<dyn Source>, interval: Duration) -> Self {
        let definitions = source.definitions().iter().map(|row| {
            let mut row = *row;
            if row.coverage == Coverage::LeftToWatchdog {
                row.coverage = Coverage::Covered;
            }
            row
        });
        let workers = source.identity().workers;
        let has_evidence = source.evidence(0).is_some();
        // The state that a source reports without evidence is by a threshold of its own.
        let threshold = if has_evidence { source.stall_threshold() } else { Duration::ZERO };
        Self {
            definitions: definitions.collect(),
            has_evidence,
            stalls: Mutex::new(Stalls::new(workers, Limits { interval, threshold })),
            workers: Mutex::new(std::iter::repeat_with(WatchedWorker::default).take(workers).collect()),
            has_panicked: AtomicBool::new(false),
            source,
        }
    }

    /// What the source says of a worker; nothing if it panics, so that the stall is reported all
    /// the same.
    fn info(&self, worker: usize) -> WorkerInfo {
        let asked = catch_unwind(AssertUnwindSafe(|| self.source.worker_info(worker)));
        asked.unwrap_or_else(|_| {
            self.has_panicked.store(true, Relaxed);
            WorkerInfo::default()
        })
    }

    /// Looks at every worker, counts the stalls, and adds to `events` what is to be reported.
    /// `snapshot` is a buffer, `known` the threads of the workers of every source.
    pub(super) fn observe(
        self: &Arc<Self>,
        snapshot: &mut Snapshot,
        known: &[u32],
        witness: &mut Witness,
        events: &mut Vec<Event>,
    ) {
        if self.has_panicked.load(Relaxed) {
            return;
        }
        let mut workers = lock(&self.workers);
        let observed = catch_unwind(AssertUnwindSafe(|| {
            if !self.has_evidence {
                self.source.collect(snapshot);
            }
            for (worker, watched) in workers.iter_mut().enumerate() {
                self.observe_worker(worker, watched, snapshot, known, witness, events);
            }
        }));
        if observed.is_err() {
            self.has_panicked.store(true, Relaxed);
        }
    }

    fn observe_worker(
        self: &Arc<Self>,
        worker: usize,
        watched: &mut WatchedWorker,
        snapshot: &Snapshot,
        known: &[u32],
        witness: &mut Witness,
        events: &mut Vec<Event>,
    ) {
        let seen = if self.has_evidence {
            let sleep = lock(&self.stalls).sleep(worker);
            watched.look(&*self.source, worker, sleep, known)
        } else {
            snapshot.workers().get(worker).map(|it| watched.stated(it, Instant::now()))
        };
        let Some(seen) = seen else { return };
        let (change, serial) = lock(&self.stalls).observe(worker, &seen);
        if let Some(duration) = change.ended {
            let (identity, at) = (self.source.identity().clone(), SystemTime::now());
            events.push(Event::Ended(Ended { identity, worker, serial, at, duration }));
        }
        if change.suspected {
            self.source.probe(worker);
        }
        if let Some(own_time) = change.long_polls {
            events.push(Event::LongPolls { identity: self.source.identity().clone(), worker, own_time });
        }
        if let Some(begun) = change.begun {
            // Before anything that takes time: the poll may end meanwhile.
            let info = self.info(worker);
            let seen = watched.thread();
            let sight = seen.map_or_else(Sight::default, |(thread, look)| witness.see(thread, &look));
            events.push(Event::Begun(Box::new(Proved {
                identity: self.source.identity().clone(),
                source: Arc::downgrade(self),
                worker,
                serial: serial + 1,
                at: SystemTime::now(),
                begun,
                info,
                thread_id: seen.map(|(thread, _)| thread.id()),
                sight,
            })));
        }
    }

    /// Counts a stall, once it is known why it is.
    pub(super) fn count(&self, worker: usize, serial: u64, cause: StallCause) {
        lock(&self.stalls).count(worker, serial, cause);
    }

    /// Counts the duration of a stall that was counted.
    pub(super) fn measure(&self, worker: usize, cause: StallCause, duration: Duration) {
        lock(&self.stalls).measure(worker, cause, duration);
    }

    /// Takes back a stall that its stack refutes, or does not settle.
    pub(super) fn take_back(&self, worker: usize, serial: u64, is_refuted: bool) {
        lock(&self.stalls).take_back(worker, serial, is_refuted);
    }

    /// Adds the threads of the workers.
    pub(super) fn threads(&self, known: &mut Vec<u32>) {
        let workers = lock(&self.workers);
        known.extend(workers.iter().filter_map(WatchedWorker::thread_id));
    }
}

impl fmt::Debug for WatchedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedSource").field("identity", self.source.identity()).finish_non_exhaustive()
    }
}

impl Source for WatchedSource {
    fn identity(&self) -> &Identity {
        self.source.identity()
    }

    fn definitions(&self) -> &[Row] {
        &self.definitions
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        if self.has_panicked.load(Relaxed) {
            // As if it panicked here: whoever collects leaves it out, and says so.
            resume_unwind(Box::new("the source has panicked on the watchdog's thread"));
        }
        self.source.collect(snapshot);
        lock(&self.stalls).fill(snapshot);
    }

    fn worker_info(&self, worker: usize) -> WorkerInfo {
        self.source.worker_info(worker)
    }

    fn evidence(&self, worker: usize) -> Option<Evidence> {
        self.source.evidence(worker)
    }

    fn stall_threshold(&self) -> Duration {
        self.source.stall_threshold()
    }

    fn probe(&self, worker: usize) {
        self.source.probe(worker);
    }
}
