//! OTLP's data points as points of the document.
//! Called by `State` for every metric of a request.
//! Never keeps a point without a value.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
        NumberDataPoint, exponential_histogram_data_point, metric, number_data_point,
    },
};

use crate::{Buckets, Data, ExponentialHistogram, Histogram, MetricType, Number, Temporality};

/// What tells apart two metrics of one name, scope and unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) kind: MetricType,
    pub(crate) monotonic: Option<bool>,
    pub(crate) temporality: Option<Temporality>,
}

/// A data point as it came.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) start_time_unix_nano: u64,
    pub(crate) time_unix_nano: u64,
    /// Absent if the point is flagged "no recorded value".
    pub(crate) data: Option<Data>,
}

/// The shape and the points of a metric; `None` for a summary and for a metric without data, which
/// are not stored.
pub(crate) fn points(data: Option<metric::Data>) -> Option<(Shape, Vec<Incoming>)> {
    let (kind, monotonic, temporality, points) = match data? {
        metric::Data::Gauge(gauge) => (MetricType::Gauge, None, None, numbers(gauge.data_points)),
        metric::Data::Sum(sum) => (
            MetricType::Sum,
            Some(sum.is_monotonic),
            Some(temporality(sum.aggregation_temporality)),
            numbers(sum.data_points),
        ),
        metric::Data::Histogram(histogram) => (
            MetricType::Histogram,
            None,
            Some(temporality(histogram.aggregation_temporality)),
            histogram.data_points.into_iter().map(Incoming::from).collect(),
        ),
        metric::Data::ExponentialHistogram(histogram) => (
            MetricType::ExponentialHistogram,
            None,
            Some(temporality(histogram.aggregation_temporality)),
            histogram.data_points.into_iter().map(Incoming::from).collect(),
        ),
        metric::Data::Summary(_) => return None,
    };
    Some((Shape { kind, monotonic, temporality }, points))
}

fn temporality(raw: i32) -> Temporality {
    match AggregationTemporality::try_from(raw) {
        Ok(AggregationTemporality::Cumulative) => Temporality::Cumulative,
        Ok(AggregationTemporality::Delta) => Temporality::Delta,
        Ok(AggregationTemporality::Unspecified) | Err(_) => Temporality::Unspecified,
    }
}

fn recorded(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 == 0
}

/// The number points, without those that have neither a value nor the flag that says so.
fn numbers(points: Vec<NumberDataPoint>) -> Vec<Incoming> {
    points
        .into_iter()
        .filter_map(|point| {
            let value = point.value.map(|value| match value {
                number_data_point::Value::AsInt(int) => Number::Int(int),
                number_data_point::Value::AsDouble(double) => Number::Double(double),
            });
            let data = match (recorded(point.flags), value) {
                (true, Some(value)) => Some(Data::Number { value }),
                (true, None) => return None,
                (false, _) => None,
            };
            Some(Incoming {
                attributes: point.attributes,
                start_time_unix_nano: point.start_time_unix_nano,
                time_unix_nano: point.time_unix_nano,
                data,
            })
        })
        .collect()
}

impl From<HistogramDataPoint> for Incoming {
    fn from(point: HistogramDataPoint) -> Self {
        let histogram = Histogram {
            count: point.count,
            sum: point.sum,
            bounds: point.explicit_bounds,
            bucket_counts: point.bucket_counts,
        };
        Self {
            attributes: point.attributes,
            start_time_unix_nano: point.start_time_unix_nano,
            time_unix_nano: point.time_unix_nano,
            data: recorded(point.flags).then_some(Data::Histogram(histogram)),
        }
    }
}

impl From<ExponentialHistogramDataPoint> for Incoming {
    fn from(point: ExponentialHistogramDataPoint) -> Self {
        let negative = point.negative.map(Buckets::from);
        let histogram = ExponentialHistogram {
            count: point.count,
            sum: point.sum,
            scale: point.scale,
            zero_count: point.zero_count,
            zero_threshold: point.zero_threshold,
            positive: point.positive.map(Buckets::from).unwrap_or_default(),
            negative: negative.filter(|negative| !negative.bucket_counts.is_empty()),
        };
        Self {
            attributes: point.attributes,
            start_time_unix_nano: point.start_time_unix_nano,
            time_unix_nano: point.time_unix_nano,
            data: recorded(point.flags).then_some(Data::ExponentialHistogram(histogram)),
        }
    }
}

impl From<exponential_histogram_data_point::Buckets> for Buckets {
    fn from(buckets: exponential_histogram_data_point::Buckets) -> Self {
        Self { offset: buckets.offset, bucket_counts: buckets.bucket_counts }
    }
}
