use std::mem::align_of_val;
use std::thread;
use std::time::Duration;

use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, WorkerConfig, WorkerMetrics};

#[test]
fn a_new_block_is_zero_and_knows_no_thread_and_no_mean() {
    let metrics = WorkerMetrics::new();
    assert_eq!(metrics.busy_duration_total(), Duration::ZERO);
    assert_eq!(metrics.queue_depth(), 0);
    assert_eq!(metrics.thread_id(), None);
    assert_eq!(metrics.mean_poll_time(), None);
    for count in [
        metrics.park_count(),
        metrics.park_unpark_count(),
        metrics.noop_count(),
        metrics.steal_count(),
        metrics.steal_operations(),
        metrics.poll_count(),
        metrics.local_schedule_count(),
        metrics.overflow_count(),
    ] {
        assert_eq!(count, 0);
    }
    assert!(metrics.poll_time_histogram().is_none());
    assert!(metrics.schedule_latency_histogram().is_none());
}

#[test]
fn a_block_that_no_batch_has_taken_runs_nothing() {
    let metrics = WorkerMetrics::new();
    assert!(!metrics.is_running());
    assert_eq!(metrics.progress_age(u64::MAX), Duration::ZERO);
    assert_eq!(metrics.live_busy_duration(u64::MAX), Duration::ZERO);
}

#[test]
fn the_histograms_come_from_the_config() {
    let polls = Scale::preset();
    let delays = Scale::linear(Duration::from_micros(50), 7).unwrap();
    let config = WorkerConfig::new()
        .with_poll_time_histogram(polls.clone())
        .with_schedule_latency_histogram(delays.clone());
    let metrics = WorkerMetrics::from_config(&config);
    assert_eq!(metrics.poll_time_histogram().unwrap().scale(), &polls);
    assert_eq!(metrics.schedule_latency_histogram().unwrap().scale(), &delays);
}

#[test]
fn queue_depth_and_thread_are_as_last_set() {
    let metrics = WorkerMetrics::new();
    metrics.set_queue_depth(7);
    metrics.set_queue_depth(3);
    metrics.set_thread_id(thread::current().id());
    assert_eq!(metrics.queue_depth(), 3);
    assert_eq!(metrics.thread_id(), Some(thread::current().id()));
}

#[test]
fn every_shared_block_starts_on_a_line_of_its_own() {
    let batches: Vec<_> = (0..4).map(|_| Batch::new(WorkerMetrics::new())).collect();
    for batch in &batches {
        let metrics = &**batch.metrics();
        assert_eq!(align_of_val(metrics), 128);
        assert_eq!(std::ptr::from_ref(metrics).addr() % 128, 0);
    }
}

#[test]
fn a_thread_is_noted_with_its_name() {
    let metrics = WorkerMetrics::new();
    assert_eq!(metrics.thread_name(), None);
    let thread = std::thread::Builder::new().name("render-3".to_owned()).spawn(|| {}).unwrap();
    metrics.set_thread(thread.thread());
    assert_eq!(metrics.thread_id(), Some(thread.thread().id()));
    assert_eq!(metrics.thread_name().as_deref(), Some("render-3"));
    thread.join().unwrap();
    metrics.set_thread_id(std::thread::current().id());
    assert_eq!(metrics.thread_name(), None, "a name of another thread is not kept");
}
