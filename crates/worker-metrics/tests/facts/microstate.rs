use std::thread;
use std::time::Duration;

use worker_metrics::{
    Batch, Clock, Microstate, MicrostateTimes, Pool, Snapshot, Source, WorkerConfig, WorkerMetrics,
};

const SECOND: u64 = 1_000_000_000;

fn batch() -> Batch {
    Batch::new_at(WorkerMetrics::from_config(&WorkerConfig::new().with_microstates()), 0)
}

fn times(batch: &Batch, now_s: u64) -> MicrostateTimes {
    batch.metrics().microstate_times(now_s * SECOND).unwrap()
}

/// Polling, scheduling, searching, driving, parked.
fn seconds(times: &MicrostateTimes) -> [u64; 5] {
    Microstate::ALL.map(|state| times.of(state).as_secs())
}

#[test]
fn each_event_ends_one_state_and_begins_the_next() {
    let mut batch = batch();
    batch.start_poll_at(SECOND);
    batch.end_poll_at(3 * SECOND);
    batch.enter_at(Microstate::Searching, 4 * SECOND);
    batch.enter_at(Microstate::Driving, 7 * SECOND);
    batch.about_to_park_at(12 * SECOND);
    batch.unparked_at(20 * SECOND);
    assert_eq!(seconds(&times(&batch, 21)), [2, 3, 3, 5, 8]);
}

#[test]
fn the_sum_of_all_states_is_the_wall_time() {
    let mut batch = batch();
    assert_eq!(times(&batch, 0).total(), Duration::ZERO);
    let mut now_s = 0;
    for round in 0..50 {
        now_s += 1 + round % 3;
        match round % 6 {
            0 => batch.start_poll_at(now_s * SECOND),
            1 => batch.end_poll_at(now_s * SECOND),
            2 => batch.enter_at(Microstate::Searching, now_s * SECOND),
            3 => batch.enter_at(Microstate::Driving, now_s * SECOND),
            4 => batch.about_to_park_at(now_s * SECOND),
            _ => batch.unparked_at(now_s * SECOND),
        }
        assert_eq!(times(&batch, now_s).total().as_secs(), now_s);
        assert_eq!(times(&batch, now_s + 5).total().as_secs(), now_s + 5, "and between two events");
    }
}

#[test]
fn a_state_is_seen_to_grow_while_it_lasts() {
    let mut batch = batch();
    batch.start_poll_at(SECOND);
    for now_s in 2..60 {
        assert_eq!(seconds(&times(&batch, now_s)), [now_s - 1, 1, 0, 0, 0], "nothing was submitted");
    }
}

#[test]
fn a_clock_that_goes_back_takes_nothing_away() {
    let mut batch = batch();
    batch.start_poll_at(5 * SECOND);
    batch.end_poll_at(3 * SECOND);
    assert_eq!(seconds(&times(&batch, 6)), [0, 6, 0, 0, 0]);
}

#[test]
fn the_times_of_a_worker_that_is_gone_stand_still() {
    let mut batch = Batch::new(WorkerMetrics::from_config(&WorkerConfig::new().with_microstates()));
    batch.start_poll();
    let metrics = batch.metrics().clone();
    drop(batch);
    let at = |now_ns| metrics.microstate_times(now_ns).unwrap();
    let now_ns = metrics.clock().now_ns();
    assert_eq!(at(now_ns), at(now_ns + 60 * SECOND));
}

#[test]
fn without_the_option_there_are_none_and_entering_does_nothing() {
    let mut batch = Batch::new_at(WorkerMetrics::new(), 0);
    batch.enter(Microstate::Searching);
    batch.start_poll_at(SECOND);
    assert_eq!(batch.metrics().microstate_times(2 * SECOND), None);
}

#[test]
fn no_reader_sees_a_state_go_back_or_run_ahead_of_the_clock() {
    let (pool, mut batches) =
        Pool::builder("seen").workers(1).config(WorkerConfig::new().with_microstates()).build().unwrap();
    let mut batch = batches.pop().unwrap();
    let clock: Clock = pool.clock();
    let began_ns = clock.now_ns();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for _ in 0..20_000 {
                batch.start_poll();
                batch.end_poll();
                batch.enter(Microstate::Searching);
                batch.about_to_park();
                batch.unparked();
            }
            batch
        });
        let (mut snapshot, mut before) = (Snapshot::new(), MicrostateTimes::default());
        while !writer.is_finished() {
            pool.collect(&mut snapshot);
            let after_ns = clock.now_ns();
            let times = snapshot.workers()[0].microstates.unwrap();
            for state in Microstate::ALL {
                assert!(times.of(state) >= before.of(state), "{state:?}");
                assert!(times.of(state) <= Duration::from_nanos(after_ns));
            }
            before = times;
            thread::yield_now();
        }
        // Kept until here: a batch that is gone no longer counts.
        let batch = writer.join().unwrap();
        let now_ns = clock.now_ns();
        let total = batch.metrics().microstate_times(now_ns).unwrap().total();
        assert!((Duration::from_nanos(now_ns - began_ns)..=Duration::from_nanos(now_ns)).contains(&total));
    });
}
