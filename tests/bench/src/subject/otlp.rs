//! What the SDK collected, as an OTLP request: the same encoder for everyone who exports through
//! the SDK.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, NumberDataPoint};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use prost::Message;

/// The request in protobuf, as opentelemetry-otlp makes it.
pub(super) fn encoded(metrics: &ResourceMetrics) -> Vec<u8> {
    ExportMetricsServiceRequest::from(metrics).encode_to_vec()
}

/// The metrics of a request.
pub(super) fn decoded(body: &[u8]) -> Vec<Metric> {
    let request = ExportMetricsServiceRequest::decode(body).expect("it was encoded here");
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    scopes.flat_map(|scope| scope.metrics).collect()
}

/// The number of series that a metric has as numbers, and as histograms.
///
/// The one into which the SDK puts what is above its limit is none.
pub(super) fn series(metric: &Metric) -> (usize, usize) {
    let has_value = |flags: u32| flags & DataPointFlags::NoRecordedValueMask as u32 == 0;
    let numbers = |points: &[NumberDataPoint]| {
        points.iter().filter(|point| has_value(point.flags) && !is_overflow(point)).count()
    };
    match &metric.data {
        Some(Data::Sum(sum)) => (numbers(&sum.data_points), 0),
        Some(Data::Gauge(gauge)) => (numbers(&gauge.data_points), 0),
        Some(Data::Histogram(histogram)) => {
            (0, histogram.data_points.iter().filter(|point| has_value(point.flags)).count())
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            (0, histogram.data_points.iter().filter(|point| has_value(point.flags)).count())
        }
        Some(Data::Summary(_)) | None => (0, 0),
    }
}

fn is_overflow(point: &NumberDataPoint) -> bool {
    point.attributes.iter().any(|attribute| attribute.key == "otel.metric.overflow")
}
