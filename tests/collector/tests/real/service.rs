//! A service with the production pipeline, and workers whose counts are known.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{
    Compression as SdkCompression, MetricExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider, Temporality,
};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use uuid::Uuid;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Compression, Instrumentation, Sink};

use crate::wait::until;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

pub(crate) const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// How a service pushes.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: String,
    pub(crate) temporality: Temporality,
    pub(crate) compression: Compression,
    pub(crate) interval: Duration,
    pub(crate) secure: Option<Secure>,
}

/// Over TLS: the histograms as `Sink::from_env_to` sends them, and what the SDK exports over gRPC in any case.
#[derive(Clone, Debug)]
pub(crate) struct Secure {
    /// The authority to trust, in PEM.
    pub(crate) authority: String,
    pub(crate) grpc_endpoint: String,
}

/// Exports are asked for.
const NEVER: Duration = Duration::from_secs(3_600);

/// The time that a send may take, retries included.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Push {
    pub(crate) fn to(protocol: Protocol, endpoint: String, temporality: Temporality) -> Self {
        let compression = Compression::None;
        Self { protocol, endpoint, temporality, compression, interval: NEVER, secure: None }
    }

    fn exporter(&self) -> MetricExporter {
        let compression = match self.compression {
            Compression::Gzip => Some(SdkCompression::Gzip),
            Compression::Zstd => Some(SdkCompression::Zstd),
            _ => None,
        };
        if let (Protocol::Http, None) = (self.protocol, &self.secure) {
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
        if let Some(secure) = &self.secure {
            let authority = Certificate::from_pem(&secure.authority);
            let tls = ClientTlsConfig::new().ca_certificate(authority).domain_name("localhost");
            builder = builder.with_endpoint(&secure.grpc_endpoint).with_tls_config(tls);
        }
        builder.with_timeout(TIMEOUT).with_temporality(self.temporality).build().unwrap()
    }

    fn sink(&self) -> Sink {
        let protocol = match self.protocol {
            Protocol::Grpc => worker_metrics_otel::Protocol::Grpc,
            Protocol::Http => worker_metrics_otel::Protocol::HttpProtobuf,
        };
        match (self.protocol, &self.secure) {
            (Protocol::Grpc, None) => {
                Sink::grpc(Endpoint::from_shared(self.endpoint.clone()).unwrap().connect_lazy())
            }
            (Protocol::Http, None) => Sink::http(reqwest::blocking::Client::new(), &self.endpoint),
            (_, Some(_)) => Sink::from_env_to(protocol, &self.endpoint),
        }
        .unwrap()
        .with_timeout(TIMEOUT)
        .with_compression(self.compression)
        .unwrap()
    }
}

/// The pool with explicit buckets, and the one with exponential ones.
pub(crate) const EXPLICIT: &str = "render";
pub(crate) const EXPONENTIAL: &str = "encode";
pub(crate) const BOUNDS_S: [f64; 3] = [0.001, 0.01, 0.1];
pub(crate) const JOB: &str = "shop/checkout";

/// A service: two pools of one worker each, which are polled by hand, and everything that is exported of them.
pub(crate) struct Service {
    pub(crate) provider: SdkMeterProvider,
    pub(crate) workers: Instrumentation,
    pub(crate) instance: String,
    /// What the SDK collected in the cycle that it exported.
    pub(crate) collected: InMemoryMetricExporter,
    /// Polls of each of the two pools.
    pub(crate) polls: u64,
    batches: Vec<Batch>,
    _attachments: Vec<Attachment>,
    /// Where the gRPC channels live.
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
    pub(crate) fn start(push: &Push) -> Self {
        let transport = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let workers = Instrumentation::default();
        let (exporter, sink) = {
            // A channel is made on the runtime, and a blocking client must not be.
            let on_runtime = push.protocol == Protocol::Grpc || push.secure.is_some();
            let _entered = on_runtime.then(|| transport.enter());
            (push.exporter(), push.sink())
        };
        let exporter = workers.exporter_with(exporter, sink);
        let collected = InMemoryMetricExporterBuilder::new().with_temporality(push.temporality).build();
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
        let provider = SdkMeterProvider::builder()
            .with_reader(PeriodicReader::builder(exporter).with_interval(push.interval).build())
            .with_reader(PeriodicReader::builder(collected.clone()).with_interval(NEVER).build())
            .with_resource(resource)
            .build();
        workers.register(&provider.meter("worker-metrics"));

        let mut batches = Vec::new();
        let mut attachments = Vec::new();
        let exponential = Scale::exponential(0, Duration::from_micros(1), Duration::from_secs(10)).unwrap();
        for (name, scale) in [(EXPLICIT, Scale::explicit(&BOUNDS_S).unwrap()), (EXPONENTIAL, exponential)] {
            let config = WorkerConfig::new().with_poll_time_histogram(scale);
            let (pool, mut batch) = Pool::builder(name).workers(1).config(config).build().unwrap();
            batches.append(&mut batch);
            attachments.push(workers.attach(pool).unwrap());
        }
        let (polls, _attachments, _transport) = (0, attachments, transport);
        Self { provider, workers, instance, collected, polls, batches, _attachments, _transport }
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

    /// Exports once.
    pub(crate) fn export(&self) -> OTelSdkResult {
        self.collected.reset();
        self.provider.force_flush()
    }

    /// Exports until somebody took it.
    pub(crate) fn deliver(&self) {
        until("an export", || self.export().map_err(|error| error.to_string()));
    }

    /// A selector for the series of a pool of this service.
    pub(crate) fn select(&self, metric: &str, pool: &str) -> String {
        format!("{metric}{{job=\"{JOB}\", instance=\"{}\", worker_pool_name=\"{pool}\"}}", self.instance)
    }
}
