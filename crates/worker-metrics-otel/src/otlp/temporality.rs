//! Which temporality a preference of the SDK stands for.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_sdk::metrics::Temporality;

/// That of histograms and counters: they are deltas under the preference for low memory too.
///
/// **Source**: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` of the OpenTelemetry specification.
pub(crate) fn aggregation_temporality(preference: Temporality) -> AggregationTemporality {
    match preference {
        Temporality::Delta | Temporality::LowMemory => AggregationTemporality::Delta,
        _ => AggregationTemporality::Cumulative,
    }
}
