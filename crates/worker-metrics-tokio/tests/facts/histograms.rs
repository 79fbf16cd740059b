//! The histograms of a runtime, where Tokio keeps them.

#![cfg(tokio_unstable)]

use tokio::runtime::{Builder, Runtime};
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Counter, Snapshot, Source};
use worker_metrics_tokio::{RuntimeBuilderExt, TokioRuntime};

use crate::rig::{look_until, only_worker};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_worker_histograms().build().unwrap()
}

fn histograms(source: &TokioRuntime) -> Snapshot {
    let mut snapshot = Snapshot::with_histograms();
    source.collect(&mut snapshot);
    snapshot
}

fn ranges(scale: &Scale) -> Vec<std::ops::Range<u64>> {
    (0..scale.buckets()).filter_map(|bucket| scale.bucket_range(bucket)).collect()
}

#[test]
fn the_helper_sets_the_preset() {
    let runtime = runtime();
    let snapshot = histograms(&TokioRuntime::new(runtime.handle()));
    let scale = snapshot.workers()[0].poll_time_histogram.scale.clone().expect("the histogram is on");
    assert_eq!(ranges(&scale), ranges(&Scale::preset()));
    assert_eq!(scale.buckets(), 23);
}

#[test]
fn the_polls_of_the_histogram_are_the_polls_of_the_worker() {
    let runtime = runtime();
    let source = TokioRuntime::new(runtime.handle());
    for _ in 0..10 {
        runtime.block_on(runtime.spawn(async {})).unwrap();
    }
    look_until(&source, |snapshot| only_worker(snapshot).count(Counter::Polls) == Some(10));
    let snapshot = histograms(&source);
    let polls = &snapshot.workers()[0].poll_time_histogram;
    assert_eq!((polls.count(), polls.sum_ns), (10, None), "Tokio keeps no sum");
    let delays = &snapshot.workers()[0].schedule_latency_histogram;
    assert_eq!(delays.count(), 10);
}

#[test]
fn a_runtime_without_histograms_has_none() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let snapshot = histograms(&TokioRuntime::new(runtime.handle()));
    assert_eq!(snapshot.workers()[0].poll_time_histogram, HistogramSnapshot::default());
}

#[test]
fn collecting_a_runtime_again_allocates_nothing() {
    let runtime = runtime();
    let source = TokioRuntime::new(runtime.handle());
    let mut snapshot = histograms(&source);
    let again = allocation_counter::measure(|| source.collect(&mut snapshot));
    assert_eq!(again.count_total, 0);
}
