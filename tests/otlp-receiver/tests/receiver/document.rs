//! The JSON document, as `design.md` has it.

use opentelemetry_proto::tonic::metrics::v1::{
    NumberDataPoint, exponential_histogram_data_point::Buckets, number_data_point::Value,
};
use otlp_receiver::{Document, Number, Receiver};
use serde_json::json;

use crate::{
    message::{
        CUMULATIVE, DELTA, counts, exponential, exponential_counts, gauge, histogram, int, metric, number,
        of, sum, text,
    },
    peer::send,
};

#[test]
fn the_json_has_exactly_these_fields() {
    let receiver = Receiver::start().unwrap();
    let nanoseconds = 1_700_000_000_123_456_789;
    let mut exponential_point = exponential_counts(nanoseconds, -2, -3, vec![1, 0, 2]);
    exponential_point.negative = Some(Buckets::default());
    send(
        &receiver,
        of(vec![
            metric("sum", sum(CUMULATIVE, vec![number(vec![text("b", "x"), int("a", 1)], nanoseconds, 7)])),
            metric(
                "gauge",
                gauge(vec![NumberDataPoint { value: Some(Value::AsDouble(1.0)), ..number(vec![], 1, 0) }]),
            ),
            metric("histogram", histogram(DELTA, vec![counts(1, [1, 2, 3], Some(4.5))])),
            metric("histogram.without.sum", histogram(CUMULATIVE, vec![counts(1, [1, 2, 3], None)])),
            metric("exponential", exponential(CUMULATIVE, vec![exponential_point])),
        ]),
    );
    let document = receiver.snapshot();
    let expected = json!({
        "resource": {"service.name": "peer"},
        "metrics": [
            {
                "name": "exponential", "description": "About exponential.", "unit": "{thing}",
                "type": "exponential_histogram", "temporality": "cumulative",
                "points": [{
                    "attributes": {},
                    "start_time_unix_nano": nanoseconds, "time_unix_nano": nanoseconds + 10,
                    "count": 4, "sum": 2.5, "scale": -2, "zero_count": 1, "zero_threshold": 0.25,
                    "positive": {"offset": -3, "bucket_counts": [1, 0, 2]},
                }],
            },
            {
                "name": "gauge", "description": "About gauge.", "unit": "{thing}", "type": "gauge",
                "points": [
                    {"attributes": {}, "start_time_unix_nano": 1, "time_unix_nano": 11, "value": 1.0},
                ],
            },
            {
                "name": "histogram", "description": "About histogram.", "unit": "{thing}",
                "type": "histogram", "temporality": "delta",
                "points": [{
                    "attributes": {}, "start_time_unix_nano": 1, "time_unix_nano": 11,
                    "count": 6, "sum": 4.5, "bounds": [0.5, 1.0], "bucket_counts": [1, 2, 3],
                }],
            },
            {
                "name": "histogram.without.sum", "description": "About histogram.without.sum.",
                "unit": "{thing}", "type": "histogram", "temporality": "cumulative",
                "points": [{
                    "attributes": {}, "start_time_unix_nano": 1, "time_unix_nano": 11,
                    "count": 6, "bounds": [0.5, 1.0], "bucket_counts": [1, 2, 3],
                }],
            },
            {
                "name": "sum", "description": "About sum.", "unit": "{thing}", "type": "sum",
                "monotonic": true, "temporality": "cumulative",
                "points": [{
                    "attributes": {"a": 1, "b": "x"},
                    "start_time_unix_nano": nanoseconds, "time_unix_nano": nanoseconds + 10, "value": 7,
                }],
            },
        ],
        "exports": 1,
    });
    let json = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), expected);
    assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document, "the JSON reads back");
}

#[test]
fn buckets_below_zero_are_shown_if_there_are_any() {
    let receiver = Receiver::start().unwrap();
    let mut point = exponential_counts(1, 0, 0, vec![1]);
    point.negative = Some(Buckets { offset: 2, bucket_counts: vec![3] });
    send(&receiver, of(vec![metric("test", exponential(CUMULATIVE, vec![point]))]));
    let json = serde_json::to_value(receiver.snapshot()).unwrap();
    assert_eq!(json["metrics"][0]["points"][0]["negative"], json!({"offset": 2, "bucket_counts": [3]}));
}

#[test]
fn a_number_that_json_cannot_hold_is_null_and_reads_back() {
    let receiver = Receiver::start().unwrap();
    let nan = NumberDataPoint { value: Some(Value::AsDouble(f64::NAN)), ..number(vec![], 1, 0) };
    let mut endless = counts(1, [1, 2, 3], Some(f64::INFINITY));
    endless.explicit_bounds = vec![1.0, f64::INFINITY];
    send(
        &receiver,
        of(vec![
            metric("gauge", gauge(vec![nan])),
            metric("histogram", histogram(CUMULATIVE, vec![endless])),
        ]),
    );
    let json = serde_json::to_string(&receiver.snapshot()).unwrap();
    let document: Document = serde_json::from_str(&json).unwrap();
    let value = document.metric("gauge").unwrap().points[0].value().unwrap();
    assert!(matches!(value, Number::Double(double) if double.is_nan()), "{value:?}");
    let counts = document.metric("histogram").unwrap().points[0].histogram().unwrap();
    assert_eq!((counts.bounds[0], counts.bounds[1].is_nan(), counts.sum), (1.0, true, None));
    assert_eq!(counts.bucket_counts, [1, 2, 3]);
}
