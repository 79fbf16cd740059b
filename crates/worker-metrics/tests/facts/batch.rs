use std::time::Duration;

use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, WorkerConfig, WorkerMetrics};

const SECOND: u64 = 1_000_000_000;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nothing_is_seen_before_submit_and_all_of_it_after() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();

    batch.start_poll_at(0);
    batch.scheduled_locally();
    batch.scheduled_locally();
    batch.overflowed();
    batch.stole(5);
    batch.stole(2);
    batch.end_poll_at(10);
    batch.about_to_park_at(3 * SECOND);
    assert_eq!(metrics.poll_count(), 0);
    assert_eq!(metrics.park_count(), 0);

    batch.submit_at(3 * SECOND);
    assert_eq!(metrics.poll_count(), 1);
    assert_eq!(metrics.local_schedule_count(), 2);
    assert_eq!(metrics.overflow_count(), 1);
    assert_eq!(metrics.steal_count(), 7);
    assert_eq!(metrics.steal_operations(), 2);
    assert_eq!(metrics.park_count(), 1);
    assert_eq!(metrics.park_unpark_count(), 1);
    assert_eq!(metrics.noop_count(), 0);
    assert_eq!(metrics.busy_duration_total(), seconds(3));
}

#[test]
fn submitting_again_changes_nothing() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    batch.start_poll_at(0);
    batch.stole(5);
    batch.about_to_park_at(SECOND);
    batch.submit_at(SECOND);
    batch.submit_at(9 * SECOND);
    let metrics = batch.metrics();
    assert_eq!((metrics.poll_count(), metrics.steal_count()), (1, 5));
    assert_eq!(metrics.busy_duration_total(), seconds(1));
}

#[test]
fn the_park_unpark_count_is_even_while_it_runs_and_odd_while_it_is_parked() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();
    for parks in 1..=3 {
        batch.about_to_park_at(parks);
        batch.submit_at(parks);
        assert_eq!((metrics.park_count(), metrics.park_unpark_count()), (parks, 2 * parks - 1));
        assert!(!metrics.is_running());
        batch.unparked_at(parks);
        batch.submit_at(parks);
        assert_eq!((metrics.park_count(), metrics.park_unpark_count()), (parks, 2 * parks));
        assert!(metrics.is_running());
    }
}

#[test]
fn a_park_or_an_unpark_reported_twice_counts_once() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();
    batch.unparked_at(SECOND);
    batch.about_to_park_at(2 * SECOND);
    batch.about_to_park_at(3 * SECOND);
    batch.submit_at(3 * SECOND);
    assert_eq!((metrics.park_count(), metrics.park_unpark_count()), (1, 1));
    assert_eq!(metrics.busy_duration_total(), seconds(2));
    batch.unparked_at(10 * SECOND);
    batch.unparked_at(20 * SECOND);
    batch.submit_at(21 * SECOND);
    assert_eq!((metrics.park_count(), metrics.park_unpark_count()), (1, 2));
    assert_eq!(metrics.busy_duration_total(), seconds(13));
}

#[test]
fn a_wake_without_a_poll_is_a_noop() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    batch.start_poll_at(0);
    batch.about_to_park_at(0);
    batch.unparked_at(0);
    batch.about_to_park_at(0);
    batch.unparked_at(0);
    batch.start_poll_at(0);
    batch.about_to_park_at(0);
    batch.submit_at(0);
    assert_eq!(batch.metrics().noop_count(), 1);
}

#[test]
fn parked_time_is_not_busy_time() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();
    batch.about_to_park_at(SECOND);
    batch.submit_at(SECOND);
    assert_eq!(metrics.live_busy_duration(50 * SECOND), seconds(1));
    batch.unparked_at(60 * SECOND);
    batch.submit_at(60 * SECOND);
    batch.about_to_park_at(62 * SECOND);
    batch.submit_at(62 * SECOND);
    assert_eq!(metrics.busy_duration_total(), seconds(3));
    assert_eq!(metrics.live_busy_duration(100 * SECOND), seconds(3));
}

#[test]
fn a_blocked_worker_is_busy_while_it_blocks() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();
    batch.about_to_park_at(SECOND);
    batch.unparked_at(10 * SECOND);
    batch.submit_at(10 * SECOND);
    batch.start_poll_at(10 * SECOND);

    let mut last = Duration::ZERO;
    for now in 10..40 {
        let live = metrics.live_busy_duration(now * SECOND);
        assert_eq!(live, seconds(1 + now - 10));
        assert_eq!(metrics.progress_age(now * SECOND), seconds(now - 10));
        assert!(live >= last);
        last = live;
    }
    assert_eq!(metrics.busy_duration_total(), seconds(1), "nothing was submitted since");

    batch.end_poll_at(40 * SECOND);
    batch.about_to_park_at(40 * SECOND);
    batch.submit_at(40 * SECOND);
    assert_eq!(metrics.busy_duration_total(), seconds(31));
    assert!(last <= metrics.busy_duration_total());
    assert_eq!(metrics.progress_age(90 * SECOND), Duration::ZERO);
}

#[test]
fn a_worker_that_submits_gets_on_though_it_never_parks() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();
    for now in 1..100 {
        batch.start_poll_at(now * SECOND);
        batch.submit_at(now * SECOND);
        assert_eq!(metrics.progress_age(now * SECOND + 5), Duration::from_nanos(5));
        assert_eq!(metrics.live_busy_duration(now * SECOND + 5), seconds(now) + Duration::from_nanos(5));
    }
}

#[test]
fn the_mean_poll_time_begins_at_the_first_and_follows_with_a_tenth_for_each_poll() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    let metrics = batch.metrics().clone();
    batch.start_poll_at(0);
    batch.submit_at(1_000);
    assert_eq!(metrics.mean_poll_time(), Some(Duration::from_nanos(1_000)));
    batch.start_poll_at(1_000);
    batch.submit_at(3_000);
    assert_eq!(metrics.mean_poll_time(), Some(Duration::from_nanos(1_100)));
}

#[test]
fn a_batch_of_polls_moves_the_mean_as_far_as_its_single_polls_do() {
    let mean_after = |batches: &[u64]| {
        let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
        batch.start_poll_at(0);
        batch.submit_at(1_000);
        let mut now = 1_000;
        for polls in batches {
            for _ in 0..*polls {
                batch.start_poll_at(now);
                now += 5_000;
            }
            batch.submit_at(now);
        }
        batch.metrics().mean_poll_time().unwrap()
    };
    assert_eq!(mean_after(&[20]), mean_after(&[1; 20]));
    assert_eq!(mean_after(&[1_000_000]), Duration::from_nanos(5_000));
}

#[test]
fn polls_and_delays_are_counted_by_duration_with_an_exact_sum() {
    let config = WorkerConfig::new()
        .with_poll_time_histogram(Scale::preset())
        .with_schedule_latency_histogram(Scale::preset());
    let mut batch = Batch::new_at(WorkerMetrics::from_config(&config), 0);
    for duration in [7, 11, 20_000_000_000] {
        batch.start_poll_at(100);
        batch.end_poll_at(100 + duration);
        batch.scheduled_for(Duration::from_nanos(duration));
    }
    batch.scheduled_for(Duration::MAX);
    batch.submit_at(0);
    let polls = batch.metrics().poll_time_histogram().unwrap().snapshot();
    assert_eq!((polls.count(), polls.sum_ns), (3, Some(20_000_000_018)));
    let delays = batch.metrics().schedule_latency_histogram().unwrap().snapshot();
    assert_eq!((delays.count(), delays.buckets.last().copied()), (4, Some(2)));
}

#[test]
fn a_poll_that_ends_before_it_began_lasted_no_time() {
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let mut batch = Batch::new_at(WorkerMetrics::from_config(&config), 0);
    batch.start_poll_at(100);
    batch.end_poll_at(50);
    batch.submit_at(50);
    let polls = batch.metrics().poll_time_histogram().unwrap().snapshot();
    assert_eq!((polls.count(), polls.sum_ns), (1, Some(0)));
}

#[test]
fn a_clock_that_goes_backwards_takes_no_busy_time_away() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 10 * SECOND);
    batch.submit_at(20 * SECOND);
    batch.submit_at(15 * SECOND);
    assert_eq!(batch.metrics().busy_duration_total(), seconds(10));
    batch.submit_at(25 * SECOND);
    assert_eq!(batch.metrics().busy_duration_total(), seconds(15));
}

#[test]
fn a_clock_that_goes_backwards_takes_no_busy_time_away_that_is_not_submitted_yet() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    batch.about_to_park_at(10 * SECOND);
    batch.unparked_at(20 * SECOND);
    batch.about_to_park_at(15 * SECOND);
    batch.submit_at(15 * SECOND);
    assert_eq!(batch.metrics().busy_duration_total(), seconds(10));
    batch.unparked_at(30 * SECOND);
    batch.submit_at(31 * SECOND);
    assert_eq!(batch.metrics().busy_duration_total(), seconds(11));
}

#[test]
fn parks_between_two_submits_leave_their_times_to_the_next() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    for now in [10, 30, 50] {
        batch.start_poll_at(now * SECOND);
        batch.about_to_park_at((now + 5) * SECOND);
        batch.unparked_at((now + 10) * SECOND);
    }
    batch.submit_at(60 * SECOND);
    assert_eq!(batch.metrics().busy_duration_total(), seconds(15 + 15 + 15));
    assert_eq!(batch.metrics().mean_poll_time(), Some(seconds(15)));
}

#[test]
fn dropping_the_batch_submits_what_is_left_and_ends_the_worker() {
    let mut batch = Batch::new(WorkerMetrics::new());
    let metrics = batch.metrics().clone();
    batch.start_poll();
    batch.end_poll();
    drop(batch);
    assert_eq!(metrics.poll_count(), 1);
    assert!(!metrics.is_running());
    assert_eq!(metrics.progress_age(u64::MAX), Duration::ZERO);
    assert_eq!(metrics.live_busy_duration(u64::MAX), metrics.busy_duration_total());
}

#[test]
fn a_batch_moves_with_its_worker_to_another_thread() {
    let mut batch = Batch::new(WorkerMetrics::new());
    let metrics = batch.metrics().clone();
    batch.start_poll();
    let mut batch = std::thread::spawn(move || {
        batch.start_poll();
        batch
    })
    .join()
    .unwrap();
    batch.submit();
    assert_eq!(metrics.poll_count(), 2);
}
