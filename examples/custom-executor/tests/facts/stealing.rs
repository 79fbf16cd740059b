use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use custom_executor::{Executor, LOCAL_CAPACITY};

use crate::gate::Gate;
use crate::totals::Totals;
use crate::waiting::{result_of, until};

#[test]
fn what_a_blocked_worker_queued_is_run_by_thieves_and_each_task_is_counted_once() {
    let executor = Executor::start("main", 2).unwrap();
    let (handle, pool) = (executor.handle().clone(), Arc::clone(executor.pool()));
    let (gate, ran) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    let owner = executor.spawn({
        let (gate, ran) = (gate.clone(), Arc::clone(&ran));
        async move {
            for _ in 0..LOCAL_CAPACITY {
                let ran = Arc::clone(&ran);
                drop(handle.spawn(async move { ran.fetch_add(1, SeqCst) }));
            }
            gate.pass();
        }
    });
    until("all ran while the owner is blocked", || ran.load(SeqCst) == LOCAL_CAPACITY);
    gate.open();
    result_of(owner).unwrap();
    drop(executor);

    let totals = Totals::of(&pool);
    assert_eq!(totals.stolen, LOCAL_CAPACITY as u64);
    assert!(totals.steals >= LOCAL_CAPACITY as u64 / 32, "a batch is 32 tasks at most: {totals:?}");
    assert!(totals.steals <= totals.stolen);
    assert_eq!(totals.overflows, 0);
    assert_eq!(totals.local_schedules, LOCAL_CAPACITY as u64);
    let thieves = pool.workers().iter().filter(|worker| worker.steal_count() > 0);
    assert_eq!(thieves.count(), 1, "the owner was in its poll all the time");
}

#[test]
fn a_share_of_the_global_queue_can_be_stolen_from_a_worker_that_blocks() {
    let executor = Executor::start("main", 2).unwrap();
    let (both, release) = (Gate::default(), Gate::default());
    let blocking = [both.block_a_worker(&executor), both.block_a_worker(&executor)];
    // Of these four one worker takes two, and blocks in the first until somebody runs the second.
    let waiting = executor.spawn({
        let release = release.clone();
        async move { release.pass() }
    });
    let opening = executor.spawn({
        let release = release.clone();
        async move { release.open() }
    });
    let others = [executor.spawn(async {}), executor.spawn(async {})];
    both.open();
    for task in blocking.into_iter().chain([waiting, opening]).chain(others) {
        result_of(task).unwrap();
    }
}
