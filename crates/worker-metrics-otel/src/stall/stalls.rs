//! The stalls of one source, counted and measured.
//!
//! Written by the watchdog, copied into snapshots by every collection. Nothing is allocated once it
//! is made.

use std::time::{Duration, Instant};

use worker_metrics::Snapshot;
use worker_metrics::histogram::{Histogram, HistogramWriter, Scale};

use super::progress::WorkerProgress;

/// Bounds of the durations. Below 0.1 s, the error of the default watchdog, nothing is told apart;
/// around the default threshold of 1 s they are close; at 10, 30 and 60 s requests and probes time
/// out, 5 minutes is an incident, half an hour is for good.
const BOUNDS_S: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0];

/// The stalls of every worker of one source.
#[derive(Debug)]
pub(crate) struct Stalls {
    workers: Vec<WorkerStalls>,
}

#[derive(Debug)]
struct WorkerStalls {
    progress: WorkerProgress,
    count: u64,
    durations: HistogramWriter,
}

impl Stalls {
    pub(crate) fn new(workers: usize) -> Self {
        let scale = Scale::explicit(&BOUNDS_S).expect("the bounds ascend from above 0");
        let worker = |_| WorkerStalls {
            progress: WorkerProgress::default(),
            count: 0,
            durations: HistogramWriter::new(Histogram::new(&scale)),
        };
        Self { workers: (0..workers).map(worker).collect() }
    }

    /// Counts what a snapshot of `now` shows, and returns the stalls that have begun: the worker
    /// and the age of each.
    pub(crate) fn observe(&mut self, snapshot: &Snapshot, now: Instant) -> Vec<(usize, Duration)> {
        let mut begun = Vec::new();
        for (index, (worker, seen)) in self.workers.iter_mut().zip(snapshot.workers()).enumerate() {
            let change = worker.progress.observe(seen.state, seen.progress_age.unwrap_or_default(), now);
            if let Some(duration) = change.ended {
                worker.durations.measure(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
            }
            if let Some(age) = change.begun {
                worker.count += 1;
                begun.push((index, age));
            }
        }
        begun
    }

    /// Adds to `snapshot` what the source has not filled in itself.
    pub(crate) fn fill(&self, snapshot: &mut Snapshot) {
        let histograms = snapshot.wants_histograms();
        for (from, into) in self.workers.iter().zip(snapshot.workers_mut()) {
            into.stall_count.get_or_insert(from.count);
            if histograms && into.stall_duration_histogram.scale.is_none() {
                from.durations.histogram().snapshot_into(&mut into.stall_duration_histogram);
            }
        }
    }
}
