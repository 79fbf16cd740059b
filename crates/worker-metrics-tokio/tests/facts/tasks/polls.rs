use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::{LocalSet, block_in_place, yield_now};
use worker_metrics_tokio::TaskMetrics;

use super::Measured;

async fn yields(times: u32) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[test]
fn every_poll_is_counted_once() {
    for measured in Measured::both() {
        measured.runtime.block_on(async {
            for times in 0..50 {
                measured.tasks.spawn(yields(times)).await.unwrap();
            }
        });
        assert_eq!(measured.polls().count(), (0..50).map(|times| times + 1).sum::<u64>());
    }
}

#[test]
fn tasks_that_move_between_workers_are_counted_where_they_are_polled() {
    let measured = Measured::multi_thread(4);
    measured.runtime.block_on(async {
        let all: Vec<_> = (0..200).map(|_| measured.tasks.spawn(yields(100))).collect();
        for task in all {
            task.await.unwrap();
        }
    });
    assert_eq!(measured.polls().count(), 200 * 101);
}

#[test]
fn the_sum_is_measured_and_within_the_wall_time() {
    let measured = Measured::current_thread();
    let began = Instant::now();
    let work = measured.tasks.instrument(async {
        let until = Instant::now() + Duration::from_millis(5);
        while Instant::now() < until {
            black_box(());
        }
    });
    measured.runtime.block_on(async { tokio::spawn(work).await.unwrap() });
    let sum = Duration::from_nanos(measured.polls().sum_ns.unwrap());
    assert!((Duration::from_millis(5)..=began.elapsed()).contains(&sum), "{sum:?}");
}

#[test]
fn a_poll_that_panics_is_counted() {
    for measured in Measured::both() {
        let panicking = async {
            yield_now().await;
            std::panic::resume_unwind(Box::new("expected"));
        };
        let task = measured.tasks.spawn_on(panicking, measured.runtime.handle());
        assert!(measured.runtime.block_on(task).unwrap_err().is_panic());
        assert_eq!(measured.polls().count(), 2);
        // And the next one on that thread is no part of it.
        measured.runtime.block_on(async { measured.tasks.spawn(yields(3)).await.unwrap() });
        assert_eq!(measured.polls().count(), 6);
    }
}

#[test]
fn polls_that_block_in_place_are_counted_with_those_that_go_on_elsewhere() {
    let measured = Measured::multi_thread(2);
    measured.runtime.block_on(async {
        let blocking: Vec<_> = (0..8)
            .map(|_| {
                let tasks = measured.tasks.clone();
                measured.tasks.spawn(async move {
                    let mut polled_elsewhere = Vec::new();
                    for _ in 0..10 {
                        // The worker goes to another thread, and polls this one there.
                        block_in_place(|| {
                            let (done, is_done) = std::sync::mpsc::channel();
                            polled_elsewhere.push(tasks.spawn(async move { done.send(()).unwrap() }));
                            is_done.recv().unwrap();
                        });
                        yield_now().await;
                    }
                    polled_elsewhere
                })
            })
            .collect();
        for task in blocking {
            for polled_elsewhere in task.await.unwrap() {
                polled_elsewhere.await.unwrap();
            }
        }
    });
    assert_eq!(measured.polls().count(), 8 * 11 + 8 * 10);
}

#[test]
fn nested_runtimes_count_their_own() {
    let outer = Measured::multi_thread(1);
    let inner = Measured::current_thread();
    let inner_tasks = inner.tasks.clone();
    let polled = outer.tasks.spawn_on(
        async move {
            block_in_place(|| {
                inner.runtime.block_on(async { inner_tasks.spawn(yields(9)).await.unwrap() });
            });
            inner
        },
        outer.runtime.handle(),
    );
    let inner = outer.runtime.block_on(polled).unwrap();
    assert_eq!(outer.polls().count(), 1);
    assert_eq!(inner.polls().count(), 10);
}

#[test]
fn an_instrumented_future_within_another_is_part_of_its_polls() {
    let measured = Measured::current_thread();
    let (tasks, parts) = (measured.tasks.clone(), measured.tasks.clone());
    measured.runtime.block_on(async {
        tasks
            .spawn(async move { tokio::join!(parts.instrument(yields(4)), parts.instrument(yields(4))) })
            .await
            .unwrap();
    });
    assert_eq!(measured.polls().count(), 5);
    assert_eq!(measured.schedules().count(), 5);
}

#[test]
fn local_tasks_count_for_the_worker_that_runs_them_and_for_none_elsewhere() {
    let run = |measured: &Measured| {
        let tasks = measured.tasks.clone();
        LocalSet::new()
            .block_on(&measured.runtime, async move { tasks.spawn_local(yields(4)).await.unwrap() });
    };
    let current_thread = Measured::current_thread();
    run(&current_thread);
    assert_eq!(current_thread.polls().count(), 5);
    // The thread of `block_on` is no worker.
    let multi_thread = Measured::multi_thread(1);
    run(&multi_thread);
    assert_eq!(multi_thread.polls().count(), 0);
}

#[test]
fn an_instrumented_future_does_what_the_future_does() {
    let tasks = TaskMetrics::new();
    let runtime = Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(tasks.instrument(async { 7 })), 7);
    let mut never = pin!(tasks.instrument(std::future::pending::<()>()));
    assert_eq!(never.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
}

#[test]
fn a_poll_allocates_nothing() {
    let tasks = TaskMetrics::builder().group("all").build().unwrap().group("all").unwrap();
    let mut future = pin!(tasks.instrument(std::future::poll_fn(|cx: &mut Context<'_>| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })));
    // A clone of the clone has the same table of functions; of the constant there may be several.
    let waker = Waker::noop().clone();
    let mut poll = || {
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    };
    poll();
    assert_eq!(allocation_counter::measure(|| (0..1_000).for_each(|_| poll())).count_total, 0);
}

#[test]
fn collecting_again_allocates_nothing() {
    let measured = Measured::multi_thread(2);
    let mut snapshot = measured.snapshot();
    measured.runtime.block_on(async { measured.tasks.spawn(yields(3)).await.unwrap() });
    let mut collect = || worker_metrics::Source::collect(&measured.source, &mut snapshot);
    collect();
    assert_eq!(allocation_counter::measure(collect).count_total, 0);
}
