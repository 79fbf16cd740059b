//! The pipeline: receiver, exporter, provider.
//!
//! As in any service, but that the receiver is in the same process.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, Protocol as WireProtocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use otlp_receiver::{Document, Receiver};
use worker_metrics_otel::{Instrumentation, Protocol, Sink};

use crate::error::Failure;

const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Pipeline {
    receiver: Receiver,
    provider: SdkMeterProvider,
}

impl Pipeline {
    /// Exports `workers` to a receiver of its own.
    pub(crate) fn start(workers: &Instrumentation) -> Result<Self, Failure> {
        let receiver = Receiver::start().map_err(Failure::pipeline("the receiver"))?;
        let endpoint = receiver.http_endpoint();
        let exporter = MetricExporter::builder()
            .with_http()
            .with_protocol(WireProtocol::HttpBinary)
            .with_endpoint(&endpoint)
            .build()
            .map_err(Failure::pipeline("the exporter"))?;
        let sink = Sink::from_env_to(Protocol::HttpProtobuf, &endpoint)
            .map_err(Failure::pipeline("the exporter of histograms"))?;
        let exporter = workers.exporter_with(exporter, sink);
        let provider = SdkMeterProvider::builder()
            .with_reader(PeriodicReader::builder(exporter).with_interval(INTERVAL).build())
            .with_resource(Resource::builder().with_service_name("custom-executor").build())
            .build();
        workers.register(&provider.meter("worker-metrics"));
        Ok(Self { receiver, provider })
    }

    /// Exports once more, and what the receiver has got then.
    pub(crate) fn received(&self) -> Result<Document, Failure> {
        self.provider.force_flush().map_err(Failure::pipeline("the export"))?;
        Ok(self.receiver.snapshot())
    }

    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.provider.shutdown().map_err(Failure::pipeline("the end of the exports"))
    }
}
