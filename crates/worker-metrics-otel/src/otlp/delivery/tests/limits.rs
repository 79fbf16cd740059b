//! What becomes of ends that nobody takes, and of an export that is given up.

use std::sync::Arc;

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::Scale;
use worker_metrics::{Counter, Metric};

use super::destination::Destination;
use super::receiver::Value;
use super::source::TestSource;
use super::{ns, snapshot, time};
use crate::otlp::wire::Limits;

const ROWS: [Metric; 3] = [Metric::WorkerPolls, Metric::WorkerLocalQueueSize, Metric::TaskPollDuration];

fn source(name: &str, workers: usize) -> Arc<TestSource> {
    let source = TestSource::new(name, workers, &ROWS);
    set(&source, 0);
    source
}

/// Sets each number, and the count of the first bucket.
fn set(source: &TestSource, count: u64) {
    source.set(|values| {
        for worker in values.workers_mut() {
            worker.set_count(Counter::Polls, count);
            worker.local_queue_depth = Some(count);
            let mut counts = [0; 23];
            counts[0] = count;
            worker.poll_time_histogram = snapshot(&Scale::preset(), &counts, Some(count));
        }
    });
}

fn polls(destination: &Destination) -> f64 {
    let points = destination.receiver.points("worker.polls", &[]);
    let number = |value: &Value| match value {
        Value::Number(number) => *number,
        Value::Histogram(_) => panic!("a histogram"),
    };
    points.iter().filter_map(|point| point.value.as_ref().map(number)).sum()
}

const TEMPORALITIES: [Temporality; 3] = [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory];

#[test]
fn a_hundred_sources_that_end_at_once_all_arrive() {
    for temporality in TEMPORALITIES {
        let mut destination = Destination::new(temporality, Limits::default());
        let sources: Vec<_> = (0..100).map(|number| source(&format!("pool-{number}"), 128)).collect();
        let attached: Vec<_> = sources.iter().map(|source| destination.attach(source, time(1))).collect();
        sources.iter().for_each(|source| set(source, 3));
        attached.iter().for_each(|attached| destination.detach(attached, time(5)));
        assert!(destination.outbox.has_last_values());
        assert!(destination.export(time(10), |_| true) > 1);
        let series = 100 * 128 * ROWS.len();
        assert_eq!((destination.receiver.series.len(), destination.receiver.ended()), (series, series));
        assert_eq!(destination.outbox.given_up(), 0);
        assert!(destination.outbox.is_empty() && !destination.outbox.has_last_values());
    }
}

#[test]
fn ends_outlast_30_failed_exports_whatever_their_number() {
    for temporality in TEMPORALITIES {
        let mut destination = Destination::new(temporality, Limits { points: 50, ..Limits::default() });
        let sources: Vec<_> = (0..10).map(|number| source(&format!("pool-{number}"), 8)).collect();
        let attached: Vec<_> = sources.iter().map(|source| destination.attach(source, time(1))).collect();
        sources.iter().for_each(|source| set(source, 3));
        attached.iter().for_each(|attached| destination.detach(attached, time(5)));
        for export in 0..30 {
            assert!(destination.export(time(10 + export), |_| false) > 1);
        }
        assert_eq!(destination.outbox.given_up(), 0);
        destination.export(time(50), |_| true);
        assert_eq!(destination.receiver.ended(), 10 * 8 * ROWS.len());
        assert!(destination.outbox.is_empty());
    }
}

#[test]
fn what_nobody_takes_for_longer_is_given_up_and_counted() {
    for temporality in TEMPORALITIES {
        let mut destination = Destination::new(temporality, Limits::default());
        let (going, staying) = (source("going", 4), source("staying", 1));
        let attached = destination.attach(&going, time(1));
        destination.attach(&staying, time(1));
        set(&going, 3);
        set(&staying, 1);
        destination.detach(&attached, time(5));
        let mut exports = 0;
        while destination.outbox.given_up() == 0 {
            destination.export(time(10 + exports), |_| false);
            exports += 1;
            assert!(exports < 40, "nothing is given up");
        }
        assert_eq!(destination.outbox.given_up(), 4 * ROWS.len() as u64);
        destination.export(time(100), |_| true);
        // The source that stays has lost nothing.
        assert_eq!(destination.receiver.series.len(), ROWS.len());
        assert!((polls(&destination) - 1.0).abs() < 1e-9);
    }
}

#[test]
fn an_end_that_was_taken_is_never_sent_again() {
    for temporality in TEMPORALITIES {
        let mut destination = Destination::new(temporality, Limits::default());
        let source = source("pool", 2);
        let attached = destination.attach(&source, time(1));
        set(&source, 3);
        destination.export(time(10), |_| true);
        destination.detach(&attached, time(15));
        assert_eq!(destination.export(time(20), |_| true), 1);
        assert!(destination.outbox.is_empty());
        assert_eq!(destination.export(time(30), |_| true), 0);
        assert_eq!(destination.outbox.given_up(), 0);
    }
}

#[test]
fn a_lost_answer_counts_a_delta_twice_and_a_total_once() {
    // A receiver that stores a request and does not say so cannot be told from one that does not
    // store it.
    for (temporality, expected) in [(Temporality::Delta, 5.0 + 7.0), (Temporality::Cumulative, 7.0)] {
        let mut destination = Destination::new(temporality, Limits::default());
        let source = source("pool", 1);
        destination.attach(&source, time(1));
        set(&source, 5);
        let export = destination.begin(time(10));
        let request = &export.requests()[0];
        destination.receiver.take(request);
        export.settle(request.id, false);
        drop(export);
        set(&source, 7);
        destination.export(time(20), |_| true);
        let last = match temporality {
            Temporality::Delta => polls(&destination),
            _ => {
                let points = destination.receiver.points("worker.polls", &[]);
                assert_eq!(points.len(), 2);
                polls(&destination) - 5.0
            }
        };
        assert!((last - expected).abs() < 1e-9, "{last}");
    }
}

#[test]
fn exports_do_not_overlap_and_one_that_is_dropped_makes_room() {
    let destination = Destination::new(Temporality::Delta, Limits::default());
    let source = source("pool", 1);
    destination.attach(&source, time(1));
    set(&source, 1);
    let export = destination.begin(time(10));
    assert!(destination.is_under_way(time(11)));
    drop(export);
    assert!(!destination.is_under_way(time(12)));
}

#[test]
fn a_pipeline_that_is_rebuilt_goes_on_where_the_one_before_ended() {
    let mut destination = Destination::new(Temporality::Delta, Limits::default());
    let source = source("pool", 1);
    destination.attach(&source, time(1));
    set(&source, 5);
    destination.export(time(10), |_| true);
    set(&source, 6);
    // Dropped while its requests travel.
    let export = destination.begin(time(20));
    destination.outbox.release();
    drop(export);
    destination.rebuild_pipeline();
    assert!(!destination.outbox.take(), "a second pipeline finds it in use");
    set(&source, 9);
    destination.export(time(30), |_| true);
    let points = destination.receiver.points("worker.polls", &[]);
    let intervals: Vec<_> = points.iter().map(|point| (point.start_ns, point.time_ns)).collect();
    assert_eq!(intervals, [(ns(1), ns(10)), (ns(10), ns(30))]);
    assert!((polls(&destination) - 9.0).abs() < 1e-9);
}

#[test]
fn a_source_that_panics_ends_with_what_it_said_last_and_the_others_go_on() {
    // It panics in an export, or only when it is detached.
    for is_detached_first in [false, true] {
        for temporality in TEMPORALITIES {
            let mut destination = Destination::new(temporality, Limits::default());
            let (broken, healthy) = (source("broken", 1), source("healthy", 1));
            let attached = destination.attach(&broken, time(1));
            destination.attach(&healthy, time(1));
            set(&broken, 5);
            set(&healthy, 5);
            destination.export(time(10), |_| true);
            broken.break_down();
            if is_detached_first {
                destination.detach(&attached, time(15));
            }
            destination.export(time(20), |_| true);
            destination.export(time(30), |_| true);
            let points = destination.receiver.points("worker.local_queue.size", &["broken"]);
            let ends = points.iter().filter(|point| point.value.is_none()).count();
            assert_eq!((points.len(), ends), (2, 1), "{temporality:?} {is_detached_first}");
            assert_eq!(destination.receiver.points("worker.local_queue.size", &["healthy"]).len(), 3);
            assert_eq!(destination.receiver.ended(), ROWS.len());
            if !is_detached_first {
                destination.detach(&attached, time(35));
            }
            assert_eq!(destination.outbox.given_up(), 0);
        }
    }
}
