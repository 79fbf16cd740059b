use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use worker_metrics::{Counter, Source, WorkerState};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::rig::{Blocked, look, look_until, only_worker};

const THRESHOLD: Duration = Duration::from_millis(20);

fn measured() -> (TaskMetrics, Runtime, TokioRuntime) {
    let tasks = TaskMetrics::builder().group("reports").build().unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("measured")
        .measure_tasks(&tasks)
        .build()
        .unwrap();
    let source =
        TokioRuntime::new(runtime.handle()).with_tasks(&tasks).with_stall_threshold(THRESHOLD).unwrap();
    (tasks, runtime, source)
}

/// A poll of the group that blocks the only worker.
fn block(tasks: &TaskMetrics, runtime: &Runtime) -> Blocked {
    let (blocked, blocking) = Blocked::new();
    let (begun, begins) = channel();
    tasks.group("reports").unwrap().spawn_on(async move { blocking.wait(&begun) }, runtime.handle());
    begins.recv().unwrap();
    blocked
}

#[test]
fn a_stall_is_seen_at_the_first_look_with_the_age_of_its_poll() {
    let (tasks, runtime, source) = measured();
    let before = Instant::now();
    let blocked = block(&tasks, &runtime);
    let began = Instant::now();
    while began.elapsed() < THRESHOLD {}
    let snapshot = look(&source);
    let worker = only_worker(&snapshot);
    assert_eq!(worker.state, Some(WorkerState::Stalled));
    assert!((THRESHOLD..=before.elapsed()).contains(&worker.progress_age.unwrap()), "{worker:?}");
    assert!(worker.busy_duration >= worker.progress_age, "{worker:?}");

    let info = source.worker_info(0);
    assert_eq!(info.thread_name.as_deref(), Some("measured"));
    assert_eq!(info.task_group.as_deref(), Some("reports"));

    blocked.release();
    look_until(&source, |snapshot| only_worker(snapshot).progress_age < Some(THRESHOLD));
    look_until(&source, |_| source.worker_info(0).task_group.is_none());
}

#[test]
fn busy_time_during_an_instrumented_poll_is_never_above_what_tokio_counts_in_the_end() {
    let (tasks, runtime, source) = measured();
    for _ in 0..20 {
        let blocked = block(&tasks, &runtime);
        let seen = look(&source);
        let (live, parks) =
            (only_worker(&seen).busy_duration.unwrap(), only_worker(&seen).count(Counter::Parks));
        blocked.release();
        look_until(&source, |snapshot| only_worker(snapshot).count(Counter::Parks) > parks);
        assert!(live <= runtime.metrics().worker_total_busy_duration(0));
    }
}

#[test]
fn a_worker_that_was_handed_over_by_block_in_place_is_not_stalled() {
    let (tasks, runtime, source) = measured();
    let (blocked, blocking) = Blocked::new();
    let (begun, begins) = channel();
    tasks.spawn_on(
        async move { tokio::task::block_in_place(move || blocking.wait(&begun)) },
        runtime.handle(),
    );
    begins.recv().unwrap();
    let began = Instant::now();
    // The worker goes on to another thread, and parks there.
    look_until(&source, |snapshot| only_worker(snapshot).state == Some(WorkerState::Idle));
    while began.elapsed() < 2 * THRESHOLD {}
    assert_eq!(only_worker(&look(&source)).state, Some(WorkerState::Idle));
    // It polls tasks there, which takes no time.
    for _ in 0..50 {
        runtime.block_on(async { tasks.spawn(async {}).await.unwrap() });
        assert!(only_worker(&look(&source)).progress_age < Some(THRESHOLD));
    }
    blocked.release();
}
