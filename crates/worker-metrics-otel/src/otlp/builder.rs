//! The settings of an export by OTLP, and what it is started from.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::{Key, otel_info, otel_warn};
use opentelemetry_sdk::metrics::Temporality;

use super::client::{ChangeHeaders, Client, NetworkThread};
#[cfg(feature = "tls")]
use super::config::Tls;
use super::config::{Compression, Environment, Headers, OtlpError, OtlpResource, Protocol, RetryPolicy};
use super::connection::ConnectionSettings;
use super::destination::{Destinations, key};
use super::events::Events;
use super::exporter::OtlpExporter;
use super::pipeline::{Pipeline, PipelineReport};
use super::push::{Check, Push};
use super::wire::Limits;
use crate::numbers_route::NumbersRoute;
use crate::options::HistogramOptions;
use crate::setters::setters;
use crate::source::Registry;

/// An export by OTLP: a [push](Self::start) of its own, or an [exporter](Self::exporter) for the
/// program's meter provider.
///
/// Without any setting it goes where the environment says, as opentelemetry-otlp 0.33 does: it
/// reads `OTEL_EXPORTER_OTLP_METRICS_X`, or else `OTEL_EXPORTER_OTLP_X`, for `X` in `ENDPOINT`,
/// `PROTOCOL`, `HEADERS`, `TIMEOUT`, `COMPRESSION`, `INSECURE`, `CERTIFICATE`, `CLIENT_KEY` and
/// `CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, and the system's
/// proxy variables for HTTP. A bad value in a variable is logged and ignored; a bad value set here
/// is an error.
///
/// A setting here wins over the environment, except for headers of the same name.
///
/// # Protocol
///
/// Where no protocol is given, the port decides: 4317 is gRPC, 4318 is HTTP. On any other port HTTP
/// is tried first, and gRPC if the receiver does not speak HTTP.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use worker_metrics_otel::{Compression, Instrumentation, Protocol};
///
/// let workers = Instrumentation::default();
/// let push = workers
///     .otlp()
///     .with_endpoint("https://otlp.example.com")
///     .with_protocol(Protocol::HttpProtobuf)
///     .with_header("api-key", "secret")
///     .with_compression(Compression::Gzip)
///     .with_interval(Duration::from_secs(10))
///     .start()?;
/// # Ok::<(), worker_metrics_otel::OtlpError>(())
/// ```
#[must_use = "nothing is exported until `start`, or `exporter`"]
pub struct Otlp {
    origin: Origin,
    settings: Settings,
}

/// What a program sets.
#[derive(Default)]
struct Settings {
    connection: ConnectionSettings,
    headers: Vec<(String, String)>,
    change_headers: Option<Box<ChangeHeaders>>,
    timeout: Option<Duration>,
    compression: Option<Compression>,
    temporality: Option<Temporality>,
    retry: RetryPolicy,
    limits: Limits,
    resource: Option<OtlpResource>,
    interval: Option<Duration>,
    shutdown_timeout: Option<Duration>,
    #[cfg(feature = "grpc-tonic")]
    metadata: HeaderMap,
}

/// What an export takes its data from.
pub(crate) struct Origin {
    pub(crate) registry: Arc<Registry>,
    pub(crate) numbers: Arc<NumbersRoute>,
    pub(crate) destinations: Arc<Destinations>,
    pub(crate) histogram_options: HistogramOptions,
    /// Logs what a user would otherwise miss; keeps nothing alive.
    pub(crate) check: Check,
}

/// The timeout of an export if none is set.
///
/// **Source**: the specification of the OTLP exporter.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval of a push if none is set.
///
/// **Source**: `OTEL_METRIC_EXPORT_INTERVAL` of the specification.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

/// The longest that the end of a push takes if nothing else is set: as for a meter provider of the
/// SDK.
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

impl Otlp {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, settings: Settings::default() }
    }

    /// Sets the address of the receiver: scheme, host and port, and for HTTP the path if it is not
    /// `/v1/metrics`. An empty address is none, as in opentelemetry-otlp.
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.settings.connection.endpoint = Some(endpoint.into()).filter(|endpoint| !endpoint.is_empty());
        self
    }

    setters! {
        /// Sets the protocol.
        with_protocol(protocol: Protocol) => settings.connection.protocol;

        /// Sets the compression of requests.
        with_compression(compression: Compression) => settings.compression;

        /// Sets how long an export may take, with all its requests and retries; 10 s if nothing
        /// else is set.
        with_timeout(timeout: Duration) => settings.timeout;

        /// Sets the temporality of counters and histograms; cumulative if nothing else is set.
        with_temporality(temporality: Temporality) => settings.temporality;

        /// Sets how often, and after which pauses, a request that failed is sent again.
        with_retry_policy(policy: RetryPolicy) => settings.retry;

        /// Sets trust roots and client identity of `https` connections, in place of those of the
        /// environment.
        #[cfg(feature = "tls")]
        with_tls(tls: Tls) => settings.connection.tls;

        /// Sends over gRPC, by a channel of the program's: endpoint, TLS and proxy are its own.
        ///
        /// It should not live on the runtime that is observed: when all its workers are blocked, no
        /// export leaves.
        #[cfg(feature = "grpc-tonic")]
        with_channel(channel: tonic::transport::Channel) => settings.connection.channel;

        /// Sets the interval of a [push](Self::start): `OTEL_METRIC_EXPORT_INTERVAL`, or else 60 s,
        /// if it is not called.
        with_interval(interval: Duration) => settings.interval;

        /// Sets the longest that [`Push::shutdown`], or dropping it, takes; 5 s if it is not
        /// called.
        with_shutdown_timeout(timeout: Duration) => settings.shutdown_timeout;
    }

    /// Adds a header to each request, or metadata over gRPC. Its value is taken as it is.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.headers.push((name.into(), value.into()));
        self
    }

    /// Adds headers to each request, or metadata over gRPC.
    pub fn with_headers<K: Into<String>, V: Into<String>>(
        mut self,
        headers: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.settings.headers.extend(headers.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets what changes the headers of each request before it is sent, or the metadata over gRPC:
    /// for tokens that change.
    pub fn with_changing_headers(mut self, change: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.settings.change_headers = Some(Box::new(change));
        self
    }

    /// Adds metadata to each gRPC request.
    #[cfg(feature = "grpc-tonic")]
    pub fn with_metadata(mut self, metadata: tonic::metadata::MetadataMap) -> Self {
        self.settings.metadata.extend(metadata.into_headers());
        self
    }

    /// Sets an interceptor of gRPC requests, called before each of them: for tokens that change.
    #[cfg(feature = "grpc-tonic")]
    pub fn with_interceptor(
        mut self,
        interceptor: impl tonic::service::Interceptor + Send + 'static,
    ) -> Self {
        self.settings.connection.interceptor = Some(Box::new(interceptor));
        self
    }

    /// Sets the most points and bytes of one request; 8,000 and 900,000 if it is not called, which
    /// every backend that we know takes.
    pub fn with_request_limits(mut self, points: usize, bytes: usize) -> Self {
        self.settings.limits = Limits { points: points.max(1), bytes: bytes.max(1) };
        self
    }

    /// Sends over HTTP, by a client of the program's: TLS and proxy are its own.
    pub fn with_http_client(mut self, client: impl opentelemetry_http::HttpClient + 'static) -> Self {
        self.settings.connection.http_client = Some(Arc::new(client));
        self
    }

    /// Sets the resource of a [push](Self::start), which an exporter takes from the SDK: a
    /// `Resource` of the SDK, or pairs of strings that are added to what the environment says.
    pub fn with_resource(mut self, resource: impl Into<OtlpResource>) -> Self {
        self.settings.resource = Some(resource.into());
        self
    }

    /// Starts a push from a thread of its own, which needs no meter provider.
    ///
    /// **Cost**: one thread, `worker-metrics-otlp`, which sleeps between the exports.
    ///
    /// # Errors
    ///
    /// [`OtlpError`] if a setting is bad, or no thread can be started. Nothing has been started
    /// then.
    pub fn start(mut self) -> Result<Push, OtlpError> {
        let environment = Environment::of_process();
        let interval = not_zero("Otlp::with_interval", self.settings.interval)?
            .or_else(|| environment.interval())
            .unwrap_or(DEFAULT_INTERVAL);
        let resource =
            self.settings.resource.take().unwrap_or_else(OtlpResource::of_environment).into_resource();
        let shutdown_timeout = self.settings.shutdown_timeout.unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT);
        let check = std::mem::replace(&mut self.origin.check, Box::new(|| {}));
        let (pipeline, _) = self.build(&environment, Some(interval))?;
        let service = resource.get(&Key::from_static_str("service.name")).map(|name| name.to_string());
        let is_named = service.as_ref().is_some_and(|name| !name.starts_with("unknown_service"));
        let service = service.as_deref().unwrap_or_default();
        otel_info!(
            name: "WorkerMetrics.PushStarted",
            destination = pipeline.report.destination(),
            service = service,
            interval = format!("{interval:?}"),
            message = "Worker metrics are pushed by OTLP."
        );
        if !is_named {
            otel_warn!(
                name: "WorkerMetrics.NoServiceName",
                message = "Nothing names the service of the worker metrics: set OTEL_SERVICE_NAME, or give the resource of your meter \
                           provider with Otlp::with_resource."
            );
        }
        Ok(Push::start(pipeline, resource, interval, shutdown_timeout, check))
    }

    /// Makes an exporter for the program's own `SdkMeterProvider`, in place of the one of
    /// opentelemetry-otlp.
    ///
    /// # Errors
    ///
    /// [`OtlpError`] if a setting is bad, or is one of a push alone, or no thread can be started.
    /// Nothing has been started then.
    pub fn exporter(self) -> Result<OtlpExporter, OtlpError> {
        for (is_set, by, remedy) in [
            (self.settings.interval.is_some(), "Otlp::with_interval", "set the interval of the reader"),
            (
                self.settings.resource.is_some(),
                "Otlp::with_resource",
                "give the resource to the meter provider",
            ),
        ] {
            if is_set {
                return Err(OtlpError::bad(
                    by,
                    "set",
                    &format!("leave it out for an exporter, and {remedy}"),
                ));
            }
        }
        let environment = Environment::of_process();
        let (pipeline, temporality) = self.build(&environment, None)?;
        otel_info!(
            name: "WorkerMetrics.ExporterMade",
            destination = pipeline.report.destination(),
            message = "Worker metrics are exported by OTLP together with the metrics of the program."
        );
        Ok(OtlpExporter::new(pipeline, temporality))
    }

    fn build(
        self,
        environment: &Environment,
        interval: Option<Duration>,
    ) -> Result<(Pipeline, Temporality), OtlpError> {
        let timeout = not_zero("Otlp::with_timeout", self.settings.timeout)?
            .or_else(|| environment.timeout())
            .unwrap_or(DEFAULT_TIMEOUT);
        let temporality = self
            .settings
            .temporality
            .or_else(|| environment.temporality())
            .unwrap_or(Temporality::Cumulative);
        let compression = match self.settings.compression {
            Some(compression) => compression.available("Otlp::with_compression")?,
            None => environment.compression().unwrap_or_default(),
        };
        let mut headers = Headers::default();
        for (name, value) in &self.settings.headers {
            headers.set(name, value)?;
        }
        #[cfg(feature = "grpc-tonic")]
        headers.extend(self.settings.metadata.clone());
        let headers = headers.overridden_by(environment.headers());
        let network = NetworkThread::start().map_err(OtlpError::Thread)?;
        let connection = self.settings.connection.connect(environment, &network)?;
        let address = connection.endpoint.as_ref();
        let address = address.map_or_else(|| "a channel".to_owned(), |address| address.url().to_string());
        let key = key(&address, &headers, temporality);
        let Origin { registry, numbers, destinations, histogram_options, .. } = self.origin;
        let client = Arc::new(Client {
            connection,
            headers,
            change_headers: self.settings.change_headers,
            compression,
            retry: self.settings.retry,
            not_before: Mutex::default(),
            has_warned_of_foreign_answer: AtomicBool::new(false),
        });
        let outbox = destinations.outbox(key, temporality, &histogram_options, self.settings.limits);
        let events = Arc::new(Events::new(client.clone(), &network, timeout));
        let report = Arc::new(PipelineReport::new(&client, &outbox, &events, interval));
        destinations.add_report(&report);
        Ok((Pipeline { registry, numbers, outbox, client, events, network, timeout, report }, temporality))
    }
}

/// A time that is set, and is not 0.
fn not_zero(by: &str, given: Option<Duration>) -> Result<Option<Duration>, OtlpError> {
    if given.is_some_and(|time| time.is_zero()) {
        return Err(OtlpError::bad(by, "0", "set some time above 0"));
    }
    Ok(given)
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp")
            .field("protocol", &self.settings.connection.protocol)
            .field("timeout", &self.settings.timeout)
            .field("compression", &self.settings.compression)
            .field("interval", &self.settings.interval)
            .finish_non_exhaustive()
    }
}
