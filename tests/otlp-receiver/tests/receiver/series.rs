//! What is one series, and how it lives.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{HistogramDataPoint, NumberDataPoint, Summary, metric::Data, number_data_point::Value},
};
use otlp_receiver::{Metric, Number, Receiver, Temporality};
use serde_json::json;

use crate::{
    message::{
        CUMULATIVE, DELTA, NO_RECORDED_VALUE, counts, exponential, exponential_counts, gauge, histogram, int,
        metric, no_number, number, of, request, sum, text,
    },
    peer::send,
};

/// The metric of this name after these requests.
fn after(requests: Vec<ExportMetricsServiceRequest>, name: &str) -> Metric {
    let receiver = Receiver::start().unwrap();
    for request in requests {
        send(&receiver, request);
    }
    receiver.snapshot().metric(name).expect("the metric is there").clone()
}

fn one(data: Data) -> ExportMetricsServiceRequest {
    of(vec![metric("test", data)])
}

#[test]
fn the_order_of_attributes_does_not_make_a_series() {
    let there = one(gauge(vec![number(vec![text("a", "1"), text("b", "2")], 1, 10)]));
    let back = one(gauge(vec![number(vec![text("b", "2"), text("a", "1")], 2, 20)]));
    let metric = after(vec![there, back], "test");
    assert_eq!(metric.points.len(), 1);
    assert_eq!(metric.point(&[("a", "1")]), None, "only all of the attributes name a point");
    assert_eq!(metric.point(&[("b", "2"), ("a", "1")]).unwrap().value(), Some(Number::Int(20)));
}

#[test]
fn each_value_of_an_attribute_makes_a_series() {
    let points = vec![
        number(vec![int("worker", 10)], 1, 10),
        number(vec![int("worker", 2)], 1, 2),
        number(vec![text("worker", "2")], 1, 3),
        number(vec![], 1, 4),
    ];
    let metric = after(vec![one(gauge(points))], "test");
    assert_eq!(metric.points.len(), 4);
    assert_eq!(metric.point(&[("worker", "10")]).unwrap().value(), Some(Number::Int(10)));
    assert_eq!(metric.point(&[]).unwrap().value(), Some(Number::Int(4)));
    assert_eq!(metric.point(&[("worker", "3")]), None);
    assert_eq!(metric.point(&[("worker", "2"), ("more", "1")]), None);
}

#[test]
fn points_are_sorted_by_attributes_and_metrics_by_name() {
    let receiver = Receiver::start().unwrap();
    let ints = [10, 2, -1].map(|worker| number(vec![int("worker", worker)], 1, worker));
    let texts = ["b", "aa"].map(|runtime| number(vec![text("runtime", runtime)], 1, 0));
    let points = [&ints[..], &texts[..]].concat();
    send(&receiver, of(vec![metric("b", gauge(points.clone())), metric("a", gauge(points))]));
    let document = receiver.snapshot();
    assert_eq!(document.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for metric in document.metrics {
        let attributes: Vec<_> =
            metric.points.iter().map(|point| serde_json::to_value(&point.attributes).unwrap()).collect();
        let expected = [
            json!({"runtime": "aa"}),
            json!({"runtime": "b"}),
            json!({"worker": -1}),
            json!({"worker": 2}),
            json!({"worker": 10}),
        ];
        assert_eq!(attributes, expected);
    }
}

#[test]
fn resources_and_scopes_stay_apart_and_the_latest_resource_is_shown() {
    let receiver = Receiver::start().unwrap();
    for (service, scope, value) in [("a", "x", 1), ("a", "y", 2), ("b", "x", 3)] {
        send(&receiver, request(service, scope, vec![metric("test", gauge(vec![number(vec![], 1, value)]))]));
    }
    let document = receiver.snapshot();
    assert_eq!(document.resource["service.name"], "b");
    let mut values: Vec<_> =
        document.metrics.iter().map(|metric| metric.points[0].value().unwrap().as_i64().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, [1, 2, 3]);
}

#[test]
fn a_metric_that_changes_its_type_is_shown_as_two() {
    let receiver = Receiver::start().unwrap();
    send(&receiver, one(gauge(vec![number(vec![], 1, 1)])));
    send(&receiver, one(sum(CUMULATIVE, vec![number(vec![], 1, 2)])));
    send(&receiver, one(sum(DELTA, vec![number(vec![], 1, 3)])));
    assert_eq!(receiver.snapshot().metrics.len(), 3);
}

#[test]
fn no_recorded_value_ends_a_series_and_only_that() {
    let receiver = Receiver::start().unwrap();
    let attributes = |worker| vec![int("worker", worker), text("runtime", "main")];
    send(&receiver, one(sum(CUMULATIVE, vec![number(attributes(1), 1, 1), number(attributes(2), 1, 2)])));
    // In another order, which must not matter here either.
    let mut reversed = attributes(1);
    reversed.reverse();
    send(&receiver, one(sum(CUMULATIVE, vec![no_number(reversed)])));
    assert_eq!((receiver.ended_series(), receiver.no_recorded_values()), (1, 1));
    let metric = receiver.snapshot().metric("test").unwrap().clone();
    assert_eq!(metric.points.len(), 1);
    assert_eq!(metric.point(&[("worker", "2"), ("runtime", "main")]).unwrap().value(), Some(Number::Int(2)));

    // A second end ends nothing.
    send(&receiver, one(sum(CUMULATIVE, vec![no_number(attributes(1))])));
    assert_eq!((receiver.ended_series(), receiver.no_recorded_values()), (1, 2));
    // With its last series a metric is gone.
    send(&receiver, one(sum(CUMULATIVE, vec![no_number(attributes(2))])));
    assert_eq!((receiver.ended_series(), receiver.no_recorded_values()), (2, 3));
    assert_eq!(receiver.snapshot().metrics, []);
}

#[test]
fn no_recorded_value_ends_histograms_too() {
    let receiver = Receiver::start().unwrap();
    let explicit = |point| metric("explicit", histogram(CUMULATIVE, vec![point]));
    let base2 = |point| metric("base2", exponential(CUMULATIVE, vec![point]));
    send(
        &receiver,
        of(vec![explicit(counts(1, [1, 2, 3], None)), base2(exponential_counts(1, 0, 0, vec![1]))]),
    );
    assert_eq!(receiver.snapshot().metrics.len(), 2);
    let mut end = exponential_counts(1, 0, 0, vec![]);
    end.flags = NO_RECORDED_VALUE;
    let flagged = HistogramDataPoint { flags: NO_RECORDED_VALUE, ..HistogramDataPoint::default() };
    send(&receiver, of(vec![explicit(flagged), base2(end)]));
    assert_eq!(receiver.snapshot().metrics, []);
    assert_eq!((receiver.ended_series(), receiver.no_recorded_values()), (2, 2));
}

#[test]
fn a_series_that_comes_back_begins_anew() {
    let metric = after(
        vec![
            one(sum(DELTA, vec![number(vec![], 10, 5)])),
            one(sum(DELTA, vec![no_number(vec![])])),
            one(sum(DELTA, vec![number(vec![], 30, 1)])),
        ],
        "test",
    );
    assert_eq!(metric.points[0].value(), Some(Number::Int(1)));
    assert_eq!(metric.points[0].start_time_unix_nano, 30);
}

#[test]
fn deltas_of_numbers_add_up_from_the_first_start_to_the_last_time() {
    let double = NumberDataPoint { value: Some(Value::AsDouble(0.5)), ..number(vec![], 30, 0) };
    let requests =
        vec![one(sum(DELTA, vec![number(vec![], 10, 5)])), one(sum(DELTA, vec![number(vec![], 20, 6)]))];
    let metric = after(requests.clone(), "test");
    assert_eq!(metric.temporality, Some(Temporality::Delta));
    assert_eq!(metric.points[0].value(), Some(Number::Int(11)));
    assert_eq!((metric.points[0].start_time_unix_nano, metric.points[0].time_unix_nano), (10, 30));

    let metric = after([requests, vec![one(sum(DELTA, vec![double]))]].concat(), "test");
    assert_eq!(metric.points[0].value(), Some(Number::Double(11.5)));
}

#[test]
fn deltas_of_histograms_add_up_bucket_by_bucket() {
    let delta = |start, counts_, sum| one(histogram(DELTA, vec![counts(start, counts_, sum)]));
    let requests = vec![delta(10, [1, 2, 3], Some(0.5)), delta(20, [10, 0, 1], Some(0.25))];
    let metric = after(requests.clone(), "test");
    let point = &metric.points[0];
    let total = point.histogram().unwrap();
    assert_eq!((total.count, total.sum), (17, Some(0.75)));
    assert_eq!(total.bucket_counts, [11, 2, 4]);
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (10, 30));

    let metric = after([requests, vec![delta(30, [0, 0, 1], None)]].concat(), "test");
    let total = metric.points[0].histogram().unwrap();
    assert_eq!((total.count, total.sum), (18, None), "a sum that is not known once is not known in total");
}

#[test]
fn deltas_of_exponential_histograms_add_up_at_the_coarser_scale() {
    let delta = |start, scale, offset, counts| {
        one(exponential(DELTA, vec![exponential_counts(start, scale, offset, counts)]))
    };
    // At scale 1 the buckets 0..=3 are the buckets 0, 0, 1, 1 at scale 0.
    let metric = after(vec![delta(10, 1, 0, vec![1, 2, 3, 4]), delta(20, 0, 1, vec![5, 6])], "test");
    let point = &metric.points[0];
    let total = point.exponential_histogram().unwrap();
    assert_eq!((total.count, total.sum, total.scale), (23, Some(5.0), 0));
    assert_eq!((total.zero_count, total.zero_threshold), (2, 0.25));
    assert_eq!((total.positive.offset, &total.positive.bucket_counts[..]), (0, &[3, 12, 6][..]));
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (10, 30));
}

#[test]
fn a_cumulative_series_that_starts_again_shows_the_new_value() {
    let requests = vec![
        one(sum(CUMULATIVE, vec![number(vec![], 10, 50)])),
        one(sum(CUMULATIVE, vec![number(vec![], 40, 1)])),
    ];
    let metric = after(requests, "test");
    assert_eq!(metric.points[0].value(), Some(Number::Int(1)));
    assert_eq!(metric.points[0].start_time_unix_nano, 40);
}

#[test]
fn a_temporality_that_was_left_out_is_shown_as_such() {
    let metric = after(vec![one(sum(0, vec![number(vec![], 1, 1)]))], "test");
    assert_eq!(metric.temporality, Some(Temporality::Unspecified));
    assert_eq!(serde_json::to_value(&metric).unwrap()["temporality"], "unspecified");
}

#[test]
fn what_has_no_value_is_not_stored_and_ends_nothing() {
    let receiver = Receiver::start().unwrap();
    send(&receiver, of(vec![metric("before", gauge(vec![number(vec![], 1, 1)]))]));
    let before = receiver.snapshot().metrics;
    assert_eq!(before.len(), 1);

    let valueless = NumberDataPoint { value: None, ..number(vec![], 1, 1) };
    let mut dataless = metric("dataless", gauge(vec![]));
    dataless.data = None;
    send(
        &receiver,
        of(vec![
            metric("before", gauge(vec![valueless.clone()])),
            metric("valueless", gauge(vec![valueless])),
            metric("summary", Data::Summary(Summary::default())),
            metric("pointless", gauge(vec![])),
            dataless,
        ]),
    );
    assert_eq!(receiver.exports(), 2);
    assert_eq!(receiver.snapshot().metrics, before);
    assert_eq!((receiver.ended_series(), receiver.no_recorded_values()), (0, 0));
}
