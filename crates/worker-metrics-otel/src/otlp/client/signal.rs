//! What a request carries.

/// The signal of a request: where it goes on one and the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::otlp) enum Signal {
    Metrics,
    /// Stalls, as log records.
    Logs,
}

impl Signal {
    /// The method of gRPC.
    ///
    /// **Source**: `opentelemetry/proto/collector/{metrics,logs}/v1` of the protocol.
    #[cfg(feature = "grpc-tonic")]
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }
}
