//! The production pipeline to a receiver in this process.

use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use otlp_receiver::Receiver;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Endpoint;
use worker_metrics_otel::{Compression, Instrumentation, Sink};

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

    /// With the histograms beside it, to the same receiver.
    pub(crate) fn with_histograms(
        workers: &Instrumentation,
        protocol: Protocol,
        receiver: &Receiver,
        temporality: Temporality,
        compression: Compression,
        interval: Duration,
    ) -> Self {
        let transport = transport();
        let sink = sink(protocol, receiver, &transport).with_compression(compression).unwrap();
        let exporter = exporter(protocol, receiver, temporality, &transport);
        Self::new(workers.exporter_with(exporter, sink), interval, transport)
    }

    /// What the SDK exports goes to one receiver, and the histograms to another.
    pub(crate) fn between(workers: &Instrumentation, metrics: &Receiver, histograms: &Receiver) -> Self {
        let transport = transport();
        let sink = sink(Protocol::Http, histograms, &transport);
        let exporter = exporter(Protocol::Http, metrics, Temporality::Cumulative, &transport);
        Self::new(workers.exporter_with(exporter, sink), PATIENCE, transport)
    }

    fn new(exporter: impl PushMetricExporter, interval: Duration, transport: Runtime) -> Self {
        let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), _transport: transport }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.provider.meter("worker-metrics")
    }
}

/// The time that a send may take, retries included.
const TIMEOUT: Duration = Duration::from_secs(1);

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

fn sink(protocol: Protocol, receiver: &Receiver, transport: &Runtime) -> Sink {
    match protocol {
        Protocol::Grpc => {
            let _entered = transport.enter();
            Sink::grpc(Endpoint::from_shared(receiver.grpc_endpoint()).unwrap().connect_lazy()).unwrap()
        }
        Protocol::Http => Sink::http(reqwest::blocking::Client::new(), &receiver.http_endpoint()).unwrap(),
    }
    .with_timeout(TIMEOUT)
}
