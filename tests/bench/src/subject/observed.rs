//! What is exported: a Tokio runtime, or a pool of the core of the same shape.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};
use worker_metrics::histogram::Scale;
use worker_metrics::{Pool, WorkerConfig};

use crate::durations::durations;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Observed {
    /// A multi-thread runtime of Tokio.
    Tokio,
    /// A pool of the core.
    Pool,
}

/// The scales by their number of buckets: the preset of this project, and the default of Tokio's
/// log histogram.
pub(super) fn scale(buckets: usize) -> Scale {
    let scale = match buckets {
        23 => Scale::preset(),
        _ => Scale::log().build().expect("the defaults are good"),
    };
    assert_eq!(scale.buckets(), buckets);
    scale
}

/// A runtime whose workers keep poll-time histograms of so many buckets each; with 0 they keep
/// none.
pub(super) fn runtime(workers: usize, buckets: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_all().name("main");
    if buckets > 0 {
        keep_histograms(&mut builder, buckets);
    }
    builder.build().expect("a runtime")
}

#[cfg(tokio_unstable)]
fn keep_histograms(builder: &mut Builder, buckets: usize) {
    use tokio::runtime::{HistogramConfiguration, LogHistogram};
    let log = match buckets {
        23 => LogHistogram::builder()
            .precision_exact(Scale::PRESET_PRECISION)
            .min_value(Scale::PRESET_MIN)
            .max_value(Scale::PRESET_MAX)
            .build(),
        _ => LogHistogram::default(),
    };
    builder
        .enable_metrics_poll_time_histogram()
        .metrics_poll_time_histogram_configuration(HistogramConfiguration::log(log));
}

#[cfg(not(tokio_unstable))]
fn keep_histograms(_: &mut Builder, _: usize) {
    panic!("Tokio keeps histograms with `--cfg tokio_unstable` alone");
}

/// Polls of each worker of a runtime, on average. They are waited for, so there are few.
const POLLS_OF_RUNTIME: usize = 8;
const LONGEST_POLL: Duration = Duration::from_millis(1);

/// Lets a runtime work for a while: polls of the usual durations. Then its workers are parked.
pub(super) fn work(runtime: &Runtime) {
    let polls = durations(1).take(POLLS_OF_RUNTIME * runtime.metrics().num_workers());
    let polls: Vec<_> = polls
        .map(|duration| {
            runtime.spawn(async move {
                let start = Instant::now();
                while start.elapsed() < duration.min(LONGEST_POLL) {}
            })
        })
        .collect();
    runtime.block_on(async {
        for poll in polls {
            poll.await.expect("it does not panic");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    });
}

const POLLS_OF_POOL: usize = 1_000;

/// A pool whose workers have polled, have each a histogram on `scale` if there is one, and are
/// parked.
#[must_use]
pub fn pool(workers: usize, scale: Option<&Scale>) -> Pool {
    let config = scale
        .map_or(WorkerConfig::new(), |scale| WorkerConfig::new().with_poll_time_histogram(scale.clone()));
    let (pool, batches) = Pool::builder("main").workers(workers).config(config).build().expect("a good pool");
    for (worker, mut batch) in (0..).zip(batches) {
        let mut now_ns = pool.clock().now_ns();
        for duration in durations(worker).take(POLLS_OF_POOL) {
            batch.start_poll_at(now_ns);
            now_ns += u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            batch.end_poll_at(now_ns);
            batch.scheduled_locally();
        }
        batch.about_to_park_at(now_ns);
        batch.submit_at(now_ns);
    }
    pool
}
