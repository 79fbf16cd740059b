use std::time::Duration;

use worker_metrics::{Counter, Snapshot, TaskGroupSnapshot, WorkerState};

#[test]
fn a_snapshot_that_begins_again_has_forgotten_everything() {
    let mut snapshot = Snapshot::with_histograms();
    snapshot.begin(2)[1].set_count(Counter::Polls, 3);
    snapshot.alive_task_count = Some(4);
    snapshot.timer_delay_histogram.buckets.push(1);
    snapshot.begin(1);
    let mut fresh = Snapshot::with_histograms();
    fresh.begin(1);
    assert_eq!(snapshot, fresh);
    assert!(snapshot.wants_histograms());
}

#[test]
fn states_that_are_not_known_are_not_counted() {
    let mut snapshot = Snapshot::new();
    snapshot.begin(2);
    assert_eq!(snapshot.workers_in(WorkerState::Idle), None);
    snapshot.begin(2)[0].state = Some(WorkerState::Busy);
    assert_eq!(snapshot.workers_in(WorkerState::Idle), Some(0));
    assert_eq!(snapshot.workers_in(WorkerState::Busy), Some(1));
}

#[test]
fn only_a_running_worker_can_be_stalled() {
    let second = Duration::from_secs(1);
    assert_eq!(WorkerState::of(false, 9 * second, second), WorkerState::Idle);
    assert_eq!(WorkerState::of(true, second, second), WorkerState::Stalled);
    assert_eq!(WorkerState::of(true, second / 2, second), WorkerState::Busy);
}

#[test]
fn task_groups_are_empty_when_a_snapshot_begins_again() {
    let mut snapshot = Snapshot::with_histograms();
    snapshot.begin(1);
    snapshot.task_groups_mut(2)[1].poll_time_histogram.buckets.push(7);
    snapshot.begin(1);
    assert_eq!(snapshot.task_groups(), vec![TaskGroupSnapshot::default(); 2]);
    assert_eq!(snapshot.task_groups_mut(1).len(), 1);
}
