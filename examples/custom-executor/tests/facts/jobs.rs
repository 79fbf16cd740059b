use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use custom_executor::{JobPool, JoinError};
use worker_metrics::{Coverage, Metric, Microstate, Snapshot, Source};

use crate::gate::Gate;
use crate::totals::Totals;
use crate::waiting::{result_of, until_all_are_parked};

#[test]
fn every_job_is_counted_once_as_a_poll() {
    const JOBS: u64 = 1_000;
    let jobs = JobPool::start("render", 3).unwrap();
    let pool = Arc::clone(jobs.pool());
    let ran = Arc::new(AtomicU64::new(0));
    let job = |job| {
        let ran = Arc::clone(&ran);
        jobs.submit(move || {
            ran.fetch_add(1, SeqCst);
            assert!(job % 10 != 3, "a job that panics");
            job
        })
    };
    let handles: Vec<_> = (0..JOBS).map(job).collect();
    let results: Vec<_> = handles.into_iter().map(result_of).collect();
    assert_eq!(results.iter().filter_map(|result| result.as_ref().ok()).count() as u64, JOBS / 10 * 9);
    assert!(matches!(&results[3], Err(JoinError::Panicked(Some(text))) if text == "a job that panics"));
    until_all_are_parked(&pool);
    drop(jobs);

    let totals = Totals::of(&pool);
    assert_eq!((ran.load(SeqCst), totals.polls), (JOBS, JOBS));
    assert_eq!((totals.timed_polls, totals.timed_schedules), (JOBS, JOBS));
    assert_eq!(pool.metrics().spawned_tasks_count(), JOBS);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
    assert!(totals.parks >= 3);
    let now_ns = pool.clock().now_ns();
    for worker in pool.workers() {
        assert_eq!(worker.park_unpark_count(), 2 * worker.park_count());
        assert!(worker.thread_id().is_some());
        let times = worker.microstate_times(now_ns).unwrap();
        assert_eq!(worker.busy_duration_total(), times.total() - times.of(Microstate::Parked));
    }
}

#[test]
fn jobs_that_wait_are_seen_in_the_queue_and_dropped_at_the_shutdown() {
    let jobs = JobPool::start("render", 1).unwrap();
    let pool = Arc::clone(jobs.pool());
    let gate = Gate::default();
    let blocking = jobs.submit({
        let gate = gate.clone();
        move || gate.pass()
    });
    gate.wait_for(1);
    // The job that comes next takes the pool down.
    let (give, take) = std::sync::mpsc::channel::<JobPool>();
    let last = jobs.submit(move || drop(take.recv().unwrap()));
    let waiting: Vec<_> = (0..5).map(|job| jobs.submit(move || job)).collect();
    assert_eq!(pool.metrics().global_queue_depth(), 6);
    assert_eq!(pool.metrics().alive_tasks_count(), 7);
    give.send(jobs).unwrap();
    gate.open();
    result_of(blocking).unwrap();
    result_of(last).unwrap();
    for job in waiting {
        assert!(matches!(result_of(job), Err(JoinError::Dropped)));
    }
    assert_eq!(pool.metrics().global_queue_depth(), 0);
    assert_eq!(pool.metrics().alive_tasks_count(), 0);
}

#[test]
fn what_has_no_meaning_for_jobs_is_left_out_and_not_zero() {
    let jobs = JobPool::start("render", 1).unwrap();
    let left_out = |metric: Metric| {
        let row = jobs.pool().definitions().iter().find(|row| row.metric() == metric).unwrap();
        matches!(row.coverage, Coverage::Missing(_))
    };
    for metric in JobPool::WITHOUT {
        assert!(left_out(metric), "{metric:?}");
    }
    for metric in [
        Metric::WorkerPolls,
        Metric::TaskPollDuration,
        Metric::TaskScheduleDuration,
        Metric::WorkerMicrostateTime,
    ] {
        assert!(!left_out(metric), "{metric:?}");
    }
    let mut snapshot = Snapshot::new();
    jobs.pool().collect(&mut snapshot);
    assert_eq!(snapshot.workers().len(), 1);
}
