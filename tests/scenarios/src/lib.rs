//! What the scenarios share: pools whose polls are counted by hand, and receivers that are asked
//! what they have.

use std::time::Duration;

use otlp_receiver::{Data, Receiver, ReceiverBuilder, Series};
use worker_metrics::{Batch, Pool, WorkerConfig, histogram::Scale};

/// A pool with poll histograms, whose number of polls is known.
///
/// # Panics
///
/// If it cannot be made.
#[must_use]
pub fn pool(name: &str, workers: usize) -> (Pool, Vec<Batch>) {
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    Pool::builder(name).workers(workers).config(config).build().expect("the pool is well-formed")
}

/// Polls on each worker, so many times, and submits.
pub fn poll(batches: &mut [Batch], times: usize) {
    for batch in batches {
        for _ in 0..times {
            batch.start_poll();
            batch.end_poll();
        }
        batch.submit();
    }
}

/// A strict receiver that keeps its requests.
#[must_use]
pub fn receiver() -> ReceiverBuilder {
    Receiver::builder().keep_requests(true).strict(true)
}

/// The name of the counter of polls.
pub const POLLS: &str = "worker_pool.worker.polls";
/// The name of the histogram of polls.
pub const DURATION: &str = "worker_pool.task.poll.duration";

/// All that a receiver has counted of a metric, over all series: the last totals, or the sums of
/// deltas.
#[must_use]
pub fn counted(receiver: &Receiver, metric: &str) -> u64 {
    receiver.series(metric).iter().map(counted_by).sum()
}

/// All that a receiver has counted of one series.
#[must_use]
pub fn counted_by(series: &Series) -> u64 {
    match series.total() {
        Some(Data::Number { value }) => {
            // Counts are far below 2^53.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of a test")]
            let count = value.as_f64() as u64;
            count
        }
        Some(Data::Histogram(histogram)) => histogram.count,
        Some(Data::ExponentialHistogram(histogram)) => histogram.count,
        _ => 0,
    }
}

/// Longer than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);
