//! Workers that are blocked, saturated, parked, moved and gone.

use std::future::pending;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{block_in_place, yield_now};
use worker_metrics::{Counter, WorkerState};
use worker_metrics_tokio::TokioRuntime;

use crate::rig::{Blocked, current_thread, evidence, look, look_until, multi_thread, only_worker};

const SHORT: Duration = Duration::from_millis(5);

#[test]
fn a_blocked_worker_ages_and_is_busy_while_it_blocks_and_never_more_than_in_the_end() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(SHORT).unwrap();
    let blocked = Blocked::spawn(&runtime);

    let seen = look_until(&source, |snapshot| only_worker(snapshot).progress_age >= Some(SHORT));
    let mut last = only_worker(&seen).busy_duration.unwrap();
    for _ in 0..5 {
        let grown =
            look_until(&source, |snapshot| only_worker(snapshot).busy_duration.unwrap() > last + SHORT);
        let worker = only_worker(&grown);
        // That it published nothing proves no stall: a watchdog asks for the evidence.
        assert_eq!(worker.state, Some(WorkerState::Busy));
        assert!(worker.progress_age.unwrap() >= SHORT);
        last = worker.busy_duration.unwrap();
    }
    let published = runtime.metrics().worker_total_busy_duration(0);
    assert!(published < last, "Tokio has published {published:?} so far, against {last:?}");

    blocked.release();
    let parks = only_worker(&seen).count(Counter::Parks);
    let idle = look_until(&source, |snapshot| only_worker(snapshot).count(Counter::Parks) > parks);
    assert_eq!(only_worker(&idle).state, Some(WorkerState::Idle));
    assert!(only_worker(&idle).busy_duration.unwrap() >= last, "it went backwards");
    let in_the_end = runtime.metrics().worker_total_busy_duration(0);
    assert!(last <= in_the_end, "{last:?} was reported, {in_the_end:?} it is");
    assert_eq!(only_worker(&idle).busy_duration, Some(in_the_end));
    assert_eq!(only_worker(&idle).progress_age, Some(Duration::ZERO));
}

#[test]
fn one_blocked_worker_says_nothing_of_the_others() {
    let runtime = multi_thread(3);
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(SHORT).unwrap();
    let blocked = Blocked::spawn(&runtime);
    let seen = look_until(&source, |snapshot| {
        snapshot.workers_in(WorkerState::Busy) == Some(1) && snapshot.workers_in(WorkerState::Idle) == Some(2)
    });
    assert_eq!(seen.workers_in(WorkerState::Stalled), Some(0));
    blocked.release();
}

#[test]
fn a_saturated_worker_publishes_and_is_not_stalled() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::from_nanos(1)).unwrap();
    let task = runtime.spawn(async {
        loop {
            yield_now().await;
        }
    });
    let mut last = Duration::ZERO;
    for _ in 0..50 {
        let seen = look_until(&source, |snapshot| only_worker(snapshot).busy_duration.unwrap() > last);
        let worker = only_worker(&seen);
        assert_eq!(worker.state, Some(WorkerState::Busy));
        last = worker.busy_duration.unwrap();
    }
    look_until(&source, |snapshot| only_worker(snapshot).progress_age == Some(Duration::ZERO));
    task.abort();
}

#[test]
fn a_parked_worker_is_idle_for_ever() {
    let runtime = multi_thread(1);
    runtime.spawn(pending::<()>());
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::from_nanos(1)).unwrap();
    let parked = look_until(&source, |snapshot| {
        only_worker(snapshot).state == Some(WorkerState::Idle) && snapshot.alive_task_count == Some(1)
    });
    for _ in 0..1_000 {
        let worker = look(&source);
        assert_eq!(only_worker(&worker).state, Some(WorkerState::Idle));
        assert_eq!(only_worker(&worker).progress_age, Some(Duration::ZERO));
        assert_eq!(only_worker(&worker).busy_duration, only_worker(&parked).busy_duration);
    }
}

#[test]
fn the_workers_of_a_runtime_that_was_shut_down_are_idle() {
    let runtime = multi_thread(2);
    runtime.spawn(pending::<()>());
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::from_nanos(1)).unwrap();
    drop(runtime);
    for _ in 0..100 {
        assert_eq!(look(&source).workers_in(WorkerState::Idle), Some(2));
    }
}

#[test]
fn a_worker_that_moved_to_another_thread_goes_on() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(SHORT).unwrap();
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    runtime.spawn(async move { block_in_place(|| block.wait(&begun)) });
    begins.recv().unwrap();
    // The poll goes on where it was, and the worker parks elsewhere.
    let seen = look_until(&source, |snapshot| snapshot.workers_in(WorkerState::Idle) == Some(1));
    assert_eq!(seen.alive_task_count, Some(1));
    blocked.release();
}

#[test]
fn a_current_thread_runtime_whose_root_future_blocks_ages_and_is_busy() {
    let runtime = current_thread();
    let (sender, sources) = channel();
    let (blocked, block) = Blocked::new();
    let (begun, begins) = channel();
    let blocking = thread::spawn(move || {
        runtime.block_on(async {
            let source = TokioRuntime::current().unwrap().with_stall_threshold(SHORT).unwrap();
            sender.send(source).unwrap();
            block.wait(&begun);
        });
    });
    let source = sources.recv().unwrap();
    begins.recv().unwrap();
    let seen = look_until(&source, |snapshot| only_worker(snapshot).progress_age >= Some(SHORT));
    assert_eq!(only_worker(&seen).state, Some(WorkerState::Busy));
    assert_eq!(seen.alive_task_count, Some(0));
    blocked.release();
    blocking.join().unwrap();
    // The runtime has gone with its thread.
    for _ in 0..100 {
        assert_eq!(look(&source).workers_in(WorkerState::Idle), Some(1));
    }
}

#[test]
fn a_current_thread_runtime_that_has_ended_is_idle_whether_it_was_looked_at_before_or_not() {
    for looks_before in [0, 1, 100] {
        let runtime = current_thread();
        let source =
            TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::from_nanos(1)).unwrap();
        runtime.block_on(async {
            for _ in 0..500 {
                yield_now().await;
            }
        });
        for _ in 0..looks_before {
            look(&source);
        }
        drop(runtime);
        for _ in 0..100 {
            let ended = look(&source);
            assert_eq!(ended.workers_in(WorkerState::Idle), Some(1));
            assert_eq!(only_worker(&ended).progress_age, Some(Duration::ZERO));
        }
    }
}

#[test]
fn a_current_thread_runtime_that_was_never_driven_is_idle() {
    let runtime = current_thread();
    runtime.spawn(pending::<()>());
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::from_nanos(1)).unwrap();
    for _ in 0..100 {
        assert_eq!(look(&source).workers_in(WorkerState::Idle), Some(1));
    }
}

#[test]
fn a_pause_between_two_calls_of_block_on_is_no_stall_where_it_is_declared() {
    let runtime = current_thread();
    runtime.spawn(pending::<()>());
    let source = TokioRuntime::new(runtime.handle())
        .with_stall_threshold(Duration::from_nanos(1))
        .unwrap()
        .intermittent();
    runtime.block_on(async {
        for _ in 0..500 {
            yield_now().await;
        }
    });
    assert_eq!(look(&source).workers_in(WorkerState::Busy), Some(1), "it published since the look before");
    for _ in 0..100 {
        let paused = look(&source);
        assert_eq!(paused.workers_in(WorkerState::Idle), Some(1));
        assert_eq!(only_worker(&paused).progress_age, None);
    }
}

#[test]
fn intermittent_means_nothing_for_a_multi_thread_runtime() {
    let runtime = multi_thread(1);
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(SHORT).unwrap().intermittent();
    let blocked = Blocked::spawn(&runtime);
    look_until(&source, |snapshot| only_worker(snapshot).progress_age >= Some(SHORT));
    assert_eq!(evidence(&source, 0).is_driven, Some(true));
    blocked.release();
}

#[test]
fn a_stall_threshold_of_zero_is_refused() {
    let runtime = current_thread();
    let error = TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::ZERO).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stall threshold is 0, so that every running worker would be stalled: set some time above 0"
    );
}
