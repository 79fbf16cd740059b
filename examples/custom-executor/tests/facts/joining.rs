use std::sync::Arc;

use custom_executor::{Executor, JoinError, StartError, block_on};
use worker_metrics::PoolError;

use crate::totals::Totals;
use crate::waiting::result_of;

fn message(error: JoinError) -> Option<String> {
    match error {
        JoinError::Panicked(message) => message,
        JoinError::Dropped => panic!("it was not dropped"),
    }
}

#[test]
fn a_panic_is_reported_and_the_worker_goes_on() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let expected: Vec<_> = (0..100).map(|task| format!("task {task}")).collect();
    let panicking = expected.iter().cloned().map(|text| executor.spawn(async move { panic!("{text}") }));
    let panicking: Vec<_> = panicking.collect();
    let panics = panicking.into_iter().map(|task| message(result_of(task).unwrap_err()).unwrap());
    assert_eq!(panics.collect::<Vec<_>>(), expected);
    assert_eq!(result_of(executor.spawn(async { 7 })).unwrap(), 7);
    assert!(matches!(
        result_of(executor.spawn(async { std::panic::panic_any(7) })),
        Err(JoinError::Panicked(None))
    ));
    drop(executor);
    assert_eq!(Totals::of(&pool).polls, 102);
    assert_eq!(pool.metrics().spawned_tasks_count(), 102);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
}

#[test]
fn a_panic_in_the_drop_of_a_task_does_not_end_the_worker() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let executor = Executor::start("main", 1).unwrap();
    let bomb = Bomb;
    // Whatever the handle says, it says something.
    _ = result_of(executor.spawn(async move {
        let _bomb = bomb;
    }));
    assert_eq!(result_of(executor.spawn(async { 7 })).unwrap(), 7);
    assert_eq!(executor.pool().metrics().alive_tasks_count(), 0);
}

#[test]
fn tasks_wait_for_tasks() {
    let executor = Executor::start("main", 2).unwrap();
    let handle = executor.handle().clone();
    let sum = executor.spawn(async move {
        let parts: Vec<_> = (0..1_000_u64).map(|part| handle.spawn(async move { part })).collect();
        let mut sum = 0;
        for part in parts {
            sum += part.await.unwrap();
        }
        sum
    });
    assert_eq!(block_on(sum).unwrap(), 499_500);
}

#[test]
fn a_handle_that_is_dropped_leaves_its_task_alone() {
    let executor = Executor::start("main", 1).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    drop(executor.spawn(async move { tell.send(3).unwrap() }));
    assert_eq!(told.recv(), Ok(3));
}

#[test]
fn an_executor_without_workers_or_name_does_not_start() {
    assert!(matches!(Executor::start("main", 0), Err(StartError::Pool(PoolError::Workers(0)))));
    assert!(matches!(Executor::start("", 1), Err(StartError::Pool(PoolError::NoName))));
}
