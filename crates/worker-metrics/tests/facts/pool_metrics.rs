use worker_metrics::PoolMetrics;

#[test]
fn live_tasks_are_those_that_were_spawned_and_have_not_ended() {
    let metrics = PoolMetrics::new();
    for _ in 0..5 {
        metrics.task_spawned();
    }
    for _ in 0..2 {
        metrics.task_completed();
    }
    assert_eq!((metrics.spawned_tasks_count(), metrics.alive_tasks_count()), (5, 3));
}

#[test]
fn live_tasks_are_never_below_none() {
    let metrics = PoolMetrics::new();
    metrics.task_completed();
    assert_eq!(metrics.alive_tasks_count(), 0);
}

#[test]
fn many_threads_count_together() {
    let metrics = PoolMetrics::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    metrics.task_spawned();
                    metrics.scheduled_remotely();
                    metrics.yield_forced();
                    metrics.task_completed();
                }
            });
        }
    });
    assert_eq!(metrics.spawned_tasks_count(), 4_000);
    assert_eq!(metrics.remote_schedule_count(), 4_000);
    assert_eq!(metrics.budget_forced_yield_count(), 4_000);
    assert_eq!(metrics.alive_tasks_count(), 0);
}

#[test]
fn the_global_queue_is_as_long_as_last_set() {
    let metrics = PoolMetrics::new();
    metrics.set_global_queue_depth(9);
    metrics.set_global_queue_depth(4);
    assert_eq!(metrics.global_queue_depth(), 4);
}
