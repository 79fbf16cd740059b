use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::runtime::Builder;
use tokio::task::yield_now;
use worker_metrics::Source;
use worker_metrics_tokio::{TaskMetrics, TokioRuntime};

use crate::rig::look_until;

#[test]
fn hooks_of_the_user_run_beside_those_of_the_metrics() {
    let tasks = TaskMetrics::new();
    let ran: [Arc<AtomicU32>; 4] = Default::default();
    let hook = |kind: usize| {
        let ran = ran[kind].clone();
        move || {
            ran.fetch_add(1, Relaxed);
        }
    };
    let mut builder = Builder::new_multi_thread();
    tasks
        .hooks()
        .on_thread_start(hook(0))
        .on_thread_stop(hook(1))
        .on_thread_park(hook(2))
        .on_thread_park(hook(2))
        .on_thread_unpark(hook(3))
        .install(&mut builder);
    let runtime = builder.worker_threads(1).thread_name("measured").build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    runtime.block_on(async { tokio::spawn(yield_now()).await.unwrap() });
    look_until(&source, |_| source.worker_info(0).thread_name.is_some());
    drop(runtime);
    let [started, stopped, parked, unparked] = ran.map(|ran| ran.load(Relaxed));
    assert_eq!((started, stopped), (1, 1));
    assert!(parked >= 2 && parked % 2 == 0 && unparked >= 1, "{parked} {unparked}");
}

#[test]
fn the_thread_of_a_worker_is_known_though_no_task_was_instrumented() {
    let tasks = TaskMetrics::new();
    let mut builder = Builder::new_multi_thread();
    tasks.hooks().install(&mut builder);
    let runtime = builder.worker_threads(2).thread_name("measured").build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    for worker in 0..2 {
        look_until(&source, |_| source.worker_info(worker).thread_name.is_some());
        assert_eq!(source.worker_info(worker).thread_name.as_deref(), Some("measured"));
        assert_eq!(source.worker_info(worker).task_group, None);
    }
}
