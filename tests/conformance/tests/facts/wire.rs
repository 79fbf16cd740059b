//! The production pipeline to a receiver in this process.

use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use otlp_receiver::Receiver;
use tokio::runtime::{Builder, Runtime};

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
        let transport = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let timeout = Duration::from_millis(500);
        let exporter = match protocol {
            Protocol::Grpc => {
                let _entered = transport.enter();
                MetricExporter::builder()
                    .with_tonic()
                    .with_endpoint(receiver.grpc_endpoint())
                    .with_timeout(timeout)
                    .with_temporality(temporality)
                    .build()
            }
            Protocol::Http => MetricExporter::builder()
                .with_http()
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_endpoint(receiver.http_endpoint())
                .with_timeout(timeout)
                .with_temporality(temporality)
                .build(),
        }
        .unwrap();
        let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), _transport: transport }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.provider.meter("worker-metrics")
    }
}
