//! The production pipeline to a receiver in this process.

use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use otlp_receiver::Receiver;
use tokio::runtime::{Builder, Runtime};
use worker_metrics_otel::{Compression, Instrumentation, Otlp};

/// Exports are asked for.
pub(crate) const HOURLY: Duration = Duration::from_secs(3_600);

/// So long may a machine take for what it does at once, before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

pub(crate) struct Wire {
    pub(crate) provider: SdkMeterProvider,
    /// Where the gRPC channel lives: not on the observed runtime.
    _transport: Runtime,
}

impl Wire {
    pub(crate) fn start(
        protocol: Protocol,
        receiver: &Receiver,
        temporality: Temporality,
        interval: Duration,
    ) -> Self {
        let transport = transport();
        let exporter = exporter(protocol, receiver, temporality, &transport);
        Self::new(exporter, interval, transport)
    }

    /// Through an exporter of ours, which sends the histograms as well, and the numbers where they
    /// go by OTLP.
    pub(crate) fn with_histograms(
        workers: &Instrumentation,
        protocol: Protocol,
        receiver: &Receiver,
        temporality: Temporality,
        compression: Compression,
        interval: Duration,
    ) -> Self {
        let exporter = otlp(workers, protocol, receiver).with_temporality(temporality);
        Self::new(exporter.with_compression(compression).exporter().unwrap(), interval, transport())
    }

    /// The same over HTTP, exported on request alone.
    pub(crate) fn by_http(workers: &Instrumentation, receiver: &Receiver, temporality: Temporality) -> Self {
        Self::with_histograms(workers, Protocol::Http, receiver, temporality, Compression::None, HOURLY)
    }

    fn new(exporter: impl PushMetricExporter, interval: Duration, transport: Runtime) -> Self {
        let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), _transport: transport }
    }
}

/// The time that a send may take, retries included.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

fn transport() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn exporter(
    protocol: Protocol,
    receiver: &Receiver,
    temporality: Temporality,
    transport: &Runtime,
) -> MetricExporter {
    let _entered = transport.enter();
    match protocol {
        Protocol::Grpc => MetricExporter::builder()
            .with_tonic()
            .with_endpoint(receiver.grpc_endpoint())
            .with_timeout(TIMEOUT)
            .with_temporality(temporality)
            .build(),
        Protocol::Http => MetricExporter::builder()
            .with_http()
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_endpoint(receiver.http_endpoint())
            .with_timeout(TIMEOUT)
            .with_temporality(temporality)
            .build(),
    }
    .unwrap()
}

/// An export by OTLP to a receiver.
pub(crate) fn otlp(workers: &Instrumentation, protocol: Protocol, receiver: &Receiver) -> Otlp {
    let (endpoint, protocol) = match protocol {
        Protocol::Grpc => (receiver.grpc_endpoint(), worker_metrics_otel::Protocol::Grpc),
        Protocol::Http => (receiver.http_endpoint(), worker_metrics_otel::Protocol::HttpProtobuf),
    };
    workers.otlp().with_endpoint(endpoint).with_protocol(protocol).with_timeout(TIMEOUT)
}
