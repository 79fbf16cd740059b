use std::sync::Arc;
use std::time::Duration;

use custom_executor::{Executor, yield_now};

use crate::waiting::result_of;

#[test]
fn a_task_waits_or_is_polled_and_both_times_fit_into_its_life() {
    let executor = Executor::start("main", 1).unwrap();
    let pool = Arc::clone(executor.pool());
    let before_ns = pool.clock().now_ns();
    result_of(executor.spawn(async {
        for _ in 0..1_000 {
            yield_now().await;
        }
    }))
    .unwrap();
    drop(executor);
    let life_ns = pool.clock().now_ns() - before_ns;
    let worker = &pool.workers()[0];
    let waited_ns = worker.schedule_latency_histogram().unwrap().sum_ns();
    let polled_ns = worker.poll_time_histogram().unwrap().sum_ns();
    assert!(waited_ns > 0 && polled_ns > 0);
    // A wait that began anew at no yield would count the whole life a thousand times.
    assert!(waited_ns + polled_ns <= life_ns, "{waited_ns} + {polled_ns} in {life_ns} ns");
    assert!(worker.busy_duration_total() >= Duration::from_nanos(polled_ns));
}
