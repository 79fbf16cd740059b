//! The production pipeline: provider, reader, OTLP exporter.
//!
//! Nothing of it runs on the observed runtime: a gRPC channel lives on the runtime on which it is made, and from a runtime whose
//! workers are all stuck no export would leave.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::Protocol as WireProtocol;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use tokio::runtime::Runtime;
use uuid::Uuid;
use worker_metrics_otel::{Instrumentation, Protocol as SinkProtocol, Sink};

use crate::error::Failure;
use crate::options::Options;
use crate::outcome::{Outcome, Watched};
use crate::settings::Protocol;

/// A running pipeline.
#[derive(Debug)]
pub(crate) struct Pipeline {
    provider: SdkMeterProvider,
    outcome: Arc<Mutex<Outcome>>,
    /// Where the gRPC channel lives.
    _transport: Option<Runtime>,
}

impl Pipeline {
    /// Starts to push to `endpoint`.
    pub(crate) fn start(
        options: &Options,
        endpoint: &str,
        workers: &Instrumentation,
    ) -> Result<Self, Failure> {
        let (exporter, transport) = exporter(options.protocol, options.temporality, endpoint)?;
        let protocol = match options.protocol {
            Protocol::Grpc => SinkProtocol::Grpc,
            Protocol::HttpProtobuf => SinkProtocol::HttpProtobuf,
        };
        // A service whose endpoint is in the environment writes `workers.exporter(exporter)?`.
        let sink =
            Sink::from_env_to(protocol, endpoint).map_err(|cause| Failure::Usage(cause.to_string()))?;
        let (exporter, outcome) = Watched::new(workers.exporter_with(exporter, sink));
        let reader = PeriodicReader::builder(exporter).with_interval(options.interval).build();
        let provider = SdkMeterProvider::builder()
            .with_reader(reader)
            .with_resource(resource(options.service_name.clone()))
            .build();
        Ok(Self { provider, outcome, _transport: transport })
    }

    pub(crate) fn meter(&self) -> Meter {
        self.provider.meter("worker-metrics")
    }

    /// Sends what is left, and stops.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        let timeout = Duration::from_secs(10);
        self.provider.shutdown_with_timeout(timeout).map_err(|cause| Failure::run("the last export", cause))
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn exporter(
    protocol: Protocol,
    temporality: Temporality,
    endpoint: &str,
) -> Result<(MetricExporter, Option<Runtime>), Failure> {
    let refuse = |cause: &dyn std::fmt::Display| Failure::run("the OTLP exporter", cause);
    match protocol {
        Protocol::Grpc => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("otlp-transport")
                .enable_all()
                .build()
                .map_err(|cause| refuse(&cause))?;
            let entered = runtime.enter();
            let exporter = MetricExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .with_temporality(temporality)
                .build()
                .map_err(|cause| refuse(&cause))?;
            drop(entered);
            Ok((exporter, Some(runtime)))
        }
        Protocol::HttpProtobuf => {
            let exporter = MetricExporter::builder()
                .with_http()
                .with_protocol(WireProtocol::HttpBinary)
                .with_endpoint(endpoint)
                .with_temporality(temporality)
                .build()
                .map_err(|cause| refuse(&cause))?;
            Ok((exporter, None))
        }
    }
}

/// The resource of the environment, with a name and an identifier of this instance in any case: without them the series of
/// several processes fall together in most backends.
fn resource(service_name: Option<String>) -> Resource {
    let given = Resource::builder().build();
    let has = |key: &'static str| given.iter().any(|(given, _)| given.as_str() == key);
    let mut resource = Resource::builder();
    let named = has("service.name")
        && given
            .get(&"service.name".into())
            .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    match service_name {
        Some(name) => resource = resource.with_service_name(name),
        None if !named => resource = resource.with_service_name("quickstart"),
        None => {}
    }
    if !has("service.instance.id") {
        resource = resource.with_attribute(KeyValue::new("service.instance.id", Uuid::new_v4().to_string()));
    }
    resource.build()
}
