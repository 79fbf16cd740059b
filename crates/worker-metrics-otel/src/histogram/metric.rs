//! What a metric is called, and its message without points.
//!
//! Shared by all series of the metric. Never holds a value.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, Histogram, Metric,
};

use super::point::Point;

/// Added to the description of a metric some of whose sums are estimates.
const ESTIMATE_NOTE: &str = " The sum is an estimate from the bucket bounds.";

/// What a metric is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricInfo<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) unit: &'a str,
}

/// A metric of one kind of histogram: in OTLP that is what has a message of its own.
#[derive(Debug)]
pub(super) struct Descriptor {
    name: String,
    description: String,
    unit: String,
    exponential: bool,
}

impl Descriptor {
    pub(super) fn new(metric: &MetricInfo<'_>, exponential: bool) -> Self {
        let &MetricInfo { name, description, unit } = metric;
        Self { name: name.into(), description: description.into(), unit: unit.into(), exponential }
    }

    pub(super) fn is_of(&self, metric: &MetricInfo<'_>, exponential: bool) -> bool {
        self.name == metric.name && self.unit == metric.unit && self.exponential == exponential
    }

    /// The message, without points.
    pub(super) fn message(&self, estimated: bool, temporality: AggregationTemporality) -> Metric {
        let note = if estimated { ESTIMATE_NOTE } else { "" };
        let aggregation_temporality = temporality.into();
        let data = match self.exponential {
            false => Data::Histogram(Histogram { data_points: Vec::new(), aggregation_temporality }),
            true => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: Vec::new(),
                aggregation_temporality,
            }),
        };
        Metric {
            name: self.name.clone(),
            description: format!("{}{note}", self.description),
            unit: self.unit.clone(),
            metadata: Vec::new(),
            data: Some(data),
        }
    }
}

/// Adds a point to a message of its kind.
pub(super) fn add(metric: &mut Metric, point: Point) {
    match (&mut metric.data, point) {
        (Some(Data::Histogram(histogram)), Point::Explicit(point)) => histogram.data_points.push(point),
        (Some(Data::ExponentialHistogram(histogram)), Point::Exponential(point)) => {
            histogram.data_points.push(point);
        }
        (_, point) => debug_assert!(false, "a descriptor is of one kind of points, not of {point:?}"),
    }
}
