//! What each export carries of numbers, case by case.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint};
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::{Counter, Metric};

use super::decoded;
use super::rig::Rig;
use super::source::TestSource;
use crate::options::HistogramOptions;
use crate::otlp::wire::{Limits, Request};
use crate::source::Attached;

/// A rig with one source of two workers, attached at 1 s; an export each 10 s.
struct NumbersRig {
    rig: Rig,
    source: Arc<TestSource>,
    attached: Arc<Attached>,
    seconds: u64,
}

impl NumbersRig {
    fn new(temporality: Temporality, metric: Metric) -> Self {
        Self::within(temporality, metric, Limits::default())
    }

    fn within(temporality: Temporality, metric: Metric, limits: Limits) -> Self {
        let rig = Rig::new(temporality, HistogramOptions::default(), limits);
        let source = TestSource::new("pool", 2, &[metric]);
        let attached = rig.attach(&source, 1);
        Self { rig, source, attached, seconds: 0 }
    }

    /// Sets polls, the length of the queue, and the age of the progress in quarters of a second.
    fn set(&self, numbers: [u64; 2]) {
        self.source.set(|values| {
            for (worker, number) in values.workers_mut().iter_mut().zip(numbers) {
                worker.set_count(Counter::Polls, number);
                worker.local_queue_depth = Some(number);
                worker.progress_age =
                    Some(Duration::from_millis(250) * u32::try_from(number % 100).unwrap_or(0));
            }
        });
    }

    fn export(&mut self, numbers: [u64; 2]) -> Vec<Request> {
        self.set(numbers);
        self.export_as_it_is()
    }

    fn export_as_it_is(&mut self) -> Vec<Request> {
        self.seconds += 10;
        self.rig.export(self.seconds)
    }

    /// An export that is taken, and what it sent.
    fn delivered(&mut self, numbers: [u64; 2]) -> Vec<NumberDataPoint> {
        let requests = self.export(numbers);
        self.rig.conclude(&requests, Some(true));
        points(&requests)
    }
}

fn polls(temporality: Temporality) -> NumbersRig {
    NumbersRig::new(temporality, Metric::WorkerPolls)
}

const BOTH: [Temporality; 2] = [Temporality::Cumulative, Temporality::Delta];

fn points(requests: &[Request]) -> Vec<NumberDataPoint> {
    let metrics = requests.iter().flat_map(decoded);
    metrics
        .flat_map(|metric| match metric.data {
            Some(Data::Sum(sum)) => sum.data_points,
            Some(Data::Gauge(gauge)) => gauge.data_points,
            other => panic!("not a number: {other:?}"),
        })
        .collect()
}

fn counts(points: &[NumberDataPoint]) -> Vec<i64> {
    let count = |point: &NumberDataPoint| match point.value {
        Some(Value::AsInt(count)) => count,
        other => panic!("not a count: {other:?}"),
    };
    points.iter().map(count).collect()
}

/// Start and time in seconds.
fn interval(point: &NumberDataPoint) -> (u64, u64) {
    (point.start_time_unix_nano / 1_000_000_000, point.time_unix_nano / 1_000_000_000)
}

fn is_end(point: &NumberDataPoint) -> bool {
    point.flags == 1 && point.value.is_none()
}

#[test]
fn a_cumulative_counter_counts_from_the_attachment_and_never_goes_back() {
    for temporality in [Temporality::Cumulative, Temporality::LowMemory] {
        let mut rig = polls(temporality);
        assert_eq!(counts(&rig.delivered([5, 7])), [5, 7]);
        let second = rig.delivered([4, 9]);
        assert_eq!(counts(&second), [5, 9]);
        assert!(second.iter().all(|point| interval(point) == (1, 20)));
    }
}

#[test]
fn what_was_counted_before_the_attachment_is_left_out() {
    for temporality in BOTH {
        let mut rig = polls(temporality);
        let attached = rig.attached.clone();
        rig.rig.detach(&attached, 2);
        rig.set([100, 200]);
        rig.attached = rig.rig.attach(&rig.source, 5);
        let points = rig.delivered([101, 205]);
        let of_second = &points[points.len() - 2..];
        assert_eq!((counts(of_second), interval(&of_second[0])), (vec![1, 5], (5, 10)));
    }
}

#[test]
fn a_delta_begins_where_the_last_one_that_was_taken_ended() {
    let mut rig = polls(Temporality::Delta);
    assert_eq!(counts(&rig.delivered([5, 7])), [5, 7]);
    let lost = rig.export([6, 8]);
    rig.rig.conclude(&lost, Some(false));
    let third = rig.delivered([9, 7]);
    // The second worker is said to have gone back: to what was counted before.
    assert_eq!((counts(&third), interval(&third[0])), (vec![4, 1], (10, 30)));
    assert_eq!(rig.delivered([9, 8]), [], "nothing has changed");
    let last = rig.delivered([10, 8]);
    assert_eq!((counts(&last), interval(&last[0])), (vec![1], (30, 50)));
}

#[test]
fn what_can_fall_is_exported_as_it_is() {
    for temporality in BOTH {
        let mut rig = NumbersRig::new(temporality, Metric::WorkerLocalQueueSize);
        assert_eq!(counts(&rig.delivered([5, 7])), [5, 7]);
        let requests = rig.export([2, 0]);
        assert_eq!(counts(&points(&requests)), [2, 0]);
        let metrics = decoded(&requests[0]);
        let Some(Data::Sum(sum)) = &metrics[0].data else { panic!("not a sum") };
        assert!(!sum.is_monotonic);
        assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
    }
}

#[test]
fn a_gauge_of_times_is_in_seconds() {
    for temporality in BOTH {
        let mut rig = NumbersRig::new(temporality, Metric::WorkerProgressAge);
        rig.delivered([6, 0]);
        let requests = rig.export([1, 0]);
        assert!(matches!(decoded(&requests[0])[0].data, Some(Data::Gauge(_))));
        assert_eq!(points(&requests)[0].value, Some(Value::AsDouble(0.25)));
    }
}

#[test]
fn a_count_beyond_what_is_signed_is_the_largest() {
    assert_eq!(counts(&polls(Temporality::Cumulative).delivered([u64::MAX, 1])), [i64::MAX, 1]);
}

#[test]
fn a_number_that_is_not_known_for_a_while_has_no_point_meanwhile() {
    for (temporality, count) in [(Temporality::Cumulative, 9), (Temporality::Delta, 4)] {
        let mut rig = polls(temporality);
        rig.delivered([5, 7]);
        rig.source.set(|values| {
            values.begin(2);
        });
        let requests = rig.export_as_it_is();
        rig.rig.conclude(&requests, Some(true));
        assert_eq!(points(&requests), []);
        assert_eq!(counts(&rig.delivered([9, 7]))[0], count);
    }
}

#[test]
fn a_detached_source_delivers_its_last_values_and_its_ends_in_one_request_until_it_is_taken() {
    for temporality in BOTH {
        let mut rig = polls(temporality);
        rig.delivered([5, 7]);
        let lost = rig.export([6, 8]);
        rig.rig.conclude(&lost, Some(false));
        rig.set([9, 8]);
        let attached = rig.attached.clone();
        rig.rig.detach(&attached, 25);
        for outcome in [Some(false), None, Some(true)] {
            let requests = rig.export_as_it_is();
            let [last, end, other_last, other_end] = &points(&requests)[..] else {
                panic!("not four points")
            };
            assert!(is_end(end) && is_end(other_end));
            let expected = if temporality == Temporality::Delta { [4, 1] } else { [9, 8] };
            assert_eq!(counts(&[last.clone(), other_last.clone()]), expected);
            rig.rig.conclude(&requests, outcome);
        }
        assert!(rig.rig.ledger.is_empty());
        assert_eq!(points(&rig.export_as_it_is()), []);
    }
}

#[test]
fn what_a_source_counts_while_requests_travel_goes_with_its_end() {
    for (temporality, expected) in [(Temporality::Cumulative, [6, 9]), (Temporality::Delta, [1, 2])] {
        let mut rig = polls(temporality);
        let travelling = rig.export([5, 7]);
        rig.set([6, 9]);
        let attached = rig.attached.clone();
        rig.rig.detach(&attached, 12);
        rig.rig.conclude(&travelling, Some(true));
        let requests = rig.export_as_it_is();
        let last: Vec<_> = points(&requests).into_iter().filter(|point| !is_end(point)).collect();
        assert_eq!(counts(&last), expected);
        rig.rig.conclude(&requests, Some(true));
        assert!(rig.rig.ledger.is_empty());
    }
}

#[test]
fn a_source_that_was_never_delivered_is_forgotten_at_once() {
    let mut rig = polls(Temporality::Delta);
    assert_eq!(rig.delivered([0, 0]), []);
    let attached = rig.attached.clone();
    rig.rig.detach(&attached, 15);
    let requests = rig.export_as_it_is();
    assert_eq!(points(&requests), []);
    rig.rig.conclude(&requests, None);
    assert!(rig.rig.ledger.is_empty());
}

#[test]
fn a_steady_total_is_written_as_any_other() {
    // The second export is written from a template; a detached source, and a number that is not
    // known, are not.
    let mut rig = polls(Temporality::Cumulative);
    let other = TestSource::new("other", 1, &[Metric::WorkerPolls]);
    other.set(|values| values.workers_mut()[0].set_count(Counter::Polls, 3));
    let other = rig.rig.attach(&other, 2);
    assert_eq!(counts(&rig.delivered([5, 7])), [5, 7, 0]);
    let steady = rig.delivered([6, 8]);
    assert_eq!((counts(&steady), interval(&steady[0])), (vec![6, 8, 0], (1, 20)));
    rig.rig.detach(&other, 25);
    let ended = rig.delivered([7, 9]);
    assert_eq!(ended.iter().filter(|point| is_end(point)).count(), 1);
    assert_eq!(counts(&rig.delivered([8, 10])), [8, 10]);
}

#[test]
fn each_request_is_settled_on_its_own() {
    let limits = Limits { points: 1, ..Limits::default() };
    let mut rig = NumbersRig::within(Temporality::Delta, Metric::WorkerPolls, limits);
    let requests = rig.export([5, 7]);
    assert_eq!(requests.len(), 2);
    rig.rig.ledger.settle(requests[0].id, true);
    rig.rig.ledger.settle(requests[1].id, false);
    assert_eq!(counts(&points(&rig.export([5, 7]))), [7]);
}
