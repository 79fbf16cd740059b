//! The facts of the sink, and what their tests share.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod client;
mod faults;
mod life;
mod secrets;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use futures_executor::block_on;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics,
};
use otlp_receiver::Receiver;
use prost::Message;

use super::environment::Environment;
use super::{Acknowledged, Protocol, SendError, Sink, SinkError};

/// So long may a machine take for what it does at once, before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The timeout of a send that is to fail.
const SHORT: &str = "300";

/// Those that are compiled in.
fn protocols() -> Vec<Protocol> {
    let all = [Protocol::Grpc, Protocol::HttpProtobuf];
    let compiled_in: Vec<_> = all.into_iter().filter(|protocol| protocol.available("").is_ok()).collect();
    assert!(!compiled_in.is_empty());
    compiled_in
}

/// The sink of an environment that names the protocol, the endpoint and more.
fn from(protocol: Protocol, endpoint: &str, more: &[(&str, &str)]) -> Result<Sink, SinkError> {
    let protocol = match protocol {
        Protocol::Grpc => "grpc",
        Protocol::HttpProtobuf => "http/protobuf",
    };
    let given = [("PROTOCOL", protocol), ("METRICS_ENDPOINT", endpoint)];
    let variables = given.iter().chain(more);
    let pairs = variables.map(|(name, value)| (format!("OTEL_EXPORTER_OTLP_{name}"), (*value).into()));
    Sink::of(&Environment::new(pairs))
}

fn endpoint(protocol: Protocol, receiver: &Receiver) -> String {
    match protocol {
        Protocol::Grpc => receiver.grpc_endpoint(),
        Protocol::HttpProtobuf => receiver.http_endpoint(),
    }
}

fn sink(protocol: Protocol, receiver: &Receiver, more: &[(&str, &str)]) -> Sink {
    from(protocol, &endpoint(protocol, receiver), more).unwrap()
}

/// As the reader does it: on a thread without a runtime.
fn send(sink: &Sink) -> Result<Acknowledged, SendError> {
    block_on(sink.send(encoded()))
}

fn encoded() -> Bytes {
    request().encode_to_vec().into()
}

/// One histogram, long enough to be worth compressing.
fn request() -> ExportMetricsServiceRequest {
    let point = HistogramDataPoint {
        time_unix_nano: 1,
        count: 3,
        sum: Some(0.5),
        bucket_counts: std::iter::once(3).chain(std::iter::repeat_n(0, 200)).collect(),
        explicit_bounds: (1..=200).map(f64::from).collect(),
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: 2 };
    let metric = Metric {
        name: "tokio.worker.poll.duration".to_owned(),
        unit: "s".to_owned(),
        data: Some(Data::Histogram(histogram)),
        ..Metric::default()
    };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }
}
