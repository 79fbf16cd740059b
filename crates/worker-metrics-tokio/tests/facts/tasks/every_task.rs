//! What hooks tell of tasks that are not measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{block_in_place, yield_now};
use worker_metrics::{Source, WorkerState};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::rig::{Blocked, evidence, evidence_until, look, look_until, only_worker, thread_number};

const THRESHOLD: Duration = Duration::from_millis(20);

fn hooked(builder: &mut Builder) -> (Runtime, TokioRuntime) {
    let tasks = TaskMetrics::new();
    let runtime = builder.thread_name("hooked").measure_tasks(&tasks).build().unwrap();
    let source = TokioRuntime::new(runtime.handle())
        .with_tasks(&tasks)
        .with_stall_threshold(THRESHOLD)
        .unwrap()
        .without_probes();
    (runtime, source)
}

#[test]
fn a_task_that_is_not_measured_is_stalled_with_an_age_its_thread_and_its_line() {
    let (runtime, source) = hooked(Builder::new_multi_thread().worker_threads(1));
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let (tell, told) = channel();
    let before = Instant::now();
    let task = async move {
        tell.send(thread_number()).unwrap();
        block.wait(&begun);
    };
    let expected = line!() + 1;
    runtime.spawn(task);
    begins.recv().unwrap();
    let first = evidence(&source, 0);
    assert!(first.is_running && first.is_current && first.poll_age.is_some(), "{first:?}");
    assert_eq!(first.thread_id, told.recv().unwrap());
    let seen = look_until(&source, |snapshot| snapshot.workers_in(WorkerState::Stalled) == Some(1));
    let age = only_worker(&seen).progress_age.unwrap();
    assert!((THRESHOLD..=before.elapsed()).contains(&age), "{age:?}");
    assert_eq!(evidence(&source, 0).progress, first.progress);
    let info = source.worker_info(0);
    let location = info.spawn_location.unwrap();
    assert_eq!((location.file(), location.line()), (file!(), expected));
    assert_eq!(info.thread_name.as_deref(), Some("hooked"));
    assert_eq!(info.task_group, None);
    blocked.release();
    let after = evidence_until(&source, 0, |evidence| !evidence.is_running);
    assert_ne!(after.progress, first.progress);
    assert_eq!(source.worker_info(0).spawn_location, None);
}

#[test]
fn a_saturated_worker_that_publishes_rarely_shows_a_sign_of_life_with_each_poll() {
    let (runtime, source) =
        hooked(Builder::new_multi_thread().worker_threads(1).event_interval(1_000_000).disable_lifo_slot());
    let polls = Arc::new(AtomicU32::new(0));
    let counted = polls.clone();
    let task = runtime.spawn(async move {
        loop {
            counted.fetch_add(1, Relaxed);
            yield_now().await;
        }
    });
    let mut last = evidence_until(&source, 0, |evidence| evidence.is_running).progress;
    for _ in 0..100 {
        let polled = polls.load(Relaxed);
        while polls.load(Relaxed) < polled + 2 {
            thread::yield_now();
        }
        let now = evidence(&source, 0).progress;
        assert_ne!(now, last);
        last = now;
        assert_ne!(only_worker(&look(&source)).state, Some(WorkerState::Stalled));
    }
    task.abort();
}

#[test]
fn a_poll_whose_worker_was_handed_over_has_no_age_though_it_goes_on() {
    let (runtime, source) = hooked(Builder::new_multi_thread().worker_threads(1));
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let (goes_on, block_again) = Blocked::new();
    let (on, is_on) = channel();
    runtime.spawn(async move {
        block_in_place(|| block.wait(&begun));
        block_again.wait(&on);
    });
    begins.recv().unwrap();
    // The worker parks on another thread.
    look_until(&source, |snapshot| snapshot.workers_in(WorkerState::Idle) == Some(1));
    let other = Blocked::spawn(&runtime);
    let elsewhere = evidence_until(&source, 0, |evidence| evidence.poll_age.is_some());
    assert!(elsewhere.is_current);
    other.release();
    look_until(&source, |snapshot| snapshot.workers_in(WorkerState::Idle) == Some(1));
    let began = Instant::now();
    blocked.release();
    is_on.recv().unwrap();
    while began.elapsed() < 2 * THRESHOLD {
        assert_ne!(only_worker(&look(&source)).state, Some(WorkerState::Stalled));
    }
    goes_on.release();
}

#[test]
fn a_current_thread_runtime_is_driven_while_it_polls_a_task() {
    let (runtime, source) = hooked(&mut Builder::new_current_thread());
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let task = runtime.spawn(async move { block.wait(&begun) });
    let driving = thread::spawn(move || {
        runtime.block_on(task).unwrap();
        (runtime, thread_number())
    });
    begins.recv().unwrap();
    let now = evidence(&source, 0);
    assert!(now.is_running && now.is_current && now.poll_age.is_some(), "{now:?}");
    assert_eq!(now.is_driven, Some(true));
    blocked.release();
    let (runtime, number) = driving.join().unwrap();
    assert_eq!(now.thread_id, number);
    let resting = evidence(&source, 0);
    assert_eq!((resting.is_driven, resting.poll_age), (None, None));
    drop(runtime);
}

#[test]
fn hooks_of_the_user_on_tasks_run_too() {
    let ran: [Arc<AtomicU32>; 3] = Default::default();
    let hook = |kind: usize| {
        let ran = ran[kind].clone();
        move |_: &tokio::runtime::TaskMeta<'_>| {
            ran.fetch_add(1, Relaxed);
        }
    };
    let tasks = TaskMetrics::new();
    let mut builder = Builder::new_current_thread();
    tasks
        .hooks()
        .on_task_spawn(hook(0))
        .on_before_task_poll(hook(1))
        .on_before_task_poll(hook(1))
        .on_after_task_poll(hook(2))
        .install(&mut builder);
    let runtime = builder.build().unwrap();
    runtime.block_on(async { tokio::spawn(yield_now()).await.unwrap() });
    assert_eq!(ran.map(|ran| ran.load(Relaxed)), [1, 4, 2]);
}
