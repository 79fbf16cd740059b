use std::future::pending;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use custom_executor::{Executor, JoinError};

use crate::guard::Guard;
use crate::totals::Totals;
use crate::waiting::{result_of, spawn_waiting, until, until_all_are_parked};

#[test]
fn tasks_that_are_scheduled_at_the_shutdown_are_dropped_unpolled() {
    const CHILDREN: usize = 1_000;
    let executor = Executor::start("main", 1).unwrap();
    let (handle, pool) = (executor.handle().clone(), Arc::clone(executor.pool()));
    let drops = Arc::new(AtomicUsize::new(0));
    let owned = Arc::new(Mutex::new(Some(executor)));
    // A task takes its own executor down: the shutdown is over before the worker could poll another
    // one.
    let last = handle.spawn({
        let (handle, drops, owned) = (handle.clone(), Arc::clone(&drops), Arc::clone(&owned));
        async move {
            let spawn = |_| {
                let guard = Guard::of(&drops);
                handle.spawn(async move { drop(guard) })
            };
            let children: Vec<_> = (0..CHILDREN).map(spawn).collect();
            drop(owned.lock().unwrap().take());
            children
        }
    });
    let children = result_of(last).unwrap();
    assert_eq!(drops.load(SeqCst), CHILDREN);
    for child in children {
        assert!(matches!(result_of(child), Err(JoinError::Dropped)));
    }
    until("the worker is gone", || !pool.workers()[0].is_running());
    until("its last submit is seen", || Totals::of(&pool).local_schedules == CHILDREN as u64);
    assert_eq!(Totals::of(&pool).polls, 1);
    assert_eq!(pool.metrics().spawned_tasks_count(), 1 + CHILDREN as u64);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
    assert_eq!(pool.metrics().global_queue_depth(), 0);
    assert_eq!(pool.workers()[0].queue_depth(), 0);
}

#[test]
fn tasks_that_wait_at_the_shutdown_are_dropped_with_all_they_hold() {
    let executor = Executor::start("main", 2).unwrap();
    let pool = Arc::clone(executor.pool());
    let drops = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> = (0..100).map(|_| spawn_waiting(&executor)).collect();
    let holding: Vec<_> = (0..100)
        .map(|_| {
            let (guard, inner) = (Guard::of(&drops), spawn_waiting(&executor));
            executor.spawn(async move {
                _ = inner.await;
                drop(guard);
            })
        })
        .collect();
    until("all were polled", || Totals::of(&pool).polls == 300);
    until_all_are_parked(&pool);
    assert_eq!(drops.load(SeqCst), 0);
    drop(executor);
    assert_eq!(drops.load(SeqCst), 100);
    for task in waiting.into_iter().chain(holding) {
        assert!(matches!(result_of(task), Err(JoinError::Dropped)));
    }
    assert_eq!(Totals::of(&pool).polls, 300, "a drop that wakes another task polls nothing");
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
}

#[test]
fn a_task_spawned_after_the_shutdown_is_dropped_at_once() {
    let executor = Executor::start("main", 1).unwrap();
    let (handle, pool) = (executor.handle().clone(), Arc::clone(executor.pool()));
    drop(executor);
    assert!(matches!(result_of(handle.spawn(async {})), Err(JoinError::Dropped)));
    assert_eq!(pool.metrics().spawned_tasks_count(), 1);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
    assert_eq!(pool.metrics().remote_schedule_count(), 0, "it was never scheduled");
}

#[test]
fn a_drop_at_the_shutdown_may_spawn() {
    struct Spawning(custom_executor::Handle);
    impl Drop for Spawning {
        fn drop(&mut self) {
            drop(self.0.spawn(pending::<()>()));
        }
    }
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let (spawning, inner) = (Spawning(executor.handle().clone()), spawn_waiting(&executor));
    let outer = executor.spawn(async move {
        _ = inner.await;
        drop(spawning);
    });
    until("both were polled", || Totals::of(&pool).polls == 2);
    drop(executor);
    assert!(matches!(result_of(outer), Err(JoinError::Dropped)));
    assert_eq!(pool.metrics().spawned_tasks_count(), 3);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
}

#[test]
fn an_executor_that_is_gone_keeps_nothing_alive() {
    let drops = Arc::new(AtomicUsize::new(0));
    let executor = Executor::start("main", 2).unwrap();
    let pool = Arc::downgrade(executor.pool());
    let (guard, handle) = (Guard::of(&drops), executor.handle().clone());
    // A task that owns a handle of its executor, and its own waker.
    let (inner, task) = (spawn_waiting(&executor), handle.clone());
    drop(handle.spawn(async move {
        let _held = (guard, task);
        _ = inner.await;
    }));
    drop((executor, handle));
    assert_eq!(drops.load(SeqCst), 1);
    assert!(pool.upgrade().is_none(), "nothing is left of it");
}
