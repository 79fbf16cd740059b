//! The same tasks, measured around their futures and by Tokio itself.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::yield_now;
use worker_metrics::histogram::HistogramSnapshot;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use super::{merged, snapshot};
use crate::rig::look_until;

/// What the polls take at least, in the middle of one bucket each.
const POLLS: [Duration; 4] = [
    Duration::from_micros(12),
    Duration::from_micros(48),
    Duration::from_micros(190),
    Duration::from_micros(760),
];

async fn work(rounds: usize) {
    for round in 0..rounds {
        let until = Instant::now() + POLLS[round % POLLS.len()];
        while Instant::now() < until {}
        yield_now().await;
    }
}

/// Bucket that holds the value below which so many percent of all lie.
fn bucket_of_quantile(histogram: &HistogramSnapshot, percent: u64) -> usize {
    let wanted = (histogram.count() * percent).div_ceil(100);
    let mut seen = 0;
    histogram
        .buckets
        .iter()
        .position(|count| {
            seen += count;
            seen >= wanted.max(1)
        })
        .unwrap()
}

fn assert_agreement(ours: &HistogramSnapshot, tokios: &HistogramSnapshot) {
    assert_eq!(ours.count(), tokios.count());
    for percent in [5, 10, 25, 40, 50, 60, 75, 90, 95] {
        let (one, other) = (bucket_of_quantile(ours, percent), bucket_of_quantile(tokios, percent));
        assert!(one.abs_diff(other) <= 1, "{percent} %: {one} and {other}: {ours:?} {tokios:?}");
    }
}

#[test]
fn both_count_the_same_polls_and_schedulings_within_a_bucket() {
    const TASKS: usize = 20;
    const ROUNDS: usize = 40;
    let tasks = TaskMetrics::builder().group("all").build().unwrap();
    let all = tasks.group("all").unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_worker_histograms()
        // Tokio counts a task and those that it passes its turn on to as one poll.
        .disable_lifo_slot()
        .measure_tasks(&tasks)
        .build()
        .unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    runtime.block_on(async {
        let running: Vec<_> = (0..TASKS).map(|_| all.spawn(work(ROUNDS))).collect();
        for task in running {
            task.await.unwrap();
        }
    });
    let polls = (TASKS * (ROUNDS + 1)) as u64;
    // Tokio publishes when its workers park.
    let tokios = |source: &TokioRuntime| {
        merged(snapshot(source).workers().iter().map(|worker| &worker.poll_time_histogram))
    };
    look_until(&source, |_| tokios(&source).count() >= polls);
    let snapshot = snapshot(&source);
    let ours = &snapshot.task_groups()[0];
    assert_eq!(ours.poll_time_histogram.count(), polls);
    assert_agreement(&ours.poll_time_histogram, &tokios(&source));
    let tokios = merged(snapshot.workers().iter().map(|worker| &worker.schedule_latency_histogram));
    assert!(tokios.sum_ns.is_none(), "Tokio's own");
    assert_agreement(&ours.schedule_latency_histogram, &tokios);
}
