//! Requests made by hand.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
        exponential_histogram_data_point::Buckets, metric::Data, number_data_point::Value,
    },
    resource::v1::Resource,
};

pub(crate) const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
pub(crate) const DELTA: i32 = AggregationTemporality::Delta as i32;
pub(crate) const NO_RECORDED_VALUE: u32 = 1;

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A request of one resource (`service.name`) and one scope.
pub(crate) fn request(service: &str, scope: &str, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![text("service.name", service)],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: scope.to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

/// A request of the resource and scope that do not matter.
pub(crate) fn of(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    request("peer", "scope", metrics)
}

pub(crate) fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: format!("About {name}."),
        unit: "{thing}".to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

pub(crate) fn gauge(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points })
}

pub(crate) fn sum(aggregation_temporality: i32, data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
}

pub(crate) fn histogram(aggregation_temporality: i32, data_points: Vec<HistogramDataPoint>) -> Data {
    Data::Histogram(Histogram { data_points, aggregation_temporality })
}

pub(crate) fn exponential(
    aggregation_temporality: i32,
    data_points: Vec<ExponentialHistogramDataPoint>,
) -> Data {
    Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
}

/// A number from `start` to `start + 10`.
pub(crate) fn number(attributes: Vec<KeyValue>, start: u64, value: i64) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: start + 10,
        value: Some(Value::AsInt(value)),
        ..NumberDataPoint::default()
    }
}

/// The last point of a series of numbers.
pub(crate) fn no_number(attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint { attributes, flags: NO_RECORDED_VALUE, ..NumberDataPoint::default() }
}

/// A histogram of the bounds 0.5 and 1 from `start` to `start + 10`.
pub(crate) fn counts(start: u64, bucket_counts: [u64; 3], sum: Option<f64>) -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: start + 10,
        count: bucket_counts.iter().sum(),
        sum,
        explicit_bounds: vec![0.5, 1.0],
        bucket_counts: bucket_counts.to_vec(),
        ..HistogramDataPoint::default()
    }
}

/// An exponential histogram of positive values, one of which is zero, from `start` to `start + 10`.
pub(crate) fn exponential_counts(
    start: u64,
    scale: i32,
    offset: i32,
    bucket_counts: Vec<u64>,
) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: start + 10,
        count: 1 + bucket_counts.iter().sum::<u64>(),
        sum: Some(2.5),
        scale,
        zero_count: 1,
        zero_threshold: 0.25,
        positive: Some(Buckets { offset, bucket_counts }),
        ..ExponentialHistogramDataPoint::default()
    }
}
