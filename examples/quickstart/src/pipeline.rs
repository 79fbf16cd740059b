//! The two ways out, as a service has them: its own meter provider, and a push of the exact
//! histograms.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tokio::runtime::Runtime;
use uuid::Uuid;
use worker_metrics_otel::{Instrumentation, OtlpStatus, Push};

use crate::error::Failure;
use crate::options::{Options, Protocol};
use crate::outcome::{Outcome, Watched};
use crate::target::Target;

/// A running pipeline.
#[derive(Debug)]
pub(crate) struct Pipeline {
    provider: SdkMeterProvider,
    push: Push,
    outcome: Arc<Mutex<Outcome>>,
    /// Where a gRPC channel of opentelemetry-otlp lives: not on the observed runtime, from which no
    /// export leaves while all its workers are blocked.
    _transport: Runtime,
}

impl Pipeline {
    /// Starts to push to `target`.
    pub(crate) fn start(
        options: &Options,
        target: &Target,
        workers: &Instrumentation,
    ) -> Result<Self, Failure> {
        let transport = transport().map_err(|cause| Failure::run("the runtime of the exporter", cause))?;
        let _entered = transport.enter();
        let resource = resource();

        // The service's own pipeline, by which every metric but the histograms goes.
        let exporter = exporter(options, target).map_err(|cause| Failure::run("the OTLP exporter", cause))?;
        let (exporter, outcome) = Watched::new(exporter);
        let reader = PeriodicReader::builder(exporter);
        let reader = match short_interval() {
            Some(interval) => reader.with_interval(interval),
            None => reader,
        };
        let provider =
            SdkMeterProvider::builder().with_reader(reader.build()).with_resource(resource.clone()).build();
        workers.register(&provider);

        // The exact histograms. Where everything is in the environment, this is
        // `workers.otlp().start()?`.
        let mut otlp = workers.otlp().with_resource(resource);
        if let Some(endpoint) = &target.endpoint {
            otlp = otlp.with_endpoint(endpoint);
        }
        if let Some(protocol) = target.protocol {
            otlp = otlp.with_protocol(match protocol {
                Protocol::Grpc => worker_metrics_otel::Protocol::Grpc,
                Protocol::HttpProtobuf => worker_metrics_otel::Protocol::HttpProtobuf,
            });
        }
        if let Some(temporality) = options.temporality() {
            otlp = otlp.with_temporality(temporality);
        }
        if let Some(interval) = short_interval() {
            otlp = otlp.with_interval(interval);
        }
        let push = otlp.start().map_err(|cause| Failure::run("the push", cause))?;
        Ok(Self { provider, push, outcome, _transport: transport })
    }

    /// Sends what is left, and stops.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        let timeout = Duration::from_secs(5);
        let pushed = self.push.shutdown_with_timeout(timeout);
        let exported = self.provider.shutdown_with_timeout(timeout);
        // The push says where, and why.
        pushed.map_err(|cause| Failure::run("the last export", cause))?;
        exported.map_err(|cause| Failure::run("the last export of the meter provider", cause))
    }

    /// The status of the push.
    pub(crate) fn status(&self) -> OtlpStatus {
        self.push.status()
    }

    /// What became of the exports of both.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let push = self.status();
        outcome.exports += push.taken;
        if let Some(error) = push.last_error {
            outcome.errors.insert(error, push.failed);
        }
        outcome
    }
}

fn transport() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp-transport")
        .enable_all()
        .build()
}

/// The exporter of a service, configured by its environment; the options of the command line go
/// before that.
fn exporter(options: &Options, target: &Target) -> Result<MetricExporter, ExporterBuildError> {
    let mut builder = MetricExporter::builder();
    if let Some(temporality) = options.temporality() {
        builder = builder.with_temporality(temporality);
    }
    let endpoint = &target.endpoint;
    match target.protocol {
        None => builder.build(),
        Some(Protocol::Grpc) => {
            let builder = builder.with_tonic();
            endpoint.iter().fold(builder, |builder, endpoint| builder.with_endpoint(endpoint)).build()
        }
        Some(Protocol::HttpProtobuf) => {
            let builder = builder.with_http().with_protocol(opentelemetry_otlp::Protocol::HttpBinary);
            endpoint.iter().fold(builder, |builder, endpoint| builder.with_endpoint(endpoint)).build()
        }
    }
}

/// A second, if nothing is set: the 60 s of the specification would show nothing in a short run.
fn short_interval() -> Option<Duration> {
    std::env::var_os("OTEL_METRIC_EXPORT_INTERVAL").is_none().then_some(Duration::from_secs(1))
}

/// The resource of the environment, with a name and an identifier of this instance in any case:
/// without them the series of several processes fall together in most backends.
fn resource() -> Resource {
    let given = Resource::builder().build();
    let is_named =
        given.get(&"service.name".into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut resource = Resource::builder();
    if !is_named {
        resource = resource.with_service_name("quickstart");
    }
    if given.get(&"service.instance.id".into()).is_none() {
        resource = resource.with_attribute(KeyValue::new("service.instance.id", Uuid::new_v4().to_string()));
    }
    resource.build()
}
