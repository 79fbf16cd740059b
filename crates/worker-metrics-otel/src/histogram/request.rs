//! The request that carries metrics to a receiver.
//!
//! Built by the exporter for each part. Never holds anything that tells a secret: headers belong to the transport.

use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::Resource;

/// A request of metrics of one scope of one resource.
pub(crate) fn request(
    resource: &Resource,
    scope: &InstrumentationScope,
    metrics: Vec<Metric>,
) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.into()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some((scope, None).into()),
                metrics,
                schema_url: scope.schema_url().unwrap_or_default().into(),
            }],
            schema_url: resource.schema_url().unwrap_or_default().into(),
        }],
    }
}
