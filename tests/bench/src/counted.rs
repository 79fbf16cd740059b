//! A source whose histograms hold as much as is wanted.

use std::time::Duration;

use worker_metrics::histogram::{Histogram, LocalHistogram, Scale};
use worker_metrics::{Coverage, Identity, Metric, Namespace, Row, Snapshot, Source};

/// Workers with a poll-time histogram each, filled directly: nobody waits for 10^9 polls.
#[derive(Debug)]
pub struct Counted {
    identity: Identity,
    rows: Vec<Row>,
    histograms: Vec<Histogram>,
}

impl Counted {
    /// `counted` values for all workers together, spread over all buckets.
    pub fn new(workers: usize, scale: &Scale, counted: u64) -> Self {
        let places = workers * scale.buckets();
        let histograms = (0..workers).map(|worker| {
            let mut local = LocalHistogram::new(scale);
            for bucket in 0..scale.buckets() {
                let place = (worker * scale.buckets() + bucket) as u64;
                let share = counted / places as u64 + u64::from(place < counted % places as u64);
                let value_ns = scale.bucket_range(bucket).map_or(0, |range| range.start);
                local.measure_n(value_ns, share);
            }
            let shared = Histogram::new(scale);
            local.submit(&shared);
            shared
        });
        Self {
            identity: Identity::new(Namespace::WORKER_POOL, counted.to_string())
                .with_name("counted")
                .with_workers(workers),
            rows: vec![Row::new(Metric::TaskPollDuration, Coverage::Covered)],
            histograms: histograms.collect(),
        }
    }

    /// Values counted in all histograms.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histograms.iter().map(|histogram| histogram.snapshot().count()).sum()
    }
}

impl Source for Counted {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn definitions(&self) -> &[Row] {
        &self.rows
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        let wants = snapshot.wants_histograms();
        for (histogram, worker) in self.histograms.iter().zip(snapshot.begin(self.histograms.len())) {
            worker.progress_age = Some(Duration::ZERO);
            if wants {
                histogram.snapshot_into(&mut worker.poll_time_histogram);
            }
        }
    }
}
