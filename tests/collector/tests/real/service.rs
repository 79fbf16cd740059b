//! A service with the production pipeline, and workers whose counts are known.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    Compression as SdkCompression, MetricExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider, Temporality,
};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Compression, Instrumentation, Otlp, Push};

use crate::wait::until;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

pub(crate) const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// By which ways the metrics leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The numbers through a meter provider with the exporter of opentelemetry-otlp, the histograms
    /// by a push.
    Apart,
    /// Everything by an exporter of the meter provider.
    Together,
    /// Everything by a push.
    Push,
}

/// Where and how a service exports.
#[derive(Clone, Debug)]
pub(crate) struct To {
    pub(crate) way: Way,
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: String,
    pub(crate) temporality: Temporality,
    pub(crate) compression: Compression,
    pub(crate) interval: Duration,
}

/// Exports are asked for.
const NEVER: Duration = Duration::from_secs(3_600);

/// The time that a send may take, retries included.
const TIMEOUT: Duration = Duration::from_secs(5);

impl To {
    pub(crate) fn new(protocol: Protocol, endpoint: String, temporality: Temporality) -> Self {
        let (way, compression) = (Way::Apart, Compression::None);
        Self { way, protocol, endpoint, temporality, compression, interval: NEVER }
    }

    /// The exporter of opentelemetry-otlp.
    fn exporter(&self) -> MetricExporter {
        let compression = match self.compression {
            Compression::Gzip => Some(SdkCompression::Gzip),
            Compression::Zstd => Some(SdkCompression::Zstd),
            _ => None,
        };
        if self.protocol == Protocol::Http {
            let mut builder = MetricExporter::builder().with_http();
            if let Some(compression) = compression {
                builder = builder.with_compression(compression);
            }
            return builder
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_endpoint(&self.endpoint)
                .with_timeout(TIMEOUT)
                .with_temporality(self.temporality)
                .build()
                .unwrap();
        }
        let mut builder = MetricExporter::builder().with_tonic().with_endpoint(&self.endpoint);
        if let Some(compression) = compression {
            builder = builder.with_compression(compression);
        }
        builder.with_timeout(TIMEOUT).with_temporality(self.temporality).build().unwrap()
    }

    fn otlp(&self, workers: &Instrumentation) -> Otlp {
        let protocol = match self.protocol {
            Protocol::Grpc => worker_metrics_otel::Protocol::Grpc,
            Protocol::Http => worker_metrics_otel::Protocol::HttpProtobuf,
        };
        workers
            .otlp()
            .with_endpoint(&self.endpoint)
            .with_protocol(protocol)
            .with_temporality(self.temporality)
            .with_compression(self.compression)
            .with_timeout(TIMEOUT)
    }
}

/// The pool with explicit buckets, and the one with exponential ones.
pub(crate) const EXPLICIT: &str = "render";
pub(crate) const EXPONENTIAL: &str = "encode";
pub(crate) const BOUNDS_S: [f64; 3] = [0.001, 0.01, 0.1];
pub(crate) const JOB: &str = "shop/checkout";

/// A service: two pools of one worker each, which are polled by hand, and everything that is
/// exported of them.
pub(crate) struct Service {
    pub(crate) workers: Instrumentation,
    pub(crate) instance: String,
    /// What the SDK collected in the cycle that it exported.
    pub(crate) collected: InMemoryMetricExporter,
    /// Polls of each of the two pools.
    pub(crate) polls: u64,
    provider: SdkMeterProvider,
    push: Option<Push>,
    batches: Vec<Batch>,
    attachments: Vec<Attachment>,
    /// Where a gRPC channel of opentelemetry-otlp lives.
    _transport: Runtime,
}

/// What one call of `Service::work` records in each pool: durations, and how many polls have them.
pub(crate) const WORK: [(Duration, u64); 3] =
    [(Duration::from_micros(10), 30), (Duration::from_millis(5), 20), (Duration::from_secs(9), 10)];
/// Polls of one call of `Service::work`.
pub(crate) const POLLS: u64 = 60;
/// Their durations, added up.
pub(crate) const SUM_S: f64 = 90.1003;

impl Service {
    pub(crate) fn start(to: &To) -> Self {
        let transport = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let workers = Instrumentation::default();
        let collected = InMemoryMetricExporterBuilder::new().with_temporality(to.temporality).build();
        let instance = Uuid::new_v4().to_string();
        let resource = Resource::builder_empty()
            .with_service_name("checkout")
            .with_attributes([
                KeyValue::new("service.namespace", "shop"),
                KeyValue::new("service.instance.id", instance.clone()),
                KeyValue::new("service.version", "1.2.3"),
                KeyValue::new("host.name", "somewhere"),
            ])
            .build();
        let mut provider = SdkMeterProvider::builder().with_resource(resource.clone());
        match to.way {
            Way::Apart => {
                let _entered = transport.enter();
                let reader = PeriodicReader::builder(to.exporter()).with_interval(to.interval);
                provider = provider.with_reader(reader.build());
            }
            Way::Together => {
                let exporter = to.otlp(&workers).exporter().unwrap();
                let reader = PeriodicReader::builder(exporter).with_interval(to.interval);
                provider = provider.with_reader(reader.build());
            }
            Way::Push => {}
        }
        let reader = PeriodicReader::builder(collected.clone()).with_interval(NEVER).build();
        let provider = provider.with_reader(reader).build();
        if to.way != Way::Push {
            workers.register(&provider);
        }
        let push = (to.way != Way::Together)
            .then(|| to.otlp(&workers).with_interval(to.interval).with_resource(resource).start().unwrap());

        let mut batches = Vec::new();
        let mut attachments = Vec::new();
        let exponential = Scale::exponential(0, Duration::from_micros(1), Duration::from_secs(10)).unwrap();
        for (name, scale) in [(EXPLICIT, Scale::explicit(&BOUNDS_S).unwrap()), (EXPONENTIAL, exponential)] {
            let config = WorkerConfig::new().with_poll_time_histogram(scale);
            let (pool, mut batch) = Pool::builder(name).workers(1).config(config).build().unwrap();
            batches.append(&mut batch);
            attachments.push(workers.attach(pool).unwrap());
        }
        let (polls, _transport) = (0, transport);
        Self { workers, instance, collected, polls, provider, push, batches, attachments, _transport }
    }

    /// What `WORK` says, in each pool.
    pub(crate) fn work(&mut self) {
        for batch in &mut self.batches {
            for (duration, times) in WORK {
                for _ in 0..times {
                    let now = batch.clock().now_ns();
                    batch.start_poll_at(now);
                    batch.end_poll_at(now + u64::try_from(duration.as_nanos()).unwrap());
                }
            }
            batch.submit();
        }
        self.polls += POLLS;
    }

    /// Exports once, on each of its ways.
    pub(crate) fn export(&self) -> Result<(), String> {
        self.collected.reset();
        let provider = self.provider.force_flush().map_err(|error| error.to_string());
        let push = self.push.as_ref().map_or(Ok(()), Push::force_flush).map_err(|error| error.to_string());
        provider.and(push)
    }

    /// Detaches the pools: their last values, and the ends of their series, go with the next
    /// export.
    pub(crate) fn detach(&mut self) {
        self.attachments.clear();
    }

    /// Exports until somebody took it.
    pub(crate) fn deliver(&self) {
        until("an export", || self.export());
    }

    /// A selector for the series of a pool of this service.
    pub(crate) fn select(&self, metric: &str, pool: &str) -> String {
        format!("{metric}{{job=\"{JOB}\", instance=\"{}\", worker_pool_name=\"{pool}\"}}", self.instance)
    }
}
