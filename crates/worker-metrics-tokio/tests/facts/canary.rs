use std::time::Duration;

use tokio::runtime::Builder;
use worker_metrics::{Snapshot, Source};
use worker_metrics_tokio::{CanaryError, TokioRuntime};

use crate::rig::{current_thread, look_until, multi_thread};
use crate::tasks::snapshot;

const INTERVAL: Duration = Duration::from_millis(1);

#[test]
fn the_delay_of_a_timer_is_measured_again_and_again() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle()).with_canary(INTERVAL).unwrap();
    look_until(&source, |_| snapshot(&source).timer_delay_histogram.count() >= 5);
    assert!(snapshot(&source).timer_delay_histogram.sum_ns > Some(0));
    let mut without_histograms = Snapshot::new();
    source.collect(&mut without_histograms);
    assert_eq!(without_histograms.timer_delay_histogram.count(), 0, "nobody asked for it");
}

#[test]
fn it_ends_with_its_source() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle()).with_canary(INTERVAL).unwrap();
    assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    drop(source);
    let source = TokioRuntime::new(runtime.handle());
    look_until(&source, |snapshot| snapshot.alive_task_count == Some(0));
}

#[test]
fn it_does_not_hold_up_the_shutdown_of_its_runtime() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle()).with_canary(INTERVAL).unwrap();
    drop(runtime);
    assert_eq!(snapshot(&source).alive_task_count, Some(0));
}

#[test]
fn an_interval_that_makes_no_sense_is_refused() {
    let runtime = current_thread();
    for interval in [Duration::ZERO, Duration::from_secs(3_601)] {
        let error = TokioRuntime::new(runtime.handle()).with_canary(interval).unwrap_err();
        assert_eq!(error, CanaryError::Interval(interval));
        assert!(error.to_string().contains("set some time above 0, up to an hour"), "{error}");
    }
}

#[test]
fn a_runtime_without_timers_has_none() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let error = TokioRuntime::new(runtime.handle()).with_canary(INTERVAL).unwrap_err();
    assert_eq!(error, CanaryError::NoTimer);
    assert!(error.to_string().contains("`enable_time`"), "{error}");
}
