use std::sync::Arc;

use custom_executor::Executor;

use crate::gate::Gate;
use crate::totals::Totals;
use crate::waiting::{result_of, until, until_all_are_parked};

#[test]
fn a_worker_without_work_is_parked_and_says_so() {
    let executor = Executor::start("main", 3).unwrap();
    let pool = executor.pool();
    until_all_are_parked(pool);
    for worker in pool.workers() {
        until("its parks are one more than its unparks", || {
            worker.park_unpark_count() == 2 * worker.park_count() - 1
        });
        let busy = worker.busy_duration_total();
        assert_eq!(worker.live_busy_duration(u64::MAX), busy, "its busy time stands still");
    }
}

#[test]
fn a_worker_that_blocks_is_busy_and_not_parked() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let gate = Gate::default();
    let blocking = gate.block_a_worker(&executor);
    let worker = &pool.workers()[0];
    assert!(worker.is_running());
    let now_ns = pool.clock().now_ns();
    let later_ns = now_ns + 5_000_000_000;
    let grown = worker.live_busy_duration(later_ns) - worker.live_busy_duration(now_ns);
    assert_eq!(grown.as_secs(), 5);
    gate.open();
    result_of(blocking).unwrap();
}

#[test]
fn a_busy_worker_submits_every_61_polls() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let seen = executor.spawn({
        let pool = Arc::clone(&pool);
        async move {
            let mut seen = Vec::new();
            for _ in 0..200 {
                seen.push(Totals::of(&pool).polls);
                custom_executor::yield_now().await;
            }
            seen
        }
    });
    let seen = result_of(seen).unwrap();
    // It was not parked in between: nothing but the interval published.
    let expected: Vec<u64> = (0..200).map(|polls| polls / 61 * 61).collect();
    assert_eq!(seen, expected);
}
