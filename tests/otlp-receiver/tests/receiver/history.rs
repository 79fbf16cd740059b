//! Series point by point, and what is wrong with them.

use opentelemetry_proto::tonic::{
    common::v1::InstrumentationScope,
    metrics::v1::{HistogramDataPoint, NumberDataPoint, number_data_point::Value},
};
use otlp_receiver::{Breach, Data, Interval, Number, Receiver, Scope};
use serde_json::json;

use crate::{
    message::{
        CUMULATIVE, DELTA, NO_RECORDED_VALUE, counts, exponential, exponential_counts, gauge, histogram, int,
        metric, number, of, request, sum,
    },
    peer::send,
};

fn keeps() -> Receiver {
    Receiver::builder().keep_requests(true).start().unwrap()
}

fn interval(start_unix_nano: u64, time_unix_nano: u64) -> Interval {
    Interval { start_unix_nano, time_unix_nano }
}

fn at(start: u64, time: u64, value: i64) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: time, ..number(vec![], start, value) }
}

fn end(time: u64) -> NumberDataPoint {
    NumberDataPoint { flags: NO_RECORDED_VALUE, ..at(0, time, 0) }
}

/// What is wrong with points that are sent one by one.
fn breaches(
    of_kind: impl Fn(NumberDataPoint) -> opentelemetry_proto::tonic::metrics::v1::metric::Data,
    points: &[NumberDataPoint],
) -> Vec<(usize, Breach)> {
    let receiver = keeps();
    for point in points {
        send(&receiver, of(vec![metric("test", of_kind(point.clone()))]));
    }
    receiver.violations().into_iter().map(|violation| (violation.request, violation.breach)).collect()
}

fn delta(point: NumberDataPoint) -> opentelemetry_proto::tonic::metrics::v1::metric::Data {
    sum(DELTA, vec![point])
}

fn cumulative(point: NumberDataPoint) -> opentelemetry_proto::tonic::metrics::v1::metric::Data {
    sum(CUMULATIVE, vec![point])
}

#[test]
fn resources_and_scopes_are_kept_apart_once_each() {
    let receiver = Receiver::start().unwrap();
    let point = || metric("test", gauge(vec![number(vec![], 1, 1)]));
    let mut versioned = request("a", "scope", vec![point()]);
    let of_scope = &mut versioned.resource_metrics[0].scope_metrics[0];
    of_scope.schema_url = "https://schema.test".to_owned();
    of_scope.scope = Some(InstrumentationScope {
        name: "scope".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![int("i", 1)],
        ..InstrumentationScope::default()
    });
    for request in [request("a", "scope", vec![point()]), versioned, request("b", "scope", vec![point()])] {
        send(&receiver, request.clone());
        send(&receiver, request);
    }
    let resources: Vec<_> =
        receiver.resources().iter().map(|resource| resource["service.name"].clone()).collect();
    assert_eq!(resources, [json!("a"), json!("b")]);
    let bare = Scope { name: "scope".to_owned(), ..Scope::default() };
    let versioned = Scope {
        version: "1.2".to_owned(),
        schema_url: "https://schema.test".to_owned(),
        attributes: [("i".to_owned(), json!(1))].into(),
        ..bare.clone()
    };
    assert_eq!(receiver.scopes(), [bare, versioned]);
}

#[test]
fn a_series_has_its_intervals_and_the_total_of_its_deltas() {
    let receiver = keeps();
    let point = |worker, start, value| number(vec![int("worker", worker)], start, value);
    send(&receiver, of(vec![metric("test", sum(DELTA, vec![point(0, 10, 1), point(1, 10, 5)]))]));
    send(&receiver, of(vec![metric("other", gauge(vec![point(0, 10, 1)]))]));
    send(&receiver, of(vec![metric("test", sum(DELTA, vec![point(0, 20, 2)]))]));
    let series = receiver.series("test");
    assert_eq!(series.len(), 2);
    assert_eq!(series[0].attributes, [("worker".to_owned(), json!(0))].into());
    assert_eq!(series[0].intervals(), [interval(10, 20), interval(20, 30)]);
    assert_eq!(series[0].total(), Some(Data::Number { value: Number::Int(3) }));
    assert_eq!(series[0].points.iter().map(|point| point.request).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(series[1].total(), Some(Data::Number { value: Number::Int(5) }));
    assert!(!series[1].has_ended());
    assert_eq!(receiver.series("missing"), []);
    assert_eq!(receiver.violations(), []);
}

#[test]
fn a_total_spans_an_end_and_a_cumulative_one_is_the_last_value() {
    let receiver = keeps();
    for point in [at(10, 20, 1), end(20), at(30, 40, 2), end(50)] {
        send(
            &receiver,
            of(vec![metric("delta", delta(point.clone())), metric("cumulative", cumulative(point))]),
        );
    }
    for (name, total) in [("delta", 3), ("cumulative", 2)] {
        let series = receiver.series(name).remove(0);
        assert_eq!(series.total(), Some(Data::Number { value: Number::Int(total) }));
        assert_eq!(series.intervals(), [interval(10, 20), interval(30, 40)]);
        assert!(series.has_ended());
    }
    assert_eq!(receiver.violations(), [], "a series may come back with a later start");
}

#[test]
fn deltas_that_overlap_or_leave_gaps_are_violations() {
    let before = interval(10, 20);
    assert_eq!(breaches(delta, &[at(10, 20, 1), at(20, 30, 1), at(30, 31, 1)]), []);
    assert_eq!(breaches(delta, &[at(10, 20, 1), at(19, 30, 1)]), [(1, Breach::Overlap { before })]);
    assert_eq!(breaches(delta, &[at(10, 20, 1), at(21, 30, 1)]), [(1, Breach::Gap { before })]);
    assert_eq!(
        breaches(delta, &[at(10, 20, 1), at(10, 20, 1)]),
        [(1, Breach::TimeWentBack { before }), (1, Breach::Overlap { before })],
        "sent twice"
    );
    assert_eq!(breaches(delta, &[at(10, 20, -1)]), [(0, Breach::ValueWentBack)]);
}

#[test]
fn a_start_has_to_be_there_and_before_the_time() {
    for kind in [delta, cumulative] {
        assert_eq!(breaches(kind, &[at(0, 20, 1)]), [(0, Breach::NoStart)]);
        assert_eq!(breaches(kind, &[at(20, 20, 1)]), [(0, Breach::Empty)]);
        assert_eq!(breaches(kind, &[at(21, 20, 1)]), [(0, Breach::Empty)]);
    }
    assert_eq!(breaches(|point| gauge(vec![point]), &[at(0, 20, 1), at(0, 30, 0)]), []);
}

#[test]
fn a_cumulative_value_goes_back_only_with_a_new_start() {
    let before = interval(10, 20);
    assert_eq!(breaches(cumulative, &[at(10, 20, 5), at(10, 30, 5), at(35, 40, 1)]), []);
    assert_eq!(breaches(cumulative, &[at(10, 20, 5), at(10, 30, 4)]), [(1, Breach::ValueWentBack)]);
    assert_eq!(breaches(cumulative, &[at(10, 20, 5), at(11, 30, 4)]), [(1, Breach::Overlap { before })]);
    assert_eq!(breaches(cumulative, &[at(10, 20, 5), at(10, 20, 5)]), [(1, Breach::TimeWentBack { before })]);
    let fraction = |value| NumberDataPoint { value: Some(Value::AsDouble(value)), ..at(10, 20, 0) };
    let later = NumberDataPoint { time_unix_nano: 30, ..fraction(0.25) };
    assert_eq!(breaches(cumulative, &[fraction(0.5), later]), [(1, Breach::ValueWentBack)]);
    let before = interval(0, 20);
    let gauges = [at(0, 20, 5), at(0, 30, 1), at(0, 20, 1)];
    let expected = [(2, Breach::TimeWentBack { before: interval(0, 30) })];
    assert_eq!(breaches(|point| gauge(vec![point]), &gauges), expected, "{before}");
}

#[test]
fn a_series_that_ended_comes_back_only_with_a_later_start() {
    let after_end = [(2, Breach::AfterEnd { end_unix_nano: 20 })];
    for kind in [delta, cumulative] {
        assert_eq!(breaches(kind, &[at(10, 20, 1), end(20), at(20, 30, 1)]), []);
        assert_eq!(breaches(kind, &[at(10, 20, 1), end(20), at(10, 30, 1)]), after_end);
        assert_eq!(
            breaches(kind, &[at(10, 20, 1), end(19)]),
            [(1, Breach::TimeWentBack { before: interval(10, 20) })]
        );
    }
    assert_eq!(breaches(|point| gauge(vec![point]), &[at(0, 10, 1), end(20), at(0, 20, 1)]), after_end);
}

#[test]
fn a_shape_that_changes_is_a_violation() {
    let receiver = keeps();
    send(&receiver, of(vec![metric("test", delta(at(10, 20, 1)))]));
    send(&receiver, of(vec![metric("test", cumulative(at(10, 30, 1)))]));
    let violations = receiver.violations();
    assert_eq!(violations.len(), 1);
    assert_eq!((violations[0].request, violations[0].breach), (1, Breach::OtherShape));
    assert_eq!(
        violations[0].to_string(),
        "request 1, test {}, (10, 30]: unit, type, temporality or bounds changed"
    );
}

#[test]
fn histograms_are_checked_count_by_count() {
    let receiver = keeps();
    let at = |time, point| HistogramDataPoint { time_unix_nano: time, ..point };
    let send_one = |point| send(&receiver, of(vec![metric("test", histogram(CUMULATIVE, vec![point]))]));
    send_one(at(20, counts(10, [1, 2, 3], None)));
    send_one(at(30, counts(10, [1, 2, 4], None)));
    send_one(at(40, counts(10, [1, 1, 9], None)));
    send_one(at(50, HistogramDataPoint { count: 12, ..counts(10, [1, 1, 9], None) }));
    send_one(at(60, HistogramDataPoint { explicit_bounds: vec![0.5, 2.0], ..counts(10, [9, 9, 9], None) }));
    send_one(at(80, HistogramDataPoint { explicit_bounds: vec![0.5, 1.0], ..counts(70, [0, 0, 1], None) }));
    let found: Vec<_> =
        receiver.violations().into_iter().map(|found| (found.request, found.breach)).collect();
    assert_eq!(found, [(2, Breach::ValueWentBack), (3, Breach::Buckets), (4, Breach::OtherShape)]);

    let receiver = keeps();
    let mut point = exponential_counts(10, 0, 0, vec![1, 2]);
    send(&receiver, of(vec![metric("test", exponential(DELTA, vec![point.clone()]))]));
    point = exponential_counts(20, 0, 0, vec![1, 2]);
    point.count += 1;
    send(&receiver, of(vec![metric("test", exponential(DELTA, vec![point]))]));
    let found: Vec<_> =
        receiver.violations().into_iter().map(|found| (found.request, found.breach)).collect();
    assert_eq!(found, [(1, Breach::Buckets)]);
}

#[test]
fn series_of_other_resources_scopes_and_attributes_do_not_disturb_each_other() {
    let receiver = keeps();
    for (service, scope, worker) in [("a", "s", 0), ("b", "s", 0), ("a", "t", 0), ("a", "s", 1)] {
        let point = number(vec![int("worker", worker)], 10, 1);
        send(&receiver, request(service, scope, vec![metric("test", sum(DELTA, vec![point]))]));
    }
    assert_eq!(receiver.series("test").len(), 4);
    assert_eq!(receiver.violations(), []);
}

#[test]
#[should_panic(expected = "keep_requests(true)")]
fn a_check_of_requests_that_are_not_kept_panics() {
    _ = Receiver::start().unwrap().violations();
}
