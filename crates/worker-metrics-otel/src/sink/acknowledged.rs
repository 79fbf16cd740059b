//! The answer of a receiver that took a request.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;

use super::headers::Headers;

/// What the receiver answered to a request that it took.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// The number of points that it rejected all the same.
    pub(crate) rejected: i64,
    /// What it says of them, without the values of the headers.
    pub(crate) message: String,
}

impl Acknowledged {
    pub(super) fn new(response: ExportMetricsServiceResponse, headers: &Headers) -> Self {
        let partial = response.partial_success.unwrap_or_default();
        Self { rejected: partial.rejected_data_points, message: headers.redact(&partial.error_message) }
    }
}
