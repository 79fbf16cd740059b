//! The executor under load: what it counted against what the test counted.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use custom_executor::{BUDGET, Executor, JoinError, LOCAL_CAPACITY, consume_budget, yield_now};
use worker_metrics::{Microstate, Snapshot, Source, WorkerState};

use crate::gate::Gate;
use crate::totals::Totals;
use crate::waiting::{result_of, spawn_waiting, until, until_all_are_parked};

const WORKERS: usize = 2;

/// What the tasks count themselves.
#[derive(Default)]
struct Counted {
    spawns: AtomicU64,
    polls: AtomicU64,
}

impl Counted {
    /// Spawns a future whose polls are counted.
    fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        handle: &custom_executor::Handle,
        future: impl Future<Output = T> + Send + 'static,
    ) -> custom_executor::JoinHandle<T> {
        let counted = Arc::clone(self);
        self.spawns.fetch_add(1, Relaxed);
        handle.spawn(async move {
            let mut future = pin!(future);
            poll_fn(|context| {
                counted.polls.fetch_add(1, Relaxed);
                future.as_mut().poll(context)
            })
            .await
        })
    }
}

#[test]
fn every_field_is_filled_and_agrees_with_what_the_test_counted() {
    let executor = Executor::start("main", WORKERS).unwrap();
    let handle = executor.handle().clone();
    let pool = Arc::clone(executor.pool());
    let counted = Arc::new(Counted::default());
    let mut remote_schedules = 0;

    // A wake without a poll: a task that waits is aborted while everybody sleeps.
    counted.spawns.fetch_add(1, Relaxed);
    counted.polls.fetch_add(1, Relaxed);
    let waiting = spawn_waiting(&executor);
    until("the task has been polled", || Totals::of(&pool).polls == 1);
    until_all_are_parked(&pool);
    let before = Totals::of(&pool).noops;
    waiting.abort();
    assert!(matches!(result_of(waiting), Err(JoinError::Dropped)));
    until("a worker woke for nothing", || Totals::of(&pool).noops > before);
    remote_schedules += 2;

    // One worker is kept busy, so that the other one's queue can only overflow.
    let (keep, hold) = (Gate::default(), Gate::default());
    let kept = counted.spawn(&handle, {
        let keep = keep.clone();
        async move { keep.pass() }
    });
    keep.wait_for(1);
    let children = 2 * LOCAL_CAPACITY;
    let parent = counted.spawn(&handle, {
        let (counted, handle, hold) = (Arc::clone(&counted), handle.clone(), hold.clone());
        async move {
            let spawn = |_| counted.spawn(&handle, async { yield_now().await });
            let children: Vec<_> = (0..children).map(spawn).collect();
            // It blocks with a full queue behind it: somebody else has to run what is in there.
            hold.pass();
            for child in children {
                child.await.unwrap();
            }
        }
    });
    hold.wait_for(1);
    remote_schedules += 2;
    let mut snapshot = Snapshot::new();
    pool.collect(&mut snapshot);
    // The 257th and, after half of the queue had moved, the 386th found it full; 129 tasks went
    // each time.
    assert_eq!(snapshot.global_queue_depth, Some(2 * (LOCAL_CAPACITY as u64 / 2 + 1)));
    let depths: u64 = snapshot.workers().iter().filter_map(|worker| worker.local_queue_depth).sum();
    assert_eq!(depths, children as u64 - 2 * (LOCAL_CAPACITY as u64 / 2 + 1));
    assert_eq!(snapshot.alive_task_count, Some(2 + children as u64));
    assert_eq!(snapshot.workers_in(WorkerState::Idle), Some(0), "both are in a poll");
    assert!(snapshot.workers().iter().all(|worker| worker.progress_age > Some(Duration::ZERO)));

    // The kept worker goes on, finds its own queue empty, and runs everything; the last of it only
    // a thief can get at.
    keep.open();
    result_of(kept).unwrap();
    let done = 1 + 2 + 2 * children as u64;
    until("a thief ran all children", || counted.polls.load(Relaxed) == done);
    hold.open();
    result_of(parent).unwrap();

    // A task that never stops of its own accord is stopped after each full budget.
    let operations = 10 * BUDGET;
    let greedy = counted.spawn(&handle, async move {
        for _ in 0..operations {
            consume_budget().await;
        }
    });
    result_of(greedy).unwrap();
    remote_schedules += 1;

    until_all_are_parked(&pool);
    let threads: Vec<_> = pool.workers().iter().map(|worker| worker.thread_id().unwrap()).collect();
    assert_ne!(threads[0], threads[1]);
    assert_eq!(pool.workers()[1].thread_name().as_deref(), Some("main-1"));
    drop(executor);

    let totals = Totals::of(&pool);
    let polls = counted.polls.load(Relaxed);
    let spawns = counted.spawns.load(Relaxed);
    assert_eq!(totals.polls, polls);
    assert_eq!(totals.timed_polls, polls);
    assert_eq!(totals.timed_schedules, polls, "each poll ends one wait");
    assert_eq!(pool.metrics().remote_schedule_count(), remote_schedules);
    // Every scheduling led to a poll, but the one of the abort.
    assert_eq!(totals.local_schedules + remote_schedules, polls + 1);
    assert_eq!(totals.overflows, 2);
    assert!(totals.steals > 0 && totals.stolen >= totals.steals, "{totals:?}");
    assert!(totals.noops > 0 && totals.noops <= totals.parks, "{totals:?}");
    assert_eq!(pool.metrics().spawned_tasks_count(), spawns);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
    assert_eq!(pool.metrics().budget_forced_yield_count(), u64::from((operations - 1) / BUDGET));
    assert_eq!(pool.metrics().global_queue_depth(), 0);

    let now_ns = pool.clock().now_ns();
    for worker in pool.workers() {
        // The worker that is gone was unparked for it.
        assert_eq!(worker.park_unpark_count(), 2 * worker.park_count());
        assert!(worker.park_count() > 0);
        assert!(!worker.is_running());
        assert_eq!(worker.queue_depth(), 0);
        assert!(worker.mean_poll_time().is_some());
        assert!(worker.poll_time_histogram().unwrap().sum_ns() > 0);
        assert!(worker.schedule_latency_histogram().unwrap().sum_ns() > 0);
        let times = worker.microstate_times(now_ns).unwrap();
        for state in [Microstate::Polling, Microstate::Scheduling, Microstate::Searching, Microstate::Parked]
        {
            assert!(times.of(state) > Duration::ZERO, "{state:?}: {times:?}");
        }
        assert_eq!(times.of(Microstate::Driving), Duration::ZERO, "there is no I/O driver");
        assert!(worker.busy_duration_total() > Duration::ZERO);
        assert_eq!(worker.busy_duration_total(), times.total() - times.of(Microstate::Parked));
        assert!(times.total() <= Duration::from_nanos(now_ns));
    }
}
