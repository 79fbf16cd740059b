//! The numbers against what the runtime itself says, and against what was done.

use std::future::pending;

use worker_metrics::Counter;
use worker_metrics_tokio::TokioRuntime;

use crate::rig::{current_thread, look, look_until, multi_thread, only_worker};

#[test]
fn live_tasks_are_counted() {
    let runtime = multi_thread(2);
    let source = TokioRuntime::new(runtime.handle());
    assert_eq!(look(&source).alive_task_count, Some(0));
    let tasks: Vec<_> = (0..5).map(|_| runtime.spawn(pending::<()>())).collect();
    assert_eq!(look(&source).alive_task_count, Some(5));
    for task in tasks {
        task.abort();
    }
    look_until(&source, |snapshot| snapshot.alive_task_count == Some(0));
}

#[test]
fn tasks_that_nobody_runs_yet_wait_in_the_global_queue() {
    let runtime = current_thread();
    let source = TokioRuntime::new(runtime.handle());
    for _ in 0..3 {
        runtime.spawn(async {});
    }
    assert_eq!(look(&source).global_queue_depth, Some(3));
    runtime.block_on(async { tokio::task::yield_now().await });
    assert_eq!(look(&source).global_queue_depth, Some(0));
}

#[test]
fn parks_and_unparks_are_those_of_the_runtime() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle());
    runtime.spawn(pending::<()>());
    // Parked once for good: nothing changes between the look and the comparison.
    let seen = look_until(&source, |snapshot| {
        only_worker(snapshot).count(Counter::Parks) > only_worker(snapshot).unpark_count
    });
    let metrics = runtime.metrics();
    let worker = only_worker(&seen);
    assert_eq!(worker.count(Counter::Parks), Some(metrics.worker_park_count(0)));
    assert_eq!(worker.unpark_count, Some(metrics.worker_park_unpark_count(0) - metrics.worker_park_count(0)));
}

#[cfg(tokio_unstable)]
mod unstable {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn polls_and_spawns_are_counted() {
        let runtime = multi_thread(1);
        let source = TokioRuntime::new(runtime.handle());
        for _ in 0..10 {
            runtime.block_on(runtime.spawn(async {})).unwrap();
        }
        let seen = look_until(&source, |snapshot| only_worker(snapshot).count(Counter::Polls) == Some(10));
        assert_eq!(seen.spawned_task_count, Some(10));
        assert_eq!(seen.remote_schedule_count, Some(10));
        assert_eq!(seen.forced_yield_count, Some(0));
        assert!(only_worker(&seen).mean_poll_time.is_some());
    }

    #[test]
    fn a_worker_that_has_polled_nothing_has_no_mean_poll_time() {
        let runtime = multi_thread(1);
        let source = TokioRuntime::new(runtime.handle());
        let parked = look_until(&source, |snapshot| only_worker(snapshot).count(Counter::Parks) > Some(0));
        assert_eq!(only_worker(&parked).count(Counter::Polls), Some(0));
        assert_eq!(only_worker(&parked).mean_poll_time, None);
    }

    #[test]
    fn blocking_threads_are_counted_by_what_they_do() {
        let runtime = multi_thread(1);
        let source = TokioRuntime::new(runtime.handle());
        let (release, released) = channel::<()>();
        let (begun, begins) = channel();
        let task = runtime.spawn_blocking(move || {
            begun.send(()).unwrap();
            released.recv().unwrap();
        });
        begins.recv().unwrap();
        let busy = look(&source);
        assert_eq!((busy.blocking_thread_count, busy.idle_blocking_thread_count), (Some(1), Some(0)));
        release.send(()).unwrap();
        runtime.block_on(task).unwrap();
        look_until(&source, |snapshot| snapshot.idle_blocking_thread_count == Some(1));
    }

    #[test]
    fn a_current_thread_runtime_has_nothing_to_steal_and_no_mean_poll_time() {
        let runtime = current_thread();
        let source = TokioRuntime::new(runtime.handle());
        runtime.block_on(async { tokio::spawn(async {}).await.unwrap() });
        let seen = look(&source);
        let worker = only_worker(&seen);
        assert_eq!(
            (
                worker.count(Counter::Steals),
                worker.count(Counter::StealOperations),
                worker.count(Counter::Overflows)
            ),
            (None, None, None)
        );
        assert_eq!(worker.mean_poll_time, None);
        assert!(worker.count(Counter::Polls).is_some());
    }
}
