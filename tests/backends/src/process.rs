//! A process that exports its workers to an embedded receiver, which keeps the requests as they
//! came.
//!
//! Used by the checks and the measurement. Exports only when it is told to.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use otlp_receiver::Receiver;
use tokio::runtime::{Builder, Runtime};
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{
    Attachment, Detail, HistogramOptions, Histograms, Instrumentation, Options, Protocol, Push,
};

use crate::backend::Settings;

/// Nothing is exported by itself.
pub(crate) const HOURLY: Duration = Duration::from_secs(3_600);
const TIMEOUT: Duration = Duration::from_secs(60);

/// A process with both ways out, and the receiver at the other end: the numbers through a meter
/// provider with the exporter of opentelemetry-otlp, and the histograms by a push.
#[derive(Debug)]
pub struct Process {
    /// These two before the receiver, which has to be there for the last exports.
    provider: SdkMeterProvider,
    push: Push,
    workers: Instrumentation,
    attachments: Vec<Attachment>,
    protocol: Protocol,
    /// Where a gRPC channel lives.
    _transport: Runtime,
    receiver: Receiver,
}

/// How much a process tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Of counters, up-down counters and gauges.
    pub detail: Detail,
    /// Of histograms.
    pub histograms: Histograms,
}

impl Process {
    /// A process without a source.
    ///
    /// # Panics
    ///
    /// If this machine has no port or thread left.
    #[must_use]
    pub fn start(settings: Settings, level: Level, resource: &[(&'static str, &str)]) -> Self {
        let receiver = Receiver::builder().keep_requests(true).start().expect("ports and threads are free");
        let endpoint = match settings.protocol {
            Protocol::Grpc => receiver.grpc_endpoint(),
            _ => receiver.http_endpoint(),
        };
        let workers = Instrumentation::new(options(settings, level));
        let transport = transport();
        let exporter = exporter(settings.protocol, settings.temporality, &endpoint, &transport);
        let resource = self::resource(resource);
        let provider = provider(exporter, &resource);
        workers.register(&provider);
        let push = push(&workers, settings, &endpoint, &resource);
        let (protocol, attachments) = (settings.protocol, Vec::new());
        Self { provider, push, workers, attachments, protocol, _transport: transport, receiver }
    }

    /// The instrumentation, to attach sources to and to ask for series.
    #[must_use]
    pub fn workers(&self) -> &Instrumentation {
        &self.workers
    }

    /// Keeps a source attached for the life of the process.
    pub fn keep(&mut self, attachment: Attachment) {
        self.attachments.push(attachment);
    }

    /// Attaches a pool in which every bucket of every worker counts something then: what was before
    /// does not count.
    ///
    /// # Panics
    ///
    /// If a pool of this name is attached.
    pub fn attach_pool(&mut self, name: &str, scale: &Scale, workers: usize) -> Vec<Batch> {
        let (pool, mut batches) = pool(name, scale, workers);
        self.keep(self.workers.attach(pool).expect("the pool is new"));
        batches.iter_mut().for_each(|batch| fill(batch, scale));
        batches
    }

    /// Exports once: the requests of it, the SDK's half and that of the histograms.
    ///
    /// # Panics
    ///
    /// If the receiver in this process does not take it, or if it came otherwise than by the
    /// protocol that was set.
    #[must_use]
    pub fn export(&self) -> Vec<ExportMetricsServiceRequest> {
        let before = self.receiver.requests().len();
        self.provider.force_flush().expect("the receiver takes everything");
        self.push.force_flush().expect("the receiver takes everything");
        let travelled = self.receiver.last_transport().map(|transport| transport.protocol);
        let expected = match self.protocol {
            Protocol::Grpc => otlp_receiver::Protocol::Grpc,
            _ => otlp_receiver::Protocol::Http,
        };
        assert_eq!(travelled, Some(expected), "the settings decide how it travels");
        self.receiver.requests().split_off(before)
    }
}

pub(crate) fn options(settings: Settings, level: Level) -> Options {
    let mut histograms = HistogramOptions::default();
    if let Some(max_buckets) = settings.max_buckets {
        histograms = histograms.with_max_buckets(max_buckets);
    }
    Options::default()
        .with_opt_in_metrics()
        .with_worker_detail(level.detail)
        .with_histograms(level.histograms)
        .with_histogram_options(histograms)
}

/// A push that exports when it is told to, and when it is dropped.
pub(crate) fn push(
    workers: &Instrumentation,
    settings: Settings,
    endpoint: &str,
    resource: &Resource,
) -> Push {
    let otlp = workers.otlp().with_endpoint(endpoint).with_protocol(settings.protocol);
    let otlp = otlp.with_temporality(settings.temporality).with_resource(resource);
    otlp.with_timeout(TIMEOUT).with_interval(HOURLY).start().expect("the endpoint is a URL")
}

pub(crate) fn resource(attributes: &[(&'static str, &str)]) -> Resource {
    let attributes = attributes.iter().map(|&(key, value)| KeyValue::new(key, value.to_owned()));
    Resource::builder_empty().with_attributes(attributes).build()
}

fn transport() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("otlp-transport").enable_all();
    builder.build().expect("threads can be had")
}

fn exporter(
    protocol: Protocol,
    temporality: Temporality,
    endpoint: &str,
    transport: &Runtime,
) -> MetricExporter {
    let _entered = transport.enter();
    let built = match protocol {
        Protocol::Grpc => MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(TIMEOUT)
            .with_temporality(temporality)
            .build(),
        _ => MetricExporter::builder()
            .with_http()
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(TIMEOUT)
            .with_temporality(temporality)
            .build(),
    };
    built.expect("the endpoint is a URL")
}

fn provider(exporter: MetricExporter, resource: &Resource) -> SdkMeterProvider {
    SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter).with_interval(HOURLY).build())
        .with_resource(resource.clone())
        .build()
}

pub(crate) fn pool(name: &str, scale: &Scale, workers: usize) -> (Pool, Vec<Batch>) {
    let config = WorkerConfig::new()
        .with_poll_time_histogram(scale.clone())
        .with_schedule_latency_histogram(scale.clone());
    Pool::builder(name).workers(workers).config(config).build().expect("a name and a worker are given")
}

/// One poll and one delay into every bucket.
pub(crate) fn fill(batch: &mut Batch, scale: &Scale) {
    let ranges_ns = (0..scale.buckets()).filter_map(|bucket| scale.bucket_range(bucket));
    for range_ns in ranges_ns.filter(|range_ns| !range_ns.is_empty()) {
        let now_ns = batch.clock().now_ns();
        batch.start_poll_at(now_ns);
        batch.end_poll_at(now_ns.saturating_add(range_ns.start));
        batch.scheduled_for(Duration::from_nanos(range_ns.start));
    }
    batch.submit();
}
