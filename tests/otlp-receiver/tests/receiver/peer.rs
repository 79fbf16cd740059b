//! The peers: an SDK pipeline, a bare gRPC client, a bare HTTP client.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_otlp::{
    Compression, MetricExporter, RetryPolicy, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse, metrics_service_client::MetricsServiceClient,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{
        Aggregation, PeriodicReader, SdkMeterProvider, Stream, Temporality, data::ResourceMetrics,
        exporter::PushMetricExporter,
    },
};
use otlp_receiver::{Protocol, Receiver};
use prost::Message;
use tonic::{Status, transport::Channel};

/// Longer than anything here takes: waiting this long means failing.
pub(crate) const LONG: Duration = Duration::from_secs(10);

pub(crate) const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// A runtime for the client side of gRPC, which never is the receiver's.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// The options of a [`Pipeline`].
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) protocol: Protocol,
    pub(crate) temporality: Temporality,
    pub(crate) compression: Option<Compression>,
    pub(crate) timeout: Duration,
}

impl Options {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { protocol, temporality: Temporality::Cumulative, compression: None, timeout: LONG }
    }
}

/// An SDK meter provider that exports to a receiver when it is told to.
pub(crate) struct Pipeline {
    pub(crate) provider: SdkMeterProvider,
    last: Arc<Mutex<Option<Result<(), String>>>>,
    // After the provider, whose shutdown exports once more.
    _runtime: tokio::runtime::Runtime,
}

impl Pipeline {
    pub(crate) fn new(receiver: &Receiver, options: Options) -> Self {
        let runtime = runtime();
        let last = Arc::default();
        let exporter = Observed { inner: exporter(receiver, options, &runtime), last: Arc::clone(&last) };
        // Never by itself within a test.
        let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(3600)).build();
        let exponential = |instrument: &opentelemetry_sdk::metrics::Instrument| {
            let aggregation =
                Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
            (instrument.name() == "test.exponential")
                .then(|| Stream::builder().with_aggregation(aggregation).build().unwrap())
        };
        let provider = SdkMeterProvider::builder()
            .with_reader(reader)
            .with_view(exponential)
            .with_resource(Resource::builder_empty().with_service_name("peer").build())
            .build();
        Self { provider, last, _runtime: runtime }
    }

    /// Exports now; the error is the exporter's own.
    pub(crate) fn export(&self) -> Result<(), String> {
        *self.last.lock().unwrap() = None;
        let _ = self.provider.force_flush();
        self.last.lock().unwrap().take().expect("a flush exports")
    }
}

fn exporter(receiver: &Receiver, options: Options, runtime: &tokio::runtime::Runtime) -> MetricExporter {
    let builder = MetricExporter::builder().with_temporality(options.temporality);
    match options.protocol {
        Protocol::Grpc => {
            let mut builder = builder
                .with_tonic()
                .with_endpoint(receiver.grpc_endpoint())
                .with_timeout(options.timeout)
                .with_retry_policy(RetryPolicy::disabled());
            if let Some(compression) = options.compression {
                builder = builder.with_compression(compression);
            }
            let _entered = runtime.enter();
            builder.build().unwrap()
        }
        Protocol::Http => {
            // Our own client, so that neither a proxy in the environment nor another package's
            // features matter.
            let mut builder = builder
                .with_http()
                .with_endpoint(receiver.http_endpoint())
                .with_timeout(options.timeout)
                .with_http_client(http_client(options.timeout))
                .with_retry_policy(RetryPolicy::disabled());
            if let Some(compression) = options.compression {
                builder = builder.with_compression(compression);
            }
            builder.build().unwrap()
        }
    }
}

/// Keeps the outcome of an export, which the reader only logs.
struct Observed {
    inner: MetricExporter,
    last: Arc<Mutex<Option<Result<(), String>>>>,
}

impl PushMetricExporter for Observed {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let outcome = self.inner.export(metrics).await;
        *self.last.lock().unwrap() = Some(outcome.as_ref().copied().map_err(ToString::to_string));
        outcome
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

/// A bare gRPC client.
pub(crate) struct Rpc {
    runtime: tokio::runtime::Runtime,
    client: MetricsServiceClient<Channel>,
}

impl Rpc {
    pub(crate) fn new(receiver: &Receiver) -> Self {
        let runtime = runtime();
        let endpoint = Channel::from_shared(receiver.grpc_endpoint()).unwrap().timeout(LONG);
        let client = runtime.block_on(async { MetricsServiceClient::new(endpoint.connect_lazy()) });
        Self { runtime, client }
    }

    pub(crate) fn export(
        &self,
        request: ExportMetricsServiceRequest,
    ) -> Result<ExportMetricsServiceResponse, Status> {
        let mut client = self.client.clone();
        self.runtime.block_on(client.export(request)).map(tonic::Response::into_inner)
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body of a refusal: OTLP wants a `google.rpc.Status`.
    pub(crate) fn refusal(&self) -> tonic_types::Status {
        assert_eq!(self.content_type.as_deref(), Some("application/x-protobuf"));
        tonic_types::Status::decode(&*self.body).unwrap()
    }
}

pub(crate) fn http_client(timeout: Duration) -> reqwest::blocking::Client {
    reqwest::blocking::Client::builder().no_proxy().timeout(timeout).build().unwrap()
}

/// Posts a body with these headers.
pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = http_client(LONG).post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().unwrap();
    let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    Answer {
        status: answer.status().as_u16(),
        retry_after: header("retry-after"),
        content_type: header("content-type"),
        body: answer.bytes().unwrap().to_vec(),
    }
}

/// Posts a request as protobuf.
pub(crate) fn post_request(receiver: &Receiver, request: &ExportMetricsServiceRequest) -> Answer {
    let headers = [("content-type", "application/x-protobuf")];
    post(&receiver.http_endpoint(), &headers, request.encode_to_vec())
}

/// Posts a request that has to be accepted.
pub(crate) fn send(receiver: &Receiver, request: ExportMetricsServiceRequest) {
    let answer = post_request(receiver, &request);
    assert_eq!(answer.status, 200);
    assert_eq!(
        ExportMetricsServiceResponse::decode(&*answer.body).unwrap(),
        ExportMetricsServiceResponse::default()
    );
}
