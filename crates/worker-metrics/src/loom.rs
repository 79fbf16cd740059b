//! What a reader may see of a worker that submits meanwhile: every order that the memory model
//! allows.
//!
//! Run by
//! `RUSTFLAGS="--cfg worker_metrics_loom" cargo test -p worker-metrics --lib --release loom`. One
//! reader and one writer in each model: there are no others.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use crate::histogram::{Histogram, HistogramSnapshot, HistogramWriter, Scale};
use crate::{Batch, Microstate, WorkerConfig, WorkerMetrics};

fn batch(config: &WorkerConfig) -> Batch {
    Batch::new_at(WorkerMetrics::from_config(config), 0)
}

fn parked_at_10() -> Batch {
    let mut batch = batch(&WorkerConfig::new());
    batch.about_to_park_at(10);
    batch.submit_at(10);
    batch
}

/// Runs a writer with its batch against a reader, and returns both ends when the writer is done.
fn race<R: 'static>(
    batch: Batch,
    write: impl FnOnce(Batch) -> R + 'static,
    read: impl FnOnce(&WorkerMetrics),
) -> (Arc<WorkerMetrics>, R) {
    let metrics = Arc::clone(batch.metrics());
    let writer = thread::spawn(move || write(batch));
    read(&metrics);
    (metrics, writer.join().expect("the writer does not panic"))
}

/// Two rounds of every event, submitted one by one. The batch comes back, so that nothing but
/// `submit` publishes.
fn two_rounds(mut batch: Batch) -> Batch {
    for round in 1..=2 {
        batch.start_poll_at(round * 10);
        batch.stole(1);
        batch.scheduled_locally();
        batch.overflowed();
        batch.end_poll_at(round * 10 + 1);
        batch.about_to_park_at(round * 10 + 1);
        batch.unparked_at(round * 10 + 2);
        batch.about_to_park_at(round * 10 + 2);
        batch.submit_at(round * 10 + 2);
        batch.unparked_at(round * 10 + 3);
    }
    batch
}

#[test]
fn a_total_never_goes_backwards_and_is_whole_when_the_writer_is_gone() {
    let totals: [(fn(&WorkerMetrics) -> u64, u64); 8] = [
        (WorkerMetrics::poll_count, 2),
        (WorkerMetrics::steal_count, 2),
        (WorkerMetrics::steal_operations, 2),
        (WorkerMetrics::local_schedule_count, 2),
        (WorkerMetrics::overflow_count, 2),
        (WorkerMetrics::park_count, 4),
        (WorkerMetrics::noop_count, 2),
        (|metrics| u64::try_from(metrics.busy_duration_total().as_nanos()).expect("small"), 19),
    ];
    for (total, whole) in totals {
        loom::model(move || {
            let (metrics, _batch) = race(batch(&WorkerConfig::new()), two_rounds, |metrics| {
                let (one, two) = (total(metrics), total(metrics));
                assert!(one <= two && two <= whole, "{one}, then {two}, of {whole}");
            });
            assert_eq!(total(&metrics), whole);
        });
    }
}

#[test]
fn the_parity_follows_parks_and_unparks_in_their_order() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            batch.about_to_park_at(1);
            batch.submit_at(1);
            batch.unparked_at(2);
            batch.submit_at(2);
            batch
        };
        let (metrics, _batch) = race(batch(&WorkerConfig::new()), write, |metrics| {
            let (one, two) = (metrics.park_unpark_count(), metrics.park_unpark_count());
            assert!(one <= two && two <= 2, "{one}, then {two}");
        });
        assert_eq!((metrics.park_count(), metrics.park_unpark_count()), (1, 2));
        assert!(metrics.is_running());
    });
}

/// Looks twice at the busy time, and keeps the largest.
fn look_at_busy_time(metrics: &WorkerMetrics) {
    let mut reported = Duration::ZERO;
    for now_ns in [55, 60] {
        let busy = metrics.live_busy_duration(now_ns).max(reported);
        assert!(reported <= busy && busy <= Duration::from_nanos(now_ns), "{busy:?} at {now_ns}");
        reported = busy;
    }
}

#[test]
fn live_busy_time_is_never_ahead_of_the_clock_while_a_worker_parks() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            batch.about_to_park_at(10);
            batch.submit_at(10);
            batch
        };
        let (metrics, _batch) = race(batch(&WorkerConfig::new()), write, look_at_busy_time);
        assert_eq!(metrics.live_busy_duration(60), Duration::from_nanos(10));
    });
}

#[test]
fn live_busy_time_is_never_ahead_of_the_clock_while_a_worker_unparks() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            batch.unparked_at(50);
            batch.submit_at(50);
            batch.submit_at(52);
            batch
        };
        let (metrics, _batch) = race(parked_at_10(), write, look_at_busy_time);
        assert_eq!(metrics.live_busy_duration(60), Duration::from_nanos(20), "parked for 40 of 60");
    });
}

#[test]
fn a_worker_that_is_seen_to_run_again_was_neither_busy_nor_stalled_while_it_was_parked() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            batch.unparked_at(50);
            batch.submit_at(50);
            batch
        };
        race(parked_at_10(), write, |metrics| {
            if metrics.is_running() {
                assert_eq!(metrics.live_busy_duration(60), Duration::from_nanos(20));
                assert_eq!(metrics.progress_age(60), Duration::from_nanos(10));
            }
        });
    });
}

#[test]
fn a_worker_that_is_gone_runs_no_more() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            batch.start_poll_at(1);
            drop(batch);
        };
        let (metrics, ()) = race(batch(&WorkerConfig::new()), write, |metrics| {
            let (one, two) = (metrics.is_running(), metrics.is_running());
            assert!(one || !two, "it came back");
        });
        assert!(!metrics.is_running());
        assert_eq!(metrics.poll_count(), 1, "what was left was submitted");
        assert_eq!(metrics.progress_age(u64::MAX), Duration::ZERO);
    });
}

#[test]
fn each_microstate_never_goes_back_and_is_never_ahead_of_the_clock() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            batch.start_poll_at(10);
            batch.end_poll_at(30);
            batch
        };
        let (metrics, _batch) = race(batch(&WorkerConfig::new().with_microstates()), write, |metrics| {
            let mut reported = metrics.microstate_times(30).expect("they are kept");
            for now_ns in [40, 50] {
                let mut times = metrics.microstate_times(now_ns).expect("they are kept");
                times.raise(&reported);
                for state in Microstate::ALL {
                    assert!(times.of(state) >= reported.of(state));
                    assert!(times.of(state) <= Duration::from_nanos(now_ns), "{state:?} at {now_ns}");
                }
                reported = times;
            }
        });
        let times = metrics.microstate_times(50).expect("they are kept");
        assert_eq!(times.of(Microstate::Polling), Duration::from_nanos(20));
        assert_eq!(times.total(), Duration::from_nanos(50), "their sum is the time on the clock");
    });
}

/// Two snapshots, one after the other, of a histogram into which no more than two values of 1 and
/// 1,000 ns are measured.
fn look_twice(histogram: &Histogram) {
    let (mut earlier, mut later) = (HistogramSnapshot::default(), HistogramSnapshot::default());
    histogram.snapshot_into(&mut earlier);
    histogram.snapshot_into(&mut later);
    assert!(earlier.count() <= later.count() && later.count() <= 2);
    for (earlier, later) in earlier.buckets.iter().zip(&later.buckets) {
        assert!(earlier <= later);
    }
    let measured = histogram.sum_ns();
    assert!([0, 1, 1_001].contains(&measured), "{measured}");
}

fn two_buckets() -> Scale {
    Scale::linear(Duration::from_nanos(100), 2).expect("a scale")
}

#[test]
fn the_count_of_a_snapshot_never_goes_back_and_never_exceeds_what_was_measured() {
    loom::model(|| {
        let write = |mut batch: Batch| {
            for (start_ns, end_ns) in [(0, 1), (1, 1_001)] {
                batch.start_poll_at(start_ns);
                batch.end_poll_at(end_ns);
                batch.submit_at(end_ns);
            }
            batch
        };
        let config = WorkerConfig::new().with_poll_time_histogram(two_buckets());
        let (metrics, _batch) = race(batch(&config), write, |metrics| {
            look_twice(metrics.poll_time_histogram().expect("it is kept"))
        });
        let snapshot = metrics.poll_time_histogram().expect("it is kept").snapshot();
        assert_eq!(snapshot.buckets, [1, 1]);
    });
}

#[test]
fn a_histogram_with_a_writer_of_its_own_counts_like_one_that_is_submitted() {
    loom::model(|| {
        let mut writer = HistogramWriter::new(Histogram::new(&two_buckets()));
        let histogram = Arc::clone(writer.histogram());
        let thread = thread::spawn(move || {
            writer.measure(1);
            writer.measure(1_000);
        });
        look_twice(&histogram);
        thread.join().expect("the writer does not panic");
        assert_eq!(histogram.snapshot().buckets, [1, 1]);
        assert_eq!(histogram.sum_ns(), 1_001);
    });
}
