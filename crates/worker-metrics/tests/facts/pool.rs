use std::sync::Arc;
use std::time::Duration;

use worker_metrics::histogram::Scale;
use worker_metrics::{
    Batch, Counter, Coverage, Identity, Metric, Namespace, NamespaceError, Pool, PoolError, Snapshot, Source,
    WorkerConfig, WorkerState,
};

const SECOND: u64 = 1_000_000_000;

fn pool(workers: usize) -> (Pool, Vec<Batch>) {
    Pool::builder("render").workers(workers).build().unwrap()
}

#[test]
fn a_pool_gives_every_worker_its_batch_once() {
    let (pool, batches) = pool(3);
    assert_eq!(pool.workers().len(), 3);
    assert_eq!(pool.identity().workers, 3);
    for (worker, batch) in pool.workers().iter().zip(&batches) {
        assert!(Arc::ptr_eq(worker, batch.metrics()));
    }
}

#[test]
fn a_snapshot_holds_what_every_worker_submitted() {
    let (pool, mut batches) = pool(2);
    let now = pool.clock().now_ns();
    let worker = &mut batches[1];
    worker.start_poll_at(now);
    worker.stole(4);
    worker.scheduled_locally();
    worker.overflowed();
    worker.about_to_park_at(now + SECOND);
    worker.unparked_at(now + 2 * SECOND);
    worker.about_to_park_at(now + 2 * SECOND);
    worker.submit_at(now + 2 * SECOND);
    pool.workers()[1].set_queue_depth(6);
    pool.metrics().task_spawned();
    pool.metrics().scheduled_remotely();
    pool.metrics().yield_forced();
    pool.metrics().set_global_queue_depth(11);

    let mut snapshot = Snapshot::new();
    pool.collect_at(now + 3 * SECOND, &mut snapshot);
    let worker = &snapshot.workers()[1];
    assert_eq!(worker.state, Some(WorkerState::Idle));
    assert_eq!(worker.progress_age, Some(Duration::ZERO));
    assert_eq!(worker.count(Counter::Polls), Some(1));
    assert_eq!(worker.count(Counter::Steals), Some(4));
    assert_eq!(worker.count(Counter::StealOperations), Some(1));
    assert_eq!(worker.count(Counter::LocalSchedules), Some(1));
    assert_eq!(worker.count(Counter::Overflows), Some(1));
    assert_eq!(
        (worker.count(Counter::Parks), worker.unpark_count, worker.count(Counter::Noops)),
        (Some(2), Some(1), Some(1))
    );
    assert_eq!(worker.local_queue_depth, Some(6));
    assert!(worker.mean_poll_time.is_some_and(|mean| mean >= Duration::from_secs(1)));
    assert!(worker.busy_duration.is_some_and(|busy| busy >= Duration::from_secs(1)));
    assert_eq!(snapshot.workers()[0].count(Counter::Polls), Some(0));
    assert_eq!(snapshot.workers()[0].mean_poll_time, None, "unknown is absent");
    assert_eq!(snapshot.alive_task_count, Some(1));
    assert_eq!(snapshot.spawned_task_count, Some(1));
    assert_eq!(snapshot.remote_schedule_count, Some(1));
    assert_eq!(snapshot.forced_yield_count, Some(1));
    assert_eq!(snapshot.global_queue_depth, Some(11));
    assert_eq!(snapshot.blocking_thread_count, None);
    assert_eq!(snapshot.io_driver_ready_count, None);
}

#[test]
fn workers_are_busy_idle_or_stalled_and_the_states_add_up() {
    let (pool, mut batches) = pool(3);
    let now = pool.clock().now_ns();
    batches[0].about_to_park_at(now);
    batches[0].submit_at(now);
    batches[1].submit_at(now + 9 * SECOND);
    batches[2].submit_at(now);

    let mut snapshot = Snapshot::new();
    pool.collect_at(now + 10 * SECOND - 1, &mut snapshot);
    let in_state = |state| snapshot.workers_in(state);
    assert_eq!(in_state(WorkerState::Idle), Some(1));
    assert_eq!(in_state(WorkerState::Busy), Some(1));
    assert_eq!(in_state(WorkerState::Stalled), Some(1));
    assert_eq!(snapshot.workers()[2].state, Some(WorkerState::Stalled));
}

#[test]
fn the_stall_threshold_is_the_first_age_that_stalls() {
    let (pool, mut batches) =
        Pool::builder("render").workers(1).stall_threshold(Duration::from_secs(5)).build().unwrap();
    let now = pool.clock().now_ns();
    batches[0].submit_at(now);
    let mut snapshot = Snapshot::new();
    pool.collect_at(now + 5 * SECOND - 1, &mut snapshot);
    assert_eq!(snapshot.workers()[0].state, Some(WorkerState::Busy));
    pool.collect_at(now + 5 * SECOND, &mut snapshot);
    assert_eq!(snapshot.workers()[0].state, Some(WorkerState::Stalled));
}

#[test]
fn busy_time_is_never_reported_backwards() {
    let (pool, mut batches) = pool(1);
    let now = pool.clock().now_ns();
    batches[0].submit_at(now);
    let mut snapshot = Snapshot::new();
    pool.collect_at(now + 10 * SECOND, &mut snapshot);
    let late = snapshot.workers()[0].busy_duration;
    pool.collect_at(now + 5 * SECOND, &mut snapshot);
    assert_eq!(snapshot.workers()[0].busy_duration, late);
}

#[test]
fn reading_resets_nothing() {
    let (pool, mut batches) = pool(1);
    batches[0].start_poll();
    batches[0].about_to_park();
    batches[0].submit();
    let (mut one, mut other) = (Snapshot::new(), Snapshot::new());
    pool.collect_at(u64::MAX, &mut one);
    pool.collect_at(u64::MAX, &mut other);
    assert_eq!(one, other);
}

#[test]
fn histograms_are_read_only_when_they_are_wanted() {
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
    batches[0].start_poll_at(0);
    batches[0].end_poll_at(5);
    batches[0].submit();

    let mut without = Snapshot::new();
    pool.collect(&mut without);
    assert!(without.workers()[0].poll_time_histogram.buckets.is_empty());
    let mut with = Snapshot::with_histograms();
    pool.collect(&mut with);
    assert_eq!(with.workers()[0].poll_time_histogram.count(), 1);
    assert!(with.workers()[0].schedule_latency_histogram.buckets.is_empty());
}

#[test]
fn collecting_a_pool_again_allocates_nothing() {
    let config = WorkerConfig::new()
        .with_poll_time_histogram(Scale::preset())
        .with_schedule_latency_histogram(Scale::preset());
    let (pool, _batches) = Pool::builder("render").workers(16).config(config).build().unwrap();
    let mut snapshot = Snapshot::with_histograms();
    pool.collect(&mut snapshot);
    let again = allocation_counter::measure(|| pool.collect(&mut snapshot));
    assert_eq!(again.count_total, 0);
}

#[test]
fn recording_allocates_nothing() {
    let config = WorkerConfig::new()
        .with_poll_time_histogram(Scale::preset())
        .with_schedule_latency_histogram(Scale::preset());
    let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
    let recording = allocation_counter::measure(|| {
        let batch = &mut batches[0];
        batch.start_poll();
        batch.end_poll();
        batch.scheduled_for(Duration::from_micros(3));
        batch.scheduled_locally();
        batch.overflowed();
        batch.stole(2);
        batch.about_to_park();
        batch.submit();
        batch.unparked();
        batch.submit();
        pool.workers()[0].set_queue_depth(2);
        pool.metrics().task_spawned();
        pool.metrics().task_completed();
    });
    assert_eq!(recording.count_total, 0);
}

#[test]
fn a_pool_says_what_it_does_not_cover_and_why() {
    let (pool, _batches) = pool(1);
    let uncovered: Vec<_> = pool
        .definitions()
        .iter()
        .filter(|row| !row.is_covered())
        .map(|row| (row.metric(), row.coverage))
        .collect();
    let needs = Coverage::Missing;
    assert_eq!(
        uncovered,
        [
            (Metric::WorkerStalls, Coverage::LeftToWatchdog),
            (Metric::WorkerStallDuration, Coverage::LeftToWatchdog),
            (Metric::WorkerMicrostateTime, needs("needs `WorkerConfig::with_microstates`")),
            (Metric::TaskPollDuration, needs("needs `WorkerConfig::with_poll_time_histogram`")),
            (Metric::TaskScheduleDuration, needs("needs `WorkerConfig::with_schedule_latency_histogram`")),
        ]
    );
}

#[test]
fn what_no_pool_can_have_is_not_listed() {
    let (pool, _batches) = pool(1);
    let listed = |metric: &&Metric| pool.definitions().iter().any(|row| row.metric() == **metric);
    let absent: Vec<_> = Metric::ALL.iter().filter(|metric| !listed(metric)).copied().collect();
    assert_eq!(
        absent,
        [
            Metric::TimerDelay,
            Metric::BlockingThreadCount,
            Metric::BlockingQueueSize,
            Metric::TaskGroupPollDuration,
            Metric::TaskGroupScheduleDuration,
            Metric::IoDriverFdRegistered,
            Metric::IoDriverFdDeregistered,
            Metric::IoDriverFdCount,
            Metric::IoDriverReadyEvents,
        ]
    );
}

#[test]
fn a_metric_can_be_left_out() {
    let (pool, _batches) = Pool::builder("jobs").workers(1).without(Metric::WorkerOverflows).build().unwrap();
    let row = pool.definitions().iter().find(|row| row.metric() == Metric::WorkerOverflows).unwrap();
    assert_eq!(row.coverage, Coverage::Missing("left out by `PoolBuilder::without`"));
}

#[test]
fn pools_have_identifiers_of_their_own() {
    let (one, _batches) = pool(1);
    let (other, _batches) = pool(1);
    assert_ne!(one.identity().id, other.identity().id);
    assert_eq!(one.identity().name.as_deref(), Some("render"));
    assert_eq!(one.identity().namespace, Namespace::WORKER_POOL);
}

#[test]
fn a_pool_may_have_a_namespace_of_its_own() -> Result<(), NamespaceError> {
    let namespace = Namespace::new("acme.render")?;
    let (pool, _batches) = Pool::builder("main").workers(1).namespace(namespace.clone()).build().unwrap();
    assert_eq!(pool.identity().namespace, namespace);
    Ok(())
}

#[test]
fn bad_pools_are_refused_by_value_and_remedy() {
    let message = |builder: worker_metrics::PoolBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(
        message(Pool::builder("").workers(1)),
        "the pool's name is empty: give it the name that its series shall carry"
    );
    assert_eq!(
        message(Pool::builder("jobs")),
        "the pool has 0 workers: set `PoolBuilder::workers` to at least 1"
    );
    assert_eq!(
        message(Pool::builder("jobs").workers(5_000_000_000)),
        "the pool has 5000000000 workers: set at most 4294967295"
    );
    assert_eq!(
        message(Pool::builder("jobs").workers(1).stall_threshold(Duration::ZERO)),
        "the stall threshold is 0, so that every worker would be stalled: set some time above 0"
    );
    assert_eq!(
        message(Pool::builder("jobs").workers(1).namespace(Namespace::TOKIO)),
        "the namespace \"tokio\" is for Tokio's own runtimes: choose one with `Namespace::new`"
    );
}

#[test]
fn a_name_may_be_so_long_and_an_error_shows_only_its_beginning() {
    let built = |len: usize| Pool::builder("ü".repeat(len / 2)).workers(1).build();
    assert!(built(Identity::MAX_NAME_LEN).is_ok());
    let error = built(1 << 20).unwrap_err();
    assert_eq!(error, PoolError::NameTooLong { begin: "ü".repeat(40), len: 1 << 20 });
    assert_eq!(
        error.to_string(),
        format!(
            "the pool's name \"{}\"… has 1048576 bytes: use at most 200, since every series carries it",
            "ü".repeat(40)
        )
    );
}
