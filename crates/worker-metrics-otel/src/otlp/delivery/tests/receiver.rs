//! A receiver that notes each point, and complains of what no receiver should get.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as NumberValue;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, DataPointFlags, Metric};

use super::decoded;
use crate::otlp::wire::Request;

/// A metric's name without the namespace, and the attributes as text.
pub(super) type Key = (String, String);

/// The points that it took, by series in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    pub(super) series: BTreeMap<Key, Vec<Arrived>>,
    /// The number of requests that it took.
    pub(super) requests: usize,
}

/// A point of any kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrived {
    /// The number of its request.
    pub(super) request: usize,
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
    pub(super) is_delta: bool,
    /// `None` at an end.
    pub(super) value: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Histogram(Counted),
}

/// What a histogram has counted, by bucket; those of nothing are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted {
    pub(super) buckets: BTreeMap<i64, u64>,
    pub(super) sum_s: f64,
}

impl Counted {
    pub(super) fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.sum_s += other.sum_s;
    }
}

/// The place of the zero bucket of an exponential histogram.
pub(super) const ZERO: i64 = i64::MIN;

impl Receiver {
    /// Takes a request.
    pub(super) fn take(&mut self, request: &Request) {
        let number = self.requests;
        self.requests += 1;
        for metric in decoded(request) {
            let points = arrived(&metric, number);
            assert!(!points.is_empty(), "a metric without points");
            let name = metric.name.split_once('.').expect("a namespace").1.to_owned();
            for (attributes, point) in points {
                self.series.entry((name.clone(), attributes)).or_default().push(point);
            }
        }
    }

    /// The points of a series: of the metric whose name ends so, where the attributes name `part`.
    pub(super) fn points(&self, metric: &str, parts: &[&str]) -> &[Arrived] {
        let mut found = self.series.iter().filter(|((name, attributes), _)| {
            name == metric && parts.iter().all(|part| attributes.contains(part))
        });
        let points = found.next().map(|(_, points)| &points[..]).unwrap_or_default();
        assert!(found.next().is_none(), "{metric} {parts:?} are several series");
        points
    }

    /// The number of series that have ended.
    pub(super) fn ended(&self) -> usize {
        let has_ended = |points: &&Vec<Arrived>| points.last().is_some_and(|point| point.value.is_none());
        self.series.values().filter(has_ended).count()
    }
}

fn arrived(metric: &Metric, request: usize) -> Vec<(String, Arrived)> {
    let delta = i32::from(AggregationTemporality::Delta);
    let point = |attributes: &[KeyValue], start_ns, time_ns, is_delta, flags, value: Option<Value>| {
        let is_end = flags == DataPointFlags::NoRecordedValueMask as u32;
        assert!(flags == 0 || is_end, "unknown flags {flags}");
        assert!(start_ns < time_ns, "{}: from {start_ns} to {time_ns}", metric.name);
        assert!(is_end != value.is_some(), "{}: an end has no value, all else has", metric.name);
        (text(attributes), Arrived { request, start_ns, time_ns, is_delta, value })
    };
    let numbers = |points: &[opentelemetry_proto::tonic::metrics::v1::NumberDataPoint], is_delta| {
        let point = |it: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
            let value = it.value.as_ref().map(|value| match value {
                NumberValue::AsInt(count) => Value::Number(*count as f64),
                NumberValue::AsDouble(number) => Value::Number(*number),
            });
            point(&it.attributes, it.start_time_unix_nano, it.time_unix_nano, is_delta, it.flags, value)
        };
        points.iter().map(point).collect()
    };
    match metric.data.as_ref().expect("data") {
        Data::Gauge(gauge) => numbers(&gauge.data_points, false),
        Data::Sum(sum) => numbers(&sum.data_points, sum.aggregation_temporality == delta),
        Data::Histogram(histogram) => {
            let is_delta = histogram.aggregation_temporality == delta;
            let points = histogram.data_points.iter().map(|it| {
                assert_eq!(it.count, it.bucket_counts.iter().sum::<u64>());
                let buckets = (0..).zip(it.bucket_counts.iter().copied()).filter(|(_, count)| *count > 0);
                let counted = || Counted { buckets: buckets.collect(), sum_s: it.sum.expect("a sum") };
                let value = (it.flags == 0).then(counted).map(Value::Histogram);
                point(&it.attributes, it.start_time_unix_nano, it.time_unix_nano, is_delta, it.flags, value)
            });
            points.collect()
        }
        Data::ExponentialHistogram(histogram) => {
            let is_delta = histogram.aggregation_temporality == delta;
            let points = histogram.data_points.iter().map(|it| {
                let counted = || {
                    let positive = it.positive.as_ref().expect("buckets");
                    assert_eq!(it.count, it.zero_count + positive.bucket_counts.iter().sum::<u64>());
                    let indices = i64::from(positive.offset)..;
                    let positive = indices.zip(positive.bucket_counts.iter().copied());
                    let buckets = std::iter::once((ZERO, it.zero_count)).chain(positive);
                    let buckets = buckets.filter(|(_, count)| *count > 0).collect();
                    Counted { buckets, sum_s: it.sum.expect("a sum") }
                };
                let value = (it.flags == 0).then(counted).map(Value::Histogram);
                point(&it.attributes, it.start_time_unix_nano, it.time_unix_nano, is_delta, it.flags, value)
            });
            points.collect()
        }
        Data::Summary(_) => panic!("a summary"),
    }
}

/// Attributes as `name=value` with a comma behind each, sorted.
fn text(attributes: &[KeyValue]) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let attribute = |attribute: &KeyValue| {
        let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => panic!("{other:?}"),
        };
        format!("{}={value},", attribute.key)
    };
    let mut attributes: Vec<_> = attributes.iter().map(attribute).collect();
    attributes.sort();
    attributes.concat()
}
