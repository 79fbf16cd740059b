//! Where the task was spawned that a worker polls.

use std::panic::Location;
use std::sync::mpsc::channel;

use tokio::runtime::Builder;
use tokio::task::{JoinHandle, LocalSet};
use worker_metrics::Source;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use super::Measured;
use crate::rig::{Blocked, look_until};

fn lines(source: &TokioRuntime) -> Option<(&'static str, u32)> {
    let workers = source.identity().workers;
    let location = (0..workers).find_map(|worker| source.worker_info(worker).spawn_location)?;
    Some((location.file(), location.line()))
}

#[track_caller]
fn here() -> (&'static str, u32) {
    let here = Location::caller();
    (here.file(), here.line())
}

#[test]
fn a_spawned_task_is_known_by_its_line_while_it_is_polled() {
    for measured in Measured::both() {
        let (blocked, block) = Blocked::new();
        let (begun, begins) = channel();
        let (expected, task) =
            (here(), measured.tasks.spawn_on(async move { block.wait(&begun) }, measured.runtime.handle()));
        let source = measured.source;
        let runtime = measured.runtime;
        let driving = std::thread::spawn(move || runtime.block_on(task).unwrap());
        begins.recv().unwrap();
        assert_eq!(lines(&source), Some(expected));
        blocked.release();
        driving.join().unwrap();
        look_until(&source, |_| lines(&source).is_none());
    }
}

#[test]
fn a_group_and_a_location_are_those_of_one_poll() {
    let tasks = TaskMetrics::builder().group("a").group("b").build().unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).measure_tasks(&tasks).build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    let yields = || async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    let spawn = |group: &str| -> ((&'static str, u32), JoinHandle<()>) {
        let tasks = tasks.group(group).unwrap();
        match group {
            "a" => (here(), tasks.spawn_on(yields(), runtime.handle())),
            _ => (here(), tasks.spawn_on(yields(), runtime.handle())),
        }
    };
    let (a, b) = (spawn("a"), spawn("b"));
    let mut seen = [0, 0];
    while seen.iter().any(|seen| *seen < 100) {
        let info = source.worker_info(0);
        let (Some(group), Some(location)) = (info.task_group, info.spawn_location) else { continue };
        let line = (location.file(), location.line());
        match &*group {
            "a" => assert_eq!(line, a.0),
            _ => assert_eq!(line, b.0),
        }
        seen[usize::from(&*group == "b")] += 1;
    }
    a.1.abort();
    b.1.abort();
}

#[test]
fn local_tasks_and_instrumented_futures_have_one_too() {
    let tasks = TaskMetrics::new();
    let runtime = Builder::new_current_thread().build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    runtime.block_on(async {
        let root = (here(), tasks.instrument(async { lines(&source) }));
        assert_eq!(root.1.await, Some(root.0));
        LocalSet::new()
            .run_until(async {
                let local = std::sync::Arc::new(source);
                let seen = local.clone();
                let (expected, task) = (here(), tasks.spawn_local(async move { lines(&seen) }));
                assert_eq!(task.await.unwrap(), Some(expected));
            })
            .await;
    });
}
