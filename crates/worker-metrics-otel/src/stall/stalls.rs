//! The stalls of one source, counted and measured.
//!
//! Written by the watchdog, copied into snapshots by every collection. Nothing is allocated once it
//! is made.

use std::time::Duration;

use worker_metrics::histogram::{Histogram, HistogramWriter, Scale};
use worker_metrics::{Snapshot, StallCause, WorkerState};

use super::observation::{Limits, Observation};
use super::proof::{Change, Sleep, WorkerProof};

/// Bounds of the durations. Below 0.1 s, the error of the default watchdog, nothing is told apart;
/// around the default threshold of 1 s they are close; at 10, 30 and 60 s requests and probes time
/// out, 5 minutes is an incident, half an hour is for good.
const BOUNDS_S: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0];

/// The stalls of every worker of one source.
#[derive(Debug)]
pub(crate) struct Stalls {
    limits: Limits,
    workers: Vec<WorkerStalls>,
}

#[derive(Debug)]
struct WorkerStalls {
    proof: WorkerProof,
    /// How many were proved; the last one has this number.
    serial: u64,
    counts: [u64; StallCause::ALL.len()],
    durations: [HistogramWriter; StallCause::ALL.len()],
}

impl Stalls {
    pub(crate) fn new(workers: usize, limits: Limits) -> Self {
        let scale = Scale::explicit(&BOUNDS_S).expect("the bounds ascend from above 0");
        let worker = |_| WorkerStalls {
            proof: WorkerProof::default(),
            serial: 0,
            counts: [0; StallCause::ALL.len()],
            durations: std::array::from_fn(|_| HistogramWriter::new(Histogram::new(&scale))),
        };
        Self { limits, workers: (0..workers).map(worker).collect() }
    }

    /// Whether the worker's thread sleeps.
    pub(crate) fn sleep(&self, worker: usize) -> Sleep {
        self.workers.get(worker).map_or(Sleep::None, |worker| worker.proof.sleep())
    }

    /// Takes the next observation of a worker. Returns what is new, and the number of the stall
    /// that was proved last before it: one that ends is that one, one that begins the next.
    pub(crate) fn observe(&mut self, worker: usize, seen: &Observation) -> (Change, u64) {
        let Some(worker) = self.workers.get_mut(worker) else { return (Change::default(), 0) };
        let change = worker.proof.observe(seen, &self.limits);
        let serial = worker.serial;
        worker.serial += u64::from(change.begun.is_some());
        (change, serial)
    }

    /// Counts a stall, which may be over by now.
    pub(crate) fn count(&mut self, worker: usize, serial: u64, cause: StallCause) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.counts[cause.index()] += 1;
            if worker.serial == serial {
                worker.proof.is_certain();
            }
        }
    }

    /// Counts the duration of a stall that was counted.
    pub(crate) fn measure(&mut self, worker: usize, cause: StallCause, duration: Duration) {
        if let Some(worker) = self.workers.get_mut(worker) {
            let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            worker.durations[cause.index()].measure(ns);
        }
    }

    /// Takes back a stall that was not counted, for good or until more is known.
    pub(crate) fn take_back(&mut self, worker: usize, serial: u64, is_refuted: bool) {
        if let Some(worker) = self.workers.get_mut(worker).filter(|worker| worker.serial == serial) {
            if is_refuted {
                worker.proof.refute();
            } else {
                worker.proof.leave_unsettled();
            }
        }
    }

    /// Adds to `snapshot` what the source has not filled in itself, and says which workers are
    /// stalled: what is proved, and nothing else.
    pub(crate) fn fill(&self, snapshot: &mut Snapshot) {
        let histograms = snapshot.wants_histograms();
        for (from, into) in self.workers.iter().zip(snapshot.workers_mut()) {
            match into.state {
                Some(_) if from.proof.is_stalled() => into.state = Some(WorkerState::Stalled),
                Some(WorkerState::Stalled) => into.state = Some(WorkerState::Busy),
                _ => {}
            }
            if into.stalls.total().is_some() {
                continue;
            }
            into.stalls.set_counts(from.counts);
            if !histograms {
                continue;
            }
            // The unknown one is always there: a reader learns the scale before the first stall.
            for (cause, durations) in StallCause::ALL.into_iter().zip(&from.durations) {
                if into.stalls.count(cause).is_none() {
                    continue;
                }
                durations.histogram().snapshot_into(into.stalls.duration_histogram_mut(cause));
            }
        }
    }
}
