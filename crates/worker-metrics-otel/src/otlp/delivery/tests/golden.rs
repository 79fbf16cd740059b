//! What goes over the wire, byte by byte.

use std::time::Duration;

use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue as ProtoKeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::histogram::{HistogramSnapshot, Scale};

use super::super::buckets::Layout;
use super::super::metric::Metric as MetricAtDestination;
use super::super::rule::Rule;
use super::super::series::Series;
use super::super::totals::Totals;
use super::{decoded, exponential, ns, snapshot};
use crate::options::{HistogramOptions, Sum};
use crate::otlp::wire::{Descriptor, Envelope, Limits, Requests};

const CUMULATIVE: i32 = 2;
const DELTA: i32 = 1;

fn metric(temporality: Temporality, snapshot: &HistogramSnapshot) -> Metric {
    let strings: Vec<StringValue> = vec!["a".into(), "b".into()];
    let attributes = [
        KeyValue::new("name", "render"),
        KeyValue::new("index", 3),
        KeyValue::new("ratio", 0.5),
        KeyValue::new("main", true),
        KeyValue::new("tags", Value::Array(Array::String(strings))),
    ];
    let layout = std::sync::Arc::new(Layout::new(
        snapshot.scale.as_ref().expect("a scale"),
        &HistogramOptions::default(),
    ));
    let polls = worker_metrics::Metric::TaskPollDuration.definition();
    let rule = Rule::of(polls, temporality);
    let descriptor = Descriptor::new("tokio.worker.poll.duration", polls, layout.kind(), rule.is_delta);
    let mut metric = MetricAtDestination::new(descriptor, rule);
    let begin = || Series::histogram(&layout, ns(1), &attributes, Totals::default(), Sum::Estimated);
    let series = metric.block(1).series(rule, 0, |_| true, begin);
    series.record_histogram(ns(11), snapshot);
    let scope = InstrumentationScope::builder("worker-metrics").build();
    let envelope = Envelope::new(&Resource::builder_empty().build(), &scope);
    let (mut requests, mut written) = (Requests::new(Limits::default(), envelope), Vec::new());
    requests.begin(1);
    metric.finish(&mut requests);
    requests.finish(&mut written);
    let mut metric = decoded(&written[0]).remove(0);
    metric.description = metric.description.replace(polls.description, "How long polls took.");
    metric
}

fn expected_attributes() -> Vec<ProtoKeyValue> {
    let string = |text: &str| any_value::Value::StringValue(text.into());
    let any = |value| AnyValue { value: Some(value) };
    let attribute =
        |key: &str, value| ProtoKeyValue { key: key.into(), value: Some(any(value)), key_strindex: 0 };
    vec![
        attribute("name", string("render")),
        attribute("index", any_value::Value::IntValue(3)),
        attribute("ratio", any_value::Value::DoubleValue(0.5)),
        attribute("main", any_value::Value::BoolValue(true)),
        attribute(
            "tags",
            any_value::Value::ArrayValue(ArrayValue { values: vec![any(string("a")), any(string("b"))] }),
        ),
    ]
}

/// Compares with the golden file, and what that decodes to with what it should.
#[track_caller]
fn assert_golden(metric: &Metric, golden: &str, description: &str, expected: Data) {
    let hex: String = metric.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
    let golden: String = golden.split_whitespace().collect();
    assert_eq!(hex, golden);
    let digits = golden.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    let bytes: Vec<_> = digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect();
    let expected = Metric {
        name: "tokio.worker.poll.duration".into(),
        description: description.into(),
        unit: "s".into(),
        metadata: Vec::new(),
        data: Some(expected),
    };
    assert_eq!(Metric::decode(&*bytes).expect("golden"), expected);
}

fn explicit(temporality: i32, sum: Option<f64>, bucket_counts: Vec<u64>, explicit_bounds: Vec<f64>) -> Data {
    let point = HistogramDataPoint {
        attributes: expected_attributes(),
        start_time_unix_nano: ns(1),
        time_unix_nano: ns(11),
        count: bucket_counts.iter().sum(),
        sum,
        bucket_counts,
        explicit_bounds,
        exemplars: Vec::new(),
        flags: 0,
        min: None,
        max: None,
    };
    Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: temporality })
}

const MEASURED: &str = "How long polls took.";
const ESTIMATED: &str = "How long polls took. The sum is an estimate from the bucket bounds.";

#[test]
fn a_linear_scale_is_a_histogram_of_equal_bounds() {
    let scale = Scale::linear(Duration::from_micros(100), 4).expect("valid");
    let snapshot = snapshot(&scale, &[4, 3, 0, 1], Some(2_500_000));
    let expected = explicit(CUMULATIVE, Some(0.0025), vec![4, 3, 0, 1], vec![0.0001, 0.0002, 0.0003]);
    let metric = metric(Temporality::Cumulative, &snapshot);
    assert_golden(&metric, include_str!("golden/linear.hex"), MEASURED, expected);
}

#[test]
fn the_preset_is_a_histogram_of_23_buckets() {
    let counts: Vec<_> = (0..23).collect();
    let mut bounds = Vec::new();
    // 8.192 µs, doubled 21 times.
    for doublings in 0..22_u32 {
        bounds.push(f64::from(8192_u32) * f64::from(2_u32.pow(doublings)) / 1e9);
    }
    // Each middle is 1.5 times the beginning, 2^(12 + bucket) ns, but that of the last, which is
    // its beginning.
    let sum_ns: u64 =
        (1..22_u64).map(|bucket| bucket * 3 * (1 << (11 + bucket))).sum::<u64>() + 22 * (1 << 34);
    let expected = explicit(DELTA, Some(sum_ns as f64 / 1e9), counts.clone(), bounds);
    let metric = metric(Temporality::Delta, &snapshot(&Scale::preset(), &counts, None));
    assert_golden(&metric, include_str!("golden/preset.hex"), ESTIMATED, expected);
}

#[test]
fn an_explicit_scale_keeps_its_bounds() {
    let bounds = [0.005, 0.01, 0.025, 0.1];
    let scale = Scale::explicit(&bounds).expect("valid");
    let snapshot = snapshot(&scale, &[0, 0, 0, 0, 7], Some(1_500_000_000));
    let expected = explicit(CUMULATIVE, Some(1.5), vec![0, 0, 0, 0, 7], bounds.to_vec());
    let metric = metric(Temporality::Cumulative, &snapshot);
    assert_golden(&metric, include_str!("golden/explicit.hex"), MEASURED, expected);
}

#[test]
fn an_exponential_scale_is_an_exponential_histogram() {
    // Zero, indices -20 to -1 for 1 µs to 1 s, and an open bucket.
    let scale = exponential(0, Duration::from_micros(1), Duration::from_secs(1));
    let mut counts = vec![0; scale.buckets()];
    assert_eq!(counts.len(), 22);
    (counts[0], counts[11], counts[13], counts[21]) = (5, 2, 1, 1);
    let point = ExponentialHistogramDataPoint {
        attributes: expected_attributes(),
        start_time_unix_nano: ns(1),
        time_unix_nano: ns(11),
        count: 9,
        sum: Some(3.25),
        scale: 0,
        zero_count: 5,
        positive: Some(Buckets { offset: -10, bucket_counts: vec![2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1] }),
        negative: None,
        flags: 0,
        exemplars: Vec::new(),
        min: None,
        max: None,
        zero_threshold: 2_f64.powi(-20),
    };
    let expected = Data::ExponentialHistogram(ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality: CUMULATIVE,
    });
    let metric = metric(Temporality::Cumulative, &snapshot(&scale, &counts, Some(3_250_000_000)));
    assert_golden(&metric, include_str!("golden/exponential.hex"), MEASURED, expected);
}
