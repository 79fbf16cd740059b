use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use custom_executor::{Executor, JoinError, yield_now};

use crate::gate::Gate;
use crate::guard::Guard;
use crate::totals::Totals;
use crate::waiting::{result_of, spawn_waiting, until, until_all_are_parked};

#[test]
fn a_task_that_is_aborted_in_the_queue_is_dropped_unpolled() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let gate = Gate::default();
    let blocking = gate.block_a_worker(&executor);
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::of(&drops);
    let aborted = executor.spawn(async move { drop(guard) });
    aborted.abort();
    assert_eq!(drops.load(SeqCst), 0, "the worker drops it, when it comes to it");
    gate.open();
    result_of(blocking).unwrap();
    assert!(matches!(result_of(aborted), Err(JoinError::Dropped)));
    assert_eq!(drops.load(SeqCst), 1);
    drop(executor);
    let totals = Totals::of(&pool);
    assert_eq!((totals.polls, totals.timed_polls, totals.timed_schedules), (1, 1, 1));
}

#[test]
fn a_wake_for_an_abort_is_a_noop() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    for aborts in 1..=3 {
        let waiting = spawn_waiting(&executor);
        until("it was polled", || Totals::of(&pool).polls == aborts);
        until_all_are_parked(&pool);
        let before = Totals::of(&pool).parks_and_noops();
        waiting.abort();
        assert!(matches!(result_of(waiting), Err(JoinError::Dropped)));
        let expected = (before.0 + 1, before.1 + 1);
        until("it sleeps again", || Totals::of(&pool).parks_and_noops() == expected);
    }
}

#[test]
fn a_task_that_is_aborted_while_it_runs_is_not_polled_again() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let gate = Gate::default();
    let running = executor.spawn({
        let gate = gate.clone();
        async move {
            gate.pass();
            loop {
                yield_now().await;
            }
        }
    });
    gate.wait_for(1);
    running.abort();
    gate.open();
    assert!(matches!(result_of(running), Err(JoinError::Dropped)));
    drop(executor);
    assert_eq!(Totals::of(&pool).polls, 1);
}

#[test]
fn aborting_what_is_over_does_nothing() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let over = executor.spawn(async { 5 });
    until("it is over", || pool.metrics().alive_tasks_count() == 0);
    over.abort();
    assert_eq!(result_of(over).unwrap(), 5);
    assert_eq!(pool.metrics().remote_schedule_count(), 1);
}

#[test]
fn a_task_that_nobody_can_wake_is_dropped() {
    let executor = Executor::start("main", 2).unwrap();
    assert!(matches!(result_of(executor.spawn(pending::<()>())), Err(JoinError::Dropped)));
    assert_eq!(executor.pool().metrics().alive_tasks_count(), 0);
}
