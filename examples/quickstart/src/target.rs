//! Where the metrics go.

use otlp_receiver::Receiver;

use crate::options::{Options, Protocol};

/// Where the metrics go; what is `None` the environment says.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Protocol>,
}

impl Target {
    /// A receiver in this process, unless a collector is named.
    pub(crate) fn is_here(options: &Options) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let names_collector =
            is_set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") || is_set("OTEL_EXPORTER_OTLP_ENDPOINT");
        options.endpoint.is_none() && !names_collector
    }

    /// An endpoint is a base: over HTTP the path of the metrics comes behind it.
    pub(crate) fn new(options: &Options, receiver: Option<&Receiver>) -> Self {
        let protocol = options.protocol;
        let (base, protocol) = match (&options.endpoint, receiver) {
            (Some(endpoint), _) if endpoint.ends_with(":4318") => {
                (endpoint.clone(), protocol.unwrap_or(Protocol::HttpProtobuf))
            }
            (Some(endpoint), _) => (endpoint.clone(), protocol.unwrap_or(Protocol::Grpc)),
            (None, Some(receiver)) if protocol == Some(Protocol::HttpProtobuf) => {
                (receiver.http_base(), Protocol::HttpProtobuf)
            }
            (None, Some(receiver)) => (receiver.grpc_endpoint(), Protocol::Grpc),
            (None, None) => return Self { endpoint: None, protocol },
        };
        let endpoint = match protocol {
            Protocol::Grpc => base,
            Protocol::HttpProtobuf => format!("{base}/v1/metrics"),
        };
        Self { endpoint: Some(endpoint), protocol: Some(protocol) }
    }
}
