//! What shows whether a worker gets on, and what the source spawns to know it.

use std::collections::HashSet;
use std::future::pending;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{block_in_place, yield_now};
use worker_metrics::{Source, WorkerState};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::rig::{
    Blocked, current_thread, evidence, evidence_until, look, look_until, multi_thread, only_worker,
    thread_number,
};

/// A runtime whose only worker is known, and polls a task that waits `within`; and the number of
/// the thread that began the poll.
fn blocked(
    within: impl FnOnce(&mut dyn FnMut()) + Send + 'static,
) -> (Runtime, TokioRuntime, Blocked, Option<u32>) {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle());
    evidence_until(&source, 0, |evidence| evidence.thread_id.is_some() || !cfg!(target_os = "linux"));
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let (tell, told) = channel();
    runtime.spawn(async move {
        tell.send(thread_number()).unwrap();
        within(&mut || block.wait(&begun));
    });
    begins.recv().unwrap();
    (runtime, source, blocked, told.recv().unwrap())
}

#[test]
fn a_blocked_worker_runs_is_driven_and_shows_no_sign_of_life() {
    let (_runtime, source, blocked, thread) = blocked(|wait| wait());
    let before = evidence_until(&source, 0, |evidence| evidence.is_running);
    for _ in 0..100 {
        let now = evidence(&source, 0);
        assert!(now.is_running);
        assert_eq!(now.is_driven, Some(true));
        assert_eq!(now.progress, before.progress);
        assert_eq!(now.poll_age, None, "no poll is measured");
        assert_eq!(now.thread_id, thread);
        assert_eq!(now.is_current, cfg!(tokio_unstable));
    }
    blocked.release();
    evidence_until(&source, 0, |now| now.progress != before.progress && !now.is_running);
}

#[test]
fn every_worker_is_known_by_a_thread_of_its_own() {
    if !cfg!(target_os = "linux") {
        return;
    }
    for workers in [1, 2, 8] {
        let runtime = multi_thread(workers);
        let source = TokioRuntime::new(runtime.handle());
        let numbers: HashSet<_> = (0..workers)
            .map(|worker| evidence_until(&source, worker, |evidence| evidence.thread_id.is_some()).thread_id)
            .collect();
        assert_eq!(numbers.len(), workers);
        assert!(!numbers.contains(&thread_number()));
    }
}

#[test]
fn the_answer_to_a_probe_is_a_sign_of_life() {
    for runtime in [multi_thread(1), Builder::new_multi_thread().worker_threads(1).build().unwrap()] {
        let source = TokioRuntime::new(runtime.handle());
        look_until(&source, |snapshot| only_worker(snapshot).state == Some(WorkerState::Idle));
        let before = evidence_until(&source, 0, |evidence| !evidence.is_running);
        source.probe(0);
        evidence_until(&source, 0, |now| now.progress != before.progress);
    }
}

#[test]
fn probes_of_workers_that_are_blocked_do_not_pile_up_and_are_no_tasks_of_the_program() {
    let runtime = multi_thread(2);
    let source = TokioRuntime::new(runtime.handle());
    let blocked = [Blocked::spawn(&runtime), Blocked::spawn(&runtime)];
    for _ in 0..1_000 {
        source.probe(0);
        source.probe(1);
        evidence(&source, 0);
    }
    assert_eq!(runtime.metrics().num_alive_tasks(), 2 + 4, "two may wait for each worker");
    assert_eq!(look(&source).alive_task_count, Some(2));
    blocked.into_iter().for_each(Blocked::release);
    look_until(&source, |_| runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn a_source_that_nobody_watches_spawns_nothing_on_a_multi_thread_runtime() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle());
    runtime.spawn(pending::<()>());
    for _ in 0..100 {
        look(&source);
    }
    assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    let seen = look(&source);
    assert!(seen.spawned_task_count.is_none_or(|spawned| spawned == 1));
}

#[test]
fn without_probes_nothing_is_spawned_and_no_thread_is_known() {
    for runtime in [multi_thread(2), current_thread()] {
        let source = TokioRuntime::new(runtime.handle()).without_probes();
        for _ in 0..100 {
            look(&source);
            source.probe(0);
            assert_eq!(evidence(&source, 0).thread_id, None);
        }
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
        assert_eq!(runtime.metrics().global_queue_depth(), 0);
    }
}

#[test]
fn a_worker_that_holds_up_the_shutdown_of_its_runtime_runs_and_the_others_are_idle() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let runtime = multi_thread(2);
    let source = TokioRuntime::new(runtime.handle());
    let threads = [0, 1].map(|worker| {
        evidence_until(&source, worker, |evidence| evidence.thread_id.is_some() || !cfg!(target_os = "linux"))
            .thread_id
    });
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let (tell, told) = channel();
    runtime.spawn(async move {
        tell.send(thread_number()).unwrap();
        block.wait(&begun);
    });
    begins.recv().unwrap();
    let number = told.recv().unwrap();
    let holding = threads.iter().position(|known| *known == number).expect("its thread is known");
    let other = 1 - holding;
    let shutdown = thread::spawn(move || drop(runtime));
    // The list of tasks is emptied at once, and the other worker's thread ends.
    look_until(&source, |snapshot| snapshot.alive_task_count == Some(0));
    look_until(&source, |snapshot| snapshot.workers()[other].state == Some(WorkerState::Idle));
    let before = evidence(&source, holding);
    for _ in 0..100 {
        let now = evidence(&source, holding);
        assert!(now.is_running && now.progress == before.progress, "{now:?}");
        assert_eq!(now.thread_id, number);
        assert_eq!(look(&source).workers()[holding].state, Some(WorkerState::Busy));
        assert!(!evidence(&source, other).is_running);
    }
    blocked.release();
    shutdown.join().unwrap();
    for worker in 0..2 {
        assert!(!evidence(&source, worker).is_running);
    }
    assert_eq!(look(&source).workers_in(WorkerState::Idle), Some(2));
    source.probe(0);
}

#[test]
fn a_worker_whose_measured_poll_holds_up_the_shutdown_is_stalled() {
    let tasks = TaskMetrics::new();
    let runtime = Builder::new_multi_thread().worker_threads(2).measure_tasks(&tasks).build().unwrap();
    let source = TokioRuntime::new(runtime.handle())
        .with_tasks(&tasks)
        .without_probes()
        .with_stall_threshold(Duration::from_millis(5))
        .unwrap();
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    tasks.spawn_on(async move { block.wait(&begun) }, runtime.handle());
    begins.recv().unwrap();
    let shutdown = thread::spawn(move || drop(runtime));
    look_until(&source, |snapshot| {
        snapshot.alive_task_count == Some(0) && snapshot.workers_in(WorkerState::Stalled) == Some(1)
    });
    assert!((0..2).any(|worker| evidence(&source, worker).poll_age.is_some()));
    blocked.release();
    shutdown.join().unwrap();
    assert_eq!(look(&source).workers_in(WorkerState::Idle), Some(2));
}

#[test]
fn a_worker_that_was_handed_over_is_known_by_its_new_thread_or_by_none_and_never_as_current() {
    let (runtime, source, blocked, first) = blocked(|wait| block_in_place(wait));
    let again = Blocked::spawn(&runtime);
    let now = evidence_until(&source, 0, |evidence| evidence.is_running);
    // On stable nothing tells, until a probe does.
    assert_eq!(now.thread_id, if cfg!(tokio_unstable) { None } else { first });
    assert!(!now.is_current);
    again.release();
    source.probe(0);
    if cfg!(target_os = "linux") {
        let now = evidence_until(&source, 0, |evidence| {
            evidence.thread_id.is_some() && evidence.thread_id != first
        });
        assert_eq!(now.is_current, cfg!(tokio_unstable));
    }
    blocked.release();
}

#[test]
fn of_a_current_thread_runtime_nothing_tells_whether_it_is_driven_until_it_is_gone() {
    let runtime = current_thread();
    let source = TokioRuntime::new(runtime.handle());
    assert!(!evidence(&source, 0).is_running, "it has not begun");
    runtime.block_on(async {
        for _ in 0..500 {
            yield_now().await;
        }
    });
    let resting = evidence_until(&source, 0, |evidence| evidence.is_running);
    assert_eq!(resting.is_driven, None);
    assert_eq!(resting.thread_id, thread_number(), "the sentinel was polled here");
    assert_eq!(evidence(&source, 0).progress, resting.progress);
    drop(runtime);
    let gone = evidence(&source, 0);
    assert!(!gone.is_running);
}

#[test]
fn a_measured_poll_shows_that_a_current_thread_runtime_is_driven() {
    let tasks = TaskMetrics::new();
    let runtime = Builder::new_current_thread().measure_tasks(&tasks).build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let task = tasks.spawn_on(async move { block.wait(&begun) }, runtime.handle());
    let driving = thread::spawn(move || {
        runtime.block_on(async {
            for _ in 0..500 {
                yield_now().await;
            }
            task.await.unwrap();
        });
        thread_number()
    });
    begins.recv().unwrap();
    let now = evidence_until(&source, 0, |evidence| evidence.poll_age.is_some());
    assert_eq!(now.is_driven, Some(true));
    assert!(now.is_current);
    blocked.release();
    assert_eq!(now.thread_id, driving.join().unwrap());
}

#[test]
fn an_intermittent_runtime_is_not_driven_and_never_runs() {
    let runtime = current_thread();
    let source = TokioRuntime::new(runtime.handle()).intermittent();
    runtime.block_on(yield_now());
    let now = evidence(&source, 0);
    assert_eq!((now.is_running, now.is_driven), (false, Some(false)));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "it needs no sentinel");
}

#[test]
fn the_threshold_is_that_of_the_source() {
    let source = TokioRuntime::new(current_thread().handle());
    assert_eq!(source.stall_threshold(), Duration::from_secs(1));
    let source = source.with_stall_threshold(Duration::from_millis(7)).unwrap();
    assert_eq!(source.stall_threshold(), Duration::from_millis(7));
}

#[test]
fn evidence_again_allocates_nothing() {
    let tasks = TaskMetrics::new();
    let runtime = Builder::new_multi_thread().worker_threads(2).measure_tasks(&tasks).build().unwrap();
    // A wave of probes would be tasks to allocate.
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks).without_probes();
    for worker in 0..2 {
        evidence_until(&source, worker, |evidence| {
            evidence.thread_id.is_some() || !cfg!(target_os = "linux")
        });
    }
    evidence(&source, 0);
    let again = allocation_counter::measure(|| {
        for worker in 0..2 {
            source.evidence(worker);
        }
    });
    assert_eq!(again.count_total, 0);
}

#[test]
fn a_worker_that_does_not_exist_has_no_evidence() {
    let runtime = multi_thread(1);
    assert_eq!(TokioRuntime::new(runtime.handle()).evidence(1), None);
}

#[cfg(tokio_unstable)]
mod unstable {
    use worker_metrics::Counter;

    use super::*;

    #[test]
    fn probes_and_the_sentinel_are_not_among_the_tasks_and_polls_that_are_counted() {
        for runtime in [multi_thread(1), current_thread()] {
            let source = TokioRuntime::new(runtime.handle());
            for _ in 0..10 {
                evidence(&source, 0);
                source.probe(0);
                runtime.block_on(runtime.spawn(async {})).unwrap();
            }
            let seen = look_until(&source, |snapshot| {
                only_worker(snapshot).count(Counter::Polls) == Some(10)
                    && snapshot.alive_task_count == Some(0)
            });
            assert_eq!(seen.spawned_task_count, Some(10));
            for _ in 0..100 {
                let seen = look(&source);
                assert_eq!(only_worker(&seen).count(Counter::Polls), Some(10));
                assert_eq!(seen.spawned_task_count, Some(10));
            }
        }
    }
}
