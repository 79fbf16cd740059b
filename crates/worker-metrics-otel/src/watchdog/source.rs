//! A source with the stalls that the watchdog has counted of its workers.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use worker_metrics::{Coverage, Identity, Row, Snapshot, Source, WorkerInfo};

use crate::lock::lock;
use crate::source::follow;
use crate::stall::{Stall, Stalls};

/// A layer around a source: it covers the rows that the source leaves to a watchdog.
pub(crate) struct WatchedSource {
    source: Arc<dyn Source>,
    definitions: Vec<Row>,
    stalls: Mutex<Stalls>,
    /// Whether the source panicked on the watchdog's thread.
    has_panicked: AtomicBool,
}

impl WatchedSource {
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
        let definitions = source.definitions().iter().map(|row| {
            let mut row = *row;
            if row.coverage == Coverage::LeftToWatchdog {
                row.coverage = Coverage::Covered;
            }
            row
        });
        Self {
            definitions: definitions.collect(),
            stalls: Mutex::new(Stalls::new(source.identity().workers)),
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

    /// Counts the stalls that the source shows now, and returns those that have begun; `snapshot`
    /// is a buffer.
    fn observe(&self, snapshot: &mut Snapshot) -> Vec<Stall> {
        if self.has_panicked.load(Relaxed) {
            return Vec::new();
        }
        let observed = catch_unwind(AssertUnwindSafe(|| {
            self.source.collect(snapshot);
            let begun = lock(&self.stalls).observe(snapshot, Instant::now()).into_iter();
            begun
                .map(|(worker, age)| Stall::new(self.source.identity(), worker, age, self.info(worker)))
                .collect()
        }));
        observed.unwrap_or_else(|_| {
            self.has_panicked.store(true, Relaxed);
            Vec::new()
        })
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
}

/// The sources that a watchdog observes. Keeps none of them alive.
#[derive(Default)]
pub(crate) struct WatchedSources {
    sources: Mutex<Vec<Weak<WatchedSource>>>,
}

impl WatchedSources {
    pub(crate) fn add(&self, source: &Arc<WatchedSource>) {
        lock(&self.sources).push(Arc::downgrade(source));
    }

    /// Observes every source, with a snapshot for each in `snapshots`. Returns the stalls that have
    /// begun: all sources are counted before any is reported, since a callback may take its time.
    pub(super) fn observe(&self, snapshots: &mut Observations) -> Vec<Stall> {
        {
            let mut sources = lock(&self.sources);
            sources.retain(|source| source.strong_count() > 0);
            let is_known = |(source, (known, _)): (&Weak<_>, &(Weak<_>, _))| source.ptr_eq(known);
            if sources.len() != snapshots.len() || !sources.iter().zip(&*snapshots).all(is_known) {
                follow(snapshots, sources.iter().cloned(), Snapshot::new);
            }
        }
        let mut stalls = Vec::new();
        for (source, snapshot) in snapshots {
            if let Some(source) = source.upgrade() {
                stalls.append(&mut source.observe(snapshot));
            }
        }
        stalls
    }
}

/// A snapshot without histograms for each source that is observed.
pub(super) type Observations = Vec<(Weak<WatchedSource>, Snapshot)>;

#[cfg(test)]
mod tests {
    use worker_metrics::Pool;

    use super::*;

    #[test]
    fn a_steady_observation_allocates_nothing() {
        let watched = WatchedSources::default();
        let sources: Vec<_> = ["render", "audio"]
            .into_iter()
            .map(|name| {
                let (pool, _batches) = Pool::builder(name).workers(8).build().unwrap();
                let source = Arc::new(WatchedSource::new(Arc::new(pool)));
                watched.add(&source);
                source
            })
            .collect();
        let mut observations = Observations::default();
        watched.observe(&mut observations);
        assert_eq!(observations.len(), sources.len());
        let allocations = allocation_counter::measure(|| drop(watched.observe(&mut observations)));
        assert_eq!(allocations.count_total, 0);
    }
}
